"""`llmkit chat` without a prompt: a conversation on a pseudo-terminal, as a person has it."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable
from typing import Any

import pytest

from llmkit.testing.simulator import Reply, Simulator

Start = Callable[..., Any]
CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"
WORDS = ("chat", "-p", "openrouter", "-m", "a/b")


def turns(sim: Simulator) -> list[tuple[str, str]]:
    """Role and text of each turn of the last request."""
    return [(turn["role"], turn["content"]) for turn in sim.requests[-1].json["messages"]]


def test_history_goes_along(shell: Any, terminal: Start) -> None:
    """Each question goes out with the turns before it; /clear forgets them and keeps the system message."""
    screen = terminal(*WORDS, "--system", "Be brief.", process=True)
    screen.see(r"openrouter:a/b\. .*\r\n> ")
    screen.type("one\r")
    screen.see(r"You said: one\r\na/b · 3 \+ 4 tokens · \$[\d.]+\r\n> ")
    screen.type("two\r")
    screen.see(r"You said: two\r\n.*\r\n> ")
    told = [("system", "Be brief."), ("user", "one"), ("assistant", "You said: one"), ("user", "two")]
    assert turns(shell.sim) == told
    screen.type("/clear\r")
    screen.see(r"cleared\r\n> ")
    screen.type("three\r")
    screen.see(r"You said: three\r\n.*\r\n> ")
    assert turns(shell.sim) == [("system", "Be brief."), ("user", "three")]
    screen.type("/exit\r")
    screen.see(r"session: 3 answers · \d+ \+ \d+ tokens · \$[\d.]+\r\n")
    assert screen.end() == 0


def test_ctrl_c_in_an_answer(shell: Any, terminal: Start) -> None:
    """Ctrl-C stops the answer and not the session; what came of it is in the history, and its cost is unknown."""
    screen = terminal(*WORDS)
    screen.see(r"> ")
    shell.sim.script(Reply(chunks=["one ", "two ", "three"], gated=True))
    screen.type("count\r")
    shell.sim.release(2)
    screen.see("one two ")
    screen.stop(r"\r\nstopped · openrouter:a/b · tokens and cost unknown\r\n> ")
    assert shell.sim.wait_idle(10)
    screen.type("go on\r")
    screen.see(r"You said: go on\r\n.*\r\n> ")
    assert turns(shell.sim) == [("user", "count"), ("assistant", "one two "), ("user", "go on")]
    screen.type(CTRL_D)
    screen.see(r"session: 1 answer · .* · at least \$[\d.]+, 1 of unknown cost\r\n")
    assert screen.end() == 0


def test_ctrl_c_twice(shell: Any, terminal: Start) -> None:
    """Pressing Ctrl-C twice in an answer does not end the session either."""
    screen = terminal(*WORDS)
    screen.see(r"> ")
    shell.sim.script(Reply(chunks=["one ", "two ", "three"], gated=True))
    screen.type("count\r")
    shell.sim.release(2)
    screen.see("one two ")
    screen.type(CTRL_C)
    screen.stop(r"> ")
    screen.type("go on\r")
    screen.see(r"You said: go on\r\n")
    assert turns(shell.sim) == [("user", "count"), ("assistant", "one two "), ("user", "go on")]


def test_ctrl_c_before_an_answer(shell: Any, terminal: Start) -> None:
    """A question that was stopped before anything came is not in the history."""
    screen = terminal(*WORDS)
    screen.see(r"> ")
    shell.sim.script(Reply(text="never", gated=True))
    screen.type("slow one\r")
    while not shell.sim.requests:
        screen.pause()
    screen.stop(r"stopped · .*\r\n> ")
    screen.type("next\r")
    screen.see(r"You said: next\r\n.*\r\n> ")
    assert turns(shell.sim) == [("user", "next")]


def test_ctrl_c_at_the_prompt(shell: Any, terminal: Start) -> None:
    """Ctrl-C at the prompt drops the line and asks again; Ctrl-D ends with 0."""
    screen = terminal(*WORDS)
    screen.see(r"> ")
    screen.type("half a li")
    screen.see("half a li")
    screen.stop(r"\r\n> ")
    screen.type("whole\r")
    screen.see(r"You said: whole\r\n.*\r\n> ")
    assert turns(shell.sim) == [("user", "whole")]
    screen.type(CTRL_D)
    assert screen.end() == 0


def test_a_failed_call_is_not_the_end(shell: Any, terminal: Start) -> None:
    """An error is told, its question forgotten, and the session goes on; of a broken stream the text is kept."""
    screen = terminal(*WORDS, "--set", "retry=null")
    screen.see(r"> ")
    shell.sim.script(Reply(status=402), Reply(chunks=["half ", "an ", "answer"], cut_after=2))
    screen.type("one\r")
    screen.see(r"error: openrouter:a/b: .*402.*\r\n> ")
    screen.type("two\r")
    screen.see(r"half an \r\nerror: .*not complete.*\r\n> ")
    screen.type("three\r")
    screen.see(r"You said: three\r\n.*\r\n> ")
    assert turns(shell.sim) == [("user", "two"), ("assistant", "half an "), ("user", "three")]


def test_commands(shell: Any, terminal: Start) -> None:
    """/help lists the commands, an unknown one is said to be so, a path is a question, an empty line nothing."""
    screen = terminal(*WORDS)
    screen.see(r"> ")
    screen.type("/help\r")
    screen.see(r"/clear (?s:.*)\r\n> ")
    screen.type("/nonsense\r")
    screen.see(r"there is no command /nonsense.*\r\n> ")
    screen.type("\r")
    screen.see(r"> ")
    assert shell.sim.requests == []
    screen.type("/etc/hosts\r")
    screen.see(r"You said: /etc/hosts\r\n.*\r\n> ")


def test_text_of_several_lines(shell: Any, terminal: Start) -> None:
    '''Between """ and """ a question has several lines; Ctrl-C in it drops all of them.'''
    screen = terminal(*WORDS)
    screen.see(r"> ")
    screen.type('"""\r')
    screen.see(r"\. ")
    screen.type("dropped\r")
    screen.see(r"\r\n\. ")
    screen.stop(r"\r\n> ")
    screen.type('"""one\r')
    screen.see(r"\. ")
    screen.type('two"""\r')
    screen.see(r"You said: one two\r\n.*\r\n> ")
    assert turns(shell.sim) == [("user", "one\ntwo")]


