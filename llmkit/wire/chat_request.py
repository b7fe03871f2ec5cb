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
#: Fields of an assistant turn that are an answer's, not a question's; a service gets those that it takes back.
_ANSWER_FIELDS = ("reasoning", "reasoning_details", "annotations", "images", "audio")


def kind_of(part: Part) -> str:
    """The wire's name of a part's type."""
    return part.type if isinstance(part, OtherPart) else _KINDS[type(part)]


def message_dict(message: Message, *, takes_back: Collection[str], parts: Collection[str] | None) -> dict[str, object]:
    """One turn in OpenAI's shape.

    Args:
        takes_back: fields of an earlier answer that the service wants to see again.
        parts: part types that the service takes; `None` takes all.

    Raises:
        Unsupported: a part that the service does not take.
    """
    out = message.to_dict()
    for key in _ANSWER_FIELDS:
        if key in out and key not in takes_back:
            del out[key]
    if parts is not None and not isinstance(message.content, str):
        for part in message.content or ():
            if (kind := kind_of(part)) not in parts:
                raise Unsupported(f"a part of type {kind} cannot be sent to this service")
    if message.role == "assistant":
        out.pop("refusal", None) if "refusal" not in takes_back else None
        if message.content is None and not message.tool_calls:
            out["content"] = ""
    if not all(call.function.arguments for call in message.tool_calls):
        out["tool_calls"] = [_with_arguments(call).to_dict() for call in message.tool_calls]
    return out


def _with_arguments(call: ToolCall) -> ToolCall:
    """Empty text, which models give for no arguments, is no JSON, and some services insist on JSON."""
    if call.type != "function" or call.function.arguments:
        return call
    return replace(call, function=replace(call.function, arguments="{}"))


def each_turn(messages: Sequence[Message], make: Callable[[Message], dict[str, object]]) -> list[dict[str, object]]:
    """Every turn by `make`; an error says which turn it is about."""
    made: list[dict[str, object]] = []
    for index, turn in enumerate(messages):
        try:
            made.append(make(turn))
        except (BadRequest, Unsupported) as error:
            error.message = f"messages[{index}]: {error.message}"
            error.args = (error.message,)
            raise
    return made


def with_call_ids(messages: Sequence[Message]) -> Sequence[Message]:
    """The conversation with an id for each tool call. Some backends (older Ollama) give none, and others insist.

    A call without an id is named by its place, and the tool turns that follow without one answer the calls in order.
    """
    if all(call.id for turn in messages for call in turn.tool_calls):
        return messages
    made: list[Message] = []
    waiting: list[str] = []
    count = 0
    for turn in messages:
        if turn.tool_calls:
            calls = []
            for call in turn.tool_calls:
                calls.append(call if call.id else replace(call, id=f"call_{count}"))
                count += 1
            waiting = [str(call.id) for call in calls]
            made.append(replace(turn, tool_calls=tuple(calls)))
        elif turn.role == "tool" and waiting:
            answered = turn.tool_call_id or waiting[0]
            waiting = [identity for identity in waiting if identity != answered]
            made.append(replace(turn, tool_call_id=answered))
        else:
            made.append(turn)
    return made


def tool_choice(value: object, tools: object) -> object:
    """OpenAI's `tool_choice`; a tool's name becomes the dict that forces it.

    Raises:
        BadRequest: a name that is not among the tools.
    """
    if not isinstance(value, str) or value in ("none", "auto", "required"):
        return value
    names = tool_names(tools)
    if value not in names:
        raise BadRequest(
            f"tool_choice names {name_of(value)}", hint=f"Tools of this call: {', '.join(names) or 'none'}"
        )
    return {"type": "function", "function": {"name": value}}


def tool_names(tools: object) -> list[str]:
    """Names of the function tools of a call."""
    names: list[str] = []
    for tool in tools if isinstance(tools, Sequence) else ():
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            names.append(cast("str", function["name"]))
    return names


def response_format(structured: Mapping[str, object]) -> dict[str, object]:
    """OpenAI's `response_format` of the `structured` setting.

    `{"type": "json"}` asks for any JSON object, `{"type": "json_schema", ...}` goes as OpenAI writes it, and any other
    dict is a JSON schema.

    Raises:
        BadRequest: `json_schema` without a schema.
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
    name = safe_name(str(structured.get("title") or "response"))
    return {"type": "json_schema", "json_schema": {"name": name, "schema": dict(structured)}}


def safe_name(text: str) -> str:
    """A name as services take it for a schema or a tool: at most 64 letters, digits, `_` and `-`."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in text)[:64]


def json_schema_of(structured: Mapping[str, object]) -> Mapping[str, object] | None:
    """The JSON schema inside the `structured` setting; `None` for free JSON."""
    body = response_format(structured).get("json_schema")
    return cast("Mapping[str, object]", body["schema"]) if isinstance(body, dict) else None
