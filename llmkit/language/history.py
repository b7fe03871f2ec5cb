"""A conversation as JSON, and as a file. It holds turns and the system message; no key, no setting, no model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from llmkit.config.folders import write_whole
from llmkit.errors import BadRequest, ConfigError
from llmkit.types.messages import Message, to_messages

KIND = "conversation"
VERSION = 1
_DAMAGED = "The file is damaged or was changed by hand"


class HistoryError(ConfigError):
    """A saved conversation cannot be read or written."""


def write_history(system: str | None, messages: Sequence[Message]) -> str:
    """Write a conversation as JSON text, a turn on each line.

    Raises:
        HistoryError: a turn holds something that is not JSON; the text names the turn.
    """
    header: dict[str, object] = {"llmkit": KIND, "version": VERSION}
    if system is not None:
        header["system"] = system
    fields = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in header.items()]
    turns = [_write_turn(index, turn) for index, turn in enumerate(messages)]
    turn_list = "[\n  " + ",\n  ".join(turns) + "\n ]" if turns else "[]"
    text = "{\n" + ",\n".join([*fields, f' "messages": {turn_list}']) + "\n}\n"
    # Half a surrogate pair has no UTF-8; as an escape it is JSON, and ASCII.
    return text.encode("utf-8", "backslashreplace").decode()


def _write_turn(index: int, turn: Message) -> str:
    try:
        return json.dumps(turn.to_dict(), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise HistoryError(f"messages[{index}] cannot be written as JSON: {error}") from None


def read_history(text: str) -> tuple[str | None, tuple[Message, ...]]:
    """Read system message and turns from a JSON text that `write_history` gave.

    Raises:
        HistoryError: the text is damaged, is something else, or a newer llmkit wrote it.
    """
    try:
        value = cast("object", json.loads(text))
    except json.JSONDecodeError as error:
        raise HistoryError(
            f"the history is not JSON: {error.msg}, line {error.lineno}, column {error.colno}", hint=_DAMAGED
        ) from None
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"the history is not JSON: {error}", hint=_DAMAGED) from None
    if not isinstance(value, Mapping) or value.get("llmkit") != KIND:
        raise HistoryError("this is not the history of an llmkit conversation", hint='It begins with {"llmkit": ...}')
    version = value.get("version")
    if type(version) is not int or version < 1:
        raise HistoryError(f"version is {version!r}", hint=_DAMAGED)
    if version > VERSION:
        raise HistoryError(
            f"the history was written by a newer llmkit (version {version}; this one reads up to {VERSION})",
            hint="Update llmkit",
        )
    system = value.get("system")
    if system is not None and not isinstance(system, str):
        raise HistoryError(f"system is {type(system).__name__}, not text", hint=_DAMAGED)
    turns = value.get("messages")
    if not isinstance(turns, list):
        raise HistoryError(f"messages is {type(turns).__name__}, not a list", hint=_DAMAGED)
    try:
        return system, to_messages(turns) if turns else ()
    except BadRequest as error:
        raise HistoryError(error.message, hint=_DAMAGED) from None


def write_file(path: str | os.PathLike[str], text: str) -> None:
    """Write a text so that the file is whole at any time: the old one or the new one. A new file is private.

    Raises:
        HistoryError: the file cannot be written.
    """
    try:
        write_whole(Path(path).resolve(), text.encode(), synced=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise HistoryError(f"the history cannot be written to {os.fspath(path)!r}: {_describe_reason(error)}") from None


def read_file(path: str | os.PathLike[str]) -> str:
    """Read the text of a history file.

    Raises:
        HistoryError: the file does not exist or cannot be read.
    """
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HistoryError(f"{os.fspath(path)!r} is not UTF-8 text (byte {error.start})", hint=_DAMAGED) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise HistoryError(f"the history {os.fspath(path)!r} cannot be read: {_describe_reason(error)}") from None


def _describe_reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
