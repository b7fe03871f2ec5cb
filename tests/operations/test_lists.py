"""Which models there are, as a user asks: cached, aged, stale, joined, filtered; in step sync and async."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from llmkit import (
    AuthFailed,
    BadRequest,
    CannotConnect,
    ConfigError,
    DeadlineExceeded,
    LLMError,
    LLMTimeout,
    MalformedResponse,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    RateLimited,
    UnknownProvider,
    Unsupported,
)
from llmkit.operations.availability import check_available
from llmkit.operations.known_models import list_path
from llmkit.operations.lists import alist_models, get_model_info, list_free_models, list_models
from llmkit.testing.simulator import Reply, Simulator
from tests.acme import TABLE, Acme, Detailed, Listless, do, registered
from tests.conftest import KEY, Drive, until

CATALOGUE = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared") / "openrouter"
#: The simulator's OpenAI has these.
IDS = {"gpt-4o", "gpt-4o-mini"}


@pytest.fixture(autouse=True)
def acme() -> Iterator[None]:
    """A backend of the tests' own, named "acme"."""
    with registered(Acme):
        yield


@pytest.fixture
def models_2026() -> bytes:
    """OpenRouter's catalogue of 2026."""
    path = CATALOGUE / "models-2026-08.json"
    if not path.exists():
        pytest.skip(f"OpenRouter's catalogue is not here: no file {path} (LLMKIT_SHARED names another folder)")
    return path.read_bytes()


def at(sim: Simulator, **more: Any) -> dict[str, Any]:
    """Settings that lead acme to the simulator."""
    return {"base_url": sim.openai_url, "api_key": KEY, **more}


def lists(sim: Simulator) -> int:
    """How often a list was asked for."""
    return sum(request.path.endswith("/models") for request in sim.requests)


def aged(sim: Simulator, seconds: float) -> None:
    """Make the kept list of acme older."""
    path = list_path("acme", sim.openai_url)
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "fetched_at": time.time() - seconds}))


@pytest.mark.parametrize("number", ["2026-08", "2025"])
def test_the_whole_catalogue_of_openrouter(sim: Simulator, drive: Drive, number: str) -> None:
    """The recorded catalogues come whole through the socket, without a key, and whole out of the cache."""
    path = CATALOGUE / f"models-{number}.json"
    if not path.exists():
        pytest.skip(f"OpenRouter's catalogue is not here: no file {path} (LLMKIT_SHARED names another folder)")
    ids = [row["id"] for row in json.loads(path.read_bytes())["data"]]
    assert len(ids) == {"2026-08": 414, "2025": 321}[number]
    sim.serve("/api/v1/models", path.read_bytes())
    first = do(drive, list_models, "openrouter", base_url=sim.openrouter_url)
    second = do(drive, list_models, "openrouter", base_url=sim.openrouter_url)
    assert [item.id for item in first] == ids
    assert list(second) == list(first)
    assert [request.path for request in sim.requests] == ["/api/v1/models"]
    assert "authorization" not in sim.requests[0].headers


def test_filters_over_the_catalogue(sim: Simulator, drive: Drive, models_2026: bytes) -> None:
    """Each filter gives a part of the catalogue, and what it gives has what was asked for."""
    sim.serve("/api/v1/models", models_2026)
    where = {"base_url": sim.openrouter_url}
    free = do(drive, list_free_models, "openrouter", **where)
    assert 0 < len(free) < 100
    assert all(item.is_free for item in free)
    assert list(do(drive, list_models, "openrouter", free=True, **where)) == list(free)
    for asked in (
        {"max_price": 0.5, "min_context": 200_000, "supports": ["tools", "vision"]},
        {"query": "qwen coder"},
        {"supports": "structured_outputs"},
        {"max_price": {"input_cache_read": Decimal("0.1")}},
    ):
        some = do(drive, list_models, "openrouter", **asked, **where)
        assert 0 < len(some) < 414, asked
    assert lists(sim) == 1


def test_a_fresh_list_is_not_asked_for_again(sim: Simulator, drive: Drive) -> None:
    """Within the hour the kept list serves; it is the same, with the time at which it was fetched."""
    first = do(drive, list_models, "acme", **at(sim))
    aged(sim, 3590)
    second = do(drive, list_models, "acme", **at(sim))
    assert {item.id for item in first} >= IDS
    assert list(first) == list(second)
    assert (first.stale, second.stale, second.problem) == (False, False, None)
    assert 3590 <= second.age < 3600
    assert lists(sim) == 1


