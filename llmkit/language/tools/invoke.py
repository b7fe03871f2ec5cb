"""Running the calls of a model: one message for each, in their order.

What is to be run and what is said about it is decided once (`_jobs`, `_messages`); between them the calls run, in
this thread, in threads of their own, or on an event loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from llmkit.config.setting_checks import describe
from llmkit.errors import ConfigError
from llmkit.language.tools.calls import arguments_of
from llmkit.language.tools.results import ToolResultError, as_text, failure
from llmkit.language.tools.running import Job, Outcome, here, on_a_loop, together
from llmkit.language.tools.signature import Function, Misfit
from llmkit.language.tools.tool import ANYTHING, Tool, check_timeout, to_tools
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
    runs in a thread of its own; Python cannot stop a thread, so after the timeout a function goes on unheard.

    Args:
        tools: what was passed as `tools=`; or a mapping of the tools' names to functions, which get plain JSON values.
        response: a `Response` (the calls of its first choice), its message, or tool calls.
        parallel: run all at once, functions in threads (at most 32).
        timeout: seconds that each call may take; a tool's own outranks it.

    Returns:
        A message with the role "tool" for each call, in their order: text that a tool gave as it is, everything else
        as JSON. Append them to the conversation after the answer's own message.

    Raises:
        ConfigError: a call is for a tool that has no function here. Nothing was run.
        ToolResultError: a tool gave what is no JSON value. All calls were run, and `messages` has all messages.
    """
    jobs = _jobs(tools, response, timeout)
    if not parallel:
        for job in jobs:
            if job.outcome is None and not job.is_async:
                job.outcome = here(job)
    if open_jobs := [job for job in jobs if job.is_open]:
        on_a_loop(together(open_jobs, parallel=parallel))
    return _messages(jobs)


async def ainvoke_tools(
    tools: Runnables,
    response: Calls,
    *,
    parallel: bool = False,
    timeout: float | None = None,  # noqa: ASYNC109 - of each call
) -> list[Message]:
    """As `invoke_tools`, on the running event loop. Functions that are not async run in threads, one after the other.

    Cancellation cancels the async ones and waits until they have ended; what runs in a thread goes on unheard.
    """
    jobs = _jobs(tools, response, timeout)
    if open_jobs := [job for job in jobs if job.is_open]:
        await together(open_jobs, parallel=parallel)
    return _messages(jobs)


# What is to be run.


def _jobs(tools: Runnables, response: Calls, timeout: float | None) -> list[Job]:
    check_timeout(timeout, "timeout")
    known = {tool.name: tool for tool in _runnable(tools)}
    calls = _calls(response)
    for call in calls:
        if (tool := known.get(call.name)) is not None and tool.function is None:
            raise ConfigError(
                f"the tool {call.name} was called, and nothing here can run it",
                hint="Pass Tool(..., function=...), or a mapping of names to functions: {'name': function}",
            )
    jobs = []
    for call in calls:
        try:
            values = arguments_of(call, known)
        except Misfit as error:
            jobs.append(Job(call, as_text, outcome=Outcome(error=str(error))))
            continue
        tool = known[call.name]
        limit = timeout if tool.timeout is None else tool.timeout
        jobs.append(Job(call, cast("Function", tool.function), values, limit))
    return jobs


def _runnable(tools: Runnables) -> Sequence[Tool]:
    if not isinstance(tools, Mapping):
        return to_tools(tools)
    made = []
    for name, function in tools.items():
        if not callable(function):
            raise ConfigError(
                f"tools[{name!r}] is {describe(function)}",
                hint="A mapping takes names to functions; a list takes dicts",
            )
        made.append(Tool(name=name, parameters=ANYTHING, function=function, spec={"type": "function"}))
    return made


def _calls(response: Calls) -> Sequence[ToolCall]:
    if isinstance(response, (Response, Message)):
        return response.tool_calls
    if isinstance(response, Sequence) and all(isinstance(call, ToolCall) for call in response):
        return response
    raise ConfigError(f"response is {describe(response)}", hint="Pass a Response, its message, or its tool calls")


# What is said about it.


def _messages(jobs: Sequence[Job]) -> list[Message]:
    messages, wrong = [], []
    for job in jobs:
        outcome = cast("Outcome", job.outcome)
        try:
            text = as_text(outcome.value) if outcome.error is None else failure(outcome.error)
        except ValueError:
            kind = type(outcome.value).__name__
            wrong.append(f"{job.call.name} gave a value that is not JSON ({kind})")
            text = failure(f"the result is not JSON ({kind})")
        messages.append(Message("tool", text, name=job.call.name, tool_call_id=job.call.id))
    if wrong:
        raise ToolResultError("; ".join(wrong), messages=messages)
    return messages
