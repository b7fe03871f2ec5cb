"""Fallback chains: what the caller sees of them (nothing, before the first content), and what travels along."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llmkit import (
    AllTargetsFailed,
    AuthFailed,
    BadRequest,
    ConfigError,
    LanguageModel,
    RateLimited,
    RetryPolicy,
    ServerError,
    StreamInterrupted,
    Unsupported,
    create_language,
)
from llmkit.testing.simulator import Reply, Simulator
from llmkit_ollama import OllamaOptions
from llmkit_openrouter import OpenRouterOptions
from tests.conftest import FAST, KEY, PROVIDERS, Drive

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]


def asked(sim: Simulator) -> list[str | None]:
    """The models of all requests, in order."""
    return [request.model for request in sim.requests]


def chain(drive: Drive, sim: Simulator, *models: str, **settings: Any) -> LanguageModel:
    """A chain of OpenRouter models; the simulator serves each."""
    spares = [drive.make(sim, "openrouter", model) for model in models[1:]]
    return drive.make(sim, "openrouter", models[0], fallbacks=spares, **settings)


# Before the first content.


@pytest.mark.covering(2)
@pytest.mark.parametrize("second", PROVIDERS)
@pytest.mark.parametrize("first", PROVIDERS)
def test_a_chain_may_mix_providers(sim: Simulator, drive: Drive, mode: str, first: str, second: str) -> None:
    """The second target answers for the first, whatever their providers; only `attempts` tells."""
    sim.script(Reply(status=503), Reply(text="here I am"))
    spare = drive.make(sim, second)
    response = drive.response(drive.make(sim, first, fallbacks=[spare]), mode)
    assert response.content == "here I am"
    assert response.provider == second
    assert response.target == spare.target
    assert [(attempt.provider, attempt.status) for attempt in response.attempts] == [(first, 503), (second, 200)]
    assert [request.dialect for request in sim.requests] == [first, second]


@pytest.mark.covering(2)
@pytest.mark.parametrize(
    "fault",
    ["status=401", "status=402", "status=403", "status=404", "status=408", "status=429", "status=500", "status=503",
     "status=504", "rst", "cut", "error", "html", "status=302"],
)  # fmt: skip
def test_another_target_gets_its_chance(sim: Simulator, drive: Drive, mode: str, fault: str) -> None:
    """A failure that may be the target's own sends the call on, also one under HTTP 200, and at once."""
    model = chain(drive, sim, f"sim/fault:{fault}", "sim/good")
    assert drive.response(model, mode).content == "You said: hello"
    assert asked(sim) == [f"sim/fault:{fault}", "sim/good"]


def test_a_target_that_is_not_there_is_passed_over(sim: Simulator, drive: Drive, mode: str, closed_port: int) -> None:
    """A refused connection sends the call on."""
    gone = f"http://127.0.0.1:{closed_port}/v1"
    model = drive.make(sim, "openai", base_url=gone, fallbacks=[drive.make(sim, "openrouter")])
    response = drive.response(model, mode)
    assert [attempt.outcome for attempt in response.attempts] == ["CannotConnect", "ok"]


def test_a_silent_target_is_passed_over(sim: Simulator, drive: Drive, mode: str) -> None:
    """A target that says nothing within `timeout` sends the call on."""
    model = chain(drive, sim, "sim/fault:delay=30", "sim/good", timeout=0.2)
    response = drive.response(model, mode)
    assert [attempt.outcome for attempt in response.attempts] == ["FirstTokenTimeout", "ok"]


@pytest.mark.covering(2)
@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_request_that_is_wrong_stops_the_chain(sim: Simulator, drive: Drive, mode: str, status: int) -> None:
    """What is wrong with the request itself is wrong everywhere: no other target is asked, and the error is plain."""
    sim.script(Reply(status=status, error={"code": status, "message": "no"}))
    model = chain(drive, sim, "sim/a", "sim/b", retry=None)
    error = drive.failure(model, mode)
    assert asked(sim) == ["sim/a"]
    assert not isinstance(error, AllTargetsFailed)
    assert error.status == status
    assert not error.fallback


