"""Open replies of the SDK's HTTP client, read as bytes; and replies with an error status, read whole."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Protocol

from llmkit.engine.request import ERROR_BODY_BYTES
from llmkit.errors import FirstTokenTimeout, LLMError
from llmkit.transport.sdk.clamp import ReadOverdue, check_deadline, set_deadline
from llmkit.transport.sdk.faults import to_error
from llmkit.types.secret import Secret


class StatusReply(Exception):
    """A reply with any other status than 2xx, raised by the response hook in place of the SDK's exception."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.body = body


def refuse_status(reply: Any) -> None:
    """Response hook: read an error reply up to the limit, before the SDK reads it without one."""
    if 200 <= reply.status_code < 300:
        return
    body = bytearray()
    for part in reply.iter_bytes():
        check_deadline()
        body += part
        if len(body) > ERROR_BODY_BYTES:
            break
    raise StatusReply(reply.status_code, dict(reply.headers), bytes(body[:ERROR_BODY_BYTES]))


async def refuse_status_async(reply: Any) -> None:
    """As `refuse_status`."""
    if 200 <= reply.status_code < 300:
        return
    body = bytearray()
    async for part in reply.aiter_bytes():
        body += part
        if len(body) > ERROR_BODY_BYTES:
            break
    raise StatusReply(reply.status_code, dict(reply.headers), bytes(body[:ERROR_BODY_BYTES]))


def find_status_reply(error: BaseException | None) -> StatusReply | None:
    """The error reply inside an exception; older SDKs wrap what a hook raises."""
    while error is not None and not isinstance(error, StatusReply):
        error = error.__cause__
    return error


class ErrorBody:
    """An error reply that has been read. `key` is taken out of it, should the service have echoed it."""

    def __init__(self, reply: StatusReply, key: Secret | None = None) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self._left = _remove_key(reply.body, key)

    def read(self, deadline: float) -> bytes:
        data, self._left = self._left, b""
        return data

    def close(self) -> None:
        """Nothing is open."""


class AsyncErrorBody:
    """As `ErrorBody`, on an event loop."""

    def __init__(self, reply: StatusReply, key: Secret | None = None) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self._left = _remove_key(reply.body, key)

    async def read(self, deadline: float) -> bytes:
        data, self._left = self._left, b""
        return data

    async def close(self) -> None:
        """Nothing is open."""


def _remove_key(body: bytes, key: Secret | None) -> bytes:
    return body if key is None else body.replace(key.reveal().encode(), b"[key removed]")


class SyncBody:
    """An open reply, read from a thread.

    What is asked for after its deadline is too late also where it is there already: of a reply that comes without a
    pause, something always is. Only the end of what came in time is taken.
    """

    __slots__ = ("_address", "_parts", "_reply", "headers", "status")

    def __init__(self, reply: Any, address: str) -> None:
        self._reply = reply
        self._address = address
        self.status: int = reply.status_code
        self.headers: Mapping[str, str] = reply.headers
        # A compressed reply must be unpacked; the usual one is taken as it comes.
        packed = reply.headers.get("content-encoding", "identity") != "identity"
        self._parts: Iterator[bytes] = reply.iter_bytes() if packed else reply.iter_raw()

    def read(self, deadline: float) -> bytes:
        set_deadline(deadline)
        outside = sys.exc_info()[1]
        late = time.monotonic() >= deadline
        try:
            for part in self._parts:
                if late and part:
                    raise ReadOverdue
                if part:
                    return part
            return b""
        except Exception as error:  # whatever the HTTP library raises becomes a typed error
            failure = _to_read_error(error, self._address, outside)
        raise failure

    def close(self) -> None:
        self._reply.close()


class ReplyCounter(Protocol):
    """The client that a reply is open on; it counts its open replies."""

    open: int


class LoopBody:
    """As `SyncBody`, on an event loop."""

    __slots__ = ("_address", "_counter", "_parts", "_reply", "headers", "status")

    def __init__(self, reply: Any, address: str, counter: ReplyCounter) -> None:
        self._reply = reply
        self._address = address
        self._counter: ReplyCounter | None = counter
        self.status: int = reply.status_code
        self.headers: Mapping[str, str] = reply.headers
        packed = reply.headers.get("content-encoding", "identity") != "identity"
        self._parts: AsyncIterator[bytes] = reply.aiter_bytes() if packed else reply.aiter_raw()

    async def read(self, deadline: float) -> bytes:
        outside = sys.exc_info()[1]
        late = time.monotonic() >= deadline
        try:
            async with asyncio.timeout_at(to_loop_time(deadline)):
                # Not `async for`: leaving that loop would not close the iterator, and it is read on later.
                while (part := await anext(self._parts, None)) is not None:
                    if late and part:
                        raise ReadOverdue
                    if part:
                        return part
            return b""
        except Exception as error:  # whatever the HTTP library raises becomes a typed error
            failure = _to_read_error(error, self._address, outside)
        raise failure

    async def close(self) -> None:
        counter, self._counter = self._counter, None
        if counter is not None:
            counter.open -= 1
        await self._reply.aclose()


def to_loop_time(deadline: float) -> float:
    """A `time.monotonic()` value on the running loop's clock."""
    return asyncio.get_running_loop().time() + deadline - time.monotonic()


def _to_read_error(error: Exception, address: str, outside: BaseException | None) -> LLMError:
    if isinstance(error, TimeoutError):
        return FirstTokenTimeout(f"{address}: no answer in time")
    return to_error(error, address, outside)
