"""Connections: one is enough, all are given back, threads, loops and processes each work, and `close` closes."""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
import subprocess
import sys
import textwrap
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from llmkit import (
    CannotConnect,
    ConfigError,
    ConnectionLost,
    LLMError,
    LocalOverload,
    MalformedResponse,
    ModelClosed,
    RateLimited,
)
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import KEY, PROVIDERS, Drive, model_at, until


@pytest.mark.parametrize("provider", PROVIDERS)
def test_calls_in_a_row_share_one_connection(sim: Simulator, drive: Drive, mode: str, provider: str) -> None:
    """Ten answers in a row, plain or fully read streams, need one connection."""
    model = drive.make(sim, provider)
    for _ in range(10):
        drive.response(model, mode)
    assert sim.connections == 1


def test_plain_and_streamed_calls_share_one_connection(sim: Simulator, drive: Drive) -> None:
    """The two modes use one pool."""
    model = drive.make(sim, "openrouter")
    for _ in range(3):
        drive.response(model, "plain")
        drive.response(model, "streamed")
    assert sim.connections == 1


@pytest.mark.parametrize("status", [400, 429, 503])
def test_an_error_reply_gives_its_connection_back(sim: Simulator, drive: Drive, mode: str, status: int) -> None:
    """Attempts that end in an error status do not cost a connection each."""
    model = drive.make(sim, "openrouter", f"sim/fault:status={status}")
    for _ in range(3):
        drive.failure(model, mode)
    assert sim.connections == 1


def test_a_stream_gives_its_connection_back_before_the_loop_ends(sim: Simulator, drive: Drive) -> None:
    """When a loop over a stream has ended, a next call finds the connection free."""
    model = drive.make(sim, "openrouter", max_connections=1)
    for _ in range(3):
        heard = drive.hear(model)
        assert heard.error is None
        drive.ask(model)
    assert sim.connections == 1


def test_many_calls_at_once_stay_within_max_connections(sim: Simulator, drive: Drive) -> None:
    """`max_connections` bounds the sockets; the calls wait for one another and all are answered."""
    model = drive.make(sim, "openrouter", max_connections=3)

    async def together() -> list[str | None]:
        return [
            response.content
            for response in await asyncio.gather(*(model.achat_complete(f"n{number}") for number in range(24)))
        ]

    if drive.is_async:
        texts = drive.await_(together())
    else:
        with ThreadPoolExecutor(8) as threads:
            texts = list(threads.map(lambda number: model.chat_complete(f"n{number}").content, range(24)))
    assert texts == [f"You said: n{number}" for number in range(24)]
    assert sim.connections <= 3


def test_a_pool_that_is_used_up_says_so(sim: Simulator, drive: Drive) -> None:
    """A call that finds no free connection in time is a `LocalOverload`: nothing was sent, the service is not to blame."""
    model = drive.make(sim, "openrouter", max_connections=1, timeout=5)
    sim.script(Reply(chunks=["one ", "two "], gated=True))
    sim.release()
    stream = drive.open(model)
    error = drive.failure(model, timeout=0.3)
    assert type(error) is LocalOverload
    assert len(sim.requests) == 1
    drive.close(stream)
    assert drive.ask(model).content == "You said: hello"


def test_a_server_that_restarts_costs_no_attempt(drive: Drive) -> None:
    """A kept connection that the server has closed meanwhile is noticed before anything is sent over it."""
    with Simulator() as first:
        model = drive.make(first, "openrouter", retry=None)
        drive.ask(model)
        port = first.port
    with Simulator(port) as second:
        if drive.is_async:
            drive.await_(asyncio.sleep(0.05))
        assert len(drive.ask(model).attempts) == 1
        assert len(second.requests) == 1


def test_a_server_that_closes_after_its_answer_is_fine(sim: Simulator, drive: Drive) -> None:
    """`Connection: close` and a body that ends with the connection are read as an answer."""
    body = b'{"id":"g","choices":[{"index":0,"message":{"role":"assistant","content":"bye"},"finish_reason":"stop"}]}'
    sim.script(*[Reply(body=body, framing="close")] * 3)
    model = drive.make(sim, "openrouter", retry=None)
    assert [drive.ask(model).content for _ in range(3)] == ["bye"] * 3
    assert sim.connections == 3


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_reply_is_unpacked(sim: Simulator, drive: Drive, mode: str, encoding: str) -> None:
    """llmkit asks for plain bytes; a server that compresses all the same is understood, errors included."""
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    choice = b'{"choices":[{"index":0,"%b":{"content":"unpacked"},"finish_reason":"stop"}]}'
    body = choice % b"message" if mode == "plain" else b"data: %b\n\n" % (choice % b"delta")
    headers = {"content-encoding": encoding}
    sim.script(
        Reply(body=pack(body), headers=headers),
        Reply(status=400, body=pack(b'{"error":{"code":400,"message":"packed error"}}'), headers=headers),
    )
    model = drive.make(sim, "openrouter")
    assert drive.response(model, mode).content == "unpacked"
    assert "packed error" in str(drive.failure(model, mode))
    assert sim.requests[0].headers["accept-encoding"] == "identity"


