"""Streams of the chat dialect: any split of a stream gives the same answer, put together as the rules say."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.errors import (
    BadRequest,
    EmptyResponse,
    LLMError,
    MalformedResponse,
    Overloaded,
    RateLimited,
    ServerError,
    StreamInterrupted,
)
from llmkit.provider.interface import Call
from llmkit.types.messages import Message
from llmkit_openai import OpenAIProvider
from llmkit_openrouter import OpenRouterProvider

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmkit.types.responses import Chunk, Response

EXAMPLES: Final = settings.default.max_examples
SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
CASES: Final = SHARED / "wire" / "sse_cases.json"
CALL: Final = Call("m", (Message("user", "x"),), stream=True)
OPENROUTER: Final = OpenRouterProvider("openrouter")
OPENAI: Final = OpenAIProvider("openai")


def run(pieces: Iterable[bytes], provider: OpenRouterProvider | OpenAIProvider = OPENROUTER) -> tuple[Any, list[Chunk]]:
    """The response or the error of a stream, and the chunks on the way."""
    decoder = provider.decoder(CALL)
    chunks: list[Chunk] = []
    for piece in (*pieces, b""):
        chunks += decoder.feed(piece)
    try:
        return decoder.finish(), chunks
    except LLMError as error:
        return error, chunks


def event(value: object) -> bytes:
    """One event of JSON."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(finish: str | None = None, index: int = 0, **fields: object) -> bytes:
    """One event with one choice."""
    return event({"id": "gen-1", "choices": [{"index": index, "delta": fields, "finish_reason": finish}]})


def calls(*pieces: Mapping[str, object], finish: str | None = None) -> bytes:
    """One event with pieces of tool calls."""
    return delta(finish, tool_calls=list(pieces))


def stop(*before: bytes) -> list[bytes]:
    """A stream that ends as it should."""
    return [*before, delta("stop"), b"data: [DONE]\n\n"]


def answer(*before: bytes, provider: OpenRouterProvider | OpenAIProvider = OPENROUTER) -> Response:
    """The response of a stream that ends as it should."""
    response, _ = run(stop(*before), provider)
    assert not isinstance(response, Exception), response
    return response


def called(*before: bytes) -> list[tuple[str | None, str, str]]:
    """The tool calls of a stream: id, name, arguments."""
    made = answer(*before).tool_calls
    return [(call.id, call.name, call.function.arguments) for call in made]


# --- Any split, the same answer


