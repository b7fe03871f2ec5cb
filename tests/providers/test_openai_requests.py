"""What the OpenAI provider sends: field names, roles and parts, for OpenAI itself and for compatible servers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from llmkit import BadRequest, ConfigError, Message, Unsupported, create_language
from llmkit.config.backend_settings import keep_supported
from llmkit.config.setting_checks import check_settings
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import to_messages
from llmkit.types.settings import SAMPLING
from llmkit_openai.provider import is_openai

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmkit.testing.simulator import Simulator

SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
RECORDED: Final = SHARED / "wire" / "openai.jsonl"
PROVIDER: Final = get_provider("openai")
OPENAI: Final = "https://api.openai.com/v1"
OTHER: Final = "http://127.0.0.1:8000/v1"
TOOL: Final = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
SCHEMA: Final = {"type": "object", "properties": {"x": {"type": "integer"}}, "title": "My Thing!"}


def built(
    messages: Any = "hi", given: Mapping[str, Any] | None = None, *, base_url: str = OPENAI, stream: bool = False
) -> dict[str, Any]:
    """The body of a call."""
    kept = keep_supported(PROVIDER, check_settings(given or {}, call=True), drop=False)
    call = Call("gpt-4o", to_messages(messages), stream, kept, base_url=base_url)
    PROVIDER.check(call)
    body: dict[str, Any] = json.loads(PROVIDER.build(call).body)
    return body


def fields(given: Mapping[str, Any], *, base_url: str = OPENAI, stream: bool = False) -> dict[str, Any]:
    """What settings add to the body."""
    body = built("hi", given, base_url=base_url, stream=stream)
    return {name: value for name, value in body.items() if name not in ("model", "messages")}


# --- Settings

TABLE: Final[list[tuple[dict[str, Any], dict[str, Any]]]] = [
    ({"temperature": 0.5}, {"temperature": 0.5}),
    ({"temperature": 0}, {"temperature": 0}),
    ({"top_p": 0.9}, {"top_p": 0.9}),
    ({"max_tokens": 5}, {"max_completion_tokens": 5}),
    ({"frequency_penalty": -1}, {"frequency_penalty": -1}),
    ({"presence_penalty": 1.5}, {"presence_penalty": 1.5}),
    ({"seed": 7}, {"seed": 7}),
    ({"stop": "x"}, {"stop": "x"}),
    ({"stop": ["x", "y"]}, {"stop": ["x", "y"]}),
    ({"stop": ("x", "y")}, {"stop": ["x", "y"]}),
    ({"n": 3}, {"n": 3}),
    ({"logprobs": True}, {"logprobs": True}),
    ({"logprobs": True, "top_logprobs": 5}, {"logprobs": True, "top_logprobs": 5}),
    ({"logit_bias": {50256: -100}}, {"logit_bias": {"50256": -100}}),
    ({"tools": [TOOL]}, {"tools": [TOOL]}),
    ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [TOOL], "tool_choice": "auto"}),
    ({"tools": [TOOL], "tool_choice": "f"},
     {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
    ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
     {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
    ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    ({"structured": {"type": "json"}}, {"response_format": {"type": "json_object"}}),
    ({"structured": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
    ({"structured": SCHEMA}, {"response_format": {
        "type": "json_schema", "json_schema": {"name": "My_Thing_", "schema": SCHEMA}}}),
    ({"structured": {"type": "object"}}, {"response_format": {
        "type": "json_schema", "json_schema": {"name": "response", "schema": {"type": "object"}}}}),
    ({"structured": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}},
     {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}}),
    ({"structured": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
     {"response_format": {"type": "json_schema", "json_schema": {"name": "response", "schema": SCHEMA}}}),
    ({"reasoning": "low"}, {"reasoning_effort": "low"}),
    ({"reasoning": False}, {"reasoning_effort": "none"}),
    ({"reasoning": True}, {}),
    ({"user": "u"}, {"user": "u"}),
    ({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}),
    ({"service_tier": "flex"}, {"service_tier": "flex"}),
    ({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
     {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}),
    ({"prediction": {"type": "content", "content": "x"}}, {"prediction": {"type": "content", "content": "x"}}),
    ({"verbosity": "low"}, {"verbosity": "low"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "sent"), TABLE, ids=lambda value: str(value)[:60])
def test_a_setting_is_a_field_of_the_body(given: dict[str, Any], sent: dict[str, Any]) -> None:
    """Each setting goes out under OpenAI's name, and nothing else with it."""
    assert fields(given) == sent


def test_every_setting_is_in_the_table() -> None:
    """The table above has each setting that OpenAI has."""
    assert {name for given, _ in TABLE for name in given} == PROVIDER.supported


@pytest.mark.parametrize("name", sorted(SAMPLING - PROVIDER.supported))
def test_what_openai_does_not_have_is_said(name: str) -> None:
    """A setting of other services is Unsupported before anything is sent."""
    value = 1 if name == "top_k" else 0.5
    with pytest.raises(Unsupported, match=name):
        built("hi", {name: value})


