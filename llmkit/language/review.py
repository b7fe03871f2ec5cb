"""Review of answers: are the tool calls and the structure in an answer what was asked for?

A call with tools or a structure is prepared here, once for each target, by `add_review`: tools become their dicts, the
structure becomes what the service takes, or an instruction in words. The same call carries a `Reviewer`, which looks at
the answer before the caller gets it: it marks tool calls that do not fit, and reads the structured value. The engine
knows only the interface, `llmkit.provider.Review`.
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

StructuredBy = Literal["native", "instruction"]
SIMPLER_HINT = "Simplify the schema, or choose a model that holds to schemas"
#: A streamed structure that does not validate cannot be asked for again: its text has been handed out.
STREAMED_HINT = f"What a stream has given out is not asked for again: leave out stream=. {SIMPLER_HINT}"
#: What asks a service for any JSON.
FREE_JSON: Mapping[str, object] = MappingProxyType({"type": "json"})


def add_review(provider: BaseProvider, call: Call, *, by: StructuredBy | None, retries: int) -> Call:
    """Give the call as the provider takes it, with a review of its answer.

    Args:
        provider: who is asked.
        call: the call, its settings `tools` and `structured` as the caller gave them.
        by: how to ask for a structure. `None`: as provider and model can.
        retries: how often an answer without the structure is asked for again.

    Raises:
        Unsupported: the catalogue says that the model has no tools, or `by` is "native" and the provider has no
            structured output.
        ConfigError: a tool or a structure cannot be described to a model.
    """
    from llmkit.operations.known_models import known_model

    info = known_model(provider, call.base_url, call.model)
    settings = dict(call.settings)
    tools: tuple[Tool, ...] = ()
    shape: Shape | None = None
    messages = call.messages
    if settings.get("tools"):
        from llmkit.language.tools.tool import to_tools

        if info is not None and info.supports_tools is False:
            raise _make_no_tools_error(provider, info)
        tools = to_tools(settings["tools"])
        settings["tools"] = [tool.to_dict() for tool in tools]
    if settings.get("structured") is not None:
        from llmkit.language.structured.shape import to_shape

        shape = to_shape(settings["structured"])
        by, structured = _choose_method(provider, info, shape, by)
        settings["structured"] = structured
        if structured is None:
            del settings["structured"]
        if by == "instruction":
            messages = _add_instruction(messages, shape.instruction)
    hint = SIMPLER_HINT if retries else STREAMED_HINT if call.stream else None
    review = Reviewer(tools, shape, by, retries, hint)
    return replace(call, messages=messages, settings=settings, review=review)


def _choose_method(
    provider: BaseProvider, info: ModelInfo | None, shape: Shape, by: StructuredBy | None
) -> tuple[StructuredBy, Mapping[str, object] | None]:
    """Choose how to ask for a structure, and what goes out as the setting `structured`; `None`: nothing.

    It is the native way where provider and model have it. A model that has free JSON and no schemas is told both: JSON
    by the service's own form, the schema in words.
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
    has_json, has_schemas = (None, None) if info is None else (info.supports_json, info.supports_json_schema)
    if (has_json if shape.schema is None else has_schemas) is not False:  # `None`: not known, so it is tried.
        return "native", shape.wire
    return "instruction", FREE_JSON if shape.schema is not None and has_json else None


def _make_no_tools_error(provider: BaseProvider, info: ModelInfo) -> Unsupported:
    return Unsupported(
        f"the model has no tools, says the catalogue ({info.source})",
        provider=provider.name,
        model=info.id,
        hint=f'Choose one that has: list_models("{provider.name}", supports="tools"). If the catalogue is wrong: '
        f'list_models("{provider.name}", refresh=True) asks for it anew, and extra_body={{"tools": [...]}} sends tools '
        "unchecked",
    )


def _add_instruction(messages: Sequence[Message], instruction: str) -> tuple[Message, ...]:
    """Add an instruction at the end of the system turn, or as a system turn of its own before all others."""
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
    """What was asked of a target, held against its answers; see `llmkit.provider.Review`.

    Attributes:
        tools: the tools that were offered.
        shape: the structure that was asked for.
        by: how it was asked for.
        retries: how often the same target may still be asked again.
        hint: the hint of the error for an answer without the structure; `None`: the error's own.
    """

    tools: tuple[Tool, ...]
    shape: Shape | None
    by: StructuredBy | None
    retries: int
    hint: str | None = None

    def accept(self, response: Response) -> Response:
        """See `llmkit.provider.Review`."""
        if self.tools and any(choice.message.tool_calls for choice in response.choices):
            from llmkit.language.tools.calls import mark_mismatches

            response = mark_mismatches(self.tools, response)
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
        text = f"That does not have the structure that was asked for: {error.problem}\nAnswer again."
        # An empty turn says nothing, and some services refuse one.
        previous = (answer.message,) if answer.content else ()
        messages = (*call.messages, *previous, Message("user", text))
        return replace(call, messages=messages, review=replace(self, retries=self.retries - 1))

    def partial(self, response: Response) -> Response:
        """See `llmkit.provider.Review`."""
        if self.shape is None or not response.choices:
            return response
        return replace(response, parsed=self.shape.parse_partial(response.content or ""), structured_by=self.by)
