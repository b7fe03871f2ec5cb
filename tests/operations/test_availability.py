"""Whether a call could succeed: each reason why not has its own check, its hint and its typed error."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from llmkit import (
    AuthFailed,
    BadRequest,
    CannotConnect,
    ConfigError,
    KeyInfo,
    LLMError,
    LLMTimeout,
    ModelInfo,
    ModelNotFound,
    Overloaded,
    QuotaExhausted,
    UnknownProvider,
    Unsupported,
)
from llmkit.operations.availability import Availability, check_available, check_key
from llmkit.operations.known_models import list_path
from llmkit.operations.lists import list_models
from llmkit.testing.simulator import Reply, Simulator
from tests.acme import Acme, Detailed, KeyChecking, Listless, do, registered
from tests.conftest import KEY, Drive


@pytest.fixture(autouse=True)
def acme() -> Iterator[None]:
    """A backend of the tests' own, named "acme"."""
    with registered(Acme):
        yield


def at(sim: Simulator, **more: Any) -> dict[str, Any]:
    """Settings that lead acme to the simulator."""
    return {"base_url": sim.openai_url, "api_key": KEY, **more}


def shown(found: Availability) -> list[tuple[str, bool | None]]:
    """What was looked at, and how it was."""
    return [(check.name, check.ok) for check in found.checks]


def test_all_is_well(sim: Simulator, drive: Drive) -> None:
    """Every check passes, nothing is raised, and no answer of a model was asked for."""
    found = do(
        drive,
        check_available,
        "openrouter",
        "openai/gpt-4o",
        supports="tools",
        base_url=sim.openrouter_url,
        api_key=KEY,
    )
    assert shown(found) == [("provider", True), ("service", True), ("key", True), ("model", True), ("capability", True)]
    assert (bool(found), found.ok, found.problem) == (True, True, None)
    assert found.model is not None
    assert found.model.id == "openai/gpt-4o"
    assert found.key is not None
    found.require()
    assert not [request.path for request in sim.requests if "chat" in request.path]
    assert sim.bill == []


def test_a_provider_that_is_not_there(drive: Drive) -> None:
    """It is the first check; the error has the nearest name."""
    found = do(drive, check_available, "openroutr", "x")
    assert shown(found) == [("provider", False)]
    assert "openrouter" in found.checks[0].hint
    with pytest.raises(UnknownProvider):
        found.require()


