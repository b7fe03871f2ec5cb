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
        CannotConnect,
        ConfigError,
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
        RequestConflict,
        ResponseTooLarge,
        ServerError,
        StreamInterrupted,
        TLSFailed,
        UnknownProvider,
        Unsupported,
    )
    from llmkit.language.attachments import attach
    from llmkit.language.compare import Comparison, acompare, compare
    from llmkit.language.conversation import Attachment, Conversation
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
    from llmkit.language.trim import estimate_tokens, trim_messages
    from llmkit.money.totals import Totals
    from llmkit.operations.asking import ServiceSettings
    from llmkit.operations.availability import (
        Availability,
        AvailabilityCheck,
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
    from llmkit.provider.registry import (
        InstalledProvider,
        installed_providers,
        known_services,
        register_provider,
        unregister_provider,
    )
    from llmkit.resilience.retry import RetryPolicy
    from llmkit.types.messages import FunctionCall, Message, MessagesLike, ToolCall
    from llmkit.types.model_info import KeyInfo, ModelEndpoint, ModelInfo, PullProgress
    from llmkit.types.parts import AudioPart, FilePart, ImagePart, OtherPart, Part, TextPart
    from llmkit.types.pricing import PriceOverride, Pricing
    from llmkit.types.responses import Attempt, Choice, Chunk, ChunkChoice, Delta, Response, ToolCallDelta
    from llmkit.types.settings import CallSettings, Settings
    from llmkit.types.usage import Cost, Timings, Usage

_HOMES = {
    "config.explain": "ResolvedSetting explain_settings",
    "config.file.problem": "ConfigFileError",
    "errors": (
        "AllTargetsFailed AuthFailed BadRequest CannotConnect ConfigError ConnectTimeout ConnectionFailed "
        "ConnectionLost ContentRefused ContextLengthExceeded DeadlineExceeded EmptyResponse FirstTokenTimeout "
        "InsufficientCredit LLMError LLMTimeout LocalOverload MalformedResponse ModelClosed ModelNotFound "
        "Overloaded PayloadTooLarge PermissionDenied ProviderBug ProviderConflict ProviderLoadError "
        "ProviderTimeout QuotaExhausted RateLimited RequestConflict ResponseTooLarge ServerError StreamInterrupted "
        "TLSFailed UnknownProvider Unsupported"
    ),
    "language.attachments": "attach",
    "language.compare": "Comparison acompare compare",
    "language.conversation": "Attachment Conversation",
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
    "language.trim": "estimate_tokens trim_messages",
    "money.totals": "Totals",
    "operations.asking": "ServiceSettings",
    "operations.availability": "Availability AvailabilityCheck acheck_available acheck_key check_available check_key",
    "operations.lists": "aget_model_info alist_free_models alist_models get_model_info list_free_models list_models",
    "operations.pull": "apull_model pull_model",
    "operations.selection": "ModelList",
    "provider.interface": "BaseProvider",
    "provider.registry": "InstalledProvider installed_providers known_services register_provider unregister_provider",
    "resilience.retry": "RetryPolicy",
    "types.messages": "FunctionCall Message MessagesLike ToolCall",
    "types.model_info": "KeyInfo ModelEndpoint ModelInfo PullProgress",
    "types.parts": "AudioPart FilePart ImagePart OtherPart Part TextPart",
    "types.pricing": "PriceOverride Pricing",
    "types.responses": "Attempt Choice Chunk ChunkChoice Delta Response ToolCallDelta",
    "types.settings": "CallSettings Settings",
    "types.usage": "Cost Timings Usage",
}

__all__ = [
    "AllTargetsFailed", "AsyncChatStream", "Attachment", "Attempt", "AudioPart", "AuthFailed", "Availability",
    "AvailabilityCheck", "BadRequest", "BaseProvider", "BatchStopped", "CallSettings", "CannotConnect", "ChatStream",
    "Choice", "Chunk", "ChunkChoice", "Comparison", "ConfigError", "ConfigFileError", "ConnectTimeout",
    "ConnectionFailed", "ConnectionLost", "ContentRefused", "ContextLengthExceeded", "Conversation", "Cost",
    "DeadlineExceeded", "Delta", "EmptyResponse", "FilePart", "FirstTokenTimeout", "FunctionCall", "HistoryError",
    "ImagePart", "InstalledProvider", "InsufficientCredit", "InvalidStructure", "KeyInfo", "LLMError", "LLMTimeout",
    "LanguageModel", "LocalOverload", "MalformedResponse", "Message", "MessagesLike", "ModelClosed", "ModelEndpoint",
    "ModelInfo", "ModelList", "ModelNotFound", "OtherPart", "Overloaded", "Part", "PayloadTooLarge",
    "PermissionDenied", "PriceOverride", "Pricing", "ProviderBug", "ProviderConflict", "ProviderLoadError",
    "ProviderTimeout", "PullProgress", "QuotaExhausted", "RateLimited", "RequestConflict", "ResolvedSetting",
    "Response", "ResponseTooLarge", "RetryPolicy", "ServerError", "ServiceSettings", "Settings", "StreamInterrupted",
    "TLSFailed", "TextPart", "Timings", "Tool", "ToolCall", "ToolCallDelta", "ToolResultError", "Totals",
    "UnknownProvider", "Unsupported", "Usage", "acheck_available", "acheck_key", "acompare", "aget_model_info",
    "ainvoke_tools", "alist_free_models", "alist_models", "apull_model", "aquick_chat", "attach", "check_available",
    "check_key", "compare", "create_language", "estimate_tokens", "explain_settings", "get_model_info",
    "installed_providers", "invoke_tools", "known_services", "list_free_models", "list_models", "pull_model",
    "quick_chat", "register_provider", "trim_messages", "unregister_provider",
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
