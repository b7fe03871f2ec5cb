"""Ollama's streams: one JSON object in each line. Only `done: true` says that the answer is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmkit.errors import EmptyResponse, LLMError, MalformedResponse, ResponseTooLarge, StreamInterrupted
from llmkit.types import Chunk, ChunkChoice, Delta, FunctionCall, Response, ToolCallDelta, scrub
from llmkit.wire.chat_reply import as_mapping, as_objects, as_text
from llmkit.wire.jsonbytes import decode
from llmkit.wire.ndjson import NDJSONDecoder
from llmkit_ollama.answers import JSON, assemble, make_error, parse_tool_calls, read_finish_reason
from llmkit_ollama.truncation import list_cut_warnings

if TYPE_CHECKING:
    from llmkit.provider import Call
    from llmkit_ollama.provider import OllamaProvider


class OllamaDecoder:
    """The decoder of one streamed reply.

    `_rare_events` keeps what few lines have: tool calls and log probabilities.
    """

    def __init__(self, provider: OllamaProvider, call: Call) -> None:
        self._provider = provider
        self._call = call
        self._lines = NDJSONDecoder()
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._rare_events: list[JSON] = []
        self._calls = 0
        self._last: JSON = {}
        self._error: LLMError | None = None
        self.done = False

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """See `llmkit.provider.Decoder`."""
        if self.done:
            return ()
        try:
            lines = self._lines.feed(data)
        except ResponseTooLarge as error:
            self._fail(error)
            return ()
        chunks: list[Chunk] = []
        for line in lines:
            chunk = self._read_line(line, whole=bool(data))
            if chunk is not None:
                chunks.append(chunk)
            if self.done:
                break
        return chunks

    def _read_line(self, line: bytes, *, whole: bool) -> Chunk | None:
        try:
            event = decode(line)
        except (ValueError, RecursionError) as error:
            if whole or line[:1] == b"<":
                self._fail(MalformedResponse(f"a line of the stream is not JSON ({scrub(str(error), 80)})"))
            return None  # A last line without a line end was cut off; `finish` raises.
        if not isinstance(event, dict):
            return None
        if event.get("error"):
            self._fail(self._provider.add_model_hint(make_error(event, None, {}), self._call))
            return None
        self._last = event
        self.done = event.get("done") is True
        return self._build_chunk(event)

    def _build_chunk(self, event: JSON) -> Chunk:
        message = as_mapping(event.get("message"))
        content = as_text(message.get("content")) or ""
        reasoning = as_text(message.get("thinking")) or None
        if content:
            self._text.append(content)
        if reasoning:
            self._reasoning.append(reasoning)
        pieces: tuple[ToolCallDelta, ...] = ()
        if message.get("tool_calls"):
            calls = parse_tool_calls(message)
            pieces = tuple(
                ToolCallDelta(self._calls + index, call.id, FunctionCall(call.name, call.function.arguments))
                for index, call in enumerate(calls)
            )
            self._calls += len(calls)
        logprobs = as_objects(event.get("logprobs"))
        if pieces or logprobs:
            self._rare_events.append({"message": {"tool_calls": message.get("tool_calls")}, "logprobs": list(logprobs)})
        finish = read_finish_reason(event.get("done_reason"), bool(self._calls)) if self.done else None
        delta = Delta(content, as_text(message.get("role")), reasoning, None, pieces)
        choice = ChunkChoice(delta, 0, finish, {"content": list(logprobs)} if logprobs else None)
        return Chunk((choice,), None, as_text(event.get("model")))

    def _fail(self, error: LLMError) -> None:
        self._error = error
        self.done = True

    def partial(self) -> Response:
        """See `llmkit.provider.Decoder`."""
        message: JSON = {"message": {"content": "".join(self._text), "thinking": "".join(self._reasoning)}}
        last = {key: value for key, value in self._last.items() if key not in ("message", "logprobs")}
        return assemble(
            self._provider.name,
            self._call,
            [message, *self._rare_events, last],
            free=self._provider.is_free(self._call),
        )

    def finish(self) -> Response:
        """See `llmkit.provider.Decoder`."""
        delivered = bool(self._text or self._reasoning or self._calls)
        error = self._error
        if error is None and self._last.get("done") is True:
            if delivered or self._last.get("done_reason"):
                response = self.partial()
                warnings = list_cut_warnings(self._call, response.usage.prompt_tokens)
                return replace(response, warnings=(*response.warnings, *warnings)) if warnings else response
            error = EmptyResponse("the stream holds neither content nor a done_reason")
        if error is None:
            error = StreamInterrupted("the stream ended without done: true") if self._last else self._make_empty_error()
        if delivered and not isinstance(error, StreamInterrupted):
            error = StreamInterrupted(f"the stream failed after it had begun: {error.message}", reason=error)
        error.partial = self.partial() if delivered else None
        error.partial_text = "".join(self._text)
        raise error

    def _make_empty_error(self) -> LLMError:
        return EmptyResponse("the stream is empty")
