"""What each dialect's failures become: class, status, code, id, hint, and words that say what to do."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from llmkit import errors
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import MODELS, PROVIDERS, Drive


@dataclass(frozen=True)
class Case:
    """One failure as the service says it, and what it must become."""

    provider: str
    status: int
    error: Any
    expected: type[errors.LLMError]
    code: str | None = None
    says: tuple[str, ...] = ()
    retried: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.provider} {self.status} {self.code or self.expected.__name__}"


def inner(code: int, message: str, **more: Any) -> dict[str, Any]:
    """OpenRouter's error object."""
    return {"code": code, "message": message, **more}


def typed(code: int, kind: str, message: str = "Provider returned error") -> dict[str, Any]:
    """OpenRouter's error object with an `error_type`."""
    return inner(code, message, metadata={"error_type": kind})


def available(code: int, kind: str, **more: Any) -> dict[str, Any]:
    """OpenRouter's error object with an `availability`."""
    return inner(code, "not available", availability={"code": kind, "retryable": False, **more})


def openai(message: str, kind: str, code: str | None) -> dict[str, Any]:
    """OpenAI's error object."""
    return {"message": message, "type": kind, "param": None, "code": code}


CASES = [
    # OpenRouter, by status alone.
    Case("openrouter", 400, inner(400, "bad"), errors.BadRequest),
    Case("openrouter", 401, inner(401, "User not found."), errors.AuthFailed, says=("OPENROUTER_API_KEY", "openrouter.ai/keys")),
    Case("openrouter", 402, inner(402, "Insufficient credits"), errors.InsufficientCredit, says=("openrouter.ai/credits",)),
    Case("openrouter", 403, inner(403, "Only management keys"), errors.PermissionDenied),
    Case("openrouter", 404, inner(404, "No endpoints found"), errors.ModelNotFound, says=("openrouter.ai/models",)),
    Case("openrouter", 408, inner(408, "Timed out"), errors.ProviderTimeout, retried=True),
    Case("openrouter", 409, inner(409, "Conflict"), errors.RequestConflict, retried=True),
    Case("openrouter", 413, inner(413, "Too large"), errors.PayloadTooLarge),
    Case("openrouter", 422, inner(422, "Unprocessable"), errors.BadRequest),
    Case("openrouter", 429, inner(429, "Slow down"), errors.RateLimited, retried=True),
    Case("openrouter", 500, inner(500, "Internal Server Error"), errors.ServerError, retried=True),
    Case("openrouter", 502, inner(502, "Bad gateway"), errors.ServerError, retried=True),
    Case("openrouter", 503, inner(503, "Overloaded"), errors.Overloaded, retried=True),
    Case("openrouter", 504, inner(504, "Gateway timeout"), errors.ProviderTimeout, retried=True),
    Case("openrouter", 524, inner(524, "Edge timeout"), errors.ProviderTimeout, retried=True),
    Case("openrouter", 529, inner(529, "Provider overloaded"), errors.Overloaded, retried=True),
    # OpenRouter, by error_type.
    Case("openrouter", 400, typed(400, "context_length_exceeded"), errors.ContextLengthExceeded, "context_length_exceeded"),
    Case("openrouter", 400, typed(400, "invalid_request"), errors.BadRequest, "invalid_request"),
    Case("openrouter", 400, typed(400, "content_policy_violation"), errors.ContentRefused, "content_policy_violation"),
    Case("openrouter", 400, typed(400, "invalid_image"), errors.BadRequest, "invalid_image"),
    Case("openrouter", 402, typed(402, "payment_required"), errors.InsufficientCredit, "payment_required"),
    Case("openrouter", 429, typed(429, "rate_limit_exceeded"), errors.RateLimited, "rate_limit_exceeded", retried=True),
    Case("openrouter", 502, typed(502, "provider_unavailable"), errors.ServerError, "provider_unavailable", retried=True),
    Case("openrouter", 503, typed(503, "provider_overloaded"), errors.Overloaded, "provider_overloaded", retried=True),
    Case("openrouter", 504, typed(504, "timeout"), errors.ProviderTimeout, "timeout", retried=True),
    Case("openrouter", 418, typed(418, "a_type_of_tomorrow"), errors.BadRequest, "a_type_of_tomorrow"),
    # Some documented bodies put the type under `error` and leave the code out.
    Case("openrouter", 503, {"message": "none", "error_type": "provider_overloaded", "http_status": 503},
         errors.Overloaded, "provider_overloaded", retried=True),
    # OpenRouter, by availability.
    Case("openrouter", 404, available(404, "model_deprecated", fallback_models=["openai/gpt-5-mini"]), errors.ModelNotFound,
         "model_deprecated", says=("retired", "openai/gpt-5-mini")),
    Case("openrouter", 404, available(404, "no_endpoints"), errors.ModelNotFound, "no_endpoints"),
    Case("openrouter", 404, available(404, "privacy_restricted"), errors.ModelNotFound, "privacy_restricted", says=("privacy",)),
    Case("openrouter", 404, available(404, "constraint_filtered"), errors.ModelNotFound, "constraint_filtered", says=("routing",)),
    Case("openrouter", 404, available(404, "free_variant_ended"), errors.ModelNotFound, "free_variant_ended", says=("free",)),
    Case("openrouter", 400, available(400, "wrong_endpoint"), errors.BadRequest, "wrong_endpoint"),
    Case("openrouter", 403, available(403, "region_restricted"), errors.PermissionDenied, "region_restricted", says=("region",)),
    Case("openrouter", 429, available(429, "capacity_exhausted", retryable=True), errors.RateLimited, "capacity_exhausted",
         retried=True),
    Case("openrouter", 503, available(503, "temporarily_unavailable", retryable=True), errors.Overloaded,
         "temporarily_unavailable", retried=True),
    Case("openrouter", 429, available(429, "a_code_of_tomorrow", retryable=False), errors.RateLimited, "a_code_of_tomorrow"),
    # OpenRouter, the rest of what its metadata says.
    Case("openrouter", 403, inner(403, "flagged", metadata={"reasons": ["violence"], "flagged_input": "the-secret-input"}),
         errors.ContentRefused),
    Case("openrouter", 429, inner(429, "Rate limit exceeded: free-models-per-day. Add credits"), errors.RateLimited),
    Case("openrouter", 502, inner(502, "Provider returned error", metadata={
        "provider_name": "Acme", "raw": '{"detail":"cuda out of memory"}'}), errors.ServerError,
        says=("Acme", "cuda out of memory"), retried=True),
    Case("openrouter", 429, inner(429, "Provider returned error", metadata={"remedy_hint": "Bring your own key"}),
         errors.RateLimited, says=("Bring your own key",), retried=True),
    Case("openrouter", 429, inner(429, "slow"), errors.RateLimited, headers=(("Retry-After", "99"),), retry_after=99),
    # OpenAI.
    Case("openai", 401, openai("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"), errors.AuthFailed,
         "invalid_api_key", says=("OPENAI_API_KEY", "platform.openai.com")),
    Case("openai", 403, openai("Country not supported", "request_forbidden", "unsupported_country_region_territory"),
         errors.PermissionDenied, "unsupported_country_region_territory"),
    Case("openai", 404, openai("The model `x` does not exist", "invalid_request_error", "model_not_found"),
         errors.ModelNotFound, "model_not_found"),
    Case("openai", 404, openai("Invalid URL (POST /chat)", "invalid_request_error", None), errors.BadRequest),
    Case("openai", 400, openai("This model's maximum context length is 128000 tokens.", "invalid_request_error",
         "context_length_exceeded"), errors.ContextLengthExceeded, "context_length_exceeded"),
    Case("openai", 400, openai("This model's maximum context length is 4096 tokens", "BadRequestError", None),
         errors.ContextLengthExceeded),
    Case("openai", 400, openai("Rejected by the safety system", "invalid_request_error", "content_policy_violation"),
         errors.ContentRefused, "content_policy_violation"),
    Case("openai", 429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
         errors.QuotaExhausted, "insufficient_quota", headers=(("Retry-After", "3"),), retry_after=3),
    Case("openai", 429, openai("Rate limit reached", "requests", "rate_limit_exceeded"), errors.RateLimited,
         "rate_limit_exceeded", retried=True, headers=(("Retry-After", "0.02"),), retry_after=0.02),
    Case("openai", 500, openai("The server had an error", "server_error", None), errors.ServerError, retried=True),
    Case("openai", 503, openai("The engine is currently overloaded", "server_error", None), errors.Overloaded, retried=True),
    # Ollama.
    Case("ollama", 404, "model 'llama3.2' not found", errors.ModelNotFound, says=("ollama pull llama3.2",)),
    Case("ollama", 400, '"llama3.2" does not support tools', errors.BadRequest, says=("does not support tools", "ollama show")),
    Case("ollama", 400, "invalid options: num_ctx", errors.BadRequest),
    Case("ollama", 401, "unauthorized", errors.AuthFailed),
    Case("ollama", 500, "model runner has unexpectedly stopped", errors.ServerError, retried=True),
    Case("ollama", 503, "server busy, please try again.  maximum pending requests exceeded", errors.Overloaded,
         says=("queue",), retried=True),
]  # fmt: skip


