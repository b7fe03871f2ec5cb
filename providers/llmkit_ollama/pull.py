"""A pull's lines as progress. Only the line `success` says that the model is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmkit.errors import EmptyResponse, LLMError, MalformedResponse, ResponseTooLarge, StreamInterrupted
from llmkit.provider import HTTPRequest
from llmkit.types import PullProgress, scrub
from llmkit.wire.chat_reply import as_text
from llmkit.wire.jsonbytes import decode, encode
from llmkit.wire.ndjson import NDJSONDecoder
from llmkit.wire.numbers import as_count
from llmkit_ollama.answers import JSON, PULL_AGAIN


def pull_request(model: str) -> HTTPRequest:
    """The request; without `stream` the server would say nothing for hours."""
    return HTTPRequest("/api/pull", encode({"model": model, "stream": True}), stream=True)


class OllamaPull:
    """The decoder of one pull. `error_of` makes the typed error of an error line."""

    def __init__(self, error_of: Callable[[JSON], LLMError]) -> None:
        self._error_of = error_of
        self._lines = NDJSONDecoder()
        self._error: LLMError | None = None
        self._began = False
        self._done = False

    def feed(self, data: bytes) -> Sequence[PullProgress]:
        """See `llmkit.provider.OperationDecoder`. What follows the success or an error is not read."""
        if self._over:
            return ()
        try:
            lines = self._lines.feed(data)
        except ResponseTooLarge as error:
            self._error = error
            return ()
        steps: list[PullProgress] = []
        for line in lines:
            step = self._line(line, whole=bool(data))
            if step is not None:
                steps.append(step)
            if self._over:
                break
        return steps

    @property
    def _over(self) -> bool:
        return self._done or self._error is not None

    def _line(self, line: bytes, *, whole: bool) -> PullProgress | None:
        try:
            event = decode(line)
        except (ValueError, RecursionError) as error:
            if whole or line[:1] == b"<":
                self._error = MalformedResponse(f"a line of the pull is not JSON ({scrub(str(error), 80)})")
            return None  # A last line without its end was cut off; finish() says so.
        if not isinstance(event, dict):
            return None
        if event.get("error"):
            self._error = self._error_of(event)
            return None
        status = as_text(event.get("status"))
        if not status:
            return None
        self._began = True
        self._done = status == "success"
        digest = as_text(event.get("digest")) or None
        return PullProgress(status, digest, as_count(event.get("completed")), as_count(event.get("total")))

    def finish(self) -> None:
        """See `llmkit.provider.OperationDecoder`."""
        if self._error is not None:
            raise self._error
        if self._done:
            return
        if not self._began:
            raise EmptyResponse("the pull said nothing", hint=PULL_AGAIN)
        error = StreamInterrupted("the pull ended without saying that it succeeded")
        error.hint = PULL_AGAIN
        raise error
