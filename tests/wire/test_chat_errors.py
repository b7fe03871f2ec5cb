"""Error replies: which class a status, a code and a text mean, and that reading one never raises."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmkit import errors
from llmkit.errors import LLMError
from llmkit.provider.exchange import HTTPReply
from llmkit.provider.interface import Call
from llmkit.types.messages import Message
from llmkit.wire.chat_errors import as_status, classify
from llmkit_ollama import OllamaProvider
from llmkit_openai import OpenAIProvider
from llmkit_openrouter import OpenRouterProvider
from llmkit_openrouter.failures import BY_AVAILABILITY, BY_TYPE

if TYPE_CHECKING:
    from llmkit.provider.interface import BaseProvider

CALL: Final = Call("some/model", (Message("user", "the prompt canary"),))
OPENROUTER: Final = OpenRouterProvider("openrouter")
OPENAI: Final = OpenAIProvider("openai")
OLLAMA: Final = OllamaProvider("ollama")
PROVIDERS: Final = (OPENROUTER, OPENAI, OLLAMA)
KEY: Final = "sk-or-v1-" + "0123456789abcdef" * 4


def read(provider: BaseProvider, status: int, body: object, **headers: str) -> LLMError:
    """The error of a reply."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return provider.parse_error(CALL, HTTPReply(status, named, data))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "BadRequest"), (401, "AuthFailed"), (402, "InsufficientCredit"), (403, "PermissionDenied"),
        (404, "ModelNotFound"), (405, "BadRequest"), (408, "ProviderTimeout"), (409, "RequestConflict"),
        (413, "PayloadTooLarge"), (418, "BadRequest"), (422, "BadRequest"), (429, "RateLimited"),
        (500, "ServerError"), (501, "ServerError"), (502, "ServerError"), (503, "Overloaded"),
        (504, "ProviderTimeout"), (520, "ServerError"), (523, "ServerError"), (524, "ProviderTimeout"),
        (529, "Overloaded"), (599, "ServerError"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("provider", [OPENROUTER, OPENAI], ids=["openrouter", "openai"])
def test_a_status_has_its_class(provider: BaseProvider, status: int, kind: str) -> None:
    """Without a code of the service the HTTP status decides, and the error carries it."""
    error = read(provider, status, {"error": {"message": "the service's words", "code": status}})
    assert (type(error).__name__, error.status) == (kind, status)
    assert "the service's words" in str(error)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize("body", [b"", b"<html>moved</html>", b'{"error": {"message": "x"}}'])
def test_a_redirect_is_a_wrong_address(provider: BaseProvider, status: int, body: bytes) -> None:
    """A redirect is never followed; it is a ConfigError that says so and does not show where it led."""
    error = read(provider, status, body, location="https://evil.example/?key=canary")
    assert type(error) is errors.ConfigError
    assert "redirect" in str(error)
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"code": "context_length_exceeded", "message": "x"}, "ContextLengthExceeded"),
        (400, {"message": "This model's maximum context length is 8192 tokens"}, "ContextLengthExceeded"),
        (400, {"message": "prompt is too long: 200000 tokens > 199999 maximum"}, "ContextLengthExceeded"),
        (429, {"code": "insufficient_quota", "message": "You exceeded your current quota"}, "QuotaExhausted"),
        (429, {"type": "insufficient_quota", "code": None, "message": "x"}, "QuotaExhausted"),
        (429, {"code": "rate_limit_exceeded", "message": "x"}, "RateLimited"),
        (404, {"code": "model_not_found", "message": "x"}, "ModelNotFound"),
        (404, {"message": "Invalid URL (POST /v1/chat/completion)"}, "BadRequest"),
        (401, {"code": "invalid_api_key", "message": "Incorrect API key provided"}, "AuthFailed"),
        (403, {"code": "unsupported_country_region_territory", "message": "x"}, "PermissionDenied"),
        (400, {"code": "content_policy_violation", "message": "x"}, "ContentRefused"),
        (400, {"code": "content_filter", "message": "x"}, "ContentRefused"),
        (529, {"type": "overloaded_error", "message": "x"}, "Overloaded"),
        (500, {"type": "server_error", "code": None, "message": "x"}, "ServerError"),
    ],
)
def test_a_code_says_more_than_the_status(status: int, error: dict[str, object], kind: str) -> None:
    """OpenAI's codes and types, and texts about length, outrank the status."""
    assert type(read(OPENAI, status, {"error": error})).__name__ == kind


