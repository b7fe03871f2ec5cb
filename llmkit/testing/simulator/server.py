"""`Simulator`: the server in its thread, and the methods of a test."""

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Self, Unpack, cast

from llmkit.testing.simulator.catalogue import KeyFields
from llmkit.testing.simulator.connection import ClientGoneError, Connection
from llmkit.testing.simulator.http import BadRequestError, build_response_head, read_request
from llmkit.testing.simulator.jsonvalue import trust_object, write
from llmkit.testing.simulator.pages import OPENAI_PATH, OPENROUTER_PATH
from llmkit.testing.simulator.player import Player
from llmkit.testing.simulator.records import Charge, RecordedRequest
from llmkit.testing.simulator.reply import Reply
from llmkit.testing.simulator.service import Service

_HOST = "127.0.0.1"
_MAX_BACKLOG_CONNECTIONS = 4096
_logger = logging.getLogger(__name__)


class Simulator:
    """A stand-in for OpenRouter, OpenAI and Ollama on a loopback address.

    It replaces the remote services only: it answers by rules and scripts, and no model is behind it.
    Every response says so in the header `x-simulator`. The server runs in a daemon thread of its own; all
    methods may be called from any thread.

        with Simulator() as sim:
            sim.script(Reply(text="hi"))
            ...  # talk to sim.openrouter_url, sim.openai_url or sim.ollama_url
            assert sim.requests[0].model == "openai/gpt-4o-mini"

    Args:
        port: TCP port; 0 = any free one.
        tls: serve https with this context; None = http.

    Raises (from `start`):
        OSError: the port cannot be bound.
    """

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self._tls = tls
        self._service = Service()
        self._gate = asyncio.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._connection_tasks: set[asyncio.Task[None]] = set()
        self._accepted = 0
        self._accepted_before = 0
        self._open = 0
        self._busy = 0

    # Start and end.

    def start(self) -> Self:
        """Bind and serve; returns when requests are accepted. Starting twice does nothing."""
        if self._thread is None:
            bound: Future[int] = Future()
            self._thread = threading.Thread(target=self._run, args=(bound,), name="llmkit-simulator", daemon=True)
            self._thread.start()
            try:
                self.port = bound.result()
            except OSError:
                self._thread.join()
                self._thread = None
                raise
        return self

    def close(self) -> None:
        """Break off what is open and end the thread. Records stay readable. Closing twice does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Addresses.

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'http' if self._tls is None else 'https'}://{_HOST}:{self.port}"

    @property
    def openrouter_url(self) -> str:
        """Base URL of the OpenRouter dialect."""
        return self.url + OPENROUTER_PATH

    @property
    def openai_url(self) -> str:
        """Base URL of the OpenAI dialect."""
        return self.url + OPENAI_PATH

    @property
    def ollama_url(self) -> str:
        """Base URL of the Ollama dialect."""
        return self.url

    # Scripts.

    def script(self, *replies: Reply) -> None:
        """Queue replies; each serves one chat request, of any dialect, in order. Then come defaults."""
        self._service.script.add(replies)

    def script_for(self, model: str, *replies: Reply) -> None:
        """Queue replies for the chat requests of one model; they come before the general queue.

        A name that begins with "/" is a path, such as "/api/v1/models". A reply for a path comes before all
        others, and before the key is checked. A successful one without `body` changes the usual answer: its status,
        headers, delays and cuts apply.
        """
        self._service.script.add_for(model, replies)

    def serve(self, path: str, document: bytes | str | Mapping[str, object]) -> None:
        """Answer `path` with a document of your own from now on, such as a recorded catalogue at "/api/v1/models".

        If the usual page needs a key, this one does too. `script_for` still changes or replaces single answers.
        With a catalogue of OpenRouter, its models have endpoints too.
        """
        text = document if isinstance(document, (bytes, str)) else write(trust_object(document))
        self._service.served[path] = text if isinstance(text, bytes) else text.encode()

    def set_key(self, **fields: Unpack[KeyFields]) -> None:
        """Set what OpenRouter says of every key: fields of `GET /key` that differ from the usual answer.

        For instance `limit=10, limit_remaining=2.5, is_free_tier=True`. With `is_management_key=True` the key may
        ask for `/credits` too.
        """
        self._service.key = trust_object(cast("dict[str, object]", fields))

    def release(self, n: int = 1) -> None:
        """Let `n` more pieces of gated replies pass. Permits that no piece waits for are kept for later pieces."""
        if self._loop is not None:
            gate = self._gate
            for _ in range(n):
                self._loop.call_soon_threadsafe(gate.release)

    def reset(self) -> None:
        """Forget scripts, documents, requests, bill, releases and counts; ids start over. Connections stay open."""
        self._service = Service()
        self._gate = asyncio.Semaphore(0)
        self._accepted_before = self._accepted

    # Records.

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, in the order in which they were complete. A copy."""
        return list(self._service.requests)

    @property
    def bill(self) -> list[Charge]:
        """The charges so far. A copy."""
        return list(self._service.bill.charges)

    @property
    def connections(self) -> int:
        """Connections accepted so far."""
        return self._accepted - self._accepted_before

    @property
    def open_connections(self) -> int:
        """Connections open now."""
        return self._open

    def wait_idle(self, timeout: float = 2.0) -> bool:
        """Wait until no response is under way, at most `timeout` seconds. Return whether that is so.

        If a client left early, its charge is on the bill afterwards.
        """
        end = time.monotonic() + timeout
        while self._busy:
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    # The thread.

    def _run(self, bound: Future[int]) -> None:
        asyncio.run(self._serve(bound))

    async def _serve(self, bound: Future[int]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await asyncio.start_server(
                self._accept, _HOST, self.port, ssl=self._tls, backlog=_MAX_BACKLOG_CONNECTIONS
            )
        except OSError as problem:
            bound.set_exception(problem)
            return
        bound.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        # The task of a connection that was accepted at the last moment starts only in the next rounds of the loop, and
        # a transport closes its socket some rounds after `close` was called.
        for _ in range(10):
            await asyncio.sleep(0)
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in self._connection_tasks:
                    task.cancel()
                await asyncio.wait(others, timeout=0.1)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connection_tasks.add(task)
        self._accepted += 1
        self._open += 1
        connection = Connection(self._accepted, reader, writer)
        try:
            await self._serve_connection(connection)
            connection.close()
        except ClientGoneError:
            connection.close()
        except asyncio.CancelledError:
            connection.abort()
        except Exception:  # a defect of the simulator must be seen, and must not end the server
            _logger.exception("the simulator failed to answer")
            connection.abort()
        finally:
            self._open -= 1
            self._connection_tasks.discard(task)

    async def _serve_connection(self, connection: Connection) -> None:
        keep = True
        while keep:
            try:
                raw = await read_request(connection)
            except BadRequestError as problem:
                await connection.write(
                    build_response_head(problem.status, [("content-length", "0"), ("connection", "close")])
                )
                return
            if raw is None:
                return
            self._busy += 1
            try:
                service = self._service
                plan = service.plan_response(raw, connection.number)
                keep = await Player(plan, connection, service.bill, self._gate).play()
            finally:
                self._busy -= 1
