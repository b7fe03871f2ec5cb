"""Streams of structured output: values as they grow, the validated one at the end, and every way of ending badly."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from llmkit import ConfigError, InvalidStructure, StreamInterrupted
from llmkit.testing import FakeModel
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import PROVIDERS, Drive, until


class City(BaseModel):
    """A city."""

    name: str
    districts: list[str]


PIECES = ['{"na', 'me": "Pa', 'ris", ', '"districts": ["Mar', 'ais", "Mont', 'martre"]', "}", " \n"]
TEXT = "".join(PIECES)
GROWN: list[Any] = [
    {},
    {"name": "Pa"},
    {"name": "Paris"},
    {"name": "Paris", "districts": ["Mar"]},
    {"name": "Paris", "districts": ["Marais", "Mont"]},
    {"name": "Paris", "districts": ["Marais", "Montmartre"]},
]
PARIS = City(name="Paris", districts=["Marais", "Montmartre"])


def values(drive: Drive, stream: Any, sim: Simulator, last: object = GROWN[-1]) -> list[Any]:
    """All values of a stream. Each lets the next piece of a gated reply pass, the `last` one all that is left."""
    found: list[Any] = []

    def take(value: Any) -> None:
        found.append(value)
        sim.release(99 if value == last else 1)

    async def collect() -> None:
        async for value in stream.partial_values():
            take(value)

    if drive.is_async:
        drive.await_(collect())
    else:
        for value in stream.partial_values():
            take(value)
    return found


def first_value(drive: Drive, stream: Any) -> Any:
    """The first value; the loop is left then."""
    if not drive.is_async:
        for value in stream.partial_values():
            return value
        return None

    async def leave() -> Any:
        async for value in stream.partial_values():
            return value
        return None

    return drive.await_(leave())


def gone(sim: Simulator, drive: Drive) -> bool:
    """Does every client connection close? A loop goes on meanwhile."""
    if drive.is_async:
        return drive.await_(asyncio.to_thread(until, lambda: sim.open_connections == 0))
    return until(lambda: sim.open_connections == 0)


def gated(sim: Simulator, pieces: list[str] = PIECES, first: int = 1) -> None:
    """A reply whose pieces come one by one, as they are released; the `first` ones at once."""
    sim.script(Reply(chunks=pieces, gated=True))
    sim.release(first)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_values_grow(sim: Simulator, drive: Drive, provider: str) -> None:
    """Each value is plain JSON and differs from the one before; the validated one is in the response."""
    gated(sim)
    stream = drive.open(drive.make(sim, provider), structured=City)
    assert values(drive, stream, sim) == GROWN
    assert stream.response.parsed == PARIS
    assert stream.response.structured_by == "native"
    assert stream.response.content == TEXT


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_value_so_far_stands_beside_the_chunks(sim: Simulator, drive: Drive, provider: str) -> None:
    """While chunks are read, `stream.partial.parsed` is what can be read of them, and all text is delivered."""
    gated(sim)
    stream = drive.open(drive.make(sim, provider), structured=City)
    seen = [stream.partial.parsed]
    text = ""
    end = StopAsyncIteration if drive.is_async else StopIteration
    while True:
        try:
            piece = drive.next(stream).content
        except end:
            break
        text += piece
        sim.release(1 if piece else 0)
        if stream.partial.parsed not in seen:
            seen.append(stream.partial.parsed)
    assert text == TEXT
    assert [value for value in seen if isinstance(value, dict)] == GROWN
    assert stream.partial.parsed == stream.response.parsed == PARIS


def test_a_value_comes_while_the_rest_is_on_its_way(sim: Simulator, drive: Drive) -> None:
    """The first value is there before the service sends the second piece."""
    sim.script(Reply(chunks=PIECES, gated=True))
    sim.release()
    stream = drive.open(drive.make(sim, "openai", timeout=5), structured=City)
    assert first_value(drive, stream) == {}
    drive.close(stream)


def test_a_wrapped_value_is_unwrapped(sim: Simulator, drive: Drive) -> None:
    """A list goes as an object with `value`, and comes as a list, from its first piece on."""
    gated(sim, ['{"va', 'lue": ', "[1, ", "2, ", '"x"]}'], first=3)
    stream = drive.open(drive.make(sim, "openai"), structured=list[int | str])
    assert values(drive, stream, sim, [1, 2, "x"]) == [[1], [1, 2], [1, 2, "x"]]
    assert stream.response.parsed == [1, 2, "x"]


def test_an_instructed_stream_may_come_in_a_fence(sim: Simulator, drive: Drive) -> None:
    """The fence is skipped, in the making and at the end."""
    gated(sim, ["``", "`js", "on\n", *PIECES[:-1], "\n`", "``"], first=4)
    stream = drive.open(drive.make(sim, "openai"), structured=City, structured_by="instruction")
    assert values(drive, stream, sim) == GROWN
    assert stream.response.parsed == PARIS
    assert stream.response.structured_by == "instruction"


def test_values_may_follow_some_chunks(sim: Simulator, drive: Drive) -> None:
    """There is one pass: after two chunks, the values go on from there."""
    gated(sim)
    stream = drive.open(drive.make(sim, "openai"), structured=City)
    while stream.partial.parsed != {"name": "Pa"}:
        sim.release(1 if drive.next(stream).content else 0)
    assert values(drive, stream, sim) == GROWN[2:]
    assert values(drive, stream, sim) == []


def test_async_values_need_no_await_before(sim: Simulator) -> None:
    """`async for value in model.achat_complete(..., stream=True).partial_values()` opens the stream."""
    gated(sim)
    drive = Drive("async")
    model = drive.make(sim, "openai")

    stream = model.achat_complete("hello", stream=True, structured=City)
    assert values(drive, stream, sim) == GROWN
    assert stream.response.parsed == PARIS
    drive.end()


# Ending badly.


def test_a_loop_that_is_left_closes_the_connection(sim: Simulator, drive: Drive) -> None:
    """Leaving the values is leaving the stream."""
    sim.script(Reply(chunks=PIECES, gated=True))
    sim.release()
    stream = drive.open(drive.make(sim, "openai", timeout=5), structured=City)
    assert first_value(drive, stream) == {}
    assert gone(sim, drive)
    with pytest.raises(RuntimeError, match="closed before its end"):
        _ = stream.response


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_that_is_no_value_ends_in_an_error(sim: Simulator, drive: Drive, provider: str) -> None:
    """All text is delivered first; then the error, with text and reason. After content nothing is asked again."""
    text = '{"name": "Paris"}'
    sim.script(Reply(chunks=['{"name": ', '"Paris"}']))
    model = drive.make(sim, provider, fallbacks=[drive.make(sim, "openai", "gpt-4o")])
    heard = drive.hear(model, structured=City, structured_retries=3)
    assert heard.text == text
    assert isinstance(heard.error, InvalidStructure)
    assert (heard.error.text, heard.error.partial_text) == (text, text)
    assert "districts: Field required" in heard.error.problem
    assert [attempt.outcome for attempt in heard.error.attempts] == ["InvalidStructure"]
    assert len(sim.requests) == 1
    with pytest.raises(InvalidStructure):
        _ = heard.stream.response
    assert heard.stream.partial.parsed == {"name": "Paris"}


def test_the_cost_of_such_a_stream_is_booked(sim: Simulator, drive: Drive) -> None:
    """It was a whole answer, with its usage, and is paid for."""
    sim.script(Reply(chunks=["no"]))
    model = drive.make(sim, "openrouter")
    error = drive.failure(model, "streamed", structured=City)
    assert isinstance(error, InvalidStructure)
    assert error.attempts[0].cost.amount == sim.bill[0].cost == model.totals().amount
    assert model.totals().unknown == 0


def test_the_values_end_in_the_same_error(sim: Simulator, drive: Drive) -> None:
    """The loop over the values raises as the loop over the chunks does."""
    sim.script(Reply(chunks=['{"name": ', '"Par', 'is"}']))
    stream = drive.open(drive.make(sim, "openai"), structured=City)
    with pytest.raises(InvalidStructure):
        values(drive, stream, sim)
    assert stream.partial.parsed == {"name": "Paris"}


def test_a_stream_that_is_cut_is_interrupted(sim: Simulator, drive: Drive) -> None:
    """A broken connection is a `StreamInterrupted`, with what came, and no word on structure."""
    sim.script(Reply(chunks=PIECES, cut_after=4))
    stream = drive.open(drive.make(sim, "openai"), structured=City)
    with pytest.raises(StreamInterrupted) as caught:
        values(drive, stream, sim)
    assert caught.value.partial_text == "".join(PIECES[:4])
    assert stream.partial.parsed == GROWN[3]


def test_an_empty_stream_is_asked_for_again(sim: Simulator, drive: Drive) -> None:
    """As long as the caller has seen nothing, a structured retry is made."""
    sim.script(Reply(chunks=[], text=None, finish_reason="stop", reasoning=None), Reply(chunks=PIECES))
    heard = drive.hear(drive.make(sim, "openai"), structured=City, structured_retries=1)
    assert heard.error is None
    assert heard.response is not None
    assert heard.response.parsed == PARIS
    assert [attempt.outcome for attempt in heard.response.attempts] == ["InvalidStructure", "ok"]


def test_values_of_a_call_without_structure_are_refused(sim: Simulator, drive: Drive) -> None:
    """`partial_values` needs `structured=`; the connection is closed all the same."""
    sim.script(Reply(chunks=PIECES, gated=True))
    sim.release()
    stream = drive.open(drive.make(sim, "openai", timeout=5))
    with pytest.raises(ConfigError, match="structured="):
        values(drive, stream, sim)
    assert gone(sim, drive)


# Any value, cut anywhere.

JSON = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50)
@given(JSON)
def test_any_stream_grows_to_its_value(value: Any) -> None:
    """No value twice in a row, the last one is the whole, and so is the response's."""
    with FakeModel(json.dumps(value)) as model:
        stream = model.chat_complete("?", stream=True, structured={"type": "json"})
        grown = list(stream.partial_values())
    assert grown[-1] == stream.response.parsed == value
    assert all(one != other for one, other in pairwise(grown))