@pytest.mark.parametrize(
    ("age", "asked"), [(3700, {}), (5, {"max_age": 0}), (100, {"max_age": 60}), (5, {"refresh": True})]
)
def test_an_aged_list_is_asked_for_again(sim: Simulator, drive: Drive, age: float, asked: dict[str, Any]) -> None:
    """After an hour, after `max_age`, or with `refresh`, the service is asked, and the new list kept."""
    do(drive, list_models, "acme", **at(sim))
    aged(sim, age)
    again = do(drive, list_models, "acme", **at(sim, **asked))
    assert lists(sim) == 2
    assert (again.age < 5, again.stale) == (True, False)
    do(drive, list_models, "acme", **at(sim))
    assert lists(sim) == 2


def test_max_age_may_be_longer(sim: Simulator, drive: Drive) -> None:
    """A program that says so is served by a list of any age."""
    do(drive, list_models, "acme", **at(sim))
    aged(sim, 50 * 86_400)
    assert do(drive, list_models, "acme", **at(sim, max_age=1e9)).stale is False
    assert lists(sim) == 1


def test_what_is_on_a_server_of_ones_own_is_asked_each_time(sim: Simulator, drive: Drive) -> None:
    """A list of models that a user pulls and removes is not served from the cache, unless `max_age` says so."""
    url = sim.ollama_url
    do(drive, list_models, "ollama", base_url=url)
    sim.serve("/api/tags", {"models": [{"name": "just-pulled:latest", "model": "just-pulled:latest"}]})
    assert [item.id for item in do(drive, list_models, "ollama", base_url=url)] == ["just-pulled:latest"]
    count = len(sim.requests)
    do(drive, list_models, "ollama", base_url=url, max_age=60)
    assert len(sim.requests) == count


BROKEN = {
    "busy": (Reply(status=503), Overloaded),
    "limited": (Reply(status=429, headers={"Retry-After": "600"}), RateLimited),
    "html": (Reply(body=b"<html>a login page", content_type="text/html"), MalformedResponse),
    "cut": (Reply(cut="reset", cut_bytes=20), LLMError),
    "slow": (Reply(delay=5), LLMTimeout),
}


