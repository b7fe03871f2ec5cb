"""What is known of models without asking: lists that were fetched before, and the providers' own tables.

A list is one JSON file in the user's cache folder, for each provider and address. The name of the file holds a digest
of the address, the file neither address nor key. What cannot be read is as if it was not there; what cannot be written
fails no call.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import TypeGuard
from urllib.parse import urlsplit

from llmkit.config.address import normalise_case
from llmkit.config.folders import cache_folder, write_whole
from llmkit.provider.interface import BaseProvider
from llmkit.provider.operations import SupportsPull
from llmkit.types.model_info import ModelEndpoint, ModelInfo
from llmkit.types.pricing import Pricing

log = logging.getLogger("llmkit")
FORMAT = 1
#: Seconds after which a list is not trusted any more without asking.
MAX_AGE_SECONDS = 30 * 86_400.0
PULLED_MAX_AGE_SECONDS = 3_600.0
_MAX_FILE_BYTES = 64 * 1024 * 1024
#: A list that comes from so far in the future was written under another clock.
_CLOCK_SKEW_SECONDS = 300.0


@dataclass(slots=True)
class CachedList:
    """A list of a provider, as the service gave it, and when (epoch seconds)."""

    models: tuple[ModelInfo, ...]
    fetched_at: float
    _found: dict[str, ModelInfo | None] = field(default_factory=dict, repr=False)

    def find(self, provider: BaseProvider, model: str) -> ModelInfo | None:
        """The row of a model; the search is made once for each name."""
        if model not in self._found:
            if len(self._found) > 1000:
                self._found.clear()
            self._found[model] = find_row(provider, self.models, model)
        return self._found[model]


_loaded: dict[Path, tuple[tuple[int, int, int], CachedList]] = {}


def known_model(provider: BaseProvider, base_url: str, model: str) -> ModelInfo | None:
    """What is known of a model at an address, without asking; `None` where nothing is. It never raises.

    A list that was fetched in the last 30 days (of a server that models are pulled onto, in the last hour), else the
    provider's own table, which speaks of its vendor's address.
    """
    try:
        cached = load_list(provider.name, base_url)
        listed = None
        # What is on a user's own server changes with each pull; a list of it is soon out of date.
        longest = PULLED_MAX_AGE_SECONDS if isinstance(provider, SupportsPull) else MAX_AGE_SECONDS
        if cached is not None and time.time() - cached.fetched_at <= longest:
            listed = cached.find(provider, model)
        known = provider.known_model(model) if is_vendor_address(provider, base_url) else None
        return known if listed is None else listed.joined(known)
    except Exception as error:  # what is known is a help, and a provider's table is foreign code
        log.debug("what is known of %s:%s could not be looked up: %s", provider.name, model, type(error).__name__)
        return None


def is_vendor_address(provider: BaseProvider, base_url: str) -> bool:
    """Is it the address that the provider's own table speaks of?"""
    return base_url in _list_vendor_addresses(provider)


@lru_cache(maxsize=256)
def _list_vendor_addresses(provider: BaseProvider) -> frozenset[str]:
    """The default address, and the same path at the vendor's other origins. A call with tools asks each time."""
    if not provider.default_base_url:
        return frozenset()
    path = urlsplit(provider.normalise_base_url(provider.default_base_url)).path
    urls = (provider.default_base_url, *(own + path for own in provider.key_origins))
    return frozenset(normalise_case(provider.normalise_base_url(url)) for url in urls)


def find_row(provider: BaseProvider, models: Sequence[ModelInfo], model: str) -> ModelInfo | None:
    """The row of a model: of just that id, else of one that the provider takes to be the same."""
    exact = next((item for item in models if item.id == model), None)
    return exact or next((item for item in models if provider.same_model(item.id, model)), None)


def list_path(provider: str, base_url: str) -> Path:
    """The file of a provider's list at an address."""
    return cache_folder() / _file_name(provider, base_url)


@lru_cache(maxsize=256)
def _file_name(provider: str, base_url: str) -> str:
    plain = re.sub(r"[^a-z0-9_-]+", "-", provider.lower())[:40]
    return f"models-{plain}-{sha256(f'{provider} {base_url}'.encode()).hexdigest()[:32]}.json"


