"""Requests of the chat-completions dialect: messages, tools and settings to OpenAI's JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import cast

from llmkit.errors import BadRequest, Unsupported
from llmkit.types.messages import Message, ToolCall
from llmkit.types.parts import AudioPart, FilePart, ImagePart, OtherPart, Part, TextPart
from llmkit.types.redaction import name_of

_KINDS = {TextPart: "text", ImagePart: "image_url", AudioPart: "input_audio", FilePart: "file"}
#: Fields of an assistant turn that only an answer has. A service is sent those of them that it takes back.
_ANSWER_FIELDS = ("reasoning", "reasoning_details", "annotations", "images", "audio")


def find_part_type(part: Part) -> str:
    """The name of a part's type in this dialect."""
    return part.type if isinstance(part, OtherPart) else _KINDS[type(part)]


def message_to_dict(
    message: Message, *, takes_back: Collection[str], parts: Collection[str] | None
) -> dict[str, object]:
    """One turn in OpenAI's shape.

    Args:
        takes_back: fields of an earlier answer that the service wants to see again.
        parts: part types that the service takes; `None` takes all.

    Raises:
        Unsupported: the turn has a part that the service does not take.
    """
    sent = message.to_dict()
    for key in _ANSWER_FIELDS:
        if key in sent and key not in takes_back:
            del sent[key]
    if parts is not None and not isinstance(message.content, str):
        for part in message.content or ():
            if (kind := find_part_type(part)) not in parts:
                raise Unsupported(f"a part of type {kind} cannot be sent to this service")
    if message.role == "assistant":
        sent.pop("refusal", None) if "refusal" not in takes_back else None
        if message.content is None and not message.tool_calls:
            sent["content"] = ""
    if not all(call.function.arguments for call in message.tool_calls):
        sent["tool_calls"] = [_fill_empty_arguments(call).to_dict() for call in message.tool_calls]
    return sent


def _fill_empty_arguments(call: ToolCall) -> ToolCall:
    """A call with `{}` for empty arguments: models send empty text for none, and some services insist on JSON."""
    if call.type != "function" or call.function.arguments:
        return call
    return replace(call, function=replace(call.function, arguments="{}"))


def build_turns(
    messages: Sequence[Message], convert: Callable[[Message], dict[str, object]]
) -> list[dict[str, object]]:
    """Every turn as `convert` gives it; an error says which turn it is about."""
    turns: list[dict[str, object]] = []
    for index, turn in enumerate(messages):
        try:
            turns.append(convert(turn))
        except (BadRequest, Unsupported) as error:
            error.message = f"messages[{index}]: {error.message}"
            error.args = (error.message,)
            raise
    return turns


def fill_call_ids(messages: Sequence[Message]) -> Sequence[Message]:
    """The conversation with an id for each tool call. Some backends (older Ollama) give none, others insist on one.

    A call without an id is named by its place. Tool turns without an id that follow answer the calls in order.
    """
    if all(call.id for turn in messages for call in turn.tool_calls):
        return messages
    filled: list[Message] = []
    unanswered: list[str] = []
    number = 0
    for turn in messages:
        if turn.tool_calls:
            calls = []
            for call in turn.tool_calls:
                calls.append(call if call.id else replace(call, id=f"call_{number}"))
                number += 1
            unanswered = [str(call.id) for call in calls]
            filled.append(replace(turn, tool_calls=tuple(calls)))
        elif turn.role == "tool" and unanswered:
            call_id = turn.tool_call_id or unanswered[0]
            unanswered = [other for other in unanswered if other != call_id]
            filled.append(replace(turn, tool_call_id=call_id))
        else:
            filled.append(turn)
    return filled


def build_tool_choice(value: object, tools: object) -> object:
    """OpenAI's `tool_choice`; a tool's name becomes the dict that forces that tool.

    Raises:
        BadRequest: the name is not among the tools.
    """
    if not isinstance(value, str) or value in ("none", "auto", "required"):
        return value
    names = list_tool_names(tools)
    if value not in names:
        raise BadRequest(
            f"tool_choice names {name_of(value)}", hint=f"Tools of this call: {', '.join(names) or 'none'}"
        )
    return {"type": "function", "function": {"name": value}}


def list_tool_names(tools: object) -> list[str]:
    """The names of the function tools of a call."""
    names: list[str] = []
    for tool in tools if isinstance(tools, Sequence) else ():
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            names.append(cast("str", function["name"]))
    return names


def build_response_format(structured: Mapping[str, object]) -> dict[str, object]:
    """OpenAI's `response_format` for the `structured` setting.

    `{"type": "json"}` asks for any JSON object, `{"type": "json_schema", ...}` is sent in OpenAI's own form, and any
    other dict is a JSON schema.

    Raises:
        BadRequest: a `json_schema` has no schema.
    """
    kind = structured.get("type")
    if kind in ("json", "json_object") and len(structured) == 1:
        return {"type": "json_object"}
    if kind == "json_schema":
        body = structured.get("json_schema")
        if not isinstance(body, Mapping) or not isinstance(body.get("schema"), Mapping):
            raise BadRequest(
                "structured has no json_schema.schema",
                hint='Shape: {"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}}',
            )
        return {"type": "json_schema", "json_schema": {"name": "response", **body}}
    name = make_safe_name(str(structured.get("title") or "response"))
    return {"type": "json_schema", "json_schema": {"name": name, "schema": dict(structured)}}


def make_safe_name(text: str) -> str:
    """The text as a name that services take for a schema or a tool: at most 64 letters, digits, `_` and `-`."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in text)[:64]


def find_json_schema(structured: Mapping[str, object]) -> Mapping[str, object] | None:
    """The JSON schema in the `structured` setting; `None` where it asks for any JSON object."""
    body = build_response_format(structured).get("json_schema")
    return cast("Mapping[str, object]", body["schema"]) if isinstance(body, dict) else None
