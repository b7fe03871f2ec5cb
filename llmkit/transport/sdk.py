"""The default transport: exchanges over the OpenAI SDK's client. Bytes go in, bytes come out.

The SDK gives key handling, TLS, pool and proxies. Its typed request transform, response models, retries and redirects
are not used: they are nine tenths of its cost, and llmkit decides those things itself.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.errors import ConfigError, FirstTokenTimeout, LLMError, ModelClosed
from llmkit.secret import Secret
from llmkit.transport.clamp import set_deadline
from llmkit.transport.faults import to_error

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from llmkit.exchange import AsyncBody, Body, Endpoint, HTTPRequest

#: Seconds to make a connection.
CONNECT = 5.0
_SILENT = "the service was silent for too long"
Options: TypeAlias = dict[str, Any]


class SDKTransport:
    """One endpoint's connections: one pool for threads, one for each event loop. Clients are made at first use."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = Lock()
        self._pid = os.getpid()
        self._sync: OpenAI | None = None
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient] = weakref.WeakKeyDictionary()
        self._closed = False

    def open(self, request: HTTPRequest, deadline: float) -> Body:
        """See `llmkit.exchange.Transport`."""
        client = self._sync or self._sync_client()
        if self._pid != os.getpid() or self._closed:
            client = self._sync_client()
        set_deadline(deadline)
        try:
            stream = client.post(**_arguments(self._endpoint, request, type(client), deadline))
        except Exception as error:
            if (reply := _status_reply(error)) is not None:
                return _SyncBody(reply, self._endpoint.base_url)
            raise to_error(error, self._endpoint.base_url) from None
        return _SyncBody(stream.response, self._endpoint.base_url)

    async def aopen(self, request: HTTPRequest, deadline: float) -> AsyncBody:
        """See `llmkit.exchange.Transport`."""
        if "openai" not in sys.modules:
            # The import takes half a second; the loop goes on meanwhile.
            await asyncio.to_thread(importlib.import_module, "openai")
        client = await self._async_client()
        try:
            async with asyncio.timeout_at(_loop_time(deadline)):
                stream = await client.post(**_arguments(self._endpoint, request, type(client), deadline))
        except Exception as error:
            if (reply := _status_reply(error)) is not None:
                return _AsyncBody(reply, self._endpoint.base_url)
            raise to_error(error, self._endpoint.base_url) from None
        return _AsyncBody(stream.response, self._endpoint.base_url)

    def _sync_client(self) -> OpenAI:
        from llmkit.transport.clients import sync_client

        with self._lock:
            self._check_open()
            if self._sync is None:
                self._sync = sync_client(self._endpoint)
            return self._sync

    async def _async_client(self) -> AsyncOpenAI:
        from llmkit.transport.clients import async_client

        loop = asyncio.get_running_loop()
        held = self._loops.get(loop)
        if held is None or self._closed or self._pid != os.getpid():
            self._check_open()
            held = self._loops[loop] = _LoopClient(async_client(self._endpoint))
            await held.start()
        return held.client

    def _check_open(self) -> None:
        if self._closed:
            raise ModelClosed("the model is closed")
        if self._pid != os.getpid():
            # A forked child must not share the parent's sockets: both would read each other's bytes.
            self._pid = os.getpid()
            self._sync = None
            self._loops = weakref.WeakKeyDictionary()

    def close(self) -> None:
        """See `llmkit.exchange.Transport`. Pools of event loops are closed by `aclose`, or when their loop ends."""
        with self._lock:
            self._closed = True
            client, self._sync = self._sync, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """See `llmkit.exchange.Transport`."""
        self.close()
        held = self._loops.pop(asyncio.get_running_loop(), None)
        if held is not None:
            await held.stop()


