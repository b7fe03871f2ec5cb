"""Many calls at once, and who leaves in the middle: nothing is lost, counted twice or left open."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from llmkit import BatchStopped, InvalidStructure, LLMError, ModelClosed, Response
from llmkit.language.conversation import Conversation
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import FAST, Drive, model_at, until

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
GOOD, BAD = '{"a": 1}', '{"a": "x"}'


def billed(sim: Simulator) -> Decimal:
    """What the service charges for all that it answered."""
    return sum((charge.cost or Decimal(0) for charge in sim.bill), Decimal(0))


def asked(sim: Simulator) -> list[str]:
    """What reached the service."""
    return [str(request.json["messages"][-1]["content"]) for request in sim.requests]


async def reached(sim: Simulator, number: int) -> None:
    """Wait until so many requests are at the service."""
    assert await asyncio.to_thread(until, lambda: len(sim.requests) >= number, 20)


# One model, many batches


def test_several_threads_map_with_one_model(sim: Simulator) -> None:
    """Each batch has its own results in its own order; together they cost what the totals say."""
    with model_at(sim, "openrouter") as model:

        def batch(name: int) -> list[Any]:
            return model.map([f"{name}-{number}" for number in range(20)], concurrency=4)

        with ThreadPoolExecutor(5) as threads:
            batches = list(threads.map(batch, range(5)))
        for name, results in enumerate(batches):
            assert [item.content for item in results] == [f"You said: {name}-{number}" for number in range(20)]
        assert sorted(asked(sim)) == sorted(f"{name}-{number}" for name in range(5) for number in range(20))
        assert model.totals().calls == 100
        assert model.totals().amount == billed(sim)
    assert until(lambda: sim.open_connections == 0, 5)


def test_two_loops_map_with_one_model(sim: Simulator) -> None:
    """A batch in each of two event loops, in two threads."""
    model = model_at(sim, "openrouter")

    def batch(name: str) -> list[Any]:
        return asyncio.run(model.amap([f"{name}{number}" for number in range(30)], concurrency=8))

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(batch, "ab")
    model.close()
    assert [item.content for item in first] == [f"You said: a{number}" for number in range(30)]
    assert [item.content for item in second] == [f"You said: b{number}" for number in range(30)]
    assert model.totals().amount == billed(sim)
    assert until(lambda: sim.open_connections == 0, 5)


# Who leaves


def test_a_batch_in_a_group_that_fails(sim: Simulator) -> None:
    """A sibling's failure cancels the batch: its calls end, nothing more is sent, and the model stays usable."""
    sim.script(*[Reply(text="x", gated=True)] * 4)
    model = model_at(sim, "openrouter")

    async def fail() -> None:
        await reached(sim, 4)
        raise ValueError("boom")

    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(model.amap(list("abcdefgh"), concurrency=4))
            group.create_task(fail())

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await grouped()
        assert [str(error) for error in caught.value.exceptions] == ["boom"]
        assert len(asyncio.all_tasks()) == 1
        assert sorted(asked(sim)) == list("abcd")
        sim.release(4)
        assert (await model.achat_complete("again")).content == "You said: again"
        totals = model.totals()
        assert (totals.calls, totals.attempts, totals.unknown) == (1, 5, 4)
        await model.aclose()

    asyncio.run(main())
    assert until(lambda: sim.open_connections == 0, 5)


def test_a_model_that_is_closed_during_map(sim: Simulator) -> None:
    """Every input has its result: what was not answered is `ModelClosed`, and nothing more is sent."""
    sim.script(*[Reply(text="x", gated=True)] * 4)
    model = model_at(sim, "openrouter", timeout=30)
    with ThreadPoolExecutor(1) as threads:
        results = threads.submit(model.map, list("abcdefgh"), concurrency=4)
        assert until(lambda: len(sim.requests) == 4, 20)
        model.close()
        sim.release(4)
        found = results.result(25)
    assert len(found) == 8
    assert all(isinstance(item, ModelClosed) or item.content == "x" for item in found)
    assert all(isinstance(item, ModelClosed) for item in found[4:])
    assert sorted(asked(sim)) == list("abcd")
    assert until(lambda: sim.open_connections == 0, 5)


