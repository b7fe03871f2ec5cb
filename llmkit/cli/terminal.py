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
_PIPE_REPLACEMENTS: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
}
_TERMINAL_REPLACEMENTS: dict[int, str] = {**_PIPE_REPLACEMENTS, 0x0D: "\u240d", **dict.fromkeys(_BIDI, "\ufffd")}
_LINE_END = re.compile(r"\r+\n")


def replace_controls(text: str) -> str:
    """Return foreign text as it may stand on a terminal: control characters become visible ones."""
    return _LINE_END.sub("\n", text).translate(_TERMINAL_REPLACEMENTS)


class Output:
    """Writes foreign text that arrives in pieces to a stream, with its control characters replaced."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._table = _TERMINAL_REPLACEMENTS if stream.isatty() else _PIPE_REPLACEMENTS
        self._pending = ""
        self._at_start = True

    def write(self, text: str) -> None:
        """Write a piece and flush. A carriage return at its end waits for what follows it."""
        text = self._pending + text
        self._pending = ""
        if self._table is _TERMINAL_REPLACEMENTS:
            kept = text.rstrip("\r")
            self._pending, text = text[len(kept) :], _LINE_END.sub("\n", kept)
        self._write_out(text.translate(self._table))

    def end_line(self) -> None:
        """Write what was held back, and a line end unless the text is empty or ends in one."""
        pending, self._pending = self._pending, ""
        self._write_out(pending.translate(self._table))
        if not self._at_start:
            self._write_out("\n")

    def _write_out(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()
            self._at_start = text.endswith("\n")


def prepare_streams() -> None:
    """Make the standard streams accept any text: a character that their encoding lacks becomes a question mark."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (`>&-`)
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))  # it lives as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def note(text: str) -> None:
    """Write a line beside the answer to stderr, dimmed where that is a terminal."""
    _print_line(style_text(replace_controls(text), "2"))


def complain(text: str) -> None:
    """Write what went wrong to stderr."""
    _print_line(f"{style_text('error:', '1;31')} {replace_controls(text)}")


def style_text(text: str, code: str) -> str:
    """Return `text` in a style of the terminal (an SGR code) if stderr is a terminal that shows styles."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb")
    return text if plain or not sys.stderr.isatty() else f"\x1b[{code}m{text}\x1b[0m"


def _print_line(line: str) -> None:
    sys.stdout.flush()
    print(line, file=sys.stderr, flush=True)
