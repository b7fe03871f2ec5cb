"""What services say about models (`ModelInfo`, `ModelEndpoint`) and about a key (`KeyInfo`). Unknown is `None`."""

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
    first token, `throughput` the median of tokens a second; both are `None` without a key. `healthy` is true where
    OpenRouter reports no degradation.
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
        return {item.name: _to_plain(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ModelEndpoint:
        """Read what `to_dict` gives."""
        return cls(**_from_plain(value, cls.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known about one model.

    Attributes:
        id: the model's name in requests to the service.
        provider: llmkit's name of the backend.
        name: the model's name for people.
        context_length: the most tokens that prompt and answer may have together.
        max_output: the most tokens that an answer may have.
        input_modalities, output_modalities: `text`, `image`, `file`, `audio`, `video`, ...; `None`: not known.
        supported_parameters: the service's names of what may be set; `None`: not known.
        capabilities: whether the model has single capabilities of `CAPABILITIES`, where the service says so directly.
            This outranks `supported_parameters` and the modalities.
        pricing: USD per unit; see `Pricing`.
        created: the day on which the model was released, or put into the catalogue.
        expires: the day after which the model may be gone.
        replaced_by: the model that the service names as its successor, or that an alias row stands for.
        description: the service's own words.
        knowledge_cutoff: the end of the training data, in the service's own words.
        benchmarks: the catalogue's own figures, such as `intelligence`, `coding`, `agentic`; empty where it has none.
        endpoints: upstream services, where they were asked for (`get_model_info` with OpenRouter).
        size: bytes on disk (Ollama).
        running_context: tokens of context that the loaded model runs with (Ollama); `None` where it is not loaded.
        source: where this comes from: "service", "snapshot YYYY-MM-DD", or both. Where the service could not be reached
            and an older list was used, it also says how old the list is.
        extra: fields of the service that llmkit has no name for.
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
        """Does the model cost nothing? `None` where a price is not known."""
        return self.pricing.is_free

    def supports(self, capability: str) -> bool | None:
        """Does the model have a capability of `CAPABILITIES`, or a parameter of the service? `None`: not known."""
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
        """Can the model call tools?"""
        return self.supports("tools")

    @property
    def supports_logprobs(self) -> bool | None:
        """Can the model give log probabilities?"""
        return self.supports("logprobs")

    @property
    def supports_vision(self) -> bool | None:
        """Does the model take images?"""
        return self.supports("vision")

    @property
    def supports_audio(self) -> bool | None:
        """Does the model take audio?"""
        return self.supports("audio")

    @property
    def supports_files(self) -> bool | None:
        """Does the model take files, such as PDF?"""
        return self.supports("files")

    @property
    def supports_reasoning(self) -> bool | None:
        """Can the model reason before it answers?"""
        return self.supports("reasoning")

    @property
    def supports_json(self) -> bool | None:
        """Can the service make sure that the answer is JSON?"""
        return self.supports("json")

    @property
    def supports_json_schema(self) -> bool | None:
        """Can the service make sure that the answer fits a JSON schema?"""
        return self.supports("json_schema")

    @property
    def throughput(self) -> float | None:
        """The tokens a second of the fastest endpoint; `None` where the catalogue does not say."""
        return max((item.throughput for item in self.endpoints if item.throughput is not None), default=None)

    def joined(self, known: ModelInfo | None) -> ModelInfo:
        """A copy whose open fields are filled from `known`. Prices come from one of the two, never from both."""
        if known is None:
            return self
        filled = {
            item.name: getattr(known, item.name) for item in fields(self) if not _is_known(getattr(self, item.name))
        }
        capabilities = {word: has for word, has in known.capabilities.items() if self.supports(word) is None}
        return replace(
            self,
            **{
                **filled,
                "pricing": self.pricing if self.pricing.is_known else known.pricing,
                "capabilities": {**capabilities, **self.capabilities},
                "extra": {**known.extra, **self.extra},
                "source": f"{self.source}, {known.source}",
            },
        )

    def to_dict(self) -> dict[str, object]:
        """The model as a dict of JSON values, with `is_free`. Prices are decimal text, dates ISO text, sets lists."""
        return {item.name: _to_plain(getattr(self, item.name)) for item in fields(self)} | {"is_free": self.is_free}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ModelInfo:
        """Read what `to_dict` gives."""
        return cls(**_from_plain(value, cls.__dataclass_fields__))


_SETS = frozenset({"input_modalities", "output_modalities", "supported_parameters"})
_DATES = frozenset({"created", "expires"})


def _is_known(value: object) -> bool:
    return value is not None and value not in ("", (), {})


def _to_plain(value: object) -> object:
    if isinstance(value, (Pricing, ModelEndpoint)):
        return value.to_dict()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


def _pick_known(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value[name] for name in names if value.get(name) is not None}


def _from_plain(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    entries = _pick_known(value, names)
    for name, item in entries.items():
        if name in _SETS:
            entries[name] = frozenset(item)
        elif name in _DATES:
            entries[name] = date.fromisoformat(item)
        elif name == "pricing":
            entries[name] = Pricing.from_dict(item)
        elif name == "endpoints":
            entries[name] = tuple(ModelEndpoint.from_dict(each) for each in item)
    return entries


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a service says about the key that a request was sent with. Money is USD; `None` is not known, or no limit.

    Attributes:
        label: the service's short name of the key, never the key itself.
        limit: what the key may spend; `None` with `unlimited`.
        unlimited: whether the key has no limit.
        remaining: what is left of the limit. It is the key's cap, not the account's balance.
        limit_reset: when the limit starts anew: daily, weekly, monthly.
        usage: what was spent with the key.
        is_free_tier: whether the account has never paid.
        may_see_credits: whether the key may ask for the account's balance.
        expires: when the key expires, in the service's own words.
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
        """The key's data as a dict of JSON values: money is decimal text."""
        return {
            item.name: f"{value:f}" if isinstance(value := getattr(self, item.name), Decimal) else value
            for item in fields(self)
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> KeyInfo:
        """Read what `to_dict` gives."""
        known: dict[str, Any] = _pick_known(value, cls.__dataclass_fields__)
        for name in _MONEY & known.keys():
            known[name] = Decimal(known[name])
        return cls(**known)


_MONEY = frozenset({"limit", "remaining", "usage", "balance"})


@dataclass(frozen=True, slots=True)
class PullProgress:
    """One step in fetching a model.

    `status` is the service's word. `digest` says which layer of the model the step is about; several are fetched at
    once. `completed` and `total` are bytes of that layer, `None` where the step has none.
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
        return cls(**_pick_known(value, cls.__dataclass_fields__))
