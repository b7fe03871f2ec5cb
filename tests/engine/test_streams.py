"""The stream object: chunks as the network brings them, one pass, the answer at the end, every way of leaving it."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from llmkit import (
    AsyncChatStream,
    ChatStream,
    EmptyResponse,
    LanguageModel,
    MalformedResponse,
    Response,
    StreamInterrupted,
)
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import PROVIDERS, Drive, model_at, until

WORDS = ["one ", "two ", "three ", "four ", "five"]
TEXT = "".join(WORDS)


def gone(sim: Simulator) -> bool:
    """Did every client connection close?"""
    return until(lambda: sim.open_connections == 0)


async def soon(condition: Callable[[], bool]) -> bool:
    """Does `condition` come to hold soon? The loop goes on meanwhile."""
    return await asyncio.to_thread(until, condition)


# As the network brings them.


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_chunk_is_seen_before_the_next_is_sent(sim: Simulator, drive: Drive, provider: str) -> None:
    """The server sends chunk k+1 only after the caller has chunk k, and the whole text arrives all the same."""
    sim.script(Reply(chunks=WORDS, gated=True))
    model = drive.make(sim, provider, timeout=5)
    sim.release()
    stream = drive.open(model)
    seen = []
    while len(seen) < len(WORDS):
        text = drive.next(stream).choices[0].delta.content
        if text:
            seen.append(text)
            assert seen == WORDS[: len(seen)]
            sim.release()
    assert not any(chunk.content for chunk in drive.rest(stream))
    assert stream.response.content == TEXT


@pytest.mark.parametrize("provider", PROVIDERS)
def test_opening_waits_for_the_first_content_only(sim: Simulator, drive: Drive, provider: str) -> None:
    """An opened stream holds its first content; what follows may still be on its way."""
    sim.script(Reply(chunks=WORDS, gated=True))
    sim.release()
    stream = drive.open(drive.make(sim, provider, timeout=5))
    assert stream.partial.content == WORDS[0]
    drive.close(stream)


# One object, one pass.


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_chunk_has_a_choice_and_text(sim: Simulator, drive: Drive, provider: str) -> None:
    """`chunk.choices[0].delta.content` is text in every chunk, the last one has the finish reason."""
    sim.script(Reply(chunks=WORDS, comments=2, comment_delay=0))
    stream = drive.open(drive.make(sim, provider))
    chunks = drive.rest(stream)
    assert all(type(chunk.choices[0].delta.content) is str for chunk in chunks)
    assert "".join(chunk.content for chunk in chunks) == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason][:1] == ["stop"]


def test_a_stream_is_read_once(sim: Simulator, drive: Drive) -> None:
    """A second pass gives nothing; `response` still has the answer."""
    stream = drive.open(drive.make(sim, "openrouter"))
    assert drive.rest(stream)
    assert drive.rest(stream) == []
    assert stream.response.content == "You said: hello"
    assert len(sim.requests) == 1


def test_a_stream_may_be_read_in_two_parts(sim: Simulator, drive: Drive) -> None:
    """What `next` took is not given again by a loop that follows."""
    sim.script(Reply(chunks=WORDS))
    stream = drive.open(drive.make(sim, "openrouter"))
    first = drive.next(stream).content
    rest = "".join(chunk.content for chunk in drive.rest(stream))
    assert first + rest == TEXT


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_response_is_there_at_the_end_only(sim: Simulator, drive: Drive, provider: str) -> None:
    """`.response` raises before the end and then holds text, usage and cost; `.partial` always works."""
    sim.script(Reply(chunks=WORDS, gated=True))
    sim.release(2)
    stream = drive.open(drive.make(sim, provider, timeout=5))
    with pytest.raises(RuntimeError, match="not over"):
        _ = stream.response
    assert TEXT.startswith(stream.partial.content)
    assert stream.partial.finish_reason is None
    sim.release(10)
    drive.rest(stream)
    response: Response = stream.response
    assert (response.content, response.finish_reason) == (TEXT, "stop")
    assert response.usage.completion_tokens == sim.bill[0].completion_tokens
    assert response.usage.prompt_tokens == sim.bill[0].prompt_tokens
    assert response.cost.basis == {"openrouter": "reported", "openai": "unknown", "ollama": "free"}[provider]
    assert stream.partial is response
    assert [attempt.outcome for attempt in response.attempts] == ["ok"]


def test_the_two_kinds_have_their_types(sim: Simulator) -> None:
    """`stream=True` gives a `ChatStream`, async an `AsyncChatStream`, also by the setting `streaming`."""
    with model_at(sim, "openrouter", streaming=True) as model:
        with model.chat_complete("hello") as stream:
            assert isinstance(stream, ChatStream)
        assert isinstance(model.chat_complete("hello", stream=False), Response)

        async def main() -> None:
            async with model.achat_complete("hello", stream=True) as other:
                assert isinstance(other, AsyncChatStream)
            await model.aclose()

        asyncio.run(main())


@pytest.mark.parametrize("awaited", [True, False], ids=["awaited", "not awaited"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_async_stream_needs_no_await(sim: Simulator, provider: str, awaited: bool) -> None:
    """`async for` works on what `achat_complete(stream=True)` returns, and on what awaiting that gives."""

    async def main() -> str:
        async with model_at(sim, provider) as model:
            text = ""
            if awaited:
                async for chunk in await model.achat_complete("hello", stream=True):
                    text += chunk.choices[0].delta.content
            else:
                async for chunk in model.achat_complete("hello", stream=True):
                    text += chunk.choices[0].delta.content
            return text

    assert asyncio.run(main()) == "You said: hello"


def test_an_async_stream_that_is_never_used_sends_nothing(sim: Simulator) -> None:
    """The call is made when the stream is awaited, entered or iterated, not before."""

    async def main() -> None:
        async with model_at(sim, "openrouter") as model:
            stream = model.achat_complete("hello", stream=True)
            await asyncio.sleep(0.02)
            await stream.close()

    asyncio.run(main())
    assert sim.requests == []


def test_a_plain_async_call_is_a_coroutine(sim: Simulator) -> None:
    """`asyncio.create_task(model.achat_complete(...))` works."""

    async def main() -> list[str | None]:
        async with model_at(sim, "openrouter") as model:
            tasks = [asyncio.create_task(model.achat_complete(f"n{number}")) for number in range(3)]
            return [response.content for response in await asyncio.gather(*tasks)]

    assert asyncio.run(main()) == ["You said: n0", "You said: n1", "You said: n2"]


# Leaving early.


def broken_off(sim: Simulator) -> LanguageModel:
    """A model whose next stream stays open until the client leaves."""
    sim.script(Reply(chunks=WORDS, gated=True))
    sim.release(2)
    return model_at(sim, "openrouter", timeout=5)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("index", range(4))
def test_leaving_a_loop_closes_the_connection(sim: Simulator, drive: Drive, provider: str, index: int) -> None:
    """`break` after any chunk closes the connection within a second; the attempt is booked, its cost unknown."""
    sim.script(Reply(chunks=WORDS, gated=True))
    sim.release(index + 1)
    model = drive.make(sim, provider, timeout=5)

    def sync() -> str:
        text = ""
        for chunk in model.chat_complete("hello", stream=True):
            text += chunk.content
            if chunk.content == WORDS[index]:
                break
        return text

    async def loop() -> str:
        text = ""
        async with model.achat_complete("hello", stream=True) as stream:
            async for chunk in stream:
                text += chunk.content
                if chunk.content == WORDS[index]:
                    break
        return text

    assert (drive.await_(loop()) if drive.is_async else sync()) == "".join(WORDS[: index + 1])
    assert gone(sim)
    totals = model.totals()
    assert (totals.calls, totals.attempts, totals.unknown) == (0, 1, 1)


def test_an_async_loop_that_is_left_without_a_context_closes_the_connection(sim: Simulator) -> None:
    """After `break` out of a bare `async for`, the loop closes what the generator held."""

    async def main() -> None:
        async with broken_off(sim) as model:
            async for _ in model.achat_complete("hello", stream=True):
                break
            assert await soon(lambda: sim.open_connections == 0)

    asyncio.run(main())
    assert sim.open_connections == 0


def test_the_context_manager_closes_the_connection(sim: Simulator, drive: Drive) -> None:
    """Leaving `with` closes the connection, whether the stream was read or not; `partial` keeps what came."""
    model = drive.keep(broken_off(sim))

    async def loop() -> Any:
        async with model.achat_complete("hello", stream=True) as stream:
            pass
        return stream

    def sync() -> Any:
        with model.chat_complete("hello", stream=True) as stream:
            pass
        return stream

    stream = drive.await_(loop()) if drive.is_async else sync()
    assert gone(sim)
    assert stream.partial.content.startswith(WORDS[0])
    with pytest.raises(RuntimeError, match="closed before its end"):
        _ = stream.response
    drive.close(stream)  # closing twice is fine
    assert model.totals().attempts == 1


def test_an_exception_in_the_loop_closes_the_connection(sim: Simulator, drive: Drive) -> None:
    """An exception of the caller passes through unchanged, and the connection closes."""
    model = drive.keep(broken_off(sim))

    async def loop() -> None:
        async with model.achat_complete("hello", stream=True) as stream:
            async for _ in stream:
                raise ZeroDivisionError

    def sync() -> None:
        for _ in model.chat_complete("hello", stream=True):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive.await_(loop()) if drive.is_async else sync()
    assert gone(sim)


def test_garbage_collection_closes_the_connection(sim: Simulator) -> None:
    """A sync stream that nobody holds any more closes its connection."""
    with broken_off(sim) as model:
        stream: Any = model.chat_complete("hello", stream=True)
        next(stream)
        del stream
        gc.collect()
        assert gone(sim)
        assert model.totals().attempts == 1


def test_garbage_collection_closes_an_async_stream(sim: Simulator) -> None:
    """An async stream that nobody holds any more closes its connection on its loop."""

    async def main() -> int:
        async with broken_off(sim) as model:
            stream: Any = await model.achat_complete("hello", stream=True)
            await anext(stream)
            del stream
            gc.collect()
            assert await soon(lambda: sim.open_connections == 0)
            return model.totals().attempts

    assert asyncio.run(main()) == 1
    assert sim.open_connections == 0


@pytest.mark.parametrize("mode", ["plain", "streamed", "before content"])
def test_cancellation_closes_the_connection(sim: Simulator, mode: str) -> None:
    """A cancelled task raises `CancelledError`, sends nothing again, and its connection closes."""
    sim.script(Reply(chunks=WORDS, gated=True))
    if mode == "streamed":
        sim.release(2)

    async def use(model: LanguageModel) -> None:
        if mode == "plain":
            await model.achat_complete("hello")
        else:
            async for _ in model.achat_complete("hello", stream=True):
                pass

    async def main() -> LanguageModel:
        async with model_at(sim, "openrouter", timeout=5) as model:
            task = asyncio.create_task(use(model))
            assert await soon(lambda: bool(sim.requests))
            await asyncio.sleep(0.03)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await soon(lambda: sim.open_connections == 0)
            return model

    model = asyncio.run(main())
    assert len(sim.requests) == 1
    assert (model.totals().attempts, model.totals().unknown) == (1, 1)


def test_a_timeout_of_the_caller_passes_through(sim: Simulator) -> None:
    """`asyncio.timeout` around a call ends it as the caller's own `TimeoutError`, and is not retried."""
    sim.script(Reply(delay=30))

    async def limited(model: LanguageModel) -> None:
        async with asyncio.timeout(60) as limit:
            arrival = asyncio.ensure_future(soon(lambda: bool(sim.requests)))
            arrival.add_done_callback(lambda _: limit.reschedule(asyncio.get_running_loop().time()))
            await model.achat_complete("hello")

    async def main() -> None:
        async with model_at(sim, "openrouter") as model:
            with pytest.raises(TimeoutError) as caught:
                await limited(model)
            assert type(caught.value) is TimeoutError

    asyncio.run(main())
    assert len(sim.requests) == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an interval timer")
