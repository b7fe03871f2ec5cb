"""`llmkit config`: which file applies, its profiles, and the settings with where each came from."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from llmkit.testing.simulator import Reply

SECRET: Final = "of-gateway-canary"
FILE: Final = """
default_profile = "smart"

[profiles.smart]
provider = "openrouter"
model = "claude"
temperature = 0.5
fallbacks = ["broken", "ollama:llama3.2"]

[profiles.broken]
provider = "openai"
model = "m"
user = "${ABSENT_X}"

[profiles.gateway]
provider = "openai"
model = "m"
base_url = "https://gateway.example/v1"
key_env = "GATEWAY_KEY"

[providers.openrouter]
max_tokens = 11

[aliases]
claude = "vendor/claude"
"""


@pytest.fixture
def with_file(shell: Any) -> Any:
    """The command in a folder with the file above."""
    (shell.folder / "llmkit.toml").write_text(FILE)
    shell.extra["GATEWAY_KEY"] = SECRET
    return shell


def lines(text: str) -> dict[str, str]:
    """The lines of a table by their first word, blanks joined."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines() if line.strip()}


def test_the_table(with_file: Any) -> None:
    """The file, its profiles with what is wrong with them, and the settings of the default profile."""
    done = with_file.run("config", more={"OPENROUTER_TIMEOUT": "33"}, process=True)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{with_file.folder / 'llmkit.toml'} (the project's)\n")
    told = lines(done.out)
    assert told["smart*"] == "openrouter:claude broken, ollama:llama3.2"
    assert "profiles.broken.user refers to the environment variable ABSENT_X" in told["broken"]
    assert told["model"] == "vendor/claude (for claude) profile smart"
    assert told["key"] == "set (OPENROUTER_API_KEY) environment OPENROUTER_API_KEY"
    assert told["temperature"] == "0.5 profile smart"
    assert told["max_tokens"] == "11 file providers.openrouter"
    assert told["timeout"] == "33.0 environment OPENROUTER_TIMEOUT"


def test_one_profile(with_file: Any) -> None:
    """A profile by name, another model, a provider; no key is shown."""
    done = with_file.run("config", "gateway")
    assert lines(done.out)["key"] == "set (GATEWAY_KEY) profile gateway"
    assert SECRET not in done.out + done.err
    assert lines(with_file.run("config", "smart", "-m", "x/y").out)["model"] == "x/y command line"
    assert lines(with_file.run("config", "ollama:x").out)["provider"] == "ollama command line"
    assert "missing" in lines(with_file.run("config", "gateway", more={"GATEWAY_KEY": None}).out)["key"]


def test_json(with_file: Any) -> None:
    """The same for programs."""
    told = json.loads(with_file.run("config", "smart", "--json").out)
    assert told["path"] == str(with_file.folder / "llmkit.toml")
    assert told["default_profile"] == "smart"
    assert [row["problem"] is None for row in told["profiles"]] == [True, False, True]
    settings = {row["name"]: row for row in told["settings"]}
    assert settings["model"] == {
        "name": "model",
        "value": "vendor/claude",
        "origin": f"profile smart ({told['path']})",
        "requested": "claude",
    }
    assert settings["timeout"]["origin"] == "default"


def test_without_a_file(shell: Any) -> None:
    """Without a file it says where the user's own would be; a provider can be looked at all the same."""
    done = shell.run("config")
    assert done.code == 0
    assert "no configuration file; yours would be " in done.out
    assert "llmkit.toml" in done.out
    assert json.loads(shell.run("config", "--json").out)["path"] is None
    assert lines(shell.run("config", "ollama", "-m", "x").out)["key"] == "not needed default"


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        ((), "[profiles.smart]\ntemprature = 1", "profiles.smart.temprature. Did you mean temperature?"),
        ((), "default_profile = smart", "line 1"),
        ((), "[profiles.a]\nprovider = 'openai'\nmax_tokens = 1.5", "profiles.a.max_tokens must be a whole number of 1 or more, not 1.5"),
        ((), "[profiles.a]\nprovider = 'openai'\nbase_ulr = 'x'", "Did you mean base_url?"),
        (("smrt",), FILE, "Did you mean smart?"),
        (("broken",), FILE, "ABSENT_X, which is not set"),
    ],
)
def test_what_is_wrong(shell: Any, words: tuple[str, ...], text: str, said: str) -> None:
    """A wrong file and a wrong name are errors of the second kind: nothing was sent."""
    (shell.folder / "llmkit.toml").write_text(text)
    done = shell.run("config", *words)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert said in done.err


def test_chat_takes_a_profile(with_file: Any) -> None:
    """`llmkit chat -p smart` asks the model of the profile."""
    with_file.sim.script(Reply(text="Hello"))
    broken = FILE.replace('user = "${ABSENT_X}"', "")
    (with_file.folder / "llmkit.toml").write_text(broken)
    done = with_file.run("chat", "hi", "-p", "smart")
    assert (done.code, done.out) == (0, "Hello\n")
    assert json.loads(with_file.sim.requests[-1].body)["model"] == "vendor/claude"


def test_a_table_that_no_provider_has(shell: Any) -> None:
    """Defaults and aliases of a name that is no provider apply to nothing; that is said, with the nearest name."""
    (shell.folder / "llmkit.toml").write_text("[providers.olama]\ntimeout = 9\n[aliases.openruter]\na = 'b'\n")
    said = shell.run("config").err
    assert "providers.olama applies to nothing" in said
    assert "Did you mean ollama?" in said
    assert "aliases.openruter applies to nothing" in said


def test_help_shows_its_examples(shell: Any) -> None:
    """Each example of the help is a line of its own, in every command that has some."""
    for command in ("chat", "models", "compare", "config"):
        text = shell.run(command, "--help").out
        assert "\\b" not in text
        assert [line for line in text.splitlines() if line.startswith(f"    llmkit {command}")]


def test_what_a_program_would_pass(with_file: Any) -> None:
    """`--set` outranks the profile, and says so; a wrong setting is an error with the nearest name."""
    told = lines(with_file.run("config", "smart", "--set", "temperature=0").out)
    assert told["temperature"] == "0 command line"
    done = with_file.run("config", "smart", "--set", "temprature=0")
    assert done.code == 2
    assert "temperature" in done.err
