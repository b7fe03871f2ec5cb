"""`compare` and `acompare`: one question, several models; each has a row, whatever became of it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from llmkit import (
    BadRequest,
    ConfigError,
    LanguageModel,
    ModelNotFound,
    RateLimited,
    RetryPolicy,
    UnknownProvider,
    Unsupported,
    Usage,
)
from llmkit.language.compare import Comparison, acompare, compare
from llmkit.testing import Answer, FakeModel
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import KEY, Drive, until


@pytest.fixture(autouse=True)
def services(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a user with two services. OpenAI's key is missing."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_BASE_URL", sim.openrouter_url)
    monkeypatch.setenv("OLLAMA_HOST", sim.ollama_url)


def rows(drive: Drive, targets: Any, messages: Any = "hi", **settings: Any) -> list[Comparison]:
    """`compare` or `acompare`."""
    if drive.is_async:
        return drive.await_(acompare(targets, messages, **settings))
    return compare(targets, messages, **settings)


def test_a_row_for_each_target(sim: Simulator, drive: Drive) -> None:
    """Targets by name and models get the same question; rows stand in their order, and the figures are the answer's."""
    model = drive.make(sim, "openrouter", "openai/gpt-4o")
    first, second, third = rows(drive, ["openrouter:openai/gpt-4o-mini", model, "ollama:llama3.2"], "What is up?")
    assert [row.target for row in (first, second, third)] == [
        "openrouter:openai/gpt-4o-mini", "openrouter:openai/gpt-4o", "ollama:llama3.2",
    ]  # fmt: skip
    assert {row.text for row in (first, second, third)} == {"You said: What is up?"}
    assert all(row.ok and row.error is None for row in (first, second, third))
    assert first.response is not None
    assert first.model == "openai/gpt-4o-mini"
    assert first.usage == first.response.usage
    assert first.cost == first.response.cost
    assert first.total_cost == first.cost.amount
    assert third.total_cost == 0
    assert first.latency == first.response.attempts[-1].elapsed
    assert 0 < first.latency <= first.seconds


@pytest.mark.parametrize(
    ("target", "error", "sent"),
    [
        ("openai:gpt-4o", ConfigError, False),
        ("nowhere:m", UnknownProvider, False),
        ("openrouter:no-such/model", ModelNotFound, True),
    ],
    ids=["no key", "no provider", "no model"],
)
def test_one_that_fails_does_not_disturb_the_others(
    sim: Simulator, drive: Drive, target: str, error: type[Exception], sent: bool
) -> None:
    """A target that cannot be made or does not answer has its error in its row; nothing is made up for it."""
    good, bad, also = rows(drive, ["openrouter:a/b", target, "ollama:llama3.2"])
    assert good.ok
    assert also.ok
    assert bad.target == target
    assert isinstance(bad.error, error)
    assert (bad.response, bad.text, bad.model, bad.latency, bad.cost.amount) == (None,) * 5
    assert bad.usage == Usage()
    assert bool(bad.attempts) is sent
    assert bad.total_cost == 0
    assert bad.error.__traceback__ is None


def test_a_setting_that_one_backend_lacks(sim: Simulator, drive: Drive) -> None:
    """What only one of them cannot do is the error of that one."""
    good, bad = rows(drive, ["openrouter:a/b", "ollama:llama3.2"], logit_bias={"50256": -100})
    assert good.ok
    assert isinstance(bad.error, Unsupported)


def test_seconds_are_of_the_call_and_latency_of_the_answer(sim: Simulator, drive: Drive) -> None:
    """What a failed attempt took and cost is in `seconds` and `total_cost`, not in `latency` and `cost`."""
    sim.script(Reply(status=502, delay=0.1), Reply())
    (row,) = rows(drive, ["openrouter:a/b"], retry=RetryPolicy(backoff=0.001))
    assert len(row.attempts) == 2
    assert row.latency is not None
    assert row.seconds >= row.latency + 0.1
    assert row.cost.amount is not None
    assert row.total_cost is None, "nobody knows whether the 502 was billed"


