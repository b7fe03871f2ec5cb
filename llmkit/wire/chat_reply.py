"""Answers of the chat-completions dialect: OpenAI's JSON to messages, usage and choices. Pure and lenient.

Nothing but `choices` is required; a field of an unexpected type counts as absent, because services add, null and
rename fields without notice. Unknown fields are kept in `extra`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from llmkit.types.messages import FunctionCall, Message, ToolCall
from llmkit.types.responses import Choice
from llmkit.types.usage import UNKNOWN_COST, Cost, Usage, add
from llmkit.wire.numbers import count, dollars, doubt, is_exact, is_number, place

JSON = Mapping[str, object]

_MESSAGE = frozenset(
    {"role", "content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "tool_calls", "annotations"}
    | {"images", "audio", "name", "tool_call_id"}
)
_CALL = frozenset({"id", "type", "index", "function", "custom"})
_REPLY = frozenset({"id", "object", "created", "model", "provider", "choices", "usage", "error"})


def mapping(value: object) -> JSON:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    """The value if it is text."""
    return value if isinstance(value, str) else None


def objects(value: object) -> tuple[JSON, ...]:
    """The objects of a list; anything else is no list."""
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def split_content(value: object) -> tuple[str | None, str | None]:
    """Text and reasoning of a `content` field. Some services send parts in an answer; reasoning parts are not text."""
    if value is None or isinstance(value, str):
        return value, None
    said: list[str] = []
    thought: list[str] = []
    for part in objects(value):
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            thought += [inner] if isinstance(inner, str) else [str(item.get("text") or "") for item in objects(inner)]
        elif isinstance(part.get("text"), str):
            said.append(cast("str", part["text"]))
    return "".join(said) if said else None, "".join(thought) if thought else None


def parse_usage(raw: object) -> Usage:
    """The counts of a `usage` object. Counts in a sub-object are the service's split of the main ones."""
    usage = mapping(raw)
    if not usage:
        return Usage()
    prompt = mapping(usage.get("prompt_tokens_details"))
    completion = mapping(usage.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=count(usage.get("prompt_tokens")),
        completion_tokens=count(usage.get("completion_tokens")),
        total_tokens=count(usage.get("total_tokens")),
        cached_tokens=count(prompt.get("cached_tokens")),
        cache_write_tokens=count(prompt.get("cache_write_tokens")),
        reasoning_tokens=count(completion.get("reasoning_tokens")),
        raw=usage,
    )


def parse_tool_call(raw: JSON) -> ToolCall:
    """One tool call; arguments that came as an object become JSON text, absent ones empty text."""
    kind = text(raw.get("type")) or ("custom" if isinstance(raw.get("custom"), dict) else "function")
    body = mapping(raw.get("custom" if kind == "custom" else "function"))
    arguments = body.get("input" if kind == "custom" else "arguments")
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else json.dumps(arguments)
    return ToolCall(
        text(raw.get("id")) or None, FunctionCall(text(body.get("name")) or "", arguments), kind, call_extra(raw)
    )


def call_extra(raw: JSON) -> dict[str, object]:
    """Fields of a tool call that llmkit has no name for."""
    return {key: value for key, value in raw.items() if key not in _CALL and value is not None}


def parse_message(raw: JSON) -> Message:
    """The message of a choice."""
    content, thought = split_content(raw.get("content"))
    audio = raw.get("audio")
    details = objects(raw.get("reasoning_details"))
    said = text(raw.get("reasoning")) or text(raw.get("reasoning_content")) or thought
    return Message(
        role=text(raw.get("role")) or "assistant",
        content=content,
        refusal=text(raw.get("refusal")),
        reasoning=said or details_text(details),
        reasoning_details=details,
        tool_calls=tuple(parse_tool_call(call) for call in objects(raw.get("tool_calls"))),
        annotations=objects(raw.get("annotations")),
        images=objects(raw.get("images")),
        audio=audio if isinstance(audio, dict) else None,
        extra={key: value for key, value in raw.items() if key not in _MESSAGE and value is not None},
    )


