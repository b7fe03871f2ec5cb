"""Streams that break: at every event, in every way. What was delivered is kept exactly, and nothing comes twice."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmkit import LLMError, StreamInterrupted
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import PROVIDERS, Drive, Heard, model_at, until

PIECES = [f"piece {number}, " for number in range(20)]
TEXT = "".join(PIECES)
#: How a stream breaks off.
KINDS = ["clean", "reset", "stall"]


def hear_all(drive: Drive, sim: Simulator, provider: str, names: list[str], timeout: float = 20) -> list[Heard]:
    """Stream every model of `names`, all at once, each to its end."""

    def in_thread(name: str) -> Heard:
        heard = Heard()
        with model_at(sim, provider, name, timeout=timeout) as model:
            try:
                for chunk in model.chat_complete("hello", stream=True):
                    heard.texts.append(chunk.content)
            except LLMError as error:
                heard.error = error
        return heard

    async def in_task(name: str) -> Heard:
        heard = Heard()
        async with model_at(sim, provider, name, timeout=timeout) as model:
            try:
                async for chunk in model.achat_complete("hello", stream=True):
                    heard.texts.append(chunk.content)
            except LLMError as error:
                heard.error = error
        return heard

    async def together() -> list[Heard]:
        return await asyncio.gather(*(in_task(name) for name in names))

    if drive.is_async:
        return drive.await_(together())
    with ThreadPoolExecutor(len(names)) as threads:
        return list(threads.map(in_thread, names))


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", ["openrouter", "ollama"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_breaks_at_any_event_keeps_what_came(
    sim: Simulator, drive: Drive, provider: str, kind: str
) -> None:
    """Cut after each of 20 pieces: the caller has exactly the pieces that were sent, and so has the error."""
    places = range(1, len(PIECES) + 1)
    for place in places:
        sim.script_for(f"cut{place}", Reply(chunks=PIECES, cut_after=place, cut=kind))
    # A stall ends by the time-out, which a busy machine must not reach before the pieces are there.
    timeout = 2 if kind == "stall" else 20
    heard = hear_all(drive, sim, provider, [f"cut{place}" for place in places], timeout)
    for place, one in zip(places, heard, strict=True):
        assert isinstance(one.error, StreamInterrupted)
        assert one.text == one.error.partial_text == "".join(PIECES[:place])
        assert one.error.partial is not None
        assert one.error.partial.content == one.text
        assert one.error.model == f"cut{place}"
        assert one.error.provider == provider
    assert len(sim.requests) == len(places)  # nothing was sent again


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_that_is_cut_anywhere_delivers_a_prefix(sim: Simulator, drive: Drive, provider: str) -> None:
    """Cut after any byte: what was delivered is the beginning of the answer, without a character lost or doubled."""
    rng = random.Random(7)
    names = [f"byte{number}" for number in range(60)]
    for name in names:
        place = rng.randrange(1, 4000)
        sim.script_for(name, *[Reply(chunks=PIECES, cut_bytes=place, cut=rng.choice(["clean", "reset"]))] * 3)
    ends = set()
    for one in hear_all(drive, sim, provider, names):
        assert TEXT.startswith(one.text)
        ends.add(type(one.error).__name__)
        if one.error is None:  # the whole answer came before the cut
            assert one.text == TEXT
        else:
            assert (one.error.partial_text or "") == one.text
        if one.text and one.error is not None:
            assert isinstance(one.error, StreamInterrupted)
    assert "StreamInterrupted" in ends


@pytest.mark.parametrize("reply", [
    Reply(chunks=PIECES, cut_after=2, cut="stall"),
    Reply(chunks=PIECES, gated=True),
    Reply(chunks=PIECES, error="boom", error_after=2, hold_after_done=30),
    Reply(raw_chunks=[b"data: {no json\n\n"] + [b": wait\n\n"] * 200, chunk_delay=0.05),
], ids=["stall", "silence", "error", "noise"])  # fmt: skip
def test_a_failed_stream_leaves_no_connection_open(sim: Simulator, drive: Drive, reply: Reply) -> None:
    """The connection of a stream that failed is closed at once, though the program keeps stream and error."""
    sim.script(reply)
    heard = drive.hear(drive.make(sim, "openrouter", timeout=0.3, retry=None))
    assert heard.error is not None
    assert until(lambda: sim.open_connections == 0)


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_the_network_may_split_a_stream_anywhere(sim: Simulator, drive: Drive, provider: str, size: int) -> None:
    """However the bytes are split on their way, the same text comes out, letters of several bytes included."""
    words = ["na\u00efve ", "\u65e5\u672c\u8a9e ", "\U0001f680 ", "end"]
    sim.script(Reply(chunks=words, trickle=size, trickle_delay=0))
    heard = drive.hear(drive.make(sim, provider))
    assert heard.error is None
    assert heard.text == "".join(words)


@pytest.mark.parametrize("kind", ["clean", "reset"])
def test_tool_calls_of_a_broken_stream_are_kept_raw(sim: Simulator, drive: Drive, kind: str) -> None:
    """A tool call that was cut off is in `partial` with the text that came, and does not pass for whole."""
    arguments = '{"city": "Paris", "days": 5, "units": "metric"}'
    sim.script(Reply(tool_calls=[("weather", arguments, "call_1")], cut_after=3, cut=kind))
    heard = drive.hear(drive.make(sim, "openrouter"))
    assert isinstance(heard.error, StreamInterrupted)
    assert heard.error.partial is not None
    (call,) = heard.error.partial.tool_calls
    assert call.name == "weather"
    assert arguments.startswith(call.function.arguments)
    assert (call.arguments is None, call.problem is None) == (True, False)


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", ["openrouter", "ollama"])
@pytest.mark.parametrize("kind", ["clean", "reset", "stall"])
def test_a_plain_reply_that_breaks_off_is_an_error(sim: Simulator, drive: Drive, provider: str, kind: str) -> None:
    """A plain body that ends in its middle is never an answer; the text that can be read is kept."""
    sim.script(Reply(text="a long answer " * 20, cut_after=1, cut=kind))
    error = drive.failure(drive.make(sim, provider, retry=None, timeout=0.25 if kind == "stall" else 20))
    assert type(error).__name__ == ("FirstTokenTimeout" if kind == "stall" else "ConnectionLost")
    assert error.partial_text is None or ("a long answer " * 20).startswith(error.partial_text)
    assert len(sim.requests) == 1
