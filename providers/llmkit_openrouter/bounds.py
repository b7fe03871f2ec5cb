"""What OpenRouter takes, as tables: ranges, words and shapes, checked before anything is sent.

Most bounds are in its OpenAPI document of August 2026; that of `models` and the length of names are from the service's
answers. Where the document leaves an object open, unknown keys are not checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from llmkit.errors import BadRequest
from llmkit.types import (
    EFFORTS,
    Check,
    anything,
    either,
    flag,
    many,
    measure,
    name_of,
    number,
    one_of,
    table,
    tagged,
    text,
    whole,
    wrong,
)

#: The check of a prompt-cache breakpoint.
BREAKPOINT = table({"type": one_of("ephemeral"), "ttl": one_of("5m", "1h")}, required=("type",))
QUANTIZATIONS = ("int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown")
SORTS = ("price", "throughput", "latency", "exacto")
PRICES: tuple[str, ...] = ("prompt", "completion", "request", "image", "audio")
TIERS = ("auto", "default", "flex", "priority", "fast", "scale")
VERBOSITIES = ("low", "medium", "high", "xhigh", "max")
MODALITIES = ("text", "image", "audio")
TEXTS = many(text())
MAX_MODELS = 3


def check_price(name: str, value: object) -> None:
    """Check a price of a filter: USD per million tokens, as a number or decimal text."""
    try:
        amount = None if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount < 0:
        raise wrong(name, value, "USD per million tokens, 0 or more", say=name_of)


def _check_cache_control(name: str, value: object) -> None:
    if value is not True:
        BREAKPOINT(name, value)


def _check_max_price(name: str, value: object) -> None:
    fields: dict[str, Check] = dict.fromkeys(PRICES, check_price)
    table(fields)(name, value)
    for key, item in value.items() if isinstance(value, Mapping) else ():
        check_price(f"{name}.{key}", item)


def _check_category(name: str, value: object) -> None:
    text(30, 1)(name, value)
    category = str(value)
    if category != category.lower() or not category.replace("-", "").isalnum() or not category.isascii():
        raise wrong(name, value, "lower case, with dashes", say=name_of)


def _check_percentiles(name: str, value: object) -> None:
    cutoffs = table(dict.fromkeys(("p50", "p75", "p90", "p99"), number(0)))
    cutoffs(name, value) if isinstance(value, Mapping) else number(0)(name, value)


def _check_image_value(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, list, tuple)):
        raise wrong(name, value, "text, a number or a list")
    if isinstance(value, (int, float)):
        number()(name, value)


def _check_image_config(name: str, value: object) -> None:
    table({}, rest=_check_image_value)(name, value)


PROVIDER = table(
    {
        "order": TEXTS,
        "only": TEXTS,
        "ignore": TEXTS,
        "allow_fallbacks": flag,
        "require_parameters": flag,
        "data_collection": one_of("allow", "deny"),
        "zdr": flag,
        "enforce_distillable_text": flag,
        "quantizations": many(one_of(*QUANTIZATIONS)),
        "sort": either(
            one_of(*SORTS),
            table(
                {"by": one_of(*SORTS), "partition": one_of("model", "none")},
                required=("by",),
            ),
        ),
        "preferred_min_throughput": _check_percentiles,
        "preferred_max_latency": _check_percentiles,
        "max_price": _check_max_price,
    }
)
_REASONING = table(
    {
        "effort": one_of(*EFFORTS),
        "max_tokens": whole(1),
        "exclude": flag,
        "enabled": flag,
        "summary": one_of("auto", "concise", "detailed"),
        "context": one_of("auto", "all_turns", "current_turn"),
        "mode": one_of("standard", "pro"),
    }
)


def check_reasoning(name: str, value: object) -> None:
    """Check OpenRouter's reasoning object; effort and budget exclude each other."""
    _REASONING(name, value)
    if isinstance(value, Mapping) and value.get("effort") is not None and value.get("max_tokens") is not None:
        raise BadRequest(f"{name} has both effort and max_tokens", hint="Pass one of them")


