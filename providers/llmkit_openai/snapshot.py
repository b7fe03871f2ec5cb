"""Limits and prices of models of OpenAI and of the known services, from a table with a date.

The table is `models.json`, which `scripts/make_models.py` makes. It is read at its first use. Its prices are USD per
million tokens, and a limit of zero means "not known".
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, cast

from llmkit.types import ModelInfo, PriceOverride, Pricing

_STATUS = {"d": "deprecated", "a": "alpha", "b": "beta"}
_STRUCTURED = {"s": True, "n": False}


@cache
def _load_table() -> Mapping[str, Any]:
    data = pkgutil.get_data(__package__ or "", "models.json") or b"{}"
    return cast("Mapping[str, Any]", json.loads(data, parse_float=Decimal))


@lru_cache(maxsize=1024)
def known_model(service: str, model: str) -> ModelInfo | None:
    """The model of a service as the table describes it; `None` where the table has no such row."""
    table = _load_table()
    row = table["services"].get(service, {}).get(model)
    if row is None:
        return None
    name, context, output, flags, kinds, released, *prices = row
    inputs, outputs = table["modalities"][kinds].split("->") if kinds >= 0 else ("", "")
    structured = next((has for flag, has in _STRUCTURED.items() if flag in flags), None)
    status = next((word for flag, word in _STATUS.items() if flag in flags), None)
    return ModelInfo(
        id=model,
        provider=service,
        name=name or model,
        context_length=context or None,
        max_output=output or None,
        input_modalities=frozenset(inputs.split()) or None,
        output_modalities=frozenset(outputs.split()) or None,
        capabilities={
            **({} if "u" in flags else {"tools": "t" in flags}),
            "reasoning": "r" in flags,
            **({} if structured is None else {"json_schema": structured}),
            **({"json": True} if structured else {}),
        },
        pricing=_build_pricing(*prices),
        created=date.fromisoformat(released) if released else None,
        source=f"snapshot {table['date']}",
        extra={"status": status} if status else {},
    )


def _build_pricing(
    prompt: object = None,
    completion: object = None,
    others: Mapping[str, object] | None = None,
    tiers: list[list[Any]] | None = None,
) -> Pricing:
    base = _to_per_token({"prompt": prompt, "completion": completion, **(others or {})})
    return Pricing(base, [PriceOverride(_to_per_token(prices), min_prompt_tokens=size) for size, prices in tiers or ()])


def _to_per_token(components: Mapping[str, object]) -> dict[str, Decimal | None]:
    return {
        name: None if price is None else Decimal(cast("Decimal | int", price)).scaleb(-6)
        for name, price in components.items()
    }
