"""Short names of models and the successors of retired ones: `aliases.json`, data with a date, read at its first use."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import cast


@cache
def _tables() -> Mapping[str, Mapping[str, object]]:
    data = pkgutil.get_data(__package__ or "", "aliases.json") or b"{}"
    return cast("Mapping[str, Mapping[str, object]]", json.loads(data))


class _Aliases(Mapping[str, str]):
    """Short name to the id that OpenRouter takes."""

    def __getitem__(self, name: str) -> str:
        return cast("str", _tables()["aliases"][name])

    def __iter__(self) -> Iterator[str]:
        return iter(_tables()["aliases"])

    def __len__(self) -> int:
        return len(_tables()["aliases"])


ALIASES: Mapping[str, str] = _Aliases()
#: Suffixes that only say how to route. Others, such as `:free`, are models of their own.
_ROUTING = (":nitro", ":floor", ":exacto", ":online")


def without_routing(model: str) -> str:
    """The model that an id means, without what it says of routing; suffixes stack."""
    while model.endswith(_ROUTING):
        model = model.rpartition(":")[0]
    return model


def successors(model: str) -> tuple[str, ...]:
    """What to take instead of an id that has left the catalogue; empty for one that has not."""
    return tuple(cast("list[str]", _tables()["retired"].get(model, ())))


def retired() -> Mapping[str, tuple[str, ...]]:
    """Every id that is known to have left, and its successors."""
    return {model: successors(model) for model in _tables()["retired"]}
