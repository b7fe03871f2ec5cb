"""The `.env` file of the command line: read, outranked by the environment, and no trap."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmkit import ConfigError
from llmkit.cli.environment import check_owner
from llmkit.testing.simulator import Simulator

from .conftest import KEY

ASK = ("chat", "hello", "-p", "openrouter", "-m", "openai/gpt-4o-mini", "--no-stream")
WITHOUT = {"OPENROUTER_API_KEY": None, "OPENAI_API_KEY": None}


def sent_key(shell: Any) -> str:
    return shell.sim.requests[-1].headers["authorization"].removeprefix("Bearer ")


def test_a_variable_of_the_file_is_used(shell: Any) -> None:
    """A key that only the file has is sent."""
    (shell.folder / ".env").write_text("# mine\nOPENROUTER_API_KEY='sk-from-the-file'\n")
    done = shell.run(*ASK, more=WITHOUT, process=True)
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
    "line",
    [
        "HTTPS_PROXY=http://127.0.0.1:1",
        "SSL_CERT_FILE=/tmp/x.pem",
        "SSLKEYLOGFILE=keys.txt",
        "OPENSSL_CONF=openssl.cnf",
        "LLMKIT_CONFIG=/tmp/x.toml",
        "PYTHONPATH=/tmp",
        "XDG_CONFIG_HOME=/tmp",
        "xdg_cache_home=/tmp",
        "APPDATA=/tmp",
        "LD_PRELOAD=evil.so",
        "GCONV_PATH=/tmp",
        "TMPDIR=/tmp",
    ],
)
def test_what_could_redirect_is_left_out(shell: Any, line: str) -> None:
    """Proxies, certificates, the configuration file and Python's own variables are not taken, and that is said."""
    (shell.folder / ".env").write_text(f"{line}\n")
    done = shell.run(*ASK)
    assert done.code == 0, done.err
    assert line.partition("=")[0] in done.err


@pytest.fixture
def evil() -> Iterator[Simulator]:
    """The server of whoever wrote the folder."""
    with Simulator() as simulator:
        yield simulator


def heard(evil: Simulator) -> str:
    """All that it was told."""
    return " ".join(f"{each.path} {dict(each.query)} {each.headers.pairs()} {each.body!r}" for each in evil.requests)


#: The environment has the key alone; the address is the usual one.
PLAIN = {"OPENROUTER_BASE_URL": None, "OPENAI_BASE_URL": None, "OLLAMA_HOST": None}


@pytest.mark.parametrize("more", ["", "OPENROUTER_API_KEY=sk-dummy-00000000\n", "OPENROUTER_API_KEY=\n"])
def test_a_key_of_the_environment_does_not_follow_an_address_of_the_file(
    shell: Any, evil: Simulator, more: str
) -> None:
    """A folder from elsewhere cannot have the key sent to its author, whatever it says of the key itself."""
    (shell.folder / ".env").write_text(f"OPENROUTER_BASE_URL={evil.openrouter_url}\n{more}")
    done = shell.run("models", "-p", "openrouter", more={**PLAIN, "HTTPS_PROXY": "http://127.0.0.1:9"})
    assert "OPENROUTER_BASE_URL is left out" in done.err
    assert evil.requests == []


@pytest.mark.parametrize(
    ("provider", "key", "variable"),
    [("databricks", "DATABRICKS_TOKEN", "DATABRICKS_HOST"), ("neon", "NEON_AI_GATEWAY_TOKEN", "NEON_AI_GATEWAY_BASE_URL"),
     ("snowflake-cortex", "SNOWFLAKE_CORTEX_PAT", "SNOWFLAKE_ACCOUNT")],
)  # fmt: skip
def test_a_part_of_an_address_is_an_address(
    shell: Any, evil: Simulator, provider: str, key: str, variable: str
) -> None:
    """A service's default address whose host is a variable is not led elsewhere either."""
    (shell.folder / ".env").write_text(f"{variable}={evil.url if provider == 'neon' else 'evil.example'}\n")
    done = shell.run("chat", "hello", "-p", provider, "-m", "m", more={**PLAIN, key: KEY})
    assert f"{variable} is left out" in done.err
    assert f"needs the environment variable {variable}" in done.err
    assert evil.requests == []


