"""A time limit is a clock that is looked at: it ends a call also while bytes come without a pause."""

from __future__ import annotations

import importlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from threading import Event, Thread
from typing import Any, Final

import pytest

from llmkit import DeadlineExceeded, FirstTokenTimeout, LLMError, LLMTimeout, StreamInterrupted, create_language
from llmkit.operations.pull import apull_model, pull_model
from tests.conftest import KEY, MODELS, Drive

#: Seconds that a flood lasts, and seconds by which a call must have left it. A call that does not look at the clock
#: stays to the end, and longer: it is slower than the flood.
FLOOD: Final = 12.0
SOON: Final = 6.0
LIMIT: Final = 0.4
#: Bytes that are sent at once. The socket is then never empty.
BURST: Final = 64 * 1024

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN: Final = OK % b"application/json"
EVENTS: Final = OK % b"text/event-stream"
LINES: Final = OK % b"application/x-ndjson"


def chunk(data: bytes) -> bytes:
    """One part of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta: bytes) -> bytes:
    """One event of a streamed answer."""
    return chunk(b'data: {"choices":[{"index":0,"delta":%s,"finish_reason":null}]}\n\n' % delta)


class Flood:
    """A server that answers each request with `head` and then `piece` until the client leaves, without a pause or with.

    Without a `piece` it says nothing, and takes the request in small parts.
    """

    def __init__(self, head: bytes, piece: bytes, pause: float = 0.0) -> None:
        self._head = head
        self._burst = piece if pause else piece * (BURST // len(piece))
        self._pause = pause
        self._over = Event()
        self._listener = socket.socket()
        if not piece:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(Thread(target=self._answer, args=(client,), daemon=True))
                self._threads[-1].start()

    def _answer(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(FLOOD)
            client.recv(65536)
            client.sendall(self._head)
            end = time.monotonic() + FLOOD
            while time.monotonic() < end and not self._over.wait(self._pause or 0):
                client.sendall(self._burst) if self._burst else client.recv(2048)

    def close(self) -> None:
        """End every flood."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(FLOOD)


Start = Callable[..., Flood]


@pytest.fixture
def flood() -> Iterator[Start]:
    """Starts servers that flood. The SDK is loaded: a short limit must not pay for that."""
    importlib.import_module("openai")
    with ExitStack() as stack:

        def start(*args: Any) -> Flood:
            server = Flood(*args)
            stack.callback(server.close)
            return server

        yield start


def make(drive: Drive, server: Flood, provider: str = "openai", **settings: Any) -> Any:
    """A model at the flood, without retries."""
    given = {"base_url": server.url, "api_key": KEY, "retry": None, **settings}
    return drive.keep(create_language(provider, MODELS[provider], **given))


def end_of(drive: Drive, model: Any) -> LLMError:
    """The error of a stream whose reader takes no time of its own."""
    with pytest.raises(LLMError) as caught:
        drive.rest(drive.open(model))
    return caught.value


#: What a server can go on with before there is any answer: the head, or the body of any status.
NO_ANSWER: Final = {
    "informational heads": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "slow informational heads": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.02),
    "a head that trickles": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.02),
    "one byte chunks": (PLAIN, chunk(b" ")),
    "blank lines": (PLAIN, chunk(b"\n\n\n\n")),
    "an unchunked body": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" ", 0.02),
    "an error body": (b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n", chunk(b" ")),
    "a refusal that trickles": (b"HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n", chunk(b"x"), 0.02),
}
#: What a stream can go on with that is no content.
NO_CONTENT: Final = {
    "comments": (EVENTS, chunk(b": OPENROUTER PROCESSING\n\n")),
    "blank lines": (EVENTS, chunk(b"\n")),
    "carriage returns": (EVENTS, chunk(b"\r")),
    "a line without end": (EVENTS, chunk(b":")),
    "roles alone": (EVENTS, event(b'{"role":"assistant"}')),
    "empty content": (EVENTS, event(b'{"content":""}')),
    "no choices": (EVENTS, chunk(b'data: {"choices":[]}\n\n')),
}
ERRORS: Final = {"timeout": FirstTokenTimeout, "deadline": DeadlineExceeded}


@pytest.mark.covering(2)
@pytest.mark.parametrize("limit", ERRORS)
@pytest.mark.parametrize("kind", NO_ANSWER)
def test_a_flood_in_place_of_an_answer_ends_in_time(
    flood: Start, drive: Drive, mode: str, kind: str, limit: str
) -> None:
    """Whatever comes in place of an answer, `timeout` and `deadline` end the call, each with its own error."""
    model = make(drive, flood(*NO_ANSWER[kind]), **{limit: LIMIT})
    started = time.monotonic()
    error = drive.failure(model, mode)
    assert time.monotonic() - started < SOON
    assert type(error) is ERRORS[limit]


