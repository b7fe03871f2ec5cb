"""`llmkit.toml`: which one is used, and what each mistake in it says."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmkit.config.file.content import holds_secret
from llmkit.config.file.find import (
    MAX_FILE_BYTES,
    check_owner,
    default_profile,
    find_file,
    load_file,
    parse_toml,
    profile_names,
    user_file,
)
from llmkit.config.file.problem import ConfigFileError
from llmkit.config.file.references import find_variables, has_malformed_reference, replace_references
from llmkit.config.file.schema import read_document
from llmkit.errors import ConfigError

PROFILE: Final = '[profiles.{0}]\nprovider = "ollama"\nmodel = "{0}"\n'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a folder of the test's own, two levels down."""
    folder = tmp_path / "project" / "src"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def problem(text: str, *, project: bool = False) -> ConfigFileError:
    """The error of a file with that text."""
    with pytest.raises(ConfigFileError) as caught:
        read_document(parse_toml(text.encode(), "/x/llmkit.toml"), "/x/llmkit.toml", project=project)
    return caught.value


# --- Which file


def test_the_order_of_places(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`LLMKIT_CONFIG`, the working directory, the nearest folder above, the user's own: the first one, alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    named = tmp_path / "named.toml"
    places = [user_file(), project.parent / "llmkit.toml", project / "llmkit.toml", named]
    kinds = ["user", "project", "project", "named"]
    assert find_file() is None
    assert (load_file(), default_profile(), profile_names()) == (None, None, [])
    for number, (path, kind) in enumerate(zip(places, kinds, strict=True)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'default_profile = "p{number}"\n' + PROFILE.format(f"p{number}"))
        if kind == "named":
            monkeypatch.setenv("LLMKIT_CONFIG", str(named))
        found = find_file()
        assert found is not None
        assert (found.path, found.kind) == (path, kind)
        assert (default_profile(), profile_names()) == (f"p{number}", [f"p{number}"])


def test_the_users_own_file_is_no_projects_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Found from a folder below it, the user's own file is still the user's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = user_file()
    (path.parent / "below").mkdir(parents=True)
    path.write_text('[providers.ollama]\nproxy = "http://proxy.example:8080"\n')
    monkeypatch.chdir(path.parent / "below")
    file = load_file()
    assert file is not None
    assert not file.project


def test_the_variable_names_a_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that `LLMKIT_CONFIG` names must be there; an empty variable names none, and the null device is no file."""
    monkeypatch.setenv("LLMKIT_CONFIG", str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigFileError, match=r"absent\.toml.*no such file.*LLMKIT_CONFIG"):
        load_file()
    for text in ("", " ", os.devnull):
        monkeypatch.setenv("LLMKIT_CONFIG", text)
        assert load_file() is None


def test_a_change_is_seen(project: Path) -> None:
    """A file is read again when it has changed, and only then."""
    path = project / "llmkit.toml"
    path.write_text(PROFILE.format("one"))
    first = load_file()
    assert load_file() is first
    path.write_text(PROFILE.format("other"))
    assert profile_names() == ["other"]
    path.unlink()
    assert load_file() is None


def test_a_working_directory_that_is_gone(project: Path) -> None:
    """Where the working directory has been removed there is no project's file."""
    project.rmdir()
    assert load_file() is None


# --- What cannot be read


def unreadable(kind: str, path: Path) -> None:
    """Put what is no readable TOML file at `path`."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "too large":
        path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    else:
        path.write_bytes({"latin": b'a = "x"\n# caf\xe9\n', "zero": b"\x00\x01", "utf16": "a=1".encode("utf-16")}[kind])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("folder", "it is a folder"),
        ("pipe", "not a regular file"),
        ("too large", "larger than 1 MiB"),
        ("latin", "line 2: it is not UTF-8"),
        ("utf16", "line 1: it is not UTF-8"),
        ("zero", "not valid TOML"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_what_is_no_file_of_ours(
    project: Path, kind: str, text: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no readable TOML file is an error that names it, found or named; nothing waits for a pipe."""
    path = project / "llmkit.toml"
    unreadable(kind, path)
    if named:
        monkeypatch.setenv("LLMKIT_CONFIG", str(path))
    with pytest.raises(ConfigFileError, match=text) as caught:
        load_file()
    assert caught.value.path == str(path)
    assert str(path) in str(caught.value)


def test_a_file_that_may_not_be_read(project: Path) -> None:
    """A file without permission says so. The administrator may read it all the same."""
    path = project / "llmkit.toml"
    path.write_text(PROFILE.format("one"))
    path.chmod(0)
    try:
        names = profile_names()
    except ConfigFileError as error:
        assert "Permission denied" in str(error)  # noqa: PT017 - who may read everything has no error
    else:
        assert os.geteuid() == 0
        assert names == ["one"]
    path.chmod(stat.S_IRUSR)


@pytest.mark.parametrize(("owner", "user", "fine"), [(7, 7, True), (0, 7, True), (8, 7, False), (7, 0, False)])
def test_whose_file_it_may_be(owner: int, user: int, fine: bool) -> None:
    """A file that is found is the user's own or the administrator's."""
    if fine:
        check_owner("x", owner, user)
        return
    with pytest.raises(ConfigFileError, match=r"another user \(uid .*LLMKIT_CONFIG"):
        check_owner("x", owner, user)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = \n", 1, "Invalid value"),
        ("\n\n[profiles.x\n", 3, "Expected"),
        ("[a]\n[a]\n", 2, "Cannot declare"),
        ("default_profile = smart\n", 1, "quotes"),
        ('a = "x\n"', 1, "Illegal character"),
        ("a = " + "[" * 5000, None, "nested too deeply"),
        ("a = 1" + "0" * 5000, None, "not valid TOML"),
        ("a" + ".a" * 5000 + " = 1", None, "too many parts"),
        ("\n".join(f"a{i}" + ".a" * 400 + " = 1" for i in range(1000)), None, "too many parts"),
    ],
)
def test_what_is_no_toml(text: str, line: int | None, said: str) -> None:
    """A mistake of syntax names the line; what would only cost time or stack is refused."""
    with pytest.raises(ConfigFileError) as caught:
        parse_toml(text.encode(), "llmkit.toml")
    assert said in str(caught.value)
    assert caught.value.line == line
    if line:
        assert f"llmkit.toml, line {line}: " in str(caught.value)


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Editors on Windows begin a file with one."""
    assert parse_toml(b"\xef\xbb\xbfa = 1\r\n", "x") == {"a": 1}


# --- What may stand in it

IN: Final = '[profiles.smart]\nprovider = "openrouter"\n'
OF: Final = "[providers.openrouter]\n"


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("profile = 1", "profile", "Did you mean profiles?"),
        ("temperature = 1", "temperature", "[profiles.NAME]"),
        ("profiles = 1", "profiles", "table"),
        ("[profiles]\nsmart = 1", "profiles.smart", "table"),
        ("[[profiles]]\nx = 1", "profiles", "table"),
        ("[profiles.smart]\nmodel = 'x'", "profiles.smart.provider", "is missing"),
        ("[profiles.smart]\nprovider = 1", "profiles.smart.provider", "in quotes"),
        ("[profiles.smart]\nprovider = ''", "profiles.smart.provider", "empty"),
        (f"{IN}temprature = 1", "profiles.smart.temprature", "Did you mean temperature?"),
        (f"{IN}max_token = 1", "profiles.smart.max_token", "Did you mean max_tokens?"),
        (f"{IN}temperature = 'hot'", "profiles.smart.temperature", "number"),
        (f"{IN}temperature = 3", "profiles.smart.temperature", "must be a number from 0 to 2, not 3"),
        (f"{IN}temperature = nan", "profiles.smart.temperature", "finite"),
        (f"{IN}temperature = true", "profiles.smart.temperature", "number"),
        (f"{IN}max_tokens = 1.5", "profiles.smart.max_tokens", "whole number"),
        (f"{IN}streaming = 'yes'", "profiles.smart.streaming", "true or false"),
        (f"{IN}stop = ['a', 1]", "profiles.smart.stop", "stop[1] must be text, not 1"),
        (f"{IN}reasoning = 'hard'", "profiles.smart.reasoning", "must be 'none', 'minimal'"),
        (f"{IN}base_url = 1", "profiles.smart.base_url", "an address"),
        (f"{IN}model = 1", "profiles.smart.model", "a name"),
        (f"{IN}seed = 2026-01-01", "profiles.smart.seed", "quotes"),
        (f"{IN}options = {{}}", "profiles.smart.options", "[profiles.smart.openrouter]"),
        (f"{IN}retry = 5", "profiles.smart.retry", "retry = {attempts = 5}"),
        (f"{IN}retry = true", "profiles.smart.retry", "false"),
        (f"{IN}retry = {{attemps = 5}}", "profiles.smart.retry.attemps", "Did you mean attempts?"),
        (f"{IN}retry = {{attempts = 0}}", "profiles.smart.retry.attempts", "a whole number of 1 or more"),
        (f"{IN}retry = {{backoff = 'x'}}", "profiles.smart.retry.backoff", "seconds"),
        (f"{IN}client_cert = ['a']", "profiles.smart.client_cert", "certificate"),
        (f"{IN}fallbacks = 'fast'", "profiles.smart.fallbacks", "fallbacks = ["),
        (f"{IN}fallbacks = [1]", "profiles.smart.fallbacks", "not text"),
        (f"{IN}fallbacks = ['smrt']", "profiles.smart.fallbacks.0", "Did you mean smart?"),
        (f"{IN}fallbacks = ['xyz']", "profiles.smart.fallbacks.0", "provider:model"),
        (f"{IN}key_env = 'my key'", "profiles.smart.key_env", "environment variable"),
        (f"{IN}key_env = '${{KEY}}'", "profiles.smart.key_env", "environment variable"),
        (f"{IN}key_env = 'A'\napi_key = '${{A}}'", "profiles.smart.api_key", "both"),
        (f"{IN}api_key = 7", "profiles.smart.api_key", "${NAME}"),
        (f"{IN}site_url = '${{NAME'", "profiles.smart.site_url", "not a reference"),
        (f"{IN}site_url = '${{a-b}}'", "profiles.smart.site_url", "not a reference"),
        (f"{IN}x = {{a={{a={{a={{a={{a={{a=1}}}}}}}}}}}}", "profiles.smart.x.a.a.a.a.a.a", "too deep"),
        ("[profiles.'a:b']\nprovider='x'", "profiles", "colon"),
        ("[profiles.'']\nprovider='x'", "profiles", "not the name"),
        ("[profiles.a]\nprovider='x'\n[profiles.A]\nprovider='x'", "profiles", "upper and lower"),
        ("".join(PROFILE.format(f"p{i}") for i in range(201)), "profiles", "At most 200"),
        (f"default_profile = 'smrt'\n{IN}", "default_profile", "Did you mean smart?"),
        ("default_profile = 'smart'", "default_profile", "no [profiles.NAME]"),
        ("default_profile = 1", "default_profile", "name of a profile"),
        (f"{OF}temprature = 1", "providers.openrouter.temprature", "Did you mean temperature?"),
        (f"{OF}fallbacks = ['a:b']", "providers.openrouter.fallbacks", "belong in a profile"),
        (f"{OF}provider = 'x'", "providers.openrouter.provider", "is the provider"),
        (f"{OF}key = 'x'", "providers.openrouter.key", "key_env"),
        (f"{OF}ollama = {{}}", "providers.openrouter.ollama", "no setting"),
        (f"{OF}options = 1", "providers.openrouter.options", "table"),
        ("[aliases]\na = 1", "aliases.a", 'short = "model"'),
        ("[aliases]\na = ''", "aliases.a", "empty"),
        ("[aliases]\n'' = 'x'", 'aliases.""', "not the name"),
        ("[aliases]\na = 'b'\nb = 'a'", "aliases.a", '"a" -> "b" -> "a"'),
        ("[aliases]\na = 'a'", "aliases.a", "circle"),
        ("[aliases]\na = 'b'\n[aliases.ollama]\nb = 'ollama:a'", "aliases.b", "circle"),
        ("[aliases]\n" + "".join(f"a{i} = 'a{i + 1}'\n" for i in range(12)), "aliases.a0", "At most 10"),
        ("[aliases]\n" + "".join(f"a{i} = 'x'\n" for i in range(1001)), "aliases", "At most 1000"),
    ],
)  # fmt: skip
def test_each_mistake_names_its_place(text: str, key: str, said: str) -> None:
    """A mistake names the file, the key, and what would be right."""
    error = problem(text)
    assert (error.key, error.path) == (key, "/x/llmkit.toml")
    assert str(error).startswith("/x/llmkit.toml: ")
    assert said in str(error)
    assert isinstance(error, ConfigError)


@pytest.mark.parametrize("name", ["proxy", "ca_bundle", "client_cert", "allow_insecure"])
@pytest.mark.parametrize("table", [IN, OF])
def test_a_project_does_not_lead_traffic_elsewhere(name: str, table: str) -> None:
    """A file that is found in a folder has no proxy and no certificates; the user's own may have them."""
    value = {"proxy": "'http://p.example:1'", "allow_insecure": "true"}.get(name, "'x.pem'")
    text = f"{table}{name} = {value}"
    error = problem(text, project=True)
    assert error.key is not None
    assert error.key.endswith(name)
    assert "LLMKIT_CONFIG" in str(error)
    read_document(parse_toml(text.encode(), "x"), "x")