@dataclass
class Told:
    """One choice, as a plain reader adds it up."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    finish: str | None = None
    calls: dict[int, list[Any]] = field(default_factory=dict)


@dataclass
class Script:
    """A generated stream, and what it says."""

    stream: bytes
    told: dict[int, Told]
    usage: dict[str, Any] | None


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
USAGE = st.fixed_dictionaries(
    {
        "prompt_tokens": st.integers(0, 10**9),
        "completion_tokens": st.integers(0, 10**9),
        "cost": st.decimals(0, 100, allow_nan=False, allow_infinity=False, places=18),
    }
)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["content", "content", "content", "reasoning", "refusal"]), TEXT),
    st.tuples(st.just("call"), st.tuples(st.integers(0, 2), TEXT)),
    st.tuples(st.just("finish"), st.sampled_from(["stop", "length", "tool_calls", "content_filter"])),
    st.tuples(st.just("usage"), USAGE),
    st.tuples(st.just("noise"), st.sampled_from([b": OPENROUTER PROCESSING", b"id: 3", b"event: x", b"data: {}"])),
)


def number_text(usage: dict[str, Any]) -> str:
    """The usage object as JSON text; its cost has all its digits."""
    return (
        f'{{"prompt_tokens": {usage["prompt_tokens"]}, "completion_tokens": {usage["completion_tokens"]}, '
        f'"cost": {usage["cost"]:f}}}'
    )


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """A stream of one to three choices: text, reasoning, tool calls, finish and usage in any order and framing."""
    end = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    choices = draw(st.integers(1, 3))
    told = {index: Told() for index in range(choices)}
    usage: dict[str, Any] | None = None
    out = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b": hello" + end + end]))

    def say(body: str) -> bytes:
        prefix = draw(st.sampled_from([b"data: ", b"data:", b"event: message" + end + b"data: "]))
        return prefix + body.encode() + end + end

    def choice(index: int, fields: dict[str, Any], finish: str | None) -> bytes:
        body = {"id": "gen-1", "choices": [{"index": index, "delta": fields, "finish_reason": finish}]}
        return say(json.dumps(body, ensure_ascii=draw(st.booleans())))

    for kind, value in draw(st.lists(STEPS, max_size=14)):
        index = draw(st.integers(0, choices - 1))
        one = told[index]
        if kind == "noise":
            out += value + end + end
        elif kind == "usage":
            usage = value
            tail = '"choices": []' if draw(st.booleans()) else '"choices": [{"index": 0, "delta": {"content": ""}}]'
            out += say(f'{{"id": "gen-1", {tail}, "usage": {number_text(value)}}}')
        elif kind == "finish":
            one.finish = one.finish or value
            out += choice(index, {}, value)
        elif kind == "call":
            number, fragment = value
            piece: dict[str, Any] = {"index": number, "function": {"arguments": fragment}}
            if number not in one.calls:
                one.calls[number] = [f"call_{number}", f"tool_{number}", ""]
                piece["id"], piece["function"]["name"] = one.calls[number][:2]
            one.calls[number][2] += fragment
            out += choice(index, {"tool_calls": [piece]}, None)
        else:
            name = {"content": "text"}.get(kind, kind)
            setattr(one, name, getattr(one, name) + value)
            out += choice(index, {kind: value, "role": "assistant"}, None)
    for index, one in told.items():
        last = draw(st.sampled_from(["stop", "length"]))
        one.finish = one.finish or last
        out += choice(index, {"content": ""}, last)
    out += draw(st.sampled_from([b"", b"data: [DONE]" + end + end, b"data:[DONE] " + end + end]))
    return Script(out, told, usage)


def check(script: Script, pieces: list[bytes]) -> None:
    """The pieces say what the script says."""
    response, chunks = run(pieces)
    assert not isinstance(response, Exception), response
    assert [choice.index for choice in response.choices] == sorted(script.told)
    for choice in response.choices:
        told, message = script.told[choice.index], choice.message
        joined = "".join(part.delta.content for chunk in chunks for part in chunk.choices if part.index == choice.index)
        assert (message.text, joined) == (told.text, told.text)
        assert (message.reasoning or "", message.refusal or "") == (told.reasoning, told.refusal)
        assert choice.finish_reason == told.finish
        made = [[call.id, call.name, call.function.arguments] for call in message.tool_calls]
        assert made == list(told.calls.values())
    usage = script.usage or {}
    assert response.usage.prompt_tokens == usage.get("prompt_tokens")
    assert response.usage.completion_tokens == usage.get("completion_tokens")
    assert response.cost.amount == usage.get("cost")


@given(scripts(), st.lists(st.integers(min_value=0), max_size=12))
def test_no_split_changes_the_answer(script: Script, places: list[int]) -> None:
    """A stream says the same whole, cut anywhere and byte by byte: text, calls, finish, usage and cost."""
    stream = script.stream
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    check(script, [stream])
    check(script, [stream[start:end] for start, end in pairwise(edges)])
    check(script, [stream[place : place + 1] for place in range(len(stream))])


@given(scripts(), st.integers(min_value=0))
def test_a_cut_stream_never_passes_for_a_whole_one(script: Script, place: int) -> None:
    """A stream cut before a choice has its finish_reason is an error; its partial text is what the chunks said."""
    cut = script.stream[: place % (len(script.stream) + 1)]
    outcome, chunks = run([cut])
    said = "".join(part.delta.content for chunk in chunks for part in chunk.choices if part.index == 0)
    if isinstance(outcome, LLMError):
        if outcome.partial is not None and any(choice.index == 0 for choice in outcome.partial.choices):
            assert outcome.partial_text == said
        return
    for choice in outcome.choices:
        told = script.told[choice.index]
        assert choice.finish_reason == told.finish
        assert told.text.startswith(choice.message.text)


# --- Tool calls


def piece(index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> dict[str, object]:
    """One piece of a tool call, only with what is given."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    made: dict[str, object] = {"function": function}
    made |= {key: value for key, value in (("index", index), ("id", call_id)) if value is not None}
    return made


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(
            [
                calls(piece(0, "a", "f", ""), piece(1, "b", "g", "")),
                calls(piece(1, None, None, '{"y"')),
                calls(piece(0, None, None, '{"x": 1')),
                calls(piece(1, None, None, ": 2}"), piece(0, None, None, "}")),
            ],
            [("a", "f", '{"x": 1}'), ("b", "g", '{"y": 2}')],
            id="interleaved",
        ),
        pytest.param(
            [
                calls(piece(None, "a", "f", '{"x"')),
                calls(piece(None, None, None, ": 1}")),
                calls(piece(None, "b", "g", "{}")),
            ],
            [("a", "f", '{"x": 1}'), ("b", "g", "{}")],
            id="no index",
        ),
        pytest.param(
            [calls(piece(None, None, "f", '{"x": 1}')), calls(piece(None, None, "g", "{}"))],
            [(None, "f", '{"x": 1}'), (None, "g", "{}")],
            id="neither index nor id",
        ),
        pytest.param(
            [calls(piece(0, "a", "f", "{}"), piece(0, "b", "g", '{"y": 2}'))],
            [("a", "f", "{}"), ("b", "g", '{"y": 2}')],
            id="index repeated in one chunk",
        ),
        pytest.param(
            [calls(piece(0, "a", "f", "{}")), calls(piece(0, "b", "g", "{}"))],
            [("a", "f", "{}"), ("b", "g", "{}")],
            id="index repeated over chunks",
        ),
        pytest.param(
            [calls(piece(1, "a", "f", '{"x"')), calls(piece(1, None, None, ": 1}")), calls(piece(4, "b", "g", "{}"))],
            [("a", "f", '{"x": 1}'), ("b", "g", "{}")],
            id="starts at 1, with a gap",
        ),
        pytest.param(
            [calls(piece(0, "a", "f", '{"x": 1}'), piece(1, "b", "g", "{}"), finish="tool_calls")],
            [("a", "f", '{"x": 1}'), ("b", "g", "{}")],
            id="whole calls at once",
        ),
        pytest.param(
            [calls(piece(0, "a", "f", '{"x"')), calls(piece(0, "a", "f", ": 1}"))],
            [("a", "f", '{"x": 1}')],
            id="id and name in every piece",
        ),
        pytest.param(
            [calls(piece(0, "a", "f", None)), calls(piece(0, "", "", "{}"))],
            [("a", "f", "{}")],
            id="empty id and name later",
        ),
        pytest.param(
            [calls(piece(0, None, "f", "{")), calls(piece(0, "a", None, "}"))],
            [("a", "f", "{}")],
            id="id comes late",
        ),
    ],
)
def test_tool_calls_are_put_together(events: list[bytes], expected: list[tuple[str | None, str, str]]) -> None:
    """Pieces of tool calls become whole calls, in the order in which they began, whatever the indexes do."""
    assert called(*events) == expected


