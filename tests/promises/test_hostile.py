"""Two servers, one the vendor's and one that is not: who gets a key, whatever asks. And replies that mean harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from llmkit import (
    ConfigError,
    LLMError,
    acheck_available,
    acheck_key,
    acompare,
    alist_models,
    apull_model,
    aquick_chat,
    check_available,
    check_key,
    compare,
    create_language,
    list_models,
    pull_model,
    quick_chat,
)
from llmkit.config.folders import cache_folder
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import Drive

from .test_leaks import everything_logged, family, sent, texts_of

__all__ = ["everything_logged"]

ENV_KEY: Final = "sk-env-canary-0123456789"
FILE_KEY: Final = "file-canary-0123456789"
CALL_KEY: Final = "call-canary-0123456789"
KEYS: Final = (ENV_KEY, FILE_KEY, CALL_KEY)


@pytest.fixture
def evil() -> Iterator[Simulator]:
    """A server that no key was meant for."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checked-out folder, and a user who has keys."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "OLLAMA_API_KEY"):
        monkeypatch.setenv(name, ENV_KEY)
    monkeypatch.setenv("WORK_KEY", FILE_KEY)
    return tmp_path


async def _pulled(provider: str, **settings: Any) -> None:
    async for _ in apull_model("llama3.2", provider=provider, **settings):
        pass


Ask = Callable[[Drive, str, dict[str, Any]], object]


def _either(drive: Drive, plain: Callable[[], object], coroutine: Callable[[], Any]) -> object:
    return drive.await_(coroutine()) if drive.is_async else plain()


#: Everything that sends, by the name of a provider or profile.
WAYS: Final[dict[str, Ask]] = {
    "chat": lambda drive, name, kw: drive.ask(drive.keep(create_language(name, "m", retry=None, **kw))),
    "copy": lambda drive, name, kw: drive.ask(
        drive.keep(drive.keep(create_language(name, "m", retry=None, **kw)).with_settings(temperature=0))
    ),
    "quick": lambda drive, name, kw: _either(
        drive, lambda: quick_chat("hi", model=name, **kw), lambda: aquick_chat("hi", model=name, **kw)
    ),
    "list": lambda drive, name, kw: _either(
        drive, lambda: list_models(name, refresh=True, **kw), lambda: alist_models(name, refresh=True, **kw)
    ),
    "check": lambda drive, name, kw: _either(
        drive, lambda: check_available(name, **kw).require(), lambda: acheck_available(name, **kw)
    ),
    "key": lambda drive, name, kw: _either(drive, lambda: check_key(name, **kw), lambda: acheck_key(name, **kw)),
    "pull": lambda drive, name, kw: _either(
        drive, lambda: list(pull_model("llama3.2", provider=name, **kw)), lambda: _pulled(name, **kw)
    ),
}


def attempt(drive: Drive, way: str, name: str, settings: dict[str, Any] | None = None) -> LLMError | None:
    """Try it; whether it succeeds does not matter here."""
    try:
        WAYS[way](drive, name, settings or {})
    except LLMError as error:
        return error
    return None


def profile(provider: str, more: str) -> str:
    return f'[profiles.work]\nprovider = "{provider}"\nmodel = "m"\n{more}\n'


def url_of(sim: Simulator, provider: str) -> str:
    return str(getattr(sim, f"{provider}_url"))


# Where a key goes.


