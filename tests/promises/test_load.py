"""Many calls at once with faults among them: each ends in one result or one typed error, and the books agree."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from llmkit import Attempt, LanguageModel, LLMError, Response, StreamInterrupted
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import FAST, model_at, until

#: What goes wrong in one call of five.
FAULTS = [
    Reply(status=429), Reply(status=500), Reply(status=503), Reply(status=401), Reply(status=400),
    Reply(body=b"", framing="none", cut_bytes=0, cut="reset"),
    Reply(body=b""),
    Reply(body=b"<html>busy</html>", content_type="text/html"),
    Reply(error="no capacity"),
    Reply(chunks=["half ", "an ", "answer"], cut_after=1),
    Reply(chunks=["half ", "an ", "answer"], cut_after=1, cut="reset"),
]  # fmt: skip


#: Seconds that no call needs, however busy the machine is: only a call that hangs meets it.
TIMEOUT = 300.0


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> int:
    """How many times as many calls the long set makes."""
    return 5 if request.config.getoption("long") else 1


def prepare(sim: Simulator, calls: int) -> None:
    """A script in which one reply of five is a fault, always the same ones."""
    rng = random.Random(11)
    sim.script(*[rng.choice(FAULTS) if rng.random() < 0.2 else Reply(text="fine") for _ in range(2 * calls)])


def was_sent(attempt: Attempt) -> bool:
    """Did the service get the request? A machine that is very busy may make or free no connection in time."""
    return attempt.outcome not in ("CannotConnect", "ConnectTimeout", "LocalOverload")


def judge(sim: Simulator, model: LanguageModel, ends: list[Response | LLMError], calls: int) -> None:
    """Nothing is lost, nothing is counted twice; the attempts are the requests, and those that found no connection."""
    totals = model.totals()
    good = [end for end in ends if isinstance(end, Response)]
    assert len(ends) == calls
    assert all(response.content == "fine" for response in good)
    attempts = [attempt for end in ends for attempt in end.attempts]
    assert len(attempts) == totals.attempts
    assert len(sim.requests) == sum(was_sent(attempt) for attempt in attempts)
    assert totals.calls == len(good)
    assert totals.priced + totals.unknown + totals.not_billed == totals.attempts
    costs = [attempt.cost.amount for attempt in attempts]
    assert totals.amount == sum((cost for cost in costs if cost is not None), Decimal(0))
    assert costs.count(None) == totals.unknown
    heard = [end for end in ends if all(map(was_sent, end.attempts))]
    kinds = Counter(type(end).__name__ for end in heard)
    assert kinds["Response"] > 0.8 * len(heard)
    assert {"AuthFailed", "BadRequest", "StreamInterrupted"} <= set(kinds)
    for end in ends:
        if isinstance(end, StreamInterrupted):
            assert end.partial_text == "half "


def test_a_thousand_calls_at_once(sim: Simulator, scale: int) -> None:
    """1,000 async calls submitted at once, half of them streams, one reply of five a fault."""
    calls = 1000 * scale
    prepare(sim, calls)
    model = model_at(sim, "openrouter", retry=FAST, timeout=TIMEOUT)

    async def one(number: int) -> Response | LLMError:
        try:
            if number % 2:
                return await model.achat_complete(f"n{number}")
            stream = await model.achat_complete(f"n{number}", stream=True)
            async for _ in stream:
                pass
            return stream.response
        except LLMError as error:
            return error

    async def main() -> list[Response | LLMError]:
        return await asyncio.gather(*(one(number) for number in range(calls)))

    ends = asyncio.run(main())
    judge(sim, model, ends, calls)
    assert until(lambda: sim.open_connections == 0, 3)
    model.close()


def test_three_hundred_calls_from_threads(sim: Simulator, scale: int) -> None:
    """The same from 16 threads, in the sync half."""
    calls = 300 * scale
    prepare(sim, calls)
    with model_at(sim, "openrouter", retry=FAST, timeout=TIMEOUT) as model:

        def one(number: int) -> Response | LLMError:
            try:
                if number % 2:
                    return model.chat_complete(f"n{number}")
                stream = model.chat_complete(f"n{number}", stream=True)
                for _ in stream:
                    pass
                return stream.response
            except LLMError as error:
                return error

        with ThreadPoolExecutor(16) as threads:
            ends = list(threads.map(one, range(calls)))
        judge(sim, model, ends, calls)
    assert until(lambda: sim.open_connections == 0, 3)


def loses_slots() -> bool:
    """Is the async half on httpcore 1, whose pool loses a connection with a cancelled call?"""
    hidden = "aiohttp" in sys.modules and sys.modules["aiohttp"] is None
    backends = ["httpcore2"] if hidden else ["httpcore2", "httpx_aiohttp"]
    return all(importlib.util.find_spec(name) is None for name in backends)


def test_calls_that_are_cancelled_leave_the_pool_whole(sim: Simulator) -> None:
    """After 300 cancellations at every moment of a call, the next calls on a small pool all succeed."""
    if loses_slots():
        pytest.skip("openai 2 without aiohttp stands on httpcore 1, whose pool loses connections to cancelled calls")

    async def main() -> list[str | None]:
        rng = random.Random(5)
        async with model_at(sim, "openrouter", max_connections=5, timeout=10, retry=None) as model:

            async def use(number: int) -> None:
                if number % 2:
                    await model.achat_complete("hello")
                else:
                    async for __ in model.achat_complete("hello", stream=True):
                        pass

            for _ in range(6):
                tasks = [asyncio.create_task(use(number)) for number in range(50)]
                for task in tasks:
                    if rng.random() < 0.5:
                        await asyncio.sleep(rng.random() * 0.002)
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            answers = await asyncio.gather(*(model.achat_complete(f"n{number}") for number in range(20)))
            assert model.totals().calls + model.totals().unknown + model.totals().not_billed == model.totals().attempts
            return [response.content for response in answers]

    assert asyncio.run(main()) == [f"You said: n{number}" for number in range(20)]
    assert until(lambda: sim.open_connections == 0, 3)