def test_a_stream_asks_for_usage() -> None:
    """A streamed call asks for usage; a plain one does not say that it is none."""
    assert fields({}, stream=True) == {"stream": True, "stream_options": {"include_usage": True}}
    assert fields({}) == {}


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        (OPENAI, "max_completion_tokens"),
        ("https://us.api.openai.com/v1", "max_completion_tokens"),
        ("https://acme.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("https://openai.com/v1", "max_completion_tokens"),
        (OTHER, "max_tokens"),
        ("https://api.groq.com/openai/v1", "max_tokens"),
        ("https://openai.com.evil.example/v1", "max_tokens"),
        ("https://notopenai.com/v1", "max_tokens"),
        ("https://example.com/openai.com/v1", "max_tokens"),
    ],
)
def test_the_name_of_max_tokens(base_url: str, name: str) -> None:
    """OpenAI's own service takes `max_completion_tokens`, a compatible server the older name."""
    assert fields({"max_tokens": 5}, base_url=base_url) == {name: 5}
    assert is_openai(base_url) is (name == "max_completion_tokens")


@pytest.mark.parametrize(("base_url", "role"), [(OPENAI, "developer"), (OTHER, "system")])
def test_developer_turns(base_url: str, role: str) -> None:
    """OpenAI has developer turns; a compatible server gets them as system turns. System turns stay what they are."""
    turns = [{"role": "developer", "content": "a"}, {"role": "system", "content": "b"}]
    sent = built(turns, base_url=base_url)["messages"]
    assert [turn["role"] for turn in sent] == [role, "system"]


def test_the_name_follows_the_address_of_the_model(sim: Simulator, drive: Any) -> None:
    """A model made with `base_url=` of a compatible server sends what such servers know."""
    drive.ask(drive.make(sim, "openai"), [{"role": "developer", "content": "x"}], max_tokens=5)
    body = sim.requests[0].json
    assert body == {"model": "gpt-4o-mini", "messages": [{"role": "system", "content": "x"}], "max_tokens": 5}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"top_logprobs": 5}, "logprobs"),
        ({"reasoning": 2048}, "effort"),
        ({"tools": [TOOL], "tool_choice": "g"}, "'g'"),
        ({"tool_choice": "f"}, "'f'"),
        ({"structured": {"type": "json_schema"}}, "json_schema.schema"),
        ({"structured": {"type": "json_schema", "json_schema": {"name": "x"}}}, "json_schema.schema"),
    ],
)
def test_what_cannot_be_sent_is_refused(given: dict[str, Any], said: str) -> None:
    """What OpenAI cannot take is refused before it is sent, and the text says what to do."""
    with pytest.raises((BadRequest, Unsupported)) as caught:
        built("hi", given)
    assert said in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_each_effort_goes_out_as_it_is(effort: str) -> None:
    """Each effort word goes out as the service's own."""
    assert fields({"reasoning": effort}) == {"reasoning_effort": effort}


# --- Messages


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "x"},
        {"role": "user", "content": "x", "name": "Ann"},
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/x.png", "detail": "low"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}}]},
        {"role": "assistant", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "a", "type": "custom", "custom": {"name": "f", "input": "select 1"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "sunny"}]},
    ],
    ids=lambda message: str(message)[:60],
)  # fmt: skip
def test_openais_own_shapes_go_out_as_they_are(message: dict[str, Any]) -> None:
    """A message in OpenAI's shape is sent as it was given."""
    assert built([message])["messages"] == [message]


def test_what_an_answer_held_does_not_go_back() -> None:
    """Of an earlier answer OpenAI gets text and tool calls; reasoning, annotations and media are left out."""
    message = Message(
        "assistant", "x", reasoning="hm", reasoning_details=({"type": "reasoning.text"},), annotations=({"a": 1},),
        images=({"a": 1},), refusal="no",
    )  # fmt: skip
    (sent,) = built([message])["messages"]
    assert set(sent) <= {"role", "content", "refusal"}
    assert sent["content"] == "x"


def test_an_empty_answer_goes_back_as_empty_text() -> None:
    """An answer without text and calls goes back as empty text, since null is refused there."""
    assert built([Message("assistant", None)])["messages"] == [{"role": "assistant", "content": ""}]


def test_a_call_without_an_id_gets_one() -> None:
    """A tool call that came without an id (an older Ollama) goes to OpenAI with one, which its answer names too."""
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"function": {"name": "weather", "arguments": {"city": "x"}}},
            {"function": {"name": "time", "arguments": {}}}]},
        {"role": "tool", "name": "weather", "content": "sunny"},
        {"role": "tool", "name": "time", "content": "noon"},
    ]  # fmt: skip
    _, asked, first, second = built(turns)["messages"]
    ids = [call["id"] for call in asked["tool_calls"]]
    assert all(ids)
    assert len(set(ids)) == 2
    assert [first["tool_call_id"], second["tool_call_id"]] == ids


