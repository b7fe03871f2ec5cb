"""Call any language model by name, with retry, fallback and cost.

    from llmkit import create_language

    model = create_language("openrouter", "anthropic/claude-3.5-sonnet")
    print(model.chat_complete("What is the capital of France?").content)

The names below are loaded when they are first used, so that `import llmkit` costs next to nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from llmkit.types.door import open_door

if TYPE_CHECKING:
    from llmkit.config.explain import ResolvedSetting, explain_settings
    from llmkit.config.file.problem import ConfigFileError
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
    from llmkit.language.attachments import attach
    from llmkit.language.compare import Comparison, acompare, compare
    from llmkit.language.conversation import Conversation
    from llmkit.language.create import create_language
    from llmkit.language.history import HistoryError
    from llmkit.language.many import BatchStopped
    from llmkit.language.model import LanguageModel
    from llmkit.language.quick import aquick_chat, quick_chat
    from llmkit.language.stream import AsyncChatStream, ChatStream
    from llmkit.language.structured.shape import InvalidStructure
    from llmkit.language.tools.invoke import ainvoke_tools, invoke_tools
    from llmkit.language.tools.results import ToolResultError
    from llmkit.language.tools.tool import Tool
    from llmkit.language.trim import trim_messages
    from llmkit.money.totals import Totals
    from llmkit.operations.asking import ServiceSettings
    from llmkit.operations.availability import (
        Availability,
        Check,
        acheck_available,
        acheck_key,
        check_available,
        check_key,
    )
    from llmkit.operations.lists import (
        aget_model_info,
        alist_free_models,
        alist_models,
        get_model_info,
        list_free_models,
        list_models,
    )
    from llmkit.operations.pull import apull_model, pull_model
    from llmkit.operations.selection import ModelList
    from llmkit.provider.interface import BaseProvider
    from llmkit.provider.registry import Installed, installed_providers, known_services, register
    from llmkit.resilience.retry import RetryPolicy
    from llmkit.types.messages import FunctionCall, Message, ToolCall
    from llmkit.types.model_info import KeyInfo, ModelEndpoint, ModelInfo, PullProgress
    from llmkit.types.parts import AudioPart, FilePart, ImagePart, OtherPart, TextPart
    from llmkit.types.pricing import PriceOverride, Pricing
    from llmkit.types.responses import Attempt, Choice, Chunk, ChunkChoice, Delta, Response, ToolCallDelta
    from llmkit.types.settings import CallSettings, Settings
    from llmkit.types.usage import Cost, Timings, Usage

_HOMES = {
    "config.explain": "ResolvedSetting explain_settings",
    "config.file.problem": "ConfigFileError",
    "errors": (
        "AllTargetsFailed AuthFailed BadRequest ConfigError Conflict ConnectFailed ConnectTimeout ConnectionFailed "
        "ConnectionLost ContentRefused ContextLengthExceeded DeadlineExceeded EmptyResponse FirstTokenTimeout "
        "InsufficientCredit LLMError LLMTimeout LocalOverload MalformedResponse ModelClosed ModelNotFound "
        "Overloaded PayloadTooLarge PermissionDenied ProviderBug ProviderConflict ProviderLoadError "
        "ProviderTimeout QuotaExhausted RateLimited ResponseTooLarge ServerError StreamInterrupted TLSFailed "
        "UnknownProvider Unsupported"
    ),
    "language.attachments": "attach",
    "language.compare": "Comparison acompare compare",
    "language.conversation": "Conversation",
    "language.create": "create_language",
    "language.history": "HistoryError",
    "language.many": "BatchStopped",
    "language.model": "LanguageModel",
    "language.quick": "aquick_chat quick_chat",
    "language.stream": "AsyncChatStream ChatStream",
    "language.structured.shape": "InvalidStructure",
    "language.tools.invoke": "ainvoke_tools invoke_tools",
    "language.tools.results": "ToolResultError",
    "language.tools.tool": "Tool",
    "language.trim": "trim_messages",
    "money.totals": "Totals",
    "operations.asking": "ServiceSettings",
    "operations.availability": "Availability Check acheck_available acheck_key check_available check_key",
    "operations.lists": "aget_model_info alist_free_models alist_models get_model_info list_free_models list_models",
    "operations.pull": "apull_model pull_model",
    "operations.selection": "ModelList",
    "provider.interface": "BaseProvider",
    "provider.registry": "Installed installed_providers known_services register",
    "resilience.retry": "RetryPolicy",
    "types.messages": "FunctionCall Message ToolCall",
    "types.model_info": "KeyInfo ModelEndpoint ModelInfo PullProgress",
    "types.parts": "AudioPart FilePart ImagePart OtherPart TextPart",
    "types.pricing": "PriceOverride Pricing",
    "types.responses": "Attempt Choice Chunk ChunkChoice Delta Response ToolCallDelta",
    "types.settings": "CallSettings Settings",
    "types.usage": "Cost Timings Usage",
}

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


def _version() -> str:
    from importlib.metadata import version

    return version("llmkit")


if TYPE_CHECKING:
    __version__: str
else:  # A checker that saw it would take every name for one that is there.
    __getattr__, __dir__ = open_door(__name__, _HOMES, {"__version__": _version})
