"""What is left of an exchange that broke. Providers are foreign code here: they may raise anything while one asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from llmkit.engine.failures import provider_bug
from llmkit.errors import FirstTokenTimeout, LLMError, StreamInterrupted
from llmkit.types.responses import Response

if TYPE_CHECKING:
    from llmkit.provider.interface import BaseProvider, Call, Decoder

log = logging.getLogger("llmkit")


def whole_answer(decoder: Decoder) -> Response | None:
    """The answer, if its finish had come before the connection failed; what is lost then is the usage at most."""
    try:
        return decoder.finish()
    except Exception as error:  # foreign code; the first failure is the one to tell
        _log_bug(error)
        return None


def partial_answer(decoder: Decoder) -> Response:
    """What has come so far; nothing where the decoder cannot say."""
    try:
        return decoder.partial()
    except Exception as error:  # foreign code, and the caller asked for what there is
        _log_bug(error)
        return Response(())


def salvage_reply(provider: BaseProvider, call: Call, error: LLMError, data: bytes) -> None:
    """Keep in `error` what can be made out of the bytes of a plain reply that was cut."""
    try:
        _keep_partial(error, provider.salvage(call, data))
    except Exception as failed:  # foreign code; the first failure is the one to tell
        _log_bug(failed)


def interrupted(error: Exception, decoder: Decoder) -> StreamInterrupted:
    """The error of a stream that failed after content: a `StreamInterrupted` with what came, whatever broke it."""
    if not isinstance(error, LLMError):
        error = provider_bug(error)
    if error.partial is None:
        _keep_partial(error, partial_answer(decoder))
    if isinstance(error, StreamInterrupted):
        return error
    what = f"no content for too long: {error.message}" if isinstance(error, FirstTokenTimeout) else error.message
    broken = StreamInterrupted(f"the stream broke off: {what}", reason=error)
    broken.partial, broken.partial_text = error.partial, error.partial_text
    return broken


def _keep_partial(error: LLMError, partial: Response | None) -> None:
    if partial is not None and partial.choices:
        error.partial = partial
        error.partial_text = partial.choices[0].message.text


def _log_bug(error: Exception) -> None:
    if not isinstance(error, LLMError):
        log.debug("a provider raised while an exchange was given up", exc_info=error)
