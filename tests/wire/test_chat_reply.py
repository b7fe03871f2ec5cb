"""Plain replies of the chat dialect: what counts as an answer, what as a failure, and that nothing else is raised."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import EmptyResponse, LLMError, MalformedResponse
from llmkit.provider.exchange import HTTPReply
from llmkit.provider.interface import Call
from llmkit.types.messages import Message
from llmkit.types.responses import Response
from llmkit_ollama import OllamaProvider
from llmkit_openai import OpenAIProvider
from llmkit_openrouter import OpenRouterProvider

if TYPE_CHECKING:
    from llmkit.provider.interface import BaseProvider

CALL: Final = Call("m", (Message("user", "x"),))
OPENROUTER: Final = OpenRouterProvider("openrouter")
OPENAI: Final = OpenAIProvider("openai")
PROVIDERS: Final = (OPENROUTER, OPENAI, OllamaProvider("ollama"))


def parse(body: object, provider: BaseProvider = OPENROUTER) -> Response:
    """The response of a plain reply."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return provider.parse(CALL, HTTPReply(200, {}, data))


def outcome(body: object, provider: BaseProvider = OPENROUTER) -> Any:
    """The response of a plain reply, or the error that it is."""
    try:
        return parse(body, provider)
    except LLMError as error:
        return error


def reply(finish: str | None = "stop", **message: object) -> dict[str, object]:
    """A body with one choice."""
    return {"id": "gen-1", "model": "m-2", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("body", "content", "finish"),
    [
        (reply(content="hi"), "hi", "stop"),
        (reply(content=""), "", "stop"),
        (reply(content=None), None, "stop"),
        (reply("length", content=None, reasoning="hm"), None, "length"),
        (reply("content_filter", content=None), None, "content_filter"),
        (reply(content=None, refusal="No."), None, "stop"),
        (reply(None, content="hi"), "hi", None),
        (reply("", content="hi"), "hi", None),
        (reply("odd", content="hi"), "hi", "odd"),
        (reply(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "ab", "stop"),
        (reply(content=[{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]), "a", "stop"),
    ],
    ids=[
        "text", "empty", "null", "cut while thinking", "filtered", "refused", "no finish", "blank finish", "odd finish",
        "parts", "thinking part",
    ],
)  # fmt: skip
def test_a_finished_answer_is_an_answer(body: object, content: str | None, finish: str | None) -> None:
    """With a finish_reason, or with content, a reply is a response, also when it holds no text."""
    response = parse(body)
    assert (response.content, response.finish_reason) == (content, finish)


def test_what_an_answer_says_of_its_end() -> None:
    """`.truncated`, `.filtered` and `.refusal` say what a finished answer without text is."""
    assert parse(reply("length", content="x")).truncated
    assert parse(reply("content_filter", content=None)).filtered
    assert parse(reply(content=None, refusal="No.")).refusal == "No."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n \n",
        {"choices": []},
        {"choices": None},
        {"id": None, "choices": None, "model": None, "object": None, "usage": None},
        reply(None, content=None),
        reply(None, content=""),
        {"choices": [{}]},
        {"choices": ["x"]},
    ],
    ids=["no body", "blanks", "no choices", "null", "all null", "null finish", "empty", "bare choice", "text choice"],
)
def test_nothing_is_no_answer(body: object) -> None:
    """A reply with neither content nor a finish_reason is an EmptyResponse."""
    assert type(outcome(body)) is EmptyResponse


@pytest.mark.parametrize(
    ("body", "kind", "partial"),
    [
        ({"error": {"code": 429, "message": "slow"}}, "RateLimited", None),
        ({"error": {"code": 402, "message": "pay"}, "user_id": "u"}, "InsufficientCredit", None),
        ({"error": "words"}, "ServerError", None),
        ({**reply(content="half"), "error": {"code": 502, "message": "up"}}, "ServerError", "half"),
        (
            {"choices": [{"message": {"content": "half"}, "error": {"code": 502, "message": "up"}}]},
            "ServerError",
            "half",
        ),
        (reply("error", content="half"), "ServerError", "half"),
        (reply("error", content=None), "ServerError", None),
    ],
)
def test_an_error_inside_http_200(body: object, kind: str, partial: str | None) -> None:
    """An error object at the top or in a choice is raised, and keeps the text that came with it."""
    error = outcome(body)
    assert (type(error).__name__, error.partial_text) == (kind, partial)


