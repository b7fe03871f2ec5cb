"""What the behaviour tests share: the simulator, and a driver that does the same thing sync and async."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import pytest

if os.environ.get("LLMKIT_TEST_WITHOUT_AIOHTTP"):
    # Before anything imports the OpenAI SDK, which looks for aiohttp once.
    sys.modules["aiohttp"] = None  # type: ignore[assignment]

# A shell without job control starts what runs in the background with SIGINT ignored, and every child inherits that:
# Ctrl-C would reach neither the programs that the tests start nor this process. A handler is not inherited, so the
# children begin with the system's default.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of programs are started. Where none may keep what it compiled, each compiles the whole library again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from llmkit import Chunk, LanguageModel, LLMError, Response, RetryPolicy, create_language
from llmkit.testing.simulator import Simulator
from tests.fork_server import ForkServer
from tests.sets import (  # noqa: F401 - hooks are found here by name
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_ignore_collect,
    pytest_terminal_summary,
)

T = TypeVar("T")

KEY = "sk-test-0123456789abcdef"
#: Retries without long waits.
FAST = RetryPolicy(backoff=0.005, longest_backoff=0.01)
#: A model of each provider.
MODELS = {"openrouter": "openai/gpt-4o-mini", "openai": "gpt-4o-mini", "ollama": "llama3.2"}
PROVIDERS = tuple(MODELS)

_CACHES = count()
_PREFIXES = ("OPENROUTER_", "OPENAI_", "OLLAMA_", "AZURE_OPENAI_", "OR_")
_NAMES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "LLMKIT_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR"}


@pytest.fixture(autouse=True)
def clean_environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No key, address, proxy, file or cache of the developer's own reaches a test, except one that calls the real services."""
    if request.node.get_closest_marker("live"):
        yield
        return
    kept = dict(os.environ)
    for name in kept:
        if name.startswith(_PREFIXES) or name.upper() in _NAMES:
            del os.environ[name]
    # A folder of this test's own, which need not exist: an address of another test must not bring that one's models.
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.getbasetemp() / f"cache-{next(_CACHES)}")
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.getbasetemp() / "no-config")
    yield
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Runs Python programs without the time that a new interpreter takes to load the libraries."""
    with closing(ForkServer()) as server:
        yield server


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A running simulator. The SDK is loaded: a test with a short time limit must not pay for that."""
    importlib.import_module("openai")
    with Simulator() as simulator:
        yield simulator


def url_of(sim: Simulator, provider: str) -> str:
    """The simulator's address in the dialect of `provider`."""
    return str(getattr(sim, f"{provider}_url"))


def model_at(sim: Simulator, provider: str, model: str | None = None, **settings: Any) -> LanguageModel:
    """A model of `provider` that the simulator serves, with retries that do not wait long."""
    given = {"api_key": KEY, "retry": FAST, **settings}
    given.setdefault("base_url", url_of(sim, provider) if provider in PROVIDERS else sim.openai_url)
    return create_language(provider, model or MODELS[provider], **given)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until `condition` holds, at most `seconds`. Did it?"""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


@dataclass
class Heard:
    """What the caller of one streamed call had in hand at its end."""

    texts: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    response: Response | None = None
    error: LLMError | None = None
    stream: Any = None

    @property
    def text(self) -> str:
        """All delivered text."""
        return "".join(self.texts)


class Drive:
    """Uses a model through its sync or its async half, in one vocabulary. Async, all calls share one event loop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name == "async"
        self._runner = asyncio.Runner() if self.is_async else None
        self._models: list[LanguageModel] = []

    def __repr__(self) -> str:
        return self.name

    def await_(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of this drive."""
        assert self._runner is not None
        return self._runner.run(coroutine)

    def keep(self, model: LanguageModel) -> LanguageModel:
        """Close the model when the test is over."""
        self._models.append(model)
        return model

    def make(self, sim: Simulator, provider: str, model: str | None = None, **settings: Any) -> LanguageModel:
        """As `model_at`; the model is closed when the test is over."""
        return self.keep(model_at(sim, provider, model, **settings))

    def ask(self, model: LanguageModel, messages: Any = "hello", **settings: Any) -> Response:
        """A plain call."""
        if self.is_async:
            return self.await_(model.achat_complete(messages, stream=False, **settings))
        return model.chat_complete(messages, stream=False, **settings)

    def open(self, model: LanguageModel, messages: Any = "hello", **settings: Any) -> Any:
        """A streamed call, opened: its first content is there."""
        if not self.is_async:
            return model.chat_complete(messages, stream=True, **settings)

        async def opened() -> Any:
            return await model.achat_complete(messages, stream=True, **settings)

        return self.await_(opened())

    def next(self, stream: Any) -> Any:
        """The next chunk."""
        if not self.is_async:
            return next(stream)

        async def step() -> Any:
            return await anext(stream)

        return self.await_(step())

    def rest(self, stream: Any) -> list[Chunk]:
        """All chunks that are left of an open stream, by the loop of the language."""
        if not self.is_async:
            return list(stream)

        async def collect() -> list[Chunk]:
            return [chunk async for chunk in stream]

        return self.await_(collect())

    def close(self, thing: Any) -> None:
        """Close a stream or a model."""
        if self.is_async:
            self.await_(thing.aclose())
        else:
            thing.close()

    def hear(self, model: LanguageModel, messages: Any = "hello", **settings: Any) -> Heard:
        """A streamed call, read to whatever end it takes."""
        heard = Heard()
        end = StopAsyncIteration if self.is_async else StopIteration
        try:
            heard.stream = self.open(model, messages, **settings)
            while True:
                chunk = self.next(heard.stream)
                heard.times.append(time.monotonic())
                heard.texts.append(chunk.choices[0].delta.content)
        except end:
            heard.response = heard.stream.response
        except LLMError as error:
            heard.error = error
        return heard

    def failure(self, model: LanguageModel, mode: str = "plain", **settings: Any) -> LLMError:
        """The error of a call that must fail. `mode` is plain or streamed."""
        if mode == "plain":
            with pytest.raises(LLMError) as caught:
                self.ask(model, **settings)
            return caught.value
        error = self.hear(model, **settings).error
        assert error is not None, "the streamed call did not fail"
        return error

    def text(self, model: LanguageModel, mode: str = "plain", **settings: Any) -> str | None:
        """The text of a call that must succeed."""
        return self.response(model, mode, **settings).content

    def response(self, model: LanguageModel, mode: str = "plain", **settings: Any) -> Response:
        """The response of a call that must succeed."""
        if mode == "plain":
            return self.ask(model, **settings)
        heard = self.hear(model, **settings)
        if heard.error is not None:
            raise heard.error
        assert heard.response is not None
        assert heard.text == (heard.response.content or "")
        return heard.response

    def end(self) -> None:
        """Close every model, and the loop."""
        for model in self._models:
            self.close(model)
        if self._runner is not None:
            self._runner.close()


@pytest.fixture(params=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Iterator[Drive]:
    """The sync half and the async half, one after the other."""
    made = Drive(request.param)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(params=["plain", "streamed"])
def mode(request: pytest.FixtureRequest) -> str:
    """A plain call, and a streamed one."""
    return str(request.param)


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    import socket

    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