@pytest.mark.parametrize(
    ("text", "arguments", "problem"),
    [
        ("", {}, False),
        ("{}", {}, False),
        ('{"x": 1}', {"x": 1}, False),
        ('{"x": ', None, True),
        ("not json", None, True),
        ("[1]", None, True),
        ("null", None, True),
        ("[" * 100_000, None, True),
        ('{"n": ' + "9" * 5000 + "}", None, True),
    ],
    ids=["empty", "object", "one", "cut", "text", "list", "null", "deep", "huge number"],
)
def test_arguments_are_kept_raw(text: str, arguments: object, problem: bool) -> None:
    """The raw text of the arguments is never repaired; `.arguments` is the dict or None, and `.problem` says why."""
    (call,) = answer(calls(piece(0, "a", "f", text), finish="tool_calls")).tool_calls
    assert call.function.arguments == text
    assert call.arguments == arguments
    assert bool(call.problem) is problem


def test_arguments_as_an_object_become_json_text() -> None:
    """A service that sends the arguments as an object is read as if it had sent their JSON text, numbers as numbers."""
    (call,) = answer(calls({"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 0.5}}})).tool_calls
    assert call.arguments == {"x": 0.5}


def test_a_custom_tool_call_has_its_text() -> None:
    """A call of type custom carries free text, joined from its pieces."""
    first = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": "select "}}
    (call,) = answer(calls(first), calls({"index": 0, "custom": {"input": "1"}})).tool_calls
    assert (call.type, call.name, call.function.arguments) == ("custom", "sql", "select 1")
    assert call.arguments is None
    assert "custom" in (call.problem or "")


def test_the_deltas_of_a_call_name_it() -> None:
    """Each chunk says which call its piece belongs to, so that a caller can put it together too."""
    events = [calls(piece(1, "a", "f", "{")), calls(piece(1, None, None, "}")), calls(piece(2, "b", "g", "{}"))]
    _, chunks = run(stop(*events))
    pieces = [part for chunk in chunks for part in chunk.choices[0].delta.tool_calls]
    assert [(part.index, part.id, part.function.arguments) for part in pieces] == [
        (0, "a", "{"),
        (0, None, "}"),
        (1, "b", "{}"),
    ]


# --- Reasoning


def test_reasoning_blocks_are_merged() -> None:
    """Fragments of one reasoning block are joined in order; blocks of another index, type or id stay apart."""
    signed = {"type": "reasoning.text", "text": "", "signature": "sig", "index": 0}
    events = [
        delta(reasoning_details=[{"type": "reasoning.text", "text": "Let ", "index": 0, "signature": None}]),
        delta(reasoning_details=[{"type": "reasoning.text", "text": "me", "index": 0, "id": "r1"}]),
        delta(reasoning_details=[{"type": "reasoning.summary", "summary": "S", "index": 0}]),
        delta(reasoning_details=[signed, {"type": "reasoning.encrypted", "data": "AB", "index": 1}]),
        delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "CD", "index": 1}]),
        delta(reasoning_details=[{"type": "reasoning.text", "text": "new", "index": 2}]),
        delta(reasoning_details=[{"type": "reasoning.text", "text": "no index"}]),
        delta(reasoning_details=[{"type": "reasoning.text", "text": "no index"}]),
    ]
    blocks = [dict(block) for block in answer(*events).message.reasoning_details]
    assert blocks == [
        {"type": "reasoning.text", "text": "Let me", "index": 0, "signature": "sig", "id": "r1"},
        {"type": "reasoning.summary", "summary": "S", "index": 0},
        {"type": "reasoning.encrypted", "data": "ABCD", "index": 1},
        {"type": "reasoning.text", "text": "new", "index": 2},
        {"type": "reasoning.text", "text": "no index"},
        {"type": "reasoning.text", "text": "no index"},
    ]


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["reasoning.text", "reasoning.encrypted"]), "index": st.integers(0, 2)},
            optional={"text": TEXT, "data": TEXT, "id": st.sampled_from(["a", "b"])},
        ),
        max_size=8,
    )
)
def test_no_reasoning_text_is_lost(fragments: list[dict[str, Any]]) -> None:
    """For each index and type the joined text of the blocks is the joined text of the fragments."""
    blocks = answer(*(delta(reasoning_details=[fragment]) for fragment in fragments)).message.reasoning_details

    def joined(items: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], tuple[str, ...]]:
        out: dict[tuple[Any, ...], list[str]] = {}
        for item in items:
            texts = out.setdefault((item["index"], item["type"]), ["", ""])
            texts[0] += item.get("text", "")
            texts[1] += item.get("data", "")
        return {key: tuple(sorted("".join(texts))) for key, texts in out.items()}

    assert joined(blocks) == joined(fragments)


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": "hm"},
        {"reasoning_content": "hm"},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
    ],
    ids=["reasoning", "reasoning_content", "thinking part", "thinking list"],
)
def test_reasoning_text_under_each_name(fields: dict[str, object]) -> None:
    """Reasoning text is found under each name that services give it, and is no content."""
    response = answer(delta(**fields), delta(content="done"))
    assert (response.reasoning, response.content) == ("hm", "done")


