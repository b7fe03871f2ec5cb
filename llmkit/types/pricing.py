"""What a model costs: `Pricing`, and `PriceOverride`s for prices under conditions. Unknown is `None`, never 0.

Prices are USD for ONE token (one request, image, search where the component says so), as in OpenRouter's catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """Prices that hold under conditions; every condition that is set must hold.

    Attributes:
        components: the prices that change, USD per unit; a component that is not here keeps its price.
        min_prompt_tokens: the override holds for prompts with MORE tokens than this.
        utc_start, utc_end: the time of day, from start (inclusive) to end (exclusive), as HHMM numbers in UTC; the span
            may go over midnight.
    """

    components: Mapping[str, Decimal | None]
    min_prompt_tokens: int | None = None
    utc_start: int | None = None
    utc_end: int | None = None

    def to_dict(self) -> dict[str, object]:
        """The override as a dict of JSON values."""
        conditions = {name: getattr(self, name) for name in _CONDITIONS if getattr(self, name) is not None}
        return {**conditions, **_prices_to_texts(self.components)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> PriceOverride:
        """Read what `to_dict` gives."""
        conditions = {name: value.get(name) for name in _CONDITIONS}
        return cls(_texts_to_prices({key: item for key, item in value.items() if key not in _CONDITIONS}), **conditions)


_CONDITIONS = ("min_prompt_tokens", "utc_start", "utc_end")


def _prices_to_texts(components: Mapping[str, Decimal | None]) -> dict[str, object]:
    return {name: None if price is None else f"{price:f}" for name, price in components.items()}


def _texts_to_prices(components: Mapping[str, Any]) -> dict[str, Decimal | None]:
    return {name: None if price is None else Decimal(str(price)) for name, price in components.items()}


class Pricing(Mapping[str, Decimal | None]):
    """The price of each component, USD per unit. `prompt` and `completion` are always there; `None` is not known.

    Components as OpenRouter names them: `prompt`, `completion`, `request`, `image`, `image_output`, `audio`,
    `audio_output`, `input_audio_cache`, `input_cache_read`, `input_cache_write`, `input_cache_write_1h`,
    `internal_reasoning`, `web_search`. A component that is missing is not known to be charged.

    Attributes:
        overrides: prices under conditions; a later one outranks an earlier one.
    """

    __slots__ = ("_components", "overrides")

    def __init__(
        self, components: Mapping[str, Decimal | None] | None = None, overrides: Iterable[PriceOverride] = ()
    ) -> None:
        self._components: dict[str, Decimal | None] = {"prompt": None, "completion": None, **(components or {})}
        self.overrides = tuple(overrides)

    def __getitem__(self, component: str) -> Decimal | None:
        return self._components[component]

    def __iter__(self) -> Iterator[str]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pricing) and (self._components, self.overrides) == (other._components, other.overrides)

    def __hash__(self) -> int:
        return hash((tuple(sorted(self._components.items(), key=lambda item: item[0])), len(self.overrides)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_format_per_million(self[name])}" for name in ("prompt", "completion"))
        return f"Pricing({shown} per million)"

    @property
    def is_known(self) -> bool:
        """Are the prices of prompt and completion known?"""
        return self["prompt"] is not None and self["completion"] is not None

    @property
    def is_free(self) -> bool | None:
        """Is every price 0? `None` where a price is not known and no other one is above 0."""
        prices = [*self.values(), *(price for override in self.overrides for price in override.components.values())]
        if any(price for price in prices):
            return False
        return None if any(price is None for price in prices) else True

    def per_million(self, component: str) -> Decimal | None:
        """USD per million units, the figure that price lists show; `None` where it is not known."""
        price = self.get(component)
        return None if price is None else Decimal(f"{(price * MILLION).normalize():f}")

    def to_dict(self) -> dict[str, object]:
        """The prices as a dict of JSON values: prices are decimal text."""
        prices = _prices_to_texts(self)
        return {**prices, "overrides": [item.to_dict() for item in self.overrides]} if self.overrides else prices

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Pricing:
        """Read what `to_dict` gives."""
        overrides = [PriceOverride.from_dict(item) for item in value.get("overrides", ())]
        return cls(_texts_to_prices({key: item for key, item in value.items() if key != "overrides"}), overrides)


def _format_per_million(price: Decimal | None) -> str:
    return "unknown" if price is None else f"${(price * MILLION).normalize():f}"
