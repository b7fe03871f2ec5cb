"""`map` and `amap`: every input ends in one result or one typed error, in order, within the bounds that were set."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import (
    AllTargetsFailed,
    BadRequest,
    BatchStopped,
    ConfigError,
    LanguageModel,
    LLMError,
    ModelClosed,
    RateLimited,
    Response,
    ServerError,
    Unsupported,
)
from llmkit.language.many import Batch
from llmkit.language.progress import format_notes
from llmkit.testing import Answer, FakeModel
from llmkit.testing.simulator import Reply, Simulator
from llmkit.types.responses import Attempt
from llmkit.types.usage import NOT_BILLED, UNKNOWN_COST, Cost
from tests.conftest import Drive, model_at, until
from tests.fork_server import ForkServer


def ask(drive: Drive, model: LanguageModel, inputs: Any, **bounds: Any) -> list[Response | LLMError]:
    """`map` or `amap`."""
    if drive.is_async:
        return drive.await_(model.amap(inputs, **bounds))
    return model.map(inputs, **bounds)


def said(results: list[Response | LLMError]) -> list[str | None]:
    """Texts, and names of errors."""
    return [item.content if isinstance(item, Response) else type(item).__name__ for item in results]


def asked(sim: Simulator) -> list[str]:
    """What reached the service."""
    return [str(request.json["messages"][-1]["content"]) for request in sim.requests]


# What comes back


def test_hundreds_come_back_in_order(sim: Simulator, drive: Drive) -> None:
    """400 inputs, ten of which fail somewhere, give 400 results in their order; each was asked once."""
    model = drive.make(sim, "openrouter", retry=None)
    sim.script(*[Reply(status=400) if number % 40 == 7 else Reply() for number in range(400)])
    results = said(ask(drive, model, [f"n{number}" for number in range(400)]))
    assert results.count("BadRequest") == 10
    assert all(text in (f"You said: n{number}", "BadRequest") for number, text in enumerate(results))
    assert sorted(asked(sim)) == sorted(f"n{number}" for number in range(400))
    assert model.totals().calls == 390
    drive.close(model)
    assert until(lambda: sim.open_connections == 0, 3)


def test_a_failure_is_the_result_of_its_input_alone(drive: Drive) -> None:
    """A typed error stands in the place of its input; the others have their answers."""

    def answer(messages: Any) -> Any:
        text = messages[-1].text
        return {"busy": RateLimited("slow down"), "down": ServerError("broken")}.get(text, text.upper())

    model = FakeModel(answer, repeat=True)
    results = ask(drive, model, ["a", "busy", "b", "down", "c"])
    assert said(results) == ["A", "RateLimited", "B", "ServerError", "C"]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (3, "inputs[1]: messages is int"),
        ([], "inputs[1]: messages is empty"),
        ([{"role": "nobody", "content": "x"}], "inputs[1]: messages[0]: role is 'nobody'"),
    ],
    ids=["number", "empty", "role"],
)
def test_a_wrong_input_is_a_result_that_names_it(drive: Drive, wrong: Any, text: str) -> None:
    """An input that is no messages does not stop the others, and its error says which one it was."""
    results = ask(drive, FakeModel("hi", repeat=True), ["a", wrong, "b"])
    assert said(results) == ["hi", "BadRequest", "hi"]
    error = results[1]
    assert isinstance(error, BadRequest)
    assert error.message == text
    assert error.args == (text,)


def test_an_input_that_the_backend_cannot_carry_is_a_result(sim: Simulator, drive: Drive) -> None:
    """A part that the provider does not have is the error of that input."""
    model = drive.make(sim, "ollama")
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    results = ask(drive, model, ["a", [{"role": "user", "content": [image]}]])
    assert said(results) == ["You said: a", "Unsupported"]
    assert isinstance(results[1], Unsupported)
    assert results[1].message == "inputs[1]: messages[0]: content[0]: Ollama takes an image as data, not as an address"


def test_results_hold_no_frames(drive: Drive) -> None:
    """An error that is kept as a value keeps neither prompt nor connection alive by its traceback."""
    (error,) = ask(drive, FakeModel(RateLimited("slow down")), ["a"])
    assert isinstance(error, RateLimited)
    assert error.__traceback__ is None
    with pytest.raises(RateLimited):
        raise error


def test_the_errors_of_a_chain_hold_no_frames(sim: Simulator, drive: Drive) -> None:
    """The errors in an error are kept with it; they hold no frames either."""
    sim.script(*[Reply(status=503)] * 2)
    model = drive.make(sim, "openrouter", retry=None, fallbacks=[drive.make(sim, "openai")])
    (error,) = ask(drive, model, ["a"])
    assert isinstance(error, AllTargetsFailed)
    assert len(error.errors) == 2
    for item in (error, *error.errors):
        assert item.__traceback__ is None
        assert getattr(item.__context__, "__traceback__", None) is None


def test_nothing_in_nothing_out(drive: Drive) -> None:
    """No inputs, no results."""
    assert ask(drive, FakeModel(), []) == []
    assert ask(drive, FakeModel(), iter(())) == []


def test_streaming_by_default_does_not_matter(drive: Drive) -> None:
    """A model that streams by default gives whole answers here."""
    assert said(ask(drive, FakeModel("hi", streaming=True), ["a"])) == ["hi"]


def test_settings_go_to_every_call(drive: Drive) -> None:
    """A setting of `map` is a setting of each call."""
    model = FakeModel("hi", repeat=True)
    ask(drive, model, ["a", "b"], temperature=0.5)
    assert [call.settings["temperature"] for call in model.calls] == [0.5, 0.5]


# What is wrong with the whole of it


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": 2.0}, "concurrency is 2.0"),
        ({"concurrency": True}, "concurrency is True"),
        ({"max_errors": 0}, "max_errors is 0"),
        ({"max_cost": 0}, "max_cost is 0"),
        ({"max_cost": -1.5}, "max_cost is -1.5"),
        ({"max_cost": float("nan")}, "max_cost is nan"),
        ({"max_cost": Decimal("Infinity")}, "max_cost is Decimal('Infinity')"),
        ({"max_cost": "much"}, "max_cost is 'much'"),
        ({"max_cost": True}, "max_cost is True"),
        ({"temprature": 0}, "there is no setting 'temprature'"),
        ({"temperature": 9}, "temperature must be a number from 0 to 2, not 9"),
        ({"api_key": "x"}, "api_key belongs to the model"),
        ({"stream": True}, "many calls at once give whole answers"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said_at_once(drive: Drive, bounds: Any, text: str) -> None:
    """A wrong bound or setting raises before any input is read or sent."""
    model = FakeModel("hi", repeat=True)
    inputs = iter(["a", "b"])
    with pytest.raises(ConfigError, match=re.escape(text)):
        ask(drive, model, inputs, **bounds)
    assert model.calls == []
    assert next(inputs) == "a"


@pytest.mark.parametrize("inputs", ["a text", {"role": "user", "content": "x"}, b"x", None, 3])
def test_inputs_are_several(drive: Drive, inputs: Any) -> None:
    """One message, a text, or what cannot be iterated is not taken for a list of inputs."""
    with pytest.raises(ConfigError, match="inputs is "):
        ask(drive, FakeModel("hi"), inputs)


def test_a_closed_model_is_said_at_once(drive: Drive) -> None:
    """A closed model raises instead of giving as many errors as there are inputs."""
    model = FakeModel("hi")
    model.close()
    with pytest.raises(ModelClosed):
        ask(drive, model, ["a", "b"])


# How many at once, and how far ahead


@pytest.mark.parametrize("concurrency", [1, 3])
def test_at_most_so_many_at_once(sim: Simulator, drive: Drive, concurrency: int) -> None:
    """So many calls are open and not one more; when one ends, one begins."""
    model = drive.make(sim, "openrouter")
    sim.script(*[Reply(gated=True) for _ in range(9)])
    with ThreadPoolExecutor(1) as background:
        results = background.submit(ask, drive, model, [f"n{number}" for number in range(9)], concurrency=concurrency)
        for ended in range(9 - concurrency):
            assert until(lambda: len(sim.requests) == concurrency + ended, 5)  # noqa: B023
            assert not until(lambda: len(sim.requests) > concurrency + ended, 0.03)  # noqa: B023
            sim.release()
        sim.release(9)
        assert said(results.result(10)) == [f"You said: n{number}" for number in range(9)]


def test_a_generator_is_read_as_its_inputs_are_asked(drive: Drive) -> None:
    """At most `concurrency` inputs are read that have no result yet."""
    read: list[int] = []
    model = FakeModel("hi", repeat=True)

    def inputs() -> Iterator[str]:
        for number in range(50):
            read.append(number)
            # Those that were read and have not reached the model yet.
            assert number - len(model.calls) <= 3
            yield f"n{number}"

    results = ask(drive, model, inputs(), concurrency=3)
    assert said(results) == ["hi"] * 50
    assert read == list(range(50))


def test_no_thread_stays(sim: Simulator) -> None:
    """The threads of a batch are gone when it is over."""
    from llmkit import create_language

    before = set(threading.enumerate())
    with create_language("openrouter", "m", base_url=sim.openrouter_url, api_key="sk-test") as model:
        model.map([f"n{number}" for number in range(40)])
        assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("llmkit")]


def test_a_context_variable_reaches_the_call() -> None:
    """A thread of `map` sees the context variables of its caller, as a task of `amap` does."""
    from contextvars import ContextVar

    user: ContextVar[str] = ContextVar("user", default="nobody")
    user.set("ann")
    model = FakeModel(lambda messages: user.get(), repeat=True)
    assert said(model.map(["a", "b"])) == ["ann", "ann"]
    assert said(asyncio.run(model.amap(["a", "b"]))) == ["ann", "ann"]


# What ends the whole of it


class Halt(BaseException):
    """No `Exception`, as Ctrl-C is none."""


def test_an_exception_of_the_iterable_comes_through(sim: Simulator, drive: Drive) -> None:
    """What a generator raises ends the batch once its open calls have ended."""
    model = drive.make(sim, "openrouter")
    sim.script(*[Reply(delay=0.1) for _ in range(3)])

    def inputs() -> Iterator[str]:
        yield from ("a", "b", "c")
        assert until(lambda: len(sim.requests) == 3 or drive.is_async, 5)
        raise LookupError("the file is gone")

    with pytest.raises(LookupError, match="the file is gone"):
        ask(drive, model, inputs())
    totals = model.totals()
    assert totals.calls == (0 if drive.is_async else 3)
    assert totals.attempts == len(sim.requests)


def test_what_is_no_error_of_a_call_ends_the_batch(drive: Drive) -> None:
    """An exception that is no `LLMError` is not swallowed, and nothing more is asked."""

    def answer(messages: Any) -> str:
        if messages[-1].text == "n2":
            raise Halt
        return "hi"

    model = FakeModel(answer, repeat=True)
    with pytest.raises(Halt):
        ask(drive, model, [f"n{number}" for number in range(50)], concurrency=2)
    assert len(model.calls) <= 5


def test_cancellation_ends_the_open_calls(sim: Simulator) -> None:
    """A cancelled `amap` has cancelled its calls and awaited their end: they are booked, their connections closed."""

    async def main() -> None:
        async with model_at(sim, "openrouter") as model:
            sim.script(*[Reply(gated=True) for _ in range(4)])
            batch = asyncio.create_task(model.amap(["x"] * 20, concurrency=4))
            while len(sim.requests) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            batch.cancel()
            with pytest.raises(asyncio.CancelledError):
                await batch
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert model.totals().unknown == model.totals().attempts == 4

    asyncio.run(main())
    assert len(sim.requests) == 4
    assert until(lambda: sim.open_connections == 0, 3)


CTRL_C = """
import asyncio, sys
from llmkit import create_language
model = create_language("openrouter", "m")
try:
    model.map(["x"] * 20, concurrency=4) if sys.argv[1] == "sync" else asyncio.run(model.amap(["x"] * 20, concurrency=4))
