"""Results of tools, as the text that a model reads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

from llmkit.errors import LLMError

if TYPE_CHECKING:
    from llmkit.types.messages import Message


class ToolResultError(LLMError):
    """A tool gave back something that cannot be written as JSON.

    Attributes:
        messages: the messages of all calls, in order; those of the calls that failed say so.
    """

    fallback = False
    advice = "Return text, numbers, dicts, lists, dataclasses or pydantic models"

    def __init__(self, message: str, *, messages: Sequence[Message] = ()) -> None:
        super().__init__(message)
        self.messages = tuple(messages)


def value_to_text(value: object) -> str:
    """Write the result of a tool: text as it is, everything else as JSON; `None` is `null`.

    Dataclasses, pydantic models, dates, `Decimal`s, enums and so on are written as pydantic writes them.

    Raises:
        ValueError: the result is neither a JSON value nor text that can be sent.
    """
    if isinstance(value, str):
        text = str(value)
    elif isinstance(value, (bytes, bytearray, memoryview, Iterator, AsyncIterator)):
        raise ValueError("not a JSON value")  # noqa: TRY004 - one error for all that cannot be written
    else:
        from pydantic_core import to_jsonable_python

        try:
            text = json.dumps(to_jsonable_python(value), ensure_ascii=False, allow_nan=False)
        except (TypeError, RecursionError) as error:
            raise ValueError(str(error)) from None
    text.encode()  # Half a surrogate pair cannot be sent.
    return text


def error_to_text(text: str) -> str:
    """Write what the model reads where there is no result: `{"error": text}`."""
    return json.dumps({"error": text.encode("utf-8", "replace").decode()}, ensure_ascii=False)
