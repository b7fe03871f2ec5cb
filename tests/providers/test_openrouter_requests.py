"""Every request that the OpenRouter provider builds is valid under OpenRouter's own OpenAPI document.

What that document does not bound is bounded by our own table, and refused before anything is sent. The document is a
copy of OpenRouter's, beside the repository; without it the tests that need it say so and are skipped.
"""

from __future__ import annotations

import json
import math
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from llmkit import BadRequest, ConfigError, LLMError, Message, Unsupported, create_language
from llmkit.config.backend_settings import keep_supported
from llmkit.config.setting_checks import check_settings
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import to_messages
from llmkit.types.settings import EFFORTS, SAMPLING
from llmkit_openrouter import OpenRouterOptions, bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmkit.testing.simulator import Simulator

EXAMPLES: Final = settings.default.max_examples
SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
DOCUMENT: Final = SHARED / "openrouter" / "openapi.yaml"
RECORDED: Final = SHARED / "wire" / "openrouter.jsonl"
PROVIDER: Final = get_provider("openrouter")
#: The settings that OpenRouter has, beside those in headers.
HAS: Final = PROVIDER.supported & SAMPLING
OPTIONS: Final = frozenset(OpenRouterOptions.__dataclass_fields__)
#: Options that travel as headers.
HEADERS: Final = {"categories", "metadata", "cache", "cache_ttl"}