@pytest.mark.covering(1)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_failure_has_its_class_and_its_words(sim: Simulator, drive: Drive, case: Case) -> None:
    """Class, status, code, id and hint come out as the service meant them; the text names target and remedy."""
    sim.script(*[Reply(status=case.status, error=case.error, headers=case.headers)] * 3)
    error = drive.failure(drive.make(sim, case.provider))
    assert type(error) is case.expected
    assert error.status == case.status
    assert error.retry_after == case.retry_after
    if case.code:
        assert error.code == case.code
    if case.provider != "ollama":
        assert error.request_id
        assert error.request_id in str(error)
    assert f"{case.provider}:{MODELS[case.provider]}" in str(error)
    message = case.error if isinstance(case.error, str) else case.error["message"]
    assert str(message)[:60] in str(error)
    for words in case.says:
        assert words in str(error)
    assert "the-secret-input" not in str(error)
    if not isinstance(error, (errors.BadRequest, errors.RequestConflict, errors.ContentRefused)):
        assert error.hint, "it says what to do"
    waits_too_long = (case.retry_after or 0) > 60
    assert len(sim.requests) == (3 if case.retried and not waits_too_long else 1)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_failure_survives_pickling(sim: Simulator, case: Case) -> None:
    """Every error goes through pickle with its class, text and fields."""
    drive = Drive("sync")
    sim.script(Reply(status=case.status, error=case.error, headers=case.headers))
    error = drive.failure(drive.make(sim, case.provider, retry=None))
    drive.end()
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert vars(back) == vars(error)
    assert (str(back), back.args) == (str(error), error.args)