@pytest.mark.parametrize("kind", [*BROKEN, "gone"])
def test_an_old_list_serves_and_says_so(
    sim: Simulator, drive: Drive, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A service that is out of reach leaves the old list: stale, with the reason, and a line in the log."""
    first = do(drive, list_models, "acme", **at(sim))
    aged(sim, 7200)
    if kind == "gone":
        sim.close()
    else:
        sim.script_for("/v1/models", *[BROKEN[kind][0]] * 2)
    with caplog.at_level(logging.WARNING, "llmkit"):
        old = do(drive, list_models, "acme", **at(sim, timeout=0.4, query="4o"))
    assert {item.id for item in old} == {item.id for item in first if "4o" in item.id}
    assert old.stale
    assert "Acme could not be asked for its models, so the list is 2 hours old" in old.problem
    assert [record.getMessage() for record in caplog.records] == [f"acme: {old.problem}"]
    assert KEY not in caplog.text


def test_a_row_of_an_old_list_says_so(sim: Simulator, drive: Drive) -> None:
    """One model out of a list that could not be renewed names the list's time in its source."""
    fresh = do(drive, get_model_info, "acme", "gpt-4o", **at(sim))
    aged(sim, 7200)
    sim.script_for("/v1/models", *[Reply(status=503)] * 2)
    old = do(drive, get_model_info, "acme", "gpt-4o", **at(sim))
    assert re.fullmatch(re.escape(fresh.source) + r", in a list of \d{4}-\d\d-\d\d \d\d:\d\d UTC", old.source)
    assert do(drive, get_model_info, "acme", "gpt-4o", **at(sim)).source == fresh.source


def test_a_model_where_a_provider_belongs(sim: Simulator, drive: Drive) -> None:
    """A list is a provider's: a target is not taken for its provider in silence."""
    for listing in (list_models, list_free_models):
        with pytest.raises(ConfigError, match="names a model too"):
            do(drive, listing, "acme:gpt-4o", **at(sim))
    assert sim.requests == []


@pytest.mark.parametrize("kind", BROKEN)
def test_without_a_kept_list_the_error_is_raised(sim: Simulator, drive: Drive, kind: str) -> None:
    """The first list has nothing to stand in for it; the error says where it happened."""
    reply, error = BROKEN[kind]
    sim.script_for("/v1/models", *[reply] * 2)
    with pytest.raises(error) as caught:
        do(drive, list_models, "acme", **at(sim, timeout=1.0))
    assert caught.value.provider == "acme"
    assert not list_path("acme", sim.openai_url).exists()


def test_nobody_answers(drive: Drive, closed_port: int) -> None:
    """A port on which nobody listens is `CannotConnect`."""
    with pytest.raises(CannotConnect):
        do(drive, list_models, "acme", base_url=f"http://127.0.0.1:{closed_port}/v1", api_key=KEY)


@pytest.mark.parametrize(
    ("settings", "status", "error"),
    [({"api_key": "sk-bad"}, None, AuthFailed), ({}, 403, PermissionDenied), ({}, 400, BadRequest)],
)
def test_a_refusal_is_not_hidden_by_an_old_list(
    sim: Simulator, drive: Drive, settings: dict[str, Any], status: int | None, error: type[LLMError]
) -> None:
    """What the service refuses is the user's to know, whatever was kept."""
    do(drive, list_models, "acme", **at(sim))
    if status:
        sim.script_for("/v1/models", Reply(status=status))
    with pytest.raises(error):
        do(drive, list_models, "acme", **at(sim, refresh=True, **settings))


def test_a_short_fault_is_tried_again(sim: Simulator, drive: Drive) -> None:
    """One failure of the service is not seen."""
    sim.script_for("/v1/models", Reply(status=503))
    assert do(drive, list_models, "acme", **at(sim)).stale is False
    assert lists(sim) == 2


def test_a_cache_that_cannot_be_written_hinders_nothing(
    sim: Simulator, drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place to keep it, a list is asked for each time."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for count in (1, 2):
        assert {item.id for item in do(drive, list_models, "acme", **at(sim))} >= IDS
        assert lists(sim) == count


def test_a_damaged_cache_heals(sim: Simulator, drive: Drive) -> None:
    """A file that cannot be read is replaced."""
    do(drive, list_models, "acme", **at(sim))
    path = list_path("acme", sim.openai_url)
    path.write_bytes(path.read_bytes()[:100])
    do(drive, list_models, "acme", **at(sim))
    assert {row["id"] for row in json.loads(path.read_text())["models"]} >= IDS
    assert lists(sim) == 2


def test_the_key_stays_out_of_the_cache(sim: Simulator, drive: Drive) -> None:
    """No byte of the cache folder holds the key."""
    do(drive, list_models, "acme", **at(sim))
    files = [path for path in list_path("acme", sim.openai_url).parent.rglob("*") if path.is_file()]
    assert files
    assert not any(KEY.encode() in path.read_bytes() or KEY in path.name for path in files)


def test_connections_are_closed(sim: Simulator, drive: Drive) -> None:
    """After a list, and after an error, no connection is left open."""
    do(drive, list_models, "acme", **at(sim))
    sim.script_for("/v1/models", Reply(status=403))
    with pytest.raises(PermissionDenied):
        do(drive, list_models, "acme", **at(sim, refresh=True))
    assert until(lambda: sim.open_connections == 0)


def test_a_caller_who_leaves_closes_the_connection(sim: Simulator) -> None:
    """A question that is cancelled in the middle leaves no connection open."""
    sim.script_for("/v1/models", Reply(delay=30))

    async def leave() -> None:
        async with asyncio.timeout(0.3):
            await alist_models("acme", **at(sim))

    with pytest.raises(TimeoutError):
        asyncio.run(leave())
    assert until(lambda: sim.open_connections == 0)
    assert lists(sim) == 1


def test_a_kept_list_needs_no_http_library(sim: Simulator) -> None:
    """While a list is fresh, a new process answers from the cache without loading the transport's library."""
    list_models("openrouter", base_url=sim.openrouter_url)
    code = f"""
        import sys
        from llmkit.operations.lists import list_models
        print(len(list_models("openrouter", base_url={sim.openrouter_url!r})), "openai" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout == "7 False\n"
    assert len(sim.requests) == 1


# What is asked wrongly


def test_a_list_that_needs_a_key(drive: Drive) -> None:
    """Without a key, and with an address that is not this machine's, the missing key is said before anything is sent."""
    with pytest.raises(ConfigError, match="no API key for Acme") as caught:
        do(drive, list_models, "acme")
    assert "ACME_API_KEY" in caught.value.hint


def test_a_backend_without_a_list(drive: Drive) -> None:
    """It says so."""
    with registered(Listless), pytest.raises(Unsupported, match="Listless has no list of models"):
        do(drive, list_models, "acme")


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"supports": "vison"}, BadRequest, "vision"),
        ({"max_price": -1}, ConfigError, "per million"),
        ({"max_age": -1}, ConfigError, "max_age"),
        ({"max_age": "1h"}, ConfigError, "max_age"),
        ({"max_age": True}, ConfigError, "max_age"),
        ({"refresh": 1}, ConfigError, "refresh"),
        ({"apikey": "x"}, ConfigError, "api_key"),
        ({"temperature": 0}, ConfigError, "There are api_key"),
        ({"timeout": -1}, ConfigError, "timeout"),
        ({"base_url": "ftp://x"}, ConfigError, "https://host"),
    ],
)
def test_a_wrong_argument(
    sim: Simulator, drive: Drive, asked: dict[str, Any], error: type[LLMError], said: str
) -> None:
    """What cannot be meant is an error with what was probably meant."""
    with pytest.raises(error) as caught:
        do(drive, list_models, "acme", **at(sim, **asked))
    assert said in str(caught.value)


