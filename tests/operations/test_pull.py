"""A model is fetched step by step; leaving early closes the connection, and every failure has its error."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from llmkit import (
    CannotConnect,
    ConfigError,
    ConnectionFailed,
    LLMError,
    LLMTimeout,
    ModelNotFound,
    PullProgress,
    Unsupported,
)
from llmkit.operations.lists import list_models
from llmkit.operations.pull import apull_model, pull_model
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import Drive, until

LAYER = "sha256:" + "a" * 64


def lines(*steps: dict[str, object]) -> list[bytes]:
    """Each step as a line of the wire."""
    return [json.dumps(step).encode() + b"\n" for step in steps]


LAYERS = lines(*({"status": "pulling", "digest": LAYER, "total": 100, "completed": n} for n in range(0, 101, 10)))


def test_a_step_survives_json() -> None:
    """With what it says, and without."""
    for step in (PullProgress("success"), PullProgress("pulling", LAYER, 0, 100)):
        assert PullProgress.from_dict(json.loads(json.dumps(step.to_dict()))) == step


class Pull:
    """One pull, sync or async, step by step."""

    def __init__(self, drive: Drive, model: str, **settings: Any) -> None:
        self._drive = drive
        self._steps: Any = (apull_model if drive.is_async else pull_model)(model, **settings)

    def next(self) -> Any:
        """The next step."""
        if not self._drive.is_async:
            return next(self._steps)

        async def step() -> Any:
            return await anext(self._steps)

        return self._drive.await_(step())

    def rest(self) -> list[Any]:
        """All steps, by the loop of the language."""
        if not self._drive.is_async:
            return list(self._steps)

        async def collect() -> list[Any]:
            return [step async for step in self._steps]

        return self._drive.await_(collect())

    def close(self) -> None:
        """Leave."""
        self._drive.close(self._steps)


def pulled(sim: Simulator) -> Iterator[Any]:
    return (request for request in sim.requests if request.path == "/api/pull")


def test_the_steps_of_a_pull(sim: Simulator, drive: Drive) -> None:
    """Status, layer and bytes, to the end; then the connection is closed."""
    steps = Pull(drive, "llama3.2", base_url=sim.ollama_url).rest()
    assert (steps[0].status, steps[-1].status) == ("pulling manifest", "success")
    layers = [step for step in steps if step.digest and step.completed]
    assert layers
    assert all(0 < step.completed <= step.total for step in layers)
    assert len(list(pulled(sim))) == 1
    assert until(lambda: sim.open_connections == 0)


def test_a_pull_begins_with_the_first_step(sim: Simulator, drive: Drive) -> None:
    """Before a step is asked for, nothing is sent; a pull that was never begun needs no connection."""
    pull = Pull(drive, "llama3.2", base_url=sim.ollama_url)
    assert sim.requests == []
    pull.close()
    assert sim.connections == 0


def test_leaving_early_closes_the_connection(sim: Simulator, drive: Drive) -> None:
    """A pull that is left in the middle is broken off, so that the server stops."""
    sim.script_for("/api/pull", Reply(raw_chunks=LAYERS, cut="stall", cut_after=3, content_type="application/x-ndjson"))
    pull = Pull(drive, "llama3.2", base_url=sim.ollama_url)
    assert pull.next().status == "pulling"
    assert sim.open_connections == 1
    pull.close()
    assert until(lambda: sim.open_connections == 0)
    with pytest.raises(StopAsyncIteration if drive.is_async else StopIteration):
        pull.next()


def test_a_long_pull_is_cut_short_by_silence_alone(sim: Simulator, drive: Drive) -> None:
    """`timeout` is the longest silence: steps that keep coming may take longer all together, a silence may not."""
    kept = Reply(
        raw_chunks=[*LAYERS, *lines({"status": "success"})], chunk_delay=0.15, content_type="application/x-ndjson"
    )
    sim.script_for("/api/pull", kept)
    assert Pull(drive, "llama3.2", base_url=sim.ollama_url, timeout=1.5).rest()[-1].status == "success"
    sim.script_for("/api/pull", Reply(raw_chunks=LAYERS, cut="stall", cut_after=3, content_type="application/x-ndjson"))
    pull = Pull(drive, "llama3.2", base_url=sim.ollama_url, timeout=0.3)
    with pytest.raises(LLMTimeout):
        pull.rest()
    assert until(lambda: sim.open_connections == 0)


FAILED = {
    "no such model": ("no-such-model", None, ModelNotFound),
    "error in a step": ("x", Reply(raw_chunks=lines({"status": "pulling manifest"}, {"error": "disk full"})), LLMError),
    "cut": ("x", Reply(raw_chunks=LAYERS, cut_after=3), LLMError),
    "reset": ("x", Reply(raw_chunks=LAYERS, cut_after=3, cut="reset"), ConnectionFailed),
    "404": ("x", Reply(status=404, error="model 'x' not found"), ModelNotFound),
    "500": ("x", Reply(status=500, error="out of order"), LLMError),
}


@pytest.mark.parametrize(("model", "reply", "error"), FAILED.values(), ids=FAILED)
def test_a_pull_that_fails(
    sim: Simulator, drive: Drive, model: str, reply: Reply | None, error: type[LLMError]
) -> None:
    """A pull that does not say that it succeeded raises; the error names provider and model, and it is sent once."""
    if reply is not None:
        sim.script_for("/api/pull", reply)
    with pytest.raises(error) as caught:
        Pull(drive, model, base_url=sim.ollama_url).rest()
    assert (caught.value.provider, caught.value.model) == ("ollama", model)
    assert len(list(pulled(sim))) == 1
    assert until(lambda: sim.open_connections == 0)


def test_nobody_answers(drive: Drive, closed_port: int) -> None:
    """The first step raises."""
    pull = Pull(drive, "llama3.2", base_url=f"http://127.0.0.1:{closed_port}")
    with pytest.raises(CannotConnect):
        pull.next()


def test_what_is_wrong_with_the_call_is_said_at_once(drive: Drive) -> None:
    """A backend that fetches nothing, a name that is none, an unknown setting: before the first step."""
    with pytest.raises(Unsupported, match="OpenAI does not fetch models"):
        Pull(drive, "gpt-4o", provider="openai", api_key="sk-test")
    for model in ("", None, 5):
        with pytest.raises(ConfigError, match="the model is"):
            Pull(drive, model)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="there is no setting"):
        Pull(drive, "llama3.2", num_ctx=5)


def test_after_a_pull_the_model_is_in_the_list(sim: Simulator) -> None:
    """The list is asked for anew, whatever was kept."""
    list_models("ollama", base_url=sim.ollama_url)
    list(pull_model("brand-new", base_url=sim.ollama_url))
    sim.serve("/api/tags", {"models": [{"name": "brand-new:latest", "model": "brand-new:latest"}]})
    assert [item.id for item in list_models("ollama", base_url=sim.ollama_url)] == ["brand-new:latest"]


# Left in other ways


def stalled(sim: Simulator) -> None:
    """The next pull stops in the middle."""
    sim.script_for("/api/pull", Reply(raw_chunks=LAYERS, cut="stall", cut_after=3, content_type="application/x-ndjson"))


def test_a_pull_that_is_dropped_closes_its_connection(sim: Simulator) -> None:
    """Nobody holds the iterator any more."""
    stalled(sim)
    steps = pull_model("llama3.2", base_url=sim.ollama_url)
    next(steps)
    assert sim.open_connections == 1
    del steps
    gc.collect()
    assert until(lambda: sim.open_connections == 0)


@pytest.mark.parametrize("form", ["loop", "context"])
def test_a_pull_in_a_task_that_is_cancelled(sim: Simulator, form: str) -> None:
    """`CancelledError` passes through, nothing is sent again, and the connection closes."""
    stalled(sim)
    got: list[PullProgress] = []

    async def use() -> None:
        steps = apull_model("llama3.2", base_url=sim.ollama_url)
        if form == "loop":
            async for step in steps:
                got.append(step)  # noqa: PERF401 - what came before the cancellation counts
        else:
            async with aclosing(steps):
                while True:
                    got.append(await anext(steps))

    async def main() -> None:
        task = asyncio.create_task(use())
        assert await asyncio.to_thread(until, lambda: len(got) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(until, lambda: sim.open_connections == 0)

    asyncio.run(main())
    assert len(list(pulled(sim))) == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an interval timer")
def test_ctrl_c_ends_a_pull(sim: Simulator) -> None:
    """It passes through at once, nothing is sent again, and the connection closes."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    stalled(sim)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        steps = pull_model("llama3.2", base_url=sim.ollama_url)
        for _ in range(3):
            next(steps)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            next(steps)
        assert until(lambda: sim.open_connections == 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(list(pulled(sim))) == 1
