"""The default transport: exchanges over the OpenAI SDK's client. Bytes go in, bytes come out.

The SDK gives key handling, TLS, pool and proxies. Its typed request transform, response models, retries and redirects
are not used: they are nine tenths of its cost, and llmkit decides those things itself.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
import time
import weakref
from collections.abc import AsyncGenerator, Callable
from threading import Lock, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmkit.config.setting_checks import describe
from llmkit.errors import ConfigError, LLMError, LLMTimeout, LocalOverload, ModelClosed
from llmkit.transport.sdk.bodies import (
    AsyncErrorBody,
    ErrorBody,
    LoopBody,
    StatusReply,
    SyncBody,
    find_status_reply,
    to_loop_time,
)
from llmkit.transport.sdk.clamp import set_deadline
from llmkit.transport.sdk.clients import JSON_TYPE
from llmkit.transport.sdk.faults import to_error
from llmkit.types.redaction import scrub
from llmkit.types.secret import Secret, parse_key

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from llmkit.provider.exchange import AsyncBody, Body, Endpoint, HTTPRequest

#: Most connections open at once where `max_connections` does not say: the SDK's own limit.
DEFAULT_CONNECTIONS = 1000
#: Seconds to make a connection.
CONNECT_SECONDS = 5.0


class SDKTransport:
    """One endpoint's connections: one pool for threads, one for each event loop. Clients are made at first use."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = Lock()
        self._pid = os.getpid()
        self._address = urlsplit(endpoint.base_url).netloc
        self._sync: OpenAI | None = None
        self._sync_sender: Sender | None = None
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient] = weakref.WeakKeyDictionary()
        self._closed = False

    def open(self, request: HTTPRequest, deadline: float) -> Body:
        """See `llmkit.provider.exchange.Transport`."""
        if "openai" not in sys.modules:
            # In a thread: Ctrl-C then interrupts the waiting, and does not leave modules half imported.
            importing = Thread(target=importlib.import_module, args=("openai",), daemon=True)
            importing.start()
            importing.join()
        sender = self._sync_sender if self._sync_sender and self._usable() else self._sync_client()
        set_deadline(deadline)
        outside = sys.exc_info()[1]
        try:
            return SyncBody(sender(request, deadline).response, self._address)
        except Exception as error:  # whatever the SDK or the HTTP library raises becomes a reply or a typed error
            failure = _read_failure(error, self._address, outside)
        # Raised out here, so that the SDK's exception, which holds the request with its key, is not its context.
        if isinstance(failure, LLMError):
            raise failure
        return ErrorBody(failure, sender.key)

    async def aopen(self, request: HTTPRequest, deadline: float) -> AsyncBody:
        """See `llmkit.provider.exchange.Transport`."""
        if "openai" not in sys.modules:
            # The import takes half a second; the loop goes on meanwhile.
            await asyncio.to_thread(importlib.import_module, "openai")
        client = await self._async_client()
        client.open += 1
        opened = False
        outside = sys.exc_info()[1]
        try:
            async with asyncio.timeout_at(to_loop_time(deadline)):
                stream = await client.sender(request, deadline)
            opened = True
            return LoopBody(stream.response, self._address, client)
        except Exception as error:  # whatever the SDK or the HTTP library raises becomes a reply or a typed error
            failure = _read_failure(error, self._address, outside)
            if isinstance(failure, LLMTimeout) and client.open > client.limit:
                # Neither backend tells a full pool from a slow server when both limits end together.
                failure = LocalOverload(f"{self._address}: all {client.limit} connections of the pool were in use")
        finally:
            client.open -= not opened
        if isinstance(failure, LLMError):
            raise failure
        return AsyncErrorBody(failure, client.sender.key)

    def _usable(self) -> bool:
        return not self._closed and self._pid == os.getpid()

    def _sync_client(self) -> Sender:
        from llmkit.transport.sdk.clients import sync_client

        with self._lock:
            self._check_open()
            if self._sync_sender is None:
                self._sync = sync_client(self._endpoint)
                self._sync_sender = Sender(self._sync, self._endpoint)
            return self._sync_sender

    async def _async_client(self) -> _LoopClient:
        from llmkit.transport.sdk.clients import async_client

        loop = asyncio.get_running_loop()
        client = self._loops.get(loop)
        if client is None or not self._usable():
            self._check_open()
            client = self._loops[loop] = _LoopClient(async_client(self._endpoint), self._endpoint)
            await client.start()
        return client

    def _check_open(self) -> None:
        if self._closed:
            raise ModelClosed("the model is closed")
        if self._pid != os.getpid():
            # A forked child must not share the parent's sockets: both would read each other's bytes.
            self._pid = os.getpid()
            self._sync = self._sync_sender = None
            self._loops = weakref.WeakKeyDictionary()

    def close(self) -> None:
        """See `llmkit.provider.exchange.Transport`.

        Pools of event loops are closed by `aclose`, or when their loop ends.
        """
        with self._lock:
            self._closed = True
            client, self._sync, self._sync_sender = self._sync, None, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """See `llmkit.provider.exchange.Transport`."""
        self.close()
        client = self._loops.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.stop()