@pytest.mark.parametrize("mode", ["plain", "streamed"])
def test_ctrl_c_closes_the_connection(sim: Simulator, mode: str) -> None:
    """Ctrl-C in a blocking call passes through at once, nothing is sent again, and the connection closes."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def interrupt_soon() -> None:
        assert until(lambda: bool(sim.requests), 10)
        signal.setitimer(signal.ITIMER_REAL, 0.2)

    sim.script(Reply(chunks=WORDS, gated=True))
    if mode == "streamed":
        sim.release(2)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with model_at(sim, "openrouter", timeout=20) as model:
            waiter = threading.Thread(target=interrupt_soon)
            waiter.start()
            with pytest.raises(KeyboardInterrupt):
                drain(model, mode)
            waiter.join()
            assert gone(sim)
            assert (model.totals().attempts, model.totals().unknown) == (1, 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(sim.requests) == 1


def drain(model: LanguageModel, mode: str) -> None:
    """One blocking call, read to its end."""
    if mode == "plain":
        model.chat_complete("hello")
    else:
        for _ in model.chat_complete("hello", stream=True):
            pass


def test_a_model_stays_usable_after_streams_were_left(sim: Simulator, drive: Drive) -> None:
    """Streams that were left early take nothing away from later calls, even from a pool of one connection."""
    model = drive.make(sim, "openrouter", max_connections=1, timeout=5)
    for _ in range(5):
        drive.close(drive.open(model))
    assert drive.ask(model).content == "You said: hello"


# What ends a stream.


@pytest.mark.parametrize("form", ["repeat", "empty-choices", "null-finish"])
def test_every_form_of_the_usage_chunk_is_read(sim: Simulator, drive: Drive, form: Any) -> None:
    """OpenRouter's usage is taken wherever it comes, the finish reason once, and no usage chunk is lost or doubled."""
    sim.script(Reply(chunks=WORDS, usage_form=form, cost=Decimal("0.000123456789012345")))
    heard = drive.hear(drive.make(sim, "openrouter"))
    assert heard.response is not None
    assert (heard.text, heard.response.finish_reason) == (TEXT, "stop")
    assert heard.response.cost.amount == sim.bill[0].cost == Decimal("0.000123456789012345")
    assert heard.response.usage.total_tokens == sim.bill[0].prompt_tokens + sim.bill[0].completion_tokens


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_comments_are_no_chunks(sim: Simulator, drive: Drive, provider: str) -> None:
    """Keep-alive comments before the answer give no chunk."""
    sim.script(Reply(chunks=WORDS, comments=30, comment_delay=0))
    heard = drive.hear(drive.make(sim, provider))
    assert heard.error is None
    assert heard.text == TEXT
    assert len(heard.texts) <= len(WORDS) + 3


