"""Call any language model by name, with retry, fallback and cost.

    from llmkit import create_language

    model = create_language("openrouter", "anthropic/claude-3.5-sonnet")
    print(model.chat_complete("What is the capital of France?").content)

The names below are loaded when they are first used, so that `import llmkit` costs next to nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmkit.errors import (
        AllTargetsFailed,
        AuthFailed,
        BadRequest,
        ConfigError,
        Conflict,
        ConnectFailed,
        ConnectionFailed,
        ConnectionLost,
        ConnectTimeout,
        ContentRefused,
        ContextLengthExceeded,
        DeadlineExceeded,
        EmptyResponse,
        FirstTokenTimeout,
        InsufficientCredit,
        LLMError,
        LLMTimeout,
        LocalOverload,
        MalformedResponse,
        ModelClosed,
        ModelNotFound,
        Overloaded,
        PayloadTooLarge,
        PermissionDenied,
        ProviderBug,
        ProviderConflict,
        ProviderLoadError,
        ProviderTimeout,
        QuotaExhausted,
        RateLimited,
        ResponseTooLarge,
        ServerError,
        StreamInterrupted,
        TLSFailed,
        UnknownProvider,
        Unsupported,
    )
    from llmkit.factory import create_language
    from llmkit.language import LanguageModel
    from llmkit.messages import FunctionCall, Message, ToolCall
    from llmkit.money.totals import Totals
    from llmkit.parts import AudioPart, FilePart, ImagePart, OtherPart, TextPart
    from llmkit.provider import BaseProvider
    from llmkit.registry import Installed, installed_providers, known_services, register
    from llmkit.responses import Attempt, Choice, Chunk, ChunkChoice, Delta, Response, ToolCallDelta
    from llmkit.retry import RetryPolicy
    from llmkit.settings import CallSettings, Settings
    from llmkit.stream import AsyncChatStream, ChatStream
    from llmkit.usage import Cost, Timings, Usage

_HOMES = {
    "errors": (
        "AllTargetsFailed AuthFailed BadRequest ConfigError Conflict ConnectFailed ConnectTimeout ConnectionFailed "
        "ConnectionLost ContentRefused ContextLengthExceeded DeadlineExceeded EmptyResponse FirstTokenTimeout "
        "InsufficientCredit LLMError LLMTimeout LocalOverload MalformedResponse ModelClosed ModelNotFound Overloaded "
        "PayloadTooLarge PermissionDenied ProviderBug ProviderConflict ProviderLoadError ProviderTimeout "
        "QuotaExhausted RateLimited ResponseTooLarge ServerError StreamInterrupted TLSFailed UnknownProvider "
        "Unsupported"
    ),
    "factory": "create_language",
    "language": "LanguageModel",
    "messages": "FunctionCall Message ToolCall",
    "money.totals": "Totals",
    "parts": "AudioPart FilePart ImagePart OtherPart TextPart",
    "provider": "BaseProvider",
    "registry": "Installed installed_providers known_services register",
    "responses": "Attempt Choice Chunk ChunkChoice Delta Response ToolCallDelta",
    "retry": "RetryPolicy",
    "settings": "CallSettings Settings",
    "stream": "AsyncChatStream ChatStream",
    "usage": "Cost Timings Usage",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AllTargetsFailed", "AsyncChatStream", "Attempt", "AudioPart", "AuthFailed", "BadRequest", "BaseProvider",
    "CallSettings", "ChatStream", "Choice", "Chunk", "ChunkChoice", "ConfigError", "Conflict", "ConnectFailed",
    "ConnectTimeout", "ConnectionFailed", "ConnectionLost", "ContentRefused", "ContextLengthExceeded", "Cost",
    "DeadlineExceeded", "Delta", "EmptyResponse", "FilePart", "FirstTokenTimeout", "FunctionCall", "ImagePart",
    "Installed", "InsufficientCredit", "LLMError", "LLMTimeout", "LanguageModel", "LocalOverload",
    "MalformedResponse", "Message", "ModelClosed", "ModelNotFound", "OtherPart", "Overloaded", "PayloadTooLarge",
    "PermissionDenied", "ProviderBug", "ProviderConflict", "ProviderLoadError", "ProviderTimeout", "QuotaExhausted",
    "RateLimited", "Response", "ResponseTooLarge", "RetryPolicy", "ServerError", "Settings", "StreamInterrupted",
    "TLSFailed", "TextPart", "Timings", "ToolCall", "ToolCallDelta", "Totals", "UnknownProvider", "Unsupported",
    "Usage", "create_language", "installed_providers", "known_services", "register",
]  # fmt: skip

# Silent unless the program configures logging.
logging.getLogger("llmkit").addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("llmkit")
    if (home := _HOME_OF.get(name)) is None:
        raise AttributeError(f"module 'llmkit' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"llmkit.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
