"""A provider with its own wire format: five functions, no I/O.

The format is that of Ollama's /api/chat, much reduced: JSON in, one JSON object out, or one a line when streamed. The
provider that comes with llmkit does it in full.

For real use: run Ollama and `ollama pull llama3.2`. OLLAMA_HOST says where it is, if not here.
Without Ollama: python examples/with_simulator.py examples/own_wire_format.py
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmkit import (
    Chunk,
    EmptyResponse,
    LLMError,
    MalformedResponse,
    Message,
    ModelNotFound,
    Response,
    ServerError,
    Settings,
    StreamInterrupted,
    Usage,
    create_language,
    register_provider,
)
from llmkit.provider import BaseProvider, Call, Decoder, Endpoint, HTTPReply, HTTPRequest
from llmkit.types import Choice, ChunkChoice, Delta, scrub
from llmkit.wire import chat_errors
from llmkit.wire.ndjson import NDJSONDecoder


class PlainProvider(BaseProvider):
    title = "Plain"
    default_base_url = "http://127.0.0.1:11434"
    base_url_env = ("OLLAMA_HOST",)
    key_required = False
    supported = frozenset({"temperature", "max_tokens"})

    def endpoint(self, settings: Settings) -> Endpoint:
        return Endpoint(str(settings.get("base_url")))

    def build(self, call: Call) -> HTTPRequest:
        names = {"temperature": "temperature", "max_tokens": "num_predict"}
        body = {
            "model": call.model,
            "messages": [{"role": turn.role, "content": turn.text} for turn in call.messages],
            "stream": call.stream,
            "options": {names[name]: value for name, value in call.settings.items()},
            **call.extra_body,
        }
        return HTTPRequest("/api/chat", json.dumps(body).encode(), stream=call.stream)

    def parse(self, call: Call, reply: HTTPReply) -> Response:
        body = read(reply.body)
        return self.response(call, text_of(body), body)

    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        body = chat_errors.parse_error_body(reply)
        if body is None:  # not the service's own: an edge or a proxy answered
            return chat_errors.make_bodyless_error(reply.status, reply)
        cls = chat_errors.class_by_status(reply.status)
        return chat_errors.make_error(cls, body, status=reply.status, headers=reply.headers)

    def decoder(self, call: Call) -> Decoder:
        return PlainDecoder(self, call)

    def response(self, call: Call, text: str, last: Mapping[str, Any]) -> Response:
        """Return the answer. A count that the service did not send is `None`."""
        message = Message("assistant", text)
        return Response(
            choices=(Choice(message, finish_reason=last.get("done_reason")),),
            usage=Usage(last.get("prompt_eval_count"), last.get("eval_count")),
            model=last.get("model"),
            provider=self.name,
            target=f"{self.name}:{call.model}",
        )


class PlainDecoder:
    """Reads one streamed reply. Only `done: true` says that it is whole."""

    def __init__(self, provider: PlainProvider, call: Call) -> None:
        self.provider, self.call = provider, call
        self.lines = NDJSONDecoder()
        self.text: list[str] = []
        self.last: Mapping[str, Any] = {}
        self.error: LLMError | None = None

    @property
    def done(self) -> bool:
        return self.error is not None or self.last.get("done") is True

    def feed(self, data: bytes) -> Sequence[Chunk]:
        chunks: list[Chunk] = []
        for line in () if self.done else self.lines.feed(data):
            try:
                event = read(line)
                text = text_of(event)
            except LLMError as error:
                if data:  # otherwise it is a last line without its end: the stream was cut, as finish() says
                    self.error = error
                break
            self.last = event
            self.text.append(text)
            chunks.append(Chunk((ChunkChoice(Delta(text), finish_reason=event.get("done_reason")),)))
        return chunks

    def finish(self) -> Response:
        if self.error is not None:
            raise self.error
        if not self.text:
            raise EmptyResponse("the stream is empty")
        if not self.done:
            raise StreamInterrupted("the stream ended without done: true", partial_text="".join(self.text))
        return self.partial()

    def partial(self) -> Response:
        return self.provider.response(self.call, "".join(self.text), self.last)


def read(data: bytes) -> dict[str, Any]:
    """Return one JSON object of the service."""
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise MalformedResponse(f"not a JSON object: {scrub(str(data[:80]))}")
    if value.get("error"):
        raise ServerError(scrub(str(value["error"])))
    return value


def text_of(body: Mapping[str, Any]) -> str:
    """Return the text in one object."""
    message = body.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str):
        raise MalformedResponse("the object has no message.content")
    return content


def main() -> None:
    register_provider("plain", PlainProvider)
    with create_language("plain", "llama3.2", temperature=0) as model:
        print(model.chat_complete("Why is the sky blue?").content)
        with model.chat_complete("Why is the sky blue?", stream=True) as stream:
            print("|".join(chunk.content for chunk in stream))
        print(stream.response.usage.prompt_tokens, "tokens in,", stream.response.usage.completion_tokens, "out")
    with create_language("plain", "no-such-model") as model:
        try:
            model.chat_complete("hello")
        except ModelNotFound as error:
            print(error)


if __name__ == "__main__":
    main()