# --- Usage, finish and cost


def usage_event(usage: object, choices: object = ()) -> bytes:
    """An event with usage."""
    return event({"id": "gen-1", "choices": choices, "usage": usage})


FIRST, LAST = {"prompt_tokens": 1, "completion_tokens": 2}, {"prompt_tokens": 3, "completion_tokens": 4}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([usage_event(LAST)], (3, 4)),
        ([usage_event(LAST, [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}])], (3, 4)),
        ([usage_event(LAST, [{"index": 0, "delta": {}, "finish_reason": None}])], (3, 4)),
        ([usage_event(FIRST), delta(content="x"), usage_event(LAST)], (3, 4)),
        ([usage_event(LAST), event({"choices": [], "usage": None})], (3, 4)),
        ([usage_event(LAST), event({"choices": [], "usage": {}})], (3, 4)),
        ([usage_event({"prompt_tokens": "3", "completion_tokens": -1})], (None, None)),
        ([usage_event({"prompt_tokens": 3.0, "completion_tokens": 4.5})], (3, None)),
        ([], (None, None)),
    ],
    ids=["alone", "repeats the finish", "null finish", "twice", "null after", "empty after", "wrong", "float", "none"],
)
def test_usage_is_taken_wherever_it_comes(events: list[bytes], expected: tuple[int | None, int | None]) -> None:
    """Usage counts in any event, the last one that is not null stands, and a count that is none is not known."""
    usage = answer(*events).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == expected


