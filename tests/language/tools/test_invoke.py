"""Running tool calls: one message for each call, whatever happens; in turn, together, within a time."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from llmkit import ConfigError, FunctionCall, Message, Response, ToolCall
from llmkit.language.tools.invoke import ainvoke_tools, invoke_tools
from llmkit.language.tools.results import ToolResultError
from llmkit.language.tools.tool import Tool
from llmkit.testing.simulator import Reply, Simulator
from llmkit.types.responses import Choice
from tests.conftest import PROVIDERS, Drive, until

KEY = "sk-or-v1-0123456789abcdef"


def call(name: str, arguments: object = None, identity: str | None = "call_1", kind: str = "function") -> ToolCall:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return ToolCall(identity, FunctionCall(name, text), kind)


def invoke(drive: Drive, tools: Any, response: Any, **settings: Any) -> list[Message]:
    """Run calls through the sync or the async half."""
    if drive.is_async:
        return drive.await_(ainvoke_tools(tools, response, **settings))
    return invoke_tools(tools, response, **settings)


def texts(drive: Drive, tools: Any, response: Any, **settings: Any) -> list[str]:
    """What the messages say; an error without its envelope."""
    said = [str(message.content) for message in invoke(drive, tools, response, **settings)]
    return [json.loads(text)["error"] if text.startswith('{"error"') else text for text in said]


def value_of(value: object) -> Any:
    """A tool named `give` that gives back `value`."""

    def give() -> object:
        return value

    return give


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set when the test is over, so that no thread outlives it."""
    event = threading.Event()
    yield event
    event.set()


# Messages


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


async def greet(name: str) -> str:
    """Greet."""
    await asyncio.sleep(0)
    return f"Hello, {name}"


def test_one_message_for_each_call_in_their_order(drive: Drive) -> None:
    """Each call has its message, with its id and its tool's name; a call without an id has none."""
    calls = [call("greet", {"name": "you"}, "c1"), call("add", {"a": 1}, None), call("add", {"a": 2, "b": 2}, "c3")]
    assert invoke(drive, [add, greet], calls) == [
        Message("tool", "Hello, you", name="greet", tool_call_id="c1"),
        Message("tool", "2", name="add", tool_call_id=None),
        Message("tool", "4", name="add", tool_call_id="c3"),
    ]


def test_what_the_calls_may_stand_in(drive: Drive) -> None:
    """A response, its message, and calls alone are the same; without calls there are no messages."""
    made = (call("add", {"a": 1}),)
    message = Message("assistant", tool_calls=made)
    first = invoke(drive, [add], made)
    assert invoke(drive, [add], message) == invoke(drive, [add], Response((Choice(message),))) == first
    assert invoke(drive, [add], list(made)) == first
    assert invoke(drive, [add], Response(())) == invoke(drive, [add], []) == invoke(drive, None, ()) == []
    for wrong in ("text", 5, None, [{"id": "x"}]):
        with pytest.raises(ConfigError, match="response is"):
            invoke(drive, [add], wrong)


@dataclass
class Point:
    x: int
    y: Decimal


class Place(BaseModel):
    name: str
    since: date


class Color(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ('{"already": "JSON"}', '{"already": "JSON"}'),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (21.5, "21.5"),
        ("Zürich 月", "Zürich 月"),
        ({"city": "Zürich"}, '{"city": "Zürich"}'),
        ([1, (2, 3), None], "[1, [2, 3], null]"),
        (Point(1, Decimal("0.10")), '{"x": 1, "y": "0.10"}'),
        ([Place(name="here", since=date(2020, 1, 2))], '[{"name": "here", "since": "2020-01-02"}]'),
        ({1: Color.RED, "p": Path("a/b")}, '{"1": "red", "p": "a/b"}'),
        (FunctionCall("f", "{}"), '{"name": "f", "arguments": "{}"}'),
    ],
    ids=repr,
)
def test_results_are_text_or_json(drive: Drive, value: object, text: str) -> None:
    """Text goes to the model as it is, everything else as JSON."""
    [message] = invoke(drive, [value_of(value)], [call("give")])
    assert message.content == text


circle: list[object] = []
circle.append(circle)


