"""`llmkit demo`: offline against the simulator, and --real with what is found (here: a simulator in its place)."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from llmkit.testing.simulator import Reply

NONE = {
    "OPENROUTER_API_KEY": None,
    "OPENAI_API_KEY": None,
    "OPENROUTER_BASE_URL": None,
    "OPENAI_BASE_URL": None,
    "OLLAMA_HOST": "127.0.0.1:1",
}


@pytest.mark.parametrize("more", [NONE, {"OPENROUTER_MAX_TOKENS": "nonsense", "OLLAMA_HOST": "http://["}])
def test_the_demo(shell: Any, more: dict[str, str | None]) -> None:
    """It says first that it is simulated, calls three providers in three ways, falls back at once, and adds up the
    bill; no key or setting of the user's is needed or used."""
    done = shell.run("demo", more=more)
    assert (done.code, done.err) == (0, ""), done.err
    first, *lines = done.out.splitlines()
    assert "simulator on this machine" in first
    assert "not the real services" in first
    for name in ("openrouter", "openai", "ollama"):
        start = next(number for number, line in enumerate(lines) if line.startswith(f'create_language("{name}"'))
        ways = lines[start + 1 : start + 4]
        assert [line.split()[0] for line in ways] == ["sync", "async", "streamed"]
        assert all("You said: Name a colour." in line for line in ways)
    assert re.search(r"1  openrouter:anthropic/claude-3.5-sonnet +RateLimited 429", done.out)
    assert re.search(r"2  ollama:llama3.2 +ok", done.out)
    assert "Totals: 10 answers in 11 attempts, 40 + 60 tokens" in done.out
    assert "$0.0000126 as reported; the simulator's own bill says the same" in done.out
    assert "\x1b" not in done.out
    assert max(map(len, lines)) <= 80
    assert shell.sim.requests == []


def test_a_reader_that_leaves(shell: Any) -> None:
    """When the reader closes the pipe (`| head`), the demo ends with 0 and says nothing."""
    with shell.start("demo", stdin=subprocess.DEVNULL) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_real_with_all_three(shell: Any) -> None:
    """--real says what it found and what it may cost, and with --yes makes three calls of each, none of them twice."""
    done = shell.run("demo", "--real", "--yes")
    assert done.code == 0, done.err
    before, _, after = done.out.partition("create_language(")
    for part in ("OPENROUTER_API_KEY is set", "OPENAI_API_KEY is set", f"answers at {shell.sim.ollama_url}"):
        assert part in before
    assert "3 times" in before
    assert "at most 100 tokens" in before
    # The simulator is at the place of the services, so their prices do not hold.
    assert before.count("what the operator of http://127.0.0.1") == 2
    assert "nothing: the model runs on this machine" in before
    assert after.count("You said") == 9
    asked = [(request.dialect, request.model) for request in shell.sim.requests if "/chat" in request.path]
    models = [("openrouter", "openrouter/free"), ("openai", "gpt-4o-mini"), ("ollama", "llama3.1:latest")]
    assert asked == [target for target in models for _ in range(3)]


def test_real_states_prices_of_the_vendors(shell: Any) -> None:
    """At the vendors' own addresses the free model costs nothing and the other at most a stated sum; nothing is sent
    before the user agrees, and without a terminal nobody can."""
    done = shell.run("demo", "--real", more={"OPENROUTER_BASE_URL": None, "OPENAI_BASE_URL": None})
    assert done.code == 2
    assert "nothing: openrouter/free is free" in done.out
    assert "at most $0.000225" in done.out
    assert "--yes" in done.err
    assert not [request for request in shell.sim.requests if "chat" in request.path]


def test_real_with_nothing(shell: Any) -> None:
    """Where nothing is found it says what is missing, for each, and ends with 2."""
    done = shell.run("demo", "--real", "--yes", more=NONE)
    assert done.code == 2
    for part in ("OPENROUTER_API_KEY is not set", "OPENAI_API_KEY is not set", "nothing answers as Ollama", "https://"):
        assert part in done.out
    assert "llmkit demo" in done.err


def test_real_goes_on_after_a_failure(shell: Any) -> None:
    """A service that fails is told in its rows, the others are still called, and the exit code is 1."""
    done = shell.run("demo", "--real", "--yes", more={"OPENAI_API_KEY": "sk-bad-0123456789"})
    assert done.code == 1
    assert done.out.count("failed: openai:gpt-4o-mini") == 3
    assert done.out.count("You said") == 6
    assert len([request for request in shell.sim.requests if "/chat" in request.path]) == 9


@pytest.mark.parametrize(("answer", "code", "calls"), [("y", 0, 3), ("n", 0, 0), ("", 0, 0)])
def test_real_asks(shell: Any, terminal: Any, answer: str, code: int, calls: int) -> None:
    """On a terminal it asks, and only a yes goes on."""
    screen = terminal("demo", "--real", more={**NONE, "OLLAMA_HOST": shell.sim.ollama_url})
    screen.see(r"Go on\? \[y/N\] ")
    screen.type(f"{answer}\r")
    assert screen.end() == code
    assert len([request for request in shell.sim.requests if "/chat" in request.path]) == calls


def test_an_ollama_without_models(shell: Any) -> None:
    """An Ollama that has no chat model is found, with the command that gets one."""
    shell.sim.script_for("/api/tags", Reply(body=b'{"models":[{"name":"nomic-embed-text:latest"}]}'))
    done = shell.run("demo", "--real", "--yes", more={**NONE, "OLLAMA_HOST": shell.sim.ollama_url})
    assert done.code == 2
    assert "ollama pull" in done.out
