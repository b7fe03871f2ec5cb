"""A loopback server that says again what was recorded: raw sockets, no framework, one thread.

The path chooses the exchange: `/line/<id>/...`, so a `base_url` is all that a client needs to be told. The
body leaves in HTTP chunks, one for each network read of the recording, with a breath in between so that the
client's reads split there too. What must not go in here: any reading of the bodies.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

BREATH: Final = 0.0005
"""Seconds between two pieces: enough for a reader on the same machine to wake up and take the first."""

LEFT_OUT: Final = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"})
"""Headers of the recorded connection, which say nothing about this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One recorded answer, ready to be sent."""

    id: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    pieces: tuple[int, ...]
    stream: bool

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Exchange:
        """The answer of one line of a recording; it is one piece where no network reads were recorded."""
        body = line["response_body"].encode()
        pieces = tuple(line.get("chunk_lens") or (len(body),))
        if sum(pieces) != len(body):
            message = f"{line['id']}: chunk_lens add up to {sum(pieces)}, the body has {len(body)} bytes"
            raise ValueError(message)
        headers = ((name, str(value)) for name, value in (line["response_headers"] or {}).items())
        return cls(
            id=line["id"],
            status=line["status"],
            headers=tuple((name, value) for name, value in headers if name.lower() not in LEFT_OUT),
            body=body,
            pieces=pieces,
            stream=line["stream"],
        )

    def head(self) -> bytes:
        """The status line and the headers."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Recorded"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode("latin-1", errors="replace")

    def chunks(self) -> Iterator[bytes]:
        """The body in HTTP chunks, one for each piece; an empty one would be the end and is passed over."""
        start = 0
        for length in self.pieces:
            if length:
                yield b"%x\r\n%s\r\n" % (length, self.body[start : start + length])
            start += length


class ReplayServer:
    """Serves exchanges on a free port of 127.0.0.1 while its `with` block lasts."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._exchanges = {exchange.id: exchange for exchange in exchanges}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="replay", daemon=True)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._port = 0
        self.hits: Counter[str] = Counter()
        """How many requests each line got."""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def url(self, line_id: str, path: str = "") -> str:
        """The address of one line: what a client takes as its base URL."""
        return f"http://127.0.0.1:{self._port}/line/{line_id}{path}"

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the server is closing
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and send the line that it names; False once the client has left."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        target = head.split(" ", 2)[1]
        for name, value in (line.split(":", 1) for line in head.split("\r\n")[1:] if ":" in line):
            if name.lower() == "content-length":
                await reader.readexactly(int(value))
        parts = target.split("/")
        exchange = self._exchanges.get(parts[2]) if parts[1] == "line" and len(parts) > 2 else None
        if exchange is None:
            writer.write(b"HTTP/1.1 599 No such line\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return True
        self.hits[exchange.id] += 1
        writer.write(exchange.head())
        for chunk in exchange.chunks():
            writer.write(chunk)
            await writer.drain()
            if len(exchange.pieces) > 1:
                await asyncio.sleep(BREATH)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True