def test_a_variable_that_is_wrong(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address in the environment that is none is a failed check, not an exception."""
    monkeypatch.setenv("ACME_BASE_URL", "ftp://nowhere")
    found = do(drive, check_available, "acme")
    assert shown(found) == [("provider", False)]
    assert "ACME_BASE_URL" in str(found.problem)


@pytest.mark.parametrize("provider", ["acme", "openrouter", "openai", "groq"])
def test_a_key_that_is_missing(drive: Drive, provider: str) -> None:
    """Nothing is sent; the hint says where a key goes."""
    found = do(drive, check_available, provider, "x")
    assert shown(found) == [("provider", True), ("key", False)]
    assert "or pass api_key=" in found.checks[-1].hint
    with pytest.raises(ConfigError, match="no API key"):
        found.require()


@pytest.mark.parametrize("provider", ["acme", "openrouter", "openai"])
def test_a_key_that_is_refused(sim: Simulator, drive: Drive, provider: str) -> None:
    """The service answers and says that the key is not valid; the key itself is nowhere in what is found."""
    url = sim.openrouter_url if provider == "openrouter" else sim.openai_url
    found = do(drive, check_available, provider, "gpt-4o", base_url=url, api_key="sk-bad-canary-123456")
    assert shown(found) == [("provider", True), ("service", True), ("key", False)]
    assert "canary" not in repr(found)
    with pytest.raises(AuthFailed) as caught:
        found.require()
    assert caught.value.provider == provider


@pytest.mark.parametrize(("left", "ok"), [(0, False), (-0.5, False), (2.5, True), (None, True)])
def test_what_is_left_of_a_key(sim: Simulator, drive: Drive, left: float | None, ok: bool) -> None:
    """A key whose limit is used up fails before the first call, with when it resets."""
    sim.set_key(limit=None if left is None else 10, limit_remaining=left, limit_reset="daily")
    found = do(drive, check_available, "openrouter", base_url=sim.openrouter_url, api_key=KEY)
    assert dict(shown(found))["key"] is ok
    if ok:
        assert ("$2.5" in str(found.checks)) is (left is not None)
        return
    with pytest.raises(QuotaExhausted, match=r"nothing left of its limit of [$]10"):
        found.require()
    assert "daily reset" in str(found.problem)


def test_no_ollama_answers(drive: Drive, closed_port: int) -> None:
    """It says where none answers, and how to start one."""
    url = f"http://127.0.0.1:{closed_port}"
    found = do(drive, check_available, "ollama", "llama3.1", base_url=url)
    assert shown(found) == [("provider", True), ("service", False)]
    assert found.checks[-1].message == f"no Ollama answers at {url}"
    assert "Start it with `ollama serve`" in found.checks[-1].hint
    with pytest.raises(CannotConnect):
        found.require()


def test_a_list_that_was_kept_is_no_sign_of_life(sim: Simulator, drive: Drive) -> None:
    """A service that answered a minute ago and is gone now is not there."""
    assert do(drive, check_available, "acme", "gpt-4o", **at(sim)).ok
    sim.close()
    assert shown(do(drive, check_available, "acme", "gpt-4o", **at(sim)))[-1] == ("service", False)


@pytest.mark.parametrize(
    ("reply", "timeout", "error"),
    [(Reply(status=503), 30, Overloaded), (Reply(delay=30), 0.3, LLMTimeout), (Reply(status=404), 30, LLMError)],
)
def test_a_service_that_fails(
    sim: Simulator, drive: Drive, reply: Reply, timeout: float, error: type[LLMError]
) -> None:
    """What is wrong with the service is its check; the typed error is kept."""
    sim.script_for("/v1/models", *[reply] * 2)
    found = do(drive, check_available, "acme", "gpt-4o", **at(sim, timeout=timeout))
    assert shown(found) == [("provider", True), ("service", False)]
    with pytest.raises(error):
        found.require()


def test_a_model_that_is_not_there(sim: Simulator, drive: Drive) -> None:
    """The nearest ids stand in the hint."""
    found = do(drive, check_available, "acme", "gpt-4oo", **at(sim))
    assert shown(found)[-1] == ("model", False)
    assert "Did you mean gpt-4o" in found.checks[-1].hint
    with pytest.raises(ModelNotFound):
        found.require()


def test_a_model_that_is_not_pulled(sim: Simulator, drive: Drive) -> None:
    """The hint has the command, llmkit's and Ollama's own."""
    found = do(drive, check_available, "ollama", "mistral", base_url=sim.ollama_url)
    assert shown(found) == [("provider", True), ("service", True), ("key", True), ("model", False)]
    assert found.checks[-1].hint == "Run: llmkit pull mistral or ollama pull mistral"
    assert str(found.problem).endswith("Run: llmkit pull mistral or ollama pull mistral")


def test_a_short_name_is_the_model(sim: Simulator, drive: Drive) -> None:
    """A short name, a target string and a name without its tag are the model that they mean."""
    assert do(drive, check_available, "acme", "short", **at(sim)).ok
    assert do(drive, check_available, "acme:gpt-4o", **at(sim)).model.id == "gpt-4o"
    assert do(drive, check_available, "ollama:llama3.1", base_url=sim.ollama_url).model.id == "llama3.1:latest"


def test_without_a_model_the_service_is_looked_at(sim: Simulator, drive: Drive) -> None:
    """Where no model is named and none is the default, nothing is said of one."""
    assert shown(do(drive, check_available, "acme", **at(sim))) == [
        ("provider", True),
        ("service", True),
        ("key", True),
    ]
    with registered(Acme, default_model="gpt-4o"):
        assert shown(do(drive, check_available, "acme", **at(sim)))[-1] == ("model", True)


def test_a_model_that_ends(sim: Simulator, drive: Drive) -> None:
    """A model with a last day is there, and the day is said."""
    last = date(2099, 12, 31)

    def known(self: Acme, model: str) -> ModelInfo:
        return ModelInfo(model, "acme", expires=last, source="snapshot")

    with registered(Acme, default_base_url=sim.openai_url, known_model=known):
        found = do(drive, check_available, "acme", "gpt-4o", **at(sim))
    assert f"may be gone after {last}" in found.checks[-1].message


CAPABLE = {"tools": True, "vision": False, "audio": None}


@pytest.mark.parametrize(("word", "ok"), CAPABLE.items())
def test_a_capability(sim: Simulator, drive: Drive, word: str, ok: bool | None) -> None:
    """It has it, it has it not, or nobody can say; only what it has not fails."""
    sim.script_for("/v1/details", Reply(body=b"{}"))
    with registered(Detailed):
        found = do(drive, check_available, "acme", "gpt-4o", supports=word, **at(sim))
    assert shown(found)[-1] == ("capability", ok)
    assert found.ok is (ok is not False)
    if ok is False:
        with pytest.raises(Unsupported, match="no vision") as caught:
            found.require()
        assert 'supports="vision"' in caught.value.hint


def test_each_capability_is_its_own_check(sim: Simulator, drive: Drive) -> None:
    """Several words give several checks; the first that fails is the problem and the error."""
    sim.script_for("/v1/details", Reply(body=b"{}"))
    with registered(Detailed, known_model=lambda self, model: None):
        found = do(drive, check_available, "acme", "gpt-4o", supports=["audio", "vision", "tools"], **at(sim))
    assert shown(found)[-3:] == [("capability", None), ("capability", False), ("capability", True)]
    assert "vision" in str(found.problem)


def test_the_capabilities_of_a_local_model(sim: Simulator, drive: Drive) -> None:
    """Ollama's own word on what a pulled model can do."""
    found = do(drive, check_available, "ollama", "llama3.1", supports=["tools", "vision"], base_url=sim.ollama_url)
    assert shown(found)[-2:] == [("capability", True), ("capability", False)]


def test_nobody_can_say(drive: Drive) -> None:
    """A backend that answers nothing but chat: not known is not failed."""
    with registered(Listless):
        found = do(drive, check_available, "acme", "other", supports="tools")
        assert shown(found) == [("provider", True), ("service", None), ("model", None), ("capability", None)]
        assert found.ok
        known = do(drive, check_available, "acme", "table-only", supports="tools")
        assert shown(known)[-2:] == [("model", True), ("capability", True)]


def test_a_key_that_may_not_list(sim: Simulator, drive: Drive) -> None:
    """A key can be good for answers and not for the list: nothing has failed, and nothing is certain."""
    sim.script_for("/v1/models", Reply(status=403, error="missing scope"))
    found = do(drive, check_available, "acme", "gpt-4o", **at(sim))
    assert shown(found) == [("provider", True), ("service", True), ("key", None), ("model", None)]
    assert found.ok


def test_a_key_is_good_and_the_list_is_out_of_reach(sim: Simulator, drive: Drive) -> None:
    """The key is proven by itself; a list that does not come leaves the model unknown."""
    sim.serve("/v1/key", {"left": 5})
    sim.script_for("/v1/models", *[Reply(status=503)] * 2)
    with registered(KeyChecking):
        found = do(drive, check_available, "acme", "gpt-4o", **at(sim))
    assert shown(found)[-2:] == [("key", True), ("model", None)]


@pytest.mark.parametrize(
    ("provider", "asked", "error"),
    [
        ("acme", {"apikey": "x"}, ConfigError),
        ("acme", {"timeout": "1"}, ConfigError),
        ("acme", {"supports": 5}, ConfigError),
        ("acme", {"supports": "vison"}, BadRequest),
        ("", {}, ConfigError),
        (None, {}, ConfigError),
    ],
)
def test_misuse_is_raised(
    sim: Simulator, drive: Drive, provider: Any, asked: dict[str, Any], error: type[LLMError]
) -> None:
    """An argument that cannot be meant is an exception, not a finding."""
    with pytest.raises(error):
        do(drive, check_available, provider, "gpt-4o", **at(sim, **asked))


def test_a_finding_is_a_value(sim: Simulator) -> None:
    """It is equal by value, and comes through pickle with its error."""
    found = check_available("acme", "gpt-4oo", **at(sim))
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found
    with pytest.raises(ModelNotFound):
        copy.require()


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4oo"])
def test_a_finding_survives_json(sim: Simulator, model: str) -> None:
    """Checks, what is known of model and key, and the class of the error come back; a key of its own is in none."""
    found = check_available("openrouter", f"openai/{model}", base_url=sim.openrouter_url, api_key=KEY)
    text = json.dumps(found.to_dict(), allow_nan=False)
    copy = Availability.from_dict(json.loads(text))
    assert copy == found
    assert KEY not in text
    assert (copy.key, copy.model, copy.ok) == (found.key, found.model, found.ok)
    if not found:
        with pytest.raises(ModelNotFound, match="4oo"):
            copy.require()


def test_a_model_out_of_an_old_list_says_so(sim: Simulator, drive: Drive) -> None:
    """Where the list cannot be asked for, the kept one serves; the check names its day."""
    where = {"base_url": sim.openrouter_url, "api_key": KEY}
    list_models("openrouter", **where)
    path = list_path("openrouter", sim.openrouter_url)
    path.write_text(json.dumps({**json.loads(path.read_text()), "fetched_at": 1_767_225_600}))
    sim.script_for("/api/v1/models", *[Reply(status=503)] * 8)
    found = do(drive, check_available, "openrouter", "openai/gpt-4o", **where)
    assert found.ok
    assert found.checks[-1].message == "openai/gpt-4o is there, says the service, in a list of 2026-01-01 00:00 UTC"


# What a key may do


def test_what_is_said_of_a_key_survives_json(sim: Simulator) -> None:
    """Money stays exact, what is not known stays so."""
    sim.set_key(limit=10, limit_remaining="0.000000001", is_management_key=True)
    for info in (check_key("openrouter", base_url=sim.openrouter_url, api_key=KEY), KeyInfo(), KeyInfo(unlimited=True)):
        assert KeyInfo.from_dict(json.loads(json.dumps(info.to_dict()))) == info
    assert info.to_dict()["limit"] is None


def test_what_a_key_may_do(sim: Simulator, drive: Drive) -> None:
    """Limit and what is left of it, exactly."""
    sim.set_key(limit=10, limit_remaining=2.5, usage=7.5, is_free_tier=True)
    info = do(drive, check_key, "openrouter", base_url=sim.openrouter_url, api_key=KEY)
    assert isinstance(info, KeyInfo)
    assert (info.limit, info.remaining, info.usage, info.is_free_tier) == (10, Decimal("2.5"), Decimal("7.5"), True)


def test_a_key_that_cannot_be_checked(sim: Simulator, drive: Drive) -> None:
    """A refused key, a missing one, and a backend that tells nothing about keys have each their error."""
    with pytest.raises(AuthFailed):
        do(drive, check_key, "openrouter", base_url=sim.openrouter_url, api_key="sk-bad")
    with pytest.raises(ConfigError, match="no API key"):
        do(drive, check_key, "openrouter")
    with pytest.raises(Unsupported, match="Ollama tells nothing about keys"):
        do(drive, check_key, "ollama")
    with pytest.raises(ConfigError, match="there is no setting"):
        do(drive, check_key, "openrouter", model="x")
