"""`llmkit pull`: a model is fetched, with its progress."""

from __future__ import annotations

from typing import Any


def test_steps_are_said_on_stderr(shell: Any) -> None:
    """Without a terminal each step is a line, and the last one says how to use the model."""
    done = shell.run("pull", "llama3.2", process=True)
    assert (done.code, done.out) == (0, "")
    said = done.err.splitlines()
    assert "pulling manifest" in said[0]
    assert any("100 %" in line for line in said)
    assert "llmkit chat -p ollama -m llama3.2" in said[-1]


def test_a_failed_pull_is_an_error(shell: Any) -> None:
    """A model that is not there ends with 1 and says what happened."""
    done = shell.run("pull", "no-such-model")
    assert done.code == 1
    assert "no-such-model" in done.err
    assert "https://ollama.com/library" in done.err


def test_a_service_without_pulling_says_so(shell: Any) -> None:
    """Only a backend that can fetch models does."""
    done = shell.run("pull", "gpt-4o", "-p", "openai")
    assert done.code == 2
    assert "openai" in done.err


def test_a_terminal_shows_a_bar(terminal: Any) -> None:
    """On a terminal the layers are bars that fill."""
    shown = terminal("pull", "llama3.2", more={"TERM": "xterm"})
    text = shown.see("llmkit chat -p ollama")
    assert "GB" in text
