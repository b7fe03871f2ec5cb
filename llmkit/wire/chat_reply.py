"""Answers of the chat-completions dialect: OpenAI's JSON to messages, usage and choices. Pure and lenient.

Only `choices` is required. A field of an unexpected type counts as absent, because services add and rename fields and
set them to null without notice. Unknown fields are kept in `extra`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from llmkit.types.messages import FunctionCall, Message, ToolCall
from llmkit.types.responses import Choice
from llmkit.types.usage import UNKNOWN_COST, Cost, Usage, add_amounts
from llmkit.wire.numbers import as_count, as_dollars, as_index, describe_doubt, is_exact, is_number

JSON = Mapping[str, object]

_MESSAGE = frozenset(
    {"role", "content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "tool_calls", "annotations"}
    | {"images", "audio", "name", "tool_call_id"}
)
_CALL = frozenset({"id", "type", "index", "function", "custom"})
_REPLY = frozenset({"id", "object", "created", "model", "provider", "choices", "usage", "error"})


def as_mapping(value: object) -> JSON:
    """The value if it is a JSON object, else an empty object."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str | None:
    """The value if it is text, else `None`."""
    return value if isinstance(value, str) else None


def as_objects(value: object) -> tuple[JSON, ...]:
    """The objects in a list; empty for a value that is not a list."""
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def split_content(value: object) -> tuple[str | None, str | None]:
    """The text and the reasoning of a `content` field. Some services answer in parts; a reasoning part is not text."""
    if value is None or isinstance(value, str):
        return value, None
    texts: list[str] = []
    thoughts: list[str] = []
    for part in as_objects(value):
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            thoughts += (
                [inner] if isinstance(inner, str) else [str(item.get("text") or "") for item in as_objects(inner)]
            )
        elif isinstance(part.get("text"), str):
            texts.append(cast("str", part["text"]))
    return "".join(texts) if texts else None, "".join(thoughts) if thoughts else None


def parse_usage(raw: object) -> Usage:
    """The counts of a `usage` object. Counts in its `..._details` objects are parts of the main counts."""
    usage = as_mapping(raw)
    if not usage:
        return Usage()
    prompt = as_mapping(usage.get("prompt_tokens_details"))
    completion = as_mapping(usage.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=as_count(usage.get("prompt_tokens")),
        completion_tokens=as_count(usage.get("completion_tokens")),
        total_tokens=as_count(usage.get("total_tokens")),
        cached_tokens=as_count(prompt.get("cached_tokens")),
        cache_write_tokens=as_count(prompt.get("cache_write_tokens")),
        reasoning_tokens=as_count(completion.get("reasoning_tokens")),
        raw=usage,
    )


def parse_tool_call(raw: JSON) -> ToolCall:
    """One tool call. Arguments that came as an object become JSON text, absent arguments become empty text."""
    kind = as_text(raw.get("type")) or ("custom" if isinstance(raw.get("custom"), dict) else "function")
    body = as_mapping(raw.get("custom" if kind == "custom" else "function"))
    arguments = body.get("input" if kind == "custom" else "arguments")
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else json.dumps(arguments)
    return ToolCall(
        as_text(raw.get("id")) or None,
        FunctionCall(as_text(body.get("name")) or "", arguments),
        kind,
        pick_call_extra(raw),
    )


def pick_call_extra(raw: JSON) -> dict[str, object]:
    """The fields of a tool call that llmkit has no name for."""
    return {key: value for key, value in raw.items() if key not in _CALL and value is not None}


def parse_message(raw: JSON) -> Message:
    """The message of a choice."""
    content, reasoning_parts = split_content(raw.get("content"))
    audio = raw.get("audio")
    details = as_objects(raw.get("reasoning_details"))
    reasoning_text = as_text(raw.get("reasoning")) or as_text(raw.get("reasoning_content")) or reasoning_parts
    return Message(
        role=as_text(raw.get("role")) or "assistant",
        content=content,
        refusal=as_text(raw.get("refusal")),
        reasoning=reasoning_text or join_details_text(details),
        reasoning_details=details,
        tool_calls=tuple(parse_tool_call(call) for call in as_objects(raw.get("tool_calls"))),
        annotations=as_objects(raw.get("annotations")),
        images=as_objects(raw.get("images")),
        audio=audio if isinstance(audio, dict) else None,
        extra={key: value for key, value in raw.items() if key not in _MESSAGE and value is not None},
    )


def join_details_text(details: Sequence[JSON]) -> str | None:
    """The readable text of reasoning blocks, for a service that gives it nowhere else; `None` where they have none."""
    texts = [as_text(block.get("text")) or as_text(block.get("summary")) or "" for block in details]
    return "".join(texts) or None