def load_list(provider: str, base_url: str) -> CachedList | None:
    """The list that was cached, of any age; `None` where there is none that can be read. It never raises."""
    try:
        path = list_path(provider, base_url)
        state = path.stat()
    except (OSError, ValueError, RuntimeError):
        return None
    mark = (state.st_mtime_ns, state.st_size, state.st_ino)
    held = _loaded.get(path)
    if held is None or held[0] != mark:
        cached = _read_file(path, state.st_size)
        if cached is None:
            _loaded.pop(path, None)
            return None
        if len(_loaded) > 32:
            _loaded.clear()
        held = _loaded[path] = mark, cached
    return held[1] if held[1].fetched_at <= time.time() + _CLOCK_SKEW_SECONDS else None


def _read_file(path: Path, size: int) -> CachedList | None:
    try:
        if size > _MAX_FILE_BYTES:
            raise ValueError(f"{size} bytes")
        return _parse_document(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
        log.debug("the list of models in %s is not used: %s", path, type(error).__name__)
        return None


def _parse_document(value: Mapping[str, object]) -> CachedList:
    """Read the document. Raises what a wrong value makes it raise."""
    fetched_at, rows = value["fetched_at"], value["models"]
    if value["format"] != FORMAT or not isinstance(rows, list) or not _is_number(fetched_at):
        raise ValueError("another format")
    models = tuple(ModelInfo.from_dict(row) for row in rows)
    if not all(_is_sound(item) for item in models):
        raise ValueError("a row holds what a row does not hold")
    return CachedList(models, float(fetched_at))


def store_list(provider: str, base_url: str, models: Sequence[ModelInfo], fetched_at: float) -> None:
    """Keep a list. Readers see the old file or the new one, whole. What goes wrong is logged, nothing is raised."""
    try:
        path = list_path(provider, base_url)
        value = {"format": FORMAT, "fetched_at": fetched_at, "models": [_to_json_row(item) for item in models]}
        data = json.dumps(value, separators=(",", ":"), default=_to_json).encode()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, data)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        log.debug("the list of models of %s was not cached: %s", provider, type(error).__name__)


def _to_json_row(model: ModelInfo) -> dict[str, object]:
    return {name: value for name, value in model.to_dict().items() if value is not None and name != "is_free"}


def _to_json(value: object) -> object:
    """What JSON has no form for, in a field that llmkit has no name for."""
    return float(value) if isinstance(value, Decimal) else str(value)


# What a row may hold: a file that something else has written to must not reach a filter.


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_price(value: object) -> bool:
    return value is None or (isinstance(value, Decimal) and value.is_finite())


def _is_pricing(value: object) -> bool:
    if not isinstance(value, Pricing):
        return False
    tables = [value, *(override.components for override in value.overrides)]
    limits = [limit for item in value.overrides for limit in (item.min_prompt_tokens, item.utc_start, item.utc_end)]
    prices = all(_is_price(price) for table in tables for price in table.values())
    return prices and all(limit is None or _is_count(limit) for limit in limits)


_CHECKS: Mapping[str, Callable[[object], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": _is_count,
    "float": _is_number,
    "bool": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, date),
    "frozenset[str]": lambda value: isinstance(value, frozenset) and all(isinstance(item, str) for item in value),
    "Pricing": _is_pricing,
    "Mapping[str, float]": lambda value: isinstance(value, Mapping) and all(map(_is_number, value.values())),
    "Mapping[str, bool]": lambda value: isinstance(value, Mapping) and all(isinstance(v, bool) for v in value.values()),
    "Mapping[str, object]": lambda value: isinstance(value, Mapping),
    "tuple[ModelEndpoint, ...]": lambda value: isinstance(value, tuple) and all(map(_is_sound, value)),
}


#: Of each field of a row: its name, may it be `None`, what else it may be.
_FIELDS = {
    row: [
        (item.name, " | None" in str(item.type), _CHECKS[str(item.type).removesuffix(" | None")])
        for item in fields(row)
    ]
    for row in (ModelInfo, ModelEndpoint)
}


def _is_sound(row: ModelInfo | ModelEndpoint) -> bool:
    """Has every field the type that it is declared with?"""
    for name, optional, check in _FIELDS[type(row)]:
        value = getattr(row, name)
        if not (check(value) or (optional and value is None)):
            return False
    return True
