"""`FakeModel`: a `LanguageModel` with scripted answers, for unit tests without a socket.

    from llmkit import RateLimited
    from llmkit.testing import Answer, FakeModel

    model = FakeModel("Paris", Answer(tool_calls=[("weather", {"city": "Paris"})]), RateLimited("slow down"))
    assert model.chat_complete("Capital of France?").content == "Paris"
    assert model.calls[0].messages[-1].text == "Capital of France?"

Only the remote service is simulated. Requests are built, replies are read, and streams, retry, fallbacks and totals
run as they do with a real provider, sync and async.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from typing import TypeAlias, Unpack, cast

from llmkit.config.setting_checks import check_settings
from llmkit.errors import ConfigError, LLMError
from llmkit.language.model import LanguageModel
from llmkit.operations.setup import Setup
from llmkit.provider.exchange import AsyncBody, Body, Endpoint, HTTPRequest, Transport
from llmkit.provider.interface import Call
from llmkit.testing.fake_answer import Answer, build_document, build_events
from llmkit.transport.connection import Connection
from llmkit.types.messages import Message
from llmkit.types.settings import SAMPLING, CallSettings
from llmkit.types.usage import UNKNOWN_COST, Cost, Usage
from llmkit.wire.chat import ChatProvider

Scripted: TypeAlias = str | Answer | LLMError
#: One item of a script: the answer to a request, or a function that returns it, given the messages.
Item: TypeAlias = Scripted | Callable[[Sequence[Message]], Scripted]


class FakeModel(LanguageModel):
    """A model that answers by script. Each request takes the next item; a retry is a request too.

    Nothing is retried unless `retry=` is given, so that no test sleeps. `retry=RetryPolicy(backoff=0)` tries again
    without a wait, unless an error asks for one by its `retry_after`.

    A copy made by `with_settings` shares the script, and its calls are in `calls` too.
    """

    def __init__(
        self,
        *script: Item,
        provider: str = "fake",
        model: str = "fake-model",
        repeat: bool = False,
        fallbacks: Sequence[LanguageModel] = (),
        **settings: Unpack[CallSettings],
    ) -> None:
        """Make a model with a script.

        Args:
            script: text, an `Answer`, an `LLMError` to raise, or a function of the messages that returns one of these.
            provider: the name of the provider in responses and errors.
            model: the model's name.
            repeat: start over when the script is used up; otherwise the next request raises `ConfigError`.
            fallbacks: models to try next, fake or not.
            settings: as for a call; `retry` is `None` by default.

        Raises:
            TypeError: an item of the script has another type.
            ConfigError: a setting is unknown or wrong.
        """
        for item in script:
            if isinstance(item, type) or not (isinstance(item, (str, Answer, LLMError)) or callable(item)):
                raise TypeError(f"the script holds {item!r}; it takes str, Answer, LLMError objects and functions")
        self._script = _Script(script, repeat=repeat)
        backend = _FakeProvider(provider, _FakeTransport(self._script))
        checked_settings = check_settings(cast("Mapping[str, object]", {"retry": None, **settings}), call=True)
        endpoint = Endpoint("http://localhost", local=True)
        setup = Setup(
            backend, model, checked_settings, Connection(backend, endpoint), base_url=endpoint.base_url, local=True
        )
        super().__init__(setup, fallbacks=fallbacks)

    @property
    def calls(self) -> list[Call]:
        """The calls, one for each request, oldest first, with their `messages`, `settings` and `stream`. A copy."""
        return list(self._script.calls)

    @property
    def remaining(self) -> int:
        """Items of the script that no request has taken yet."""
        return max(0, len(self._script.items) - len(self._script.calls))


class _Script:
    """The items of the script, and the calls that took one."""

    def __init__(self, items: Sequence[Item], *, repeat: bool) -> None:
        self.items = items
        self.calls: list[Call] = []
        self._repeat = repeat
        self._lock = Lock()

    def take(self, call: Call) -> tuple[int, Answer]:
        """Return the number of the request, from 1, and its answer. Raises the scripted error."""
        with self._lock:
            self.calls.append(call)
            number = len(self.calls)
        if not self.items or (number > len(self.items) and not self._repeat):
            raise ConfigError(
                f"the script of {len(self.items)} answers is used up; this is request {number}",
                hint="Script more answers, or pass repeat=True",
            )
        item = self.items[(number - 1) % len(self.items)]
        scripted = item if isinstance(item, (str, Answer, LLMError)) else item(call.messages)
        if isinstance(scripted, LLMError):
            raise copy.copy(
                scripted
            )  # An error is marked with its attempts when it is raised; the script's stays clean.
        if isinstance(scripted, Answer):
            return number, scripted
        if not isinstance(cast("object", scripted), str):
            raise ConfigError(
                f"a function of the script returned {scripted!r}", hint="Return a str, an Answer or an LLMError"
            )
        return number, Answer(scripted)


@dataclass(frozen=True, slots=True)
class _FakeRequest(HTTPRequest):
    """The request that a service would get, with the call for the script."""

    call: Call | None = None


class _FakeProvider(ChatProvider):
    """The chat-completions dialect with every setting, over a transport that answers by script."""

    key_required = False
    supported = SAMPLING | {"site_url", "app_name"}

    def __init__(self, name: str, transport: Transport) -> None:
        super().__init__(name)
        self._transport = transport

    def transport(self, endpoint: Endpoint) -> Transport:
        """See `BaseProvider`."""
        return self._transport

    def build(self, call: Call) -> HTTPRequest:
        """See `BaseProvider`."""
        request = super().build(call)
        return _FakeRequest(request.path, request.body, stream=request.stream, call=call)

    def reasoning(self, value: object) -> Mapping[str, object]:
        """Return the setting as it is: a word or a budget."""
        return {"reasoning": value}

    def cost(self, call: Call, usage: Usage) -> Cost:
        """Return the scripted cost."""
        amount = usage.raw.get("cost")
        return UNKNOWN_COST if amount is None else Cost(Decimal(str(amount)), "reported", Decimal(str(amount)))


class _FakeTransport:
    """Answers within the process. Nothing is open, so there is nothing to close."""

    def __init__(self, script: _Script) -> None:
        self._script = script

    def open(self, request: HTTPRequest, deadline: float) -> Body:
        return _Body(self._reply(request))

    async def aopen(self, request: HTTPRequest, deadline: float) -> AsyncBody:
        await asyncio.sleep(0)  # A real call gives other tasks their turn; so does this one.
        return _AsyncBody(self._reply(request))

    def _reply(self, request: HTTPRequest) -> Iterator[bytes]:
        assert isinstance(request, _FakeRequest)
        assert request.call is not None
        number, answer = self._script.take(request.call)
        return _iterate_reads(answer, request.call, number)

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def _iterate_reads(answer: Answer, call: Call, number: int) -> Iterator[bytes]:
    """Yield what each read of the reply gives. An error of the answer is raised at its place."""
    if call.stream:
        yield from build_events(answer, call.model, number)
    if answer.error is not None:
        raise copy.copy(answer.error)
    if not call.stream:
        yield build_document(answer, call.model, number)


class _Body:
    """An open reply that is read from a thread."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, reads: Iterator[bytes]) -> None:
        self._reads = reads

    def read(self, deadline: float) -> bytes:
        return next(self._reads, b"")

    def close(self) -> None:
        pass


class _AsyncBody:
    """An open reply that is read on an event loop."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, reads: Iterator[bytes]) -> None:
        self._reads = reads

    async def read(self, deadline: float) -> bytes:
        await asyncio.sleep(0)
        return next(self._reads, b"")

    async def close(self) -> None:
        pass
