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
    from llmkit.attachments import attach
    from llmkit.batch import BatchStopped
    from llmkit.comparison import Comparison, acompare, compare
    from llmkit.config import ConfigFileError
    from llmkit.conversation import Conversation
    from llmkit.discovery.availability import (
        Availability,
        Check,
        acheck_available,
        acheck_key,
        check_available,
        check_key,
    )
    from llmkit.discovery.inquiry import ServiceSettings
    from llmkit.discovery.lists import (
        aget_model_info,
        alist_free_models,
        alist_models,
        get_model_info,
        list_free_models,
        list_models,
    )
    from llmkit.discovery.pull import apull_model, pull_model
    from llmkit.discovery.selection import ModelList
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
    from llmkit.history import HistoryError
    from llmkit.language import LanguageModel
    from llmkit.messages import FunctionCall, Message, ToolCall
    from llmkit.models import KeyInfo, ModelEndpoint, ModelInfo, PullProgress
    from llmkit.money.totals import Totals
    from llmkit.parts import AudioPart, FilePart, ImagePart, OtherPart, TextPart
    from llmkit.pricing import PriceOverride, Pricing
    from llmkit.profiles import ResolvedSetting, explain_settings
    from llmkit.provider import BaseProvider
    from llmkit.quick import aquick_chat, quick_chat
    from llmkit.registry import Installed, installed_providers, known_services, register
    from llmkit.responses import Attempt, Choice, Chunk, ChunkChoice, Delta, Response, ToolCallDelta
    from llmkit.retry import RetryPolicy
    from llmkit.settings import CallSettings, Settings
    from llmkit.stream import AsyncChatStream, ChatStream
    from llmkit.structured import InvalidStructure
    from llmkit.tools import Tool, ToolResultError, ainvoke_tools, invoke_tools
    from llmkit.trim import trim_messages
    from llmkit.usage import Cost, Timings, Usage

_HOMES = {
    "attachments": "attach",
    "batch": "BatchStopped",
    "comparison": "Comparison acompare compare",
    "config": "ConfigFileError",
    "conversation": "Conversation",
    "discovery.availability": "Availability Check acheck_available acheck_key check_available check_key",
    "discovery.inquiry": "ServiceSettings",
    "discovery.lists": "aget_model_info alist_free_models alist_models get_model_info list_free_models list_models",
    "discovery.pull": "apull_model pull_model",
    "discovery.selection": "ModelList",
    "errors": (
        "AllTargetsFailed AuthFailed BadRequest ConfigError Conflict ConnectFailed ConnectTimeout ConnectionFailed "
        "ConnectionLost ContentRefused ContextLengthExceeded DeadlineExceeded EmptyResponse FirstTokenTimeout "
        "InsufficientCredit LLMError LLMTimeout LocalOverload MalformedResponse ModelClosed ModelNotFound "
        "Overloaded PayloadTooLarge PermissionDenied ProviderBug ProviderConflict ProviderLoadError "
        "ProviderTimeout QuotaExhausted RateLimited ResponseTooLarge ServerError StreamInterrupted TLSFailed "
        "UnknownProvider Unsupported"
    ),
    "factory": "create_language",
    "history": "HistoryError",
    "language": "LanguageModel",
    "messages": "FunctionCall Message ToolCall",
    "models": "KeyInfo ModelEndpoint ModelInfo PullProgress",
    "money.totals": "Totals",
    "parts": "AudioPart FilePart ImagePart OtherPart TextPart",
    "pricing": "PriceOverride Pricing",
    "profiles": "ResolvedSetting explain_settings",
    "provider": "BaseProvider",
    "quick": "aquick_chat quick_chat",
    "registry": "Installed installed_providers known_services register",
    "responses": "Attempt Choice Chunk ChunkChoice Delta Response ToolCallDelta",
    "retry": "RetryPolicy",
    "settings": "CallSettings Settings",
    "stream": "AsyncChatStream ChatStream",
    "structured": "InvalidStructure",
    "tools": "Tool ToolResultError ainvoke_tools invoke_tools",
    "trim": "trim_messages",
    "usage": "Cost Timings Usage",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AllTargetsFailed", "AsyncChatStream", "Attempt", "AudioPart", "AuthFailed", "Availability", "BadRequest",
    "BaseProvider", "BatchStopped", "CallSettings", "ChatStream", "Check", "Choice", "Chunk", "ChunkChoice",
    "Comparison", "ConfigError", "ConfigFileError", "Conflict", "ConnectFailed", "ConnectTimeout", "ConnectionFailed",
    "ConnectionLost", "ContentRefused", "ContextLengthExceeded", "Conversation", "Cost", "DeadlineExceeded", "Delta",
    "EmptyResponse", "FilePart", "FirstTokenTimeout", "FunctionCall", "HistoryError", "ImagePart", "Installed",
    "InsufficientCredit", "InvalidStructure", "KeyInfo", "LLMError", "LLMTimeout", "LanguageModel", "LocalOverload",
    "MalformedResponse", "Message", "ModelClosed", "ModelEndpoint", "ModelInfo", "ModelList", "ModelNotFound",
    "OtherPart", "Overloaded", "PayloadTooLarge", "PermissionDenied", "PriceOverride", "Pricing", "ProviderBug",
    "ProviderConflict", "ProviderLoadError", "ProviderTimeout", "PullProgress", "QuotaExhausted", "RateLimited",
    "ResolvedSetting", "Response", "ResponseTooLarge", "RetryPolicy", "ServerError", "ServiceSettings", "Settings",
    "StreamInterrupted", "TLSFailed", "TextPart", "Timings", "Tool", "ToolCall", "ToolCallDelta", "ToolResultError",
    "Totals", "UnknownProvider", "Unsupported", "Usage", "acheck_available", "acheck_key", "acompare",
    "aget_model_info", "ainvoke_tools", "alist_free_models", "alist_models", "apull_model", "aquick_chat", "attach",
    "check_available", "check_key", "compare", "create_language", "explain_settings", "get_model_info",
    "installed_providers", "invoke_tools", "known_services", "list_free_models", "list_models", "pull_model",
    "quick_chat", "register", "trim_messages",
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
