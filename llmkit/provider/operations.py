"""What a backend may offer beside chat: optional protocols. A backend supports those whose methods it has.

An operation has one of two forms. Where its replies are read whole, it is a generator of requests (`Operation`): it may
need several exchanges, and a request may depend on the reply before it. Where its reply is handed out as it comes, it
is one request and a decoder for the reply (`OperationDecoder`). Both are pure; the engine carries them out.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, runtime_checkable

from llmkit.provider.exchange import HTTPReply, HTTPRequest

if TYPE_CHECKING:
    from llmkit.types.model_info import KeyInfo, ModelInfo, PullProgress

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P_co = TypeVar("P_co", covariant=True)
#: A generator that yields requests, is sent their 2xx replies, and returns its result. A reply with another status is
#: thrown in as the error that `parse_error` makes of it. A second attempt starts a new generator.
Operation: TypeAlias = Generator[HTTPRequest, HTTPReply, T]


class OperationDecoder(Protocol[P_co, T_co]):
    """Turns the bytes of one streamed reply into pieces. One object serves one reply."""

    def feed(self, data: bytes) -> Sequence[P_co]:
        """The pieces that the next bytes complete. The bytes are split anywhere; b"" says that the body has ended."""
        ...

    def finish(self) -> T_co:
        """The result. Raises the typed error if the reply was cut off or reports a failure."""
        ...


@runtime_checkable
class SupportsModels(Protocol):
    """A backend that can list its models."""

    models_need_key: bool

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        """All models that the service lists."""
        ...

    def model_details(self, listed: ModelInfo) -> Operation[ModelInfo]:
        """One model of the list with further details; where there are none, the operation yields no request."""
        ...


@runtime_checkable
class SupportsKeyCheck(Protocol):
    """A backend that says what a key may do."""

    def check_key(self) -> Operation[KeyInfo]:
        """What the service says about the key: its limit, and what is left. Raises `AuthFailed` for an invalid key."""
        ...


@runtime_checkable
class SupportsVersion(Protocol):
    """A backend that says its version: a server that a user runs."""

    def server_version(self) -> Operation[str | None]:
        """The version of the server, as the server writes it; `None` where it does not say."""
        ...


@runtime_checkable
class SupportsPull(Protocol):
    """A backend that can fetch a model onto its machine."""

    def pull(self, model: str) -> HTTPRequest:
        """The request that fetches a model; its reply is streamed."""
        ...

    def pull_decoder(self, model: str) -> OperationDecoder[PullProgress, None]:
        """A decoder for the reply. Its `finish` raises unless the reply says that the pull succeeded."""
        ...
