"""A name of a profile, an alias or a provider to a model: what applies, what outranks what, and which key goes where."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from llmkit import (
    ConfigError,
    LanguageModel,
    RetryPolicy,
    UnknownProvider,
    create_language,
    register_provider,
    unregister_provider,
)
from llmkit.config.file.problem import ConfigFileError
from llmkit.config.locate import locate, resolve_target
from llmkit.provider import get_provider
from llmkit.testing.simulator import Reply
from llmkit.types.secret import Secret
from llmkit_ollama import OllamaOptions
from llmkit_openrouter import OpenRouterOptions
from tests.conftest import KEY

if TYPE_CHECKING:
    from llmkit.provider.exchange import Endpoint
    from llmkit.testing.simulator import Simulator
    from tests.conftest import Drive

ENV_KEY: Final = "sk-env-canary-0123456789"
FILE_KEY: Final = "file-canary-0123456789"


class Folder:
    """A working directory with an `llmkit.toml`."""

    def __init__(self, path: Path) -> None:
        self.path = path / "llmkit.toml"

    def write(self, text: str) -> None:
        """The file's text."""
        self.path.write_text(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The working directory, without a file yet, and a key for OpenRouter and OpenAI."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENROUTER_API_KEY", ENV_KEY)
    monkeypatch.setenv("OPENAI_API_KEY", ENV_KEY)
    return Folder(tmp_path)


def setting(model: LanguageModel, name: str) -> object:
    """What applies to a model."""
    return model._setup.settings.get(name)


def endpoint(*names: str, **settings: Any) -> Endpoint:
    """Where `create_language` would send, and with which key."""
    return create_language(*names, **settings)._setup.connection._endpoint


def key_of(made: Endpoint) -> str | None:
    """The key that would go there."""
    return made.api_key.reveal() if isinstance(made.api_key, Secret) else None


FILE: Final = """
[profiles.smart]
provider = "openrouter"
model = "vendor/smart"
temperature = 0.5
retry = {attempts = 7}

[profiles.smart.openrouter]
session_id = "of-profile"

[profiles.quiet]
provider = "ollama"
model = "llama3.1:8b"
retry = false

[providers.openrouter]
model = "vendor/default"
temperature = 0.1
max_tokens = 11
seed = 5

[providers.openrouter.options]
session_id = "of-provider"
preset = "of-provider"
"""


# --- Names


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (("smart",), "openrouter:vendor/smart"),
        (("Smart ",), "openrouter:vendor/smart"),
        (("smart", "vendor/other"), "openrouter:vendor/other"),
        (("smart:vendor/other:free",), "openrouter:vendor/other:free"),
        (("quiet",), "ollama:llama3.1:8b"),
        (("openrouter",), "openrouter:vendor/default"),
        (("openrouter:vendor/x",), "openrouter:vendor/x"),
        (("ollama", "llama3.1:8b"), "ollama:llama3.1:8b"),
        (("ollama:llama3.1:8b",), "ollama:llama3.1:8b"),
    ],
)
def test_what_a_name_stands_for(folder: Folder, names: tuple[str, ...], target: str) -> None:
    """One argument takes a profile, two take it with another model; targets stay what they were."""
    folder.write(FILE)
    assert create_language(*names).target == target
    provider, model = resolve_target(*names)
    assert f"{provider.name}:{model}" == target


def test_a_program_changes_provider_without_a_line_of_code(folder: Folder) -> None:
    """The same call makes another model when the file says so."""
    for provider in ("ollama", "openai", "openrouter"):
        folder.write(f'[profiles.mine]\nprovider = "{provider}"\nmodel = "x"\n')
        assert create_language("mine").target == f"{provider}:x"


@pytest.mark.parametrize(
    ("name", "said"),
    [("smrt", "Did you mean smart?"), ("opnrouter", "Did you mean openrouter"), ("zzzz", "more services")],
)
def test_an_unknown_name_lists_the_profiles(folder: Folder, name: str, said: str) -> None:
    """A name that nobody has is `UnknownProvider`, with the profiles and the nearest name."""
    folder.write(FILE)
    with pytest.raises(UnknownProvider) as caught:
        create_language(name)
    assert f"profiles of {folder.path}: smart, quiet" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["openai", "ollama", "groq"])
