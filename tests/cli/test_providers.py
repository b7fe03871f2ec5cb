"""`llmkit providers`: what is installed and configured, whatever the plugins do when they are loaded."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from llmkit.cli.probe_runner import run_probe

GOOD = """
from llmkit.wire.chat import ChatProvider
class Good(ChatProvider):
    title = "Good"
    default_base_url = "https://good.example/v1"
    key_env = ("GOOD_API_KEY",)
"""
PLUGINS = {
    "good": GOOD,
    "noisy": f"print('noise on stdout')\n{GOOD}",
    "raises": "raise RuntimeError('no such driver \\x1b[2J sk-live-0123456789abcdef')",
    "exits": "import os; os._exit(3)",
    "quits": "raise SystemExit('bye')",
    "nothing": "Good = 42",
}
FOUND = {"ollama", "openai", "openrouter"}


def install(folder: Path, plugins: dict[str, str]) -> None:
    """Distributions as pip leaves them: a module each, its metadata, its entry point."""
    for name, code in plugins.items():
        (folder / f"plugin_{name}.py").write_text(code)
        info = folder / f"llmkit_{name}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: llmkit-{name}\nVersion: 1.2.3\n")
        (info / "entry_points.txt").write_text(f"[llmkit.providers]\n{name} = plugin_{name}:Good\n")


@pytest.fixture
def with_plugins(shell: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """The command, with the plugins above installed; one that ends its process costs a process for each other."""
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, {name: PLUGINS[name] for name in getattr(request, "param", PLUGINS)})
    shell.extra["PYTHONPATH"] = os.pathsep.join([str(folder), *(path for path in sys.path if path)])
    return shell


def listed(shell: Any, *words: str, more: Any = None) -> dict[str, Any]:
    done = shell.run("providers", "--json", *words, more=more)
    assert (done.code, done.err) == (0, "")
    return {row["name"]: row for row in json.loads(done.out)}


def test_ours(shell: Any) -> None:
    """Our three are listed with their distribution, and with whether they are configured, by variable, not by key."""
    rows = listed(shell, more={"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None})
    assert set(rows) == FOUND
    assert {row["distribution"] for row in rows.values()} == {"llmkit"}
    states = {name: (row["configured"], row["key"], row["variable"]) for name, row in rows.items()}
    assert states == {
        "openrouter": (True, "set", "OPENROUTER_API_KEY"),
        "openai": (False, "missing", "OPENAI_API_KEY"),
        "ollama": (True, "not needed", "OLLAMA_API_KEY"),
    }
    assert rows["openai"]["base_url"] == "https://api.openai.com/v1"
    assert rows["ollama"]["base_url"] == shell.sim.ollama_url


def test_the_table(shell: Any) -> None:
    """A person reads one line a provider, without wrapping in a pipe, and where to find the services."""
    done = shell.run("providers", more={"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None}, process=True)
    lines = {line.split()[0]: " ".join(line.split()) for line in done.out.splitlines()}
    assert lines["provider"] == "provider from configured address"
    assert "yes, OPENROUTER_API_KEY is set" in lines["openrouter"]
    assert "no, set OPENAI_API_KEY https://api.openai.com/v1" in lines["openai"]
    assert "yes, no key needed" in lines["ollama"]
    assert set(lines) == {"provider", *FOUND}
    assert "llmkit providers --all" in done.err


def test_services(shell: Any) -> None:
    """--all lists the services known by name; without it only those whose key is set."""
    everything = listed(shell, "--all")
    assert len(everything) > 100
    assert everything["groq"]["key"] == "missing"
    assert set(listed(shell, more={"GROQ_API_KEY": "gsk_0123456789abcdef"})) == FOUND | {"groq"}


def test_a_broken_plugin_disturbs_no_other(with_plugins: Any) -> None:
    """A plugin that raises, ends its process or is no provider has its row with the reason; all others have theirs."""
    rows = listed(with_plugins)
    assert set(rows) == FOUND | set(PLUGINS)
    loads = {name for name, row in rows.items() if row["loads"]}
    assert loads == FOUND | {"good", "noisy"}
    assert rows["good"]["distribution"] == "llmkit-good"
    assert (rows["good"]["key"], rows["good"]["variable"]) == ("missing", "GOOD_API_KEY")
    assert "RuntimeError: no such driver" in rows["raises"]["problem"]
    assert "llmkit-raises" in rows["raises"]["problem"]
    assert "exit status 3" in rows["exits"]["problem"]
    assert rows["quits"]["problem"]
    assert "not a BaseProvider" in rows["nothing"]["problem"]


@pytest.mark.parametrize("with_plugins", [("raises",)], indirect=True)
def test_what_a_plugin_says_is_harmless(with_plugins: Any) -> None:
    """The table shows a plugin's error without control characters and without what looks like a key."""
    done = with_plugins.run("providers")
    assert "no such driver" in done.out
    assert "\x1b" not in done.out + done.err
    assert "sk-live" not in done.out + done.err


@pytest.mark.parametrize("with_plugins", [("good", "raises")], indirect=True, ids=["raises"])
@pytest.mark.parametrize(("option", "code"), [((), 0), (("--check",), 1), (("--no-check",), 0)])
def test_check_decides_the_exit_code(with_plugins: Any, option: tuple[str, ...], code: int) -> None:
    """Only --check fails when a plugin cannot be loaded."""
    assert with_plugins.run("providers", *option).code == code


def test_no_check_loads_nothing(shell: Any, tmp_path: Path) -> None:
    """--no-check shows names, distributions and entry points, and imports no plugin; the plain list does in another
    process than the one that prints."""
    folder = tmp_path / "site"
    folder.mkdir()
    install(
        folder,
        {"spy": f"import os, pathlib; pathlib.Path({str(tmp_path / 'by')!r}).write_text(str(os.getpid()))\n{GOOD}"},
    )
    shell.extra["PYTHONPATH"] = os.pathsep.join([str(folder), *(path for path in sys.path if path)])
    done = shell.run("providers", "--no-check")
    assert "plugin_spy:Good" in done.out
    assert "llmkit-spy 1.2.3" in done.out
    assert not (tmp_path / "by").exists()
    with shell.start("providers") as process:
        process.communicate(timeout=60)
    assert int((tmp_path / "by").read_text()) != process.pid


def test_a_plugin_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading has a time limit; the row says so."""
    install(tmp_path, {"hangs": "import time; time.sleep(600)"})
    monkeypatch.syspath_prepend(tmp_path)
    (row,) = run_probe(["provider=hangs"], timeout=1).values()
    assert (row["loads"], row["problem"]) == (False, "loading it took longer than 1 s")


def test_two_distributions_with_one_name(shell: Any, tmp_path: Path) -> None:
    """If two distributions bring one name, both are listed, each with the conflict."""
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, {"openai": GOOD})
    shell.extra["PYTHONPATH"] = os.pathsep.join([str(folder), *(path for path in sys.path if path)])
    done = shell.run("providers", "--json")
    rows = [row for row in json.loads(done.out) if row["name"] == "openai"]
    assert {row["distribution"] for row in rows} == {"llmkit", "llmkit-openai"}
    assert all("two distributions" in row["problem"] for row in rows)
