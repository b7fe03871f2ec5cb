"""One accepted connection: it reads through a buffer, notices when the client goes away, and can be reset."""

import asyncio
import socket
import struct
import sys
from contextlib import suppress

_READ_BYTES = 65_536
_MAX_AHEAD_BYTES = 1 << 20
"""A client that sends more than this ahead is no longer watched for its leaving."""
# struct linger holds two ints everywhere but on Windows, where it holds two shorts.
_LINGER_ZERO = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class ClientGoneError(Exception):
    """The client closed or reset the connection."""


class Connection:
    """Reads and writes bytes. A client that closes its sending side counts as gone."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.gone = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._watch_task: asyncio.Task[None] | None = None

    async def read_until(self, mark: bytes, limit: int) -> bytes | None:
        """Return everything up to and with `mark`; None if the client closed, or sent `limit` bytes without it."""
        start = 0
        while (at := self._buffer.find(mark, start)) < 0:
            start = max(0, len(self._buffer) - len(mark))
            if len(self._buffer) > limit or not await self._fill():
                return None
        return self._take_buffered(at + len(mark))

    async def read_exactly(self, size: int) -> bytes:
        """Return `size` bytes.

        Raises:
            ClientGoneError: the client closed before it sent them.
        """
        while len(self._buffer) < size:
            if not await self._fill():
                raise ClientGoneError
        return self._take_buffered(size)

    async def write(self, data: bytes) -> None:
        """Send `data`, and wait while the client is slow to read.

        Raises:
            ClientGoneError: the client closed.
        """
        if self.gone.is_set() or self._writer.is_closing():
            raise ClientGoneError
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as problem:
            self.gone.set()
            raise ClientGoneError from problem

    async def pause(self, seconds: float) -> None:
        """Wait for some seconds, or until the client goes away.

        Raises:
            ClientGoneError: the client went away.
        """
        self.watch()
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.gone.wait()
        if self.gone.is_set():
            raise ClientGoneError

    async def pass_gate(self, gate: asyncio.Semaphore) -> None:
        """Wait for one permit of `gate`.

        Raises:
            ClientGoneError: the client went away first.
        """
        self.watch()
        permit = asyncio.ensure_future(gate.acquire())
        gone = asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait({permit, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            permit.cancel()
        if self.gone.is_set():
            if permit.done() and not permit.cancelled():
                gate.release()
            raise ClientGoneError

    def watch(self) -> None:
        """Read ahead in the background, so that the end of the connection is seen while an answer is sent."""
        if self._watch_task is None and not self.gone.is_set():
            self._watch_task = asyncio.create_task(self._read_ahead())

    async def unwatch(self) -> None:
        """Stop reading ahead. The bytes that were read are kept for the next request."""
        task, self._watch_task = self._watch_task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})  # Not `await task`: its cancellation must not be taken for one of ours.

    def reset(self) -> None:
        """End the connection with a TCP reset. Bytes that are not yet sent are lost."""
        sock: socket.socket | None = self._writer.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._writer.transport.abort()

    def close(self) -> None:
        """End the connection after what is still to be sent."""
        self._writer.close()

    def abort(self) -> None:
        """End the connection now."""
        self._writer.transport.abort()

    async def _read_ahead(self) -> None:
        while len(self._buffer) < _MAX_AHEAD_BYTES and await self._fill():
            pass

    async def _fill(self) -> bool:
        try:
            data = await self._reader.read(_READ_BYTES)
        except OSError:  # a reset, or TLS that was cut
            data = b""
        if not data:
            self.gone.set()
            return False
        self._buffer += data
        return True

    def _take_buffered(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data
