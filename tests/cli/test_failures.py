"""Errors of the command line: one readable message on stderr, a fitting exit code, no traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmkit.testing.simulator import Reply

OPENROUTER = ("-p", "openrouter", "-m", "a/b")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("words", "more", "code", "said"),
    [
        (
            OPENROUTER,
            {"OPENROUTER_API_KEY": "sk-bad-0123456789"},
            1,
            ["openrouter:a/b", "401", "Check the key in OPENROUTER_API_KEY or --key-env"],
        ),
        (("-p", "openai", "-m", "no-such-model"), {}, 1, ["openai:no-such-model", "404"]),
        (("-p", "ollama", "-m", "no-such-model"), {}, 1, ["ollama pull no-such-model"]),
        (("-p", "openrouter", "-m", "no-such/model"), {}, 1, ["openrouter:no-such/model"]),
        (("-p", "openruter", "-m", "a/b"), {}, 2, ["no provider is named 'openruter'", "Did you mean openrouter"]),
        (("-p", "qqqq", "-m", "x"), {}, 2, ["llmkit providers --all", "-p openai -m MODEL --base-url URL"]),
        (("-p", "openai"), {}, 2, ["no model is named", "-m MODEL"]),
        ((*OPENROUTER, "--temperature", "3"), {}, 2, ["temperature must be a number from 0 to 2, not 3"]),
        ((*OPENROUTER, "--temperature", "warm"), {}, 2, ["--temperature"]),
        ((*OPENROUTER, "--tempature", "1"), {}, 2, ["--tempature"]),
        ((*OPENROUTER, "--set", "temprature=1"), {}, 2, ["no setting 'temprature'", "Did you mean temperature?"]),
        ((*OPENROUTER, "--set", "seed"), {}, 2, ["NAME=VALUE"]),
        ((*OPENROUTER, "--set", "api_key=sk-secret-1234567890"), {}, 2, ["--key-env"]),
        ((*OPENROUTER, "--set", "n=2"), {}, 2, ["--json"]),
        ((*OPENROUTER, "--key-env", "NOT_SET"), {}, 2, ["NOT_SET"]),
        ((*OPENROUTER, "--fallback", "no-colon"), {}, 2, ["provider:model"]),
        (("-p", "ollama", "-m", "x", "--set", "logit_bias={}"), {}, 2, ["logit_bias", "--set on_unsupported="]),
        (OPENROUTER, {"OPENROUTER_TEMPERATURE": "hot"}, 2, ["OPENROUTER_TEMPERATURE"]),
        (("-p", "openai", "-m", "x", "--base-url", "https://example.invalid/v1"), {}, 2, ["--key-env"]),
        (("-m", "x", "--base-url", "nonsense"), {}, 2, ["--base-url is not an http:// or https:// address"]),
    ],
)
def test_what_is_wrong_is_said(
    shell: Any, words: tuple[str, ...], more: dict[str, str | None], code: int, said: list[str]
) -> None:
    """A failed call ends with 1, a wrong command line or setting with 2; the message says what to do, in options."""
    done = shell.run("chat", "hi", *words, more=more)
    assert (done.code, done.out) == (code, ""), done.err
    for part in said:
        assert part in done.err
    assert "sk-" not in done.err
    for keyword in ("base_url=", "api_key=", "fallbacks=", "create_language"):
        assert keyword not in done.err


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_a_missing_key_names_the_variable(shell: Any, provider: str) -> None:
    """Without a key the message names the variable to set and where to get a key, and nothing is sent."""
    variable = f"{provider.upper()}_API_KEY"
    done = shell.run(
        "chat", "hi", "-p", provider, "-m", "a/b", more={variable: None, f"{provider.upper()}_BASE_URL": None}
    )
    assert done.code == 2
    assert variable in done.err
    assert "https://" in done.err
    assert shell.sim.requests == []


def test_nothing_found(shell: Any) -> None:
    """Without -p, without keys and without an Ollama the message lists what was looked for."""
    port = free_port()
    more = {"OPENROUTER_API_KEY": None, "OPENAI_API_KEY": None, "OLLAMA_HOST": f"127.0.0.1:{port}"}
    done = shell.run("chat", "hi", more=more)
    assert done.code == 2
    for part in ("OPENROUTER_API_KEY", "OPENAI_API_KEY", f"no Ollama answers at http://127.0.0.1:{port}", "-p"):
        assert part in done.err


def test_server_not_running(shell: Any) -> None:
    """A refused connection says where, and asks whether the server runs."""
    address = f"127.0.0.1:{free_port()}"
    done = shell.run("chat", "hi", "-p", "ollama", "-m", "x", "--set", "retry=null", more={"OLLAMA_HOST": address})
    assert done.code == 1
    assert address in done.err
    assert "Is the server running and --base-url right?" in done.err
    assert done.err.count("\n") == 1


def test_all_targets_failed(shell: Any) -> None:
    """When a whole chain fails, each attempt has a line."""
    words = ("-p", "openrouter:fault:status=402", "--fallback", "ollama:no-such-model")
    done = shell.run("chat", "hi", *words)
    assert done.code == 1
    assert "  1. openrouter:fault:status=402" in done.err
    assert "  2. ollama:no-such-model" in done.err


def test_a_broken_stream_keeps_what_came(shell: Any) -> None:
    """When a stream breaks off, the text stays on stdout, and the error says that it is not complete."""
    shell.sim.script(Reply(chunks=["one ", "two ", "three"], cut_after=2))
    done = shell.run("chat", "hi", *OPENROUTER)
    assert (done.code, done.out) == (1, "one two \n")
    assert "not complete; what came is above" in done.err


@pytest.mark.parametrize(
    ("stdin", "said"), [(b"", "the prompt is empty"), (b" \n", "the prompt is empty"), (b"caf\xe9", "not UTF-8")]
)
def test_a_prompt_that_is_none(shell: Any, stdin: bytes, said: str) -> None:
    """An empty prompt, or bytes that are no text, are refused before anything is sent."""
    done = shell.run("chat", *OPENROUTER, stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert shell.sim.requests == []


def test_an_argument_that_is_no_text(shell: Any) -> None:
    """A prompt with bytes that are no UTF-8 is refused."""
    done = shell.run("chat", "caf\udce9", *OPENROUTER)
    assert (done.code, done.err) == (2, "error: the prompt is not UTF-8 text\n")


@pytest.mark.parametrize("words", [("chat", "--bogus"), ("bogus",), ("providers", "extra"), ("chat", "a", "b")])
def test_usage_errors(shell: Any, words: tuple[str, ...]) -> None:
    """What the command line does not know ends with 2 and points to --help."""
    done = shell.run(*words)
    assert (done.code, done.out) == (2, "")
    assert "--help" in done.err or "-h" in done.err


@pytest.mark.parametrize("words", [("--help",), ("chat", "--help"), ("providers", "-h"), ("demo", "-h")])
def test_help(shell: Any, words: tuple[str, ...]) -> None:
    """Every command explains itself on stdout."""
    done = shell.run(*words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: llmkit")


def test_version(shell: Any) -> None:
    """--version says name and version."""
    from importlib.metadata import version

    assert shell.run("--version").out == f"llmkit {version('llmkit')}\n"


def test_without_the_extra(tmp_path: Path) -> None:
    """Where typer is not installed the command says in one line how to get it."""
    root = Path(__file__).parents[2]
    program = f"import sys; sys.path.insert(0, {str(root)!r}); from llmkit.cli import main; sys.exit(main())"
    # -S: no site-packages, so nothing is installed but Python itself.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert 'pip install "llmkit[cli]"' in done.stderr


def test_the_command_is_light(tmp_path: Path) -> None:
    """The command's module loads nothing from others before it runs, and its help neither openai nor rich."""
    program = (
        "import sys, llmkit.cli; first = {'typer', 'rich', 'openai', 'asyncio'} & set(sys.modules)\n"
        "import llmkit.cli.app; second = {'rich', 'openai', 'asyncio', 'pydantic'} & set(sys.modules)\n"
        "print(sorted(first), sorted(second))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "[] []\n", done.stderr
