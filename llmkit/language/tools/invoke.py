"""Running the calls of a model: one message for each, in their order.

What is run and what the model reads of it is decided once, for both colours: by `_prepare_jobs` and `_make_messages`.
Between them the calls run, as `llmkit.language.tools.running` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from llmkit.config.setting_checks import describe
from llmkit.errors import ConfigError
from llmkit.language.tools.calls import read_arguments
from llmkit.language.tools.results import ToolResultError, error_to_text, value_to_text
from llmkit.language.tools.running import Job, Outcome, run_concurrently, run_here, run_on_loop
from llmkit.language.tools.signature import ArgumentMismatch, Function
from llmkit.language.tools.tool import ANY_ARGUMENTS, Tool, check_timeout, to_tools
from llmkit.types.messages import Message, ToolCall
from llmkit.types.responses import Response

#: What can be run: what `tools=` takes, or functions by the names of tools.
Runnables: TypeAlias = "Sequence[Function | Tool | Mapping[str, object]] | Mapping[str, Function]"
Calls: TypeAlias = "Response | Message | Sequence[ToolCall]"


def invoke_tools(
    tools: Runnables, response: Calls, *, parallel: bool = False, timeout: float | None = None
) -> list[Message]:
    """Run the tool calls of an answer.

    Only what was offered is run, and only with arguments that fit. Where a call cannot be run, fails or takes too
    long, its message says so (`{"error": ...}`), and the model can read it.

    Functions run one after the other in this thread. Async ones run together, on an event loop. A call with a timeout
    runs in a thread of its own; Python cannot stop a thread, so after the timeout a function goes on, and its result
    is dropped.

    Args:
        tools: what was passed as `tools=`; or a mapping of the tools' names to functions, which get plain JSON values.
        response: a `Response` (the calls of its first choice), its message, or tool calls.
        parallel: run all at once, functions in threads (at most 32). Default: functions run one after the other.
        timeout: seconds that each call may take; a tool's own outranks it. Default: no limit.

    Returns:
        A message with the role "tool" for each call, in their order: text that a tool gave as it is, everything else
        as JSON. Append them to the conversation after the answer's own message.

    Raises:
        ConfigError: a call is for a tool that has no function here, or an argument is wrong. Nothing was run.
        ToolResultError: a tool gave what is not a JSON value. All calls were run, and `messages` has all messages.
    """
    jobs = _prepare_jobs(tools, response, timeout)
    if not parallel:
        for job in jobs:
            if job.outcome is None and not job.is_async:
                job.outcome = run_here(job)
    if open_jobs := [job for job in jobs if job.is_open]:
        run_on_loop(run_concurrently(open_jobs, parallel=parallel))
    return _make_messages(jobs)


async def ainvoke_tools(
    tools: Runnables,
    response: Calls,
    *,
    parallel: bool = False,
    timeout: float | None = None,  # noqa: ASYNC109 - of each call
) -> list[Message]:
    """As `invoke_tools`, on the running event loop. Functions that are not async run in threads, one after the other.

    Cancellation cancels the async ones and waits until they have ended. What runs in a thread goes on, and its result
    is dropped.
    """
    jobs = _prepare_jobs(tools, response, timeout)
    if open_jobs := [job for job in jobs if job.is_open]:
        await run_concurrently(open_jobs, parallel=parallel)
    return _make_messages(jobs)


# Before the calls run.


def _prepare_jobs(tools: Runnables, response: Calls, timeout: float | None) -> list[Job]:
    check_timeout(timeout, "timeout")
    by_name = {tool.name: tool for tool in _select_runnable(tools)}
    calls = _read_calls(response)
    for call in calls:
        if (tool := by_name.get(call.name)) is not None and tool.function is None:
            raise ConfigError(
                f"the tool {call.name} was called, and nothing here can run it",
                hint="Pass Tool(..., function=...), or a mapping of names to functions: {'name': function}",
            )
    jobs = []
    for call in calls:
        try:
            values = read_arguments(call, by_name)
        except ArgumentMismatch as error:
            jobs.append(Job(call, _never_called, outcome=Outcome(error=str(error))))
            continue
        tool = by_name[call.name]
        limit = timeout if tool.timeout is None else tool.timeout
        jobs.append(Job(call, cast("Function", tool.function), values, limit))
    return jobs


def _never_called(**_: object) -> object:
    """Stand in for the function of a call that is not run."""
    raise AssertionError("a job with an outcome is not run")


def _select_runnable(tools: Runnables) -> Sequence[Tool]:
    if not isinstance(tools, Mapping):
        return to_tools(tools)
    runnable = []
    for name, function in tools.items():
        if not callable(function):
            raise ConfigError(
                f"tools[{name!r}] is {describe(function)}",
                hint="A mapping takes names to functions; a list takes dicts",
            )
        runnable.append(Tool(name=name, parameters=ANY_ARGUMENTS, function=function, spec={"type": "function"}))
    return runnable


def _read_calls(response: Calls) -> Sequence[ToolCall]:
    if isinstance(response, (Response, Message)):
        return response.tool_calls
    if isinstance(response, Sequence) and all(isinstance(call, ToolCall) for call in response):
        return response
    raise ConfigError(f"response is {describe(response)}", hint="Pass a Response, its message, or its tool calls")


# After they have run.


def _make_messages(jobs: Sequence[Job]) -> list[Message]:
    messages, problems = [], []
    for job in jobs:
        outcome = cast("Outcome", job.outcome)
        try:
            text = value_to_text(outcome.value) if outcome.error is None else error_to_text(outcome.error)
        except ValueError:
            kind = type(outcome.value).__name__
            problems.append(f"{job.call.name} gave a value that is not JSON ({kind})")
            text = error_to_text(f"the result is not JSON ({kind})")
        messages.append(Message("tool", text, name=job.call.name, tool_call_id=job.call.id))
    if problems:
        raise ToolResultError("; ".join(problems), messages=messages)
    return messages
