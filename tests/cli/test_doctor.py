"""`llmkit doctor`: what is set up, what is wrong, what to do."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from llmkit.operations.known_models import list_path


def findings(shell: Any, *words: str, more: Any = None) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and what was found by subject."""
    done = shell.run("doctor", "--json", *words, more=more)
    found: dict[str, list[dict[str, Any]]] = {}
    for item in json.loads(done.out):
        found.setdefault(item["subject"], []).append(item)
    return done.code, found


def test_all_is_well(shell: Any) -> None:
    """With good keys and a running Ollama nothing is wrong, and no model was called."""
    code, found = findings(shell)
    assert code == 0
    assert [found[name][0]["mark"] for name in ("openrouter", "openai", "ollama")] == ["ok", "ok", "ok"]
    assert not [request for request in shell.sim.requests if "chat" in request.path]


@pytest.mark.parametrize(
    ("key", "mark", "said"),
    [
        ({"limit": 10, "limit_remaining": 2.5, "usage": 7.5}, "ok", "$2.5 left of $10"),
        ({"limit": 10, "limit_remaining": 0, "usage": 10}, "problem", "$0 left of $10"),
        ({"is_management_key": True}, "ok", "balance $100"),
    ],
)
def test_what_the_key_of_openrouter_may_spend(shell: Any, key: dict[str, Any], mark: str, said: str) -> None:
    """Limit, what is left and the balance are shown; nothing left is a problem."""
    shell.sim.set_key(**key)
    code, found = findings(shell)
    assert (found["openrouter"][0]["mark"], code) == (mark, int(mark == "problem"))
    assert said in found["openrouter"][0]["text"]


def test_the_free_tier_is_a_warning(shell: Any) -> None:
    """An account that never paid has a daily limit; that is said and is no failure."""
    shell.sim.set_key(is_free_tier=True)
    code, found = findings(shell)
    assert (code, found["openrouter"][1]["mark"]) == (0, "warning")


def test_a_bad_key_is_a_problem(shell: Any) -> None:
    """A key that is refused is named with what to do; the key itself is not shown."""
    code, found = findings(shell, more={"OPENROUTER_API_KEY": "sk-bad-0123456789"})
    assert (code, found["openrouter"][0]["mark"]) == (1, "problem")
    assert "sk-bad" not in json.dumps(found)


def test_a_missing_key_says_where_to_get_one(shell: Any) -> None:
    """Without a key the variable and the page are named, and that is no failure."""
    code, found = findings(shell, more={"OPENROUTER_API_KEY": None})
    assert (code, found["openrouter"][0]["mark"]) == (0, "info")
    assert "https://openrouter.ai/keys" in found["openrouter"][0]["hint"]


def test_an_ollama_that_does_not_answer(shell: Any, closed_port: int) -> None:
    """Nobody answers: how to start it is said; it is a problem where OLLAMA_HOST says that one should be there."""
    code, found = findings(shell, more={"OLLAMA_HOST": f"127.0.0.1:{closed_port}"})
    assert (code, found["ollama"][0]["mark"]) == (1, "problem")
    assert "ollama serve" in found["ollama"][0]["hint"]


def test_a_model_that_runs_with_less_context_than_it_has(shell: Any) -> None:
    """A loaded model with a small context is named, because longer prompts are cut."""
    _, found = findings(shell)
    assert any("4,096 of its" in item["text"] for item in found["ollama"])


def test_files_that_others_can_read(shell: Any) -> None:
    """A `.env` that other users can read is a warning with the command that closes it."""
    file = shell.folder / ".env"
    file.write_text("GROQ_API_KEY=\n")
    file.chmod(0o644)
    _, found = findings(shell, "--offline")
    assert found["env file"][0]["mark"] == "warning"
    assert "chmod 600" in found["env file"][0]["hint"]
    file.chmod(0o600)
    _, found = findings(shell, "--offline")
    assert found["env file"][0]["mark"] == "ok"


