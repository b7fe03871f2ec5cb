"""Prices as OpenRouter's catalogue writes them: decimal text, USD for one token. Pure, exact, and never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from llmkit.types.pricing import PriceOverride, Pricing
from llmkit.wire.chat_reply import as_mapping, as_objects
from llmkit.wire.numbers import as_count, as_exact

_CONDITIONS = ("min_prompt_tokens", "utc_start", "utc_end")
#: Powers of ten that the first digit of a price may stand for. Beyond them it is not a price, and could cost time.
_EXPONENTS = range(-30, 10)
_MAX_PRICE_DIGITS = 40
#: A price above this, in the list of a compatible service, is not meant for one token.
_MAX_DOLLARS_PER_TOKEN = Decimal("0.01")


def parse_price(value: object) -> Decimal | None:
    """USD out of decimal text or a number; `None` for anything else, such as "-1", which stands for "it depends"."""
    amount = as_exact(str(value) if isinstance(value, float) else value)
    if amount is None or amount < 0 or amount.adjusted() not in _EXPONENTS:
        return None
    if len(amount.as_tuple().digits) > _MAX_PRICE_DIGITS:
        return None
    return amount.copy_abs()


def parse_pricing(value: object) -> Pricing:
    """The prices of a `pricing` object, less its `discount`. A component that is null counts as one that is absent."""
    raw = as_mapping(value)
    discount = parse_price(raw.get("discount"))
    factor = 1 - discount if discount is not None and 0 < discount <= 1 else None
    return Pricing(
        _parse_components({key: item for key, item in raw.items() if key not in ("discount", "overrides")}, factor),
        [_parse_override(item, factor) for item in as_objects(raw.get("overrides"))],
    )


def parse_plausible_pricing(value: object) -> Pricing:
    """The prices of a service that may write them in OpenRouter's form; unknown where they are in any other form.

    Some services write USD per million tokens under the same names. So both prices must be text, as OpenRouter writes
    them, and small enough to be meant for one token.
    """
    raw = as_mapping(value)
    texts = [raw.get(name) for name in ("prompt", "completion")]
    amounts = [parse_price(item) for item in texts if isinstance(item, str)]
    if len(amounts) < 2 or any(amount is None or amount > _MAX_DOLLARS_PER_TOKEN for amount in amounts):
        return Pricing()
    return parse_pricing(raw)


def _parse_components(raw: Mapping[str, object], factor: Decimal | None) -> dict[str, Decimal | None]:
    prices = {key: parse_price(item) for key, item in raw.items() if item is not None}
    return prices if factor is None else {key: item if item is None else item * factor for key, item in prices.items()}


def _parse_override(raw: Mapping[str, object], factor: Decimal | None) -> PriceOverride:
    conditions = {name: as_count(raw.get(name)) for name in _CONDITIONS}
    rest = {key: item for key, item in raw.items() if key not in _CONDITIONS}
    # Prices are text. Anything else is a condition that llmkit does not know, and then the prices are not known.
    has_unknown_condition = any(not isinstance(item, str) for item in rest.values()) or any(
        raw.get(name) is not None and conditions[name] is None for name in _CONDITIONS
    )
    components = dict.fromkeys(rest) if has_unknown_condition else _parse_components(rest, factor)
    return PriceOverride(components, **conditions)
