"""The values that llmkit takes and gives: frozen, and made of the standard library only.

This is a door: `from llmkit.types import Message, Response`. Each name is loaded at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmkit.types.door import open_door

if TYPE_CHECKING:
    from llmkit.types.messages import FunctionCall, Message, MessageLike, MessagesLike, Role, ToolCall
    from llmkit.types.model_info import KeyInfo, ModelEndpoint, ModelInfo, PullProgress
    from llmkit.types.parts import AudioPart, FilePart, ImagePart, OtherPart, Part, TextPart, data_url
    from llmkit.types.pricing import PriceOverride, Pricing
    from llmkit.types.redaction import describe, measure, name_of, scrub
    from llmkit.types.responses import Attempt, Choice, Chunk, ChunkChoice, Delta, Response, ToolCallDelta
    from llmkit.types.secret import Secret
    from llmkit.types.settings import EFFORTS, SAMPLING, CallSettings, Effort, Settings
    from llmkit.types.usage import FREE, NOT_BILLED, UNKNOWN_COST, Basis, Cost, Timings, Usage
    from llmkit.types.validators import (
        Check,
        anything,
        either,
        flag,
        like,
        many,
        number,
        one_of,
        pairs,
        table,
        tagged,
        text,
        whole,
        wrong,
    )

_HOMES = {
    "messages": "FunctionCall Message MessageLike MessagesLike Role ToolCall",
    "model_info": "KeyInfo ModelEndpoint ModelInfo PullProgress",
    "parts": "AudioPart FilePart ImagePart OtherPart Part TextPart data_url",
    "pricing": "PriceOverride Pricing",
    "redaction": "describe measure name_of scrub",
    "responses": "Attempt Choice Chunk ChunkChoice Delta Response ToolCallDelta",
    "secret": "Secret",
    "settings": "CallSettings EFFORTS Effort SAMPLING Settings",
    "usage": "Basis Cost FREE NOT_BILLED Timings UNKNOWN_COST Usage",
    "validators": "Check anything either flag like many number one_of pairs table tagged text whole wrong",
}

__all__ = [
    "EFFORTS", "FREE", "NOT_BILLED", "SAMPLING", "UNKNOWN_COST", "Attempt", "AudioPart", "Basis", "CallSettings",
    "Check", "Choice", "Chunk", "ChunkChoice", "Cost", "Delta", "Effort", "FilePart", "FunctionCall", "ImagePart",
    "KeyInfo", "Message", "MessageLike", "MessagesLike", "ModelEndpoint", "ModelInfo", "OtherPart", "Part",
    "PriceOverride", "Pricing", "PullProgress", "Response", "Role", "Secret", "Settings", "TextPart", "Timings",
    "ToolCall", "ToolCallDelta", "Usage", "anything", "data_url", "describe", "either", "flag", "like", "many",
    "measure", "name_of", "number", "one_of", "pairs", "scrub", "table", "tagged", "text", "whole", "wrong",
]  # fmt: skip

if not TYPE_CHECKING:  # A type checker that saw it would accept every name.
    __getattr__, __dir__ = open_door(__name__, _HOMES)