def test_a_bad_request_in_the_middle_stops_the_chain(sim: Simulator, drive: Drive, mode: str) -> None:
    """A `BadRequest` of the second target is the error of the call, and the third is not asked."""
    sim.script(Reply(status=503), Reply(status=400))
    error = drive.failure(chain(drive, sim, "sim/a", "sim/b", "sim/c"), mode)
    assert isinstance(error, BadRequest)
    assert asked(sim) == ["sim/a", "sim/b"]
    assert [attempt.status for attempt in error.attempts] == [503, 400]


# No wait.


def test_a_hint_does_not_hold_up_the_next_target(sim: Simulator, drive: Drive, mode: str) -> None:
    """With a target left, `Retry-After: 10` costs no wait at all: the next request leaves within 50 ms."""
    model = chain(drive, sim, "sim/fault:status=429,retry-after=10", "sim/good")
    gaps = []
    for _ in range(5):
        response = drive.response(model, mode)
        assert response.attempts[1].waited == 0
        first, second = sim.requests[-2:]
        gaps.append(second.time - first.time)
    assert min(gaps) < 0.05  # the best of five, since the machine may be busy
    assert max(gaps) < 5  # none waited for the hint


def test_the_order_is_that_of_the_list(sim: Simulator, drive: Drive, mode: str) -> None:
    """Every target is asked once, in order, before any is asked again."""
    models = ["sim/a", "sim/b", "sim/c"]
    sim.script(Reply(status=500), Reply(status=500), Reply(status=500))
    response = drive.response(chain(drive, sim, *models), mode)
    assert asked(sim)[:3] == models
    assert len(sim.requests) == 4
    assert response.attempts[3].outcome == "ok"


def test_the_target_that_is_ready_first_is_asked_again_first(sim: Simulator, drive: Drive) -> None:
    """When all have failed, the one whose wait is over first is next."""
    sim.script_for("sim/a", Reply(status=429, headers={"Retry-After": "20"}))
    sim.script_for("sim/b", Reply(status=429, headers={"Retry-After": "0.1"}))
    response = drive.ask(chain(drive, sim, "sim/a", "sim/b"))
    assert asked(sim) == ["sim/a", "sim/b", "sim/b"]
    assert response.attempts[2].waited >= 0.09


# When all fail.


def test_when_all_fail_the_error_has_each(sim: Simulator, drive: Drive, mode: str) -> None:
    """`AllTargetsFailed` holds the error of every attempt, oldest first, and a line for each."""
    names = ["sim/fault:status=401", "sim/fault:status=429,retry-after=30", "sim/fault:status=503"]
    error = drive.failure(chain(drive, sim, *names, retry=None), mode)
    assert isinstance(error, AllTargetsFailed)
    assert [type(each).__name__ for each in error.errors] == ["AuthFailed", "RateLimited", "Overloaded"]
    assert [each.model for each in error.errors] == names
    assert [attempt.outcome for attempt in error.attempts] == ["AuthFailed", "RateLimited", "Overloaded"]
    assert error.retry_after == 30
    for number, name in enumerate(names, 1):
        assert f"{number}. openrouter:{name}: " in str(error)


