"""What is left of an exchange that broke. Providers are foreign code here: they may raise anything while one asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from llmkit.errors import FirstTokenTimeout, LLMError, ProviderBug, StreamInterrupted
from llmkit.types.scrub import scrub

if TYPE_CHECKING:
    from llmkit.provider.interface import BaseProvider, Call, Decoder
    from llmkit.types.responses import Response

log = logging.getLogger("llmkit")


def provider_bug(error: Exception) -> ProviderBug:
    """What an exception of a provider's own code means."""
    bug = ProviderBug(f"the provider raised {type(error).__name__}: {scrub(str(error))}", cause=type(error).__name__)
    bug.__cause__ = error
    return bug


def whole_answer(decoder: Decoder) -> Response | None:
    """The answer, if its finish had come before the connection failed; what is lost then is the usage at most."""
    try:
        return decoder.finish()
    except Exception as error:
        _told(error)
        return None


def with_salvage(error: LLMError, provider: BaseProvider, call: Call, data: bytes) -> LLMError:
    """`error`, with what can be made out of the bytes of a plain reply that was cut."""
    try:
        _keep(error, provider.salvage(call, data))
    except Exception as failed:
        _told(failed)
    return error


def interrupted(error: Exception, decoder: Decoder) -> StreamInterrupted:
    """The error of a stream that failed after content: a `StreamInterrupted` with what came, whatever broke it."""
    if not isinstance(error, LLMError):
        error = provider_bug(error)
    if error.partial is None:
        try:
            _keep(error, decoder.partial())
        except Exception as failed:
            _told(failed)
    if isinstance(error, StreamInterrupted):
        return error
    what = f"no content for too long: {error.message}" if isinstance(error, FirstTokenTimeout) else error.message
    broken = StreamInterrupted(f"the stream broke off: {what}", reason=error)
    broken.partial, broken.partial_text = error.partial, error.partial_text
    return broken


def _keep(error: LLMError, partial: Response | None) -> None:
    if partial is not None and partial.choices:
        error.partial = partial
        error.partial_text = partial.choices[0].message.text


def _told(error: Exception) -> None:
    if not isinstance(error, LLMError):
        log.debug("a provider raised while an exchange was given up", exc_info=error)
