"""Newline-delimited JSON: bytes, split anywhere, to lines. Only LF ends a line; blank lines are skipped."""

from __future__ import annotations

from llmkit.errors import ResponseTooLarge

#: Longest single line that is kept in memory.
MAX_LINE_BYTES = 32 * 1024 * 1024


class NDJSONDecoder:
    """Turns the bytes of a stream into its lines. `feed(b"")` says that the body has ended, and gives the last line."""

    __slots__ = ("_buffer", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without line ends.

        Raises:
            ResponseTooLarge: a line is longer than `MAX_LINE_BYTES`.
        """
        buffer = self._buffer
        if not data:
            rest = bytes(buffer).strip()
            buffer.clear()
            return [rest] if rest else []
        buffer += data
        end = buffer.rfind(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(buffer)
            if self._scanned > MAX_LINE_BYTES:
                raise ResponseTooLarge(f"a single line of the stream is longer than {MAX_LINE_BYTES} bytes")
            return []
        lines = bytes(buffer[:end]).split(b"\n")
        del buffer[: end + 1]
        self._scanned = len(buffer)
        return [line for raw in lines if (line := raw.strip())]