@lru_cache(maxsize=1)
def validator() -> Any:
    """A validator of chat requests; the document is read once."""
    if not DOCUMENT.exists():
        pytest.skip(
            f"OpenRouter's OpenAPI document is not here: no file {DOCUMENT} (LLMKIT_SHARED names another folder)"
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(DOCUMENT.read_bytes(), loader)
    resource = Resource(contents=document, specification=DRAFT202012)
    registry = Registry().with_resource("urn:openrouter", resource)
    return Draft202012Validator({"$ref": "urn:openrouter#/components/schemas/ChatRequest"}, registry=registry)


def faults(body: object) -> list[str]:
    """What the document says against a body, with the JSON path of each fault."""
    return [f"{fault.json_path}: {fault.message[:200]}" for fault in validator().iter_errors(body)]


def no_constant(text: str) -> object:
    """NaN and Infinity are no JSON."""
    raise AssertionError(f"the body holds {text}")


def built(
    messages: Any = "hi",
    given: Mapping[str, Any] | None = None,
    options: OpenRouterOptions | None = None,
    *,
    stream: bool = False,
    model: str = "vendor/model",
) -> dict[str, Any]:
    """The body of a call, by the way that a call takes: settings checked, messages read, the provider's own check."""
    kept = keep_supported(PROVIDER, check_settings(given or {}, call=True), drop=False)
    call = Call(model, to_messages(messages), stream, kept, options)
    PROVIDER.check(call)
    body: dict[str, Any] = json.loads(PROVIDER.build(call).body, parse_constant=no_constant)
    return body


# --- Over the whole range of what is allowed

TEXT: Final = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
WORD: Final = st.text("abcdefghij-_0123456789", min_size=1, max_size=12)
OBJECT: Final = st.dictionaries(WORD, TEXT | st.integers(-9, 9) | st.booleans(), max_size=3)
SCHEMA: Final = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(WORD, st.just({"type": "string"}), max_size=3)},
    optional={"title": TEXT, "additionalProperties": st.booleans(), "required": st.lists(WORD, max_size=2)},
)
CACHE: Final = st.fixed_dictionaries({"type": st.just("ephemeral")}, optional={"ttl": st.sampled_from(["5m", "1h"])})


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A dict with any of these keys."""
    return st.fixed_dictionaries({}, optional=fields)


TEXT_PART: Final = st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}, optional={"cache_control": CACHE})
PART: Final = st.one_of(
    TEXT_PART,
    st.fixed_dictionaries(
        {
            "type": st.just("image_url"),
            "image_url": st.fixed_dictionaries(
                {"url": st.sampled_from(["https://a.example/x.png", "data:image/png;base64,AAAA"])},
                optional={"detail": st.sampled_from(["auto", "low", "high", "original"])},
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("input_audio"),
            "input_audio": st.fixed_dictionaries({"data": st.just("AAAA"), "format": st.sampled_from(["wav", "mp3"])}),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("file"),
            "file": st.one_of(
                st.fixed_dictionaries({"filename": WORD, "file_data": st.just("data:application/pdf;base64,AAAA")}),
                st.fixed_dictionaries({"file_id": WORD}),
            ),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("video_url"), "video_url": st.fixed_dictionaries({"url": st.just("https://a.example/x.mp4")})}
    ),
)
FORMATS: Final = st.sampled_from([None, "unknown", "anthropic-claude-v1", "openai-responses-v1", "google-gemini-v1"])
DETAIL: Final = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("reasoning.text")}, optional={"text": TEXT, "signature": TEXT, "index": st.integers(0, 9)}
    ),
    st.fixed_dictionaries({"type": st.just("reasoning.summary"), "summary": TEXT}, optional={"format": FORMATS}),
    st.fixed_dictionaries({"type": st.just("reasoning.encrypted"), "data": TEXT}, optional={"id": st.none() | WORD}),
)
TOOL_CALL: Final = st.fixed_dictionaries(
    {
        "id": WORD,
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": WORD, "arguments": st.sampled_from(["{}", '{"x": 1}', "broken"])}),
    }
)
MESSAGE: Final = st.one_of(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "developer"]),
            "content": TEXT | st.lists(TEXT_PART, min_size=1, max_size=2),
        },
        optional={"name": WORD},
    ),
    st.fixed_dictionaries(
        {"role": st.just("user"), "content": TEXT | st.lists(PART, min_size=1, max_size=3)}, optional={"name": WORD}
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": st.none() | TEXT | st.lists(TEXT_PART, min_size=1, max_size=2)},
        optional={
            "name": WORD,
            "tool_calls": st.lists(TOOL_CALL, max_size=2),
            "refusal": st.none() | TEXT,
            "reasoning": st.none() | TEXT,
            "reasoning_details": st.lists(DETAIL, max_size=3),
            "annotations": st.lists(st.just({"type": "file", "file": {"hash": "h"}}), max_size=1),
            "images": st.lists(
                st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}), max_size=1
            ),
            "audio": st.fixed_dictionaries(
                {"id": WORD}, optional={"transcript": TEXT, "expires_at": st.integers(0, 9)}
            ),
        },
    ),
    st.fixed_dictionaries(
        {"role": st.just("tool"), "tool_call_id": WORD, "content": TEXT | st.lists(TEXT_PART, min_size=1, max_size=2)},
        optional={"name": WORD},
    ),
)
FUNCTION: Final = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": WORD}, optional={"description": TEXT, "parameters": SCHEMA, "strict": st.none() | st.booleans()}
        ),
    },
    optional={"cache_control": CACHE},
)
SERVER_TOOL: Final = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("openrouter:web_search")},
        optional={"parameters": some(engine=st.sampled_from(["native", "exa", "auto"]), max_results=st.integers(1, 9))},
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["openrouter:datetime", "openrouter:web_fetch", "web_search"])}),
)
REASONING: Final = st.one_of(
    some(
        effort=st.sampled_from(EFFORTS),
        exclude=st.booleans(),
        enabled=st.booleans(),
        summary=st.sampled_from(["auto", "concise", "detailed"]),
    ),
    st.fixed_dictionaries({"max_tokens": st.integers(1, 10**6)}, optional={"exclude": st.booleans()}),
)
FLOAT: Final = st.floats(allow_nan=False, allow_infinity=False)


def between(low: float, high: float, *, above: bool = False) -> st.SearchStrategy[float | int]:
    """A number of a range, its ends too, whole ones too; `above`: without the low end."""
    whole = range(math.ceil(low) + (1 if above and low == int(low) else 0), math.floor(high) + 1)
    return st.floats(low, high, exclude_min=above) | st.sampled_from(list(whole))


SETTINGS: Final = some(
    temperature=between(0, 2),
    top_p=between(0, 1, above=True),
    top_k=st.integers(0, 10**6),
    min_p=between(0, 1),
    top_a=between(0, 1),
    max_tokens=st.integers(1, 10**9),
    frequency_penalty=between(-2, 2),
    presence_penalty=between(-2, 2),
    repetition_penalty=between(0, 2, above=True),
    seed=st.integers(-(2**63), 2**63),
    stop=TEXT | st.lists(TEXT, max_size=4) | st.lists(TEXT, max_size=4).map(tuple),
    n=st.integers(1, 128),
    logprobs=st.booleans(),
    top_logprobs=st.integers(0, 20),
    logit_bias=st.dictionaries(st.integers(0, 10**6).map(str) | st.integers(0, 10**6), between(-100, 100), max_size=3),
    tools=st.lists(FUNCTION | SERVER_TOOL, min_size=1, max_size=3),
    tool_choice=st.sampled_from(["none", "auto", "required"])
    | st.just({"type": "function", "function": {"name": "f"}})
    | st.just({"type": "openrouter:web_search"}),
    parallel_tool_calls=st.booleans(),
    structured=st.just({"type": "json"})
    | SCHEMA
    | st.fixed_dictionaries(
        {
            "type": st.just("json_schema"),
            "json_schema": st.fixed_dictionaries(
                {"schema": SCHEMA}, optional={"name": WORD, "strict": st.booleans(), "description": TEXT}
            ),
        }
    ),
    reasoning=st.sampled_from(EFFORTS) | st.integers(1, 10**6) | st.booleans(),
    user=TEXT,
    metadata=st.dictionaries(TEXT, TEXT, max_size=16),
    service_tier=st.sampled_from(bounds.TIERS),
    modalities=st.lists(st.sampled_from(bounds.MODALITIES), max_size=3),
    audio=st.just({"voice": "alloy", "format": "wav"}),
    prediction=st.fixed_dictionaries(
        {"type": st.just("content"), "content": TEXT | st.lists(st.just({"type": "text", "text": "x"}), max_size=2)}
    ),
    verbosity=st.sampled_from(bounds.VERBOSITIES),
)
CUTOFF: Final = st.floats(0, 100) | some(p50=st.floats(0, 9), p75=st.floats(0, 9), p90=st.integers(0, 9), p99=st.none())
PREFERENCES: Final = some(
    order=st.lists(WORD, max_size=3),
    only=st.lists(WORD, max_size=2).map(tuple),
    ignore=st.lists(st.sampled_from(["DeepInfra", "anthropic"]), max_size=2),
    allow_fallbacks=st.booleans(),
    require_parameters=st.booleans(),
    data_collection=st.sampled_from(["allow", "deny"]),
    zdr=st.booleans(),
    enforce_distillable_text=st.booleans(),
    quantizations=st.lists(st.sampled_from(bounds.QUANTIZATIONS), max_size=2),
    sort=st.sampled_from(bounds.SORTS)
    | st.fixed_dictionaries(
        {"by": st.sampled_from(bounds.SORTS)}, optional={"partition": st.sampled_from(["model", "none"])}
    ),
    preferred_min_throughput=CUTOFF,
    preferred_max_latency=CUTOFF,
    max_price=st.dictionaries(
        st.sampled_from(bounds.PRICES),
        st.floats(0, 1000) | st.integers(0, 99) | st.decimals(0, 9, places=9) | st.just("0.5"),
    ),
)
PLUGIN: Final = st.one_of(
    st.fixed_dictionaries(
        {"id": st.just("web")},
        optional={
            "engine": st.sampled_from(["native", "exa"]),
            "max_results": st.integers(1, 9),
            "search_prompt": TEXT,
        },
    ),
    st.fixed_dictionaries(
        {"id": st.just("file-parser")},
        optional={
            "pdf": st.fixed_dictionaries({"engine": st.sampled_from(["mistral-ocr", "native", "cloudflare-ai"])})
        },
    ),
    st.fixed_dictionaries(
        {"id": st.sampled_from(["response-healing", "context-compression", "auto-router", "pareto-router", "fusion"])},
        optional={"enabled": st.booleans()},
    ),
    st.sampled_from([{"id": "moderation"}, {"id": "web-fetch"}]),
)
OPTION_FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "provider": PREFERENCES,
    "models": st.lists(WORD, max_size=3),
    "reasoning": REASONING,
    "plugins": st.lists(PLUGIN, max_size=3),
    "preset": WORD,
    "session_id": st.text(max_size=256),
    "cache_control": CACHE,
    "prompt_cache_key": WORD,
    "prompt_cache_options": st.fixed_dictionaries({"mode": st.just("explicit")}, optional={"ttl": st.none() | WORD}),
    "trace": some(
        trace_id=WORD, trace_name=WORD, span_name=WORD, generation_name=WORD, parent_span_id=WORD, other=TEXT
    ),
    "image_config": st.dictionaries(WORD, TEXT | st.floats(0, 9) | st.lists(TEXT, max_size=2), max_size=2),
    "max_tool_calls": st.integers(1, 30),
    "stop_server_tools_when": st.lists(
        st.sampled_from(
            [
                {"type": "step_count_is", "step_count": 3},
                {"type": "has_tool_call", "tool_name": "f"},
                {"type": "max_tokens_used", "max_tokens": 9},
                {"type": "max_cost", "max_cost_in_dollars": 0.5},
                {"type": "finish_reason_is", "reason": "stop"},
            ]
        ),
        min_size=1,
        max_size=2,
    ),
    "web_search_options": st.fixed_dictionaries({"search_context_size": st.sampled_from(["low", "medium", "high"])}),
    "debug": st.fixed_dictionaries({"echo_upstream_body": st.booleans()}),
    "categories": st.lists(st.sampled_from(["cli-agent", "game", "legal"]), max_size=2),
    "metadata": st.booleans(),
    "cache": st.booleans(),
    "cache_ttl": st.integers(1, 86_400),
}


def agreeing(given: dict[str, Any], options: OpenRouterOptions | None) -> dict[str, Any]:
    """Settings without those that contradict each other."""
    given = dict(given)
    if options is not None and options.reasoning is not None:
        given.pop("reasoning", None)
    if "top_logprobs" in given:
        given["logprobs"] = True
    return given


def test_every_setting_and_option_is_generated() -> None:
    """The strategies below have each setting and each option, so that none is left out when one is added."""
    assert set(SETTINGS.wrapped_strategy.optional) == HAS  # type: ignore[attr-defined]
    assert set(OPTION_FIELDS) == OPTIONS


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    messages=TEXT | st.lists(MESSAGE, min_size=1, max_size=4),
    chosen=SETTINGS,
    options=st.none() | some(**OPTION_FIELDS).map(lambda fields: OpenRouterOptions(**fields)),
    stream=st.booleans(),
)
def test_every_request_is_valid(
    messages: Any, chosen: dict[str, Any], options: OpenRouterOptions | None, stream: bool
) -> None:
    """Whatever is asked within the bounds, the body is valid under OpenRouter's document."""
    body = built(messages, agreeing(chosen, options), options, stream=stream)
    assert faults(body) == []
    assert body["model"] == "vendor/model"
    assert body.get("stream", False) is stream
    if options is not None:
        assert all(isinstance(value, str) and value.isascii() for value in options.headers().values())


