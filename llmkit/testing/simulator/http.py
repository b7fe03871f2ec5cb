"""HTTP/1.1 as far as the simulator needs it: read a request, write a head and the framing of a body."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from llmkit.testing.simulator.connection import ClientGoneError, Connection
from llmkit.testing.simulator.records import Headers

_HEAD_LIMIT = 65_536
BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of a request body; a longer one is refused with 413."""
LAST_CHUNK = b"0\r\n\r\n"


class BadRequestError(Exception):
    """The bytes are no request that can be answered; `status` is what to say."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRequest:
    """One request, read to its end."""

    method: str
    target: str
    headers: Headers
    body: bytes
    keep_alive: bool
    """The connection may serve another request after this one."""


async def read_request(connection: Connection) -> RawRequest | None:
    """The next request; None when the client is done.

    Raises:
        BadRequestError: it is malformed or too large.
        ClientGoneError: the client closed within a body.
    """
    head = await connection.read_until(b"\r\n\r\n", _HEAD_LIMIT)
    if head is None:
        if connection.gone.is_set():
            return None
        raise BadRequestError(431)
    line, *lines = head[:-4].decode("latin-1").split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError(400)
    headers = _headers(lines)
    if headers.get("expect", "").lower() == "100-continue":
        await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    options = headers.get("connection", "").lower()
    keep_alive = "close" not in options and (parts[2] != "HTTP/1.0" or "keep-alive" in options)
    body = await _body(connection, headers)
    return RawRequest(method=parts[0], target=parts[1], headers=headers, body=body, keep_alive=keep_alive)


def _headers(lines: Iterable[str]) -> Headers:
    pairs: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(400)
        pairs.append((name, value.strip()))
    return Headers(pairs)


async def _body(connection: Connection, headers: Headers) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunked_body(connection)
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise BadRequestError(400)
    if int(length) > BODY_LIMIT:
        raise BadRequestError(413)
    return await connection.read_exactly(int(length))


async def _chunked_body(connection: Connection) -> bytes:
    body = bytearray()
    while True:
        line = await connection.read_until(b"\r\n", _HEAD_LIMIT)
        if line is None:
            raise ClientGoneError
        try:
            size = int(line.split(b";")[0].strip(), 16)
        except ValueError:
            raise BadRequestError(400) from None
        if size < 0 or len(body) + size > BODY_LIMIT:
            raise BadRequestError(413)
        body += (await connection.read_exactly(size + 2))[:-2]
        if size == 0:
            return bytes(body)


def response_head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Status line and headers, with the empty line after them."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
