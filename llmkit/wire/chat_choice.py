"""One choice of a stream, put together from its deltas. Pure.

Text, reasoning and refusal are lists of pieces that are joined at the end. The hard part is the tool calls.

A tool call comes as many fragments over many events. In OpenAI's form the first fragment has `index`, `id` and
`function.name`; the later ones have only the same `index` and the next piece of `function.arguments`, cut anywhere,
also inside an escape. Fragments of several calls may alternate. So each call has a `_ToolCallBuilder` that collects its
pieces. `_calls` holds the builders in the order in which the calls began, and `_call_at` says which builder the
fragments with an index go to at the moment. `id` and `name` are kept from the first fragment that has them, because
some services repeat them in every fragment. The arguments are not parsed on the way, only joined.

Services differ, so a fragment is assigned to its call by these rules (`_find_or_add_call`):

- *It has no index.* Some upstreams leave it out. A fragment whose id is known goes to the call with that id. A fragment
  with neither id nor name continues the call that began last. Any other fragment begins a new call.
- *Its index is new.* It begins a new call.
- *Its index is taken.* It continues the call at that index. But some upstreams send several whole calls with one index,
  so a fragment with a name begins a new call, which has the index from then on, where (`_is_new_call`) its id differs
  from the call's, or its name differs from the call's, or the arguments of the call are complete JSON already.

What may go wrong: two calls of one tool, with one index, without ids and without arguments, cannot be told apart and
become one call. Where a service repeats the name in each fragment and sends one more after the last brace, that one
begins a second call. The result need not be valid: arguments that are not JSON are kept as they came, and
`ToolCall.problem` says what is wrong with them.

The index of the `ToolCallDelta` that a user sees is the place in `_calls`, not the service's index: it is unique, and
it is the place of the finished call in `message.tool_calls`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from llmkit.types.messages import FunctionCall, Message, ToolCall
from llmkit.types.responses import Choice, ToolCallDelta
from llmkit.wire.chat_reply import (
    JSON,
    as_mapping,
    as_objects,
    as_text,
    join_details_text,
    merge_details,
    pick_call_extra,
)
from llmkit.wire.numbers import as_index

#: Fields of an object, such as `audio`, whose text comes in fragments.
_FRAGMENTED_TEXTS = frozenset({"arguments", "data", "transcript", "input"})
#: Fields of a delta that have a place of their own; all others are collected in `extra`.
_READ_ELSEWHERE = frozenset(
    {"role", "content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "tool_calls"}
)


class _ToolCallBuilder:
    """Collects the fragments of one tool call."""

    __slots__ = ("arguments", "extra", "id", "kind", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.kind = "function"
        self.arguments: list[str] = []
        self.extra: dict[str, object] = {}


class ChoiceBuilder:
    """Collects the deltas of one choice and builds the `Choice`."""

    __slots__ = (
        "_call_at",
        "_calls",
        "_details",
        "_extra",
        "_lists",
        "finish",
        "index",
        "logprobs",
        "native",
        "reasoning",
        "refusal",
        "role",
        "text",
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
        self._calls: list[_ToolCallBuilder] = []
        self._call_at: dict[int, _ToolCallBuilder] = {}
        self._details: list[JSON] = []
        self._lists: dict[str, list[JSON]] = {}
        self._extra: dict[str, object] = {}

    def add_rare_fields(self, delta: JSON) -> tuple[tuple[ToolCallDelta, ...], tuple[JSON, ...]]:
        """Add what most deltas do not have; the result is the tool call pieces and the reasoning blocks among it.

        Annotations, images, audio and fields that llmkit does not know are collected as well.
        """
        calls = tuple(self._add_tool_call(fragment) for fragment in as_objects(delta.get("tool_calls")))
        details = as_objects(delta.get("reasoning_details"))
        self._details += details
        for key, value in delta.items():
            if key in _READ_ELSEWHERE or value is None:
                continue
            if key in ("annotations", "images"):
                self._lists.setdefault(key, []).extend(as_objects(value))
            elif isinstance(value, dict):
                self._extra[key] = _join_objects(as_mapping(self._extra.get(key)), value)
            elif value not in ("", []):
                self._extra[key] = value
        return calls, details

    def end(self, finish: str | None, native: str | None) -> None:
        """Add a finish reason; the first one of each kind is kept."""
        self.finish = self.finish or finish
        self.native = self.native or native

    def add_logprobs(self, value: object) -> None:
        """Add the `logprobs` of a chunk: token lists are joined, a value of another shape replaces what was there."""
        old = self.logprobs
        if not (isinstance(old, dict) and isinstance(value, dict)):
            self.logprobs = value
            return
        joined = dict(old)
        for key, items in value.items():
            known = joined.get(key)
            joined[key] = [*known, *items] if isinstance(known, list) and isinstance(items, list) else items or known
        self.logprobs = joined

    def _add_tool_call(self, fragment: JSON) -> ToolCallDelta:
        call = self._find_or_add_call(fragment)
        kind = as_text(fragment.get("type")) or ("custom" if isinstance(fragment.get("custom"), dict) else None)
        if kind:
            call.kind = kind
        body = as_mapping(fragment.get("custom" if call.kind == "custom" else "function"))
        name = as_text(body.get("name")) or ""
        raw = body.get("input" if call.kind == "custom" else "arguments")
        if raw is not None and not isinstance(raw, str):
            raw = json.dumps(raw)
        identity = as_text(fragment.get("id")) or None
        call.id = call.id or identity
        call.name = call.name or name
        call.extra.update(pick_call_extra(fragment))
        if raw:
            call.arguments.append(raw)
        return ToolCallDelta(self._calls.index(call), identity, FunctionCall(name, raw or ""), call.kind)

    def _find_or_add_call(self, fragment: JSON) -> _ToolCallBuilder:
        """The call that a fragment belongs to, or the new call that it begins; the top of this module has the rules."""
        index = as_index(fragment.get("index"))
        identity = as_text(fragment.get("id")) or None
        if index is None:
            known = next((call for call in self._calls if identity and call.id == identity), None)
            if (
                known is None
                and self._calls
                and identity is None
                and not as_mapping(fragment.get("function")).get("name")
            ):
                known = self._calls[-1]
            return known or self._add_call()
        call = self._call_at.get(index)
        if call is None or self._is_new_call(fragment, call, identity):
            call = self._call_at[index] = self._add_call()
        return call

    def _is_new_call(self, fragment: JSON, call: _ToolCallBuilder, identity: str | None) -> bool:
        """Does a fragment begin a new call, although its index is taken? Only a fragment with a name can."""
        name = as_mapping(fragment.get("function")).get("name")
        if not name:
            return False
        if identity and call.id and identity != call.id:
            return True
        return bool(call.name) and (name != call.name or _is_json("".join(call.arguments)))

    def _add_call(self) -> _ToolCallBuilder:
        call = _ToolCallBuilder()
        self._calls.append(call)
        return call

    def has_content(self) -> bool:
        """Has anything come that a user would miss if it were lost?"""
        return bool(self.text or self.reasoning or self.refusal or self._calls or self._details or self._lists)

    def build(self) -> Choice:
        """The choice, as far as its deltas have come."""
        audio = self._extra.get("audio")
        details = merge_details(self._details)
        message = Message(
            role=self.role,
            content="".join(self.text) if self.text else None,
            reasoning="".join(self.reasoning) or join_details_text(details),
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
    """Is the text a complete JSON document?"""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _join_objects(old: JSON, new: JSON) -> dict[str, object]:
    """The object that two pieces make up: fragmented texts are joined, of each other field the last value is kept."""
    joined = dict(old)
    for key, value in new.items():
        known = joined.get(key)
        if key in _FRAGMENTED_TEXTS and isinstance(known, str) and isinstance(value, str):
            joined[key] = known + value
        elif value is not None:
            joined[key] = value
    return joined
