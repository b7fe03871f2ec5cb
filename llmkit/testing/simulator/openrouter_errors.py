"""OpenRouter's error objects: code, message, `error_type`; availability for a model that does not exist."""

from collections.abc import Mapping

from llmkit.testing.simulator.jsonvalue import JSON, trust_object

_USUAL_ERRORS = {
    400: ("invalid_request", "Invalid request"),
    401: ("authentication", "No auth credentials found"),
    402: (
        "payment_required",
        "This request requires more credits, or fewer max_tokens. Add some at https://openrouter.ai/settings.",
    ),
    403: ("permission_denied", "Forbidden"),
    404: ("not_found", "Not Found"),
    408: ("timeout", "Request timed out"),
    413: ("payload_too_large", "Payload too large"),
    422: ("unprocessable", "Unprocessable"),
    429: ("rate_limit_exceeded", "Provider returned error"),
    500: ("server", "Internal Server Error"),
    502: ("provider_unavailable", "Provider returned error"),
    503: ("provider_overloaded", "Provider returned error"),
    504: ("timeout", "Provider timed out"),
}
_FALLBACK_MODELS: tuple[str, ...] = ("openai/gpt-4o-mini", "google/gemini-2.5-flash")


def build_inner_error(status: int, error: Mapping[str, object] | str | None) -> dict[str, JSON]:
    """Return the error object: a mapping as it is, else the message (None = the usual one) with code and type."""
    if error is not None and not isinstance(error, str):
        return dict(trust_object(error))
    kind, usual = _USUAL_ERRORS.get(status, ("unmapped", f"HTTP {status}"))
    metadata: dict[str, JSON] = {"error_type": kind}
    if status in {429, 502, 503, 504}:
        metadata["provider_name"] = "Simulated"
    return {"code": status, "message": error or usual, "metadata": metadata}


def build_envelope(status: int, error: Mapping[str, object] | str | None, *, model: str = "") -> dict[str, JSON]:
    """Return the whole body of an error response. With `model` it says that this model does not exist."""
    inner = build_inner_error(status, error)
    if model:
        inner["message"] = f"{model} is not a valid model ID"
        inner["availability"] = {
            "code": "model_not_found",
            "retryable": False,
            "requested_models": [model],
            "fallback_models": list(_FALLBACK_MODELS),
            "docs_url": "https://openrouter.ai/docs/guides/overview/models",
        }
    known: dict[str, JSON] = {} if status == 401 else {"user_id": "user_sim"}
    return {"error": inner, **known}