def test_usage_after_the_finish_is_read() -> None:
    """The reader does not stop at a finish_reason: usage that comes after it counts."""
    response, _ = run([delta(content="x"), delta("stop"), usage_event(LAST), b"data: [DONE]\n\n"])
    assert response.usage.prompt_tokens == 3


@pytest.mark.parametrize(
    "text",
    ["1e400", "1e30", "-0", "1E+2", "123456789012345678901234567890.5", "0e10"],
    ids=["1e400", "1e30", "-0", "1E+2", "long", "0e10"],
)
@pytest.mark.parametrize("plain", [False, True], ids=["streamed", "plain"])
def test_strange_numbers_of_usage_are_harmless(text: str, plain: bool) -> None:
    """A count or cost of any size is a number or not known; it never breaks the answer."""
    usage = f'{{"prompt_tokens": {text}, "completion_tokens": 2, "cost": {text}}}'
    if plain:
        from llmkit.provider.exchange import HTTPReply

        choice = '{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}'
        body = f'{{"created": {text}, "choices": [{choice}], "usage": {usage}}}'
        response: Any = OPENROUTER.parse(CALL, HTTPReply(200, {}, body.encode()))
    else:
        response, _ = run([f'data: {{"created": {text}, "usage": {usage}}}\n\n'.encode(), *stop(delta(content="hi"))])
    assert response.content == "hi"
    assert response.usage.completion_tokens == 2


@given(st.integers(0, 10**6 - 1), st.text("0123456789", min_size=1, max_size=40))
def test_the_cost_has_the_digits_of_the_bytes(whole: int, fraction: str) -> None:
    """The reported cost equals the digits in the bytes, past what a float can hold."""
    body = f'data: {{"id": "g", "choices": [], "usage": {{"cost": {whole}.{fraction}}}}}\n\n'
    response = answer(body.encode())
    assert response.cost.amount == response.cost.reported == Decimal(f"{whole}.{fraction}")
    assert str(response.cost.amount) == f"{whole}.{fraction}" or fraction.strip("0") == ""
    assert response.cost.basis == "reported"