@pytest.mark.parametrize("name", sorted(HAS))
@settings(max_examples=max(EXAMPLES // 8, 20), deadline=None)
@given(data=st.data(), stream=st.booleans())
def test_each_setting_alone_is_valid(name: str, data: st.DataObject, stream: bool) -> None:
    """Each setting by itself makes a valid body, and one that says it."""
    value = data.draw(SETTINGS.wrapped_strategy.optional[name])  # type: ignore[attr-defined]
    chosen = {name: value, "logprobs": True} if name == "top_logprobs" else {name: value}
    body = built("hi", chosen, stream=stream)
    assert faults(body) == []
    assert len(body) > len(built("hi", stream=stream))


@pytest.mark.parametrize("name", sorted(OPTIONS))
@settings(max_examples=max(EXAMPLES // 8, 20), deadline=None)
@given(data=st.data())
def test_each_option_alone_is_valid(name: str, data: st.DataObject) -> None:
    """Each option by itself makes a valid body; it is in the body under its name, or in a header."""
    options = OpenRouterOptions(**{name: data.draw(OPTION_FIELDS[name])})
    body = built("hi", options=options)
    assert faults(body) == []
    assert (name in body) is (name not in HEADERS)


# --- Whatever comes: refused, or valid

JUNK: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["text", "function", "auto", "low", "web", "price", "ephemeral", "json_schema", "content"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type", "id", "function", "name", "parameters", "schema", "json_schema", "effort", "max_tokens",
                    "order", "only", "sort", "by", "max_price", "prompt", "zdr", "ttl", "mode", "content", "text",
                    "quantizations", "preferred_max_latency", "p50", "echo_upstream_body", "step_count", "engine",
                    "description", "strict", "cache_control", "trace_id", "voice",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(HAS))
@settings(max_examples=max(EXAMPLES // 4, 40), deadline=None)
@given(value=JUNK)
def test_any_value_of_a_setting_is_refused_or_valid(name: str, value: Any) -> None:
    """Whatever is given for a setting, it is refused before sending or makes a valid body."""
    try:
        body = built("hi", {name: value})
    except LLMError:
        return
    assert faults(body) == []


@pytest.mark.parametrize("name", sorted(OPTIONS))
@settings(max_examples=max(EXAMPLES // 4, 40), deadline=None)
@given(value=JUNK | st.lists(JUNK, min_size=1, max_size=2))
def test_any_value_of_an_option_is_refused_or_valid(name: str, value: Any) -> None:
    """Whatever is given for an option, it is refused before sending or makes a valid body."""
    try:
        options = OpenRouterOptions(**{name: value})
        body = built("hi", options=options)
        headers = options.headers()
    except LLMError:
        return
    assert faults(body) == []
    assert all(isinstance(text, str) and text.isascii() and text.isprintable() for text in headers.values())


PARTS: Final = st.one_of(PART, TEXT, st.just({"type": "video_url"}), st.just({"type": "foo", "foo": 1}))


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool"])},
            optional={
                "content": st.none() | TEXT | st.lists(PARTS, max_size=2),
                "name": TEXT,
                "tool_call_id": TEXT,
                "tool_calls": st.lists(
                    TOOL_CALL
                    | st.just({"function": {"name": "f", "arguments": {}}})
                    | st.just({"id": None, "type": "function", "function": {"name": "f"}})
                    | st.just({"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}),
                    max_size=2,
                ),
                "reasoning": TEXT,
                "refusal": TEXT,
                "reasoning_details": st.lists(DETAIL | st.just({}), max_size=2),
                "images": st.lists(st.just({}) | st.just({"image_url": {"url": "x"}}), max_size=1),
                "audio": st.just({"id": "x"}) | st.just({}),
            },
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_conversation_is_refused_or_valid(messages: list[dict[str, Any]]) -> None:
    """Whatever a conversation holds, it is refused before sending or makes a valid body."""
    try:
        body = built(messages)
    except LLMError:
        return
    assert faults(body) == []


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": None},
        {"role": "system", "content": None},
        {"role": "tool", "content": "x"},
        {"role": "tool", "content": None, "tool_call_id": "a"},
        {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}]},
        {"role": "developer", "content": [{"type": "file", "file": {"file_id": "x"}}]},
        {"role": "user", "content": [{"type": "video_url"}]},
        {"role": "user", "content": [{"type": "foo", "foo": 1}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x", "detail": "huge"}}]},
        {"role": "assistant", "content": "x", "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f"}}]},
        {"role": "assistant", "content": "x", "images": [{}]},
    ],
    ids=lambda message: str(message)[:70],
)
def test_what_the_document_does_not_know_is_refused(message: dict[str, Any]) -> None:
    """A message that OpenRouter's document has no place for is refused before sending, and says which."""
    with pytest.raises((BadRequest, Unsupported)) as caught:
        built([{"role": "user", "content": "hi"}, message])
    assert "messages[1]" in str(caught.value)


def test_a_call_without_an_id_gets_one() -> None:
    """A tool call that came without an id (an older Ollama) goes to OpenRouter with one, which its answer names too."""
    turns = [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "x"}}}],
        },
        {"role": "tool", "name": "weather", "content": "sunny"},
    ]
    body = built(turns)
    assert faults(body) == []
    _, asked, answered = body["messages"]
    assert asked["tool_calls"][0]["id"] == answered["tool_call_id"]


