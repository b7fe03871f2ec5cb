"""Foreign text on a terminal: no character of it drives the terminal, wherever it is split."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.cli.terminal import Output, replace_controls
from llmkit.testing.simulator import Reply

#: What a hostile model may say, and what is seen of it on a terminal.
PAYLOADS = {
    "colour": ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
    "clear screen": ("\x1b[2J\x1b[H", "␛[2J␛[H"),
    "title": ("\x1b]0;owned\x07", "␛]0;owned␇"),
    "clipboard": ("\x1b]52;c;cm0gLXJm\x07", "␛]52;c;cm0gLXJm␇"),
    "clipboard, C1": ("\x9d52;c;cm0gLXJm\x9c", "\ufffd52;c;cm0gLXJm\ufffd"),
    "link": ("\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "␛]8;;http://evil␛\\here␛]8;;␛\\"),
    "CSI, C1": ("\x9b31m", "\ufffd31m"),
    "carriage return": ("rm -rf /\rls      ", "rm -rf /␍ls      "),
    "backspace": ("yes\b\b\bno", "yes␈␈␈no"),
    "bidi override": ("a\u202eb\u202cc", "a\ufffdb\ufffdc"),
    "bidi isolate": ("a\u2066b\u2069c", "a\ufffdb\ufffdc"),
    "null and delete": ("a\x00b\x7f", "a␀b␡"),
    "line ends": ("a\r\nb\tc\n", "a\nb\tc\n"),
    "plain": ("Grüße, 世界 👋 שלום", "Grüße, 世界 👋 שלום"),
}
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CASES = pytest.mark.parametrize(("text", "seen"), PAYLOADS.values(), ids=list(PAYLOADS))


class Tty(io.StringIO):
    """A text stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def through(stream: io.StringIO, pieces: list[str]) -> str:
    out = Output(stream)
    for piece in pieces:
        out.write(piece)
    out.end_line()
    return stream.getvalue()


@CASES
def test_a_payload_is_only_seen(text: str, seen: str) -> None:
    """Every payload comes out as visible characters, whole and character by character."""
    assert replace_controls(text) == seen
    line = seen if seen.endswith("\n") else seen + "\n"
    assert through(Tty(), [text]) == line
    assert through(Tty(), list(text)) == line


@given(st.lists(st.text(st.one_of(st.characters(), st.sampled_from("\x1b\r\n\x9b\u202e")), max_size=8), max_size=6))
def test_no_split_lets_a_control_through(pieces: list[str]) -> None:
    """However text is split, what is written is the same and holds no control character."""
    written = through(Tty(), pieces)
    assert not FORBIDDEN.search(written)
    assert written == through(Tty(), ["".join(pieces)])


@given(st.text(st.one_of(st.characters(), st.sampled_from("\x1b\r\n\x9b\u202e")), max_size=30))
def test_a_pipe_keeps_text(text: str) -> None:
    """In a pipe carriage returns and bidirectional controls stay, other control characters are replaced."""
    written = through(io.StringIO(), [text])
    assert re.sub(r"[\r\u202a-\u202e\u2066-\u2069]", "", written) == FORBIDDEN.sub("", written)
    kept = re.compile(r"[^\r\u202a-\u202e\u2066-\u2069]")
    assert kept.sub("", written) == kept.sub("", text)


def test_an_answer_on_a_real_terminal(shell: Any, terminal: Any) -> None:
    """What reaches the terminal from a model's answer, and from its name, is the visible form."""
    text = "".join(f"{payload}\n" for payload, _ in PAYLOADS.values())
    name = "".join(payload.replace("\r\n", "").replace("\n", "") for payload, _ in PAYLOADS.values())
    shell.sim.script(Reply(chunks=list(text), model=name))
    screen = terminal("chat", "hi", "-p", "openrouter", "-m", "a/b")
    assert screen.end() == 0
    shown = screen.seen.decode().replace("\r\n", "\n")
    assert shown.startswith("".join(f"{seen}\n" for _, seen in PAYLOADS.values()))
    assert replace_controls(name) in shown
    assert not FORBIDDEN.search(shown)


def test_an_error_text_is_neutral_too(shell: Any) -> None:
    """What a service says in an error is not obeyed either."""
    shell.sim.script(Reply(status=400, error="bad \x1b]52;c;cm0gLXJm\x07 \x9b31m \x1b[2J thing"))
    done = shell.run("chat", "hi", "-p", "openrouter", "-m", "a/b")
    assert done.code == 1
    assert not FORBIDDEN.search(done.err)
    assert "bad" in done.err
    assert "thing" in done.err


def test_reasoning_is_neutral_too(shell: Any, terminal: Any) -> None:
    """Reasoning on a terminal is foreign text as well."""
    shell.sim.script(Reply(reasoning="hm \x1b[2J", text="ok"))
    screen = terminal("chat", "hi", "-p", "openrouter", "-m", "a/b", "--reasoning")
    screen.see(r"hm ␛\[2J\r\nok\r\n")
    assert screen.end() == 0
