"""Short names of models, and successors of retired models: `aliases.json`, data with a date, read at its first use."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import cast


@cache
def _load_tables() -> Mapping[str, Mapping[str, object]]:
    data = pkgutil.get_data(__package__ or "", "aliases.json") or b"{}"
    return cast("Mapping[str, Mapping[str, object]]", json.loads(data))


class _Aliases(Mapping[str, str]):
    """Short name -> the id that OpenRouter takes."""

    def __getitem__(self, name: str) -> str:
        return cast("str", _load_tables()["aliases"][name])

    def __iter__(self) -> Iterator[str]:
        return iter(_load_tables()["aliases"])

    def __len__(self) -> int:
        return len(_load_tables()["aliases"])


ALIASES: Mapping[str, str] = _Aliases()
#: Suffixes that only say how to route. An id with another suffix, such as `:free`, is a model of its own.
_ROUTING = (":nitro", ":floor", ":exacto", ":online")


def strip_routing(model: str) -> str:
    """The id without the suffixes that say how to route; there may be several."""
    while model.endswith(_ROUTING):
        model = model.rpartition(":")[0]
    return model


def find_successors(model: str) -> tuple[str, ...]:
    """The ids to use in place of one that has left the catalogue; empty for one that has not."""
    return tuple(cast("list[str]", _load_tables()["retired"].get(model, ())))


def list_retired() -> Mapping[str, tuple[str, ...]]:
    """Every id that is known to have left the catalogue -> its successors."""
    return {model: find_successors(model) for model in _load_tables()["retired"]}