class _LoopClient:
    """A client that closes itself when its event loop ends.

    A started async generator is finalised by `asyncio.run` before the loop closes; its `finally` closes the pool.
    """

    def __init__(self, client: AsyncOpenAI, endpoint: Endpoint) -> None:
        self._client = client
        self._keeper = self._keep()
        self.sender = Sender(client, endpoint)
        self.limit = endpoint.max_connections or DEFAULT_CONNECTIONS
        self.open = 0

    async def _keep(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self._client.close()

    async def start(self) -> None:
        await anext(self._keeper)

    async def stop(self) -> None:
        await self._keeper.aclose()


class Sender:
    """The SDK's client with what is the same for every request of an endpoint made once.

    JSON by POST, and GET, go by the SDK's own methods. It has none that streams the reply of another method, and takes
    a multipart body for fields of its own: such a request is handed to the HTTP client inside it, which has the same
    pool, TLS and hooks.
    """

    def __init__(self, client: OpenAI | AsyncOpenAI, endpoint: Endpoint) -> None:
        import openai

        from llmkit.transport.sdk.clients import base_headers

        self._post: Any = client.post
        self._get: Any = client.get
        self._http: Any = client._client
        self._is_async = isinstance(client, openai.AsyncOpenAI)
        # A whole address: the SDK would otherwise parse and join it anew for each request.
        self._base_url = endpoint.base_url
        self._endpoint = endpoint
        #: The key that was sent last, to be taken out of what comes back.
        self.key: Secret | None = None
        self._timeout = openai.Timeout
        # SDKs before 2.50 take no bytes.
        self._takes_content = "content" in inspect.signature(client.post).parameters
        self._stream_class: Any = (openai.AsyncStream if self._is_async else openai.Stream)[object]
        # `Omit` takes the SDK's own per-request headers out.
        self._headers: dict[str, Any] = {
            "x-stainless-retry-count": openai.Omit(),
            "x-stainless-read-timeout": openai.Omit(),
            **base_headers(),
            **endpoint.headers,
        }

    def __call__(self, request: HTTPRequest, deadline: float) -> Any:
        """The SDK's stream object, or a coroutine of it. The raw key exists only in what is passed on here."""
        left = max(deadline - time.monotonic(), 0.001)
        most = left * 0.9  # Before the outer limit, so that the error says which it was.
        headers = self._all_headers(request)
        # Reads have the deadline that each is given. The library's own clock would run on while nobody reads.
        timeout = self._timeout(left, read=None, connect=min(CONNECT_SECONDS, most), pool=most)
        address = self._base_url + request.path
        options = {"headers": headers, "timeout": timeout, "follow_redirects": False}
        answer = {"cast_to": object, "stream": True, "stream_cls": self._stream_class, "options": options}
        if request.method == "GET":
            return self._get(address, **answer)
        if request.method == "POST" and headers.get("Content-Type") == JSON_TYPE:
            if self._takes_content:
                return self._post(address, **answer, content=request.body)
            return self._post(address, **answer, body=json.loads(request.body or b"{}"))
        sent = {name: value for name, value in headers.items() if isinstance(value, str)}
        made = self._http.build_request(request.method, address, content=request.body, headers=sent, timeout=timeout)
        if self._is_async:
            return self._send_async(made)
        return SimpleNamespace(response=self._http.send(made, stream=True))

    async def _send_async(self, request: Any) -> Any:
        return SimpleNamespace(response=await self._http.send(request, stream=True))

    def _all_headers(self, request: HTTPRequest) -> dict[str, Any]:
        headers = self._headers.copy()
        key = self._endpoint.api_key
        if key is not None and self._endpoint.key_header:
            self.key = key if isinstance(key, Secret) else _ask_key(key)
            name = self._endpoint.key_header
            headers[name] = f"Bearer {self.key.reveal()}" if name == "Authorization" else self.key.reveal()
        for name, value in request.headers.items():
            # The request's header replaces the endpoint's however it is spelled, so that no two credentials go out.
            for known in [known for known in headers if known.lower() == name.lower()]:
                del headers[known]
            headers[name] = value
        return headers


def _ask_key(ask: Callable[[], str]) -> Secret:
    """What an `api_key` callable gives, checked as a given key is."""
    try:
        key: object = ask()
    except LLMError:
        raise
    except Exception as error:  # the user's own code
        problem = f"{type(error).__name__}: {scrub(str(error))}"
    else:
        if isinstance(key, Secret):
            return key
        if isinstance(key, str) and key.strip():
            return parse_key(key, "what the api_key callable gave")
        problem = f"it gave {describe(key)}"
    raise ConfigError(f"the api_key callable failed: {problem}", hint="It must return the key as text")


def _read_failure(error: Exception, address: str, outside: BaseException | None) -> LLMError | StatusReply:
    """What an exception of the SDK means: a reply with an error status, or a failure."""
    return find_status_reply(error) or to_error(error, address, outside)