def test_a_stream_without_done_is_whole_if_it_has_a_finish_reason(sim: Simulator, drive: Drive) -> None:
    """`[DONE]` is not what makes an answer whole."""
    sim.script(Reply(chunks=WORDS, done=False))
    heard = drive.hear(drive.make(sim, "openrouter"))
    assert heard.error is None
    assert heard.text == TEXT


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_done_without_a_finish_reason_is_a_cut(sim: Simulator, drive: Drive, provider: str) -> None:
    """A stream that says `[DONE]` and never why it ended is `StreamInterrupted`."""
    sim.script(Reply(chunks=WORDS, finish_reason=None))
    heard = drive.hear(drive.make(sim, provider))
    assert isinstance(heard.error, StreamInterrupted)
    assert heard.text == heard.error.partial_text == TEXT


@pytest.mark.parametrize("provider", ["openrouter", "ollama"])
def test_a_server_that_holds_the_socket_does_not_hold_the_caller(sim: Simulator, drive: Drive, provider: str) -> None:
    """After the end of the answer the caller is free within about a second, though the server keeps the socket."""
    sim.script(Reply(chunks=WORDS, hold_after_done=30))
    heard = drive.hear(drive.make(sim, provider, timeout=20))
    assert heard.error is None
    assert heard.text == TEXT
    assert heard.response is not None
    assert heard.response.attempts[0].elapsed < 2.5
    assert gone(sim)