@pytest.mark.parametrize("cost", ["null", '"abc"', "-1", "true", "[]", "1e999999999"])
def test_what_is_no_cost_is_not_known(cost: str) -> None:
    """A cost that is no plain amount is not known; it is never 0 and never an error."""
    response = answer(f'data: {{"choices": [], "usage": {{"prompt_tokens": 1, "cost": {cost}}}}}\n\n'.encode())
    if cost == "1e999999999":  # a number that JSON allows; it is exact, if odd
        assert response.cost.amount in (None, Decimal(cost))
    else:
        assert (response.cost.amount, response.cost.basis) == (None, "unknown")


def test_own_upstream_keys_add_the_upstream_charge() -> None:
    """With an own upstream key the cost is OpenRouter's figure and the upstream's, and both are kept."""
    usage = '{"cost": 0.000100, "is_byok": true, "cost_details": {"upstream_inference_cost": 0.0123456789012345678}}'
    cost = answer(f'data: {{"choices": [], "usage": {usage}}}\n\n'.encode()).cost
    assert cost.reported == Decimal("0.000100")
    assert cost.upstream == Decimal("0.0123456789012345678")
    assert cost.amount == Decimal("0.0124456789012345678")


def test_the_first_finish_stands_and_content_after_it_counts() -> None:
    """The first non-null finish_reason of a choice stands, and text after it belongs to the answer."""
    response, chunks = run([delta(content="a"), delta("length", content="b"), delta("stop", content="c")])
    assert (response.content, response.finish_reason) == ("abc", "length")
    assert "".join(chunk.content for chunk in chunks) == "abc"


def test_logprobs_are_joined() -> None:
    """The token lists of the chunks' logprobs are joined in order."""

    def token(text: str) -> bytes:
        entry = {"content": [{"token": text, "logprob": -0.5}], "refusal": None}
        return event({"choices": [{"index": 0, "delta": {"content": text}, "logprobs": entry}]})

    (choice,) = answer(token("a"), token("b")).choices
    logprobs: Any = choice.logprobs
    assert [entry["token"] for entry in logprobs["content"]] == ["a", "b"]


def test_images_audio_and_annotations_are_kept() -> None:
    """What an answer holds beside text comes back verbatim: annotations and images in order, audio joined."""
    cite = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": ""}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    message = answer(
        delta(annotations=[cite]),
        delta(content="x", images=[image]),
        delta(audio={"id": "au", "transcript": "He"}),
        delta(audio={"data": "QQ==", "transcript": "llo", "expires_at": 5}),
    ).message
    assert ([dict(a) for a in message.annotations], [dict(i) for i in message.images]) == ([cite], [image])
    assert message.audio == {"id": "au", "transcript": "Hello", "data": "QQ==", "expires_at": 5}


# --- Chunks


@pytest.mark.parametrize(
    "stream",
    [
        [delta(role="assistant"), delta(content=None), delta(content="a"), usage_event(LAST), delta("stop")],
        [b": ping\n\n", event({"choices": []}), event({}), event([1]), event(None), delta("stop", content="a")],
        [event({"choices": [{"delta": None}]}), event({"choices": [{}]}), event({"choices": [5]}), delta("stop")],
        [event({"choices": [{"index": "0", "delta": {"content": 5}}]}), delta("stop")],
        [event({"choices": [{"index": 0, "delta": {"content": ["x", {"type": "text", "text": "a"}]}}]}), delta("stop")],
    ],
)
def test_every_chunk_has_a_choice_with_text(stream: list[bytes]) -> None:
    """`chunk.choices[0].delta.content` is text in every chunk that is given, whatever the event looked like."""
    response, chunks = run(stream)
    assert response.finish_reason == "stop"
    assert all(type(chunk.choices[0].delta.content) is str for chunk in chunks)
    assert all(type(chunk.content) is str for chunk in chunks)


# --- What goes wrong


def error_event(error: object, **more: object) -> bytes:
    """OpenRouter's error inside a stream."""
    return event({"id": "gen-1", "error": error, **more})


BROKEN = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}


