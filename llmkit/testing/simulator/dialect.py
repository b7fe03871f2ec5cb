"""The interface of a dialect: pure functions from answers and errors to documents and events. No I/O, no clock."""

from collections.abc import Mapping
from typing import Protocol

from llmkit.testing.simulator.answer import Answer, Piece
from llmkit.testing.simulator.chat import ChatRequest
from llmkit.testing.simulator.jsonvalue import JSON, Object, trust_object
from llmkit.testing.simulator.records import DialectName
from llmkit.testing.simulator.reply import Reply


class Dialect(Protocol):
    """How one service reads requests and writes answers."""

    name: DialectName
    json_type: str
    """Content type of a document."""
    stream_type: str
    """Content type of a stream."""
    comment: bytes
    """One keep-alive comment; empty if the dialect has none."""
    whole_calls: bool
    """A tool call comes in one piece."""

    def read_request(self, body: JSON) -> ChatRequest:
        """Read a chat request; raises `UnreadableError`."""
        ...

    def build_headers(self, answer: Answer | None, number: int) -> list[tuple[str, str]]:
        """Headers of a response besides type and length; `number` counts the requests."""
        ...

    def shows_reasoning(self, answer: Answer) -> bool:
        """Return whether the reasoning text is sent."""
        ...

    def build_error(self, status: int, error: Mapping[str, object] | str | None, *, model: str = "") -> Object:
        """The body of an error response; None = the usual message of that status."""
        ...

    def build_document(self, answer: Answer) -> Object:
        """The body of a plain answer."""
        ...

    def build_opening(self, answer: Answer) -> list[bytes]:
        """Events before the first piece."""
        ...

    def build_piece(self, answer: Answer, piece: Piece) -> bytes:
        """The event of one piece."""
        ...

    def build_failure(self, answer: Answer, sent: int) -> bytes:
        """The event of an error inside a stream, after `sent` completion tokens."""
        ...

    def build_closing(self, answer: Answer) -> list[bytes]:
        """Events after the last piece."""
        ...

    def build_done(self, answer: Answer) -> bytes:
        """The mark that the stream is complete."""
        ...


def choose_usage(reply: Reply, counted: Object) -> Object | None:
    """Return the usage to send: the scripted one, else the counted one; None if it is to be missing."""
    if isinstance(reply.usage, str):
        return None
    return counted if reply.usage is None else trust_object(reply.usage)


def make_top_logprobs(token: str, count: int) -> list[JSON]:
    """Return the `count` likeliest tokens: `token` itself, then invented ones, each less likely."""
    names = [token, *(f"other{place}" for place in range(1, count))][:count]
    return [{"token": name, "logprob": -0.25 - place, "bytes": list(name.encode())} for place, name in enumerate(names)]


def make_logprob(token: str, count: int) -> dict[str, JSON]:
    """Return one entry of a logprob list."""
    likeliest = make_top_logprobs(token, count)
    return {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": likeliest}