def read_reported_cost(usage: Usage) -> Cost:
    """The cost that the service reports, exact to its last digit.

    Where the user's own key at the upstream provider was used (`is_byok`), the upstream's charge is added; where that
    charge is missing, the amount is not known.
    """
    reported = as_dollars(usage.raw.get("cost"))
    if reported is None:
        return UNKNOWN_COST
    if usage.raw.get("is_byok") is not True:
        return Cost(reported, "reported", reported)
    upstream = as_dollars(as_mapping(usage.raw.get("cost_details")).get("upstream_inference_cost"))
    if upstream is None:
        return Cost(None, "unknown", reported)
    return Cost(add_amounts(reported, upstream), "reported", reported, upstream)


def list_cost_doubts(usage: Usage) -> tuple[str, ...]:
    """A sentence for each figure of `read_reported_cost` that is a number and cannot be right."""
    parts = [("a cost", usage.raw.get("cost"))]
    if usage.raw.get("is_byok") is True:
        parts.append(("an upstream cost", as_mapping(usage.raw.get("cost_details")).get("upstream_inference_cost")))
    return tuple(describe_doubt(what, value) for what, value in parts if as_dollars(value) is None and is_exact(value))


def list_count_doubts(counts: JSON, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each of the named counts that is a number and cannot be right."""
    doubts: list[str] = []
    for name in names:
        value = counts.get(name)
        if value is not None and as_count(value) is None and is_number(value):
            doubts.append(describe_doubt(f"a figure for {name}", value))
    return tuple(doubts)


def list_usage_doubts(usage: Usage) -> tuple[str, ...]:
    """As `list_count_doubts`, for all counts that `parse_usage` reads."""
    raw = usage.raw
    doubts: tuple[str, ...] = ()
    # Only an absent count can be doubtful. Nearly always whole groups are there, and are not looked at again.
    if usage.prompt_tokens is None or usage.completion_tokens is None or usage.total_tokens is None:
        doubts += list_count_doubts(raw, ("prompt_tokens", "completion_tokens", "total_tokens"))
    if usage.cached_tokens is None or usage.cache_write_tokens is None:
        doubts += list_count_doubts(
            as_mapping(raw.get("prompt_tokens_details")), ("cached_tokens", "cache_write_tokens")
        )
    if usage.reasoning_tokens is None:
        doubts += list_count_doubts(as_mapping(raw.get("completion_tokens_details")), ("reasoning_tokens",))
    return doubts


def parse_choice(raw: JSON, position: int) -> Choice:
    """One choice of a plain reply."""
    index = as_index(raw.get("index"))
    return Choice(
        message=parse_message(as_mapping(raw.get("message"))),
        index=position if index is None else index,
        finish_reason=as_text(raw.get("finish_reason")) or None,
        native_finish_reason=as_text(raw.get("native_finish_reason")),
        logprobs=raw.get("logprobs"),
    )


def has_content(message: Message) -> bool:
    """Does the message hold anything: text, reasoning, a refusal, a tool call, an image, audio?"""
    return bool(
        message.content
        or message.tool_calls
        or message.refusal
        or message.reasoning
        or message.images
        or message.audio
        or message.reasoning_details
        or message.extra
    )


def pick_extra(reply: JSON) -> dict[str, object]:
    """The top-level fields of a reply that llmkit has no name for."""
    return {key: value for key, value in reply.items() if key not in _REPLY and value is not None}


def merge_details(fragments: Sequence[JSON]) -> tuple[JSON, ...]:
    """The reasoning blocks that a stream's fragments make up, in order.

    Fragments of one block share `index` and `type`, and do not differ in `id`. Their text, summary and data are
    joined; of each other field the last value that is not null or empty is kept.
    """
    blocks: list[dict[str, object]] = []
    for fragment in fragments:
        block = next((known for known in reversed(blocks) if _is_same_block(known, fragment)), None)
        if block is None:
            blocks.append(dict(fragment))
            continue
        for key, value in fragment.items():
            old = block.get(key)
            if key in ("text", "summary", "data") and isinstance(old, str) and isinstance(value, str):
                block[key] = old + value
            elif value is not None and value != "":
                block[key] = value
    return tuple(blocks)


def _is_same_block(block: JSON, fragment: JSON) -> bool:
    if fragment.get("index") is None or block.get("index") != fragment.get("index"):
        return False
    first, second = block.get("id"), fragment.get("id")
    return block.get("type") == fragment.get("type") and (first is None or second is None or first == second)
