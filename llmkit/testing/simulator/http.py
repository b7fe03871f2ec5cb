"""HTTP/1.1 as far as the simulator needs it: reads a request, builds a head and the framing of a body."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from llmkit.testing.simulator.connection import ClientGoneError, Connection
from llmkit.testing.simulator.records import Headers

_MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 64 * 1024 * 1024
"""A longer request body is refused with 413."""
LAST_CHUNK = b"0\r\n\r\n"


class BadRequestError(Exception):
    """The bytes are not a request that can be served; `status` is the answer."""

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
    """Return the next request; None when the client has closed the connection.

    Raises:
        BadRequestError: the request is malformed or too large.
        ClientGoneError: the client closed within a body.
    """
    head = await connection.read_until(b"\r\n\r\n", _MAX_HEAD_BYTES)
    if head is None:
        if connection.gone.is_set():
            return None
        raise BadRequestError(431)
    line, *lines = head[:-4].decode("latin-1").split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError(400)
    headers = _parse_headers(lines)
    if headers.get("expect", "").lower() == "100-continue":
        await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    options = headers.get("connection", "").lower()
    keep_alive = "close" not in options and (parts[2] != "HTTP/1.0" or "keep-alive" in options)
    body = await _read_body(connection, headers)
    return RawRequest(method=parts[0], target=parts[1], headers=headers, body=body, keep_alive=keep_alive)


def _parse_headers(lines: Iterable[str]) -> Headers:
    pairs: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(400)
        pairs.append((name, value.strip()))
    return Headers(pairs)


async def _read_body(connection: Connection, headers: Headers) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunked_body(connection)
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise BadRequestError(400)
    if int(length) > MAX_BODY_BYTES:
        raise BadRequestError(413)
    return await connection.read_exactly(int(length))


async def _read_chunked_body(connection: Connection) -> bytes:
    body = bytearray()
    while True:
        line = await connection.read_until(b"\r\n", _MAX_HEAD_BYTES)
        if line is None:
            raise ClientGoneError
        try:
            size = int(line.split(b";")[0].strip(), 16)
        except ValueError:
            raise BadRequestError(400) from None
        if size < 0 or len(body) + size > MAX_BODY_BYTES:
            raise BadRequestError(413)
        body += (await connection.read_exactly(size + 2))[:-2]
        if size == 0:
            return bytes(body)


def build_response_head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return status line and headers, with the empty line after them."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def frame_chunk(data: bytes) -> bytes:
    """Return `data` as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