def test_composed_errors_survive_pickling(sim: Simulator, drive: Drive) -> None:
    """The error of a chain keeps the errors in it, that of a stream its reason and what had come."""
    sim.script(Reply(status=503), Reply(status=401))
    chain = drive.failure(drive.make(sim, "openrouter", fallbacks=[drive.make(sim, "openai")], retry=None))
    sim.script(Reply(chunks=["one ", "two "], error="boom", error_after=1))
    stream = drive.hear(drive.make(sim, "openrouter")).error
    assert isinstance(chain, errors.AllTargetsFailed)
    assert isinstance(stream, errors.StreamInterrupted)
    back = pickle.loads(pickle.dumps(chain))
    assert [str(each) for each in back.errors] == [str(each) for each in chain.errors]
    assert (str(back), back.attempts, len(back.errors)) == (str(chain), chain.attempts, 2)
    again = pickle.loads(pickle.dumps(stream))
    assert (str(again), again.partial, again.partial_text) == (str(stream), stream.partial, "one ")
    assert str(again.reason) == str(stream.reason)


def test_the_daily_limit_of_free_models_is_not_waited_for(sim: Simulator, drive: Drive) -> None:
    """A daily cap is a rate limit that trying again does not lift: one request."""
    message = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"
    sim.script(Reply(status=429, error=inner(429, message)))
    error = drive.failure(drive.make(sim, "openrouter"))
    assert isinstance(error, errors.RateLimited)
    assert len(sim.requests) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_wrong_model_name(sim: Simulator, drive: Drive, mode: str, provider: str) -> None:
    """A model that does not exist is `ModelNotFound`; OpenRouter's suggestions, Ollama's command are in the text."""
    error = drive.failure(drive.make(sim, provider, "no-such-model"), mode)
    assert type(error) is errors.ModelNotFound
    assert "no-such-model" in str(error)
    assert len(sim.requests) == 1
    if provider == "openrouter":
        assert "openai/gpt-4o-mini" in str(error)
        assert "google/gemini-2.5-flash" in str(error)
        assert error.code == "model_not_found"
    if provider == "ollama":
        assert "ollama pull no-such-model" in str(error)


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_a_bad_key(sim: Simulator, drive: Drive, mode: str, provider: str) -> None:
    """A key that the service does not know is `AuthFailed` with the variable to set and the page to get one."""
    error = drive.failure(drive.make(sim, provider, api_key="sk-bad"), mode)
    assert type(error) is errors.AuthFailed
    assert f"{provider.upper()}_API_KEY" in str(error)
    assert "https://" in str(error)