@pytest.mark.parametrize("provider", ["openai", "openrouter", "ollama"])
@pytest.mark.parametrize("way", WAYS)
def test_the_key_of_a_profile_does_not_follow_an_address_of_the_call(
    sim: Simulator, evil: Simulator, drive: Drive, folder: Path, provider: str, way: str
) -> None:
    """A profile's key goes to the profile's address, and to no `base_url=` of whatever asks."""
    text = profile(provider, f'base_url = "{url_of(sim, provider)}"\nkey_env = "WORK_KEY"')
    (folder / "llmkit.toml").write_text(text)
    attempt(drive, way, "work", {"base_url": url_of(evil, provider)})
    assert not any(key in sent(evil) for key in KEYS)
    assert sim.requests == []
    attempt(drive, way, "work")
    if (way != "key" or provider == "openrouter") and (way != "pull" or provider == "ollama"):
        assert f"Bearer {FILE_KEY}" in sent(sim)
    assert ENV_KEY not in sent(sim)


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", ["openai", "openrouter", "ollama"])
@pytest.mark.parametrize("table", ["profile", "provider"])
@pytest.mark.parametrize("way", WAYS)
def test_an_address_of_a_project_gets_no_key_of_the_program(
    evil: Simulator, drive: Drive, folder: Path, provider: str, table: str, way: str
) -> None:
    """Neither a key of the environment nor one of the code goes where only a folder's file leads, this machine included."""
    address = f'base_url = "{url_of(evil, provider)}"'
    for more in ("", '\nkey_env = "OPENAI_API_KEY"', '\napi_key = "${OPENROUTER_API_KEY}"'):
        head = profile(provider, address + more) if table == "profile" else f"[providers.{provider}]\n{address}{more}\n"
        (folder / "llmkit.toml").write_text(head)
        name = "work" if table == "profile" else provider
        attempt(drive, way, name)
        for given in (CALL_KEY, lambda: CALL_KEY):
            error = attempt(drive, way, name, {"api_key": given})
            if not (way == "check" and drive.is_async):  # which gives its finding as a value
                assert isinstance(error, ConfigError)
    assert not any(key in sent(evil) for key in KEYS)