except KeyboardInterrupt:
    totals = model.totals()
    print(f"stopped: {totals.calls} answered, {totals.unknown} unknown")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are for POSIX")
@pytest.mark.parametrize("half", ["sync", "async"])
def test_ctrl_c_ends_the_batch(sim: Simulator, half: str) -> None:
    """After Ctrl-C nothing more is asked: `map` waits for its open calls, `amap` cancels them."""
    sim.script(*[Reply(gated=True) for _ in range(4)])
    with subprocess.Popen(
        [sys.executable, "-c", CTRL_C, half], env=environ(sim), stdout=subprocess.PIPE, text=True
    ) as process:
        assert until(lambda: len(sim.requests) == 4, 30)
        process.send_signal(signal.SIGINT)
        if half == "sync":
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.2)
            sim.release(4)
        out, _ = process.communicate(timeout=30)
    assert out == ("stopped: 4 answered, 0 unknown\n" if half == "sync" else "stopped: 0 answered, 4 unknown\n")
    assert len(sim.requests) == 4


def environ(sim: Simulator) -> dict[str, str]:
    """The environment of a program that has the simulator for OpenRouter."""
    return {
        **os.environ,
        "OPENROUTER_API_KEY": "sk-test-0123456789abcdef",
        "OPENROUTER_BASE_URL": sim.openrouter_url,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TERM": "xterm",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }


# Budgets


def test_a_budget_of_money_stops_the_batch(drive: Drive) -> None:
    """When the known costs have reached `max_cost`, the inputs that are left are not asked, and say why."""
    model = FakeModel(Answer("hi", cost="0.1"), repeat=True)
    results = ask(drive, model, [f"n{number}" for number in range(10)], concurrency=1, max_cost=0.3)
    assert said(results) == ["hi"] * 3 + ["BatchStopped"] * 7
    assert len(model.calls) == 3
    assert isinstance(results[9], BatchStopped)
    assert results[9].message == "inputs[9] was not asked: the batch had cost $0.3, max_cost is $0.3"
    assert str(results[9]).startswith("fake:fake-model: inputs[9] was not asked")
    assert results[9].hint


def test_a_budget_is_passed_by_the_open_calls_at_most(drive: Drive) -> None:
    """Calls that are open when the budget is reached still finish, and count; there are at most `concurrency`."""
    model = FakeModel(Answer("hi", cost="0.1"), repeat=True)
    results = ask(drive, model, ["x"] * 30, concurrency=4, max_cost="0.5")
    assert 5 <= said(results).count("hi") < 5 + 4
    assert said(results).count("hi") == len(model.calls)
    assert model.totals().amount == Decimal("0.1") * len(model.calls)


def test_the_cost_of_failed_attempts_counts() -> None:
    """What an attempt cost that failed, or that was tried again, is part of the sum."""
    batch = Batch(["a", "b", "c"], max_cost=Decimal(1))
    batch.take()
    batch.settle(0, failed_after((attempt(Cost(Decimal("0.4"), "reported")), attempt(NOT_BILLED))))
    assert (batch.cost, batch.stopped) == (Decimal("0.4"), None)
    batch.take()
    batch.settle(1, Response((), attempts=(attempt(UNKNOWN_COST), attempt(Cost(Decimal("0.6"), "reported")))))
    assert batch.cost == Decimal("1.0")
    assert batch.unknown == 1
    assert batch.take() is None
    assert isinstance(batch.results()[2], BatchStopped)


def test_unknown_costs_count_as_nothing_and_are_logged(drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    """With `max_cost`, a call of unknown cost is warned of once; it never ends the batch."""
    with caplog.at_level(logging.WARNING, logger="llmkit"):
        assert said(ask(drive, FakeModel("hi", repeat=True), ["x"] * 5, max_cost=0.01)) == ["hi"] * 5
    assert [record.getMessage() for record in caplog.records] == [
        "fake:fake-model: the cost of a call is not known, so max_cost cannot count it"
    ]


def test_a_cost_that_cannot_be_right_ends_no_batch(sim: Simulator, drive: Drive) -> None:
    """It counts as unknown; every input has its answer, and the others are added up."""
    body = '{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"cost":%s}}'
    figures = ["9e999999", "1e999999", "0.25", "1e9999999999999999999", "9e999999", "0.25", "9" * 5000, "1e6"]
    sim.script(*[Reply(body=(body % figure).encode()) for figure in figures])
    model = drive.make(sim, "openrouter")
    assert said(ask(drive, model, ["hi"] * 8, max_cost=2_000_000)) == ["x"] * 8
    assert (model.totals().amount, model.totals().unknown) == (Decimal("1000000.5"), 5)


def test_a_budget_of_errors_stops_the_batch(drive: Drive) -> None:
    """When so many inputs have failed, no further one is asked; wrong inputs are failed ones too."""
    model = FakeModel("hi", RateLimited("slow down"), "hi", RateLimited("slow down"), repeat=True)
    results = ask(drive, model, ["a", "b", 3, "c", "d", "e"], concurrency=1, max_errors=3)
    assert said(results) == ["hi", "RateLimited", "BadRequest", "hi", "RateLimited", "BatchStopped"]
    assert "the batch had 3 failed, max_errors is 3" in str(results[5])


def test_the_last_result_may_reach_the_budget(drive: Drive) -> None:
    """A budget that is reached by the last input leaves nobody out, of a list and of a generator."""
    model = FakeModel(Answer("hi", cost="0.1"), repeat=True)
    assert said(ask(drive, model, ["a", "b"], max_cost=0.2, concurrency=1)) == ["hi", "hi"]
    assert said(ask(drive, model, iter(["a", "b"]), max_cost=0.2, concurrency=1)) == ["hi", "hi"]


def test_an_endless_generator_ends_with_the_budget(drive: Drive) -> None:
    """What has no length is not read to its end: one `BatchStopped` stands for all that is left."""
    model = FakeModel(Answer("hi", cost="0.1"), repeat=True)
    results = ask(drive, model, itertools.repeat("x"), concurrency=1, max_cost=0.3)
    assert said(results) == ["hi", "hi", "hi", "BatchStopped"]
    assert "inputs[3] was not asked, nor any after it: " in str(results[3])


def attempt(cost: Cost) -> Attempt:
    """An exchange that cost so much."""
    return Attempt("fake", "m", cost=cost)


def failed_after(attempts: tuple[Attempt, ...]) -> LLMError:
    """The error of a call."""
    error = ServerError("broken")
    error.attempts = attempts
    return error


def cost_of(ends: list[tuple[bool, int | None]], numbers: list[int]) -> int:
    """What these calls cost together, as far as that is known."""
    return sum(ends[number][1] or 0 for number in numbers)


@given(
    ends=st.lists(st.tuples(st.booleans(), st.none() | st.integers(0, 5)), max_size=20),
    order=st.randoms(use_true_random=False),
    concurrency=st.integers(1, 5),
    max_cost=st.none() | st.integers(1, 20),
    max_errors=st.none() | st.integers(1, 5),
    sized=st.booleans(),
)
def test_however_calls_end_each_input_has_one_result(
    ends: list[tuple[bool, int | None]], order: Any, concurrency: int, max_cost: int | None, max_errors: int | None,
    sized: bool,
) -> None:  # fmt: skip
    """In whatever order calls end: no input is lost, and none is asked once a bound was seen to be reached."""
    inputs: Any = [str(number) for number in range(len(ends))]
    batch = Batch(
        inputs if sized else iter(inputs),
        max_cost=None if max_cost is None else Decimal(max_cost),
        max_errors=max_errors,
    )
    running: list[int] = []
    started: list[int] = []
    more = True
    while more or running:
        while more and len(running) < concurrency:
            over = [number for number in started if number not in running]
            failed = sum(ends[number][0] for number in over)
            reached = max_cost is not None and cost_of(ends, over) >= max_cost
            reached = reached or (max_errors is not None and failed >= max_errors)
            job = batch.take()
            assert not (job and reached)
            if job is None:
                more = False
            else:
                assert job[1] == str(job[0])
                running.append(job[0])
                started.append(job[0])
        if running:
            index = running.pop(order.randrange(len(running)))
            fails, cost = ends[index]
            attempts = (attempt(UNKNOWN_COST if cost is None else Cost(Decimal(cost), "reported")),)
            batch.settle(index, failed_after(attempts) if fails else Response((), attempts=attempts))
    results = batch.results()
    assert started == list(range(len(started)))
    assert batch.done == len(started)
    assert batch.cost == cost_of(ends, started)
    left = results[len(started) :]
    assert all(isinstance(item, BatchStopped) for item in left)
    assert not any(isinstance(item, BatchStopped) for item in results[: len(started)])
    assert len(left) == (len(ends) - len(started) if sized else min(1, len(ends) - len(started)))


# The progress bar

PROGRAM = """
import sys
from llmkit import create_language
from llmkit.language.progress import open_progress_bar
from llmkit.testing import FakeModel
if {hidden}:
    sys.modules["rich"] = None
inputs = [f"n{number}" for number in range(int(sys.argv[1]))]
with create_language("openrouter", "m") as model:
    print(len(model.map(iter(inputs) if sys.argv[2] == "iter" else inputs, progress={progress})), "results")
"""


def program(progress: bool | None, *, hidden: bool = False) -> str:
    """A script that asks; `hidden` hides rich."""
    return PROGRAM.replace("{progress}", repr(progress)).replace("{hidden}", repr(hidden))


NEEDS_RICH = pytest.mark.skipif(find_spec("rich") is None, reason="rich comes with the extra cli")


@pytest.fixture
def screen(sim: Simulator, tmp_path: Path, fork_server: ForkServer) -> Iterator[Any]:
    """Runs a script on a pseudo-terminal."""
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are for POSIX")
    from tests.cli.conftest import Screen

    screens: list[Any] = []

    def start(script: str, *words: str) -> Any:
        screens.append(Screen([sys.executable, "-c", script, *words], environ(sim), tmp_path, fork_server))
        return screens[-1]

    yield start
    for one in screens:
        one.close()


@NEEDS_RICH
@pytest.mark.parametrize("progress", [None, True])
def test_a_bar_on_a_terminal(sim: Simulator, screen: Any, progress: bool | None) -> None:
    """On a terminal the bar says what is asked, how far it is, what failed, what it cost and how long it took."""
    sim.script(Reply(status=400), Reply(usage="missing"))
    shown = screen(program(progress), "5", "list")
    shown.see(r"asking openrouter:m .*5/5 1 failed, \$0\.0\d+ \+ 1 of unknown cost 0:00:0\d")
    shown.see("5 results")
    assert shown.end() == 0


@NEEDS_RICH
def test_a_bar_moves(sim: Simulator, screen: Any) -> None:
    """The bar is drawn while calls are open, and goes on as they end."""
    sim.script(*[Reply(gated=True) for _ in range(3)])
    shown = screen(program(None), "3", "list")
    for done in range(3):
        shown.see(rf"{done}/3")
        assert until(lambda: len(sim.requests) == 3, 30)
        sim.release()
    shown.see("3 results")
    assert shown.end() == 0


@NEEDS_RICH
def test_a_bar_without_a_total(screen: Any) -> None:
    """The total of a generator is not known, and no figure is made up."""
    shown = screen(program(None), "4", "iter")
    shown.see(r"4/\?")
    assert shown.end() == 0


@pytest.mark.parametrize(
    ("words", "script"),
    [(("1", "list"), program(None)), (("3", "list"), program(False)), (("3", "list"), program(None, hidden=True))],
    ids=["one input", "False", "no rich"],
)
def test_no_bar_on_a_terminal(screen: Any, words: tuple[str, ...], script: str) -> None:
    """No bar for a single input, when it is not wanted, and where rich is not installed and nobody insists."""
    shown = screen(script, *words)
    assert shown.end() == 0
    assert shown.seen == f"{words[0]} results\r\n".encode()


@pytest.fixture
def piped(sim: Simulator, tmp_path: Path, fork_server: ForkServer) -> Callable[[str], tuple[str, str]]:
    """Runs a script off a terminal; gives what it writes to stdout and to stderr."""

    def run(script: str) -> tuple[str, str]:
        done = fork_server.run([sys.executable, "-c", script, "3", "list"], environ(sim), tmp_path)
        return done.stdout.decode(), done.stderr.decode()

    return run


@NEEDS_RICH
def test_off_a_terminal_nothing_is_written(piped: Callable[[str], tuple[str, str]]) -> None:
    """In a pipe there is no bar unless it is asked for; then it is one line at the end, on stderr."""
    assert piped(program(None)) == ("3 results\n", "")
    out, err = piped(program(True))
    assert out == "3 results\n"
    assert re.fullmatch(r"asking openrouter:m .*3/3 \$0\.0\d+ 0:00:0\d *\n", err), err


def test_a_bar_that_cannot_be_shown_is_an_error(sim: Simulator, piped: Callable[[str], tuple[str, str]]) -> None:
    """`progress=True` without rich says how to get it, before anything is sent."""
    _, err = piped(program(True, hidden=True))
    assert 'ConfigError: a progress bar needs rich. Install it: pip install "llmkit[cli]"' in err
    assert sim.requests == []


TWO = """
from decimal import Decimal
from llmkit.language.progress import open_progress_bar
with (
    open_progress_bar("\x1b[2Jasking [bold]x\x07", 4, show=True) as shown,
    open_progress_bar("second", 2, show=True) as silent,
):
    silent.update(1)
    shown.update(1)
    shown.update(4, failed=1)
"""


@NEEDS_RICH
def test_two_bars_and_foreign_text(screen: Any) -> None:
    """Foreign text drives nothing, and a second bar does not disturb the first."""
    shown = screen(TWO)
    shown.see(r"asking \[bold\]x\ufffd .*4/4 1 failed, \$0")
    assert shown.end() == 0
    seen = shown.seen.decode()
    assert "second" not in seen
    assert "\x1b[2J" not in seen
    assert "\x07" not in seen


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ((0, Decimal(0), 0), "$0"),
        ((0, Decimal("1E-7"), 0), "$0.0000001"),
        ((2, Decimal("0.5"), 0), "2 failed, $0.5"),
        ((0, Decimal(0), 3), "3 of unknown cost"),
        ((1, Decimal("0.5"), 3), "1 failed, $0.5 + 3 of unknown cost"),
    ],
)
def test_what_is_not_known_is_not_shown_as_nothing(figures: tuple[int, Decimal, int], text: str) -> None:
    """An unknown cost is counted, not shown as $0."""
    assert format_notes(*figures) == text