def test_paths_are_beside_the_file() -> None:
    """The path of a certificate is relative to the file that names it."""
    text = b'[providers.openai]\nca_bundle = "certs/ca.pem"\nclient_cert = ["/abs/c.pem", "k.pem"]\n'
    file = read_document(parse_toml(text, "x"), "/etc/team/llmkit.toml")
    settings = file.providers["openai"].settings
    assert settings["ca_bundle"] == "/etc/team/certs/ca.pem"
    assert settings["client_cert"] == ("/abs/c.pem", "/etc/team/k.pem")


PAGE: Final = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
def test_the_examples_of_the_page_are_files(text: str) -> None:
    """Every TOML example of the page is a configuration file as it stands, also of a project."""
    read_document(parse_toml(text.encode(), "x"), "x", project="proxy" not in text)


# --- Secrets

CANARY: Final = "sk-canary-0123456789abcdef"


@pytest.mark.parametrize(
    "line",
    [
        f"api_key = '{CANARY}'",
        "api_key = 'anything-at-all'",
        "api_key = 'x${NAME}'",
        "api_key = '${A}${B}'",
        "api_key = ''",
        f"user = '{CANARY}'",
        f"model = '{CANARY}'",
        f"extra_headers = {{Authorization = 'Bearer {CANARY}'}}",
        "extra_headers = {Authorization = 'Basic dXNlcjpwYXNz'}",
        "extra_headers = {X-Api-Key = 'hunter2'}",
        "extra_headers = {X-Auth-Token = 'hunter2'}",
        "extra_headers = {X-Auth = 'hunter2'}",
        "extra_headers = {X-Secret-Key = 'hunter2'}",
        "extra_headers = {Cookie = 'session=1'}",
        "extra_body = {a = [{password = 'hunter2'}]}",
        "extra_body = {api_key = 'hunter2'}",
        "base_url = 'https://user:hunter2@gw.example/v1'",
        f"base_url = 'https://gw.example/v1?key={CANARY}'",
        "proxy = 'http://user:hunter2@proxy.example:8080'",
        f"stop = ['x', '{CANARY}']",
    ],
)
@pytest.mark.parametrize("table", [IN, OF])
def test_a_secret_in_the_file_is_an_error(line: str, table: str) -> None:
    """A key that is written out is refused, says how to do it, and is not repeated."""
    error = problem(f"{table}{line}")
    assert "key_env" in str(error)
    assert "${NAME}" in str(error)
    for secret in (CANARY, "hunter2", "dXNlcjpwYXNz", "anything-at-all", "session=1"):
        assert secret not in str(error)


