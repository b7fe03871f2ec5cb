"""Turns of a conversation: `Message`, its parts, its tool calls. Values only; OpenAI's chat shape is the common form.

`to_dict()` gives that shape with nothing added, `from_dict()` reads it and keeps what it does not know in `extra`, so
that a conversation survives a round trip through JSON. Each backend translates or refuses, in its `build`, what it
cannot carry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn, TypeAlias, cast, get_args

from llmkit.errors import BadRequest
from llmkit.types.parts import Part, TextPart, part_from_dict

Role = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(Role)


def _parse_json(text: str) -> object:
    """The value of JSON text. It raises `ValueError` also for NaN and Infinity, which Python takes and JSON has not."""
    return cast("object", json.loads(text, parse_constant=_refuse_constant))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """Which function a model wants to run. `arguments` is the raw text as it came, JSON or not."""

    name: str
    arguments: str = ""

    def __repr__(self) -> str:
        return f"FunctionCall({self.name!r}, {len(self.arguments)} chars)"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call of a model, in OpenAI's shape: `id`, `type`, `function.name`, `function.arguments` (raw text).

    A call of `type` "custom" has its free-form input in `function.arguments`. `id` is `None` where none came. `extra`
    holds fields that llmkit has no name for; some services want them back. `mismatch` says how the arguments do not fit
    the schema of the offered tool, or that no tool of that name was offered.
    """

    id: str | None
    function: FunctionCall
    type: str = "function"
    extra: Mapping[str, object] = field(default_factory=dict, repr=False)
    mismatch: str | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.name

    @property
    def arguments(self) -> dict[str, object] | None:
        """The arguments as a dict; empty text means no arguments; `None` where they do not parse (see `problem`)."""
        return None if self.problem else cast("dict[str, object]", _parse_json(self.function.arguments or "{}"))

    @property
    def problem(self) -> str | None:
        """Why `arguments` is `None`, or `None` if it is not."""
        if self.type != "function":
            return f"a {self.type} tool call carries free text, not JSON"
        try:
            value = _parse_json(self.function.arguments or "{}")
        except (ValueError, RecursionError) as error:
            return f"the arguments are not JSON: {error}"
        if not isinstance(value, dict):
            return f"the arguments are a JSON {type(value).__name__}, not an object"
        return self.mismatch

    def to_dict(self) -> dict[str, object]:
        """OpenAI's shape."""
        if self.type == "custom":
            body = {"name": self.function.name, "input": self.function.arguments}
            return {"id": self.id, "type": "custom", "custom": body, **self.extra}
        function = {"name": self.function.name, "arguments": self.function.arguments}
        return {"id": self.id, "type": self.type, "function": function, **self.extra}

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> ToolCall:
        """The call that a dict in OpenAI's shape describes; arguments given as an object become JSON text."""
        kind = str(value.get("type") or "function")
        body = value.get("custom" if kind == "custom" else "function")
        if not isinstance(body, Mapping) or not isinstance(body.get("name"), str):
            raise BadRequest(f"a tool call needs {kind}.name", hint='Shape: {"id": ..., "function": {"name": ...}}')
        text = body.get("input" if kind == "custom" else "arguments")
        if not isinstance(text, str):
            try:
                text = "" if text is None else json.dumps(text)
            except (TypeError, ValueError):
                raise BadRequest(
                    "the arguments are not a JSON value", hint="Pass the JSON text, or a dict of it"
                ) from None
        identity = value.get("id")
        extra = {key: item for key, item in value.items() if key not in ("id", "type", "index", kind)}
        return cls(None if identity is None else str(identity), FunctionCall(body["name"], text), kind, extra)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. The message of a `Response` is a `Message` too, so it can be appended to the next call as it is.

    Attributes:
        role: system, developer, user, assistant or tool.
        content: text, or parts, or `None` (an assistant turn that only calls tools).
        name: name of the speaker, or of the tool in a tool turn.
        tool_calls: what the assistant wants to run.
        tool_call_id: the id of the call that a tool turn answers.
        refusal: the model's refusal in its own words.
        reasoning: the model's reasoning as text, where the service gives it.
        reasoning_details: OpenRouter's reasoning blocks, verbatim and in order; they must go back unchanged.
        annotations: citations and parsed files, verbatim.
        images: images that the model made, verbatim (`{"image_url": {"url": "data:..."}}`).
        audio: audio that the model made, verbatim.
        extra: fields that llmkit has no name for, verbatim.
    """

    role: str
    content: str | tuple[Part, ...] | None = None
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_details: tuple[Mapping[str, object], ...] = ()
    annotations: tuple[Mapping[str, object], ...] = ()
    images: tuple[Mapping[str, object], ...] = ()
    audio: Mapping[str, object] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text of the turn; parts that are not text are left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content or () if isinstance(part, TextPart))

    def __repr__(self) -> str:
        calls = f", tool_calls={len(self.tool_calls)}" if self.tool_calls else ""
        kind = f"{len(self.content)} chars" if isinstance(self.content, str) else f"{len(self.content or ())} parts"
        return f"Message(role={self.role!r}, content=<{kind}>{calls})"

    def to_dict(self) -> dict[str, object]:
        """The turn in OpenAI's shape, with only the fields that are set."""
        content = self.content
        shape: dict[str, object] = {
            "role": self.role,
            "content": content if isinstance(content, str) or content is None else [p.to_dict() for p in content],
        }
        for key in ("name", "tool_call_id", "refusal", "reasoning", "audio"):
            if (value := getattr(self, key)) is not None:
                shape[key] = value
        for key in ("reasoning_details", "annotations", "images"):
            if value := getattr(self, key):
                shape[key] = list(value)
        if self.tool_calls:
            shape["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        return {**shape, **self.extra}

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> Message:
        """The message that a dict in OpenAI's shape describes.

        Raises:
            BadRequest: the role is missing or unknown, or the content is neither text nor parts.
        """
        role = value.get("role")
        if role not in ROLES:
            raise BadRequest(f"role is {role!r}", hint=f"Use one of {', '.join(ROLES)}")
        rest = {key: item for key, item in value.items() if key not in _FIELDS}
        return cls(
            role=str(role),
            content=_read_content(value.get("content")),
            name=_read_text(value, "name"),
            tool_calls=tuple(
                _read_tool_call(index, call) for index, call in enumerate(_read_items(value, "tool_calls"))
            ),
            tool_call_id=_read_text(value, "tool_call_id"),
            refusal=_read_text(value, "refusal"),
            reasoning=_read_text(value, "reasoning"),
            reasoning_details=_read_objects(value, "reasoning_details"),
            annotations=_read_objects(value, "annotations"),
            images=_read_objects(value, "images"),
            audio=_read_object(value, "audio"),
            extra=rest,
        )


_FIELDS = frozenset(Message.__dataclass_fields__) - {"extra"}

MessageLike: TypeAlias = Message | Mapping[str, object]
MessagesLike: TypeAlias = str | MessageLike | Sequence[MessageLike]


def to_messages(value: MessagesLike) -> tuple[Message, ...]:
    """The turns in what a user may pass as `messages`: a string (one user turn), a turn, or a sequence of turns.

    Raises:
        BadRequest: the value is something else; the text names the turn (`messages[2]`).
    """
    if isinstance(value, str):
        return (Message("user", value),)
    if isinstance(value, (Message, Mapping)):
        value = (value,)
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray)):
        raise BadRequest(
            f"messages is {type(value).__name__}", hint='Pass a string or a list such as [{"role": "user", ...}]'
        )
    turns = tuple(_read_turn(index, turn) for index, turn in enumerate(value))
    if not turns:
        raise BadRequest("messages is empty", hint="A call needs at least one message")
    return turns