@pytest.mark.covering(2)
@pytest.mark.parametrize(
    ("targets", "policy", "sent"),
    [
        (2, None, 2),
        (2, RetryPolicy(backoff=0.005), 4),
        (3, RetryPolicy(backoff=0.005), 5),
        (3, RetryPolicy(backoff=0.005, total_attempts=3), 3),
        (2, RetryPolicy(backoff=0.005, chain_attempts=1), 2),
        (2, RetryPolicy(backoff=0.005, chain_attempts=5, total_attempts=7), 7),
    ],
)
def test_a_chain_has_its_own_limits(
    sim: Simulator, drive: Drive, targets: int, policy: RetryPolicy | None, sent: int
) -> None:
    """In a chain a target gets `chain_attempts` requests, all together `total_attempts`; `retry=None`: one each."""
    names = [f"sim/fault:status=500,delay=0.00{number}" for number in range(targets)]
    error = drive.failure(chain(drive, sim, *names, retry=policy))
    assert isinstance(error, AllTargetsFailed)
    assert len(error.errors) == len(error.attempts) == len(sim.requests) == sent


def test_a_target_that_lacks_a_setting_is_one_of_the_failures(sim: Simulator, drive: Drive, mode: str) -> None:
    """A spare target that cannot carry a setting fails as `Unsupported`, without a request."""
    model = drive.make(sim, "openrouter", fallbacks=[drive.make(sim, "ollama")], n=2, retry=None)
    sim.script(Reply(status=503))
    error = drive.failure(model, mode)
    assert isinstance(error, AllTargetsFailed)
    assert [type(each) for each in error.errors][-1] is Unsupported
    assert len(sim.requests) == 1


# What travels along.


def first_fails(sim: Simulator) -> None:
    """The next request fails in a way that sends the call on."""
    sim.script(Reply(status=503))


@pytest.mark.covering(2)
@pytest.mark.parametrize("place", ["model", "call"])
def test_what_was_asked_travels_along(sim: Simulator, drive: Drive, mode: str, place: str) -> None:
    """Sampling settings, tools and `structured` reach the next target in its own words, from the model or the call."""
    settings: dict[str, Any] = {
        "temperature": 0.25, "max_tokens": 77, "seed": 5, "stop": ["END"], "tools": TOOLS,
        "structured": {"type": "json"},
    }  # fmt: skip
    first_fails(sim)
    spare = drive.make(sim, "ollama")
    in_model, in_call = (settings, {}) if place == "model" else ({}, settings)
    drive.response(drive.make(sim, "openrouter", fallbacks=[spare], **in_model), mode, **in_call)
    first, second = (request.json for request in sim.requests)
    assert (first["temperature"], first["max_completion_tokens"], first["seed"]) == (0.25, 77, 5)
    assert first["response_format"] == {"type": "json_object"}
    assert second["options"] == {"temperature": 0.25, "num_predict": 77, "seed": 5, "stop": ["END"]}
    assert second["format"] == "json"
    assert second["tools"] == TOOLS
    assert second["messages"] == [{"role": "user", "content": "hello"}]


def test_a_spare_model_keeps_its_own_settings(sim: Simulator, drive: Drive) -> None:
    """What was set on the spare model outranks what it inherits, and the call outranks both."""
    sim.script_for("sim/main", Reply(status=503), Reply(status=503))
    spare = drive.make(sim, "openrouter", "sim/spare", temperature=0.9, top_p=0.5)
    model = drive.make(sim, "openrouter", "sim/main", temperature=0.1, seed=3, fallbacks=[spare])
    drive.ask(model)
    drive.ask(model, top_p=0.75)
    bodies = [request.json for request in sim.requests if request.model == "sim/spare"]
    assert [(body["temperature"], body["top_p"], body["seed"]) for body in bodies] == [(0.9, 0.5, 3), (0.9, 0.75, 3)]