@pytest.mark.parametrize(("mode", "marks"), [(0o644, ["ok"]), (0o664, ["ok", "warning"]), (0o666, ["ok", "warning"])])
def test_a_configuration_file_that_others_can_write(shell: Any, mode: int, marks: list[str]) -> None:
    """Who can write it says where calls go: that is a warning with the command that closes it."""
    file = shell.folder / "llmkit.toml"
    file.write_text('[profiles.smart]\nprovider = "ollama"\nmodel = "llama3.2"\n')
    file.chmod(mode)
    _, found = findings(shell, "--offline")
    assert [item["mark"] for item in found["config file"]] == marks
    assert all("chmod go-w" in item["hint"] for item in found["config file"][1:])


def test_an_old_list_is_no_sign_of_a_running_ollama(shell: Any, closed_port: int) -> None:
    """An Ollama that OLLAMA_HOST names and that has gone is a problem, whether its models were listed before or not."""
    more = {"OLLAMA_HOST": f"127.0.0.1:{closed_port}"}
    folder = list_path("ollama", "").parent
    assert shell.run("models", "-p", "ollama").code == 0
    (kept,) = folder.glob("models-ollama-*")
    kept.rename(list_path("ollama", f"http://127.0.0.1:{closed_port}"))
    code, found = findings(shell, more=more)
    assert (code, found["ollama"][0]["mark"]) == (1, "problem")


def test_a_broken_configuration_file(shell: Any) -> None:
    """A file that does not parse is a problem with its line."""
    (shell.folder / "llmkit.toml").write_text("[profiles\n")
    code, found = findings(shell, "--offline")
    assert (code, found["config file"][0]["mark"]) == (1, "problem")


def test_proxies_are_named_without_their_password(shell: Any) -> None:
    """A proxy of the environment is shown by host."""
    _, found = findings(shell, "--offline", more={"HTTPS_PROXY": "http://me:s3cret-word@proxy.example:8080"})
    assert "proxy.example:8080" in found["proxy"][0]["text"]
    assert "s3cret" not in json.dumps(found)


def test_offline_asks_nobody(shell: Any) -> None:
    """`--offline` sends nothing."""
    code, _ = findings(shell, "--offline")
    assert code == 0
    assert not shell.sim.requests


def test_the_table_is_readable(shell: Any) -> None:
    """Without --json each finding is a line with its mark, and a hint below it."""
    done = shell.run("doctor", more={"OPENROUTER_API_KEY": None, "NO_COLOR": "1"}, process=True)
    line = next(line for line in done.out.splitlines() if line.startswith("openrouter"))
    assert "info" in line
    assert any(line.strip().startswith("->") for line in done.out.splitlines())
    assert os.linesep in done.out


def test_tables_of_the_file_that_cannot_work(shell: Any) -> None:
    """A profile that no model can be made of, and a table that no provider has, are problems with the right name."""
    (shell.folder / "llmkit.toml").write_text(
        '[profiles.a]\nprovider = "openia"\nmodel = "x"\n[profiles.b]\nprovider = "openai"\n[providers.olama]\ntimeout = 9\n'
    )
    code, found = findings(shell, "--offline")
    assert code == 1
    assert "Did you mean openai?" in found["profile a"][0]["text"]
    assert "profile b" not in found
    assert [item["mark"] for item in found["config file"]] == ["ok", "problem"]
    assert "providers.olama" in found["config file"][1]["text"]


def test_advice_names_what_a_reader_can_change(shell: Any, closed_port: int) -> None:
    """The command has no options for key and address, so that the variables are named."""
    _, found = findings(
        shell, more={"OPENROUTER_API_KEY": "sk-bad-1", "OPENAI_BASE_URL": f"http://127.0.0.1:{closed_port}"}
    )
    assert found["openrouter"][0]["text"].startswith("the key is refused: ")
    assert "OPENAI_BASE_URL" in found["openai"][0]["hint"]
    assert "--" not in found["openrouter"][0]["hint"] + found["openai"][0]["hint"]