# --- Our own table

INSIDE: Final[list[dict[str, Any]]] = [
    {"models": ["a", "b", "c"]}, {"models": []}, {"session_id": "x" * 256}, {"session_id": ""},
    {"categories": ["game", "legal"]}, {"categories": ["x" * 30]}, {"max_tool_calls": 1}, {"max_tool_calls": 30},
    {"cache_ttl": 1}, {"cache_ttl": 86_400}, {"reasoning": {"max_tokens": 1}}, {"reasoning": {"effort": "none"}},
    {"reasoning": {"summary": "auto"}}, {"reasoning": {}}, {"plugins": []}, {"cache_control": {"type": "ephemeral"}},
    {"cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"provider": {}}, {"provider": {"sort": "exacto"}},
    {"provider": {"sort": {"by": "price", "partition": "none"}}}, {"provider": {"max_price": {"prompt": 0}}},
    {"provider": {"max_price": {"completion": "0.5"}}},
]  # fmt: skip
OUTSIDE: Final[list[dict[str, Any]]] = [
    {"models": ["a", "b", "c", "d"]}, {"models": "a"}, {"models": [5]}, {"models": 5}, {"models": {"a": 1}},
    {"session_id": "x" * 257}, {"session_id": 5}, {"categories": ["a", "b", "c"]}, {"categories": ["Game"]},
    {"categories": ["x" * 31]}, {"categories": "game"}, {"categories": [5]}, {"categories": ["a,b"]},
    {"categories": ["a\r\nX-B: c"]}, {"max_tool_calls": 0}, {"max_tool_calls": 31}, {"max_tool_calls": 1.5},
    {"max_tool_calls": "3"}, {"max_tool_calls": True}, {"cache_ttl": 0}, {"cache_ttl": 86_401}, {"cache_ttl": "60"},
    {"cache": "true"}, {"metadata": "enabled"}, {"reasoning": {"efort": "low"}}, {"reasoning": {"effort": "hgih"}},
    {"reasoning": {"effort": "low", "max_tokens": 5}}, {"reasoning": {"max_tokens": 0}},
    {"reasoning": {"max_tokens": 1.5}}, {"reasoning": {"max_tokens": True}}, {"reasoning": {"summary": "long"}},
    {"reasoning": {"exclude": "yes"}}, {"reasoning": {"enabled": 1}}, {"reasoning": "high"}, {"reasoning": 5},
    {"plugins": [{}]}, {"plugins": ["web"]}, {"plugins": {"id": "web"}}, {"plugins": [{"id": "webb"}]},
    {"plugins": [{"id": 5}]}, {"plugins": "web"}, {"plugins": [{"id": "web", "max_results": "5"}]},
    {"cache_control": {}}, {"cache_control": {"type": "eternal"}}, {"cache_control": "ephemeral"},
    {"cache_control": {"type": "ephemeral", "ttl": "2h"}}, {"preset": 5}, {"prompt_cache_key": 5},
    {"prompt_cache_options": {}}, {"prompt_cache_options": {"mode": "implicit"}}, {"prompt_cache_options": "explicit"},
    {"trace": "x"}, {"trace": {"trace_id": 5}}, {"image_config": "x"}, {"image_config": {"a": {"b": 1}}},
    {"image_config": {"a": True}}, {"stop_server_tools_when": []}, {"stop_server_tools_when": [{}]},
    {"stop_server_tools_when": [{"type": "step_count_is"}]}, {"stop_server_tools_when": {"type": "max_cost"}},
    {"stop_server_tools_when": [{"type": "foo"}]}, {"web_search_options": "high"},
    {"web_search_options": {"search_context_size": "huge"}}, {"debug": True}, {"debug": {"echo_upstream_body": "yes"}},
    {"provider": "anthropic"}, {"provider": ["anthropic"]}, {"provider": {"ordr": []}}, {"provider": {"order": "anthropic"}},
    {"provider": {"order": [5]}}, {"provider": {"only": "a"}}, {"provider": {"ignore": {"a": 1}}},
    {"provider": {"allow_fallbacks": "no"}}, {"provider": {"require_parameters": 1}},
    {"provider": {"data_collection": "never"}}, {"provider": {"data_collection": True}}, {"provider": {"zdr": "yes"}},
    {"provider": {"enforce_distillable_text": 1}}, {"provider": {"quantizations": ["int3"]}},
    {"provider": {"quantizations": "int8"}}, {"provider": {"sort": "cheap"}}, {"provider": {"sort": {"by": "cheap"}}},
    {"provider": {"sort": {"by": "price", "partition": "all"}}}, {"provider": {"sort": ["price"]}},
    {"provider": {"max_price": {"promt": 1}}}, {"provider": {"max_price": 5}}, {"provider": {"max_price": {"prompt": "x"}}},
    {"provider": {"max_price": {"prompt": -1}}}, {"provider": {"max_price": {"prompt": math.nan}}},
    {"provider": {"max_price": {"prompt": None}}}, {"provider": {"preferred_max_latency": "fast"}},
    {"provider": {"preferred_max_latency": math.nan}}, {"provider": {"preferred_max_latency": {"p42": 1}}},
    {"provider": {"preferred_min_throughput": {"p50": "x"}}}, {"provider": {"preferred_min_throughput": True}},
]  # fmt: skip


@pytest.mark.parametrize("fields", INSIDE, ids=str)
def test_options_just_inside_are_taken(fields: dict[str, Any]) -> None:
    """Options at the end of their bounds are taken, and make a valid body."""
    assert faults(built("hi", options=OpenRouterOptions(**fields))) == []


@pytest.mark.parametrize("fields", OUTSIDE, ids=lambda fields: str(fields)[:70])
def test_options_just_outside_are_refused(fields: dict[str, Any]) -> None:
    """Options beyond their bounds are refused where they are made, by the name of the field."""
    with pytest.raises(BadRequest) as caught:
        OpenRouterOptions(**fields)
    (name,) = fields
    assert name in str(caught.value) or name.removesuffix("s").removesuffix("ie") in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_unknown_option_is_refused() -> None:
    """There is no option of another name, and an unknown key of `provider` names the nearest."""
    with pytest.raises(TypeError, match="sesion_id"):
        OpenRouterOptions(sesion_id="x")  # type: ignore[call-arg]
    with pytest.raises(BadRequest, match="allow_fallbacks"):
        OpenRouterOptions(provider={"allow_fallback": True})  # type: ignore[typeddict-unknown-key]


SETTINGS_INSIDE: Final[list[dict[str, Any]]] = [
    {"stop": ["a", "b", "c", "d"]}, {"stop": "a"}, {"logprobs": True, "top_logprobs": 20}, {"logit_bias": {"1": -100}},
    {"logit_bias": {"1": 100.0}}, {"metadata": {str(n): "x" for n in range(16)}}, {"metadata": {"k" * 64: "v" * 512}},
    {"tools": [{"type": "function", "function": {"name": "f" * 64}}]}, {"modalities": ["text", "image", "audio"]},
    {"temperature": 0}, {"temperature": 2}, {"service_tier": "flex"}, {"verbosity": "max"}, {"reasoning": 1},
    {"structured": {"type": "json_schema", "json_schema": {"name": "n" * 64, "schema": {}}}},
]  # fmt: skip
SETTINGS_OUTSIDE: Final[list[dict[str, Any]]] = [
    {"stop": ["a", "b", "c", "d", "e"]}, {"top_logprobs": 5}, {"logprobs": False, "top_logprobs": 5},
    {"logit_bias": {"1": -100.5}}, {"logit_bias": {"1": 101}}, {"metadata": {str(n): "x" for n in range(17)}},
    {"metadata": {"k" * 65: "v"}}, {"metadata": {"k": "v" * 513}}, {"metadata": {"k": 5}},
    {"tools": [{"type": "function", "function": {"name": "f" * 65}}]}, {"tools": [{"type": "openrouter:foo"}]},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
    {"tools": [{"type": "function", "function": {"name": "f", "strict": "yes"}}]},
    {"tools": [{"type": "function", "function": {"name": "bad name!"}}]},
    {"modalities": ["smell"]}, {"service_tier": "gold"}, {"verbosity": "chatty"}, {"temperature": 2.1},
    {"reasoning": 0}, {"tool_choice": "nobody"}, {"tool_choice": {"type": "function"}}, {"tool_choice": {}},
    {"tool_choice": {"type": "function", "function": {}}}, {"prediction": {"type": "content"}},
    {"prediction": {"type": "text", "content": "x"}}, {"prediction": {"content": "x"}},
    {"structured": {"type": "json_schema", "json_schema": {"name": "n" * 65, "schema": {}}}},
    {"structured": {"type": "json_schema", "json_schema": {"name": 5, "schema": {}}}},
    {"structured": {"type": "json_schema", "json_schema": {"schema": {}, "strict": "yes"}}},
    {"structured": {"type": "json_schema"}},
]  # fmt: skip


@pytest.mark.parametrize("chosen", SETTINGS_INSIDE, ids=lambda chosen: str(chosen)[:70])
def test_settings_just_inside_are_taken(chosen: dict[str, Any]) -> None:
    """Settings at the end of OpenRouter's bounds are taken, and make a valid body."""
    assert faults(built("hi", chosen)) == []


@pytest.mark.parametrize("chosen", SETTINGS_OUTSIDE, ids=lambda chosen: str(chosen)[:70])
def test_settings_just_outside_are_refused(chosen: dict[str, Any], closed_port: int) -> None:
    """Settings beyond OpenRouter's bounds are refused before anything is sent, by name."""
    with (
        create_language("openrouter", "m", api_key="sk-x", base_url=f"http://127.0.0.1:{closed_port}") as model,
        pytest.raises((BadRequest, ConfigError)) as caught,
    ):
        model.chat_complete("hi", **chosen)
    name = list(chosen)[-1]
    assert name.removesuffix("s") in str(caught.value).replace("modality", "modalitie")


def test_reasoning_given_twice_and_differently_is_an_error() -> None:
    """`reasoning=` and `OpenRouterOptions(reasoning=...)` may say the same, and not two things."""
    same = OpenRouterOptions(reasoning={"effort": "high"})
    assert built("hi", {"reasoning": "high"}, same)["reasoning"] == {"effort": "high"}
    for value in ("low", 500, True, False):
        with pytest.raises(BadRequest, match="reasoning"):
            built("hi", {"reasoning": value}, same)


# --- What goes where


@pytest.mark.parametrize(
    ("chosen", "fields"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"max_tokens": 9}, {"max_completion_tokens": 9}),
        ({"structured": {"type": "json"}}, {"response_format": {"type": "json_object"}}),
        ({"reasoning": "high"}, {"reasoning": {"effort": "high"}}),
        ({"reasoning": 2048}, {"reasoning": {"max_tokens": 2048}}),
        ({"reasoning": True}, {"reasoning": {"enabled": True}}),
        ({"reasoning": False}, {"reasoning": {"effort": "none"}}),
        ({"stop": "x"}, {"stop": "x"}),
        ({"top_k": 0, "min_p": 0.5, "top_a": 0.5, "repetition_penalty": 1.5},
         {"top_k": 0, "min_p": 0.5, "top_a": 0.5, "repetition_penalty": 1.5}),
    ],
)  # fmt: skip
def test_a_setting_is_a_field_of_the_body(chosen: dict[str, Any], fields: dict[str, Any]) -> None:
    """Each setting goes out under OpenRouter's name, and nothing else with it."""
    body = built("hi", chosen)
    assert body == {"model": "vendor/model", "messages": [{"role": "user", "content": "hi"}], **fields}


