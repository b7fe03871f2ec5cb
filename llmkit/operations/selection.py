"""The models of a provider as a list, and what to choose from it by. Pure: nothing is asked, nothing is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast, overload

from llmkit.errors import BadRequest, ConfigError
from llmkit.types.model_info import CAPABILITIES, ModelInfo
from llmkit.types.nearest import did_you_mean, nearest
from llmkit.types.settings import SAMPLING

if TYPE_CHECKING:
    from datetime import timedelta

#: Components of a price that a filter may name though no listed model has them.
COMPONENTS = frozenset(
    {
        "prompt", "completion", "request", "image", "image_output", "audio", "audio_output", "input_audio_cache",
        "input_cache_read", "input_cache_write", "input_cache_write_1h", "internal_reasoning", "web_search",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class ModelList(Sequence[ModelInfo]):
    """Models, in the order of the service, and how old the list is. A slice of it is a plain list.

    Attributes:
        models: what it holds.
        fetched_at: when the service gave the list (UTC).
        stale: is it older than was asked for, because the service could not be asked?
        problem: why it is stale, else `None`.
    """

    models: tuple[ModelInfo, ...]
    fetched_at: datetime
    stale: bool = False
    problem: str | None = None

    @overload
    def __getitem__(self, index: int) -> ModelInfo: ...
    @overload
    def __getitem__(self, index: slice) -> list[ModelInfo]: ...
    def __getitem__(self, index: int | slice) -> ModelInfo | list[ModelInfo]:
        return list(self.models[index]) if isinstance(index, slice) else self.models[index]

    def __len__(self) -> int:
        return len(self.models)

    def __repr__(self) -> str:
        count = f"{len(self)} model{'' if len(self) == 1 else 's'}"
        return f"ModelList({count}, {'stale, ' if self.stale else ''}{describe_age(self.age)} old)"

    @property
    def age(self) -> float:
        """Seconds since the service gave the list."""
        passed: timedelta = datetime.now(UTC) - self.fetched_at
        return max(0.0, passed.total_seconds())

    def to_dict(self) -> dict[str, object]:
        """JSON values only."""
        return {
            "fetched_at": self.fetched_at.isoformat(),
            "stale": self.stale,
            "problem": self.problem,
            "models": [item.to_dict() for item in self.models],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ModelList:
        """Read what `to_dict` gives."""
        models = tuple(ModelInfo.from_dict(item) for item in value["models"])
        return cls(models, datetime.fromisoformat(value["fetched_at"]), value["stale"], value["problem"])


def date_row(model: ModelInfo, listed: ModelList) -> ModelInfo:
    """A row of the list; out of one that is stale, its `source` says of when it is."""
    if not listed.stale:
        return model
    return replace(model, source=f"{model.source}, in a list of {listed.fetched_at:%Y-%m-%d %H:%M} UTC")


def describe_age(seconds: float) -> str:
    """A span of time for people: "3 minutes"."""
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model must have to be chosen; `None` and empty ask for nothing. What is not known never matches."""

    free: bool | None = None
    max_price: Mapping[str, Decimal] | None = None
    min_context: int | None = None
    supports: tuple[str, ...] = ()
    query: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, *, free: object = None, max_price: object = None, min_context: object = None,
        supports: object = (), query: object = None,
    ) -> Wanted:  # fmt: skip
        """What a user passed. Raises `ConfigError` for a value that cannot be meant."""
        if free is not None and not isinstance(free, bool):
            raise ConfigError(f"free is {free!r}", hint="free is True, False or None")
        if min_context is not None and (
            isinstance(min_context, bool) or not isinstance(min_context, int) or min_context < 0
        ):
            raise ConfigError(f"min_context is {min_context!r}", hint="min_context is a whole number of tokens, from 0")
        if query is not None and not isinstance(query, str):
            raise ConfigError(f"query is a {type(query).__name__}", hint="query is words, as text")
        words = (query or "").casefold().split()
        return cls(free, _read_prices(max_price), min_context, read_words(supports), tuple(words))

    def fits(self, model: ModelInfo) -> bool:
        """Has the model all of it?"""
        if self.free is not None and model.is_free is not self.free:
            return False
        if self.min_context is not None and (model.context_length or -1) < self.min_context:
            return False
        for component, limit in (self.max_price or {}).items():
            price = model.pricing.per_million(component)
            if price is None or price > limit:
                return False
        if any(model.supports(word) is not True for word in self.supports):
            return False
        text = "\n".join((model.id, model.name or "", model.description or "")).casefold()
        return all(word in text for word in self.query)


def select(models: Sequence[ModelInfo], wanted: Wanted) -> tuple[ModelInfo, ...]:
    """The models that fit. Raises `BadRequest` for the name of a capability or a price that nothing here has."""
    check_words(wanted.supports, models)
    if wanted.max_price:
        priced = COMPONENTS.union(*(item.pricing for item in models))
        for component in wanted.max_price:
            _check_word(component, priced, "max_price names {!r}, which no model has a price for")
    return tuple(item for item in models if wanted.fits(item))


def read_words(supports: object) -> tuple[str, ...]:
    """One word or several, as several. Raises `ConfigError` for what is no words."""
    words = (supports,) if isinstance(supports, str) else supports
    if not isinstance(words, Iterable) or not all(isinstance(word, str) and word.strip() for word in words):
        raise ConfigError(f"supports is {supports!r}", hint=f"supports is one or more of {', '.join(CAPABILITIES)}")
    return tuple(dict.fromkeys(word.strip() for word in cast("Iterable[str]", words)))


def check_words(supports: Sequence[str], models: Sequence[ModelInfo]) -> None:
    """Raise `BadRequest` for a word that is no capability, no setting, and no parameter of any of the models."""
    if supports:
        known = SAMPLING.union(
            CAPABILITIES, *({*(item.supported_parameters or ()), *item.capabilities} for item in models)
        )
        for word in supports:
            _check_word(word, known, "supports names {!r}, which is no capability and no model's parameter")


def _check_word(word: str, known: Collection[str], text: str) -> None:
    if word not in known:
        names = f"Capabilities: {', '.join(CAPABILITIES)}" if "supports" in text else f"Prices: {', '.join(known)}"
        raise BadRequest(text.format(word), hint=did_you_mean(word, known) or names)


def _read_prices(value: object) -> dict[str, Decimal] | None:
    """USD per million units; one number holds for prompt and completion."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {_check_component(name): _read_price(item) for name, item in value.items()}
    return dict.fromkeys(("prompt", "completion"), _read_price(value))


def _check_component(name: object) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"max_price names {name!r}", hint="It is a number, or a dict of component to number")
    return name


def _read_price(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ConfigError(f"max_price is {value!r}", hint="max_price is US dollars per million tokens")
    price = Decimal(str(value))
    if not price.is_finite() or price < 0:
        raise ConfigError(f"max_price is {value}", hint="max_price is US dollars per million tokens, from 0")
    return price


def nearest_models(model: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known ids that a name may have been meant for: those that hold it, then those that look like it."""
    ids = {item.casefold(): item for item in known}
    name = model.casefold()
    own = name.rpartition("/")[2].partition(":")[0]
    holding = sorted((item for item in ids if len(own) > 2 and own in item), key=lambda item: (len(item), item))
    tails: dict[str, str] = {}
    for item in ids:
        tails.setdefault(item.rpartition("/")[2], item)
    alike = nearest(name, ids, most, alike=0.6)
    alike += [tails[item] for item in nearest(own, tails, most, alike=0.6)]
    return [ids[item] for item in dict.fromkeys([*holding, *alike])][:most]
