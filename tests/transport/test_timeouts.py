"""What `timeout` means: plain, until the answer is complete; streamed, until content and from content to content."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from llmkit import ConnectTimeout, DeadlineExceeded, FirstTokenTimeout, LLMTimeout, StreamInterrupted
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import Drive, model_at

WORDS = ["one ", "two ", "three ", "four ", "five ", "six"]
#: One provider of each wire format.
PROVIDERS = ("openrouter", "ollama")
#: Seconds in which a busy machine sends an event and reads it.
PATIENCE = 1.5
DONE = b"data: [DONE]\n\n"
#: Seconds that a busy machine may take, over a limit or before what comes in time.
SLACK = 1.0


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(delay=30),
        Reply(first_delay=30),
        Reply(text="word " * 100, trickle=4, trickle_delay=0.05),
        Reply(cut_after=1, cut="stall"),
        Reply(cut_bytes=0, cut="stall"),
    ],
    ids=["silent", "head only", "trickle", "half a body", "no body"],
)
def test_a_plain_call_ends_in_time(sim: Simulator, drive: Drive, provider: str, reply: Reply) -> None:
    """`timeout` is for the whole answer, also where bytes keep coming; the error is a `TimeoutError` too."""
    sim.script(reply)
    model = drive.make(sim, provider, timeout=0.2, retry=None)
    started = time.monotonic()
    error = drive.failure(model)
    assert 0.15 < time.monotonic() - started < 0.2 + SLACK
    assert type(error) is FirstTokenTimeout
    assert isinstance(error, TimeoutError)
    assert isinstance(error, LLMTimeout)


def test_blank_lines_do_not_prolong_a_plain_call(sim: Simulator, drive: Drive) -> None:
    """OpenRouter's keep-alive lines before a plain body do not count as an answer."""
    sim.script(Reply(comment_forever=True, comment_delay=0.05))
    model = drive.make(sim, "openrouter", timeout=0.2, retry=None)
    started = time.monotonic()
    error = drive.failure(model)
    assert time.monotonic() - started < 0.2 + SLACK
    assert type(error) is FirstTokenTimeout


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(delay=30),
        Reply(first_delay=30),
        Reply(chunks=WORDS, gated=True),
        Reply(text="word", trickle=1, trickle_delay=0.05),
    ],
    ids=["silent", "head only", "no content", "trickle"],
)
def test_a_stream_without_content_ends_in_time(sim: Simulator, drive: Drive, provider: str, reply: Reply) -> None:
    """Streamed, the first content must come within `timeout`; before it nothing was delivered."""
    sim.script(reply)
    model = drive.make(sim, provider, timeout=0.2, retry=None)
    started = time.monotonic()
    heard = drive.hear(model)
    assert 0.15 < time.monotonic() - started < 0.2 + SLACK
    assert type(heard.error) is FirstTokenTimeout
    assert isinstance(heard.error, TimeoutError)
    assert heard.text == ""


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_comments_are_no_content(sim: Simulator, drive: Drive, provider: str) -> None:
    """A stream of comments alone ends after `timeout`, though bytes keep coming."""
    sim.script(Reply(comment_forever=True, comment_delay=0.03))
    started = time.monotonic()
    heard = drive.hear(drive.make(sim, provider, timeout=0.2, retry=None))
    assert 0.15 < time.monotonic() - started < 0.2 + SLACK
    assert type(heard.error) is FirstTokenTimeout


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_pause_after_content_is_an_interruption(sim: Simulator, drive: Drive, provider: str) -> None:
    """After content a pause of `timeout` is `StreamInterrupted` with the text, caused by the time-out."""
    sim.script(Reply(chunks=WORDS, cut_after=2, cut="stall"))
    started = time.monotonic()
    heard = drive.hear(drive.make(sim, provider, timeout=0.3))
    assert time.monotonic() - started < 0.3 + SLACK
    assert isinstance(heard.error, StreamInterrupted)
    assert isinstance(heard.error.reason, FirstTokenTimeout)
    assert heard.text == heard.error.partial_text == "one two "


@pytest.mark.parametrize("provider", ["openrouter"])
def test_a_stream_may_last_longer_than_its_timeout(sim: Simulator, drive: Drive, provider: str) -> None:
    """The clock begins anew with every content: a long answer that keeps coming is never cut."""
    sim.script(Reply(chunks=WORDS, chunk_delay=0.3))
    started = time.monotonic()
    heard = drive.hear(drive.make(sim, provider, timeout=0.3 + SLACK, retry=None))
    assert heard.error is None
    assert heard.text == "".join(WORDS)
    assert time.monotonic() - started > 0.3 + SLACK


def _event(delta: str, finish: str = "null") -> bytes:
    return b'data: {"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n' % (delta.encode(), finish.encode())


#: Content, a chunk without any, content, the end.
EVENTS = [_event('{"content":"one "}'), _event('{"role":"assistant"}'), _event('{"content":"two"}', '"stop"'), DONE]


