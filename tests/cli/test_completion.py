"""Shell completion: the command completes itself without asking any service."""

from __future__ import annotations

from typing import Any

import pytest


def completed(shell: Any, line: str, *, process: bool = False) -> list[str]:
    """What bash would offer at the end of a line."""
    words = line.split(" ")
    more = {"_LLMKIT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return shell.run(more=more, process=process).out.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("llmkit mo", {"models"}),
        ("llmkit chat --temp", {"--temperature"}),
        ("llmkit chat -p openr", {"openrouter"}),
        ("llmkit chat -p gro", {"groq"}),
    ],
)
def test_commands_options_and_providers(shell: Any, line: str, offered: set[str]) -> None:
    """Commands, options and names of providers and services are offered."""
    assert offered <= set(completed(shell, line))


def test_profiles(shell: Any) -> None:
    """So are the profiles of the configuration file."""
    (shell.folder / "llmkit.toml").write_text('[profiles.smart]\nprovider = "openrouter"\n')
    assert completed(shell, "llmkit chat -p sma", process=True) == ["smart"]


def test_models_of_the_last_list(shell: Any) -> None:
    """Models come out of the list that was fetched last; nothing is asked."""
    assert shell.run("models", "-p", "openrouter").code == 0
    before = len(shell.sim.requests)
    assert completed(shell, "llmkit chat -p openrouter -m openai/gpt-4o-") == ["openai/gpt-4o-mini"]
    assert len(shell.sim.requests) == before


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: Any, name: str) -> None:
    """Each shell has a script to load."""
    done = shell.run(more={"_LLMKIT_COMPLETE": f"source_{name}"})
    assert "_LLMKIT_COMPLETE" in done.out