def test_the_headers_of_a_call(sim: Simulator, drive: Any) -> None:
    """Attribution and the options that are headers go out as headers, the title under both its names."""
    options = OpenRouterOptions(categories=["cli-agent", "game"], metadata=True, cache=True, cache_ttl=60)
    drive.ask(drive.make(sim, "openrouter", site_url="https://a.example", app_name="App", options=options))
    headers = sim.requests[0].headers
    assert (headers["http-referer"], headers["x-title"], headers["x-openrouter-title"]) == (
        "https://a.example",
        "App",
        "App",
    )
    assert headers["x-openrouter-categories"] == "cli-agent,game"
    assert headers["x-openrouter-metadata"] == "enabled"
    assert (headers["x-openrouter-cache"], headers["x-openrouter-cache-ttl"]) == ("true", "60")
    assert set(sim.requests[0].json) == {"model", "messages"}


def test_reasoning_goes_back_once() -> None:
    """Reasoning blocks go back verbatim; the plain reasoning text goes back only where there are none."""
    blocks = ({"type": "reasoning.text", "text": "hm", "signature": "s"},)
    with_blocks = Message("assistant", "x", reasoning="hm", reasoning_details=blocks)
    without = Message("assistant", "x", reasoning="hm")
    first, second = built([Message("user", "a"), with_blocks, without])["messages"][1:]
    assert first == {"role": "assistant", "content": "x", "reasoning_details": list(blocks)}
    assert second == {"role": "assistant", "content": "x", "reasoning": "hm"}