TYPES: Final = {
    400: "context_length_exceeded max_tokens_exceeded token_limit_exceeded string_too_long invalid_request "
    "invalid_prompt content_policy_violation refusal invalid_image image_too_large image_too_small "
    "unsupported_image_format image_download_failed",
    401: "authentication",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found image_not_found",
    412: "precondition_failed",
    413: "payload_too_large",
    422: "unprocessable",
    429: "rate_limit_exceeded",
    500: "server unmapped",
    502: "provider_unavailable",
    503: "provider_overloaded",
    504: "timeout",
}


@pytest.mark.parametrize(
    ("status", "kind"), [(status, kind) for status, kinds in TYPES.items() for kind in kinds.split()]
)
@pytest.mark.parametrize("place", ["metadata", "error"])
def test_openrouters_error_types(status: int, kind: str, place: str) -> None:
    """Each stable `error_type` has a class, under `metadata` or beside it, and becomes the error's code."""
    extra = {"metadata": {"error_type": kind}} if place == "metadata" else {"error_type": kind}
    error = read(OPENROUTER, status, {"error": {"code": status, "message": "x", **extra}})
    assert type(error) is BY_TYPE[kind]
    assert (error.status, error.code) == (status, kind)


AVAILABILITY: Final = {
    "model_not_found": 400, "wrong_endpoint": 400, "no_endpoints": 404, "model_deprecated": 404,
    "model_unavailable_upstream": 404, "privacy_restricted": 404, "constraint_filtered": 404, "free_variant_ended": 404,
    "region_restricted": 403, "capacity_exhausted": 429, "temporarily_unavailable": 503,
}  # fmt: skip


@pytest.mark.parametrize(("code", "status"), AVAILABILITY.items())
@pytest.mark.parametrize("retryable", [True, False])
def test_openrouters_availability(code: str, status: int, retryable: bool) -> None:
    """Each availability code has a class; its suggestions, its wait and its word on retrying are taken over."""
    availability = {
        "code": code, "retryable": retryable, "requested_models": ["a/b"], "retry_after": 7,
        "fallback_models": ["x/one", "y/two"],
    }  # fmt: skip
    error = read(
        OPENROUTER, status, {"error": {"http_status": status, "message": "gone", "availability": availability}}
    )
    assert type(error) is BY_AVAILABILITY[code][0]
    assert (error.status, error.code, error.retryable, error.retry_after) == (status, code, retryable, 7)
    assert "x/one" in str(error)
    assert "y/two" in str(error)


def test_an_unknown_code_falls_back_to_the_status() -> None:
    """A code that OpenRouter adds later does no harm: the status decides, `retryable` is obeyed."""
    availability = {"code": "brand_new", "retryable": True}
    error = read(OPENROUTER, 404, {"error": {"code": 404, "message": "x", "availability": availability}})
    assert (type(error).__name__, error.retryable) == ("ModelNotFound", True)
    error = read(OPENROUTER, 503, {"error": {"code": 503, "message": "x", "metadata": {"error_type": "brand_new"}}})
    assert type(error).__name__ == "Overloaded"


@pytest.mark.parametrize(
    ("provider", "hint"),
    [(OPENROUTER, "OPENROUTER_API_KEY"), (OPENAI, "OPENAI_API_KEY")],
    ids=["openrouter", "openai"],
)
def test_a_bad_key_names_its_variable(provider: BaseProvider, hint: str) -> None:
    """A refused key is AuthFailed, and the text says which variable to look at and where keys are made."""
    error = read(provider, 401, {"error": {"message": "User not found.", "code": 401}})
    assert type(error) is errors.AuthFailed
    assert hint in str(error)
    assert "https://" in str(error)


