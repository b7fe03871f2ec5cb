"""Writing to the terminal: the answer to stdout, everything else to stderr, and nothing that drives a terminal.

What a model or a service says is foreign text. An escape sequence in it could rewrite the screen, set the title or the
clipboard (OSC 52), a carriage return could overwrite what stands there, a bidirectional control could show words in
another order. So no such character is written: each is replaced by one that can be seen.

On a terminal that holds for every control character but tab and line feed (CR LF becomes LF), and for the
bidirectional controls. In a pipe or a file carriage returns and bidirectional controls stay, since they are text
there; escape and the other control characters are replaced just the same, because what goes into a pipe often ends on
a terminal. `llmkit chat --json` loses nothing: JSON writes them as escapes.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

_BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
#: ESC becomes the character U+241B, which looks like "ESC" in small letters; what has no picture becomes U+FFFD.
_PIPE: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
}
_TERMINAL: dict[int, str] = {**_PIPE, 0x0D: "\u240d", **dict.fromkeys(_BIDI, "\ufffd")}
_LINE_END = re.compile(r"\r+\n")


def neutral(text: str) -> str:
    """Foreign text as it may stand on a terminal."""
    return _LINE_END.sub("\n", text).translate(_TERMINAL)


class Output:
    """Foreign text that comes in pieces, written to `stream` as it comes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._table = _TERMINAL if stream.isatty() else _PIPE
        self._held = ""
        self._at_start = True

    def write(self, text: str) -> None:
        """Write a piece and flush. A carriage return at its end waits for what follows it."""
        text = self._held + text
        self._held = ""
        if self._table is _TERMINAL:
            kept = text.rstrip("\r")
            self._held, text = text[len(kept) :], _LINE_END.sub("\n", kept)
        self._put(text.translate(self._table))

    def end_line(self) -> None:
        """Write what waits, and a line end unless the last piece ended in one or there was none."""
        held, self._held = self._held, ""
        self._put(held.translate(self._table))
        if not self._at_start:
            self._put("\n")

    def _put(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()
            self._at_start = text.endswith("\n")


def prepare() -> None:
    """Make the standard streams take any text: what their encoding does not have becomes a question mark."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (`>&-`)
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))  # it lives as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def note(text: str) -> None:
    """A line on stderr beside the answer; dimmed where that is a terminal."""
    _say(styled(neutral(text), "2"))


def complain(text: str) -> None:
    """What went wrong, on stderr."""
    _say(f"{styled('error:', '1;31')} {neutral(text)}")


def styled(text: str, code: str) -> str:
    """`text` in a style of the terminal (an SGR code) if stderr is one that shows styles."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb")
    return text if plain or not sys.stderr.isatty() else f"\x1b[{code}m{text}\x1b[0m"


def _say(line: str) -> None:
    sys.stdout.flush()
    print(line, file=sys.stderr, flush=True)