def test_a_provider_that_is_not_there(drive: Drive) -> None:
    """The nearest name is in the hint."""
    with pytest.raises(UnknownProvider) as caught:
        do(drive, list_models, "openroutr")
    assert "openrouter" in caught.value.hint


# Joined with what the package knows


def test_at_home_the_list_is_joined_with_the_table(sim: Simulator, drive: Drive) -> None:
    """At the service's own address the table fills what the list leaves open; at another it says nothing."""
    with registered(Acme, default_base_url=sim.openai_url):
        rows = {item.id: item for item in do(drive, list_models, "acme", **at(sim))}
        assert rows["gpt-4o"].context_length == 1000
        assert rows["gpt-4o"].source == "service, snapshot 2026-07-02"
        assert (rows["gpt-4o-mini"].context_length, rows["gpt-4o-mini"].source) == (None, "service")
        priced = do(drive, list_models, "acme", max_price=2, supports="tools", **at(sim))
        assert [item.id for item in priced] == ["gpt-4o"]
        kept = json.loads(list_path("acme", sim.openai_url).read_text())
        assert not any("context_length" in row for row in kept["models"]), "the cache holds the service's words alone"
    with registered(Acme):
        elsewhere = {item.id: item for item in do(drive, list_models, "acme", **at(sim))}
        assert elsewhere["gpt-4o"].context_length is None


def test_a_local_model_says_its_context_where_it_is_asked_for(sim: Simulator, drive: Drive) -> None:
    """Ollama's list has no context; with `min_context` each model is asked."""
    found = do(drive, list_models, "ollama", base_url=sim.ollama_url, min_context=100_000)
    assert "llama3.1:latest" in {item.id for item in found}
    assert "qwen3:4b" not in {item.id for item in found}
    assert all(item.context_length >= 100_000 for item in found)


def test_what_a_server_of_ones_own_elsewhere_charges_is_not_known(sim: Simulator, drive: Drive) -> None:
    """A local model costs nothing on this machine; behind another address nobody says."""
    here = do(drive, get_model_info, "ollama", "llama3.1", base_url=sim.ollama_url)
    away = {"base_url": "http://ollama.lan.example:11434", "proxy": sim.url}
    there = do(drive, get_model_info, "ollama", "llama3.1", **away)
    assert (here.is_free, there.is_free, there.supports_tools) == (True, None, True)
    assert "llama3.1:latest" not in {item.id for item in do(drive, list_free_models, "ollama", **away)}


