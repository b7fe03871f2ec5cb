"""A provider is foreign code: whatever it raises or gives, outside of a call too, the user gets a typed error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from llmkit import ModelInfo, ProviderBug, Response, StreamInterrupted
from llmkit.operations.availability import check_available
from llmkit.operations.known_models import list_path
from llmkit.operations.lists import get_model_info, list_models
from llmkit.operations.pull import apull_model, pull_model
from llmkit.provider.exchange import HTTPRequest
from llmkit.provider.interface import Call
from llmkit.testing.simulator import Reply, Simulator
from llmkit.types.responses import Chunk
from llmkit.types.usage import Cost
from llmkit.wire.chat_stream import ChatDecoder
from tests.acme import Acme, do, registered
from tests.conftest import KEY, Drive, until


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
    "gives text": (giving("abc"), "TypeError: text is not a ModelInfo"),
    "gives rows": (giving([{"id": "gpt-4o"}]), "TypeError: .* is not a ModelInfo"),
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
        assert not list_path("acme", sim.openai_url).exists()
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


class Breaking(ChatDecoder):
    """A decoder of the dialect that raises `error` in `place`, in `feed` once `after` has been handed out."""

    error: Exception
    place: str
    after: str

    def _breaks(self, place: str) -> None:
        if place in self.place:
            raise self.error

    def feed(self, data: bytes) -> Any:
        if self.after and super().partial().choices and super().partial().content == self.after:
            self._breaks("feed")
        chunks = super().feed(data)
        if not self.after:
            self._breaks("feed")
        if self.place == "chunks":
            return [Chunk((object(),)) for _ in chunks]  # type: ignore[arg-type]
        return chunks

    def finish(self) -> Response:
        self._breaks("finish")
        return super().finish()

    def partial(self) -> Response:
        self._breaks("partial")
        return super().partial()


BUGS = [ValueError(f"boom {KEY}"), KeyError("boom"), ArithmeticError("boom"), AssertionError(), RecursionError("deep")]


def breaking(error: Exception, place: str, after: str) -> Callable[..., Any]:
    """A `decoder` method that gives such a decoder."""
    cls = type("Made", (Breaking,), {"error": error, "place": place, "after": after})

    def decoder(self: Acme, call: Call) -> Any:
        return cls(self, call)

    return decoder


@pytest.mark.parametrize("error", BUGS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", ["feed", "finish"])
def test_a_decoder_that_raises_after_content(sim: Simulator, drive: Drive, place: str, error: Exception) -> None:
    """It is a `StreamInterrupted` with the text that was handed out; its reason is the provider's bug; sent once."""
    sim.script(Reply(chunks=["hello ", "world"], chunk_delay=0.05))
    handed_out = "hello " if place == "feed" else "hello world"
    with registered(Acme, decoder=breaking(error, place, "hello ")):
        model = drive.make(sim, "acme", "gpt-4o")
        heard = drive.hear(model)
    assert isinstance(heard.error, StreamInterrupted)
    assert isinstance(heard.error.reason, ProviderBug)
    assert type(error).__name__ in heard.error.message
    assert KEY not in str(heard.error) + str(heard.error.reason)
    assert heard.text == heard.error.partial_text == handed_out
    assert heard.error.partial is not None
    assert heard.error.partial.content == handed_out
    assert heard.error.provider == "acme"
    assert heard.error.attempts[0].outcome == "StreamInterrupted"
    assert len(sim.requests) == 1
    assert model.totals().unknown == 1
    drive.close(model)
    assert until(lambda: sim.open_connections == 0)


@pytest.mark.parametrize("place", ["feed partial", "feed finish", "feed finish partial"])
def test_a_decoder_that_raises_again_when_it_is_asked_what_came(sim: Simulator, drive: Drive, place: str) -> None:
    """The first failure is the reason; what the decoder cannot tell any more is absent."""
    sim.script(Reply(chunks=["hello ", "world"], chunk_delay=0.05))
    with registered(Acme, decoder=breaking(ValueError("boom"), place, "hello ")):
        heard = drive.hear(drive.make(sim, "acme", "gpt-4o"))
    assert isinstance(heard.error, StreamInterrupted)
    assert isinstance(heard.error.reason, ProviderBug)
    assert heard.error.partial_text == (None if "partial" in place else "hello ")


@pytest.mark.parametrize("place", ["finish", "partial", "finish partial"])
def test_a_broken_connection_stays_the_reason(sim: Simulator, drive: Drive, place: str) -> None:
    """A decoder that raises while a cut stream is given up does not hide why it was."""
    sim.script(Reply(chunks=["hello ", "world"], cut_after=1, cut="reset"))
    with registered(Acme, decoder=breaking(ValueError("boom"), place, "never")):
        heard = drive.hear(drive.make(sim, "acme", "gpt-4o"))
    assert isinstance(heard.error, StreamInterrupted)
    assert type(heard.error.reason).__name__ == "ConnectionLost"


@pytest.mark.parametrize("place", ["feed", "finish", "chunks"])
def test_a_decoder_that_raises_before_content(sim: Simulator, drive: Drive, place: str) -> None:
    """Nothing was handed out: it is a `ProviderBug`, and a fallback answers."""
    sim.script(Reply(chunks=["" if place == "finish" else "hello"]))
    with registered(Acme, decoder=breaking(ValueError("boom"), place, "")):
        model = drive.make(sim, "acme", "gpt-4o", fallbacks=[drive.make(sim, "openrouter")], retry=None)
        heard = drive.hear(model)
    assert heard.response is not None
    assert [attempt.outcome for attempt in heard.response.attempts] == ["ProviderBug", "ok"]


def test_a_salvage_that_raises(sim: Simulator, drive: Drive) -> None:
    """The error of a plain reply that was cut is the connection's."""
    sim.script(Reply(text="hello " * 50, cut_bytes=120, cut="reset"))
    with registered(Acme, salvage=raising(ValueError("boom"))):
        error = drive.failure(drive.make(sim, "acme", "gpt-4o", retry=None))
    assert type(error).__name__ == "ConnectionLost"


@pytest.mark.parametrize("amount", [Decimal("9e999999"), Decimal("NaN"), Decimal("sNaN"), Decimal(-1), 0.5, "1", 10**4000])
def test_a_cost_that_a_provider_makes_up(sim: Simulator, drive: Drive, mode: str, amount: Any) -> None:
    """It is unknown, with a warning; the totals go on."""
    with registered(Acme, cost=lambda *_: Cost(amount, "reported")):
        model = drive.make(sim, "acme", "gpt-4o")
        for _ in range(2):
            response = drive.response(model, mode)
            assert (response.cost.amount, response.cost.basis, len(response.warnings)) == (None, "unknown", 1)
    assert (model.totals().unknown, model.totals().amount) == (2, 0)
