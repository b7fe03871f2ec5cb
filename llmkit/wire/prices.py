"""Prices as OpenRouter's catalogue writes them: decimal text, USD for one token. Pure, exact, and never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from llmkit.types.pricing import PriceOverride, Pricing
from llmkit.wire.chat_reply import mapping, objects
from llmkit.wire.numbers import count, exact

_CONDITIONS = ("min_prompt_tokens", "utc_start", "utc_end")
#: No price is as long or as large; one that is must not cost time.
_DIGITS = range(-30, 10)
#: USD for one token. What is above this in the list of a compatible service is not meant for one token.
_HIGHEST = Decimal("0.01")


def price(value: object) -> Decimal | None:
    """USD out of decimal text or a number; `None` for what is no price, such as "-1", which stands for "it depends"."""
    amount = exact(str(value) if isinstance(value, float) else value)
    if amount is None or amount < 0 or amount.adjusted() not in _DIGITS or len(amount.as_tuple().digits) > 40:
        return None
    return amount.copy_abs()


def pricing(value: object) -> Pricing:
    """A `pricing` object. A `discount` is taken off; a component that is null is not charged for, as one not there."""
    raw = mapping(value)
    off = price(raw.get("discount"))
    factor = 1 - off if off is not None and 0 < off <= 1 else None
    return Pricing(
        _components({key: item for key, item in raw.items() if key not in ("discount", "overrides")}, factor),
        [_override(item, factor) for item in objects(raw.get("overrides"))],
    )


def plausible_pricing(value: object) -> Pricing:
    """The `pricing` of a service that may write it in OpenRouter's form; unknown where it is in any other.

    Others write USD per million under the same names, so only text that can be meant for one token counts.
    """
    raw = mapping(value)
    texts = [raw.get(name) for name in ("prompt", "completion")]
    amounts = [price(item) for item in texts if isinstance(item, str)]
    if len(amounts) < 2 or any(amount is None or amount > _HIGHEST for amount in amounts):
        return Pricing()
    return pricing(raw)


def _components(raw: Mapping[str, object], factor: Decimal | None) -> dict[str, Decimal | None]:
    made = {key: price(item) for key, item in raw.items() if item is not None}
    return made if factor is None else {key: item if item is None else item * factor for key, item in made.items()}


def _override(raw: Mapping[str, object], factor: Decimal | None) -> PriceOverride:
    conditions = {name: count(raw.get(name)) for name in _CONDITIONS}
    rest = {key: item for key, item in raw.items() if key not in _CONDITIONS}
    # Prices are text. Something else is a condition that is not known here, and then nobody can say what holds.
    strange = any(not isinstance(item, str) for item in rest.values()) or any(
        raw.get(name) is not None and conditions[name] is None for name in _CONDITIONS
    )
    components = dict.fromkeys(rest) if strange else _components(rest, factor)
    return PriceOverride(components, **conditions)