_ROUTER = {
    "allowed_models": many(text(1024), most=1024),
    "excluded_models": many(text(1024), most=1024),
    "cost_tier": one_of("low", "medium", "high", "xhigh", "max"),
    "cost_quality_tradeoff": whole(0, 10),
    "pin_model": flag,
}
_LOCATION = table(
    {"type": one_of("approximate"), "city": text(), "country": text(), "region": text(), "timezone": text()},
    required=("type",),
)


def _plugin_table(fields: Mapping[str, Check]) -> Check:
    return table({"id": text(), "enabled": flag, **fields}, rest=anything)


PLUGIN = tagged(
    "id",
    {
        "auto-router": _plugin_table(_ROUTER),
        "auto-beta-router": _plugin_table(_ROUTER),
        "moderation": _plugin_table({}),
        "web": _plugin_table(
            {
                "engine": one_of("native", "exa", "firecrawl", "parallel", "perplexity"),
                "mode": one_of(
                    "instant", "fast", "auto", "deep-lite", "deep", "deep-reasoning", "turbo", "basic", "advanced"
                ),
                "max_results": whole(1),
                "max_uses": whole(1),
                "search_prompt": text(),
                "include_domains": TEXTS,
                "exclude_domains": TEXTS,
                "user_location": _LOCATION,
            }
        ),
        "web-fetch": _plugin_table(
            {
                "allowed_domains": TEXTS,
                "blocked_domains": TEXTS,
                "max_content_tokens": whole(1),
                "max_uses": whole(1),
            }
        ),
        "file-parser": _plugin_table(
            {"pdf": table({"engine": one_of("mistral-ocr", "pdf-text", "native", "cloudflare-ai")}, rest=anything)}
        ),
        "response-healing": _plugin_table({}),
        "context-compression": _plugin_table({"engine": one_of("middle-out")}),
        "pareto-router": _plugin_table(
            {
                "max_price": number(0),
                "min_coding_score": number(0, 1),
                "price_source": one_of("prompt", "weighted_avg"),
            }
        ),
        "fusion": _plugin_table(
            {
                "analysis_models": many(text(), least=1, most=8),
                "max_tool_calls": whole(1, 16),
                "model": text(),
                "preset": one_of("general-high", "general-budget", "general-fast"),
            }
        ),
    },
)


def _condition_table(field: str, check: Check) -> Check:
    return table({"type": text(), field: check}, required=(field,), rest=anything)


OPTIONS: Mapping[str, Check] = {
    "provider": PROVIDER,
    "models": many(text(), most=MAX_MODELS),
    "reasoning": check_reasoning,
    "plugins": many(PLUGIN),
    "preset": text(),
    "session_id": text(256),
    "cache_control": _check_cache_control,
    "prompt_cache_key": text(),
    "prompt_cache_options": table({"mode": one_of("explicit"), "ttl": text()}, required=("mode",), rest=anything),
    "trace": table(
        dict.fromkeys(("trace_id", "trace_name", "span_name", "generation_name", "parent_span_id"), text()),
        rest=anything,
    ),
    "image_config": _check_image_config,
    "max_tool_calls": whole(1, 30),
    "stop_server_tools_when": many(
        tagged(
            "type",
            {
                "step_count_is": _condition_table("step_count", whole()),
                "has_tool_call": _condition_table("tool_name", text(least=1)),
                "max_tokens_used": _condition_table("max_tokens", whole()),
                "max_cost": _condition_table("max_cost_in_dollars", number()),
                "finish_reason_is": _condition_table("reason", text(least=1)),
            },
        ),
        least=1,
    ),
    "web_search_options": table({"search_context_size": one_of("low", "medium", "high")}, rest=anything),
    "debug": table({"echo_upstream_body": flag}, rest=anything),
    "categories": many(_check_category, most=2),
    "metadata": flag,
    "cache": flag,
    "cache_ttl": whole(1, 86_400),
}
_SERVER_TOOLS = (
    "openrouter:advisor", "openrouter:bash", "openrouter:datetime", "openrouter:files", "openrouter:fusion",
    "openrouter:image_generation", "openrouter:experimental__search_models", "openrouter:subagent",
    "openrouter:web_fetch", "openrouter:web_search", "web_search", "web_search_preview",
    "web_search_preview_2025_03_11", "web_search_2025_08_26",
)  # fmt: skip