def test_what_belongs_to_a_service_stays_there(sim: Simulator, drive: Drive, mode: str) -> None:
    """Key, address, extra headers, extra body and options of one target never reach the next."""
    with Simulator() as other:
        other.script(Reply(text="from the other"))
        first_fails(sim)
        spare = drive.make(other, "openrouter", api_key="sk-of-the-spare")
        model = drive.make(
            sim, "openrouter",
            api_key="sk-of-the-first",
            extra_headers={"X-Mine": "model"},
            extra_body={"mine": 1},
            app_name="First App",
            fallbacks=[spare],
        )  # fmt: skip
        response = drive.response(model, mode, extra_headers={"X-Call": "call"}, extra_body={"call": 2})
        assert response.content == "from the other"
        (first,), (second,) = sim.requests, other.requests
        assert (first.headers["x-mine"], first.headers["x-call"], first.headers["x-title"]) == (
            "model", "call", "First App",
        )  # fmt: skip
        assert (first.json["mine"], first.json["call"]) == (1, 2)
        assert second.headers["authorization"] == "Bearer sk-of-the-spare"
        assert not {"x-mine", "x-call", "x-title", "http-referer"} & set(second.headers)
        assert not {"mine", "call"} & set(second.json)
        drive.close(model)
        drive.close(spare)


@pytest.mark.parametrize("place", ["model", "call"])
def test_each_options_object_goes_to_its_own_provider(sim: Simulator, drive: Drive, place: str) -> None:
    """Of several options objects every target gets the one of its provider."""
    options = [OpenRouterOptions(session_id="s1"), OllamaOptions(num_ctx=4096)]
    first_fails(sim)
    in_model, in_call = ({"options": options}, {}) if place == "model" else ({}, {"options": options})
    model = drive.make(sim, "openrouter", fallbacks=[drive.make(sim, "ollama")], **in_model)
    drive.ask(model, **in_call)
    first, second = (request.json for request in sim.requests)
    assert first["session_id"] == "s1"
    assert "num_ctx" not in str(first)
    assert second["options"] == {"num_ctx": 4096}
    assert "session_id" not in str(second)


def test_options_of_the_first_provider_do_not_reach_another(sim: Simulator, drive: Drive) -> None:
    """One options object of the first target is no error for the next; it is not sent there."""
    first_fails(sim)
    model = drive.make(sim, "openrouter", fallbacks=[drive.make(sim, "openai")])
    drive.ask(model, options=OpenRouterOptions(session_id="s1"))
    assert "session_id" not in sim.requests[1].json


# How targets are named.


