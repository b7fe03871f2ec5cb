"""`llmkit compare`: one question, several models."""

from __future__ import annotations

import json
from typing import Any

from llmkit.testing.simulator import Reply

TARGETS = ("-m", "openrouter:openai/gpt-4o-mini", "-m", "ollama:llama3.2")


def test_answers_stand_side_by_side(shell: Any) -> None:
    """A row for each model with seconds, tokens and cost; then the answers."""
    done = shell.run("compare", "Why?", *TARGETS, process=True)
    assert done.code == 0, done.err
    row = next(line for line in done.out.splitlines() if line.startswith("openrouter:"))
    assert row.split()[2:] == ["1", "4", "$0.00000255"]
    assert done.out.count("You said: Why?") == 2
    assert "free" in done.out


def test_one_that_fails_does_not_disturb_the_others(shell: Any) -> None:
    """Its row says so, its error is shown, and the exit code is 1."""
    shell.sim.script_for("openai/gpt-4o-mini", Reply(status=401))
    done = shell.run("compare", "Why?", *TARGETS)
    assert done.code == 1
    assert "failed" in done.out
    assert "No auth credentials" in done.out
    assert "You said: Why?" in done.out


def test_json_is_a_list(shell: Any) -> None:
    """`--json` gives each target its response or its error."""
    rows = json.loads(shell.run("compare", "Why?", *TARGETS, "--json").out)
    assert [row["target"] for row in rows] == ["openrouter:openai/gpt-4o-mini", "ollama:llama3.2"]
    assert rows[0]["response"]["cost"]["amount"] == "0.00000255"
    assert all(row["error"] is None for row in rows)


def test_settings_reach_every_model(shell: Any) -> None:
    """`--max-tokens` and `--system` are part of each request."""
    shell.run("compare", "Why?", *TARGETS, "--max-tokens", "3", "--system", "Be brief")
    bodies = [json.loads(request.body) for request in shell.sim.requests if request.method == "POST"]
    assert {len(body["messages"]) for body in bodies} == {2}
    assert {body.get("max_completion_tokens") or body["options"]["num_predict"] for body in bodies} == {3}


def test_one_model_is_nothing_to_compare(shell: Any) -> None:
    """With fewer than two the error says how to name more."""
    done = shell.run("compare", "Why?", "-m", "ollama:llama3.2")
    assert done.code == 2
    assert "two or more" in done.err
    assert not shell.sim.requests
