"""A provider for llmkit without a service: it answers with the words of the last message, within the process.

The provider turns a call into bytes and bytes into an answer. The transport below it carries the bytes: here it is the
model itself. The wire format is this provider's own; it is one JSON object a line:

    {"text": "Hello "}
    {"text": "there"}
    {"done": "stop"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from llmkit import (
    BaseProvider,
    Choice,
    Chunk,
    ChunkChoice,
    Delta,
    EmptyResponse,
    LLMError,
    MalformedResponse,
    Message,
    Response,
    ServerError,
    StreamInterrupted,
    TextPart,
    Unsupported,
)
from llmkit.provider import Call, Endpoint, HTTPReply, HTTPRequest
from llmkit.types import FREE, Settings
from llmkit.wire.ndjson import NDJSONDecoder


class EchoProvider(BaseProvider):
    """The provider of `create_language("echo", "any")`. It accepts every model name."""

    title = "Echo"
    default_base_url = "http://localhost"  # A provider has an address; nothing is sent to this one.
    key_required = False
    default_model = "any"
    supported = frozenset({"max_tokens"})  # Each word is a token.

    def endpoint(self, settings: Settings) -> Endpoint:
        return Endpoint(str(settings.get("base_url")))

    def transport(self, endpoint: Endpoint) -> EchoTransport:
        return EchoTransport()

    def build(self, call: Call) -> HTTPRequest:
        last = call.messages[-1]
        if isinstance(last.content, tuple) and not all(isinstance(part, TextPart) for part in last.content):
            raise Unsupported("Echo takes text only")
        body = {"text": last.text, "words": call.settings.get("max_tokens")}
        return HTTPRequest("", json.dumps(body).encode(), stream=call.stream)

    def parse(self, call: Call, reply: HTTPReply) -> Response:
        """A plain reply is the lines of a stream, all at once."""
        decoder = EchoDecoder(self.name, call)
        decoder.feed(reply.body)
        decoder.feed(b"")
        return decoder.finish()

    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        return ServerError("the echo failed", status=reply.status)

    def decoder(self, call: Call) -> EchoDecoder:
        return EchoDecoder(self.name, call)


class EchoDecoder:
    """Reads one reply. `feed` may be given any piece of it."""

    def __init__(self, provider: str, call: Call) -> None:
        self.provider = provider
        self.call = call
        self.lines = NDJSONDecoder()
        self.texts: list[str] = []
        self.reason: str | None = None
        self.error: LLMError | None = None

    @property
    def done(self) -> bool:
        return self.reason is not None or self.error is not None

    def feed(self, data: bytes) -> Sequence[Chunk]:
        chunks: list[Chunk] = []
        for line in () if self.done else self.lines.feed(data):
            try:
                event = json.loads(line)
                text, self.reason = event.get("text", ""), event.get("done")
            except (ValueError, AttributeError):
                self.error = MalformedResponse("a line of the echo is not a JSON object")
                break
            self.texts.append(text)
            chunks.append(Chunk((ChunkChoice(Delta(text), finish_reason=self.reason),)))
        return chunks

    def partial(self) -> Response:
        choice = Choice(Message("assistant", "".join(self.texts)), finish_reason=self.reason)
        target = f"{self.provider}:{self.call.model}"
        return Response((choice,), cost=FREE, model=self.call.model, provider=self.provider, target=target)

    def finish(self) -> Response:
        if self.error is not None:
            raise self.error
        if self.reason is None:
            raise StreamInterrupted("the echo broke off") if self.texts else EmptyResponse("there is no echo")
        return self.partial()


class EchoTransport:
    """Carries a request to the model, which is here. `deadline` is for transports that may have to wait."""

    def open(self, request: HTTPRequest, deadline: float) -> EchoBody:
        return EchoBody(echo(request.body))

    async def aopen(self, request: HTTPRequest, deadline: float) -> AsyncEchoBody:
        return AsyncEchoBody(echo(request.body))

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def echo(request: bytes) -> Iterator[bytes]:
    """The model: one line for each word, and one to say why it ends."""
    body = json.loads(request)
    words = body["text"].split(" ")
    limit = body["words"] or len(words)
    for number, word in enumerate(words[:limit]):
        yield json.dumps({"text": f" {word}" if number else word}).encode() + b"\n"
    yield json.dumps({"done": "length" if limit < len(words) else "stop"}).encode() + b"\n"


class EchoBody:
    """A reply that is read from a thread. Each read gives what is there, b"" at the end."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.lines = lines

    def read(self, deadline: float) -> bytes:
        return next(self.lines, b"")

    def close(self) -> None:
        pass


class AsyncEchoBody:
    """The same, read from a task."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.lines = lines

    async def read(self, deadline: float) -> bytes:
        return next(self.lines, b"")

    async def close(self) -> None:
        pass
