"""The progress of a pull, line by line. Only the line `success` says that the model is there."""

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
    """The request that pulls a model; without `stream` the server would send nothing for hours."""
    return HTTPRequest("/api/pull", encode({"model": model, "stream": True}), stream=True)


class PullDecoder:
    """The decoder of one pull. `make_error` makes the typed error of an error line."""

    def __init__(self, make_error: Callable[[JSON], LLMError]) -> None:
        self._make_error = make_error
        self._lines = NDJSONDecoder()
        self._error: LLMError | None = None
        self._has_begun = False
        self._done = False

    def feed(self, data: bytes) -> Sequence[PullProgress]:
        """See `llmkit.provider.OperationDecoder`. What follows the success or an error is not read."""
        if self._is_over:
            return ()
        try:
            lines = self._lines.feed(data)
        except ResponseTooLarge as error:
            self._error = error
            return ()
        steps: list[PullProgress] = []
        for line in lines:
            step = self._read_line(line, whole=bool(data))
            if step is not None:
                steps.append(step)
            if self._is_over:
                break
        return steps

    @property
    def _is_over(self) -> bool:
        return self._done or self._error is not None

    def _read_line(self, line: bytes, *, whole: bool) -> PullProgress | None:
        try:
            event = decode(line)
        except (ValueError, RecursionError) as error:
            if whole or line[:1] == b"<":
                self._error = MalformedResponse(f"a line of the pull is not JSON ({scrub(str(error), 80)})")
            return None  # A last line without a line end was cut off; `finish` raises.
        if not isinstance(event, dict):
            return None
        if event.get("error"):
            self._error = self._make_error(event)
            return None
        status = as_text(event.get("status"))
        if not status:
            return None
        self._has_begun = True
        self._done = status == "success"
        digest = as_text(event.get("digest")) or None
        return PullProgress(status, digest, as_count(event.get("completed")), as_count(event.get("total")))

    def finish(self) -> None:
        """See `llmkit.provider.OperationDecoder`."""
        if self._error is not None:
            raise self._error
        if self._done:
            return
        if not self._has_begun:
            raise EmptyResponse("the pull said nothing", hint=PULL_AGAIN)
        error = StreamInterrupted("the pull ended without saying that it succeeded")
        error.hint = PULL_AGAIN
        raise error