@pytest.mark.parametrize(
    ("failure", "kind", "status"),
    [
        (error_event({"code": 429, "message": "slow down"}, choices=[BROKEN]), RateLimited, 429),
        (error_event({"code": 503, "message": "busy"}, choices=[]), Overloaded, 503),
        (error_event({"code": 400, "message": "bad"}), BadRequest, 400),
        (error_event({"code": "server_error", "message": "x"}), ServerError, None),
        (error_event({"code": "502", "message": "x"}), ServerError, 502),
        (error_event({"message": "x"}), ServerError, None),
        (error_event("plain words"), ServerError, None),
        (event({"choices": [BROKEN]}), ServerError, None),
        (event({"choices": [{"index": 0, "error": {"code": 502, "message": "up"}}]}), ServerError, 502),
        (b'event: error\ndata: {"message": "x"}\n\n', ServerError, None),
        (error_event({"code": "²", "message": "x"}), ServerError, None),
        (error_event({"code": "9" * 5000, "message": "x"}), ServerError, None),
        (error_event({"code": 5.5, "message": ["x"]}), ServerError, None),
    ],
    ids=[
        "documented", "no choices", "bare", "text code", "digits code", "no code", "words", "finish error", "in choice",
        "event name", "unicode digit", "endless digits", "odd types",
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [[], [delta(content="Hal"), delta(content="lo")]], ids=["first", "after text"])
def test_an_error_inside_a_stream(
    before: list[bytes], failure: bytes, kind: type[LLMError], status: int | None
) -> None:
    """An error event is its typed error before content, and after it StreamInterrupted with what had come."""
    error, chunks = run([*before, failure, b"data: [DONE]\n\n"])
    text = "Hallo" if before else None
    assert "".join(chunk.content for chunk in chunks) == (text or "")
    if before:
        assert isinstance(error, StreamInterrupted)
        assert error.partial_text == text
        reason = error.reason
    else:
        reason = error
    assert (type(reason), reason.status) == (kind, status)


@pytest.mark.parametrize(
    ("stream", "kind", "partial"),
    [
        ([], EmptyResponse, None),
        ([b"\n  \n"], EmptyResponse, None),
        ([b"data: [DONE]\n\n"], LLMError, None),
        ([b": ping\n\n" * 5], LLMError, None),
        ([delta(role="assistant")], StreamInterrupted, None),
        ([delta(content="Hal"), delta(content="lo")], StreamInterrupted, "Hallo"),
        ([delta(content="Hallo"), b"data: [DONE]\n\n"], StreamInterrupted, "Hallo"),
        ([delta(content="Hallo"), b'data: {"choices": [{"del'], StreamInterrupted, "Hallo"),
        ([b"data: {not json}\n\n"], MalformedResponse, None),
        ([b"data: " + b"[" * 100_000 + b"\n\n"], MalformedResponse, None),
        ([delta(content="Hallo"), b"data: {not json}\n\n"], StreamInterrupted, "Hallo"),
        ([b"<!doctype html><title>502</title>"], MalformedResponse, None),
        ([delta("stop", index=0), delta(index=1, content="x")], StreamInterrupted, None),
        ([event({"choices": None, "id": None, "model": None})], LLMError, None),
    ],
    ids=[
        "empty", "blank", "done alone", "comments", "role alone", "cut", "done without finish", "cut in an event",
        "not JSON", "deep", "not JSON later", "HTML", "one choice open", "all null",
    ],
)  # fmt: skip
def test_a_stream_without_an_answer(stream: list[bytes], kind: type[LLMError], partial: str | None) -> None:
    """A stream that is cut, empty or no stream is a typed error that holds the text that came."""
    error, _ = run(stream)
    assert isinstance(error, kind)
    if partial is not None:
        assert error.partial_text == partial


def test_a_document_in_place_of_a_stream() -> None:
    """A service that answers a streamed call with a plain document is read all the same, in one chunk."""
    body = {"id": "g", "model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    data = json.dumps(body).encode()
    for pieces in ([data], [data[place : place + 1] for place in range(len(data))], [b"  \n", data]):
        response, chunks = run(pieces)
        assert (response.content, [chunk.content for chunk in chunks]) == ("hi", ["hi"])


def test_an_error_document_in_place_of_a_stream() -> None:
    """A plain error document under HTTP 200 in answer to a streamed call is its typed error."""
    error, chunks = run([b'\n\n  {"error": {"code": 402, "message": "no credit"}}'])
    assert (type(error).__name__, error.status, chunks) == ("InsufficientCredit", 402, [])


def test_nothing_after_done_is_answer() -> None:
    """What a service sends after [DONE] is not read as answer."""
    response, chunks = run([delta("stop", content="a"), b"data: [DONE]\n\n" + delta(content="b"), delta(content="c")])
    assert (response.content, [chunk.content for chunk in chunks]) == ("a", ["a"])


def sse_cases() -> dict[str, list[bytes]]:
    """The framing cases by name."""
    if not CASES.exists():
        pytest.skip(f"the framing cases are not here: no file {CASES} (LLMKIT_SHARED names another folder)")
    listed = json.loads(CASES.read_text("utf-8"))["sse"]
    return {case["id"]: [base64.b64decode(piece) for piece in case["chunks_b64"]] for case in listed}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("eof-without-done", LLMError),
        ("error-with-finish-reason-error", LLMError),
        ("error-event-type", LLMError),
        ("truncated-json-at-eof", LLMError),
        ("json-error-body-instead-of-sse", LLMError),
        ("html-error-page", MalformedResponse),
        ("empty-body", EmptyResponse),
    ],
)
@pytest.mark.parametrize("provider", [OPENROUTER, OPENAI], ids=["openrouter", "openai"])
def test_recorded_failures_are_raised(
    name: str, kind: type[LLMError], provider: OpenRouterProvider | OpenAIProvider
) -> None:
    """What the framing cases call a failure is a typed error, never an empty answer."""
    error, _ = run(sse_cases()[name], provider)
    assert isinstance(error, kind)


