"""Services that speak OpenAI's chat completions, as rows of data: name, address, key variables, documentation.

The rows are in `services.json`, which `scripts/make_services.py` makes. A row may also hold any attribute of
`ChatProvider` that differs for the service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from llmkit.provider import BaseProvider
from llmkit.wire.chat import ChatProvider

if TYPE_CHECKING:
    from llmkit.types import ModelInfo


class ServiceProvider(ChatProvider):
    """The provider of a compatible service, made from one row."""

    def __init__(self, name: str, row: Mapping[str, object]) -> None:
        """`row` holds values of attributes of `ChatProvider`."""
        super().__init__(name)
        for attribute, value in row.items():
            setattr(self, attribute, tuple(value) if isinstance(value, list) else value)

    def known_model(self, model: str) -> ModelInfo | None:
        """See `BaseProvider`."""
        from llmkit_openai import snapshot

        return snapshot.known_model(self.name, model)


class _Services(Mapping[str, Callable[[str], BaseProvider]]):
    """The table of services, read at its first use."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, object]] | None = None

    def _load_rows(self) -> dict[str, dict[str, object]]:
        if self._rows is None:
            text = (files("llmkit_openai") / "services.json").read_text("utf-8")
            self._rows = cast("dict[str, dict[str, object]]", json.loads(text)["services"])
        return self._rows

    def __getitem__(self, name: str) -> Callable[[str], BaseProvider]:
        return partial(ServiceProvider, row=self._load_rows()[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._load_rows())

    def __len__(self) -> int:
        return len(self._load_rows())


SERVICES: Mapping[str, Callable[[str], BaseProvider]] = _Services()