@pytest.mark.parametrize(
    "value",
    [object(), (n for n in range(3)), iter([1]), b"bytes", bytearray(b"x"), float("nan"), [float("inf")], {"a": print},
     {object(): 1}, circle, "\ud800", ["\ud800"]],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_result_that_is_not_json_is_an_error_and_nothing_is_lost(drive: Drive, value: object) -> None:
    """All calls run; the error names the tool and the type, and has all messages, in order."""
    ran: list[int] = []

    def count() -> int:
        ran.append(1)
        return len(ran)

    with pytest.raises(ToolResultError) as caught:
        invoke(drive, [value_of(value), count], [call("give", identity="a"), call("count", identity="b")])
    error = caught.value
    assert ran == [1]
    assert error.message == f"give gave a value that is not JSON ({type(value).__name__})"
    assert [message.tool_call_id for message in error.messages] == ["a", "b"]
    assert f"the result is not JSON ({type(value).__name__})" in str(error.messages[0].content)
    assert error.messages[1].content == "1"
    assert pickle.loads(pickle.dumps(error)).messages == error.messages


# What is not run


def test_only_what_was_offered_and_fits_is_run(drive: Drive) -> None:
    """An unknown tool and arguments that do not parse or fit are answered with the reason, and nothing runs."""

    def never(a: int = 1) -> None:
        raise AssertionError

    calls = [
        call("other"),
        call("never", "{"),
        call("never", '{"a": "1"}'),
        call("never", "[]"),
        call("never", "ls -l", kind="custom"),
    ]
    said = texts(drive, [never], calls)
    assert [text.split(":")[0] for text in said] == [
        "no tool 'other' was offered; there are",
        "the arguments are not JSON",
        "the arguments do not fit",
        "the arguments are a JSON list, not an object",
        "a custom tool call carries free text, not JSON",
    ]


def test_a_call_that_was_marked_stays_marked(drive: Drive) -> None:
    """What the response said of a call holds, whatever the function would take."""
    marked = ToolCall("c", FunctionCall("add", '{"a": 1}'), mismatch="the arguments do not fit: a: too small")
    assert texts(drive, {"add": add}, [marked]) == ["the arguments do not fit: a: too small"]


def test_a_tool_that_nothing_can_run_is_an_error_before_anything_runs(drive: Drive) -> None:
    """A dict has no function. Its call is a mistake of the program; another tool's call is none."""
    ran: list[str] = []

    def note(text: str) -> None:
        ran.append(text)

    bare = {"type": "function", "function": {"name": "bare", "parameters": {"type": "object"}}}
    with pytest.raises(ConfigError, match="the tool bare was called, and nothing here can run it"):
        invoke(drive, [note, bare], [call("note", {"text": "a"}), call("bare")])
    assert ran == []
    assert texts(drive, [note, bare], [call("note", {"text": "a"})]) == ["null"]
    with pytest.raises(ConfigError, match="web_search"):
        invoke(drive, [{"type": "web_search"}], [call("web_search")])


def test_functions_by_name(drive: Drive) -> None:
    """A mapping runs tools that were offered as dicts; the functions get plain JSON values."""
    kept: list[object] = []

    def keep(on: date) -> None:
        kept.append(on)

    assert texts(drive, {"keep.it": keep}, [call("keep.it", {"on": "2020-01-01"}), call("keep.it", {"x": 1})]) == [
        "null",
        "TypeError: test_functions_by_name.<locals>.keep() got an unexpected keyword argument 'x'",
    ]
    assert kept == ["2020-01-01"]
    with pytest.raises(ConfigError, match=r"tools\['type'\] is text"):
        invoke(drive, {"type": "function"}, [call("a")])


# What goes wrong inside


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


def raising(error: BaseException) -> list[Any]:
    """Two tools that raise it, a function and an async one."""

    def sync() -> None:
        raise error

    async def later() -> None:
        raise error

    return [sync, later]


@pytest.mark.covering(2)
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("timeout", [None, 30])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no such city"), "ValueError: no such city"),
        (KeyError(), "KeyError"),
        (RuntimeError(f"bad key {KEY}"), "RuntimeError: bad key [key removed]"),
        (ValueError("x" * 5000), "ValueError: " + "x" * 999 + "…"),
        (TimeoutError("their own"), "TimeoutError: their own"),
        (StopIteration("odd"), ("StopIteration: odd", "RuntimeError: coroutine raised StopIteration")),
        (ConfigError("wrong", hint="Fix it"), "ConfigError: wrong. Fix it"),
        (Mute(), "Mute"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_exception_is_a_message(
    drive: Drive, error: Exception, said: str | tuple[str, ...], parallel: bool, timeout: float | None
) -> None:
    """What a tool raises is told to the model: class and text, no key, no traceback. The other calls go on."""
    calls = [call("sync"), call("add", {"a": 1}), call("later")]
    found = texts(drive, [*raising(error), add], calls, parallel=parallel, timeout=timeout)
    first, last = (said, said) if isinstance(said, str) else said
    assert found == [first, "2", last]


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("timeout", [None, 30])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_and_an_exit_pass_through(
    drive: Drive, error: type[BaseException], parallel: bool, timeout: float | None
) -> None:
    """They are no results of a tool, in whichever thread they are raised."""

    def run(tools: list[Any], calls: list[ToolCall]) -> None:
        if drive.is_async:  # A loop of its own, which ends with it.
            asyncio.run(ainvoke_tools(tools, calls, parallel=parallel, timeout=timeout))
        else:
            invoke_tools(tools, calls, parallel=parallel, timeout=timeout)

    sync, later = raising(error())
    for tool in (sync, later):
        calls = [call(tool.__name__)]
        with pytest.raises(error):
            run([tool], calls)


def test_a_cancelled_tool_is_a_message(drive: Drive) -> None:
    """A tool that waits for something that was cancelled has failed; the caller was not cancelled."""

    async def waits() -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    assert texts(drive, [waits, add], [call("waits"), call("add", {"a": 1})]) == ["CancelledError", "2"]


# In turn, and together


def test_functions_run_in_turn_and_not_on_the_loop(drive: Drive) -> None:
    """One after the other, in the order of the calls: in the caller's thread, or beside the loop in a thread."""
    main, lock = threading.get_ident(), threading.Lock()
    order: list[int] = []
    threads: set[int] = set()

    def step(n: int) -> None:
        assert lock.acquire(blocking=False), "two at once"
        order.append(n)
        threads.add(threading.get_ident())
        threading.Event().wait(0.005)  # long enough for another to come in
        lock.release()

    timed = Tool.from_function(step, name="timed", timeout=30)
    calls = [call("timed" if n == 3 else "step", {"n": n}) for n in range(8)]
    assert texts(drive, [step, timed], calls) == ["null"] * 8
    assert order == list(range(8))
    assert (main in threads) != drive.is_async


def test_parallel_functions_run_at_once(drive: Drive) -> None:
    """With `parallel=True` each is in a thread: they can wait for each other."""
    together = threading.Barrier(3, timeout=10)

    def meet(n: int) -> int:
        together.wait()
        return n

    assert texts(drive, [meet], [call("meet", {"n": n}) for n in range(3)], parallel=True) == ["0", "1", "2"]


def test_async_tools_run_at_once(drive: Drive) -> None:
    """They need no `parallel=`, and a plain function beside them does not hold them up."""
    together: list[asyncio.Barrier] = []

    async def meet(n: int) -> int:
        if not together:
            together.append(asyncio.Barrier(3))
        async with asyncio.timeout(10):
            await together[0].wait()
        return n

    calls = [call("meet", {"n": 0}), call("add", {"a": 1}), call("meet", {"n": 1}), call("meet", {"n": 2})]
    assert texts(drive, [meet, add], calls) == ["0", "2", "1", "2"]


def test_functions_and_async_tools_run_at_once(drive: Drive) -> None:
    """With `parallel=True`, both kinds are under way together."""
    said = threading.Event()

    def wait() -> bool:
        return said.wait(10)

    async def say() -> None:
        said.set()

    assert texts(drive, [wait, say], [call("wait"), call("say")], parallel=True) == ["true", "null"]


def test_at_most_32_threads(drive: Drive, released: threading.Event) -> None:
    """Further calls wait for a thread, and their time does not run meanwhile."""
    running: list[int] = []
    seen: list[int] = []

    def hold() -> None:
        running.append(1)
        released.wait(30)

    def watch() -> None:
        until(lambda: len(running) >= 32, 10)
        until(lambda: len(running) > 32, 0.2)
        seen.append(len(running))
        released.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert texts(drive, [hold], [call("hold")] * 40, parallel=True, timeout=30) == ["null"] * 40
    watcher.join()
    assert seen == [32]
    assert len(running) == 40


def test_a_function_that_gives_an_awaitable_is_awaited(drive: Drive) -> None:
    """A plain function may give a coroutine: a partial, a wrapper, an object with an async `__call__`."""

    class Later:
        async def __call__(self, n: int) -> int:
            await asyncio.sleep(0)
            return n

    async def later(n: int) -> int:
        await asyncio.sleep(0)
        return n

    @functools.wraps(later)
    def wrapped(**arguments: Any) -> Any:
        return later(**arguments)

    tools = [Later(), wrapped, Tool.from_function(functools.partial(later), name="partial")]
    calls = [call(name, {"n": n}) for n, name in enumerate(["Later", "later", "partial"])]
    for settings in ({}, {"parallel": True}, {"timeout": 30}):
        assert texts(drive, tools, calls, **settings) == ["0", "1", "2"]


where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")


@pytest.mark.parametrize("settings", [{}, {"parallel": True}, {"timeout": 30}], ids=str)
def test_tools_see_the_context_of_the_caller(drive: Drive, settings: dict[str, Any]) -> None:
    """Context variables (a trace, a user) are those of who called, in whichever thread."""

    def here() -> str:
        return where.get()

    async def there() -> str:
        return where.get()

    def run() -> list[str]:
        where.set("with the caller")
        return texts(drive, [here, there], [call("here"), call("there")], **settings)

    assert contextvars.copy_context().run(run) == ["with the caller"] * 2


@pytest.mark.parametrize("settings", [{}, {"parallel": True}, {"timeout": 30}], ids=str)
def test_the_sync_half_works_where_a_loop_is_running(settings: dict[str, Any]) -> None:
    """In a notebook, for instance: the calls run on a loop of their own."""

    async def main() -> list[Message]:
        where.set("in the notebook")
        return invoke_tools(
            [add, greet, asking], [call("asking"), call("add", {"a": 1}), call("greet", {"name": "x"})], **settings
        )

    async def asking() -> str:
        return where.get()

    assert [message.content for message in asyncio.run(main())] == ["in the notebook", "2", "Hello, x"]


def test_ctrl_c_where_a_loop_is_running_ends_the_calls() -> None:
    """The interrupt comes to the caller's thread; the loop in the other thread ends too."""
    started, ended = threading.Event(), threading.Event()

    async def slow() -> None:
        try:
            started.set()
            await asyncio.sleep(30)
        finally:
            ended.set()

    async def main() -> None:
        invoke_tools([slow], [call("slow")])

    def interrupt() -> None:
        started.wait(10)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    loop = asyncio.new_event_loop()
    try:
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):  # as in a notebook: no handler of asyncio's own
            loop.run_until_complete(main())
        assert ended.wait(10)
    finally:
        interrupter.join()
        loop.close()


# Time


@pytest.mark.parametrize("parallel", [False, True])
def test_a_call_that_takes_too_long_says_so(drive: Drive, parallel: bool, released: threading.Event) -> None:
    """The others have their results; an async tool is cancelled, a function goes on unheard."""
    ended: list[str] = []

    def slow() -> None:
        released.wait(30)
        ended.append("slow")

    async def slow_async() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("cancelled")

    async def lazy() -> None:
        await asyncio.sleep(30)

    def slow_awaitable() -> Any:
        return lazy()

    names = ["slow", "slow_async", "add", "slow_awaitable"]
    calls = [call(name, {"a": 1} if name == "add" else {}) for name in names]
    found = texts(drive, [slow, slow_async, add, slow_awaitable], calls, timeout=0.4, parallel=parallel)
    late = "timed out after 0.4 s"
    assert found == [late, late, "2", late]
    assert ended == ["cancelled"]
    released.set()
    assert until(lambda: "slow" in ended)


def test_a_tools_own_timeout_outranks(drive: Drive, released: threading.Event) -> None:
    """The tool knows best how long it takes, in both directions."""

    def wait(seconds: float) -> bool:
        return released.wait(seconds)

    impatient = Tool.from_function(wait, name="impatient", timeout=0.02)
    patient = Tool.from_function(wait, name="patient", timeout=30)
    calls = [call("impatient", {"seconds": 10}), call("patient", {"seconds": 0.1})]
    assert texts(drive, [impatient, patient], calls, timeout=0.05) == ["timed out after 0.02 s", "false"]
    assert texts(drive, [impatient, patient], calls) == ["timed out after 0.02 s", "false"]


def test_a_function_that_never_ends_does_not_hold_up_the_program() -> None:
    """After its timeout the program can end, though Python cannot stop the thread."""
    script = """
import threading
from llmkit import FunctionCall, ToolCall
from llmkit.language.tools.invoke import invoke_tools
def wait(): threading.Event().wait()
calls = [ToolCall(None, FunctionCall("wait"))]
for parallel in (False, True):
    print(invoke_tools([wait], calls, timeout=0.05, parallel=parallel)[0].content)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == '{"error": "timed out after 0.05 s"}\n' * 2
    assert done.stderr == ""


def test_cancellation_passes_through(released: threading.Event) -> None:
    """Who cancels `ainvoke_tools` cancels its async tools, and does not wait for a thread."""
    started, ended = threading.Event(), []

    async def slow_async() -> None:
        try:
            started.set()
            await asyncio.sleep(30)
        finally:
            ended.append("cancelled")

    def slow() -> None:
        released.wait(30)

    async def main() -> None:
        task = asyncio.create_task(ainvoke_tools([slow_async, slow], [call("slow_async"), call("slow")]))
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["cancelled"]

    asyncio.run(main())


class Odd(BaseException):
    """No `Exception`, as other libraries have for their own cancellation."""


@pytest.mark.parametrize("how", ["cancelled", "ended by a tool"])
def test_no_call_goes_on_when_the_caller_goes_on(how: str) -> None:
    """An async tool that needs time to clean up has done so when cancellation, or what a tool ends all with, arrives."""
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            ended.append("slow")

    async def quick() -> None:
        await asyncio.sleep(0.01)
        if how != "cancelled":
            raise Odd
        await asyncio.sleep(30)

    async def main() -> None:
        task = asyncio.create_task(ainvoke_tools([slow, quick], [call("slow"), call("quick")]))
        if how == "cancelled":
            await asyncio.sleep(0.02)
            task.cancel()
        with pytest.raises(asyncio.CancelledError if how == "cancelled" else Odd):
            await task
        assert ended == ["slow"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


# From end to end


@pytest.mark.parametrize("provider", PROVIDERS)
def test_two_turns(sim: Simulator, drive: Drive, mode: str, provider: str) -> None:
    """The model calls, the functions run, and the model answers with what they gave, on every service."""

    def weather(city: str, on: date) -> dict[str, object]:
        """The weather in a city."""
        return {"city": city, "weekday": on.weekday(), "celsius": Decimal("21.5")}

    arguments = '{"city": "Paris", "on": "2026-07-02"}'
    sim.script(Reply(tool_calls=[("weather", arguments), ("weather", '{"city": "Rome"}')]))
    model = drive.make(sim, provider, tools=[weather])
    turns = [Message("user", "What is the weather in Paris and Rome?")]
    response = drive.response(model, mode, messages=turns)
    turns += [response.message, *invoke(drive, [weather], response)]
    answer = drive.response(model, mode, messages=turns)
    assert str(answer.content).startswith("The tool said: ")
    sent = [turn for turn in sim.requests[-1].json["messages"] if turn["role"] == "tool"]
    assert json.loads(sent[0]["content"]) == {"city": "Paris", "weekday": 3, "celsius": "21.5"}
    assert json.loads(sent[1]["content"]) == {"error": "the arguments do not fit: 'on' is a required property"}
    if provider != "ollama":
        assert [turn["tool_call_id"] for turn in sent] == [made.id for made in response.tool_calls]