def test_a_model_that_is_closed_during_amap(sim: Simulator) -> None:
    """As in `map`. `close()` leaves open calls of a loop their connections, so these are answered."""
    sim.script(*[Reply(text="x", gated=True)] * 4)
    model = model_at(sim, "openrouter", timeout=30)

    async def main() -> list[Response | LLMError]:
        batch = asyncio.create_task(model.amap(list("abcdefgh"), concurrency=4))
        await reached(sim, 4)
        model.close()
        sim.release(4)
        return await batch

    found = asyncio.run(main())
    assert [item.content for item in found[:4] if isinstance(item, Response)] == ["x"] * 4
    assert all(isinstance(item, ModelClosed) for item in found[4:])
    assert sorted(asked(sim)) == list("abcd")
    assert until(lambda: sim.open_connections == 0, 5)


@pytest.mark.parametrize("form", ["await", "async with", "async for"])
def test_a_stream_that_is_cancelled_while_it_opens(sim: Simulator, form: str) -> None:
    """The conversation is free at once, even where the error is still being handled; the stream is closed."""
    sim.script(Reply(text="slow", gated=True))
    model = model_at(sim, "openrouter")

    async def use(stream: Any) -> None:
        if form == "await":
            await stream
        elif form == "async with":
            async with stream:
                pass
        else:
            async for _ in stream:
                pass

    async def main() -> None:
        talk = Conversation(model)
        stream = talk.asend("one", stream=True)
        task = asyncio.create_task(use(stream))
        await reached(sim, 1)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            assert (await talk.asend("two")).content == "You said: two"
        else:
            pytest.fail("it was not cancelled")
        assert [chunk async for chunk in stream] == []
        with pytest.raises(RuntimeError, match="closed before its end"):
            _ = stream.response
        assert model.totals().attempts == 2
        await model.aclose()

    asyncio.run(main())
    sim.release(10)
    assert until(lambda: sim.open_connections == 0, 5)


