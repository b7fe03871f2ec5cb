"""The calls of a model, held against what it was offered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmkit.errors import LLMError
from llmkit.language.tools.signature import Misfit
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from llmkit.language.tools.tool import Tool
    from llmkit.types.messages import ToolCall
    from llmkit.types.responses import Choice, Response


def with_mismatches(tools: Sequence[Tool], response: Response) -> Response:
    """The response, its tool calls marked where they do not fit what was offered.

    Calls of the service's own tools, and of those that take free text, are left alone.
    """
    if not tools:
        return response
    known = {tool.name: tool for tool in tools}
    return replace(response, choices=tuple(_looked_at(choice, known) for choice in response.choices))


def _looked_at(choice: Choice, known: Mapping[str, Tool]) -> Choice:
    calls = choice.message.tool_calls
    marked = tuple(_marked(call, known) for call in calls)
    if all(after is before for before, after in zip(calls, marked, strict=True)):
        return choice
    return replace(choice, message=replace(choice.message, tool_calls=marked))


def _marked(call: ToolCall, known: Mapping[str, Tool]) -> ToolCall:
    if call.problem is not None or ((tool := known.get(call.name)) is not None and not tool.is_function):
        return call
    try:
        arguments_of(call, known)
    except Misfit as error:
        return replace(call, mismatch=str(error))
    return call


def arguments_of(call: ToolCall, known: Mapping[str, Tool]) -> dict[str, object]:
    """The values to run a call with.

    Raises:
        Misfit: no such tool was offered, or the arguments do not parse or do not fit its schema.
    """
    tool = known.get(call.name)
    if tool is None:
        raise Misfit(f"no tool {scrub(call.name, 80)!r} was offered; there are: {', '.join(known) or 'none'}")
    arguments = call.arguments
    if arguments is None:
        raise Misfit(call.problem)
    from llmkit.language.structured.schemas import mismatch

    try:
        problem = mismatch(tool.parameters, arguments)
    except LLMError as error:
        problem = f"the tool's own schema is not valid: {error.message}"
    if problem is not None:
        raise Misfit(f"the arguments do not fit: {problem}")
    return arguments if tool.signature is None else tool.signature.values(call.function.arguments or "{}")