def test_prices_of_a_filter_are_text_without_an_exponent() -> None:
    """`max_price` goes out as decimal text, however small the number is."""
    prices = {"prompt": 0.0000001, "completion": 1e-9, "request": 100, "image": "0.5"}
    sent = built("hi", options=OpenRouterOptions(provider={"max_price": prices}))["provider"]["max_price"]
    assert sent == {"prompt": "0.0000001", "completion": "0.000000001", "request": "100", "image": "0.5"}


# --- The recorded requests


def recorded() -> list[Any]:
    """The recorded chat requests."""
    if not RECORDED.exists():
        reason = f"the recorded traffic is not here: no file {RECORDED} (LLMKIT_SHARED names another folder)"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason), id="absent")]
    lines = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    return [
        pytest.param(line["request_body"], id=line["id"])
        for line in lines
        if "/chat/completions" in line["url"] and (line["request_body"] or {}).get("messages")
    ]


def told(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A recorded body as a user of llmkit would say it: settings, options, and what has no name."""
    chosen: dict[str, Any] = {}
    options: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in body.items():
        if name in ("model", "messages", "stream"):
            continue
        if name in ("max_tokens", "max_completion_tokens"):
            chosen["max_tokens"] = value
        elif name == "response_format" and (value or {}).get("type") in ("json_schema", "json_object"):
            chosen["structured"] = value
        elif name in OPTIONS:
            options[name] = value
        elif name in SAMPLING:
            chosen[name] = value
        else:
            rest[name] = value
    return chosen, options, rest


def same_message(sent: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Are two messages the same JSON, but for a null that stands for nothing?"""
    return {key: value for key, value in sent.items() if value is not None} == {
        key: value for key, value in wanted.items() if value is not None
    }


@pytest.mark.parametrize("body", recorded())
def test_a_recorded_request_is_said_through_llmkit(body: dict[str, Any]) -> None:
    """A request that was really sent, said through llmkit's own names, makes an equivalent and valid body."""
    chosen, options, rest = told(body)
    kept = keep_supported(PROVIDER, check_settings(chosen, call=True), drop=False)
    made = OpenRouterOptions(**options) if options else None
    call = Call(body["model"], to_messages(body["messages"]), bool(body.get("stream")), kept, made, rest)
    PROVIDER.check(call)
    sent = json.loads(PROVIDER.build(call).body)
    assert len(sent["messages"]) == len(body["messages"])
    for ours, theirs in zip(sent["messages"], body["messages"], strict=True):
        assert same_message(ours, theirs)
    renamed = {"max_completion_tokens" if name == "max_tokens" else name: value for name, value in body.items()}
    for name in {*sent, *renamed} - {"messages", "stream"}:
        assert sent.get(name) == renamed.get(name), name
    assert sent.get("stream", False) == bool(body.get("stream"))
    assert faults(sent) == [] or faults(body) != []
