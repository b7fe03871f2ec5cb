"""A question of a conversation that has no complete answer yet.

A conversation is busy while a question is pending, and must become free again however the caller goes away: also where
none of the conversation's code runs any more, as when a stream is dropped, or a task is cancelled before it began.
Therefore the conversation holds its pending question by a weak reference only. Strong references are held by those who
work for the answer: the running call, the stream's callback, the coroutine that the caller awaits. When the last of
them is gone, the question is gone, and the weak reference says so.

One case is left. A task that is cancelled before its first step never runs the coroutine, and the traceback of the
`CancelledError` may keep it, and so the question, alive. Therefore the question knows that coroutine (again weakly, or
the two would hold each other): one without a frame has ended, and so the question is over (`is_over`).
"""

from __future__ import annotations

import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmkit.types.messages import Message
    from llmkit.types.responses import Response


class PendingQuestion:
    """A question on its way.

    Attributes:
        messages: the question; none where the history is sent as it stands.
        call: on an event loop, the coroutine of the model's call.
        waiter: the coroutine that the caller awaits, which awaits `call`.
    """

    __slots__ = ("__weakref__", "call", "messages", "waiter")

    def __init__(self, messages: tuple[Message, ...]) -> None:
        self.messages = messages
        self.call: Coroutine[Any, Any, Response] | None = None
        self.waiter: weakref.ref[Coroutine[Any, Any, Response]] | None = None

    @property
    def is_over(self) -> bool:
        """Has the coroutine that waits for the answer ended, though something may still hold it?"""
        if self.waiter is None:
            return False
        waiter = self.waiter()
        return waiter is None or getattr(waiter, "cr_frame", None) is None

    def __del__(self) -> None:
        if self.call is not None:
            self.call.close()  # Where the waiter never began, it was never awaited; Python would warn of it.
