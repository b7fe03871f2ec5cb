"""Carries out a flow by the driver of a test, over a transport that is closed at its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from llmkit.engine.operation import StreamedReply, WholeReplies
from llmkit.engine.plan import Plan, Target
from llmkit.engine.run import Run
from llmkit.transport.drivers import AsyncRun, stream

if TYPE_CHECKING:
    from llmkit import RetryPolicy
    from llmkit.provider.exchange import HTTPRequest, Transport
    from llmkit.provider.interface import BaseProvider
    from llmkit.provider.operations import Operation, OperationDecoder
    from tests.conftest import Drive

T = TypeVar("T")


def ask(
    drive: Drive,
    provider: BaseProvider,
    transport: Transport,
    operation: Callable[[], Operation[T]],
    model: str = "",
    policy: RetryPolicy | None = None,
) -> T:
    """The result of an operation at one target; it may be tried again as `policy` says."""
    return carry_out(drive, _run(provider, transport, operation, model, policy, WholeReplies()), transport)[1]


def pull(
    drive: Drive, provider: BaseProvider, transport: Transport,
    request: Callable[[], tuple[HTTPRequest, OperationDecoder[Any, T]]], model: str = "",
) -> list[Any]:  # fmt: skip
    """The pieces of an operation whose reply is streamed."""
    return carry_out(drive, _run(provider, transport, request, model, None, StreamedReply()), transport)[0]


def _run(
    provider: BaseProvider, transport: Transport, prepare: Any, model: str, policy: Any, procedure: Any
) -> Run[Any]:
    return Run(Plan([Target(provider, model, transport, 10.0, prepare)], policy, None, time.monotonic), procedure)


def carry_out(drive: Drive, runnable: Any, transport: Transport) -> tuple[list[Any], Any]:
    """What a flow hands out, and its result."""
    if not drive.is_async:
        steps, pieces = stream(runnable), []
        try:
            while True:
                pieces += next(steps)
        except StopIteration as stop:
            return pieces, stop.value
        finally:
            steps.close()
            transport.close()

    async def go() -> tuple[list[Any], Any]:
        run = AsyncRun(runnable)
        try:
            return [piece async for pieces in run.pieces() for piece in pieces], run.result
        finally:
            await transport.aclose()

    return drive.await_(go())