def test_a_reply_that_is_not_compressed_as_it_says_is_malformed(sim: Simulator, drive: Drive, mode: str) -> None:
    """A body that its content encoding cannot unpack is a `MalformedResponse`."""
    sim.script(Reply(body=b"not gzip", headers={"content-encoding": "gzip"}))
    assert type(drive.failure(drive.make(sim, "openrouter", retry=None), mode)) is MalformedResponse


def test_a_refused_connection_is_told_from_a_slow_one(
    drive: Drive, mode: str, sim: Simulator, closed_port: int
) -> None:
    """A port on which nobody listens is `CannotConnect`, which names host and port and asks whether the server runs."""
    for host in ("127.0.0.1", "localhost"):
        url = f"http://{host}:{closed_port}"
        error = drive.failure(drive.make(sim, "ollama", base_url=url, retry=None), mode)
        assert type(error) is CannotConnect
        assert f"{host}:{closed_port}" in str(error)
        assert "running" in str(error)
        assert not isinstance(error, TimeoutError)


def test_a_host_that_does_not_resolve_is_a_failed_connection(drive: Drive, mode: str, sim: Simulator) -> None:
    """A name that does not exist is `CannotConnect` and says so."""
    url = "https://no-such-host.invalid/v1"
    error = drive.failure(drive.make(sim, "openai", base_url=url, retry=None, timeout=20), mode)
    assert type(error) is CannotConnect
    assert "no-such-host.invalid" in str(error)
    assert "resolve" in str(error)


# Threads and loops.


def test_one_model_serves_sixteen_threads(sim: Simulator) -> None:
    """Threads share a model: every thread gets its own answers, plain and streamed, and no call is lost."""
    with model_at(sim, "openrouter") as model:

        def work(number: int) -> list[str | None]:
            texts = []
            for turn in range(4):
                text = f"thread {number} turn {turn}"
                texts.append(model.chat_complete(text).content)
                texts.append("".join(chunk.content for chunk in model.chat_complete(text, stream=True)))
            return texts

        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(work, range(16)))
        assert model.totals().calls == 128
        assert model.totals().exact
    for number, texts in enumerate(answers):
        expected = [f"You said: thread {number} turn {turn}" for turn in range(4)]
        assert texts == [text for text in expected for _ in range(2)]
    assert len(sim.requests) == 128


def test_one_model_serves_one_loop_after_the_other(sim: Simulator) -> None:
    """`asyncio.run` may be called again and again with the same model; each loop closes its own connections."""
    model = model_at(sim, "openrouter")

    async def main() -> str | None:
        text = ""
        async for chunk in model.achat_complete("hello", stream=True):
            text += chunk.content
        assert text == (await model.achat_complete("hello")).content
        return text

    for _ in range(3):
        assert asyncio.run(main()) == "You said: hello"
        assert until(lambda: sim.open_connections == 0)
    assert sim.connections == 3
    assert model.totals().calls == 6
    model.close()


def test_one_model_serves_two_loops_at_once(sim: Simulator) -> None:
    """Loops in two threads use one model at the same time."""
    model = model_at(sim, "openrouter")
    barrier = threading.Barrier(2)

    async def main(name: str) -> list[str | None]:
        barrier.wait(5)
        return [(await model.achat_complete(f"{name} {turn}")).content for turn in range(10)]

    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(asyncio.run, main(name)) for name in ("left", "right")]
        assert [run.result() for run in runs] == [
            [f"You said: {name} {turn}" for turn in range(10)] for name in ("left", "right")
        ]
    assert model.totals().calls == 20
    model.close()


def test_sync_calls_work_beside_a_loop(sim: Simulator) -> None:
    """A program may use both halves of one model."""

    async def main() -> tuple[Any, Any]:
        async with model_at(sim, "openrouter") as model:
            blocking = asyncio.to_thread(model.chat_complete, "from a thread")
            return await asyncio.gather(model.achat_complete("from the loop"), blocking)

    first, second = asyncio.run(main())
    assert (first.content, second.content) == ("You said: from the loop", "You said: from a thread")