@pytest.mark.parametrize(
    "line",
    [
        "api_key = '${MY_KEY}'",
        "key_env = 'API_KEY_OF_OPENAI'",
        "extra_headers = {Authorization = 'Bearer ${TOKEN}'}",
        "proxy = 'http://user:${PASSWORD}@proxy.example:8080'",
        "base_url = 'https://api-inference.example/v1'",
        "base_url = 'https://api-inference-v1-0123456789.example:8443'",
        "extra_body = {prompt_cache_key = 'team-a', stop_token = '</s>'}",
        "user = 'a bearer of news'",
        "model = 'vendor/key-moments-large'",
        "max_tokens = 5",
    ],
)
def test_what_is_no_secret_is_taken(line: str) -> None:
    """References, and words that only look a little like keys, are taken."""
    read_document(parse_toml(f"{IN}{line}".encode(), "x"), "x")


def test_a_syntax_error_repeats_no_secret() -> None:
    """The text of a broken line is not in the error."""
    for text in (f"api_key = {CANARY}", f'api_key = "{CANARY}', f"a = {{ '{CANARY}' = 1, '{CANARY}' = 2 }}"):
        with pytest.raises(ConfigFileError) as caught:
            parse_toml(text.encode(), "x")
        assert "0123456789abcdef" not in str(caught.value)


