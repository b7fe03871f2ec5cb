"""One choice of a stream, put together from its deltas. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from llmkit.types.messages import FunctionCall, Message, ToolCall
from llmkit.types.responses import Choice, ToolCallDelta
from llmkit.wire.chat_reply import JSON, call_extra, details_text, mapping, merge_details, objects, text
from llmkit.wire.numbers import place

_FRAGMENTS = frozenset({"arguments", "data", "transcript", "input"})
_READ = frozenset({"role", "content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "tool_calls"})


class _Call:
    """A tool call in the making."""

    __slots__ = ("arguments", "extra", "id", "kind", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.kind = "function"
        self.arguments: list[str] = []
        self.extra: dict[str, object] = {}


class ChoiceBuilder:
    """Takes the deltas of one choice; gives the `Choice`."""

    __slots__ = (
        "_calls", "_details", "_extra", "_lists", "_slots", "finish", "index", "logprobs", "native", "reasoning",
        "refusal", "role", "text",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.role = "assistant"
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.finish: str | None = None
        self.native: str | None = None
        self.logprobs: object = None
        self._calls: list[_Call] = []
        self._slots: dict[int, _Call] = {}
        self._details: list[JSON] = []
        self._lists: dict[str, list[JSON]] = {}
        self._extra: dict[str, object] = {}

    def rare(self, delta: JSON) -> tuple[tuple[ToolCallDelta, ...], tuple[JSON, ...]]:
        """Take what most deltas do not have: tool calls, reasoning blocks, annotations, images, audio, unknown."""
        calls = tuple(self._tool_call(piece) for piece in objects(delta.get("tool_calls")))
        details = objects(delta.get("reasoning_details"))
        self._details += details
        for key, value in delta.items():
            if key in _READ or value is None:
                continue
            if key in ("annotations", "images"):
                self._lists.setdefault(key, []).extend(objects(value))
            elif isinstance(value, dict):
                self._extra[key] = _join(mapping(self._extra.get(key)), value)
            elif value not in ("", []):
                self._extra[key] = value
        return calls, details

    def end(self, finish: str | None, native: str | None) -> None:
        """Take a finish reason; the first of each stands."""
        self.finish = self.finish or finish
        self.native = self.native or native

    def add_logprobs(self, value: object) -> None:
        """Join the token lists of the chunks' `logprobs`; a value of another shape replaces what was there."""
        old = self.logprobs
        if not (isinstance(old, dict) and isinstance(value, dict)):
            self.logprobs = value
            return
        joined = dict(old)
        for key, items in value.items():
            known = joined.get(key)
            joined[key] = [*known, *items] if isinstance(known, list) and isinstance(items, list) else items or known
        self.logprobs = joined

    def _tool_call(self, piece: JSON) -> ToolCallDelta:
        call = self._call_of(piece)
        kind = text(piece.get("type")) or ("custom" if isinstance(piece.get("custom"), dict) else None)
        if kind:
            call.kind = kind
        body = mapping(piece.get("custom" if call.kind == "custom" else "function"))
        name = text(body.get("name")) or ""
        raw = body.get("input" if call.kind == "custom" else "arguments")
        if raw is not None and not isinstance(raw, str):
            raw = json.dumps(raw)
        identity = text(piece.get("id")) or None
        call.id = call.id or identity
        call.name = call.name or name
        call.extra.update(call_extra(piece))
        if raw:
            call.arguments.append(raw)
        return ToolCallDelta(self._calls.index(call), identity, FunctionCall(name, raw or ""), call.kind)

    def _call_of(self, piece: JSON) -> _Call:
        """The call that a piece belongs to.

        The index says which. Some upstreams leave it out, or use one index for several whole calls; then a new id
        begins a new call, and a piece without an id goes to the call before it.
        """
        index = place(piece.get("index"))
        identity = text(piece.get("id")) or None
        if index is None:
            known = next((call for call in self._calls if identity and call.id == identity), None)
            if known is None and self._calls and identity is None and not mapping(piece.get("function")).get("name"):
                known = self._calls[-1]
            return known or self._new()
        call = self._slots.get(index)
        if call is None or self._begins(piece, call, identity):
            call = self._slots[index] = self._new()
        return call

    def _begins(self, piece: JSON, call: _Call, identity: str | None) -> bool:
        """Does a piece begin a new call, although its index is taken? Only one with a name can."""
        name = mapping(piece.get("function")).get("name")
        if not name:
            return False
        if identity and call.id and identity != call.id:
            return True
        return bool(call.name) and (name != call.name or _is_json("".join(call.arguments)))

    def _new(self) -> _Call:
        call = _Call()
        self._calls.append(call)
        return call

    def delivered(self) -> bool:
        """Has anything come that a caller would miss?"""
        return bool(self.text or self.reasoning or self.refusal or self._calls or self._details or self._lists)

    def build(self) -> Choice:
        """The choice as far as it has come."""
        audio = self._extra.get("audio")
        details = merge_details(self._details)
        message = Message(
            role=self.role,
            content="".join(self.text) if self.text else None,
            reasoning="".join(self.reasoning) or details_text(details),
            refusal="".join(self.refusal) or None,
            reasoning_details=details,
            tool_calls=tuple(
                ToolCall(call.id, FunctionCall(call.name, "".join(call.arguments)), call.kind, call.extra)
                for call in self._calls
            ),
            annotations=tuple(self._lists.get("annotations", ())),
            images=tuple(self._lists.get("images", ())),
            audio=cast("Mapping[str, object]", audio) if isinstance(audio, dict) else None,
            extra={key: value for key, value in self._extra.items() if key != "audio"},
        )
        return Choice(message, self.index, self.finish, self.native, self.logprobs)


def _is_json(text: str) -> bool:
    """Is it a whole JSON document?"""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _join(old: JSON, new: JSON) -> dict[str, object]:
    """Two pieces of one object: text that comes in fragments is joined, of the rest the last stands."""
    joined = dict(old)
    for key, value in new.items():
        known = joined.get(key)
        if key in _FRAGMENTS and isinstance(known, str) and isinstance(value, str):
            joined[key] = known + value
        elif value is not None:
            joined[key] = value
    return joined