def test_a_profile_bears_no_providers_name(folder: Folder, name: str) -> None:
    """A profile with the name of a provider or a known service is an error when that name is used."""
    folder.write(f'[profiles.{name}]\nprovider = "openrouter"\n')
    with pytest.raises(ConfigFileError, match=f"profiles.{name} has the name of a provider"):
        create_language(name, "x")


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("provider = 'opnrouter'", "provider", "Did you mean openrouter?"),
        ("provider = 'openrouter:x'", "provider", "model ="),
        ("provider = 'openrouter'\n[profiles.smart.retri]\nattempts = 2", "retri", "Did you mean retry?"),
        ("provider = 'openrouter'\n[profiles.smart.opnrouter]\npreset = 'x'", "opnrouter", "Did you mean openrouter?"),
        (
            "provider = 'openrouter'\n[profiles.smart.openrouter]\npresett = 'x'",
            "openrouter.presett",
            "Did you mean preset?",
        ),
        ("provider = 'ollama'\n[profiles.smart.ollama]\nnum_ctx = 'x'", "ollama", "num_ctx"),
        ("provider = 'ollama'\n[profiles.smart.groq]\nx = 1", "groq", "no options"),
        ("provider = 'ollama'\n[profiles.smart.openrouter]\npresett = 'x'", "openrouter.presett", "not an option"),
        ("provider = 'ollama'\nsite_url = '${ABSENT_X}'", "site_url", "ABSENT_X, which is not set"),
        ("provider = 'ollama'\nstop = ['a', '${ABSENT_X}']", "stop.1", "ABSENT_X, which is not set"),
        ("provider = '${ABSENT_X}'", "provider", "ABSENT_X, which is not set"),
        ("provider = 'ollama'\nreasoning = '${WORD}'", "reasoning", "'low'"),
        ("provider = 'ollama'\nuser = '${OPENAI_API_KEY}'", "user", "key_env"),
        ("provider = 'ollama'\nmetadata = {a = 'x ${GROQ_API_KEY}'}", "metadata.a", "key_env"),
        ("provider = 'ollama'\n[profiles.smart.ollama]\nkeep_alive = '${OPENAI_API_KEY}'", "ollama.keep_alive", "key_env"),
        ("provider = 'openrouter'\nmodel = 'x'\nkey_env = 'ABSENT_X'", "", "ABSENT_X, which is not set"),
        ("provider = 'openrouter'\nmodel = 'x'\napi_key = '${ABSENT_X}'", "", "ABSENT_X, which is not set"),
    ],
)  # fmt: skip
def test_a_profile_that_cannot_be_used(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, text: str, key: str, said: str
) -> None:
    """What is wrong with a profile here and now names file and key, and disturbs no other profile."""
    monkeypatch.setenv("WORD", "much")
    folder.write(f"[profiles.smart]\n{text}\n[profiles.other]\nprovider = 'ollama'\nmodel = 'x'\n")
    with pytest.raises(ConfigFileError) as caught:
        create_language("smart", "x")
    assert caught.value.key == f"profiles.smart.{key}".rstrip(".")
    assert str(folder.path) in str(caught.value)
    assert said in str(caught.value)
    assert ENV_KEY not in str(caught.value)
    assert create_language("other").target == "ollama:x"


# --- What outranks what


