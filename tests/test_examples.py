"""The scripts of `examples/` run, each in a process of its own, against the simulator by the variables of a user."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmkit import LanguageModel, MalformedResponse, ModelNotFound, ServerError, create_language
from llmkit.testing.contract import Failure, ProviderContract, Sample
from llmkit.testing.simulator import Simulator

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: Script to lines that it must print, as patterns.
PRINTS = {
    "hello": [r"You said: What is the capital of France\?", r"cost +\$0\.0000072", r"answered by +openai/gpt-4o-mini"],
    "stream": [r"You said: Count from one to five", r"11 tokens, \$0\.00000795, ended because: stop"],
    "async_many": [r"You said: What is the capital of Japan\?", r"18 answers in .* for \$0\.0001287"],
    "fallback": [r"You said: ", r"no-such-model +ModelNotFound", r"openai:gpt-4o-mini +ok"],
    "cost": [r"openrouter:.*\$0\.0000072.*reported", r"ollama:.*free", r"openai:.* nothing known, 2 of unknown cost"],
    "tools": [r"the model calls weather\(.*Paris", r"The tool said: .*clear"],
    "structured_output": [r"Paris is in France and has 2,000,000 inhabitants"],
    "images": [r"sent 130 characters of image data", r"You said: What is in this picture\?"],
    "errors": [
        r"Did you mean temperature\?",
        r"Did you mean openrouter",
        r"Set GROQ_API_KEY",
        r"AuthFailed",
        r"ModelNotFound",
        r"ConnectFailed",
    ],
    "custom_service": [r"acme \(acme-large\): You said: Who are you\?"],
    "local_model": [r"cost: \$0 \(free\)", r"took \d+\.\d\d s"],
    "own_wire_format": [r"You \|said: \|", r"5 tokens in, 8 out", r"plain:no-such-model: .*404"],
}
#: Scripts that are tested elsewhere, or that run others.
ELSEWHERE = {"with_simulator", "record_and_replay"}


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """The environment of a user who has keys and services; the services are simulated."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OPEN", "OLLAMA_", "OR_"))}
    own.pop("GROQ_API_KEY", None)
    with Simulator() as simulator:
        yield {
            **own,
            "OPENROUTER_BASE_URL": simulator.openrouter_url,
            "OPENROUTER_API_KEY": "sk-or-simulated",
            "OPENAI_BASE_URL": simulator.openai_url,
            "OPENAI_API_KEY": "sk-simulated",
            "OLLAMA_HOST": simulator.ollama_url,
            "ACME_BASE_URL": simulator.openai_url,
            "ACME_API_KEY": "sk-acme-simulated",
        }


def run(*arguments: str, environ: dict[str, str]) -> str:
    """What a script prints; it must end well and without a warning."""
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=EXAMPLES.parent, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_runs(name: str, environ: dict[str, str]) -> None:
    """A script runs from the shell with nothing but variables set, and prints what it is about."""
    printed = run(f"examples/{name}.py", environ=environ)
    missing = [pattern for pattern in PRINTS[name] if not re.search(pattern, printed)]
    assert not missing, printed


def test_an_example_runs_with_one_command() -> None:
    """`with_simulator.py` runs a script where no variable is set."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("OPEN", "OLLAMA_", "OR_"))}
    printed = run("examples/with_simulator.py", "examples/hello.py", environ=bare)
    assert printed.startswith("(simulated answers, from http://127.0.0.1:")
    assert "You said: What is the capital of France?" in printed


def test_every_example_is_tested_and_says_what_it_needs() -> None:
    """Each script is in the table above, and its head names what real use needs and the command that needs nothing."""
    scripts = {path.stem: ast.get_docstring(ast.parse(path.read_text("utf-8"))) for path in EXAMPLES.glob("*.py")}
    assert set(scripts) - ELSEWHERE == set(PRINTS)
    for name in PRINTS:
        head = scripts[name] or ""
        assert "For real use: " in head, name
        assert f"python examples/with_simulator.py examples/{name}.py" in head, name


def provider_of(script: str, cls: str) -> Any:
    """The provider that a script makes, under a name of its own."""
    return runpy.run_path(str(EXAMPLES / f"{script}.py"))[cls](script)


class Simulated(ProviderContract):
    """What both have: the simulator answers them."""

    __test__ = False

    @pytest.fixture(autouse=True)
    def _served(self, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for name in ("OLLAMA_HOST", "ACME_BASE_URL", "ACME_API_KEY"):
            monkeypatch.setenv(name, environ[name])
        with self.registered():
            yield

    def make_model(self) -> LanguageModel:
        return create_language(self.provider.name, "llama3.2")


class TestOwnWireFormat(Simulated):
    """The provider of five functions keeps the rules."""

    __test__ = True
    provider = provider_of("own_wire_format", "PlainProvider")
    plain = (
        Sample(
            body=b'{"model":"m","message":{"role":"assistant","content":"Hi there"},"done":true,"done_reason":"stop",'
            b'"prompt_eval_count":3,"eval_count":2}',
            text="Hi there",
            tokens=(3, 2),
        ),
    )
    streamed = (
        Sample(
            body=b'{"model":"m","message":{"content":"Hi "},"done":false}\n'
            b'{"model":"m","message":{"content":"there"},"done":false}\n'
            b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","eval_count":2}\n',
            text="Hi there",
            mark=b'"done":true',
        ),
    )
    failures = (
        Failure(status=404, body=b'{"error":"model not found"}', error=ModelNotFound),
        Failure(status=200, body=b'{"error":"out of memory"}', error=ServerError),
        Failure(status=200, body=b"<html>", error=MalformedResponse),
        Failure(status=500, body=b"", error=ServerError),
    )


class TestCustomService(Simulated):
    """The provider of ten lines keeps the rules."""

    __test__ = True
    provider = provider_of("custom_service", "AcmeProvider")
    plain = (
        Sample(
            body=b'{"id":"1","choices":[{"message":{"content":"Hi there"},"finish_reason":"stop"}]}', text="Hi there"
        ),
    )
    streamed = (
        Sample(
            body=b'data: {"choices":[{"delta":{"content":"Hi "}}]}\n\n'
            b'data: {"choices":[{"delta":{"content":"there"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
            text="Hi there",
            mark=b'"finish_reason":"stop"',
        ),
    )