# Bodies that are not the service's own.

EDGE = b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, EDGE, errors.PermissionDenied),
        (502, EDGE, errors.ServerError),
        (503, b"", errors.Overloaded),
        (429, b"Too Many Requests", errors.RateLimited),
        (404, b"404 page not found", errors.BadRequest),
        (404, b"", errors.BadRequest),
        (500, b"\xff\xfe\x00", errors.ServerError),
        (400, b"[]", errors.BadRequest),
        (500, b"null", errors.ServerError),
        (500, b'{"error": null}', errors.ServerError),
        (500, b'{"error": {}}', errors.ServerError),
        (500, b'{"error": 7}', errors.ServerError),
        (401, b'{"detail": "no key"}', errors.AuthFailed),
        (418, b"short and stout", errors.BadRequest),
        (599, b"x", errors.ServerError),
    ],
)
def test_an_error_page_of_somebody_else(
    sim: Simulator, drive: Drive, provider: str, status: int, body: bytes, expected: type[Exception]
) -> None:
    """Whatever the body, the status decides, and the first bytes are shown in one line of plain text."""
    sim.script(Reply(status=status, body=body, content_type="text/html"))
    error = drive.failure(drive.make(sim, provider, retry=None))
    assert type(error) is expected
    assert error.status == status
    assert str(status) in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 500


def test_googles_list_around_an_error_is_read(sim: Simulator, drive: Drive) -> None:
    """A compatible service that wraps its error in a list is understood."""
    body = json.dumps([{"error": {"code": 429, "message": "Resource exhausted", "status": "RESOURCE_EXHAUSTED"}}])
    sim.script(Reply(status=429, body=body.encode()))
    error = drive.failure(drive.make(sim, "openai", retry=None))
    assert type(error) is errors.RateLimited
    assert "Resource exhausted" in str(error)


def test_a_very_long_error_is_shortened(sim: Simulator, drive: Drive) -> None:
    """Text from outside is cut to a readable length and holds no control characters."""
    sim.script(Reply(status=400, error=inner(400, "x\x1b[31m\u202e" + "y" * 100_000)))
    error = drive.failure(drive.make(sim, "openrouter"))
    assert len(str(error)) < 600
    assert "\x1b" not in str(error)
    assert "\u202e" not in str(error)


# Failures under HTTP 200.