# Not a stream at all.

PAGE = b"<!DOCTYPE html><html><body><h1>Just a moment...</h1></body></html>"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(body=PAGE, content_type="text/html"), MalformedResponse),
        (Reply(body=b""), EmptyResponse),
        (Reply(body=b"\r\n\r\n"), EmptyResponse),
        (Reply(body=b"upstream connect error"), MalformedResponse),
        (Reply(raw_chunks=[b"\xff\xfe\x00", b"\x80\x81"]), MalformedResponse),
    ],
    ids=["html", "empty", "blank lines", "text", "bytes"],
)
def test_a_body_that_is_no_stream_is_a_typed_error(
    sim: Simulator, drive: Drive, provider: str, reply: Reply, expected: type[Exception]
) -> None:
    """A page, nothing, or noise under HTTP 200 is a `MalformedResponse`, never an empty answer."""
    sim.script(reply)
    heard = drive.hear(drive.make(sim, provider, retry=None))
    assert isinstance(heard.error, expected)
    assert heard.error.partial is None
    assert heard.texts == []


def test_a_plain_document_in_place_of_a_stream_is_an_answer(sim: Simulator, drive: Drive) -> None:
    """A server that ignores `stream` and answers whole gives one chunk and the response."""
    document = {
        "id": "gen-9", "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "whole"}}],
    }  # fmt: skip
    sim.script(Reply(body=json.dumps(document).encode(), content_type="application/json"))
    heard = drive.hear(drive.make(sim, "openrouter"))
    assert heard.error is None
    assert heard.text == "whole"
    assert heard.response is not None
    assert (heard.response.id, heard.response.usage.total_tokens) == ("gen-9", 3)


