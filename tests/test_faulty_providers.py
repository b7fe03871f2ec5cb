"""A provider is foreign code: whatever it raises or gives, outside of a call too, the user gets a typed error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llmkit import ModelInfo, ProviderBug
from llmkit.discovery.availability import check_available
from llmkit.discovery.catalogue import path_of
from llmkit.discovery.lists import get_model_info, list_models
from llmkit.discovery.pull import apull_model, pull_model
from llmkit.exchange import HTTPRequest
from llmkit.testing.simulator import Simulator

from .acme import Acme, do, registered
from .conftest import KEY, Drive, until


def raising(error: BaseException) -> Callable[..., Any]:
    """A method that raises when it is called."""

    def method(*_: object) -> Any:
        raise error

    return method


def inside(error: BaseException) -> Callable[..., Any]:
    """An operation that raises after its request."""

    def method(*_: object) -> Iterator[Any]:
        yield HTTPRequest("/models", method="GET")
        raise error

    return method


def giving(value: object) -> Callable[..., Any]:
    """An operation that gives something."""

    def method(*_: object) -> Any:
        yield HTTPRequest("/models", method="GET")
        return value

    return method


def asking(value: object) -> Callable[..., Any]:
    """An operation that asks for something that is no request."""

    def method(*_: object) -> Any:
        return (yield value)

    return method


NONSENSE = {
    "raises at once": (raising(ValueError(f"boom {KEY}")), "ValueError: boom"),
    "raises after its request": (inside(KeyError("boom")), "KeyError: 'boom'"),
    "stops after its request": (inside(StopIteration()), "RuntimeError"),
    "gives nothing": (giving(None), "TypeError"),
    "gives text": (giving("abc"), "TypeError: text is no ModelInfo"),
    "gives rows": (giving([{"id": "gpt-4o"}]), "TypeError: .* is no ModelInfo"),
    "asks for text": (asking("GET /models"), "TypeError: an operation asks for text"),
    "is no generator": (lambda _: [1], "TypeError"),
}


def at(sim: Simulator) -> dict[str, Any]:
    return {"base_url": sim.openai_url, "api_key": KEY}


@pytest.mark.parametrize(("operation", "text"), NONSENSE.values(), ids=NONSENSE)
def test_a_list_that_is_none(sim: Simulator, drive: Drive, operation: Callable[..., Any], text: str) -> None:
    """It is a `ProviderBug` that names the provider and holds no key; nothing is kept, and the connection is closed."""
    with registered(Acme, list_models=operation):
        for ask in (list_models, get_model_info):
            with pytest.raises(ProviderBug, match=text) as caught:
                do(drive, ask, "acme", *(["gpt-4o"] if ask is get_model_info else []), **at(sim))
            assert caught.value.provider == "acme"
            assert KEY not in str(caught.value)
        assert not path_of("acme", sim.openai_url).exists()
        found = do(drive, check_available, "acme", "gpt-4o", **at(sim))
    assert not found.ok
    assert "the provider raised" in found.problem
    assert until(lambda: sim.open_connections == 0)


@pytest.mark.parametrize("operation", [raising(ValueError("boom")), inside(ValueError("boom")), giving(None)])
def test_details_that_are_none(sim: Simulator, drive: Drive, operation: Callable[..., Any]) -> None:
    """What the list says of the model stands."""
    with registered(Acme, model_details=operation):
        info = do(drive, get_model_info, "acme", "gpt-4o", **at(sim))
    assert isinstance(info, ModelInfo)
    assert info.id == "gpt-4o"


class Decoder:
    """A decoder that fails in `at`."""

    def __init__(self, at: str) -> None:
        self._at = at

    def feed(self, data: bytes) -> list[Any]:
        if self._at == "feed":
            raise ValueError("boom")
        return []

    def finish(self) -> None:
        raise ValueError("boom")


@pytest.mark.parametrize("place", ["pull", "pull_decoder", "feed", "finish"])
def test_a_pull_that_goes_wrong(sim: Simulator, drive: Drive, place: str) -> None:
    """It ends in a `ProviderBug`, and its connection is closed."""
    methods: dict[str, Any] = {
        "pull": lambda _, model: HTTPRequest("/models", method="GET"),
        "pull_decoder": lambda _, model: Decoder(place),
        "pull_command": "acme pull",
    }
    if place in methods:
        methods[place] = raising(ValueError("boom"))

    async def steps() -> list[Any]:
        return [step async for step in apull_model("x", provider="acme", **at(sim))]

    def pull() -> list[Any]:
        return drive.await_(steps()) if drive.is_async else list(pull_model("x", provider="acme", **at(sim)))

    with registered(Acme, **methods), pytest.raises(ProviderBug, match="ValueError: boom") as caught:
        pull()
    assert (caught.value.provider, caught.value.model) == ("acme", "x")
    assert until(lambda: sim.open_connections == 0)
