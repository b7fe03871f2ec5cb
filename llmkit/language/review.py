"""What is asked beyond text, and whether the answer has it: tools and their arguments, a structure and its value.

A call with tools or a structure is prepared here, once for each target, and its answer looked at before the caller
gets it. The engine knows only the interface, `llmkit.provider.Review`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from llmkit.errors import LLMError, Unsupported
from llmkit.provider.interface import BaseProvider, Call
from llmkit.types.messages import Message
from llmkit.types.parts import Part, TextPart
from llmkit.types.responses import Response

if TYPE_CHECKING:
    from llmkit.language.structured.shape import Shape
    from llmkit.language.tools.tool import Tool
    from llmkit.types.model_info import ModelInfo

By = Literal["native", "instruction"]
SIMPLER = "Simplify the schema, or choose a model that holds to schemas"
NOT_AGAIN = f"What a stream has given out is not asked for again: leave out stream=. {SIMPLER}"
#: What asks a service for any JSON.
FREE_JSON: Mapping[str, object] = MappingProxyType({"type": "json"})


def reviewed(provider: BaseProvider, call: Call, *, by: By | None, retries: int) -> Call:
    """The call as the provider takes it, with a review of its answer.

    Raises:
        Unsupported: the catalogue says that the model has no tools.
        ConfigError: a tool or a structure that cannot be described to a model.
    """
    from llmkit.operations.known_models import known_model

    known = known_model(provider, call.base_url, call.model)
    settings = dict(call.settings)
    tools: tuple[Tool, ...] = ()
    shape: Shape | None = None
    messages = call.messages
    if settings.get("tools"):
        from llmkit.language.tools.tool import to_tools

        if known is not None and known.supports_tools is False:
            raise _no_tools(provider, known)
        tools = to_tools(settings["tools"])
        settings["tools"] = [tool.to_dict() for tool in tools]
    if settings.get("structured") is not None:
        from llmkit.language.structured.shape import shape_of

        shape = shape_of(settings["structured"])
        by, wire = _way(provider, known, shape, by)
        settings["structured"] = wire
        if wire is None:
            del settings["structured"]
        if by == "instruction":
            messages = _instructed(messages, shape.instruction)
    hint = SIMPLER if retries else NOT_AGAIN if call.stream else None
    review = Reviewer(tools, shape, by, retries, hint)
    return replace(call, messages=messages, settings=settings, review=review)


def _way(
    provider: BaseProvider, known: ModelInfo | None, shape: Shape, by: By | None
) -> tuple[By, Mapping[str, object] | None]:
    """Native where provider and model have it; and what the service is told.

    A model that has free JSON and no schemas is told both: JSON by the service's own form, the schema in words.
    """
    if "structured" not in provider.supported:
        if by == "native":
            raise Unsupported(
                f"{provider.title or provider.name} has no structured output of its own",
                provider=provider.name,
                hint="Leave out structured_by=; the schema then goes as an instruction",
            )
        return "instruction", None
    if by is not None:
        return by, shape.wire if by == "native" else None
    free_json = None if known is None else known.supports_json
    if (free_json if shape.schema is None or known is None else known.supports_json_schema) is not False:
        return "native", shape.wire
    return "instruction", FREE_JSON if shape.schema is not None and free_json else None


def _no_tools(provider: BaseProvider, known: ModelInfo) -> Unsupported:
    return Unsupported(
        f"the model has no tools, says the catalogue ({known.source})",
        provider=provider.name,
        model=known.id,
        hint=f'Choose one that has: list_models("{provider.name}", supports="tools"). If the catalogue is wrong: '
        f'list_models("{provider.name}", refresh=True) asks for it anew, and extra_body={{"tools": [...]}} sends tools '
        "unchecked",
    )


def _instructed(messages: Sequence[Message], instruction: str) -> tuple[Message, ...]:
    """The conversation with an instruction at the end of its system turn, or as one before it."""
    first = messages[0]
    if first.role not in ("system", "developer"):
        return (Message("system", instruction), *messages)
    content: str | tuple[Part, ...]
    if isinstance(first.content, str):
        content = f"{first.content}\n\n{instruction}"
    else:
        content = (*(first.content or ()), TextPart(instruction))
    return (replace(first, content=content), *messages[1:])


@dataclass(frozen=True, slots=True)
class Reviewer:
    """See `llmkit.provider.Review`."""

    tools: tuple[Tool, ...]
    shape: Shape | None
    by: By | None
    retries: int
    hint: str | None = None

    def accept(self, response: Response) -> Response:
        """See `llmkit.provider.Review`."""
        if self.tools and any(choice.message.tool_calls for choice in response.choices):
            from llmkit.language.tools.calls import with_mismatches

            response = with_mismatches(self.tools, response)
        if self.shape is None:
            return response
        response = replace(response, structured_by=self.by)
        if response.tool_calls or response.refusal or response.filtered:
            return response
        try:
            parsed = self.shape.parse(response.content or "", fenced=self.by == "instruction")
        except LLMError as error:
            error.hint = self.hint or error.hint
            if response.truncated:
                error.hint = "The answer was cut at its token limit; raise max_tokens"
            error.partial = response
            raise
        return replace(response, parsed=parsed)

    def again(self, call: Call, error: LLMError) -> Call | None:
        """See `llmkit.provider.Review`."""
        from llmkit.language.structured.shape import InvalidStructure

        answer = error.partial
        if not isinstance(error, InvalidStructure) or self.retries < 1 or answer is None or answer.truncated:
            return None  # What was cut at its limit would be cut there again.
        asked = Message("user", f"That does not have the structure that was asked for: {error.problem}\nAnswer again.")
        # An empty turn says nothing, and some services refuse one.
        said = (answer.message,) if answer.content else ()
        turns = (*call.messages, *said, asked)
        return replace(call, messages=turns, review=replace(self, retries=self.retries - 1))

    def partial(self, response: Response) -> Response:
        """See `llmkit.provider.Review`."""
        if self.shape is None or not response.choices:
            return response
        return replace(response, parsed=self.shape.so_far(response.content or ""), structured_by=self.by)