def test_the_charge_of_a_failed_answer_is_kept() -> None:
    """An error inside HTTP 200 that came with usage may have been billed, and its partial answer has the usage."""
    body = {
        "choices": [{"message": {"content": "half"}, "error": {"code": 502, "message": "up"}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12, "cost": 0.5},
    }
    error = outcome(body)
    assert error.billed == "unknown"
    assert (error.partial.usage.total_tokens, error.partial.cost.amount) == (12, Decimal("0.5"))


@pytest.mark.parametrize("lead", [b"", b"\n         \n\n", b" " * 4096])
def test_blanks_before_a_body_do_not_matter(lead: bytes) -> None:
    """Slow services pad a body with blanks while they wait."""
    assert parse(lead + json.dumps(reply(content="hi")).encode()).content == "hi"


def test_a_cut_body_keeps_its_text() -> None:
    """A body that is cut is MalformedResponse, and has the text that can be made out."""
    data = json.dumps(reply(content="Hello world")).encode()
    error = outcome(data[: data.index(b"world")])
    assert (type(error), error.partial_text) == (MalformedResponse, "Hello ")


def test_events_in_answer_to_a_plain_request() -> None:
    """A gateway that streams whatever was asked is read too."""
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
    data = b": ping\n\ndata: " + json.dumps({"choices": [choice]}).encode() + b"\n\ndata: [DONE]\n\n"
    assert parse(data.removeprefix(b": ping\n\n")).content == "hi"
    assert parse(data).content == "hi"


def test_fields_of_a_response() -> None:
    """Each field of a reply is found under its name, and what has no name is kept in `extra`."""
    body = {
        "id": "gen-1", "created": 1786465024, "model": "m-2", "provider": "Amazon Bedrock", "service_tier": "flex",
        "system_fingerprint": None,
        "choices": [
            {"index": 1, "message": {"content": "b"}, "finish_reason": "stop", "native_finish_reason": "end_turn"},
            {"index": 0, "message": {"content": "a", "foo": 1, "bar": None}, "finish_reason": "length"},
        ],
        "usage": {
            "prompt_tokens": 3329, "completion_tokens": 53, "total_tokens": 3382, "cost": 0.00219855,
            "prompt_tokens_details": {"cached_tokens": 3211, "cache_write_tokens": 115},
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
    }  # fmt: skip
    response = parse(body)
    assert (response.id, response.model, response.created) == ("gen-1", "m-2", 1786465024)
    assert (response.provider, response.upstream_provider, response.target) == (
        "openrouter",
        "Amazon Bedrock",
        "openrouter:m",
    )
    assert [(choice.index, choice.message.content, choice.native_finish_reason) for choice in response.choices] == [
        (0, "a", None),
        (1, "b", "end_turn"),
    ]
    usage = response.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3329, 53, 3382)
    assert (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (3211, 115, 7)
    assert response.cost.amount == Decimal("0.00219855")
    assert response.extra == {"service_tier": "flex"}
    assert [dict(choice.message.extra) for choice in response.choices] == [{"foo": 1}, {}]


@pytest.mark.parametrize("provider", [OPENAI, PROVIDERS[2]], ids=["openai", "ollama"])
def test_what_was_not_said_is_none(provider: BaseProvider) -> None:
    """A reply without id, model and usage has None for each of them, never "" or 0."""
    body = {"message": {"content": "x"}, "done": True}
    if provider is OPENAI:
        body = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    response = parse(body, provider)
    assert (response.id, response.model, response.created, response.upstream_provider) == (None, None, None, None)
    assert set(response.usage.to_dict().values()) == {None}
    assert response.cost.amount is None


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_the_choices_are_in_the_order_of_their_index(streamed: bool) -> None:
    """`choices` is ordered by index, in a plain answer as in a stream, so that choices[0] is the same thing in both."""
    pair = [(1, "b"), (0, "a")]
    if streamed:
        decoder = OPENROUTER.decoder(CALL)
        for index, text in pair:
            choice = {"index": index, "delta": {"content": text}, "finish_reason": "stop"}
            decoder.feed(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
        response = decoder.finish()
    else:
        choices = [{"index": index, "message": {"content": text}, "finish_reason": "stop"} for index, text in pair]
        response = parse({"choices": choices})
    assert [(choice.index, choice.message.content) for choice in response.choices] == [(0, "a"), (1, "b")]


def test_logprobs_are_the_same_plain_and_streamed() -> None:
    """Log probabilities are numbers of one kind, in a plain answer as in a stream, and are JSON again."""
    logprobs = {"content": [{"token": "x", "logprob": -0.31725305, "top_logprobs": []}]}
    choice = {"index": 0, "finish_reason": "stop", "logprobs": logprobs}
    plain = parse({"choices": [{**choice, "message": {"content": "x"}}]})
    decoder = OPENROUTER.decoder(CALL)
    decoder.feed(b"data: " + json.dumps({"choices": [{**choice, "delta": {"content": "x"}}]}).encode() + b"\n\n")
    streamed = decoder.finish()
    seen: list[Any] = [response.choices[0].logprobs for response in (plain, streamed)]
    assert seen == [logprobs, logprobs]
    assert {type(value["content"][0]["logprob"]) for value in seen} == {float}
    assert json.loads(json.dumps(plain.to_dict()))["choices"][0]["logprobs"] == logprobs


def test_arguments_that_came_as_an_object_stay_numbers() -> None:
    """Tool arguments that a service sends as an object become JSON text with the same values."""
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"x": 0.5, "n": 2, "t": "0.5"}}}
    (made,) = parse(reply("tool_calls", content=None, tool_calls=[call])).tool_calls
    assert made.arguments == {"x": 0.5, "n": 2, "t": "0.5"}