# --- References


def literal(text: str) -> str:
    """A text as a file has it that means no reference."""
    return text.replace("${", "$${")


@given(st.text(alphabet=st.sampled_from("${}aA_1 \n"), max_size=20) | st.text(max_size=20))
@example("$${{")
def test_a_literal_text_comes_back(text: str) -> None:
    """Any text whose `${` are written as `$${` holds no reference and comes back as it was."""
    written = literal(text)
    assert not find_variables(written)
    assert not has_malformed_reference(written)
    assert replace_references(written, lambda name: f"<{name}>") == text


@given(st.text(max_size=10), st.text(max_size=10), st.text(max_size=10))
def test_a_reference_is_replaced_once(before: str, value: str, after: str) -> None:
    """What a variable holds stands in the text as it is; it is not searched again."""
    written = f"{literal(before.rstrip('$'))}${{NAME}}{literal(after)}"
    assert find_variables({"a": [written]}) == ["NAME"]
    assert replace_references([written], lambda _: value) == [f"{before.rstrip('$')}{value}{after}"]


LEAVES: Final = (
    st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates() | st.just("${A}") | st.just(CANARY)
)
VALUES: Final[st.SearchStrategy[Any]] = st.deferred(
    lambda: LEAVES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=8), VALUES, max_size=3)
)
NAMES: Final = st.sampled_from(
    [
        "provider", "model", "fallbacks", "temperature", "retry", "options", "api_key", "key_env", "extra_headers", "stop",
        "client_cert", "ca_bundle", "tools", "structured", "metadata", "logit_bias", "ollama", "base_url", "proxy",
    ]
)  # fmt: skip
TABLES: Final = st.dictionaries(st.text(max_size=5), st.dictionaries(NAMES, VALUES, max_size=4) | VALUES, max_size=3)


@given(
    st.fixed_dictionaries(
        {}, optional={"default_profile": VALUES, "profiles": TABLES, "providers": TABLES, "aliases": TABLES | VALUES}
    ),
    st.booleans(),
)
def test_any_document_is_taken_or_refused(document: dict[str, Any], project: bool) -> None:
    """Whatever stands in a file, it is taken, or refused with a `ConfigFileError` that has no key in it."""
    try:
        read_document(document, "x", project=project)
    except ConfigFileError as error:
        assert CANARY not in str(error)  # noqa: PT017 - most documents are refused, some are not


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    """Whatever bytes a file holds, they are TOML or a `ConfigFileError`."""
    try:
        parse_toml(data, "x")
    except ConfigFileError as error:
        assert error.path == "x"  # noqa: PT017 - most bytes are refused, some are not


@given(st.text(max_size=40))
def test_a_key_is_seen_before_any_text(text: str) -> None:
    """A key is seen, whatever text follows it."""
    assert holds_secret("user", f"{CANARY} {text.replace(chr(36), '')}")