def test_a_question_that_is_cancelled_before_it_began(sim: Simulator) -> None:
    """The conversation is free, though the traceback of the cancellation still holds the question."""
    model = model_at(sim, "openrouter")

    async def main() -> None:
        talk = Conversation(model)
        task = asyncio.create_task(talk.asend("one"))
        task.cancel()
        (held,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(held, asyncio.CancelledError)
        assert (await talk.asend("two")).content == "You said: two"
        assert asked(sim) == ["two"]
        await model.aclose()

    asyncio.run(main())
    gc.collect()


def test_a_stream_that_another_thread_closes(sim: Simulator) -> None:
    """It ends when the chunk that is waited for comes; then the connection is closed."""
    sim.script(Reply(chunks=["a ", "b ", "c ", "d "], gated=True))
    sim.release(1)
    with model_at(sim, "openrouter", timeout=20) as model:
        stream = model.chat_complete("x", stream=True)
        over: list[object] = []
        stream.when_over(over.append)
        got: list[str | None] = []
        waiting = threading.Event()

        def read() -> None:
            for chunk in stream:
                got.append(chunk.choices[0].delta.content)
                waiting.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert waiting.wait(10)
        assert until(lambda: stream._batches is not None and stream._batches.gi_running, 10)  # type: ignore[attr-defined]
        stream.close()
        sim.release(1)
        reader.join(10)
        assert not reader.is_alive()
        assert (got, over) == (["a "], [None])
        assert until(lambda: sim.open_connections == 0, 5)
        assert (model.totals().attempts, model.totals().unknown) == (1, 1)


def test_a_stream_that_another_task_closes(sim: Simulator) -> None:
    """As with threads."""
    sim.script(Reply(chunks=["a ", "b ", "c ", "d "], gated=True))
    sim.release(1)
    model = model_at(sim, "openrouter", timeout=20)

    async def main() -> None:
        stream = await model.achat_complete("x", stream=True)
        over: list[object] = []
        stream.when_over(over.append)
        got: list[str | None] = []

        async def read() -> None:
            async for chunk in stream:
                got.append(chunk.choices[0].delta.content)
                waiting.set()

        waiting = asyncio.Event()
        reader = asyncio.create_task(read())
        await waiting.wait()
        await stream.close()
        sim.release(1)
        await asyncio.wait_for(reader, 10)
        assert (got, over) == (["a "], [None])
        assert await asyncio.to_thread(until, lambda: sim.open_connections == 0, 5)
        assert (model.totals().attempts, model.totals().unknown) == (1, 1)
        await model.aclose()

    asyncio.run(main())


# Money


@pytest.mark.parametrize("with_spare", [False, True])
def test_every_kind_of_second_try_is_counted_once(sim: Simulator, drive: Drive, with_spare: bool) -> None:
    """Retries of the structure and of the transport, and a fallback: attempts, totals and the bill agree exactly."""
    spares = [drive.make(sim, "openrouter", "openai/gpt-4o")] if with_spare else []
    model = drive.make(sim, "openrouter", structured=SCHEMA, structured_retries=1, fallbacks=spares)
    sim.script(Reply(status=503), Reply(text=BAD), Reply(text=BAD), *[Reply(text=GOOD)] * with_spare)
    if with_spare:  # The spare gives a bad answer, and the first target, tried again, one bad and one good.
        response = drive.ask(model, structured_retries=1)
        attempts, outcomes = response.attempts, [attempt.outcome for attempt in response.attempts]
        assert outcomes == ["Overloaded", "InvalidStructure", "InvalidStructure", "ok"]
    else:
        error = drive.failure(model)
        assert isinstance(error, InvalidStructure)
        attempts, outcomes = error.attempts, [attempt.outcome for attempt in error.attempts]
        assert outcomes == ["Overloaded", "InvalidStructure", "InvalidStructure"]
    totals = model.totals()
    assert totals.attempts == len(attempts) == len(sim.requests)
    assert totals.calls == outcomes.count("ok")
    assert totals.exact
    known = [attempt.cost.amount for attempt in attempts]
    assert totals.amount == sum(amount for amount in known if amount is not None) == billed(sim)
    assert totals.prompt_tokens == sum(charge.prompt_tokens for charge in sim.bill)


def test_streams_of_structure_are_counted_once(sim: Simulator, drive: Drive) -> None:
    """A second try before the first content, and an answer that does not validate after it."""
    model = drive.make(sim, "openrouter", structured=SCHEMA, structured_retries=2)
    sim.script(Reply(status=503), Reply(text=GOOD), Reply(status=429), Reply(text=BAD))
    good, bad = drive.hear(model), drive.hear(model)
    assert good.response is not None
    assert isinstance(bad.error, InvalidStructure)
    attempts = [*good.response.attempts, *bad.error.attempts]
    assert [attempt.outcome for attempt in attempts] == ["Overloaded", "ok", "RateLimited", "InvalidStructure"]
    totals = model.totals()
    assert totals.attempts == len(attempts) == len(sim.requests)
    assert totals.amount == sum(attempt.cost.amount or Decimal(0) for attempt in attempts) == billed(sim)
    assert totals.exact


def test_the_batch_counts_what_the_totals_count(sim: Simulator, drive: Drive) -> None:
    """`max_cost` looks at every attempt: those that a second try paid for too."""
    model = drive.make(sim, "openrouter", structured=SCHEMA, structured_retries=1, retry=FAST)
    sim.script(*[Reply(text=text, cost=Decimal("0.01")) for text in [BAD, GOOD] * 3])
    bounds: dict[str, Any] = {"concurrency": 1, "max_cost": "0.04"}
    found = drive.await_(model.amap(list("abc"), **bounds)) if drive.is_async else model.map(list("abc"), **bounds)
    assert [type(item) for item in found] == [Response, Response, BatchStopped]
    assert model.totals().amount == billed(sim) == Decimal("0.04")


def test_a_whole_answer_on_this_machine_is_free_whatever_came_of_it(sim: Simulator, drive: Drive, mode: str) -> None:
    """A local model that reports no counts is free, also where its answer does not validate."""
    sim.script(Reply(text=BAD, usage="missing"))
    model = drive.make(sim, "ollama", structured=SCHEMA)
    error = drive.failure(model, mode)
    assert isinstance(error, InvalidStructure)
    assert (error.attempts[0].cost.amount, error.attempts[0].cost.basis) == (0, "free")
    assert model.totals().exact
