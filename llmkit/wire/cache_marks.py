"""Prompt-cache breakpoints (`cache_control`) in turns of the chat-completions dialect. Pure.

A turn may bear the mark itself, or on one of its parts. Services that take marks want them on parts; the others refuse
a field that they do not know, and cache by themselves, so they get none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from llmkit.errors import BadRequest
from llmkit.types.messages import Message
from llmkit.types.parts import OtherPart

MARK = "cache_control"


def marks(turn: Message) -> list[object]:
    """The marks of a turn: its own, and those of its parts. `None` is one that is not set."""
    found = [turn.extra[MARK]] if turn.extra and MARK in turn.extra else []
    if turn.content is not None and not isinstance(turn.content, str):
        for part in turn.content:
            fields = part.body if isinstance(part, OtherPart) else part.extra
            if fields and MARK in fields:
                found.append(fields[MARK])
    return found


def left_out(out: Mapping[str, object]) -> dict[str, object]:
    """A turn as sent, without marks."""
    made = _unmarked(out)
    if isinstance(content := made.get("content"), list):
        made["content"] = [_unmarked(part) for part in content]
    return made


def on_a_part(out: Mapping[str, object]) -> dict[str, object]:
    """A turn as sent, its own mark moved to its last text part; plain text becomes one such part.

    Raises:
        BadRequest: there is no text that could bear the mark.
    """
    made = _unmarked(out)
    mark, content = out.get(MARK), made.get("content")
    if mark is None:
        return {**made, "content": [_tidy(part) for part in _parts(content)]} if isinstance(content, list) else made
    parts = _parts(content)
    place = max((index for index, part in enumerate(parts) if part.get("type") == "text"), default=None)
    if place is None or not parts[place].get("text"):
        raise BadRequest("cache_control needs text to stand on", hint="Put it on a turn with text, or on a text part")
    if parts[place].get(MARK) is None:
        parts[place] = {**parts[place], MARK: mark}
    return {**made, "content": [_tidy(part) for part in parts]}


def marked_tools(tools: object) -> int:
    """How many tools bear a mark."""
    return sum(isinstance(tool, Mapping) and tool.get(MARK) is not None for tool in _items(tools))


def tools_without(tools: object) -> object:
    """Tools as sent, without marks."""
    if not any(isinstance(tool, Mapping) and MARK in tool for tool in _items(tools)):
        return tools
    return [_unmarked(tool) if isinstance(tool, Mapping) else tool for tool in _items(tools)]


def _items(tools: object) -> Sequence[object]:
    return tools if isinstance(tools, Sequence) else ()


def _unmarked(value: Mapping[str, object]) -> dict[str, object]:
    return {key: item for key, item in value.items() if key != MARK}


def _tidy(part: dict[str, object]) -> dict[str, object]:
    """A part whose mark has only what is set."""
    mark = part.get(MARK)
    if isinstance(mark, Mapping):
        return {**part, MARK: {key: item for key, item in mark.items() if item is not None}}
    return part if mark is not None else _unmarked(part)


def _parts(content: object) -> list[dict[str, object]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(cast("list[dict[str, object]]", content)) if isinstance(content, list) else []
