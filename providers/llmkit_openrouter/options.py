"""OpenRouter's own options. Sources: OpenRouter's documentation and OpenAPI document of August 2026."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Literal, TypedDict

from llmkit_openrouter.bounds import check_options, remove_unset

Sort = Literal["price", "throughput", "latency", "exacto"]


class ProviderPreferences(TypedDict, total=False):
    """Which upstream providers may answer, and in which order.

    `max_price` is in USD per MILLION tokens (per request or unit for the rest). `preferred_max_latency` is in
    seconds, `preferred_min_throughput` in tokens a second. An unknown key is an error before anything is sent.
    """

    order: Sequence[str]
    only: Sequence[str]
    ignore: Sequence[str]
    allow_fallbacks: bool
    require_parameters: bool
    data_collection: Literal["allow", "deny"]
    zdr: bool
    enforce_distillable_text: bool
    quantizations: Sequence[str]
    sort: Sort | Mapping[str, str]
    preferred_min_throughput: float | Mapping[str, float]
    preferred_max_latency: float | Mapping[str, float]
    max_price: Mapping[str, float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRouterOptions:
    """The options that only OpenRouter has; pass them as `options=`. A field that is `None` is not sent.

    Attributes:
        provider: the routing over upstream providers.
        models: further models to fall back to, tried inside OpenRouter after the model of the call; at most 3.
        reasoning: OpenRouter's whole reasoning object (`effort`, `max_tokens`, `exclude`, `enabled`, `summary`).
        plugins: for instance `[{"id": "web"}]`.
        preset: slug of a stored preset.
        session_id: groups calls and keeps them on one endpoint; at most 256 characters.
        cache_control: automatic prompt-cache breakpoint, `True` or `{"type": "ephemeral", "ttl": "5m" or "1h"}`.
        prompt_cache_key, prompt_cache_options: OpenAI-style prompt caching.
        trace: the ids for broadcast destinations.
        image_config: the provider's image options.
        max_tool_calls: budget of OpenRouter's server tools, 1 to 30.
        stop_server_tools_when: conditions that end the server tools' loop.
        web_search_options: native search, `{"search_context_size": "low" | "medium" | "high"}`.
        debug: `{"echo_upstream_body": True}`, streams only; not for production.
        categories: the categories of the app, for attribution; at most 2.
        metadata: ask for `openrouter_metadata`, the routing trace; it comes back in `response.extra`.
        cache: use OpenRouter's response cache; a hit is free.
        cache_ttl: seconds that an answer stays in that cache, 1 to 86,400.
    """

    provider: ProviderPreferences | None = None
    models: Sequence[str] | None = None
    reasoning: Mapping[str, object] | None = None
    plugins: Sequence[Mapping[str, object]] | None = None
    preset: str | None = None
    session_id: str | None = None
    cache_control: Mapping[str, str] | Literal[True] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Mapping[str, object] | None = None
    trace: Mapping[str, object] | None = None
    image_config: Mapping[str, object] | None = None
    max_tool_calls: int | None = None
    stop_server_tools_when: Sequence[Mapping[str, object]] | None = None
    web_search_options: Mapping[str, object] | None = None
    debug: Mapping[str, object] | None = None
    categories: Sequence[str] | None = None
    metadata: bool | None = None
    cache: bool | None = None
    cache_ttl: int | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            BadRequest: a value is out of its bounds, or a key of `provider` is unknown.
        """
        check_options({item.name: getattr(self, item.name) for item in fields(self)})

    def body(self) -> dict[str, object]:
        """The fields of the request body."""
        body = {
            item.name: value
            for item in fields(self)
            if item.name not in _SENT_AS_HEADERS and (value := getattr(self, item.name)) is not None
        }
        if self.cache_control is True:
            body["cache_control"] = {"type": "ephemeral"}
        if self.provider is not None:
            preferences: dict[str, object] = dict(self.provider)
            if isinstance(prices := self.provider.get("max_price"), Mapping):
                preferences["max_price"] = {key: format(Decimal(str(price)), "f") for key, price in prices.items()}
            body["provider"] = preferences
        return {name: remove_unset(value) for name, value in body.items()}

    def headers(self) -> dict[str, str]:
        """The headers of the request."""
        headers: dict[str, str] = {}
        if self.categories:
            headers["X-OpenRouter-Categories"] = ",".join(self.categories)
        if self.metadata:
            headers["X-OpenRouter-Metadata"] = "enabled"
        if self.cache is not None:
            headers["X-OpenRouter-Cache"] = str(self.cache).lower()
        if self.cache_ttl is not None:
            headers["X-OpenRouter-Cache-TTL"] = str(self.cache_ttl)
        return headers


_SENT_AS_HEADERS = frozenset({"categories", "metadata", "cache", "cache_ttl"})
