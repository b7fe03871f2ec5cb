"""Prompt-cache breakpoints (`cache_control`) in turns of the chat-completions dialect. Pure.

A turn may bear the mark itself, or on one of its parts. Services that take marks want them on parts. The others refuse
a field that they do not know, and cache by themselves, so they are sent none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from llmkit.errors import BadRequest
from llmkit.types.messages import Message
from llmkit.types.parts import OtherPart

MARK = "cache_control"


def list_marks(turn: Message) -> list[object]:
    """The marks of a turn: its own, and those of its parts. A mark that is `None` is not set."""
    marks = [turn.extra[MARK]] if turn.extra and MARK in turn.extra else []
    if turn.content is not None and not isinstance(turn.content, str):
        for part in turn.content:
            fields = part.body if isinstance(part, OtherPart) else part.extra
            if fields and MARK in fields:
                marks.append(fields[MARK])
    return marks


def remove_marks(sent: Mapping[str, object]) -> dict[str, object]:
    """A turn as it is sent, without any mark."""
    unmarked = _remove_mark(sent)
    if isinstance(content := unmarked.get("content"), list):
        unmarked["content"] = [_remove_mark(part) for part in content]
    return unmarked


def move_mark_to_part(sent: Mapping[str, object]) -> dict[str, object]:
    """A turn as it is sent, with its own mark moved to its last text part; plain text becomes such a part.

    Raises:
        BadRequest: the turn has no text that could bear the mark.
    """
    unmarked = _remove_mark(sent)
    mark, content = sent.get(MARK), unmarked.get("content")
    if mark is None:
        if not isinstance(content, list):
            return unmarked
        return {**unmarked, "content": [_remove_unset_fields(part) for part in _as_parts(content)]}
    parts = _as_parts(content)
    last_text = max((index for index, part in enumerate(parts) if part.get("type") == "text"), default=None)
    if last_text is None or not parts[last_text].get("text"):
        raise BadRequest("cache_control needs text to stand on", hint="Put it on a turn with text, or on a text part")
    if parts[last_text].get(MARK) is None:
        parts[last_text] = {**parts[last_text], MARK: mark}
    return {**unmarked, "content": [_remove_unset_fields(part) for part in parts]}


def count_marked_tools(tools: object) -> int:
    """The number of tools that bear a mark."""
    return sum(isinstance(tool, Mapping) and tool.get(MARK) is not None for tool in _as_sequence(tools))


def remove_tool_marks(tools: object) -> object:
    """The tools as they are sent, without marks."""
    if not any(isinstance(tool, Mapping) and MARK in tool for tool in _as_sequence(tools)):
        return tools
    return [_remove_mark(tool) if isinstance(tool, Mapping) else tool for tool in _as_sequence(tools)]


def _as_sequence(tools: object) -> Sequence[object]:
    return tools if isinstance(tools, Sequence) else ()


def _remove_mark(value: Mapping[str, object]) -> dict[str, object]:
    return {key: item for key, item in value.items() if key != MARK}


def _remove_unset_fields(part: dict[str, object]) -> dict[str, object]:
    """A part whose mark has only the fields that are set."""
    mark = part.get(MARK)
    if isinstance(mark, Mapping):
        return {**part, MARK: {key: item for key, item in mark.items() if item is not None}}
    return part if mark is not None else _remove_mark(part)


def _as_parts(content: object) -> list[dict[str, object]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(cast("list[dict[str, object]]", content)) if isinstance(content, list) else []