def test_moderation_is_not_permission() -> None:
    """A 403 with reasons is ContentRefused, and does not repeat the input that was flagged."""
    metadata = {"reasons": ["violence"], "flagged_input": "the prompt canary", "provider_name": "OpenAI"}
    error = read(OPENROUTER, 403, {"error": {"code": 403, "message": "flagged", "metadata": metadata}})
    assert type(error) is errors.ContentRefused
    assert "canary" not in str(error)
    assert not error.fallback


def test_upstream_words_are_shown() -> None:
    """The upstream's own words, which OpenRouter passes on in `raw`, are part of the text, cut short and scrubbed."""
    raw = json.dumps({"error": {"message": f"model overloaded, your key {KEY}"}}) + "y" * 5000
    metadata = {"raw": raw, "provider_name": "DeepInfra"}
    error = read(OPENROUTER, 502, {"error": {"code": 502, "message": "Provider returned error", "metadata": metadata}})
    assert "DeepInfra" in str(error)
    assert "model overloaded" in str(error)
    assert KEY not in str(error)
    assert len(str(error)) < 700


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (404, {"error": "model 'x' not found"}, "ModelNotFound", "ollama pull some/model"),
        (404, {"error": 'model "x" not found, try pulling it first'}, "ModelNotFound", "ollama pull some/model"),
        (404, b"404 page not found", "BadRequest", "base_url"),
        (400, {"error": '"x" does not support tools'}, "BadRequest", "tools"),
        (400, {"error": '"x" does not support thinking'}, "BadRequest", "thinking"),
        (400, {"error": "the prompt is longer than the context length"}, "ContextLengthExceeded", "longer"),
        (400, {"error": "model is required"}, "BadRequest", "required"),
        (401, {"error": "unauthorized", "signin_url": "https://ollama.com/s?x=1"}, "AuthFailed", "ollama signin"),
        (403, b"", "PermissionDenied", "403"),
        (429, {"error": "limit"}, "RateLimited", "limit"),
        (500, {"error": "model runner has unexpectedly stopped"}, "ServerError", "stopped"),
        (503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, "Overloaded", "queue"),
        (502, b"", "ServerError", "502"),
    ],
)
def test_ollamas_errors(status: int, body: object, kind: str, said: str) -> None:
    """Ollama's one-text errors have a class by status and text, and say what to do."""
    error = read(OLLAMA, status, body)
    assert (type(error).__name__, error.status) == (kind, status)
    assert said in str(error)


@pytest.mark.parametrize("status", [400, 404, 500, 502, 503, 429])
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize(
    "body",
    [b"", b"<html><h1>502 Bad Gateway</h1></html>", b"upstream connect error", b"[]", b'"x"', b"\xff\xfe", b"[" * 9999],
    ids=["empty", "html", "text", "list", "json text", "no utf-8", "deep"],
)
def test_a_body_that_is_not_the_services_own(provider: BaseProvider, status: int, body: bytes) -> None:
    """The page of a proxy is a typed error with the status and a short excerpt."""
    error = read(provider, status, body)
    assert error.status == status
    assert len(str(error)) < 600
    assert "\x1b" not in str(error)


def test_control_characters_do_not_reach_the_text() -> None:
    """Escape sequences and direction marks of a foreign text are taken out before it is shown."""
    error = read(OPENAI, 400, {"error": {"message": "a\x1b[31mred\x1b]52;c;x\x07 \u202eabc\r\x00"}})
    assert not {"\x1b", "\x07", "\u202e", "\r", "\x00"} & set(str(error))