def _read_turn(index: int, turn: object) -> Message:
    if not isinstance(turn, (Message, Mapping)):
        raise BadRequest(f"messages[{index}] is {type(turn).__name__}", hint="Use a dict or a Message")
    try:
        return _normalise_message(turn) if isinstance(turn, Message) else Message.from_dict(turn)
    except BadRequest as error:
        raise BadRequest(f"messages[{index}]: {error.message}", hint=error.hint) from None


def _normalise_message(message: Message) -> Message:
    """The message with content of the types that `Message` declares; one that was built by hand may hold others."""
    if message.role not in ROLES:
        raise BadRequest(f"role is {message.role!r}", hint=f"Use one of {', '.join(ROLES)}")
    content = message.content
    if content is None or isinstance(content, str):
        return message
    normalised = _read_content(content)
    return message if normalised == content else replace(message, content=normalised)


def _read_tool_call(index: int, call: object) -> ToolCall:
    if isinstance(call, ToolCall):
        return call
    if not isinstance(call, Mapping):
        raise BadRequest(f"tool_calls[{index}] is {type(call).__name__}", hint="Use a dict or a ToolCall")
    try:
        return ToolCall.from_dict(call)
    except BadRequest as error:
        raise BadRequest(f"tool_calls[{index}]: {error.message}", hint=error.hint) from None


def _read_content(value: object) -> str | tuple[Part, ...] | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return tuple(_read_part(index, part) for index, part in enumerate(value))
    raise BadRequest(f"content is {type(value).__name__}", hint="Use text, or a list of parts")


def _read_part(index: int, part: object) -> Part:
    if isinstance(part, Mapping):
        return part_from_dict(index, part)
    if isinstance(part, str):
        return TextPart(part)
    if isinstance(part, get_args(Part)):
        return cast("Part", part)
    raise BadRequest(f"content[{index}] is {type(part).__name__}", hint="Use text, a dict or a part")


def _read_text(value: Mapping[str, object], key: str) -> str | None:
    item = value.get(key)
    if item is None or isinstance(item, str):
        return item
    raise BadRequest(f"{key} is {type(item).__name__}", hint=f"{key} is text")


def _read_objects(value: Mapping[str, object], key: str) -> tuple[Mapping[str, object], ...]:
    items = _read_items(value, key)
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise BadRequest(f"{key}[{index}] is {type(item).__name__}", hint=f"{key} is a list of dicts")
    return cast("tuple[Mapping[str, object], ...]", items)


def _read_object(value: Mapping[str, object], key: str) -> Mapping[str, object] | None:
    item = value.get(key)
    if item is None or isinstance(item, Mapping):
        return item
    raise BadRequest(f"{key} is {type(item).__name__}", hint=f"{key} is a dict")


def _read_items(value: Mapping[str, object], key: str) -> tuple[object, ...]:
    item = value.get(key)
    if item is None:
        return ()
    if isinstance(item, Sequence) and not isinstance(item, (str, bytes)):
        return tuple(item)
    raise BadRequest(f"{key} is {type(item).__name__}", hint=f"{key} is a list")


__all__ = ["FunctionCall", "Message", "MessageLike", "MessagesLike", "Role", "ToolCall", "to_messages"]
