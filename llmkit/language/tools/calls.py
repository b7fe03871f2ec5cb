"""Tool calls of a model, held against the tools that it was offered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmkit.errors import LLMError
from llmkit.language.tools.signature import ArgumentMismatch
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from llmkit.language.tools.tool import Tool
    from llmkit.types.messages import ToolCall
    from llmkit.types.responses import Choice, Response


def mark_mismatches(tools: Sequence[Tool], response: Response) -> Response:
    """Copy a response with `mismatch` set in the tool calls that do not fit what was offered.

    Calls of the service's own tools, and of those that take free text, are left alone.
    """
    if not tools:
        return response
    by_name = {tool.name: tool for tool in tools}
    return replace(response, choices=tuple(_mark_choice(choice, by_name) for choice in response.choices))


def _mark_choice(choice: Choice, by_name: Mapping[str, Tool]) -> Choice:
    calls = choice.message.tool_calls
    marked_calls = tuple(_mark_call(call, by_name) for call in calls)
    if all(after is before for before, after in zip(calls, marked_calls, strict=True)):
        return choice
    return replace(choice, message=replace(choice.message, tool_calls=marked_calls))


def _mark_call(call: ToolCall, by_name: Mapping[str, Tool]) -> ToolCall:
    if call.problem is not None or ((tool := by_name.get(call.name)) is not None and not tool.is_function):
        return call
    try:
        read_arguments(call, by_name)
    except ArgumentMismatch as error:
        return replace(call, mismatch=str(error))
    return call


def read_arguments(call: ToolCall, by_name: Mapping[str, Tool]) -> dict[str, object]:
    """Read the arguments of a call as the values to run its tool with.

    Raises:
        ArgumentMismatch: no such tool was offered, or the arguments do not parse or do not fit its schema.
    """
    tool = by_name.get(call.name)
    if tool is None:
        offered = ", ".join(by_name) or "none"
        raise ArgumentMismatch(f"no tool {scrub(call.name, 80)!r} was offered; there are: {offered}")
    arguments = call.arguments
    if arguments is None:
        raise ArgumentMismatch(call.problem)
    from llmkit.language.structured.schemas import find_mismatch

    try:
        problem = find_mismatch(tool.parameters, arguments)
    except LLMError as error:
        problem = f"the tool's own schema is not valid: {error.message}"
    if problem is not None:
        raise ArgumentMismatch(f"the arguments do not fit: {problem}")
    return arguments if tool.signature is None else tool.signature.read_arguments(call.function.arguments or "{}")