def test_arguments_given_as_an_object_become_text() -> None:
    """Tool arguments that are given as an object are sent as the JSON text that OpenAI wants."""
    call = {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}
    (sent,) = built([{"role": "assistant", "content": None, "tool_calls": [call]}])["messages"]
    assert json.loads(sent["tool_calls"][0]["function"]["arguments"]) == {"x": 1}


@pytest.mark.parametrize("base_url", [OPENAI, OTHER])
def test_no_arguments_go_back_as_an_empty_object(base_url: str) -> None:
    """Empty text stands for no arguments; it is no JSON, and some services insist on JSON. Other calls stay."""
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}, "extra_content": {"x": 1}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": " "}},
        {"id": "c", "type": "custom", "custom": {"name": "g", "input": ""}},
    ]
    (sent,) = built([{"role": "assistant", "content": None, "tool_calls": calls}], base_url=base_url)["messages"]
    calls[0]["function"]["arguments"] = "{}"  # type: ignore[index]
    assert sent["tool_calls"] == calls


def test_broken_arguments_go_back_as_they_came() -> None:
    """Arguments that are no JSON are the model's own words: they are sent back unchanged."""
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": '}}
    (sent,) = built([{"role": "assistant", "content": None, "tool_calls": [call]}])["messages"]
    assert sent["tool_calls"] == [call]


# --- The recorded requests

#: Recorded requests that were wrong on purpose: llmkit refuses them before sending.
WRONG: Final = {
    "openai-rig-error-identity-edge-chat-completions-validation-error-carries-identity-0": ConfigError,
    "openai-crewAI-lib-crewai-tests-cassettes-test-custom-llm-within-crew-0": BadRequest,
}


def recorded() -> list[Any]:
    """The recorded chat requests."""
    if not RECORDED.exists():
        reason = f"the recorded traffic is not here: no file {RECORDED} (LLMKIT_SHARED names another folder)"
        return [pytest.param("", {}, marks=pytest.mark.skip(reason=reason), id="absent")]
    lines = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    return [
        pytest.param(line["id"], line["request_body"], id=line["id"])
        for line in lines
        if "/chat/completions" in line["url"] and (line["request_body"] or {}).get("messages")
    ]


def told(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A recorded body as a user of llmkit would say it: settings, and what has no name."""
    given: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in body.items():
        if name in ("model", "messages", "stream"):
            continue
        if name in ("max_tokens", "max_completion_tokens"):
            given["max_tokens"] = value
        elif name == "response_format" and (value or {}).get("type") in ("json_schema", "json_object"):
            given["structured"] = value
        elif name == "reasoning_effort":
            given["reasoning"] = value
        elif name in PROVIDER.supported:
            given[name] = value
        else:
            rest[name] = value
    return given, rest


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what stands for nothing, its images in the longer of their two forms."""
    out = {key: value for key, value in message.items() if value not in (None, [])}
    if isinstance(out.get("content"), list):
        out["content"] = [
            {**part, "image_url": {"url": part["image_url"]}} if isinstance(part.get("image_url"), str) else part
            for part in out["content"]
        ]
    return out


@pytest.mark.parametrize(("name", "body"), recorded())
def test_a_recorded_request_is_said_through_llmkit(name: str, body: dict[str, Any]) -> None:
    """A request that was really sent, said through llmkit's own names, makes an equivalent body."""
    given, rest = told(body)

    def build() -> dict[str, Any]:
        kept = keep_supported(PROVIDER, check_settings(given, call=True), drop=False)
        call = Call(body["model"], to_messages(body["messages"]), bool(body.get("stream")), kept, None, rest, OPENAI)
        PROVIDER.check(call)
        made: dict[str, Any] = json.loads(PROVIDER.build(call).body)
        return made

    if name in WRONG:
        with pytest.raises(WRONG[name]):
            build()
        return
    sent = build()
    assert [plain(message) for message in sent["messages"]] == [plain(message) for message in body["messages"]]
    renamed = {"max_completion_tokens" if key == "max_tokens" else key: value for key, value in body.items()}
    if sent.get("stream"):
        renamed.setdefault("stream_options", {"include_usage": True})
    for key in {*sent, *renamed} - {"messages", "stream"}:
        assert sent.get(key) == renamed.get(key), key
    assert sent.get("stream", False) == bool(body.get("stream"))


def test_an_unsupported_setting_of_a_model_is_refused_at_once() -> None:
    """What OpenAI does not have is refused where the model is made, or dropped where the user says so."""
    with pytest.raises(Unsupported, match="top_k"):
        create_language("openai", "m", api_key="sk-x", top_k=5)
    with create_language("openai", "m", api_key="sk-x", top_k=5, on_unsupported="drop"):
        pass