FORK = """
import asyncio, os, sys
from llmkit import create_language

url, is_async = sys.argv[1], sys.argv[2] == "async"
model = create_language("openrouter", "sim/m", base_url=url, api_key=sys.argv[3])

def ask(text):
    if is_async:
        return asyncio.run(model.achat_complete(text)).content
    return model.chat_complete(text).content

assert ask("before") == "You said: before"
child = os.fork()
if child == 0:
    os._exit(0 if ask("child") == "You said: child" and ask("child") == "You said: child" else 1)
assert os.waitpid(child, 0)[1] == 0
assert ask("after") == "You said: after"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("half", ["sync", "async"])
def test_a_forked_child_makes_its_own_connections(sim: Simulator, half: str) -> None:
    """A child never speaks over a socket of its parent, and the parent's stays usable."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(FORK), sim.openrouter_url, half, KEY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    texts = [request.json["messages"][0]["content"] for request in sim.requests]
    used = [request.connection for request in sim.requests]
    assert texts == ["before", "child", "child", "after"]
    assert used[1] != used[0]
    if half == "sync":
        assert used[1] == used[2]
        assert used[3] == used[0]


# Closing.


def test_a_closed_model_refuses_calls(sim: Simulator, drive: Drive, mode: str) -> None:
    """After `close()` a call raises `ModelClosed`, sends nothing, and the connections are gone."""
    model = drive.make(sim, "openrouter")
    drive.response(model, mode)
    drive.close(model)
    assert until(lambda: sim.open_connections == 0)
    error = drive.failure(model, mode)
    assert type(error) is ModelClosed
    assert "openrouter:openai/gpt-4o-mini" in str(error)
    assert len(sim.requests) == 1
    drive.close(model)  # closing twice is fine


def test_a_copy_shares_the_pool_and_outlives_the_original(sim: Simulator, drive: Drive, mode: str) -> None:
    """`with_settings` copies use the same connection; the pool closes with the last of them."""
    model = drive.make(sim, "openrouter")
    copy = drive.keep(model.with_settings(temperature=0.5))
    drive.response(model, mode)
    drive.response(copy, mode)
    assert sim.connections == 1
    assert sim.requests[1].json["temperature"] == 0.5
    assert "temperature" not in sim.requests[0].json
    drive.close(model)
    drive.response(copy, mode)
    assert sim.connections == 1
    assert copy.totals().calls == 3
    drive.close(copy)
    assert until(lambda: sim.open_connections == 0)


def test_a_copy_of_a_chain_outlives_the_original(sim: Simulator, drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallbacks of a copy stay usable too when the original is closed."""
    monkeypatch.setenv("OLLAMA_HOST", sim.ollama_url)
    model = drive.make(sim, "openrouter", fallbacks=["ollama:llama3.2"])
    copy = drive.keep(model.with_settings(seed=1))
    drive.close(model)
    sim.script(Reply(status=503))
    assert drive.ask(copy).provider == "ollama"


def test_closing_a_copy_leaves_the_original_open(sim: Simulator, drive: Drive) -> None:
    """A copy that was used for one job can be closed."""
    model = drive.make(sim, "openrouter")
    drive.close(model.with_settings(temperature=0.5))
    assert drive.ask(model).content == "You said: hello"


def test_the_context_manager_closes_the_model(sim: Simulator, drive: Drive) -> None:
    """`with` and `async with` close the model and its connections."""

    async def loop() -> Any:
        async with model_at(sim, "openrouter") as model:
            await model.achat_complete("hello")
        return model

    def sync() -> Any:
        with model_at(sim, "openrouter") as model:
            model.chat_complete("hello")
        return model

    model = drive.await_(loop()) if drive.is_async else sync()
    assert until(lambda: sim.open_connections == 0)
    with pytest.raises(ModelClosed):
        drive.ask(model)


def test_closing_a_model_under_an_open_stream_ends_it_with_a_typed_error(sim: Simulator, drive: Drive) -> None:
    """A stream whose model is closed meanwhile ends as a typed error with what had come, never as if it were whole."""
    sim.script(Reply(chunks=["one ", "two ", "three "], gated=True))
    sim.release()
    model = drive.make(sim, "openrouter", timeout=1)
    stream = drive.open(model)
    assert drive.next(stream).content == "one "
    drive.close(model)
    with pytest.raises(LLMError) as caught:
        drive.rest(stream)
    assert caught.value.partial_text == "one "


OUTER = [RateLimited("slow down"), ConfigError("wrong"), ssl.SSLError("a handshake"), TimeoutError("late"), KeyError("x")]


@pytest.mark.covering(2)
@pytest.mark.parametrize("outer", OUTER, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("fault", ["refused", "cut"])
def test_what_the_caller_is_handling_is_no_cause(
    sim: Simulator, drive: Drive, mode: str, closed_port: int, outer: Exception, fault: str
) -> None:
    """A call in an `except` block reports its own failure, not the one that is being handled there."""
    settings: dict[str, Any] = {"retry": None}
    if fault == "refused":
        settings["base_url"] = f"http://127.0.0.1:{closed_port}"
    sim.script(Reply(cut="reset", cut_bytes=20))
    model = drive.make(sim, "openai", **settings)
    try:
        raise outer
    except Exception:
        error = drive.failure(model, mode)
    assert error is not outer
    assert type(error) is (CannotConnect if fault == "refused" else ConnectionLost)
    assert model.target.startswith(str(error.provider))
