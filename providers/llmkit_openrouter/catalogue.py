"""OpenRouter's catalogue and its data about a key: `/models`, `/models/.../endpoints`, `/key`, `/credits`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from urllib.parse import parse_qsl, quote, urlencode

from llmkit.errors import LLMError, MalformedResponse
from llmkit.provider import HTTPReply, HTTPRequest, Operation
from llmkit.types import KeyInfo, ModelEndpoint, ModelInfo
from llmkit.wire import model_rows as models
from llmkit.wire.chat_reply import JSON, as_mapping, as_objects, as_text
from llmkit.wire.numbers import as_count, as_exact
from llmkit.wire.prices import parse_price, parse_pricing

#: The whole list comes at once today. Should it come in pages, no more than so many are asked for.
_MAX_PAGES = 50
_LIST = "the list of models"
_SCORES = ("intelligence", "coding", "agentic")


def list_models(provider: str) -> Operation[Sequence[ModelInfo]]:
    """All models of the catalogue."""
    infos: list[ModelInfo] = []
    path: str | None = "/models"
    for _ in range(_MAX_PAGES):
        if path is None:
            break
        reply = yield HTTPRequest(path, method="GET")
        page = models.decode_document(reply, _LIST)
        infos += [parse_model_info(row, provider) for row in models.pick_rows(page, _LIST)]
        path = _find_next_page(page, path)
    return tuple(infos)


def model_details(listed: ModelInfo) -> Operation[ModelInfo]:
    """The listed model with its endpoints; unchanged where OpenRouter knows none."""
    if "/" not in listed.id:
        return listed
    try:
        reply = yield HTTPRequest(f"/models/{quote(listed.id, safe='/~:')}/endpoints", method="GET")
    except LLMError as error:
        if error.status == 404:
            return listed
        raise
    rows = as_mapping(_decode_data(reply, "the answer about endpoints")).get("endpoints")
    endpoints = tuple(_parse_endpoint(row) for row in as_objects(rows))
    return replace(listed, endpoints=tuple(item for item in endpoints if item.provider))


def check_key() -> Operation[KeyInfo]:
    """What the key may spend, and the account's balance where the key may ask for it."""
    reply = yield HTTPRequest("/key", method="GET")
    info = _parse_key_info(_decode_data(reply, "the answer about the key"))
    if not info.may_see_credits:
        return info
    try:
        reply = yield HTTPRequest("/credits", method="GET")
    except LLMError as error:
        if error.status == 403:
            return info
        raise
    balance = _decode_data(reply, "the answer about credits")
    bought, spent = _parse_money(balance.get("total_credits")), _parse_money(balance.get("total_usage"))
    return info if bought is None or spent is None else replace(info, balance=bought - spent)


def parse_model_info(row: JSON, provider: str) -> ModelInfo:
    """The model that one row of the catalogue describes."""
    info = models.parse_model_info(row, provider, parse_pricing(row.get("pricing")))
    return replace(info, benchmarks=_parse_benchmarks(as_mapping(row.get("benchmarks"))))


def _find_next_page(page: object, path: str) -> str | None:
    """The path of the next page, always under the base URL of the first; `None` after the last page."""
    after = as_text(as_mapping(as_mapping(page).get("links")).get("next")) or ""
    query = parse_qsl(after.partition("?")[2])
    following = f"/models?{urlencode(query)}" if query else None
    return None if following == path else following


def _parse_benchmarks(raw: JSON) -> dict[str, float]:
    scores = as_mapping(raw.get("artificial_analysis"))
    benchmarks = {name: models.as_number(scores.get(f"{name}_index")) for name in _SCORES}
    elos = [models.as_number(item.get("elo")) for item in as_objects(raw.get("design_arena"))]
    benchmarks["design_arena"] = max((elo for elo in elos if elo is not None), default=None)
    return {name: score for name, score in benchmarks.items() if score is not None}


def _parse_endpoint(row: JSON) -> ModelEndpoint:
    status = row.get("status")
    latency = _parse_median(row.get("latency_last_30m"))
    return ModelEndpoint(
        provider=as_text(row.get("provider_name")) or "",
        tag=as_text(row.get("tag")),
        context_length=as_count(row.get("context_length")),
        max_output=as_count(row.get("max_completion_tokens")),
        pricing=parse_pricing(row.get("pricing")),
        quantization=as_text(row.get("quantization")),
        supported_parameters=models.as_words(row.get("supported_parameters")),
        healthy=status == 0 if isinstance(status, int) else None,
        uptime=models.as_number(row.get("uptime_last_30m")),
        latency=None if latency is None else latency / 1000,
        throughput=_parse_median(row.get("throughput_last_30m")),
    )


def _parse_median(value: object) -> float | None:
    """The median of a figure. OpenRouter sends percentiles now, and sent a plain number before."""
    return models.as_number(as_mapping(value).get("p50") if isinstance(value, dict) else value)


def _parse_key_info(raw: JSON) -> KeyInfo:
    manages = raw.get("is_management_key") is True or raw.get("is_provisioning_key") is True
    free = raw.get("is_free_tier")
    return KeyInfo(
        label=as_text(raw.get("label")),
        limit=_parse_money(raw.get("limit")),
        unlimited="limit" in raw and raw["limit"] is None,
        remaining=_parse_money(raw.get("limit_remaining")),
        limit_reset=as_text(raw.get("limit_reset")),
        usage=_parse_money(raw.get("usage")),
        is_free_tier=free if isinstance(free, bool) else None,
        may_see_credits=manages,
        expires=as_text(raw.get("expires_at")),
    )


def _parse_money(value: object) -> Decimal | None:
    """An amount in USD, which may be below zero: what is left of a limit can be."""
    amount = as_exact(value)
    if amount is None or isinstance(value, str) or amount >= 0:
        return parse_price(value)
    owed = parse_price(amount.copy_negate())
    return None if owed is None else owed.copy_negate()


def _decode_data(reply: HTTPReply, what: str) -> JSON:
    value = as_mapping(models.decode_document(reply, what)).get("data")
    if not isinstance(value, dict):
        raise MalformedResponse(f"{what} has no `data` that is an object")
    return value