PROFILES = """
[profiles.smart]
provider = "acme"
model = "handy"
base_url = "{url}"
temperature = 0.5

[aliases]
handy = "gpt-4o"
"""


def test_a_profile_names_service_and_model(
    sim: Simulator, drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile of the configuration file stands for its service, its model and its aliases."""
    (tmp_path / "llmkit.toml").write_text(PROFILES.format(url=sim.openai_url))
    monkeypatch.setenv("LLMKIT_CONFIG", str(tmp_path / "llmkit.toml"))
    assert {item.id for item in do(drive, list_models, "smart", api_key=KEY)} >= IDS
    assert do(drive, get_model_info, "smart", api_key=KEY).target == "acme:gpt-4o"
    assert do(drive, get_model_info, "smart", "gpt-4o-mini", api_key=KEY).id == "gpt-4o-mini"
    found = do(drive, check_available, "smart", api_key=KEY)
    assert found.ok
    assert found.model.id == "gpt-4o"


# One model


@pytest.mark.parametrize(
    ("provider", "model"), [("acme", "gpt-4o"), ("acme:gpt-4o", None), ("acme", "short"), ("acme:short", None)]
)
def test_a_model_by_id_alias_or_target(sim: Simulator, drive: Drive, provider: str, model: str | None) -> None:
    """An id, a short name and one string for both name the same row."""
    assert do(drive, get_model_info, provider, model, **at(sim)).target == "acme:gpt-4o"


def test_an_unknown_id_has_the_nearest(sim: Simulator, drive: Drive) -> None:
    """The error names the nearest ids, how long the list is and, if it is old, its age."""
    sim.serve("/v1/models", {"data": [{"id": "gpt-4o"}, {"id": "gpt-4o-mini"}, {"id": "zephyr"}]})
    with pytest.raises(ModelNotFound) as caught:
        do(drive, get_model_info, "acme", "gpt4o", **at(sim))
    error = caught.value
    assert str(error) == ("acme:gpt4o: Acme has no model 'gpt4o' in its list of 3. Did you mean gpt-4o or gpt-4o-mini?")
    aged(sim, 7200)
    sim.close()
    with pytest.raises(ModelNotFound, match="its list of 3, 2 hours old"):
        do(drive, get_model_info, "acme", "gpt4o", **at(sim))
    with pytest.raises(ModelNotFound) as caught:
        do(drive, get_model_info, "acme", "qqqq", **at(sim))
    assert caught.value.hint == 'See list_models("acme")'


def test_before_a_model_is_called_unknown_the_service_is_asked(sim: Simulator, drive: Drive) -> None:
    """A model that came since the list was kept is found; one that is not there costs one question, not two."""
    do(drive, list_models, "acme", **at(sim))
    sim.serve("/v1/models", {"data": [{"id": "brand-new"}]})
    assert do(drive, get_model_info, "acme", "brand-new", **at(sim)).id == "brand-new"
    assert lists(sim) == 2
    with pytest.raises(ModelNotFound):
        do(drive, get_model_info, "acme", "nothing", **at(sim))
    assert lists(sim) == 3
    with pytest.raises(ModelNotFound):
        do(drive, get_model_info, "acme", "nothing", **at(sim, refresh=True))
    assert lists(sim) == 4


def test_a_model_that_nobody_names(sim: Simulator, drive: Drive) -> None:
    """Without a default model of the provider one must be named; with one that is it."""
    with pytest.raises(ConfigError, match="no model is named"):
        do(drive, get_model_info, "acme", **at(sim))
    with registered(Acme, default_model="gpt-4o-mini"):
        assert do(drive, get_model_info, "acme", **at(sim)).id == "gpt-4o-mini"


def test_details_are_asked_for(sim: Simulator, drive: Drive) -> None:
    """What only a question about the model tells is in the answer; names are compared as the backend does."""
    sim.serve("/v1/models", {"data": [{"id": "gpt-4o:latest"}]})
    sim.script_for("/v1/details", Reply(body=b"{}"))
    with registered(Detailed):
        info = do(drive, get_model_info, "acme", "gpt-4o", **at(sim))
    assert (info.id, info.supports_tools, info.supports_vision) == ("gpt-4o:latest", True, False)


def test_details_that_fail_leave_the_row(sim: Simulator, drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    """Where the second question fails, what the list says is the answer, and the log says so."""
    sim.script_for("/v1/details", *[Reply(status=500, body=b'{"error": {"message": "no"}}')] * 2)
    with registered(Detailed), caplog.at_level(logging.WARNING, "llmkit"):
        info = do(drive, get_model_info, "acme", "gpt-4o", **at(sim))
    assert (info.id, info.supports_tools) == ("gpt-4o", None)
    assert "what else is known of gpt-4o could not be asked" in caplog.text


def test_the_endpoints_of_openrouter(sim: Simulator, drive: Drive, models_2026: bytes) -> None:
    """OpenRouter's endpoints stand in the answer; a `:free` row is a row of its own."""
    sim.serve("/api/v1/models", models_2026)
    where = {"base_url": sim.openrouter_url, "api_key": KEY}
    info = do(drive, get_model_info, "openrouter", "openai/gpt-4o", **where)
    assert info.endpoints
    assert info.throughput is not None
    ids = {item.id for item in do(drive, list_models, "openrouter", **where)}
    both = next(name for name in sorted(ids) if f"{name}:free" in ids)
    for name, free in ((both, False), (f"{both}:free", True)):
        found = do(drive, get_model_info, "openrouter", name, **where)
        assert (found.id, found.is_free) == (name, free)


def test_a_suffix_that_only_routes(sim: Simulator, drive: Drive) -> None:
    """An id with OpenRouter's routing suffix is not in the catalogue and means the model that is."""
    info = do(drive, get_model_info, "openrouter", "openai/gpt-4o:nitro", base_url=sim.openrouter_url)
    assert info.id == "openai/gpt-4o"
    assert lists(sim) == 1


def test_a_model_that_is_not_pulled(sim: Simulator, drive: Drive) -> None:
    """The hint has the command that fetches it, and what there is of that name."""
    with pytest.raises(ModelNotFound) as caught:
        do(drive, get_model_info, "ollama", "llama3", base_url=sim.ollama_url)
    assert caught.value.hint.startswith("Run: llmkit pull llama3 or ollama pull llama3. There is llama3.1:latest")


def test_a_backend_without_a_list_may_know_a_model(drive: Drive) -> None:
    """Without a list the backend's own table answers; what it does not know cannot be said."""
    with registered(Listless):
        assert do(drive, get_model_info, "acme", "table-only") == TABLE["table-only"]
        with pytest.raises(Unsupported, match="nothing is known of 'other'"):
            do(drive, get_model_info, "acme", "other")
        with pytest.raises(Unsupported):
            do(drive, get_model_info, "acme", "table-only", base_url="https://elsewhere.example")


# --- What a question has in common with a call


def test_a_question_carries_the_users_headers(sim: Simulator, drive: Drive) -> None:
    """Headers that are given, and those that a callable signs with, go out with questions about a service too."""
    signed = lambda request: {"X-Signed": f"{request.method} {request.path}"}  # noqa: E731
    do(drive, list_models, "acme", refresh=True, **at(sim, extra_headers=signed))
    do(drive, list_models, "acme", refresh=True, **at(sim, extra_headers={"X-Team": "blue"}))
    headers = [request.headers for request in sim.requests if request.path.endswith("/models")]
    assert headers[0]["x-signed"] == "GET /models"
    assert headers[-1]["x-team"] == "blue"


def test_the_headers_of_a_profile_go_with_its_questions(
    sim: Simulator, drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile's `extra_headers` are those of its calls and of its questions."""
    file = tmp_path / "config.toml"
    file.write_text(f'[profiles.p]\nprovider = "acme"\nbase_url = "{sim.openai_url}"\nextra_headers = {{X-Team = "red"}}\n')
    monkeypatch.setenv("LLMKIT_CONFIG", str(file))
    do(drive, list_models, "p", refresh=True, api_key=KEY)
    assert sim.requests[-1].headers["x-team"] == "red"


def test_a_question_keeps_its_deadline(sim: Simulator, drive: Drive) -> None:
    """`deadline` bounds all attempts and waits of a question together."""
    sim.script_for("/v1/models", *[Reply(delay=30)] * 3)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        do(drive, list_models, "acme", refresh=True, **at(sim, deadline=0.3))
    assert time.monotonic() - began < 15