def test_recorded_usage_is_read() -> None:
    """The recorded usage event with empty choices is read, and no chunk is made of it."""
    response, chunks = run(sse_cases()["usage-chunk-empty-choices"])
    assert response.usage.total_tokens is not None or response.usage.prompt_tokens is not None
    assert all(chunk.choices for chunk in chunks)


# --- Anything at all

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["error", "stop", "tool_calls", "function", "custom", "0", "429"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "model",
                    "choices",
                    "delta",
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
                    "message",
                    "usage",
                    "cost",
                    "prompt_tokens",
                    "metadata",
                    "headers",
                    "raw",
                    "completion_tokens",
                    "prompt_tokens_details",
                    "cached_tokens",
                    "reasoning",
                    "reasoning_details",
                    "reasoning_content",
                    "type",
                    "text",
                    "data",
                    "summary",
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
                    "is_byok",
                    "cost_details",
                    "upstream_inference_cost",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
EVENTS = st.one_of(
    JUNK,
    st.fixed_dictionaries({"choices": st.lists(st.fixed_dictionaries({"delta": JUNK}), max_size=2), "usage": JUNK}),
    st.fixed_dictionaries({"error": JUNK}),
    st.fixed_dictionaries({"choices": st.lists(st.fixed_dictionaries({"message": JUNK, "index": JUNK}), max_size=2)}),
)


@settings(max_examples=EXAMPLES * 2, deadline=None)
@given(st.lists(EVENTS, max_size=5), st.sampled_from([OPENROUTER, OPENAI]))
def test_any_events_end_in_a_response_or_an_error_of_ours(
    events: list[object], provider: OpenRouterProvider | OpenAIProvider
) -> None:
    """Events of any shape end in a response or a typed error; nothing else is ever raised."""
    outcome, chunks = run([*(event(value) for value in events), delta("stop"), b"data: [DONE]\n\n"], provider)
    assert isinstance(outcome, LLMError) or outcome.finish_reason
    assert all(type(chunk.content) is str for chunk in chunks)


@given(st.binary(max_size=60), st.sampled_from([b"", b"data: ", b"data: {", b"{", b"<", b'data: {"choices": [']))
def test_any_bytes_end_in_an_error_of_ours(data: bytes, start: bytes) -> None:
    """Bytes that are no stream end in a typed error; nothing else is ever raised."""
    outcome, _ = run([start + data])
    assert isinstance(outcome, LLMError)