@pytest.mark.parametrize("form", ["documented", "bare", "choices-empty", "error-usage", "string-code"])
@pytest.mark.parametrize("after", [0, 2])
def test_every_form_of_an_error_event_ends_the_stream(sim: Simulator, drive: Drive, form: Any, after: int) -> None:
    """An error inside a stream is raised in each form that OpenRouter uses, with its words, id and what had come."""
    sim.script(Reply(chunks=WORDS, error="the upstream fell over", error_after=after, error_form=form))
    heard = drive.hear(drive.make(sim, "openrouter", retry=None))
    assert heard.error is not None
    assert isinstance(heard.error, StreamInterrupted) == (after > 0)
    assert "the upstream fell over" in str(heard.error)
    assert (heard.error.partial_text or "") == heard.text == "".join(WORDS[:after])
    if form != "string-code":
        assert heard.error.status == 502
    if form != "bare":
        assert heard.error.request_id == "gen-sim-000001"
    if after:
        assert isinstance(heard.error, StreamInterrupted)
        assert heard.error.reason is not None


@pytest.mark.parametrize("provider", ["openai", "ollama"])
@pytest.mark.parametrize("after", [0, 2])
def test_an_error_event_of_the_other_dialects_ends_the_stream(
    sim: Simulator, drive: Drive, provider: str, after: int
) -> None:
    """OpenAI's error event and Ollama's error line are raised too."""
    sim.script(Reply(chunks=WORDS, error="the runner stopped", error_after=after))
    heard = drive.hear(drive.make(sim, provider, retry=None))
    assert heard.error is not None
    assert isinstance(heard.error, StreamInterrupted) == (after > 0)
    assert "the runner stopped" in str(heard.error)
    assert (heard.error.partial_text or "") == heard.text == "".join(WORDS[:after])


def test_the_error_of_a_stream_is_raised_again_by_response(sim: Simulator, drive: Drive) -> None:
    """After a failed stream `.response` raises that same error, and `.partial` has what came."""
    sim.script(Reply(chunks=WORDS, cut_after=2))
    heard = drive.hear(drive.make(sim, "openrouter"))
    with pytest.raises(StreamInterrupted) as caught:
        _ = heard.stream.response
    assert caught.value is heard.error
    assert heard.stream.partial.content == "one two "