def test_a_target_is_named_in_one_string(
    sim: Simulator, drive: Drive, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fallback "provider:model" takes address and key from its own environment; a model may hold colons."""
    monkeypatch.setenv("OLLAMA_HOST", sim.ollama_url)
    monkeypatch.setenv("OPENAI_BASE_URL", sim.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    first_fails(sim)
    first_fails(sim)
    model = drive.make(sim, "openrouter", fallbacks=["openai:gpt-4o", "ollama:llama3.1:8b"])
    assert drive.response(model, mode).target == "ollama:llama3.1:8b"
    sent = [(request.dialect, request.model, request.headers.get("authorization")) for request in sim.requests]
    assert sent == [
        ("openrouter", "openai/gpt-4o-mini", f"Bearer {KEY}"),
        ("openai", "gpt-4o", "Bearer sk-of-openai"),
        ("ollama", "llama3.1:8b", None),
    ]


@pytest.mark.parametrize("spare", ["no-provider", "nobody:model", 7, "openai:gpt-4o"])
def test_a_fallback_that_cannot_be_made_is_an_error_at_once(sim: Simulator, spare: Any) -> None:
    """A chain is checked when it is made: shape, provider, key. Nothing is sent."""
    with pytest.raises(ConfigError):
        create_language("ollama", "llama3.2", base_url=sim.ollama_url, fallbacks=[spare])


def test_closing_a_chain_leaves_models_that_were_passed_in_open(sim: Simulator, drive: Drive) -> None:
    """A model that the program made is the program's to close."""
    spare = drive.make(sim, "openrouter", "sim/spare")
    model = drive.make(sim, "openrouter", "sim/main", fallbacks=[spare])
    drive.close(model)
    assert drive.ask(spare).content == "You said: hello"


def test_a_healthy_first_target_is_the_only_one_asked(sim: Simulator, drive: Drive, mode: str) -> None:
    """A spare target costs nothing while it is not needed: no request and no connection."""
    with Simulator() as other:
        spare = drive.make(other, "openrouter")
        drive.response(drive.make(sim, "openrouter", fallbacks=[spare]), mode)
        assert (len(other.requests), other.connections) == (0, 0)


# Streams.


@pytest.mark.parametrize("form", ["documented", "bare", "choices-empty", "error-usage", "string-code"])
def test_an_error_inside_a_stream_before_content_is_invisible(sim: Simulator, drive: Drive, form: Any) -> None:
    """Comments and an error under HTTP 200 are no content: the next target answers, and nothing else is seen."""
    sim.script(Reply(error="no capacity", error_form=form, comments=3, comment_delay=0), Reply(chunks=["a", "b"]))
    heard = drive.hear(chain(drive, sim, "sim/a", "sim/b"))
    assert heard.error is None
    assert heard.text == "ab"
    assert heard.response is not None
    assert [attempt.outcome for attempt in heard.response.attempts][-1] == "ok"
    assert asked(sim) == ["sim/a", "sim/b"]


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", ["openrouter", "ollama"])
@pytest.mark.parametrize("kind", ["error", "clean", "reset", "stall"])
def test_after_content_nothing_is_sent_again(sim: Simulator, drive: Drive, provider: str, kind: Any) -> None:
    """Once content was delivered, a failure is `StreamInterrupted` with exactly that text, and no target is asked."""
    broken = Reply(chunks=["one ", "two ", "three "], error="boom", error_after=2)
    if kind != "error":
        broken = Reply(chunks=["one ", "two ", "three "], cut_after=2, cut=kind)
    sim.script(broken, Reply(text="must not be seen"))
    spare = drive.make(sim, "openrouter", "sim/spare")
    heard = drive.hear(drive.make(sim, provider, fallbacks=[spare], timeout=0.3))
    assert isinstance(heard.error, StreamInterrupted)
    assert heard.text == heard.error.partial_text == "one two "
    assert len(sim.requests) == 1
    assert [attempt.outcome for attempt in heard.error.attempts] == ["StreamInterrupted"]
    time.sleep(0.02)
    assert len(sim.requests) == 1


def test_reasoning_is_content_too(sim: Simulator, drive: Drive) -> None:
    """A stream that broke after reasoning had been delivered is not begun again."""
    sim.script(Reply(reasoning="let me think", text="answer", cut_after=2, cut="clean"))
    heard = drive.hear(chain(drive, sim, "anthropic/claude-sonnet-4.5", "sim/b"), reasoning="low")
    assert isinstance(heard.error, StreamInterrupted)
    assert heard.error.partial_text == ""
    assert len(sim.requests) == 1


def test_an_interrupted_stream_after_a_fallback_lists_both_attempts(sim: Simulator, drive: Drive) -> None:
    """The error of the second target keeps the first attempt in `attempts`."""
    sim.script(Reply(status=503), Reply(chunks=["one ", "two "], cut_after=1))
    heard = drive.hear(chain(drive, sim, "sim/a", "sim/b"))
    assert isinstance(heard.error, StreamInterrupted)
    assert heard.text == heard.error.partial_text == "one "
    assert [attempt.outcome for attempt in heard.error.attempts] == ["Overloaded", "StreamInterrupted"]


def test_the_classes_of_a_failed_chain_are_told_apart(sim: Simulator, drive: Drive) -> None:
    """A program finds the cause by class in `errors`."""
    error = drive.failure(chain(drive, sim, "sim/fault:status=401", "sim/fault:status=429", retry=FAST))
    assert isinstance(error, AllTargetsFailed)
    kinds = {type(each) for each in error.errors}
    assert kinds == {AuthFailed, RateLimited}
    assert not any(issubclass(kind, ServerError) for kind in kinds)