def _check_name(name: str, value: object) -> None:
    text(64, 1)(name, value)
    if not all(char.isascii() and (char.isalnum() or char in "_-") for char in str(value)):
        raise wrong(name, value, "letters, digits, _ and -", say=name_of)


_TOOL = tagged(
    "type",
    {
        "function": table(
            {
                "type": text(),
                "function": table(
                    {
                        "name": _check_name,
                        "description": text(),
                        "parameters": table({}, rest=anything),
                        "strict": flag,
                    },
                    required=("name",),
                    rest=anything,
                ),
            },
            required=("function",),
            rest=anything,
        ),
        **dict.fromkeys(_SERVER_TOOLS, table({"parameters": table({}, rest=anything)}, rest=anything)),
    },
)


def _check_tool_choice(name: str, value: object) -> None:
    if isinstance(value, str):
        return  # A word or the name of a tool, which the dialect checks.
    table({"type": one_of("function", *_SERVER_TOOLS)}, required=("type",), rest=anything)(name, value)
    if isinstance(value, Mapping) and value.get("type") == "function":
        function = table({"name": text(least=1)}, required=("name",), rest=anything)
        table({"function": function}, required=("function",), rest=anything)(name, value)


def _check_structured(name: str, value: object) -> None:
    if isinstance(value, Mapping) and value.get("type") == "json_schema":
        body = table(
            {"name": _check_name, "description": text(), "schema": table({}, rest=anything), "strict": flag},
            rest=anything,
        )
        table({"json_schema": body}, required=("json_schema",), rest=anything)(name, value)


def _check_prediction_part(name: str, value: object) -> None:
    table({"type": one_of("text"), "text": text()}, required=("type", "text"), rest=anything)(name, value)


def _check_metadata(name: str, value: object) -> None:
    table({}, rest=text(512))(name, value)
    if isinstance(value, Mapping):
        if len(value) > 16:
            raise wrong(name, value, "a dict of at most 16 pairs", say=measure)
        for key in value:
            text(64)(f"a key of {name}", key)


SETTINGS: Mapping[str, Check] = {
    "service_tier": one_of(*TIERS),
    "verbosity": one_of(*VERBOSITIES),
    "modalities": many(one_of(*MODALITIES)),
    "metadata": _check_metadata,
    "tools": many(_TOOL),
    "tool_choice": _check_tool_choice,
    "structured": _check_structured,
    "prediction": table(
        {"type": one_of("content"), "content": either(text(), many(_check_prediction_part))},
        required=("type", "content"),
        rest=anything,
    ),
}


def remove_unset(value: object) -> object:
    """The value without entries of dicts that are `None`. That means "not set", and OpenRouter takes few nulls."""
    if isinstance(value, Mapping):
        return {key: remove_unset(item) for key, item in value.items() if item is not None}
    return [remove_unset(item) for item in value] if isinstance(value, (list, tuple)) else value


def check_options(options: Mapping[str, object]) -> None:
    """Check the fields of `OpenRouterOptions`; a field that is `None` is not set."""
    for name, value in options.items():
        if value is not None:
            OPTIONS[name](name, value)


def check_settings(settings: Mapping[str, object]) -> None:
    """Check the common settings against what OpenRouter takes."""
    for name, value in settings.items():
        if name in SETTINGS:
            SETTINGS[name](name, value)