def test_lines_are_edited(shell: Any, terminal: Start) -> None:
    """With readline the arrow up brings the last line back, and a pasted text of two lines is one question."""
    readline = pytest.importorskip("readline")
    if "libedit" in (readline.__doc__ or ""):
        pytest.skip("this Python has libedit in place of readline")
    screen = terminal(*WORDS, more={"TERM": "xterm"})
    screen.see(r"> ")
    screen.type("again\r")
    screen.see(r"You said: again\r\n[^>]*> ")
    screen.type(UP)
    screen.see("again")
    screen.type("\r")
    screen.see(r"You said: again\r\n[^>]*> ")
    assert turns(shell.sim)[-1] == ("user", "again")
    screen.type("\x1b[200~first\nsecond\x1b[201~")
    screen.see("second")
    screen.type("\r")
    screen.see(r"You said: first second\r\n")
    assert turns(shell.sim)[-1] == ("user", "first\nsecond")


def test_answers_into_a_file(shell: Any) -> None:
    """With stdout in a file only the answers go there; the prompt is on stderr."""
    master, slave = pty.openpty()
    with shell.start(*WORDS, stdin=slave) as process:
        os.close(slave)
        os.write(master, b"one\n\x04")
        out, err = process.communicate(timeout=60)
    os.close(master)
    assert (process.returncode, out) == (0, b"You said: one\n")
    assert b"> " in err


def test_a_session_needs_a_model_first(shell: Any, terminal: Start) -> None:
    """What is wrong with the model or the key is said before the first prompt."""
    screen = terminal("chat", "-p", "openrouter", more={"OPENROUTER_API_KEY": None, "OPENROUTER_BASE_URL": None})
    screen.see("OPENROUTER_API_KEY")
    assert screen.end() == 2
    screen = terminal(*WORDS, "--json")
    screen.see("--json needs a prompt")
    assert screen.end() == 2


def test_a_quoted_name_of_an_attachment(shell: Any, terminal: Start) -> None:
    """Quotes around the name of a file are not part of it."""
    (shell.folder / "a note.txt").write_text("forty-two")
    screen = terminal("chat", "-p", "openai", "-m", "gpt-4o")
    screen.see("> ")
    screen.type("/attach 'a note.txt'\n")
    screen.see(r"with the next question: a note\.txt")
    screen.type("/exit\n")
    assert screen.end() == 0
