"""Responses: short-cuts, JSON, pickle and copies, and reprs that hold no answer."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import (
    Attempt,
    Choice,
    Chunk,
    ChunkChoice,
    Cost,
    Delta,
    FunctionCall,
    Message,
    Response,
    TextPart,
    Timings,
    ToolCall,
    ToolCallDelta,
    Totals,
    Usage,
)

CANARY: Final = "canary " * 3

FULL: Final = Response(
    choices=(
        Choice(
            Message(
                "assistant",
                CANARY,
                reasoning=CANARY,
                refusal=CANARY,
                tool_calls=(ToolCall("a", FunctionCall("f", '{"x": 1}')),),
                reasoning_details=({"type": "reasoning.text", "text": CANARY},),
                annotations=({"type": "file", "file": {"hash": "h"}},),
                extra={"foo": 1},
            ),
            0,
            "tool_calls",
            "tool_use",
            {"content": [{"token": CANARY, "logprob": -0.5}]},
        ),
        Choice(Message("assistant", (TextPart("b"), TextPart("c"))), 1, "stop"),
    ),
    usage=Usage(10, 5, 15, 3, 2, 1, raw={"prompt_tokens": 10}),
    cost=Cost(Decimal("0.0000123456789"), "reported", Decimal("0.0000023456789"), Decimal("0.00001")),
    id="gen-1",
    model="m-2",
    provider="openrouter",
    upstream_provider="Amazon Bedrock",
    target="openrouter:m",
    created=1786465024,
    attempts=(
        Attempt("openrouter", "m", "RateLimited", 0.1, 0.0, 429, "req", "slow down"),
        Attempt("openrouter", "m", "ok", 0.2, 0.5, 200, "gen-1", None, Cost(Decimal(0), "free")),
    ),
    timings=Timings(1.5, 0.5, 0.25, 0.75),
    raw_response={"choices": [{"message": {"content": CANARY}}]},
    extra={"service_tier": "flex"},
)


def test_the_short_cuts_are_those_of_the_first_choice() -> None:
    """The short-cuts of a response say what its first choice says."""
    first = FULL.choices[0]
    assert FULL.message is first.message
    assert FULL.content == first.message.content == CANARY
    assert FULL.tool_calls == first.message.tool_calls
    assert (FULL.reasoning, FULL.refusal, FULL.finish_reason) == (CANARY, CANARY, "tool_calls")
    assert not FULL.truncated
    assert not FULL.filtered
    assert replace(FULL, choices=FULL.choices[1:]).content == "bc"


def test_the_short_cuts_of_nothing_are_none() -> None:
    """A response without choices (a stream's partial, before its first chunk) has None for everything."""
    empty = Response(())
    assert (empty.content, empty.tool_calls, empty.reasoning, empty.refusal, empty.finish_reason) == (
        None, (), None, None, None,
    )  # fmt: skip
    assert not empty.truncated
    assert not empty.filtered
    assert (empty.id, empty.model, empty.usage, empty.cost.amount) == (None, None, Usage(), None)


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (Cost(), "unknown"),
        (Cost(Decimal("0.00219855"), "reported"), "$0.00219855"),
        (Cost(Decimal(0), "free"), "$0"),
        (Cost(Decimal("1E-9"), "reported"), "$0.000000001"),
        (Cost(Decimal("1E+2"), "reported"), "$100"),
    ],
)
def test_a_cost_is_shown_in_full(cost: Cost, text: str) -> None:
    """A cost is shown with all its digits and no exponent; one that is not known says so."""
    assert str(cost) == text


def test_a_response_is_json() -> None:
    """`to_dict` holds JSON values only, in OpenAI's shape, and money as text with all its digits."""
    value = json.loads(json.dumps(FULL.to_dict()))
    assert value["object"] == "chat.completion"
    assert value["choices"][0]["message"]["content"] == CANARY
    assert value["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x": 1}'}
    assert value["usage"]["prompt_tokens"] == 10
    assert value["cost"] == {
        "amount": "0.0000123456789", "basis": "reported", "reported": "0.0000023456789", "upstream": "0.00001"
    }  # fmt: skip


def stored(response: Response) -> Response:
    """The response without what `to_dict` does not say."""
    usage = replace(response.usage, raw={})
    return replace(response, attempts=(), raw_response=None, extra={}, usage=usage)


def test_a_response_survives_json() -> None:
    """A response through JSON text is the same, but for attempts and what came raw; each of these is JSON by itself."""
    assert Response.from_dict(json.loads(json.dumps(FULL.to_dict()))) == stored(FULL)
    assert Response.from_dict(json.loads(json.dumps(Response(()).to_dict()))) == Response(())
    told = replace(FULL, warnings=("the prompt may be cut",), structured_by="instruction")
    read = Response.from_dict(json.loads(json.dumps(told.to_dict())))
    assert (read.warnings, read.structured_by, read.timings) == (told.warnings, told.structured_by, FULL.timings)