@pytest.mark.parametrize(
    "line",
    [
        'base_url = "{url}/${{OPENAI_API_KEY}}"',
        'base_url = "{url}?k=${{OPENROUTER_API_KEY}}"',
        'base_url = "{url}"\nextra_headers = {{X-A = "${{OPENAI_API_KEY}}"}}',
        'base_url = "{url}"\nextra_body = {{a = ["${{OPENROUTER_API_KEY}}"]}}',
        'base_url = "{url}"\nuser = "${{OLLAMA_API_KEY}}"',
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_a_vendors_key_is_in_no_text_of_a_file(
    evil: Simulator, drive: Drive, folder: Path, line: str, way: str
) -> None:
    """`${NAME}` does not put a provider's key into an address, a header or a field."""
    (folder / "llmkit.toml").write_text(profile("openai", line.format(url=evil.openai_url)))
    error = attempt(drive, way, "work")
    if not (way == "check" and drive.is_async):
        assert isinstance(error, ConfigError)
        assert not any(key in text for text in texts_of(error, with_locals=False) for key in KEYS)
    assert evil.requests == []


def test_each_fallback_has_the_key_of_its_own_profile(
    sim: Simulator, evil: Simulator, drive: Drive, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain over two servers: each gets the key and the headers of its own table, none of the other's."""
    monkeypatch.setenv("OTHER_KEY", "other-canary-0123456789")
    monkeypatch.setenv("TEAM", "team-canary-0123456789")
    (folder / "llmkit.toml").write_text(
        f'[profiles.first]\nprovider = "openai"\nmodel = "m"\nbase_url = "{sim.openai_url}"\nkey_env = "WORK_KEY"\n'
        'extra_headers = {X-Team-Token = "${TEAM}"}\nfallbacks = ["second"]\n'
        f'[profiles.second]\nprovider = "openrouter"\nmodel = "m"\nbase_url = "{evil.openrouter_url}"\n'
        'key_env = "OTHER_KEY"\n'
    )
    sim.script(Reply(status=503), Reply(status=503))
    model = drive.keep(create_language("first", retry=None))
    drive.ask(model)
    drive.ask(drive.keep(model.with_settings(temperature=0)))
    assert len(sim.requests) == len(evil.requests) == 2
    assert {request.headers["authorization"] for request in sim.requests} == {f"Bearer {FILE_KEY}"}
    assert {request.headers["authorization"] for request in evil.requests} == {"Bearer other-canary-0123456789"}
    assert "team-canary" in sent(sim)
    assert "team-canary" not in sent(evil)


def test_targets_of_a_comparison_keep_their_keys(
    sim: Simulator, evil: Simulator, drive: Drive, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each target of `compare` is made by the same rules; a folder's address gets no key."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", sim.openrouter_url)
    (folder / "llmkit.toml").write_text(profile("openai", f'base_url = "{evil.openai_url}"'))
    targets = ["openrouter:m", "work"]
    rows = drive.await_(acompare(targets, "hi")) if drive.is_async else compare(targets, "hi")
    assert rows[0].ok
    assert f"Bearer {ENV_KEY}" in sent(sim)
    assert not any(key in sent(evil) for key in KEYS)
    assert not any(key in repr(rows) + json.dumps([row.to_dict() for row in rows]) for key in KEYS)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(("way", "provider"), [
    ("list", "openai"), ("list", "openrouter"), ("list", "ollama"), ("check", "openrouter"), ("key", "openrouter"),
    ("pull", "ollama"),
])  # fmt: skip
def test_no_question_follows_a_redirect(
    sim: Simulator, evil: Simulator, drive: Drive, way: str, provider: str, status: int
) -> None:
    """A service that sends the list's, the key's or the pull's request elsewhere sends it nowhere."""
    for path in ("/v1/models", "/api/v1/models", "/api/v1/key", "/api/tags", "/api/pull"):
        sim.script_for(path, *[Reply(status=status, headers={"Location": f"{evil.url}{path}"})] * 3)
    attempt(drive, way, provider, {"api_key": CALL_KEY, "base_url": url_of(sim, provider)})
    assert sim.requests
    assert (evil.requests, evil.connections) == ([], 0)


@pytest.mark.covering(2)
@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http"])
@pytest.mark.parametrize("provider", ["openai", "openrouter", "ollama"])
@pytest.mark.parametrize("way", WAYS)
def test_no_question_takes_a_key_over_plain_http(
    evil: Simulator, drive: Drive, monkeypatch: pytest.MonkeyPatch, provider: str, way: str, scheme: str
) -> None:
    """Lists, checks and pulls refuse a key over http:// to another host as a call does, also through a proxy."""
    monkeypatch.setenv("HTTP_PROXY", evil.url)
    error = attempt(drive, way, provider, {"api_key": CALL_KEY, "base_url": f"{scheme}://gpu-box.invalid:11434"})
    if not (way == "check" and drive.is_async):
        assert isinstance(error, ConfigError)
        assert "plain http" in str(error) or "fetch" in str(error)
        assert CALL_KEY not in str(error)
    assert evil.requests == []


@pytest.mark.covering(2)
@pytest.mark.parametrize("scheme", ["http", "HTTP", "hTTp"])
@pytest.mark.parametrize("provider", ["openai", "openrouter", "ollama"])
@pytest.mark.parametrize("way", WAYS)
def test_neither_file_nor_variable_leads_a_key_over_plain_http(
    evil: Simulator,
    drive: Drive,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    way: str,
    scheme: str,
) -> None:
    """A profile with its own key, and the vendor's own variable, are refused there as an argument is."""
    monkeypatch.setenv("HTTP_PROXY", evil.url)
    address = f"{scheme}://gpu-box.invalid:11434"
    (folder / "llmkit.toml").write_text(profile(provider, f'base_url = "{address}"\nkey_env = "WORK_KEY"'))
    error = attempt(drive, way, "work")
    if not (way == "check" and drive.is_async):
        assert isinstance(error, ConfigError)
    assert evil.requests == []
    monkeypatch.setenv("OLLAMA_HOST" if provider == "ollama" else f"{provider.upper()}_BASE_URL", address)
    attempt(drive, way, provider)
    assert not any(key in sent(evil) for key in KEYS)
    assert evil.requests == [] or provider == "ollama"  # which asks a server of one's own without a key


def test_this_machine_is_asked_however_its_address_is_spelled(sim: Simulator, drive: Drive) -> None:
    """An upper-case scheme is sent to like a lower-case one."""
    for provider in ("openai", "openrouter", "ollama"):
        url = url_of(sim, provider).replace("http://", "HTTP://")
        assert drive.ask(drive.keep(create_language(provider, "m", base_url=url, api_key=CALL_KEY))).content
    assert drive.ask(drive.keep(create_language("ollama", "m", base_url=url))).content
    assert [request.headers.get("authorization") for request in sim.requests] == [*[f"Bearer {CALL_KEY}"] * 3, None]


def test_an_ollama_elsewhere_is_listed_without_the_clouds_key(
    evil: Simulator, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`OLLAMA_API_KEY` is of Ollama's cloud: a host that `OLLAMA_HOST` names does not get it."""
    monkeypatch.setenv("OLLAMA_HOST", "http://gpu-box.invalid:11434")
    monkeypatch.setenv("HTTP_PROXY", evil.url)
    for way in ("list", "check", "pull", "chat"):
        attempt(drive, way, "ollama")
    assert evil.requests
    assert not any(key in sent(evil) for key in KEYS)


# What a service says back.


def _echoing(sim: Simulator, key: str, status: int) -> None:
    body = json.dumps({"error": {"message": f"bad {key}", "code": key, "type": key, "metadata": {"raw": key}}}).encode()
    sim.script(*[Reply(status=status, body=body)] * 3)
    for path in ("/v1/models", "/api/v1/models", "/api/v1/key", "/api/v1/credits", "/api/tags", "/api/pull"):
        sim.script_for(path, *[Reply(status=status, body=body)] * 3)


@pytest.mark.covering(2)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 503])
@pytest.mark.parametrize("key", [CALL_KEY, "sk-canary-7f3a9c51e0d2b864"])
@pytest.mark.parametrize("kind", ["text", "callable"])
def test_a_question_that_fails_tells_no_key(
    sim: Simulator,
    drive: Drive,
    everything_logged: Any,
    status: int,
    key: str,
    kind: str,
) -> None:
    """A service that echoes the key gets it into no error, no log, no pickle and no file of the cache."""
    for provider in ("openai", "openrouter", "ollama"):
        for way in WAYS if status < 500 else ("chat", "key", "pull"):  # the others try again, after a wait
            _echoing(sim, key, status)
            given = key if kind == "text" else lambda: key
            error = attempt(drive, way, provider, {"api_key": given, "base_url": url_of(sim, provider)})
            if error is not None:
                assert all(isinstance(each, LLMError) for each in family(error))
                assert not any(key in text for text in texts_of(error, with_locals=False)), (provider, way)
    assert everything_logged
    assert not any(key in record.getMessage() + repr(vars(record)) for record in everything_logged)
    kept = [path for path in cache_folder().rglob("*") if path.is_file()]
    assert not any(key in path.read_text() or key in path.name for path in kept)


HUGE: Final = 10**4000


@pytest.mark.parametrize(
    "row",
    [
        {"context_length": HUGE, "top_provider": {"max_completion_tokens": HUGE}},
        {"pricing": {"prompt": "1e999999", "completion": "1e-999999"}},
        {"pricing": {"prompt": "NaN", "completion": "-Infinity"}},
        {"created": HUGE, "expiration_date": "9999-99-99\x1b[2J"},
        {"created": -1e300, "benchmarks": {"intelligence": 1e308}},
        {"name": "\x1b]0;x\x07", "description": ["x"], "architecture": "x", "supported_parameters": {"a": 1}},
    ],
    ids=lambda row: next(iter(row)),
)
def test_numbers_and_texts_of_a_list_do_no_harm(sim: Simulator, drive: Drive, row: dict[str, Any]) -> None:
    """What no model has is not believed: the list is read, kept and read again, and its texts are short."""
    sim.serve("/api/v1/models", {"data": [{"id": "a/b", **row}]})
    at = {"base_url": sim.openrouter_url}
    for refresh in (True, False):
        (found,) = (
            drive.await_(alist_models("openrouter", refresh=refresh, **at))
            if drive.is_async
            else list_models("openrouter", refresh=refresh, **at)
        )
        assert found.id == "a/b"
        assert len(json.dumps(found.to_dict(), default=str)) < 20_000
        for price in found.pricing.values():
            assert price is None or len(f"{price * 1_000_000:f}") < 100


@pytest.mark.parametrize("name", ["../../evil", "a/b", "..", "nul\0", "x" * 500, "\N{SNOWMAN}"])
def test_a_name_is_no_path_of_the_cache(name: str) -> None:
    """A provider's name, whatever is in it, stays one file in the folder of the cache."""
    from llmkit.operations.known_models import list_path

    path = list_path(name, "https://example.com/../..")
    assert path.parent == cache_folder()
    assert len(path.name) < 120
    assert path.name.isascii()
