"""What OpenRouter bounds: ranges, enumerations and lengths, checked before anything is sent.

Most are in its OpenAPI document; the 3 `models` and the length of names are from answers of the service.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

from llmkit.errors import BadRequest

PREFERENCES = (
    "order", "only", "ignore", "allow_fallbacks", "require_parameters", "data_collection", "zdr",
    "enforce_distillable_text", "quantizations", "sort", "preferred_min_throughput", "preferred_max_latency",
    "max_price",
)  # fmt: skip
QUANTIZATIONS = ("int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown")
SORTS = ("price", "throughput", "latency", "exacto")
PRICES = ("prompt", "completion", "request", "image", "audio")
TIERS = ("auto", "default", "flex", "priority", "fast", "scale")
MODALITIES = ("text", "image", "audio")
VERBOSITIES = ("low", "medium", "high", "xhigh", "max")
EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")
REASONING = ("effort", "max_tokens", "exclude", "enabled", "summary", "context", "mode")
MOST_MODELS = 3


def one_of(name: str, value: object, allowed: Collection[str]) -> None:
    """Raise unless `value` is among `allowed`."""
    if value not in allowed:
        near = difflib.get_close_matches(str(value), list(allowed), n=1)
        raise BadRequest(
            f"{name} is {value!r}", hint=f"Did you mean {near[0]!r}?" if near else f"One of {', '.join(allowed)}"
        )


def length(name: str, value: Sequence[object] | Mapping[str, object] | str, most: int, unit: str) -> None:
    """Raise if `value` is longer than `most`."""
    if len(value) > most:
        raise BadRequest(f"{name} has {len(value)} {unit}", hint=f"OpenRouter takes at most {most}")


def check_options(options: Mapping[str, object]) -> None:
    """Check the fields of `OpenRouterOptions`."""
    provider = options.get("provider")
    if isinstance(provider, Mapping):
        _check_provider(provider)
    elif provider is not None:
        raise BadRequest("provider is not a dict", hint='Shape: {"order": ["anthropic"], "allow_fallbacks": False}')
    if isinstance(models := options.get("models"), str):
        raise BadRequest("models is text", hint="Pass a list of model names")
    if models is not None:
        length("models", list(models), MOST_MODELS, "entries")  # type: ignore[call-overload]
    reasoning = options.get("reasoning")
    if isinstance(reasoning, Mapping):
        check_reasoning(reasoning)
    if isinstance(session := options.get("session_id"), str):
        length("session_id", session, 256, "characters")
    if isinstance(categories := options.get("categories"), Sequence):
        length("categories", categories, 2, "entries")
        for category in categories:
            if str(category) != str(category).lower() or len(str(category)) > 30:
                raise BadRequest(f"category {category!r} is not lower case or longer than 30 characters")
    for name, low, high in (("max_tool_calls", 1, 30), ("cache_ttl", 1, 86_400)):
        number = options.get(name)
        if isinstance(number, int) and not low <= number <= high:
            raise BadRequest(f"{name} is {number}", hint=f"{name} goes from {low} to {high}")
    for plugin in _listed(options.get("plugins")):
        if not isinstance(plugin, Mapping) or not isinstance(plugin.get("id"), str):
            raise BadRequest("a plugin has no id", hint='Shape: {"id": "web"}')
    control = options.get("cache_control")
    if isinstance(control, Mapping):
        one_of("cache_control.type", control.get("type"), ("ephemeral",))
        if "ttl" in control:
            one_of("cache_control.ttl", control["ttl"], ("5m", "1h"))


def _check_provider(provider: Mapping[str, object]) -> None:
    for key in provider:
        one_of("a key of provider", key, PREFERENCES)
    if "data_collection" in provider:
        one_of("provider.data_collection", provider["data_collection"], ("allow", "deny"))
    sort = provider.get("sort")
    if isinstance(sort, Mapping):
        one_of("provider.sort.by", sort.get("by"), SORTS)
        if sort.get("partition") is not None:
            one_of("provider.sort.partition", sort["partition"], ("model", "none"))
    elif sort is not None:
        one_of("provider.sort", sort, SORTS)
    for quantization in _listed(provider.get("quantizations")):
        one_of("provider.quantizations", quantization, QUANTIZATIONS)
    prices = provider.get("max_price")
    if isinstance(prices, Mapping):
        for key in prices:
            one_of("a key of provider.max_price", key, PRICES)


def check_reasoning(reasoning: Mapping[str, object]) -> None:
    """Check OpenRouter's reasoning object."""
    for key in reasoning:
        one_of("a key of reasoning", key, REASONING)
    if reasoning.get("effort") is not None:
        one_of("reasoning.effort", reasoning["effort"], EFFORTS)
        if reasoning.get("max_tokens") is not None:
            raise BadRequest("reasoning has both effort and max_tokens", hint="Pass one of them")
    if reasoning.get("summary") is not None:
        one_of("reasoning.summary", reasoning["summary"], ("auto", "concise", "detailed"))
    budget = reasoning.get("max_tokens")
    if budget is not None and (not isinstance(budget, int) or isinstance(budget, bool) or budget < 1):
        raise BadRequest(f"reasoning.max_tokens is {budget!r}", hint="It is a whole number of 1 or more")


def check_settings(settings: Mapping[str, object]) -> None:
    """Check the common settings against what OpenRouter takes."""
    if settings.get("service_tier") is not None:
        one_of("service_tier", settings["service_tier"], TIERS)
    if settings.get("verbosity") is not None:
        one_of("verbosity", settings["verbosity"], VERBOSITIES)
    for modality in _listed(settings.get("modalities")):
        one_of("modalities", modality, MODALITIES)
    metadata = settings.get("metadata")
    if isinstance(metadata, Mapping):
        length("metadata", metadata, 16, "pairs")
        for key, value in metadata.items():
            if not isinstance(value, str):
                raise BadRequest(f"metadata[{key!r}] is {type(value).__name__}", hint="Values are text")
            length(f"metadata key {key!r}", str(key), 64, "characters")
            length(f"metadata[{key!r}]", value, 512, "characters")
    bias = settings.get("logit_bias")
    for token, weight in bias.items() if isinstance(bias, Mapping) else ():
        if not isinstance(weight, (int, float)) or not -100 <= weight <= 100:
            raise BadRequest(f"logit_bias[{token!r}] is {weight!r}", hint="It goes from -100 to 100")
    for tool in _listed(settings.get("tools")):
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if isinstance(function, Mapping):
            length("a tool's name", str(function.get("name") or ""), 64, "characters")


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