class _LoopClient:
    """A client that closes itself when its event loop ends.

    A started async generator is finalised by `asyncio.run` before the loop closes; its `finally` closes the pool.
    """

    def __init__(self, client: AsyncOpenAI) -> None:
        self.client = client
        self._keeper = self._keep()

    async def _keep(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.client.close()

    async def start(self) -> None:
        await anext(self._keeper)

    async def stop(self) -> None:
        await self._keeper.aclose()  # type: ignore[attr-defined]  # it is an async generator


_post_takes_content: dict[type, bool] = {}


def _arguments(endpoint: Endpoint, request: HTTPRequest, client_class: type, deadline: float) -> Options:
    """What the SDK's `post()` is called with. The raw key exists only here."""
    import openai

    takes_content = _post_takes_content.get(client_class)
    if takes_content is None:
        import inspect

        takes_content = "content" in inspect.signature(client_class.post).parameters  # type: ignore[attr-defined]
        _post_takes_content[client_class] = takes_content
    is_async = issubclass(client_class, openai.AsyncOpenAI)
    arguments: Options = {
        "path": request.path,
        "cast_to": object,
        "stream": True,
        "stream_cls": (openai.AsyncStream if is_async else openai.Stream)[object],
        "options": {
            "headers": _headers(endpoint, request),
            "timeout": _timeout(deadline),
            "follow_redirects": False,
        },
    }
    if takes_content:
        arguments["content"] = request.body
    else:
        import json

        arguments["body"] = json.loads(request.body)  # SDKs before 2.50 encode the body themselves.
    return arguments


def _headers(endpoint: Endpoint, request: HTTPRequest) -> dict[str, Any]:
    import openai

    from llmkit.transport.clients import base_headers

    # `Omit` takes the SDK's own per-request headers out.
    headers: dict[str, Any] = {
        "x-stainless-retry-count": openai.Omit(),
        "x-stainless-read-timeout": openai.Omit(),
        **base_headers(),
        **endpoint.headers,
    }
    key = endpoint.api_key
    if key is not None:
        headers["Authorization"] = f"Bearer {key.reveal() if isinstance(key, Secret) else _asked(key())}"
    for name, value in request.headers.items():
        # The request's header replaces the endpoint's however it is spelled, so that no two credentials go out.
        for known in [known for known in headers if known.lower() == name.lower()]:
            del headers[known]
        headers[name] = value
    return headers


def _asked(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise ConfigError(f"the api_key callable gave {type(key).__name__}", hint="It must return the key as text")
    return key


def _timeout(deadline: float) -> Any:
    import time

    import openai

    left = max(deadline - time.monotonic(), 0.001)
    return openai.Timeout(left, connect=min(CONNECT, left), pool=min(CONNECT, left))


def _loop_time(deadline: float) -> float:
    """A `time.monotonic()` value on the running loop's clock."""
    import time

    return asyncio.get_running_loop().time() + deadline - time.monotonic()


def _status_reply(error: Exception) -> Any:
    """The reply inside the SDK's status error, which is no exception to us."""
    import openai

    return error.response if isinstance(error, openai.APIStatusError) else None


class _SyncBody:
    """An open reply of the SDK's HTTP client."""

    __slots__ = ("_address", "_parts", "_reply", "headers", "status")

    def __init__(self, reply: Any, address: str) -> None:
        self._reply = reply
        self._address = address
        self.status: int = reply.status_code
        self.headers: Mapping[str, str] = reply.headers
        self._parts: Iterator[bytes] | None = None

    def read(self, deadline: float) -> bytes:
        set_deadline(deadline)
        try:
            if self._parts is None:
                self._parts = _parts(self._reply)
            return next(filter(None, self._parts), b"")
        except Exception as error:
            raise _read_error(error, self._address) from None

    def close(self) -> None:
        self._reply.close()


class _AsyncBody:
    """As `_SyncBody`, on an event loop."""

    __slots__ = ("_address", "_parts", "_reply", "headers", "status")

    def __init__(self, reply: Any, address: str) -> None:
        self._reply = reply
        self._address = address
        self.status: int = reply.status_code
        self.headers: Mapping[str, str] = reply.headers
        self._parts: AsyncIterator[bytes] | None = None

    async def read(self, deadline: float) -> bytes:
        try:
            if self._parts is None:
                self._parts = _async_parts(self._reply)
            async with asyncio.timeout_at(_loop_time(deadline)):
                while (part := await anext(self._parts, None)) == b"":
                    pass
                return part or b""
        except Exception as error:
            raise _read_error(error, self._address) from None

    async def close(self) -> None:
        await self._reply.aclose()


def _parts(reply: Any) -> Iterator[bytes]:
    """The reads of a reply as the network brings them; an error reply was read whole by the SDK."""
    if reply.is_stream_consumed:
        return iter((reply.content,))
    parts: Iterator[bytes] = reply.iter_bytes() if reply.headers.get("content-encoding") else reply.iter_raw()
    return parts


def _async_parts(reply: Any) -> AsyncIterator[bytes]:
    if reply.is_stream_consumed:
        return _once(reply.content)
    parts: AsyncIterator[bytes] = reply.aiter_bytes() if reply.headers.get("content-encoding") else reply.aiter_raw()
    return parts


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _read_error(error: Exception, address: str) -> LLMError:
    if isinstance(error, TimeoutError):
        return FirstTokenTimeout(f"{address}: {_SILENT}")
    return to_error(error, address)
