"""The `.env` file of the command line: read, outranked by the environment, and no trap."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from llmkit import ConfigError
from llmkit.cli.environment import check_owner

from .conftest import KEY

ASK = ("chat", "hello", "-p", "openrouter", "-m", "openai/gpt-4o-mini", "--no-stream")
WITHOUT = {"OPENROUTER_API_KEY": None, "OPENAI_API_KEY": None}


def sent_key(shell: Any) -> str:
    return shell.sim.requests[-1].headers["authorization"].removeprefix("Bearer ")


def test_a_variable_of_the_file_is_used(shell: Any) -> None:
    """A key that only the file has is sent."""
    (shell.folder / ".env").write_text("# mine\nOPENROUTER_API_KEY='sk-from-the-file'\n")
    done = shell.run(*ASK, more=WITHOUT)
    assert done.code == 0, done.err
    assert sent_key(shell) == "sk-from-the-file"
    assert "sk-from-the-file" not in done.out + done.err


def test_the_file_may_stand_above(shell: Any) -> None:
    """The first `.env` above the working directory counts."""
    (shell.folder / ".env").write_text("OPENROUTER_API_KEY=sk-from-above-1234\n")
    shell.folder = shell.folder / "deep" / "er"
    shell.folder.mkdir(parents=True)
    assert shell.run(*ASK, more=WITHOUT).code == 0
    assert sent_key(shell) == "sk-from-above-1234"


def test_the_environment_outranks_the_file(shell: Any) -> None:
    """A variable that is set stays."""
    (shell.folder / ".env").write_text("OPENROUTER_API_KEY=sk-from-the-file\n")
    assert shell.run(*ASK).code == 0
    assert sent_key(shell) == KEY


def test_a_named_file_and_none(shell: Any) -> None:
    """`--env-file` reads another file, `--no-env-file` none."""
    (shell.folder / ".env").write_text("OPENROUTER_API_KEY=sk-from-the-file\n")
    (shell.folder / "other").write_text("OPENROUTER_API_KEY=sk-from-the-other\n")
    assert shell.run("--env-file", "other", *ASK, more=WITHOUT).code == 0
    assert sent_key(shell) == "sk-from-the-other"
    done = shell.run("--no-env-file", *ASK, more=WITHOUT)
    assert done.code == 1
    assert "authorization" not in shell.sim.requests[-1].headers


@pytest.mark.parametrize(
    "line", ["HTTPS_PROXY=http://127.0.0.1:1", "SSL_CERT_FILE=/tmp/x.pem", "LLMKIT_CONFIG=/tmp/x.toml", "PYTHONPATH=/tmp"]
)
def test_what_could_redirect_is_left_out(shell: Any, line: str) -> None:
    """Proxies, certificates, the configuration file and Python's own variables are not taken, and that is said."""
    (shell.folder / ".env").write_text(f"{line}\n")
    done = shell.run(*ASK)
    assert done.code == 0, done.err
    assert line.partition("=")[0] in done.err


def test_a_key_of_the_environment_does_not_follow_an_address_of_the_file(shell: Any) -> None:
    """A folder from elsewhere cannot have the key sent to its author."""
    (shell.folder / ".env").write_text(f"OPENROUTER_BASE_URL={shell.sim.openai_url}/evil\n")
    done = shell.run(*ASK)
    assert "OPENROUTER_BASE_URL is left out" in done.err
    assert all("evil" not in request.path for request in shell.sim.requests)


def test_an_address_with_its_own_key_is_taken(shell: Any) -> None:
    """A file that names both key and address is the user's own affair."""
    url = shell.sim.openrouter_url
    (shell.folder / ".env").write_text(f"OPENROUTER_BASE_URL={url}\nOPENROUTER_API_KEY=sk-of-the-file\n")
    done = shell.run(*ASK, more={**WITHOUT, "OPENROUTER_BASE_URL": None})
    assert done.code == 0, done.err
    assert sent_key(shell) == "sk-of-the-file"


def test_a_file_that_is_not_there_is_an_error(shell: Any) -> None:
    """A file that was named must be there."""
    done = shell.run("--env-file", "nowhere", *ASK)
    assert done.code == 2
    assert "nowhere cannot be read" in done.err


@pytest.mark.parametrize(("owner", "user", "taken"), [(1000, 1000, True), (0, 1000, True), (1001, 1000, False)])
def test_a_file_of_another_user_is_refused(owner: int, user: int, taken: bool) -> None:
    """What somebody else put above the working directory is not read; the user's own and the administrator's is."""
    refused = contextlib.nullcontext() if taken else pytest.raises(ConfigError, match="belongs to another user")
    with refused:
        check_owner(Path(".env"), owner, user)