def test_the_order_of_sources(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keyword, dict, named profile, environment, the provider's table, built-in: the strongest that sets it."""
    folder.write(FILE)
    assert setting(create_language("openrouter"), "temperature") == 0.1
    monkeypatch.setenv("OPENROUTER_TEMPERATURE", "0.2")
    assert setting(create_language("openrouter"), "temperature") == 0.2
    assert setting(create_language("smart"), "temperature") == 0.5
    assert setting(create_language("smart", config={"temperature": 0.6}), "temperature") == 0.6
    model = create_language("smart", config={"temperature": 0.6}, temperature=0)
    assert setting(model, "temperature") == 0
    assert setting(create_language("smart", temperature=None), "temperature") == 0.5
    assert [setting(model, name) for name in ("max_tokens", "seed", "top_p")] == [11, 5, None]
    assert (setting(model, "retry"), setting(create_language("quiet"), "retry")) == (RetryPolicy(attempts=7), None)
    assert setting(create_language("quiet", retry=RetryPolicy()), "retry") == RetryPolicy()


def test_the_order_of_models(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caller, profile, environment, the provider's table, the provider's own default."""
    bare = '[profiles.bare]\nprovider = "openrouter"\n'
    folder.write(bare)
    assert create_language("bare").model == "openrouter/free"
    folder.write(f'{bare}[providers.openrouter]\nmodel = "of/table"\n')
    assert create_language("bare").model == "of/table"
    monkeypatch.setenv("OPENROUTER_DEFAULT_MODEL", "of/environment")
    assert create_language("bare").model == "of/environment"
    folder.write(f'{bare}model = "of/profile"\n')
    assert create_language("bare").model == "of/profile"
    assert create_language("bare", "of/caller").model == "of/caller"


def test_the_call_outranks_the_profile(folder: Folder, drive: Drive, sim: Simulator) -> None:
    """What goes out is the call's value where it has one, else the profile's, then the table's."""
    folder.write(FILE)
    model = drive.keep(create_language("smart", base_url=sim.openrouter_url, api_key=KEY))
    drive.ask(model, temperature=0)
    drive.ask(model)
    first, second = (json.loads(request.body) for request in sim.requests)
    assert (first["temperature"], second["temperature"]) == (0, 0.5)
    assert (second["model"], second["max_completion_tokens"], second["seed"]) == ("vendor/smart", 11, 5)
    assert (second["session_id"], second["preset"]) == ("of-profile", "of-provider")


def test_options_of_code_replace_those_of_the_file(folder: Folder) -> None:
    """An options object given in code replaces that of its own provider, whole."""
    folder.write(FILE + "[profiles.smart.ollama]\nnum_ctx = 99\n")
    model = create_language("smart", options=OpenRouterOptions(preset="code"), fallbacks=["ollama:x"])
    assert model._chat.options == OpenRouterOptions(preset="code")
    assert OllamaOptions(num_ctx=99) in setting(model, "options")
    assert create_language("openrouter", "x")._chat.options == OpenRouterOptions(
        session_id="of-provider", preset="of-provider"
    )


def test_unsupported_may_be_dropped_by_the_table(folder: Folder) -> None:
    """`on_unsupported` of a provider's table applies to that provider."""
    folder.write('[providers.ollama]\non_unsupported = "drop"\nlogit_bias = {"1" = 5}\n')
    assert create_language("ollama", "x")._chat.sampling == {}


def test_references_in_texts(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference is replaced in any text, at any depth; `$${` stands for itself."""
    monkeypatch.setenv("PLACE", " eu ")
    folder.write(
        '[profiles.x]\nprovider = "ollama"\nmodel = "m-${PLACE}"\nbase_url = "http://${PLACE}.example:1"\n'
        'stop = ["$${PLACE}", "<${PLACE}>"]\nextra_body = {a = [{b = "${PLACE}"}]}\n'
    )
    model = create_language("x")
    assert (model.model, model._setup.base_url) == ("m-eu", "http://eu.example:1")
    assert setting(model, "stop") == ["${PLACE}", "<eu>"]
    assert setting(model, "extra_body") == {"a": [{"b": "eu"}]}


# --- Aliases


ALIASES: Final = """
[aliases]
claude = "sonnet"
small = "ollama:llama3.2:1b"
mini = "small"
inner = "claude"
fast = "openrouter:claude"

[aliases.openrouter]
sonnet = "vendor/sonnet-4"

[aliases.openai]
claude = "openai:gpt-x"
"""


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (("openrouter", "claude"), "openrouter:vendor/sonnet-4"),
        (("openrouter:claude",), "openrouter:vendor/sonnet-4"),
        (("openrouter", "inner"), "openrouter:vendor/sonnet-4"),
        (("ollama", "claude"), "ollama:sonnet"),
        (("openai", "claude"), "openai:gpt-x"),
        (("ollama", "small"), "ollama:llama3.2:1b"),
        (("small",), "ollama:llama3.2:1b"),
        (("mini",), "ollama:llama3.2:1b"),
        (("fast",), "openrouter:vendor/sonnet-4"),
        (("ollama", "llama3.1:8b"), "ollama:llama3.1:8b"),
    ],
)
def test_aliases(folder: Folder, names: tuple[str, ...], target: str) -> None:
    """An alias may be of one provider, name another alias, or stand for a whole target; what was asked for is kept."""
    folder.write(ALIASES)
    model = create_language(*names)
    assert model.target == target
    assert model.requested == (names[-1] if ":" not in names[-1] or "llama" in names[-1] else "claude")


def test_an_alias_of_another_provider(folder: Folder) -> None:
    """An alias that stands for another provider's model is not taken for this one's."""
    folder.write(ALIASES)
    with pytest.raises(ConfigError, match="another provider"):
        create_language("openrouter", "small")


def test_an_alias_that_names_no_provider(folder: Folder) -> None:
    """An alias of a model alone does not say whose model it is."""
    folder.write(ALIASES)
    with pytest.raises(UnknownProvider, match="alias of a model; name the provider too"):
        create_language("claude")


# --- Fallbacks


CHAIN: Final = """
[profiles.a]
provider = "openrouter"
model = "m/a"
temperature = 0.1
fallbacks = ["b", "ollama:last"]

[profiles.b]
provider = "openai"
model = "b"
temperature = 0.9
fallbacks = ["c"]

[profiles.c]
provider = "ollama"
model = "c"

[profiles.circle]
provider = "ollama"
model = "x"
fallbacks = ["round"]

[profiles.round]
provider = "ollama"
model = "y"
fallbacks = ["circle:other"]

[aliases]
tiny = "ollama:llama3.2:1b"
"""


@pytest.mark.parametrize(
    ("fallbacks", "targets"),
    [
        (None, ["openai:b", "ollama:c", "ollama:last"]),
        ([], []),
        (["ollama:x", "c"], ["ollama:x", "ollama:c"]),
        (["b", "c", "B"], ["openai:b", "ollama:c"]),
        (["b:other"], ["openai:other", "ollama:c"]),
        (["tiny"], ["ollama:llama3.2:1b"]),
    ],
)
def test_fallbacks_by_profile(folder: Folder, fallbacks: list[str] | None, targets: list[str]) -> None:
    """A fallback may be a profile, with its own fallbacks after it; a profile stands in a chain once."""
    folder.write(CHAIN)
    model = create_language("a", fallbacks=fallbacks)
    assert [spare.target for spare in model._fallbacks] == targets
    mixed = create_language("ollama", "first", fallbacks=fallbacks or ["c"])
    assert len(mixed._fallbacks) == len(targets if fallbacks else ["c"])


@pytest.mark.parametrize(
    ("make", "way"),
    [
        (lambda: create_language("circle"), "circle -> round -> circle"),
        (lambda: create_language("ollama", "x", fallbacks=["round"]), "round -> circle -> round"),
        (lambda: create_language("c", fallbacks=["c"]), "c -> c"),
    ],
)
def test_a_circle_of_fallbacks(folder: Folder, make: Any, way: str) -> None:
    """Profiles that fall back to each other are an error that names the way."""
    folder.write(CHAIN)
    with pytest.raises(ConfigFileError, match=f"falls back to itself: {way}"):
        make()


def test_two_hundred_profiles_in_a_row(folder: Folder) -> None:
    """A long and branching chain is followed once, not once for every way to its end."""
    rows = [
        f'[profiles.p{i}]\nprovider = "ollama"\nmodel = "{i}"\nfallbacks = ["p{min(i + 1, 199)}", "p{min(i + 2, 199)}"]\n'
        for i in range(198)
    ]
    last = "".join(f'[profiles.p{i}]\nprovider = "ollama"\nmodel = "{i}"\n' for i in (198, 199))
    folder.write("".join(rows) + last)
    assert len(create_language("p0")._fallbacks) == 199


@pytest.mark.parametrize(("given", "temperatures"), [({}, (0.1, 0.9)), ({"temperature": 0.4}, (0.4, 0.4))])
def test_what_a_fallback_profile_is_asked_with(
    folder: Folder,
    drive: Drive,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    temperatures: tuple[float, float],
) -> None:
    """A fallback has the settings of its own profile; what the program set outranks both profiles."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", sim.openrouter_url)
    monkeypatch.setenv("OPENAI_BASE_URL", sim.openai_url)
    folder.write(CHAIN)
    model = drive.keep(create_language("a", retry=None, **given))
    sim.script(Reply(status=503), Reply(text="spare"))
    assert drive.ask(model).content == "spare"
    bodies = [json.loads(request.body) for request in sim.requests]
    assert tuple(body["temperature"] for body in bodies[-2:]) == temperatures


# --- Keys


ENV: Final = {"GATEWAY_KEY": FILE_KEY, "GROQ_API_KEY": "gsk-canary-0123456789"}
GATEWAY: Final = "https://gateway.example/v1"


@pytest.mark.parametrize(
    ("table", "given", "key"),
    [
        # A key of the file goes to the address of its own table.
        (f"base_url = '{GATEWAY}'\nkey_env = 'GATEWAY_KEY'", {}, FILE_KEY),
        (f"base_url = '{GATEWAY}'\napi_key = '${{GATEWAY_KEY}}'", {}, FILE_KEY),
        (f"base_url = '{GATEWAY}'\nkey_env = 'GATEWAY_KEY'", {"base_url": "https://gateway.example/other"}, FILE_KEY),
        (f"base_url = '{GATEWAY}'\nkey_env = 'GATEWAY_KEY'", {"base_url": "https://evil.example/v1"}, None),
        (f"base_url = '{GATEWAY}'\nkey_env = 'GATEWAY_KEY'", {"base_url": "https://gateway.example:444/v1"}, None),
        # Without an address it goes where the environment's key may go.
        ("key_env = 'GATEWAY_KEY'", {}, FILE_KEY),
        ("key_env = 'GATEWAY_KEY'", {"base_url": "https://eu.openrouter.ai/api/v1"}, FILE_KEY),
        ("key_env = 'GATEWAY_KEY'", {"base_url": "https://evil.example/v1"}, None),
        # The environment's key does not follow an address of the file.
        (f"base_url = '{GATEWAY}'", {}, None),
        # A vendor's variable goes to that vendor only.
        (f"base_url = '{GATEWAY}'\nkey_env = 'OPENROUTER_API_KEY'", {}, None),
        (f"base_url = '{GATEWAY}'\nkey_env = 'GROQ_API_KEY'", {}, None),
        (f"base_url = '{GATEWAY}'\napi_key = '${{OPENAI_API_KEY}}'", {}, None),
        ("key_env = 'OPENROUTER_API_KEY'", {}, ENV_KEY),
        ("base_url = 'https://api.groq.com/openai/v1'\nkey_env = 'GROQ_API_KEY'", {}, ENV["GROQ_API_KEY"]),
        # A key in code outranks the file.
        ("key_env = 'GATEWAY_KEY'", {"api_key": "given"}, "given"),
        (f"base_url = '{GATEWAY}'", {"api_key": "given", "base_url": GATEWAY}, "given"),
        # An address that only a found file names gets no key of the code.
        (f"base_url = '{GATEWAY}'", {"api_key": "given"}, None),
        (f"base_url = '{GATEWAY}'", {"api_key": lambda: "given"}, None),
    ],
)
@pytest.mark.parametrize("kind", ["profile", "provider"])
def test_which_key_goes_where(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, kind: str, table: str, given: dict[str, Any], key: str | None
) -> None:
    """A key leaves for the address that whoever named the key named too, or for its vendor; else it is an error."""
    for name, text in ENV.items():
        monkeypatch.setenv(name, text)
    if kind == "provider" and not ("base_url" in table or "base_url" in given):
        monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)  # which would outrank the table's
        if "OPENROUTER_API_KEY" in table:
            return
    head = "[profiles.x]\nprovider = 'openrouter'" if kind == "profile" else "[providers.openrouter]"
    folder.write(f"{head}\nmodel = 'm'\n{table}\n")
    name = "x" if kind == "profile" else "openrouter"
    if key is not None:
        expected = key if given.get("base_url") != "https://eu.openrouter.ai/api/v1" or kind == "profile" else ENV_KEY
        assert key_of(endpoint(name, **given)) == expected
        return
    with pytest.raises(ConfigError) as caught:
        endpoint(name, **given)
    for secret in (ENV_KEY, FILE_KEY, ENV["GROQ_API_KEY"], "given"):
        assert secret not in str(caught.value)
    assert "not sent to" in str(caught.value)


def test_the_users_own_address_gets_the_key_of_the_code(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the user named may lead a program's own key elsewhere; it is the user's."""
    folder.write(f"[profiles.x]\nprovider = 'openrouter'\nmodel = 'm'\nbase_url = '{GATEWAY}'\n")
    monkeypatch.setenv("LLMKIT_CONFIG", str(folder.path))
    assert key_of(endpoint("x", api_key="given")) == "given"


def test_variables_in_headers_are_held_back_too(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers that hold variables go to the address of their table; given in code, headers replace them."""
    monkeypatch.setenv("TOKEN", FILE_KEY)
    folder.write(
        f"[profiles.x]\nprovider = 'openai'\nmodel = 'm'\nkey_env = 'TOKEN'\nbase_url = '{GATEWAY}'\n"
        "extra_headers = {Authorization = 'Bearer ${TOKEN}'}\n"
    )
    assert setting(create_language("x"), "extra_headers") == {"Authorization": f"Bearer {FILE_KEY}"}
    with pytest.raises(ConfigFileError, match=r"extra_headers.*not sent to evil\.example"):
        create_language("x", base_url="https://evil.example/v1", api_key="given")
    made = create_language("x", base_url="https://evil.example/v1", api_key="given", extra_headers={})
    assert setting(made, "extra_headers") == {}


@pytest.mark.parametrize(
    "table",
    [
        "reasoning = '${HELD}'",
        "on_unsupported = '${HELD}'",
        "base_url = 'http://host:${HELD}/v1'",
        "openrouter = {provider = {sort = '${HELD}'}}",
        "openrouter = {provider = '${HELD}'}",
    ],
)
def test_an_error_does_not_tell_what_a_variable_holds(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """A wrong value out of a variable is named by the variable; what it holds may be a secret."""
    monkeypatch.setenv("HELD", FILE_KEY)
    folder.write(f"[profiles.x]\nprovider = 'openrouter'\nmodel = 'm'\n{table}\n")
    with pytest.raises(ConfigError) as caught:
        create_language("x")
    assert FILE_KEY not in f"{caught.value} {vars(caught.value)} {caught.value.args}"
    folder.write("[profiles.x]\nprovider = '${HELD}'\nmodel = 'm'\n")
    with pytest.raises(ConfigFileError, match=r"\$\{HELD\}") as caught:
        create_language("x")
    assert FILE_KEY not in str(caught.value)


@pytest.mark.parametrize("order", [("TABLE", "ENV"), ("ENV",), ("PROFILE", "ENV", "TABLE")])
def test_the_order_of_keys(folder: Folder, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...]) -> None:
    """The profile's key, then the environment's, then that of the provider's table."""
    monkeypatch.setenv("IN_TABLE", "of-table")
    monkeypatch.setenv("IN_PROFILE", "of-profile")
    text = "[profiles.x]\nprovider = 'openrouter'\nmodel = 'm'\n"
    text += "key_env = 'IN_PROFILE'\n" if "PROFILE" in order else ""
    text += "[providers.openrouter]\nkey_env = 'IN_TABLE'\n" if "TABLE" in order else ""
    folder.write(text)
    assert key_of(endpoint("x")) == ("of-profile" if "PROFILE" in order else ENV_KEY)
    monkeypatch.delenv("OPENROUTER_API_KEY")
    if order != ("ENV",):
        assert key_of(endpoint("x")) == ("of-profile" if "PROFILE" in order else "of-table")


def test_the_order_of_addresses(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caller, profile, environment, the provider's table, the vendor's own."""
    head = "[profiles.x]\nprovider = 'ollama'\nmodel = 'm'\n"
    table = "[providers.ollama]\nbase_url = 'http://of-table:1'\n"
    folder.write(head)
    assert endpoint("x").base_url == "http://127.0.0.1:11434"
    folder.write(head + table)
    assert endpoint("x").base_url == "http://of-table:1"
    monkeypatch.setenv("OLLAMA_HOST", "of-environment:2")
    assert endpoint("x").base_url == "http://of-environment:2"
    folder.write(f"{head}base_url = 'http://of-profile:3'\n{table}")
    assert endpoint("x").base_url == "http://of-profile:3"
    assert endpoint("x", base_url="http://of-caller:4").base_url == "http://of-caller:4"


def test_a_wrong_address_names_the_file(folder: Folder) -> None:
    """An address of the file that is none names table and file."""
    folder.write("[profiles.x]\nprovider = 'openai'\nmodel = 'm'\nbase_url = 'ftp://x'\nkey_env = 'GATEWAY_KEY'\n")
    with pytest.raises(ConfigError, match=f"profiles.x.base_url of {folder.path}"):
        create_language("x")


def test_no_key_of_the_file_is_shown(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """No repr and no error of a model that was made from a file holds the file's key."""
    monkeypatch.setenv("GATEWAY_KEY", FILE_KEY)
    folder.write(f"[profiles.x]\nprovider = 'openai'\nmodel = 'm'\nbase_url = '{GATEWAY}'\nkey_env = 'GATEWAY_KEY'\n")
    model = create_language("x")
    assert FILE_KEY not in repr(model) + repr(model._setup.connection._endpoint) + repr(model._setup.settings)


# --- What discovery asks with


def test_connect_takes_a_profile(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """`connect` resolves address and key as `create_language` does; a key that is not needed may be missing."""
    monkeypatch.setenv("GATEWAY_KEY", FILE_KEY)
    folder.write(f"[profiles.x]\nprovider = 'openai'\nbase_url = '{GATEWAY}'\nkey_env = 'GATEWAY_KEY'\n")
    located = locate("x", {})
    provider, made = located.provider, located.endpoint
    assert (provider.name, made.base_url, key_of(made)) == ("openai", GATEWAY, FILE_KEY)
    monkeypatch.delenv("GATEWAY_KEY")
    with pytest.raises(ConfigFileError, match="GATEWAY_KEY"):
        locate("x", {})
    assert key_of(locate("x", {}, need_key=False).endpoint) is None
    monkeypatch.delenv("OPENROUTER_API_KEY")
    assert locate("openrouter", {"timeout": 3}, need_key=False).endpoint.api_key is None
    with pytest.raises(ConfigError, match="no API key"):
        locate("openrouter", {})


# --- What it costs


def test_a_provider_registered_later_is_seen(folder: Folder) -> None:
    """A name that becomes a provider's no longer is a profile's."""
    folder.write("[profiles.later]\nprovider = 'ollama'\nmodel = 'x'\n")
    assert create_language("later").target == "ollama:x"
    register_provider("later", lambda name: get_provider("ollama"))
    try:
        with pytest.raises(ConfigFileError, match="has the name"):
            create_language("later")
    finally:
        unregister_provider("later")


@pytest.mark.parametrize("names", [("ollama", "x"), ("smart",)])
def test_making_a_model_again_takes_no_time(folder: Folder, names: tuple[str, ...]) -> None:
    """From the second model on, making one takes less than a millisecond, with a file or without; it is not read again."""
    if names == ("smart",):
        folder.write(FILE)
    create_language(*names)
    best = min(_seconds(names) for _ in range(50))
    assert best < 0.001


def _seconds(names: tuple[str, ...]) -> float:
    start = time.perf_counter()
    create_language(*names)
    return time.perf_counter() - start


def test_without_a_file_nothing_more_is_loaded(tmp_path: Path) -> None:
    """Without a file the parser is not loaded, and neither are openai and pydantic, with one or without."""
    import subprocess

    code = (
        "import sys; from llmkit import create_language; create_language('ollama', 'x'); "
        "print([name for name in ('tomllib', 'openai', 'pydantic', 'asyncio') if name in sys.modules])"
    )
    for text, loaded in ((None, "[]"), (PLAIN, "['tomllib']")):
        if text:
            (tmp_path / "llmkit.toml").write_text(text)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=os.environ, capture_output=True, check=True
        )
        assert done.stdout.decode().strip() == loaded


PLAIN: Final = "[providers.ollama]\ntemperature = 0\n"