@pytest.mark.parametrize(
    "text", [f"Incorrect API key provided: {KEY}", f"header 'Authorization: Bearer {KEY}' refused", f"key={KEY}"]
)
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_an_echoed_key_does_not_reach_the_text(provider: BaseProvider, text: str) -> None:
    """A service that echoes the key does not get it into the error, in its text, its fields or its pickle."""
    body = {"error": text} if provider is OLLAMA else {"error": {"message": text, "metadata": {"raw": text}}}
    error = read(provider, 401, body)
    assert KEY not in str(error)
    assert KEY not in repr(error.__dict__)
    assert KEY.encode() not in pickle.dumps(error)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x_generation_id": "gen-1", "cf_ray": "ray"}, "gen-1"),
        ({"x_request_id": "req-1"}, "req-1"),
        ({"request_id": "req-2"}, "req-2"),
        ({"cf_ray": "ray-1"}, "ray-1"),
        ({}, None),
    ],
)
def test_the_id_to_quote(headers: dict[str, str], expected: str | None) -> None:
    """The id to quote to the service comes from its headers, the best one first."""
    error = read(OPENROUTER, 500, {"error": {"code": 500, "message": "x"}}, **headers)
    assert error.request_id == expected
    assert expected is None or expected in str(error)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (429, 429), ("429", 429), (599, 599), (100, 100), (99, None), (600, None), (True, None), (None, None),
        ("", None), ("4e2", None), ("²", None), ("４２９", None), ("9" * 5000, None), (429.0, None), ([429], None),
    ],
)  # fmt: skip
def test_codes_that_stand_for_a_status(code: object, status: int | None) -> None:
    """A code inside a body stands for a status only if it is a whole number from 100 to 599."""
    assert as_status(code) == status


def test_a_wrapped_list_is_read() -> None:
    """Google's compatible endpoint wraps its error in a list; it is read as the one error in it."""
    error = read(OPENAI, 400, [{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}])
    assert "API key not valid" in str(error)


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        ("RateLimited", True), ("Overloaded", True), ("ServerError", True), ("ProviderTimeout", True),
        ("RequestConflict", True), ("BadRequest", False), ("AuthFailed", False), ("InsufficientCredit", False),
        ("QuotaExhausted", False), ("PermissionDenied", False), ("ContentRefused", False), ("ModelNotFound", False),
        ("ContextLengthExceeded", False), ("PayloadTooLarge", False),
    ],
)  # fmt: skip
def test_what_is_worth_sending_again(kind: str, retryable: bool) -> None:
    """Only failures that may pass are retried."""
    assert getattr(errors, kind).retryable is retryable


@pytest.mark.parametrize(
    "limit",
    [
        {"message": "Rate limit exceeded: free-models-per-day"},
        {"message": "Rate limit exceeded", "metadata": {"limit_source": "openrouter_free_tier_daily"}},
    ],
)
def test_the_daily_limit_is_not_retried(limit: dict[str, object]) -> None:
    """A limit of the whole day does not pass within a call, so it is not tried again."""
    error = read(OPENROUTER, 429, {"error": {"code": 429, **limit}})
    assert type(error) is errors.RateLimited
    assert not error.retryable


JUNK: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["429", "²", "rate_limit_exceeded", "insufficient_quota", "nan", "-5"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error", "code", "message", "type", "metadata", "availability", "raw", "provider_name", "headers",
                    "retry_after", "retryable", "error_type", "fallback_models", "remedy_hint", "limit_source", "param",
                    "X-RateLimit-Reset", "signin_url", "reasons", "status",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)  # fmt: skip
HEADERS: Final = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset", "x-request-id", "content-type"]),
    st.text(max_size=8),
    max_size=3,
)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@example(status=400, body=b'{"error": " "}', headers={})
@example(status=400, body=b'{"error": {"message": "\x00"}}', headers={})
@given(
    status=st.integers(300, 599),
    body=st.one_of(st.fixed_dictionaries({"error": JUNK}), JUNK).map(json.dumps).map(str.encode)
    | st.binary(max_size=30),
    headers=HEADERS,
)
def test_any_error_reply_is_an_error_of_ours(
    provider: BaseProvider, status: int, body: bytes, headers: dict[str, str]
) -> None:
    """Reading an error reply never raises: any status, headers and body are a typed error with a short text."""
    error: Any = provider.parse_error(CALL, HTTPReply(status, headers, body))
    assert isinstance(error, LLMError)
    assert error.message
    assert len(str(error)) < 1500
    assert error.retry_after is None or 0 <= error.retry_after <= 86_400
    assert type(pickle.loads(pickle.dumps(error))) is type(error)


@given(st.none() | st.integers(), st.lists(st.text(max_size=12), max_size=3), st.text(max_size=30))
def test_every_status_code_and_text_has_one_class(status: int | None, codes: list[str], message: str) -> None:
    """The classifier is total: whatever comes in, a class of the tree comes out."""
    assert issubclass(classify(status, tuple(codes), message), LLMError)
