"""Server-sent events: bytes, split anywhere, to events, as the WHATWG algorithm says.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from typing import NamedTuple

from llmkit.errors import ResponseTooLarge

#: Longest single event that is kept in memory. One event can hold a whole generated image.
MAX_EVENT_BYTES = 32 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event. `data` holds the raw bytes of its data lines, joined by LF: UTF-8, to be decoded with replacement."""

    data: bytes
    event: str = "message"
    id: str = ""


#: What the constructor of `Event` does in the end; called directly, it saves a Python call for each event.
_new_event = tuple.__new__


class SSEDecoder:
    """Turns the bytes of a stream into its events.

    The buffer holds what has come of the event that is not closed yet. An event is closed by a blank line; one that the
    end of the stream cuts off is discarded, as the algorithm says. Line ends become LF before anything else, so that a
    blank line is always two LF in a row, and `_scanned` says how much of the buffer has been searched for them. Most
    reads hold whole events and find the buffer empty: those are split without being copied into it.
    """

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
        """The events that `data` completes; `data` may be split from the stream anywhere.

        Raises:
            ResponseTooLarge: an event is longer than `MAX_EVENT_BYTES`.
        """
        if not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._to_line_feeds(data)
        buffer = self._buffer
        if not buffer and self._started and data[-2:] == b"\n\n":
            return self._parse_blocks(data[:-2].split(b"\n\n"))  # A read of whole events, as most are.
        buffer += data
        if not self._started and not self._strip_bom():
            return []
        end = buffer.rfind(b"\n\n", max(self._scanned - 1, 0))
        if end < 0:
            self._scanned = len(buffer)
            if self._scanned > MAX_EVENT_BYTES:
                raise ResponseTooLarge(f"a single event of the stream is longer than {MAX_EVENT_BYTES} bytes")
            return []
        blocks = bytes(buffer[:end]).split(b"\n\n")
        del buffer[: end + 2]
        self._scanned = len(buffer)
        return self._parse_blocks(blocks)

    def _parse_blocks(self, blocks: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for block in blocks:
            # Nearly every block is one data line, read here without a look at its fields.
            if block[:6] == b"data: " and b"\n" not in block:
                events.append(_new_event(Event, (block[6:], "message", self._id)))
            elif event := self._parse_block(block):
                events.append(event)
        return events

    def _to_line_feeds(self, data: bytes) -> bytes:
        """The bytes with LF for CR and CRLF. A CR at the end of a read counts at once; an LF after it is dropped."""
        follows_cr, self._after_cr = self._after_cr, data[-1:] == b"\r"
        if follows_cr and data[:1] == b"\n":
            data = data[1:]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _strip_bom(self) -> bool:
        """Drop one leading byte-order mark. The result is false while there are too few bytes to tell."""
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._started = True
        return True

    def _parse_block(self, block: bytes) -> Event | None:
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