def details_text(details: Sequence[JSON]) -> str | None:
    """The readable text of reasoning blocks, for a service that gives it nowhere else."""
    said = [text(block.get("text")) or text(block.get("summary")) or "" for block in details]
    return "".join(said) or None


def reported_cost(usage: Usage) -> Cost:
    """The service's own figure, exactly as its digits say.

    With an own key at the upstream provider (`is_byok`) the upstream's charge comes on top; where that is missing,
    the amount is not known.
    """
    reported = dollars(usage.raw.get("cost"))
    if reported is None:
        return UNKNOWN_COST
    if usage.raw.get("is_byok") is not True:
        return Cost(reported, "reported", reported)
    upstream = dollars(mapping(usage.raw.get("cost_details")).get("upstream_inference_cost"))
    if upstream is None:
        return Cost(None, "unknown", reported)
    return Cost(add(reported, upstream), "reported", reported, upstream)


def cost_doubts(usage: Usage) -> tuple[str, ...]:
    """A sentence for each part of `reported_cost` that is a number and cannot be right."""
    parts = [("a cost", usage.raw.get("cost"))]
    if usage.raw.get("is_byok") is True:
        parts.append(("an upstream cost", mapping(usage.raw.get("cost_details")).get("upstream_inference_cost")))
    return tuple(doubt(what, value) for what, value in parts if dollars(value) is None and is_exact(value))


def count_doubts(counts: JSON, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each of the named counts that is a number and cannot be right."""
    found: list[str] = []
    for name in names:
        value = counts.get(name)
        if value is not None and count(value) is None and is_number(value):
            found.append(doubt(f"a figure for {name}", value))
    return tuple(found)


def usage_doubts(usage: Usage) -> tuple[str, ...]:
    """As `count_doubts`, of all counts that `parse_usage` reads."""
    raw = usage.raw
    found: tuple[str, ...] = ()
    # Nearly always the counts that are absent were not sent, and whole groups are there: nothing to look at.
    if usage.prompt_tokens is None or usage.completion_tokens is None or usage.total_tokens is None:
        found += count_doubts(raw, ("prompt_tokens", "completion_tokens", "total_tokens"))
    if usage.cached_tokens is None or usage.cache_write_tokens is None:
        found += count_doubts(mapping(raw.get("prompt_tokens_details")), ("cached_tokens", "cache_write_tokens"))
    if usage.reasoning_tokens is None:
        found += count_doubts(mapping(raw.get("completion_tokens_details")), ("reasoning_tokens",))
    return found


def parse_choice(raw: JSON, position: int) -> Choice:
    """One choice of a plain reply."""
    index = place(raw.get("index"))
    return Choice(
        message=parse_message(mapping(raw.get("message"))),
        index=position if index is None else index,
        finish_reason=text(raw.get("finish_reason")) or None,
        native_finish_reason=text(raw.get("native_finish_reason")),
        logprobs=raw.get("logprobs"),
    )


def delivered(message: Message) -> bool:
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


def extra_of(reply: JSON) -> dict[str, object]:
    """Top-level fields that llmkit has no name for."""
    return {key: value for key, value in reply.items() if key not in _REPLY and value is not None}


def merge_details(fragments: Sequence[JSON]) -> tuple[JSON, ...]:
    """Reasoning blocks out of a stream's fragments, in order.

    Fragments of one block share `index` and `type`, and do not differ in `id`; their text, summary and data are
    joined, and of the other fields the last that is not null stands.
    """
    blocks: list[dict[str, object]] = []
    for fragment in fragments:
        block = next((known for known in reversed(blocks) if _same_block(known, fragment)), None)
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


def _same_block(block: JSON, fragment: JSON) -> bool:
    if fragment.get("index") is None or block.get("index") != fragment.get("index"):
        return False
    first, second = block.get("id"), fragment.get("id")
    return block.get("type") == fragment.get("type") and (first is None or second is None or first == second)