def test_an_account_in_the_path_of_an_address_is_taken(shell: Any) -> None:
    """What stands behind the host leads to nobody else."""
    (shell.folder / ".env").write_text("CLOUDFLARE_ACCOUNT_ID=abc\n")
    done = shell.run("config", "cloudflare-workers-ai", "--json", more={"CLOUDFLARE_API_KEY": KEY})
    assert "/accounts/abc/" in done.out
    assert "left out" not in done.err


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "SOME_TOKEN"])
def test_a_reference_in_a_value_is_plain_text(shell: Any, evil: Simulator, name: str) -> None:
    """What the environment holds does not get into an address of the file."""
    (shell.folder / ".env").write_text(f"OLLAMA_HOST={evil.url}/${{{name}}}\n")
    shell.run("doctor", more={**PLAIN, "OPENROUTER_API_KEY": None, "OPENAI_API_KEY": None, name: KEY})
    assert evil.requests or name == "OPENAI_API_KEY"
    assert KEY not in heard(evil)


def test_a_reference_is_no_way_to_rename_a_key(shell: Any, evil: Simulator) -> None:
    """A project's file sends a variable that is no provider's key where it says; a key under another name is none."""
    (shell.folder / ".env").write_text("MINE=${OPENAI_API_KEY}\n")
    text = f'[profiles.p]\nprovider = "openai"\nmodel = "m"\nbase_url = "{evil.openai_url}"\nkey_env = "MINE"\n'
    (shell.folder / "llmkit.toml").write_text(text)
    shell.run("chat", "hello", "-p", "p", more=PLAIN)
    assert KEY not in heard(evil)


USERS = """
[profiles.work]
provider = "openai"
model = "m"
key_env = "WORK_KEY"

[profiles.gateway]
provider = "openai"
model = "m"
base_url = "${GATEWAY}/v1"
key_env = "WORK_KEY"

[profiles.headers]
provider = "openai"
model = "m"
base_url = "${GATEWAY}/v1"
extra_headers = {X-Team-Token = "Bearer ${WORK_KEY}"}
"""


@pytest.mark.parametrize(
    ("profile", "variable"), [("work", "OPENAI_BASE_URL"), ("gateway", "GATEWAY"), ("headers", "GATEWAY")]
)
def test_a_key_of_the_users_own_file_does_not_follow_either(
    shell: Any, evil: Simulator, profile: str, variable: str
) -> None:
    """Nor is the key that a profile of the user's own names sent to an address of the folder's file."""
    home = shell.folder / "home"
    (home / "llmkit").mkdir(parents=True)
    (home / "llmkit" / "llmkit.toml").write_text(USERS)
    (shell.folder / ".env").write_text(f"{variable}={evil.openai_url}\n")
    more = {**PLAIN, "OPENAI_API_KEY": None, "WORK_KEY": KEY, "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = shell.run("chat", "hello", "-p", profile, more={**more, "XDG_CONFIG_HOME": str(home)})
    assert f"{variable} is left out" in done.err
    assert evil.requests == []


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"A=" + b"x" * 1_100_000, "larger than 1 MiB"), (b"A=\0\n", "zero byte"), (b"A=\xff\n", "UTF-8")],
)
def test_what_is_no_such_file(shell: Any, data: bytes, said: str) -> None:
    """A file that is too large or no text is a mistake that is told of."""
    (shell.folder / ".env").write_bytes(data)
    done = shell.run(*ASK)
    assert done.code == 2
    assert said in done.err


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


def test_a_key_that_is_named_goes_to_no_address_of_the_file(shell: Any) -> None:
    """`--key-env` with a variable of the environment and an address of the file is refused until --base-url says so."""
    url = shell.sim.openai_url
    (shell.folder / ".env").write_text(f"OPENAI_BASE_URL={url}\n")
    ask = ("chat", "hello", "-p", "openai", "-m", "m", "--key-env", "WORK_KEY")
    more = {**WITHOUT, "OPENAI_BASE_URL": None, "WORK_KEY": "sk-work-0123456789"}
    done = shell.run(*ask, more=more)
    assert done.code == 2
    assert "--base-url" in done.err
    assert not shell.sim.requests
    assert shell.run(*ask, "--base-url", url, more=more).code == 0