def test_all_are_asked_at_once(sim: Simulator, drive: Drive) -> None:
    """Calls are open side by side, at most `concurrency`."""
    models = [drive.make(sim, "openrouter", f"a/b{number}") for number in range(4)]

    def watch(number: int) -> int:
        """How many came to be open at once; then all go on."""
        until(lambda: len(sim.requests) >= number)
        until(lambda: len(sim.requests) > number, 0.1)
        found = len(sim.requests)
        sim.release(99)
        return found

    for concurrency in (4, 1):
        sim.reset()
        sim.script(*[Reply(gated=True) for _ in models])
        with ThreadPoolExecutor(1) as watcher:
            seen = watcher.submit(watch, concurrency)
            assert all(row.ok for row in rows(drive, models, concurrency=concurrency))
        assert seen.result() == concurrency


def test_models_that_it_made_are_closed(sim: Simulator, drive: Drive) -> None:
    """Connections of models that were named are closed; a model that was passed stays open."""
    given = drive.make(sim, "openrouter")
    assert all(row.ok for row in rows(drive, [given, "openrouter:a/b", "ollama:llama3.2"]))
    assert until(lambda: sim.open_connections == 1, 3)
    assert drive.ask(given).content == "You said: hello"


def test_settings_go_to_all(drive: Drive) -> None:
    """A setting is one of each call."""
    models = [FakeModel("a"), FakeModel("b")]
    assert [row.text for row in rows(drive, models, temperature=0.5)] == ["a", "b"]
    assert [model.calls[0].settings["temperature"] for model in models] == [0.5, 0.5]


def test_one_model_twice(drive: Drive) -> None:
    """The same model may stand twice: its answers vary."""
    model = FakeModel("a", "b")
    assert sorted(str(row.text) for row in rows(drive, [model, model])) == ["a", "b"]
    assert rows(drive, []) == []


@pytest.mark.parametrize(
    ("targets", "settings", "text"),
    [
        ("openrouter:a/b", {}, "targets is text"),
        (None, {}, "targets is None"),
        ({"a": "b"}, {}, "targets is a dict"),
        (FakeModel("x"), {}, "targets is a FakeModel"),
        (["openrouter:a/b", 3], {}, "targets[1] is 3"),
        (["openrouter:a/b"], {"temprature": 1}, "there is no setting 'temprature'"),
        (["openrouter:a/b"], {"concurrency": 0}, "concurrency is 0"),
    ],
)
def test_what_is_wrong_for_all_is_said_at_once(
    sim: Simulator, drive: Drive, targets: Any, settings: Any, text: str
) -> None:
    """A mistake of the program is raised, and nothing is sent."""
    with pytest.raises(ConfigError) as caught:
        rows(drive, targets, **settings)
    assert text in str(caught.value)
    assert sim.requests == []


def test_messages_that_are_none_are_said_at_once(sim: Simulator, drive: Drive) -> None:
    """Wrong messages are wrong for all."""
    with pytest.raises(BadRequest, match="messages is empty"):
        rows(drive, ["openrouter:a/b"], [])
    assert sim.requests == []


def test_a_row_as_json(drive: Drive) -> None:
    """`to_dict` is JSON, for an answer and for an error, and holds no key."""
    good, bad = rows(drive, [FakeModel(Answer("Paris", cost="0.1")), FakeModel(RateLimited("slow down"))])
    said = json.loads(json.dumps([good.to_dict(), bad.to_dict()]))
    assert said[0]["text"] == "Paris"
    assert said[0]["total_cost"] == "0.1"
    assert said[0]["response"]["choices"][0]["message"]["content"] == "Paris"
    assert said[0]["error"] is None
    assert said[1]["response"] is None
    assert said[1]["error"]["type"] == "RateLimited"
    assert "slow down" in said[1]["error"]["message"]
    assert said[1]["total_cost"] == "0"


def test_a_repr_shows_no_answer() -> None:
    """A row can be logged: its repr holds neither prompt nor answer."""
    (row,) = compare([FakeModel(Answer("the secret plan", cost="0.1"))], "what is the plan?")
    assert "plan" not in repr(row)
    assert row.total_cost == Decimal("0.1")


def test_a_model_that_is_closed_has_its_error() -> None:
    """A closed model is the error of its row."""
    closed: LanguageModel = FakeModel("x")
    closed.close()
    (row,) = compare([closed], "hi")
    assert "closed" in str(row.error)
