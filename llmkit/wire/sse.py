"""Server-sent events: bytes, split anywhere, to events, as the WHATWG algorithm says.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from typing import NamedTuple

from llmkit.errors import ResponseTooLarge

#: Longest single event that is kept in memory. One event can hold a whole generated image.
EVENT_LIMIT = 32 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event. `data` are the raw bytes of its data lines, joined by LF; decode as UTF-8 with replacement."""

    data: bytes
    event: str = "message"
    id: str = ""


_new = tuple.__new__  # What the class does, without a call through its constructor for each event.


class SSEDecoder:
    """Feed it reads, take events. An event that no blank line closes before the end is discarded."""

    __slots__ = ("_after_cr", "_buffer", "_id", "_scanned", "_started", "reconnection_time")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._started = False
        self._after_cr = False
        self._id = ""
        #: Milliseconds of the last valid `retry` field.
        self.reconnection_time: int | None = None

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes.

        Raises:
            ResponseTooLarge: an event longer than `EVENT_LIMIT`.
        """
        if not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._line_feeds(data)
        buffer = self._buffer
        if not buffer and self._started and data[-2:] == b"\n\n":
            return self._events(data[:-2].split(b"\n\n"))  # A read of whole events, as most are.
        buffer += data
        if not self._started and not self._strip_bom():
            return []
        end = buffer.rfind(b"\n\n", max(self._scanned - 1, 0))
        if end < 0:
            self._scanned = len(buffer)
            if self._scanned > EVENT_LIMIT:
                raise ResponseTooLarge(f"a single event of the stream is longer than {EVENT_LIMIT} bytes")
            return []
        blocks = bytes(buffer[:end]).split(b"\n\n")
        del buffer[: end + 2]
        self._scanned = len(buffer)
        return self._events(blocks)

    def _events(self, blocks: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for block in blocks:
            # Nearly every block is one data line, read here without a look at its fields.
            if block[:6] == b"data: " and b"\n" not in block:
                events.append(_new(Event, (block[6:], "message", self._id)))
            elif event := self._block(block):
                events.append(event)
        return events

    def _line_feeds(self, data: bytes) -> bytes:
        """CR and CRLF become LF. A CR at the end of a read counts at once; an LF that follows belongs to it."""
        first_half, self._after_cr = self._after_cr, data[-1:] == b"\r"
        if first_half and data[:1] == b"\n":
            data = data[1:]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _strip_bom(self) -> bool:
        """Drop one leading byte-order mark. False: too few bytes to tell."""
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._started = True
        return True

    def _block(self, block: bytes) -> Event | None:
        data: list[bytes] = []
        kind = ""
        for line in block.split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon and value[:1] == b" ":
                value = value[1:]
            if name == b"data":
                data.append(value)
            elif name == b"event":
                kind = value.decode("utf-8", "replace")
            elif name == b"id" and b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            elif name == b"retry" and value.isdigit() and len(value) < 16:
                self.reconnection_time = int(value)
        return Event(b"\n".join(data), kind or "message", self._id) if data else None
