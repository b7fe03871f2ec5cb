"""OpenRouter's typed failures: `error.metadata.error_type` and `error.availability`. Pure.

Sources: OpenRouter's page on errors and recorded answers; the values that were stable in August 2026. For an unknown
value the HTTP status decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmkit.errors import (
    AuthFailed,
    BadRequest,
    ContentRefused,
    ContextLengthExceeded,
    InsufficientCredit,
    LLMError,
    ModelNotFound,
    Overloaded,
    PayloadTooLarge,
    PermissionDenied,
    ProviderTimeout,
    RateLimited,
    ServerError,
)
from llmkit.types import scrub
from llmkit.wire.chat_reply import as_mapping

#: `metadata.error_type` -> class.
BY_TYPE: Mapping[str, type[LLMError]] = {
    "context_length_exceeded": ContextLengthExceeded,
    "max_tokens_exceeded": BadRequest,
    "token_limit_exceeded": ContextLengthExceeded,
    "string_too_long": BadRequest,
    "invalid_request": BadRequest,
    "invalid_prompt": BadRequest,
    "content_policy_violation": ContentRefused,
    "refusal": ContentRefused,
    "invalid_image": BadRequest,
    "image_too_large": BadRequest,
    "image_too_small": BadRequest,
    "unsupported_image_format": BadRequest,
    "image_download_failed": BadRequest,
    "authentication": AuthFailed,
    "payment_required": InsufficientCredit,
    "permission_denied": PermissionDenied,
    "not_found": ModelNotFound,
    "image_not_found": BadRequest,
    "precondition_failed": BadRequest,
    "payload_too_large": PayloadTooLarge,
    "unprocessable": BadRequest,
    "rate_limit_exceeded": RateLimited,
    "server": ServerError,
    "unmapped": ServerError,
    "provider_unavailable": ServerError,
    "provider_overloaded": Overloaded,
    "timeout": ProviderTimeout,
}
#: `availability.code` -> class and advice.
BY_AVAILABILITY: Mapping[str, tuple[type[LLMError], str]] = {
    "model_not_found": (ModelNotFound, "Check the name; model ids have the form vendor/model"),
    "wrong_endpoint": (BadRequest, "This model is not for chat completions"),
    "no_endpoints": (ModelNotFound, "Nobody serves this model under these conditions"),
    "model_deprecated": (ModelNotFound, "The model is retired"),
    "model_unavailable_upstream": (ModelNotFound, "The upstream provider does not serve it now"),
    "privacy_restricted": (ModelNotFound, "Your privacy settings exclude every provider of this model"),
    "constraint_filtered": (ModelNotFound, "The routing options exclude every provider of this model"),
    "free_variant_ended": (ModelNotFound, "The free variant has ended; the paid one may go on"),
    "region_restricted": (PermissionDenied, "The model is not offered in this region"),
    "capacity_exhausted": (RateLimited, "All providers of this model are at capacity"),
    "temporarily_unavailable": (Overloaded, "No provider of this model is available now"),
}
#: The words of an upstream's refusal that OpenRouter passes on as plain text.
_REFUSAL = re.compile(r"(?i)usage guidelines|content policy|safety_check|flagged by")
#: What a user should do about a class of error, where OpenRouter says nothing more.
ADVICE: Mapping[type[LLMError], str] = {
    AuthFailed: "Check the key in OPENROUTER_API_KEY or api_key=; keys: https://openrouter.ai/keys",
    InsufficientCredit: "Add credit at https://openrouter.ai/credits, or set a lower max_tokens",
    ModelNotFound: "Models: https://openrouter.ai/models (ids have the form vendor/model)",
}


def find_error_class(error: Mapping[str, object]) -> type[LLMError] | None:
    """The class that OpenRouter's own codes mean; `None` where they are missing or unknown."""
    availability = as_mapping(error.get("availability"))
    if known := BY_AVAILABILITY.get(str(availability.get("code"))):
        return known[0]
    metadata = as_mapping(error.get("metadata"))
    kind = str(metadata.get("error_type") or error.get("error_type") or "")
    code = error.get("code")
    if (cls := BY_TYPE.get(kind)) and not (cls is ServerError and isinstance(code, int) and code not in (500, 502)):
        return cls  # A vague type says less than a status such as 503 or 524 does.
    if error.get("code") == 403 and (
        any(metadata.get(key) for key in ("reasons", "flagged_input", "patterns"))
        or _REFUSAL.search(str(metadata.get("raw")))
    ):
        return ContentRefused
    if error.get("code") == 400 and "not a valid model" in str(error.get("message")):
        return ModelNotFound
    return None


def describe_cause(error: Mapping[str, object]) -> str:
    """The text of what went wrong, with the upstream's own words where OpenRouter passes them on."""
    text = str(error.get("message") or "")
    metadata = as_mapping(error.get("metadata"))
    name, raw = metadata.get("provider_name"), metadata.get("raw")
    if name:
        text += f" (upstream {name})"
    if isinstance(raw, str) and raw and raw != error.get("message"):
        text += f": {scrub(raw, 160)}"
    return text


def find_hint(error: Mapping[str, object], cls: type[LLMError]) -> str | None:
    """What the user can do: OpenRouter's suggestion where it makes one; `None` where nothing is known."""
    availability = as_mapping(error.get("availability"))
    known = BY_AVAILABILITY.get(str(availability.get("code")))
    advice = known[1] if known else next((text for kind, text in ADVICE.items() if issubclass(cls, kind)), None)
    models = availability.get("fallback_models")
    if isinstance(models, list) and models:
        alternatives = " or ".join(str(model) for model in models[:3])
        return f"{advice}. Try {alternatives}" if advice else f"Try {alternatives}"
    metadata = as_mapping(error.get("metadata"))
    remedy = metadata.get("remedy_hint")
    return scrub(str(remedy)) if remedy else advice


def may_retry(error: Mapping[str, object]) -> bool | None:
    """Is it worth sending the same request again? `None` where OpenRouter does not say."""
    retryable = as_mapping(error.get("availability")).get("retryable")
    if isinstance(retryable, bool):
        return retryable
    daily = "free-models-per-day" in str(error.get("message")) or "daily" in str(
        as_mapping(error.get("metadata")).get("limit_source")
    )
    return False if daily else None
