"""Which settings apply, and where each came from; no row holds a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from llmkit import ConfigError, create_language
from llmkit.config.explain import ResolvedSetting, explain_settings, mask
from llmkit.config.file.problem import ConfigFileError
from llmkit_openrouter import OpenRouterOptions

KEY: Final = "sk-canary-0123456789abcdef"
FILE: Final = """
default_profile = "smart"

[profiles.smart]
provider = "openrouter"
model = "claude"
temperature = 0.5
fallbacks = ["quiet"]
user = "${TEAM}"
extra_headers = {Authorization = "Bearer ${TOKEN}", X-Team = "red"}

[profiles.smart.openrouter]
session_id = "mine"

[profiles.smart.ollama]
num_ctx = 99

[profiles.quiet]
provider = "ollama"
model = "llama3.2"

[profiles.gateway]
provider = "openai"
model = "m"
base_url = "https://gateway.example/v1"
key_env = "GATEWAY_KEY"

[providers.openrouter]
max_tokens = 11
seed = 5

[providers.openrouter.options]
preset = "ours"
categories = ["${TEAM}"]

[aliases]
claude = "vendor/claude"
"""


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file above, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"OPENROUTER_API_KEY": KEY, "OPENROUTER_TIMEOUT": "33", "TEAM": "t-canary", "TOKEN": KEY}.items():
        monkeypatch.setenv(name, text)
    file = tmp_path / "llmkit.toml"
    file.write_text(FILE)
    return str(file)


def rows(*names: str, **settings: Any) -> dict[str, ResolvedSetting]:
    """The rows by name."""
    return {row.name: row for row in explain_settings(*names, **settings)}


@pytest.mark.parametrize(
    ("name", "value", "origin"),
    [
        ("profile", "smart", "{path}"),
        ("provider", "openrouter", "profile smart ({path})"),
        ("model", "vendor/claude", "profile smart ({path})"),
        ("base_url", "https://openrouter.ai/api/v1", "default"),
        ("key", "set (OPENROUTER_API_KEY)", "environment OPENROUTER_API_KEY"),
        ("fallbacks", ["quiet"], "profile smart ({path})"),
        ("temperature", 0.5, "profile smart ({path})"),
        ("timeout", 33.0, "environment OPENROUTER_TIMEOUT"),
        ("max_tokens", 11, "file providers.openrouter ({path})"),
        ("seed", 7, "create_language"),
        ("n", 2, "call"),
        ("user", "${TEAM}", "profile smart ({path})"),
        ("extra_headers", {"Authorization": "Bearer ${TOKEN}", "X-Team": "red"}, "profile smart ({path})"),
        ("options.openrouter.session_id", "mine", "profile smart ({path})"),
        ("options.openrouter.preset", "ours", "file providers.openrouter ({path})"),
        ("options.openrouter.categories", ["${TEAM}"], "file providers.openrouter ({path})"),
        ("options.ollama.num_ctx", 99, "profile smart ({path})"),
    ],
)
def test_each_setting_has_an_origin(path: str, name: str, value: object, origin: str) -> None:
    """Each setting that applies is a row, with the value that applies and the source that set it."""
    row = rows("smart", seed=7, call={"n": 2})[name]
    assert (row.value, row.origin) == (value, origin.format(path=path))
    assert row.requested == ("claude" if name == "model" else None)


def test_the_rows_are_what_create_language_takes() -> None:
    """Every setting that a model has is a row, with the same value where it is not a reference."""
    model, explained = create_language("smart", seed=7), rows("smart", seed=7)
    for name, value in model._setup.settings.items():
        if name not in ("options", "user", "extra_headers"):
            assert explained[name].value == value, name
    assert explained["model"].value == model.model
    assert explained["base_url"].value == model._setup.base_url


def test_the_default_profile_is_explained(path: str) -> None:
    """Without a name it is the default profile; without one, an error."""
    assert rows()["profile"].value == "smart"
    Path(path).write_text("")
    with pytest.raises(ConfigError, match="no profile is named"):
        explain_settings()


@pytest.mark.parametrize(
    ("names", "settings", "variable", "value"),
    [
        (("gateway",), {}, None, "missing"),
        (("gateway",), {}, "of-gateway", "set (GATEWAY_KEY)"),
        (("gateway",), {"api_key": KEY, "base_url": "https://gateway.example"}, None, "set"),
        (("quiet",), {}, None, "not needed"),
        (("openai", "x"), {}, None, "missing"),
        (("groq", "x"), {}, None, "missing"),
    ],
)
def test_the_key_is_told_of_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], settings: dict[str, Any], variable: str | None, value: str
) -> None:
    """The row of the key says whether there is one and in which variable; a missing one says why."""
    if variable:
        monkeypatch.setenv("GATEWAY_KEY", variable)
    row = rows(*names, **settings)["key"]
    assert row.value == value
    if value == "missing":
        assert "API key" in row.origin or "GATEWAY_KEY, which is not set" in row.origin


def test_no_row_holds_a_secret() -> None:
    """Neither keys of the environment nor those given in code are in the rows, as text or as JSON."""
    explained = explain_settings(
        "smart",
        api_key=KEY,
        extra_headers={"X-Api-Key": "hunter2", "X-Note": f"use {KEY}"},
        extra_body={"nested": [{"client_secret": "hunter2"}]},
        proxy="http://user:hunter2@proxy.example:8080",
        options=OpenRouterOptions(trace={"password": "hunter2"}),
    )
    shown = repr(explained) + json.dumps([row.to_dict() for row in explained])
    for secret in (KEY, "hunter2", "t-canary"):
        assert secret not in shown
    assert "proxy.example:8080" in shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("user", "anna", "anna"),
        ("authorization", "x", "***"),
        ("user", KEY, "***"),
        ("proxy", "http://u:p@h:1", "http://***@h:1"),
        ("extra_body", {"a": {"password": "x"}, "b": 1}, {"a": {"password": "***"}, "b": 1}),
        ("extra_body", {"auth": {"kind": "x", "value": "y"}}, {"auth": "***"}),
        ("extra_headers", {"X-Auth": "x", "Helicone-Auth": "x"}, {"X-Auth": "***", "Helicone-Auth": "***"}),
        ("extra_headers", {"X-Secret-Key": "x", "X-Note": "y"}, {"X-Secret-Key": "***", "X-Note": "y"}),
        ("stop", ("a", KEY), ["a", "***"]),
        ("seed", 1, 1),
    ],
)
def test_what_is_mask(name: str, value: object, shown: object) -> None:
    """What is a credential by its name or by its look is masked, at any depth."""
    assert mask(name, value) == shown


def test_an_address_is_shown_as_the_file_has_it(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a variable puts into an address may be a secret, as in every other text; a query may hold a key."""
    monkeypatch.setenv("PLACE", "canary0123456789")
    Path(path).write_text(
        '[profiles.a]\nprovider = "openai"\nmodel = "m"\nbase_url = "https://gw.example/${PLACE}/v1"\n'
    )
    assert rows("a")["base_url"].value == "https://gw.example/${PLACE}/v1"
    given = rows("a", base_url="https://gw.example/v1?sig=canary0123456789")
    assert given["base_url"].value == "https://gw.example/v1?***"


def test_a_circle_and_a_missing_variable_are_errors(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `create_language` refuses is refused here too, but for a missing key or model."""
    monkeypatch.delenv("TEAM")
    with pytest.raises(ConfigFileError, match="TEAM"):
        explain_settings("smart")
    Path(path).write_text('[profiles.a]\nprovider = "openai"\nfallbacks = ["a"]\n')
    with pytest.raises(ConfigFileError, match="a -> a"):
        explain_settings("a")
    Path(path).write_text('[profiles.a]\nprovider = "openai"\n')
    explained = rows("a")
    assert (explained["model"].value, explained["key"].value) == (None, "missing")


def test_rows_are_json(path: str) -> None:
    """A row as a dict is JSON, whatever object stands in it."""
    Path(path).write_text('[profiles.a]\nprovider = "openai"\nmodel = "m"\nretry = {attempts = 4}\n')
    explained = explain_settings("a", tools=[rows], structured=dict, extra_headers=lambda _: {}, fallbacks=["ollama:x"])
    told = {row.name: row.to_dict() for row in explained}
    assert json.loads(json.dumps(told["retry"]))["value"]["attempts"] == 4
    assert (told["tools"]["value"], told["structured"]["value"]) == (["rows"], "dict")