def test_an_attempt_survives_json() -> None:
    """An attempt through JSON text is the same, its cost exact."""
    for attempt in (*FULL.attempts, Attempt("p", "m", "RateLimited", 0.5, 1.5, 429, "r", "slow", Cost(Decimal("1E-9")))):
        assert Attempt.from_dict(json.loads(json.dumps(attempt.to_dict()))) == attempt


TEXT: Final = st.text(max_size=8)
COUNT: Final = st.none() | st.integers(0, 10**12)
AMOUNT: Final = st.none() | st.decimals(0, 10**6, allow_nan=False, allow_infinity=False)
RESPONSES: Final = st.builds(
    Response,
    choices=st.lists(
        st.builds(
            Choice,
            st.builds(Message, st.just("assistant"), st.none() | TEXT, reasoning=st.none() | TEXT),
            st.integers(0, 9),
            st.none() | st.sampled_from(["stop", "length", "odd"]),
            st.none() | TEXT,
            st.none() | st.just({"content": []}),
        ),
        max_size=3,
    ).map(tuple),
    usage=st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT),
    cost=st.builds(Cost, AMOUNT, st.sampled_from(["reported", "free", "not_billed", "unknown"]), AMOUNT, AMOUNT),
    id=st.none() | TEXT,
    model=st.none() | TEXT,
    provider=TEXT,
    upstream_provider=st.none() | TEXT,
    target=TEXT,
    created=st.none() | st.integers(0, 2**40),
)


@given(RESPONSES)
def test_any_response_survives_json_pickle_and_copies(response: Response) -> None:
    """JSON text, pickle, copy and deepcopy give the same response; its money has the same digits."""
    through = Response.from_dict(json.loads(json.dumps(response.to_dict())))
    assert through == response
    assert str(through.cost.amount) == str(response.cost.amount)
    assert pickle.loads(pickle.dumps(response)) == response
    assert copy.deepcopy(response) == copy.copy(response) == response


VALUES: Final = (
    FULL,
    FULL.choices[0],
    FULL.message,
    FULL.attempts[0],
    FULL.usage,
    FULL.cost,
    FULL.timings,
    Chunk((ChunkChoice(Delta(CANARY, "assistant", CANARY, CANARY), 0, "stop"),), "gen-1", "m"),
    ChunkChoice(Delta(CANARY), logprobs={"content": [{"token": CANARY}]}),
    Delta(CANARY, reasoning=CANARY, reasoning_details=({"text": CANARY},)),
    ToolCallDelta(0, "a", FunctionCall("f", CANARY)),
    Totals(Decimal(1), 1, 1),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_value_survives_pickle_and_copies(value: Any) -> None:
    """Each value that a user holds can be pickled, for a queue or a cache, and copied."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value
    assert copy.deepcopy(value) == copy.copy(value) == value
    assert type(copy.deepcopy(value)) is type(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_value_is_frozen(value: Any) -> None:
    """No field of a value can be set, and none can be added."""
    assert is_dataclass(value)
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, None)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        value.something_new = 1
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_repr_is_short_and_holds_no_answer(value: Any) -> None:
    """The repr of a value fits a line and does not say what the model said."""
    assert "canary" not in repr(value)
    assert "canary" not in f"{value}"
    assert len(repr(value)) < 300
    assert "\n" not in repr(value)


def test_a_streams_chunk_is_a_plain_chunk() -> None:
    """A chunk that was read from a stream is equal to one made by hand, frozen, and survives pickle."""
    from llmkit.provider.interface import Call
    from llmkit_openai import OpenAIProvider

    decoder = OpenAIProvider("openai").decoder(Call("m", (Message("user", "x"),), stream=True))
    event = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "hi", "role": "assistant"}}]}
    decoder.feed(b"data: ")
    (chunk,) = decoder.feed(json.dumps(event).encode() + b"\n\n")
    made = Chunk((ChunkChoice(Delta("hi", "assistant")),), "c", "m")
    assert (chunk, hash(chunk), repr(chunk)) == (made, hash(made), repr(made))
    assert [type(part) for part in (chunk, chunk.choices[0], chunk.choices[0].delta)] == [Chunk, ChunkChoice, Delta]
    assert pickle.loads(pickle.dumps(chunk)) == copy.deepcopy(chunk) == made
    with pytest.raises(FrozenInstanceError):
        chunk.id = "d"  # type: ignore[misc]


def test_money_that_is_not_known_is_none() -> None:
    """Nothing that was not said has a number: unknown is None, never 0."""
    assert Cost() == Cost(None, "unknown", None, None)
    assert set(Usage().to_dict().values()) == {None}
    assert Timings() == Timings(None, None, None, None)
    assert Attempt("p", "m").cost.amount is None
    assert FULL.attempts[0].target == "openrouter:m"
