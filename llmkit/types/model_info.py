"""What a catalogue says about models: `ModelInfo`, its `ModelEndpoint`s; and about a key. Unknown is `None`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from llmkit.types.pricing import Pricing

#: What `supports=` may ask for, beside a service's own parameter names: capability -> (parameters, input modality).
CAPABILITIES: Mapping[str, tuple[tuple[str, ...], str | None]] = MappingProxyType(
    {
        "tools": (("tools",), None),
        "logprobs": (("logprobs",), None),
        "json": (("response_format", "structured_outputs"), None),
        "json_schema": (("structured_outputs",), None),
        "reasoning": (("reasoning",), None),
        "vision": ((), "image"),
        "audio": ((), "audio"),
        "video": ((), "video"),
        "files": ((), "file"),
    }
)


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """One of the upstream services behind a model (OpenRouter).

    `tag` is its routing slug. `uptime` is percent of the last 30 minutes. `latency` is the median of seconds to the
    first token, `throughput` the median of tokens a second; both are `None` without a key. `healthy`: does OpenRouter
    report no degradation?
    """

    provider: str
    tag: str | None = None
    context_length: int | None = None
    max_output: int | None = None
    pricing: Pricing = field(default_factory=Pricing)
    quantization: str | None = None
    supported_parameters: frozenset[str] | None = None
    healthy: bool | None = None
    uptime: float | None = None
    latency: float | None = None
    throughput: float | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON values only."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ModelEndpoint:
        """Read what `to_dict` gives."""
        return cls(**_read(value, cls.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known about one model.

    Attributes:
        id: as the service takes it.
        provider: llmkit's name of the backend.
        name: for people.
        context_length: tokens that prompt and answer may have together.
        max_output: most tokens of an answer.
        input_modalities, output_modalities: `text`, `image`, `file`, `audio`, `video`, ...; `None`: not known.
        supported_parameters: the service's names of what may be set; `None`: not known.
        capabilities: what is said of single capabilities of `CAPABILITIES`, where the list of parameters is not known
            or says less. What stands here outranks `supported_parameters` and the modalities.
        pricing: USD per unit; see `Pricing`.
        created: when the model came, or was put into the catalogue.
        expires: it may be gone after this day.
        replaced_by: the model that the service names as its successor, or that an alias row stands for.
        description: the service's own words.
        knowledge_cutoff: as the service says.
        benchmarks: the catalogue's own figures, such as `intelligence`, `coding`, `agentic`; empty where it has none.
        endpoints: upstream services, where they were asked for (`get_model_info` with OpenRouter).
        size: bytes on disk (Ollama). running_context: tokens that the loaded model really has (Ollama); `None` where
            it is not loaded.
        source: where this comes from: "service", "snapshot YYYY-MM-DD", or both; and of when the list is, where the
            service could not be reached and an old one served.
        extra: what llmkit has no name for.
    """

    id: str
    provider: str = ""
    name: str | None = None
    context_length: int | None = None
    max_output: int | None = None
    input_modalities: frozenset[str] | None = None
    output_modalities: frozenset[str] | None = None
    supported_parameters: frozenset[str] | None = None
    capabilities: Mapping[str, bool] = field(default_factory=dict)
    pricing: Pricing = field(default_factory=Pricing)
    created: date | None = None
    expires: date | None = None
    replaced_by: str | None = None
    description: str | None = None
    knowledge_cutoff: str | None = None
    benchmarks: Mapping[str, float] = field(default_factory=dict)
    endpoints: tuple[ModelEndpoint, ...] = ()
    size: int | None = None
    running_context: int | None = None
    source: str = "service"
    extra: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return f"ModelInfo({self.provider}:{self.id}, context={self.context_length}, {self.pricing!r})"

    def __hash__(self) -> int:
        return hash((self.provider, self.id))

    @property
    def target(self) -> str:
        """`provider:id`, as `create_language` and `fallbacks=` take it."""
        return f"{self.provider}:{self.id}"

    @property
    def is_free(self) -> bool | None:
        """Does it cost nothing? `None` where a price is not known."""
        return self.pricing.is_free

    def supports(self, capability: str) -> bool | None:
        """Has the model a capability of `CAPABILITIES`, or a parameter of the service? `None`: not known."""
        if capability in self.capabilities:
            return self.capabilities[capability]
        parameters, modality = CAPABILITIES.get(capability, ((capability,), None))
        if modality is not None:
            return None if self.input_modalities is None else modality in self.input_modalities
        if self.supported_parameters is None:
            return None
        return any(name in self.supported_parameters for name in parameters)

    @property
    def supports_tools(self) -> bool | None:
        """Can it call tools?"""
        return self.supports("tools")

    @property
    def supports_logprobs(self) -> bool | None:
        """Can it give log probabilities?"""
        return self.supports("logprobs")

    @property
    def supports_vision(self) -> bool | None:
        """Does it take images?"""
        return self.supports("vision")

    @property
    def supports_audio(self) -> bool | None:
        """Does it take audio?"""
        return self.supports("audio")

    @property
    def supports_files(self) -> bool | None:
        """Does it take files, such as PDF?"""
        return self.supports("files")

    @property
    def supports_reasoning(self) -> bool | None:
        """Can it reason before it answers?"""
        return self.supports("reasoning")

    @property
    def supports_json(self) -> bool | None:
        """Can the service hold its answer to JSON?"""
        return self.supports("json")

    @property
    def supports_json_schema(self) -> bool | None:
        """Can the service hold its answer to a JSON schema?"""
        return self.supports("json_schema")

    @property
    def throughput(self) -> float | None:
        """Tokens a second of its fastest endpoint, where the catalogue says so."""
        return max((item.throughput for item in self.endpoints if item.throughput is not None), default=None)

    def joined(self, known: ModelInfo | None) -> ModelInfo:
        """What this says, and from `known` what it leaves open; of the prices, all or none."""
        if known is None:
            return self
        empty = {item.name: getattr(known, item.name) for item in fields(self) if not _said(getattr(self, item.name))}
        new = {word: has for word, has in known.capabilities.items() if self.supports(word) is None}
        return replace(
            self,
            **{
                **empty,
                "pricing": self.pricing if self.pricing.is_known else known.pricing,
                "capabilities": {**new, **self.capabilities},
                "extra": {**known.extra, **self.extra},
                "source": f"{self.source}, {known.source}",
            },
        )

    def to_dict(self) -> dict[str, object]:
        """JSON values only: prices as decimal text, dates as ISO text, sets as sorted lists; `is_free` beside them."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)} | {"is_free": self.is_free}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ModelInfo:
        """Read what `to_dict` gives."""
        return cls(**_read(value, cls.__dataclass_fields__))


_SETS = frozenset({"input_modalities", "output_modalities", "supported_parameters"})
_DATES = frozenset({"created", "expires"})


def _said(value: object) -> bool:
    return value is not None and value not in ("", (), {})


def _plain(value: object) -> object:
    if isinstance(value, (Pricing, ModelEndpoint)):
        return value.to_dict()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


def _known(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value[name] for name in names if value.get(name) is not None}


def _read(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    made = _known(value, names)
    for name, item in made.items():
        if name in _SETS:
            made[name] = frozenset(item)
        elif name in _DATES:
            made[name] = date.fromisoformat(item)
        elif name == "pricing":
            made[name] = Pricing.from_dict(item)
        elif name == "endpoints":
            made[name] = tuple(ModelEndpoint.from_dict(each) for each in item)
    return made


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a service says about the key that asked. Money is USD; `None`: not known, or without a limit.

    Attributes:
        label: the service's short name of the key, never the key itself.
        limit: what the key may spend; `None` with `unlimited`.
        remaining: what is left of the limit. It is the key's cap, not the account's balance.
        limit_reset: when the limit starts anew: daily, weekly, monthly.
        usage: what was spent with it.
        is_free_tier: has the account never paid?
        may_see_credits: may the key ask for the account's balance?
        expires: when it ends, as the service says.
        balance: the account's balance, where the key may ask for it.
    """

    label: str | None = None
    limit: Decimal | None = None
    unlimited: bool = False
    remaining: Decimal | None = None
    limit_reset: str | None = None
    usage: Decimal | None = None
    is_free_tier: bool | None = None
    may_see_credits: bool = False
    expires: str | None = None
    balance: Decimal | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON values only: money as decimal text."""
        return {
            item.name: f"{value:f}" if isinstance(value := getattr(self, item.name), Decimal) else value
            for item in fields(self)
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> KeyInfo:
        """Read what `to_dict` gives."""
        made: dict[str, Any] = _known(value, cls.__dataclass_fields__)
        for name in _MONEY & made.keys():
            made[name] = Decimal(made[name])
        return cls(**made)


_MONEY = frozenset({"limit", "remaining", "usage", "balance"})


@dataclass(frozen=True, slots=True)
class PullProgress:
    """A step of fetching a model.

    `status` is the service's word. `digest` says which layer; several come at once. `completed` and `total` are bytes
    of that layer, `None` where the step has none.
    """

    status: str
    digest: str | None = None
    completed: int | None = None
    total: int | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON values only."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> PullProgress:
        """Read what `to_dict` gives."""
        return cls(**_known(value, cls.__dataclass_fields__))