@pytest.mark.parametrize("form", ["documented", "bare", "choices-empty", "error-usage", "string-code"])
def test_an_error_inside_a_plain_answer(sim: Simulator, drive: Drive, form: Any) -> None:
    """An error under HTTP 200 is raised with its own class, code and words, in each form, with what had been said."""
    sim.script(Reply(text="half an answ", error=typed(503, "provider_overloaded", "no capacity"), error_form=form))
    error = drive.failure(drive.make(sim, "openrouter", retry=None))
    assert type(error) is errors.Overloaded
    assert "no capacity" in str(error)
    assert error.partial_text == (None if form == "bare" else "half an answ")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"id": None, "choices": None, "model": None, "object": None, "usage": None}, errors.EmptyResponse),
        ({"id": "g", "choices": []}, errors.EmptyResponse),
        ({"id": "g", "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": None}]},
         errors.EmptyResponse),
        ({"id": "g", "choices": [{"index": 0, "message": None, "finish_reason": None}]}, errors.EmptyResponse),
        ({"id": "g", "choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "error"}]}, errors.ServerError),
        ({"error": "just text"}, errors.ServerError),
        ({"error": {"message": "m"}}, errors.ServerError),
        ([], errors.MalformedResponse),
        ("text", errors.MalformedResponse),
        (None, errors.MalformedResponse),
        ({}, errors.EmptyResponse),
    ],
    ids=lambda value: json.dumps(value)[:40] if not isinstance(value, type) else "",
)  # fmt: skip
def test_a_document_without_an_answer(sim: Simulator, drive: Drive, body: Any, expected: type[errors.LLMError]) -> None:
    """A body under HTTP 200 that holds no answer is a typed error, never a `Response` without text."""
    sim.script(Reply(body=json.dumps(body).encode()))
    error = drive.failure(drive.make(sim, "openrouter", retry=None))
    assert isinstance(error, expected)
    assert isinstance(error, (errors.MalformedResponse, errors.ServerError))


@pytest.mark.covering(2)
@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_a_finished_answer_without_text_is_an_answer(sim: Simulator, drive: Drive, mode: str, reason: str) -> None:
    """With a finish reason the caller gets a `Response`, also when it holds no text; its properties say what it is."""
    sim.script(Reply(text="", finish_reason=reason))
    response = drive.response(drive.make(sim, "openrouter"), mode)
    assert (response.content or "", response.finish_reason) == ("", reason)
    assert (response.truncated, response.filtered) == (reason == "length", reason == "content_filter")
    assert len(sim.requests) == 1


def test_a_refusal_is_an_answer(sim: Simulator, drive: Drive, mode: str) -> None:
    """The model's refusal is no error; `.refusal` has its words."""
    sim.script(Reply(refusal="I will not help with that"))
    assert drive.response(drive.make(sim, "openai"), mode).refusal == "I will not help with that"


# Local errors.


def test_wrong_messages_are_refused_before_anything_is_sent(sim: Simulator, drive: Drive, mode: str) -> None:
    """What is wrong with the question is said at once, with provider and model, and never goes on down a chain."""
    model = drive.make(sim, "openrouter", fallbacks=[drive.make(sim, "ollama")])
    for messages in ([], [{"role": "nobody", "content": "x"}], [{"content": "x"}], 7, [7]):
        error = drive.failure(model, mode, messages=messages)
        assert isinstance(error, errors.BadRequest)
        assert (error.provider, error.model) == ("openrouter", "openai/gpt-4o-mini")
    assert sim.requests == []


def test_wrong_settings_are_refused_before_anything_is_sent(sim: Simulator, drive: Drive, mode: str) -> None:
    """An unknown setting of a call names the nearest known one; a value out of range says the range."""
    model = drive.make(sim, "openrouter")
    assert "temperature" in str(drive.failure(model, mode, temprature=1))
    assert "0 to 2" in str(drive.failure(model, mode, temperature=3))
    assert "create_language" in str(drive.failure(model, mode, base_url="https://x"))
    assert sim.requests == []