@pytest.mark.parametrize("limit", ERRORS)
@pytest.mark.parametrize("kind", NO_CONTENT)
def test_a_flood_without_content_ends_in_time(flood: Start, drive: Drive, kind: str, limit: str) -> None:
    """What is no content does not prolong a stream that has none yet, however much of it comes."""
    model = make(drive, flood(*NO_CONTENT[kind]), **{limit: LIMIT})
    started = time.monotonic()
    error = end_of(drive, model)
    assert time.monotonic() - started < SOON
    # Many chunks without content are handed out before any comes: from then on the error is an interruption.
    assert type(error.reason if isinstance(error, StreamInterrupted) else error) is ERRORS[limit]
    assert not error.partial_text


@pytest.mark.parametrize("kind", ["comments", "roles alone", "no choices"])
def test_a_flood_after_content_ends_in_time(flood: Start, drive: Drive, kind: str) -> None:
    """Nor does it prolong a pause after content: that is an interruption, with what came before."""
    head, piece = NO_CONTENT[kind]
    model = make(drive, flood(head + event(b'{"content":"one"}'), piece), timeout=1.0)
    started = time.monotonic()
    error = end_of(drive, model)
    assert time.monotonic() - started < SOON
    assert isinstance(error, StreamInterrupted)
    assert type(error.reason) is FirstTokenTimeout
    assert error.partial_text == "one"


def test_a_deadline_ends_content_that_does_not_pause(flood: Start, drive: Drive) -> None:
    """`deadline` ends a stream of endless content, though `timeout` begins anew with each."""
    model = make(drive, flood(EVENTS, event(b'{"content":"word "}')), deadline=1.0)
    started = time.monotonic()
    heard = drive.hear(model)
    assert time.monotonic() - started < SOON
    assert isinstance(heard.error, StreamInterrupted)
    assert type(heard.error.reason) is DeadlineExceeded
    assert heard.text == heard.error.partial_text
    assert heard.text


@pytest.mark.parametrize("piece", [b": more\n\n", b"\n"])
def test_what_follows_the_end_of_a_stream_does_not_hold_it_up(flood: Start, drive: Drive, piece: bytes) -> None:
    """A finished stream is read on for a second at most; then the answer is given without the connection."""
    end = b'data: {"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    model = make(drive, flood(EVENTS + chunk(end), chunk(piece)))
    started = time.monotonic()
    assert drive.response(model, "streamed").content == "one"
    assert time.monotonic() - started < SOON


@pytest.mark.parametrize("drive", ["sync"], indirect=True)
def test_a_request_that_is_taken_in_drops_ends_in_time(flood: Start, drive: Drive, mode: str) -> None:
    """A server that takes a long request a little at a time is given up as one that answers so is."""
    model = make(drive, flood(b"", b"", 0.02), timeout=LIMIT)
    started = time.monotonic()
    error = drive.failure(model, mode, messages="x" * 8_000_000)
    assert time.monotonic() - started < SOON
    assert isinstance(error, LLMTimeout)


# A pull.


def pulled(drive: Drive, server: Flood, **settings: Any) -> LLMError:
    """The error of a pull from there."""

    async def asynchronously() -> None:
        async for _ in apull_model("llama3.2", base_url=server.url, **settings):
            pass

    with pytest.raises(LLMError) as caught:
        drive.await_(asynchronously()) if drive.is_async else list(
            pull_model("llama3.2", base_url=server.url, **settings)
        )
    return caught.value


STEP: Final = chunk(b'{"status":"pulling manifest"}\n')


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (LINES, chunk(b"\n")),
        (LINES + STEP, chunk(b"\n")),
        (LINES + STEP, chunk(b"{}\n")),
        (LINES + STEP, chunk(b" ")),
        (OK.replace(b"200 OK", b"500 Oops") % b"text/plain", chunk(b"x")),
        NO_ANSWER["informational heads"],
    ],
)
def test_a_pull_that_takes_no_step_ends_in_time(flood: Start, drive: Drive, head: bytes, piece: bytes) -> None:
    """Bytes that are no step of a pull do not prolong it."""
    started = time.monotonic()
    error = pulled(drive, flood(head, piece), timeout=LIMIT)
    assert time.monotonic() - started < SOON
    assert isinstance(error, LLMTimeout)
