"""Operations beside chat: what is asked, tried again and thrown in, by the same flows sync and async."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from llmkit import ConnectionLost, LLMError, ModelNotFound, ResponseTooLarge, RetryPolicy, ServerError
from llmkit.engine.request import ERROR_BODY_BYTES
from llmkit.provider.exchange import Endpoint, HTTPRequest
from llmkit.provider.operations import Operation
from llmkit.testing.simulator import Reply, Simulator
from llmkit.transport.sdk.transport import SDKTransport
from llmkit.types.secret import Secret
from llmkit.wire.chat import ChatProvider
from tests.carry_out import ask, pull
from tests.conftest import FAST, KEY, Drive


class _Provider(ChatProvider):
    title = "Sample"


def carried_out(
    drive: Drive,
    sim: Simulator,
    operation: Callable[[], Operation[Any]],
    model: str = "",
    policy: RetryPolicy | None = None,
) -> Any:
    """The result of an operation that the simulator's OpenRouter dialect is asked for."""
    endpoint = Endpoint(sim.openrouter_url, api_key=Secret(KEY), local=True)
    return ask(drive, _Provider("sample"), SDKTransport(endpoint), operation, model, policy)


def get(path: str) -> Operation[Any]:
    """One GET."""
    reply = yield HTTPRequest(path, method="GET")
    return json.loads(reply.body)


def test_a_get_sends_no_body_and_the_key(sim: Simulator, drive: Drive) -> None:
    """A GET goes to the path under the base URL, with the key and without a body."""
    assert carried_out(drive, sim, lambda: get("/models"))["data"]
    asked = sim.requests[-1]
    assert (asked.method, asked.path, asked.body) == ("GET", "/api/v1/models", b"")
    assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_an_operation_may_ask_several_times(sim: Simulator, drive: Drive) -> None:
    """Each request that it yields is sent, and its reply comes back to the place that asked."""

    def both() -> Operation[tuple[int, str]]:
        models = yield HTTPRequest("/models", method="GET")
        key = yield HTTPRequest("/key", method="GET")
        return len(json.loads(models.body)["data"]), json.loads(key.body)["data"]["label"]

    count, label = carried_out(drive, sim, both)
    assert count > 1
    assert label.startswith("sk-or")


@pytest.mark.parametrize(("status", "sent"), [(503, 2), (429, 2), (404, 1), (401, 1)])
def test_a_request_is_tried_again_as_its_error_says(sim: Simulator, drive: Drive, status: int, sent: int) -> None:
    """Transient statuses are tried again; others are raised at once, with provider and model."""
    sim.script_for("/api/v1/models", *[Reply(status=status)] * 2)
    with pytest.raises(LLMError) as caught:
        carried_out(drive, sim, lambda: get("/models"), "some-model", RetryPolicy(attempts=2, backoff=0))
    assert len(sim.requests) == sent
    assert (caught.value.provider, caught.value.model, caught.value.status) == ("sample", "some-model", status)


def test_a_second_try_that_succeeds_is_the_answer(sim: Simulator, drive: Drive) -> None:
    """A transient failure before a good reply is not seen."""
    sim.script_for("/api/v1/models", Reply(status=503))
    assert carried_out(drive, sim, lambda: get("/models"), policy=FAST)["data"]


def test_an_error_is_thrown_into_the_operation(sim: Simulator, drive: Drive) -> None:
    """An operation may catch the error of a reply and go on."""

    def tolerant() -> Operation[str]:
        try:
            yield HTTPRequest("/models/no/such/endpoints", method="GET")
        except ModelNotFound as error:
            return f"not there: {error.status}"
        return "there"

    assert carried_out(drive, sim, tolerant) == "not there: 404"


def test_an_operation_that_asks_nothing_sends_nothing(sim: Simulator, drive: Drive) -> None:
    """A generator that returns at once is a result without a request."""

    def nothing() -> Operation[str]:
        yield from ()
        return "known"

    assert carried_out(drive, sim, nothing) == "known"
    assert not sim.requests


def test_a_reply_that_is_cut_is_a_typed_error(sim: Simulator, drive: Drive) -> None:
    """A body that breaks off is no result."""
    sim.script_for("/api/v1/models", Reply(cut="reset", cut_bytes=50))
    with pytest.raises(ConnectionLost):
        carried_out(drive, sim, lambda: get("/models"))


class _EndlessReply:
    """An open reply that never ends, of a transport that a provider brings; sync and async."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.headers: dict[str, str] = {}
        self.given = 0

    def _more(self) -> bytes:
        self.given += 2**20
        return b"x" * 2**20

    def read(self, deadline: float) -> bytes:
        return self._more()

    def close(self) -> None:
        """Nothing is open."""


class _AsyncEndlessReply(_EndlessReply):
    async def read(self, deadline: float) -> bytes:  # type: ignore[override]
        return self._more()

    async def close(self) -> None:  # type: ignore[override]
        """Nothing is open."""


class _EndlessTransport:
    """A transport each of whose replies never ends."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.reply: _EndlessReply | None = None

    def open(self, request: HTTPRequest, deadline: float) -> Any:
        self.reply = _EndlessReply(self._status)
        return self.reply

    async def aopen(self, request: HTTPRequest, deadline: float) -> Any:
        self.reply = _AsyncEndlessReply(self._status)
        return self.reply

    def close(self) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("kind", ["whole", "streamed"])
def test_an_error_body_is_read_up_to_a_bound(drive: Drive, kind: str) -> None:
    """An error reply that never ends is cut, and is the error that its status says, whatever the transport."""
    transport = _EndlessTransport(500)
    streamed = (HTTPRequest("/pull", stream=True), _NoPieces())
    run, asked = (ask, get("/models")) if kind == "whole" else (pull, streamed)
    with pytest.raises(ServerError):
        run(drive, _Provider("sample"), transport, lambda: asked)
    assert transport.reply is not None
    assert transport.reply.given <= ERROR_BODY_BYTES + 2**20


def test_an_answer_is_read_up_to_the_bound_of_its_request(drive: Drive) -> None:
    """A reply of an operation that never ends is refused at the bound that its request has."""
    transport = _EndlessTransport(200)

    def small() -> Operation[bytes]:
        return (yield HTTPRequest("/models", method="GET", max_reply_bytes=3 * 2**20)).body

    with pytest.raises(ResponseTooLarge):
        ask(drive, _Provider("sample"), transport, small)
    assert transport.reply is not None
    assert transport.reply.given == 4 * 2**20


class _NoPieces:
    """A decoder that is not asked for anything, because the reply is an error."""

    def feed(self, data: bytes) -> list[Any]:
        raise AssertionError("an error reply is not decoded")

    def finish(self) -> None:
        raise AssertionError("an error reply is not decoded")