@pytest.mark.parametrize("before", [1, 2], ids=["after content", "after a chunk without content"])
def test_a_slow_reader_is_not_a_slow_service(sim: Simulator, drive: Drive, before: int) -> None:
    """The service's time to the next content begins when the reader asks for it, whatever was handed out last."""
    sim.script(Reply(raw_chunks=EVENTS, gated=True))
    sim.release(before)
    stream = drive.open(drive.make(sim, "openrouter", timeout=PATIENCE, retry=None))
    text = "".join(drive.next(stream).content for _ in range(before))
    time.sleep(PATIENCE * 1.2)
    sim.release(len(EVENTS))
    assert text + "".join(chunk.content for chunk in drive.rest(stream)) == "one two"


def test_a_deadline_counts_the_readers_time_too(sim: Simulator, drive: Drive) -> None:
    """`deadline` is time on the wall: a reader who outlasts it gets no more, though the service was in time."""
    sim.script(Reply(raw_chunks=EVENTS, gated=True))
    sim.release()
    stream = drive.open(drive.make(sim, "openrouter", deadline=PATIENCE, retry=None))
    assert drive.next(stream).content == "one "
    sim.release()
    time.sleep(PATIENCE * 1.2)
    sim.release(len(EVENTS))
    with pytest.raises(StreamInterrupted) as caught:
        drive.rest(stream)
    assert type(caught.value.reason) is DeadlineExceeded
    assert caught.value.partial_text == "one "


def test_a_comment_between_two_contents_does_not_prolong_the_pause(sim: Simulator, drive: Drive) -> None:
    """Comments after content do not keep a stalled stream alive either."""
    events = [b'data: {"choices":[{"index":0,"delta":{"content":"one "},"finish_reason":null}]}\n\n']
    sim.script(Reply(raw_chunks=[*events, *[b": OPENROUTER PROCESSING\n\n"] * 100], chunk_delay=0.05))
    started = time.monotonic()
    heard = drive.hear(drive.make(sim, "openrouter", timeout=0.3))
    assert time.monotonic() - started < 0.3 + SLACK
    assert isinstance(heard.error, StreamInterrupted)
    assert heard.text == "one "


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue is full: a connection is neither made nor refused."""
    with socket.socket() as server, ExitStack() as waiting:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse where Linux lets a connection wait")
def test_a_connection_that_is_not_made_in_time_is_a_connect_timeout(
    sim: Simulator, drive: Drive, mode: str, full_port: int
) -> None:
    """Where no connection comes about, the error is `ConnectTimeout`: nothing was sent, so nothing is billed."""
    # A tenth of it lies between the limit of the connection and that of the call: enough for a busy machine.
    model = drive.make(sim, "openai", base_url=f"http://127.0.0.1:{full_port}/v1", timeout=2, retry=None)
    started = time.monotonic()
    error = drive.failure(model, mode)
    assert time.monotonic() - started < 2 + SLACK
    assert type(error) is ConnectTimeout
    assert isinstance(error, TimeoutError)
    assert model.totals().not_billed == 1


def test_the_timeout_of_a_call_outranks_that_of_the_model(sim: Simulator, drive: Drive, mode: str) -> None:
    """`timeout=` in the call is the one that counts."""
    sim.script(Reply(delay=30))
    started = time.monotonic()
    error = drive.failure(drive.make(sim, "openrouter", timeout=20, retry=None), mode, timeout=0.2)
    assert time.monotonic() - started < 0.2 + SLACK
    assert isinstance(error, FirstTokenTimeout)


def test_a_deadline_ends_a_stream_that_still_flows(sim: Simulator, drive: Drive) -> None:
    """`deadline` is for the whole call: a stream that outlasts it is interrupted, and the reason says which limit."""
    sim.script(Reply(chunks=["word "] * 100, chunk_delay=0.02))
    started = time.monotonic()
    heard = drive.hear(drive.make(sim, "openrouter", timeout=5, deadline=0.4))
    assert time.monotonic() - started < 0.4 + SLACK
    assert isinstance(heard.error, StreamInterrupted)
    assert type(heard.error.reason) is DeadlineExceeded
    assert "deadline" in str(heard.error)
    assert heard.text == heard.error.partial_text
    assert heard.text


def test_the_message_says_what_to_do(sim: Simulator, drive: Drive, mode: str) -> None:
    """A time-out names target and remedy."""
    sim.script(Reply(delay=30))
    error = drive.failure(drive.make(sim, "openrouter", timeout=0.1, retry=None), mode)
    assert "openrouter:openai/gpt-4o-mini" in str(error)
    assert "timeout=" in str(error)


def test_a_slow_call_does_not_hold_up_the_loop(sim: Simulator) -> None:
    """While one async call waits, others on the same loop go on."""
    sim.script_for("sim/slow", Reply(delay=0.4))

    async def main() -> list[Any]:
        order: list[str] = []

        async def ask(name: str) -> None:
            await models[name].achat_complete("hello")
            order.append(name)

        models = {name: model_at(sim, "openrouter", name) for name in ("sim/slow", "sim/quick")}
        await asyncio.gather(*(ask(name) for name in models))
        for model in models.values():
            await model.aclose()
        return order

    assert asyncio.run(main()) == ["sim/quick", "sim/slow"]
