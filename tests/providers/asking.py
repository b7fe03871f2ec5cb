"""Carries out an operation of a provider: against the simulator by the driver of the test, or with replies by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from llmkit.provider.exchange import Endpoint, HTTPReply
from llmkit.provider.interface import BaseProvider
from llmkit.provider.operations import Operation
from llmkit.transport.sdk.transport import SDKTransport
from llmkit.types.secret import Secret
from tests.carry_out import ask

if TYPE_CHECKING:
    from tests.conftest import Drive

T = TypeVar("T")
KEY = "sk-test-0123456789abcdef"


def asked(
    drive: Drive, provider: BaseProvider, url: str, operation: Callable[[], Operation[T]], key: str | None = KEY
) -> T:
    """The result of an operation at an address."""
    transport = SDKTransport(Endpoint(url, api_key=Secret(key) if key else None, local=True))
    return ask(drive, provider, transport, operation)


def answered(operation: Operation[T], *replies: object) -> tuple[T, list[str]]:
    """The result of an operation that gets these replies (JSON values or bytes), and the paths that it asked for."""
    paths: list[str] = []
    waiting: Iterable[object] = iter(replies)
    try:
        request = next(operation)
        while True:
            paths.append(request.path)
            body = next(waiting)
            raw = body if isinstance(body, bytes) else json.dumps(body, default=_written).encode()
            request = operation.send(HTTPReply(200, {}, raw))
    except StopIteration as stop:
        return stop.value, paths


def _written(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)