@pytest.mark.parametrize("field", ["annotations", "reasoning_details", "images", "foo"])
def test_what_comes_back_verbatim_goes_out_verbatim(field: str) -> None:
    """What an answer holds beside text goes back in the next turn as it came, numbers as numbers."""
    block = {
        "type": "reasoning.text", "text": "hm", "image_url": {"url": "data:image/png;base64,AA"}, "score": 0.125,
        "index": 0, "none": None, "deep": [{"x": 1.5}],
    }  # fmt: skip
    value: object = block if field == "foo" else [block]
    message = parse(reply(content="x", **{field: value})).message
    sent = json.loads(OPENROUTER.build(Call("m", (Message("user", "x"), message))).body)
    assert sent["messages"][1][field] == value


# --- Anything at all

KEYS: Final = [
    "id",
    "model",
    "choices",
    "message",
    "content",
    "role",
    "tool_calls",
    "function",
    "custom",
    "arguments",
    "input",
    "name",
    "index",
    "finish_reason",
    "native_finish_reason",
    "error",
    "code",
    "usage",
    "cost",
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "metadata",
    "headers",
    "raw",
    "cached_tokens",
    "reasoning",
    "reasoning_details",
    "type",
    "text",
    "thinking",
    "logprobs",
    "annotations",
    "images",
    "audio",
    "refusal",
    "created",
    "availability",
    "retry_after",
    "fallback_models",
    "done",
    "done_reason",
    "eval_count",
    "total_duration",
    "is_byok",
]
JUNK: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["error", "stop", "function", "custom", "0", "²", 10**30, 1e300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
BODIES: Final = st.one_of(
    JUNK,
    st.fixed_dictionaries({"choices": st.lists(JUNK, max_size=2), "usage": JUNK, "created": JUNK}),
    st.fixed_dictionaries(
        {"choices": st.lists(st.fixed_dictionaries({"message": JUNK, "finish_reason": JUNK, "index": JUNK}))}
    ),
    st.fixed_dictionaries({"message": JUNK, "done": JUNK, "eval_count": JUNK, "total_duration": JUNK}),
    st.fixed_dictionaries({"error": JUNK}),
)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@given(BODIES)
def test_any_body_is_a_response_or_an_error_of_ours(provider: BaseProvider, body: object) -> None:
    """A reply of any shape is a response or a typed error; both have a short text."""
    made = outcome(body, provider)
    assert isinstance(made, (Response, LLMError))
    assert len(repr(made)) < 2000
    if isinstance(made, Response):
        assert made.content is None or isinstance(made.content, str)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@given(BODIES, st.integers(min_value=0), st.binary(max_size=3))
def test_any_cut_body_is_salvaged_or_not(provider: BaseProvider, body: object, place: int, tail: bytes) -> None:
    """What `salvage` makes of the beginning of any body is a response or None; it never raises."""
    data = json.dumps(body).encode()
    made = provider.salvage(CALL, data[: place % (len(data) + 1)] + tail)
    assert made is None or isinstance(made, Response)
