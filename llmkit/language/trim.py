"""Which turns of a long conversation are sent: `trim_messages`. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import cast

from llmkit.errors import BadRequest, ConfigError
from llmkit.types.messages import Message, MessagesLike, to_messages
from llmkit.types.parts import OtherPart, TextPart

_STANDING = ("system", "developer")
_PER_MESSAGE = 4
_PER_MEDIUM = 1000
_BYTES_PER_TOKEN = 4


def estimate_tokens(message: Message) -> int:
    """About how many tokens a turn has. An estimate: no model's own tokenizer is asked.

    One token for 4 bytes of UTF-8 text (text, tool calls, reasoning), 4 for the turn itself, 1,000 for each image,
    recording or file, whatever its size. English text comes out close; code, other scripts and media may be far off.
    """
    content = message.content
    texts = [message.text, message.refusal, message.reasoning, message.name]
    texts += [text for call in message.tool_calls for text in (call.function.name, call.function.arguments)]
    media = 0
    if not isinstance(content, str):
        media += sum(not isinstance(part, TextPart) for part in content or ())
        texts += [str(part.body) for part in content or () if isinstance(part, OtherPart)]
    media += len(message.images) + (message.audio is not None)
    size = sum(len(text.encode("utf-8", "replace")) for text in texts if text)
    return -(-size // _BYTES_PER_TOKEN) + _PER_MESSAGE + _PER_MEDIUM * media


def check_limits(max_messages: int | None, max_tokens: int | None) -> None:
    """Refuse a limit that is no limit.

    Raises:
        ConfigError: it is not a whole number of 1 or more.
    """
    for name, value in (("max_messages", max_messages), ("max_tokens", max_tokens)):
        if value is not None and (type(value) is not int or value < 1):
            raise ConfigError(f"{name} is {value!r}", hint="Pass a whole number of 1 or more, or None for no limit")


def trim_messages(
    messages: MessagesLike,
    *,
    max_messages: int | None = None,
    max_tokens: int | None = None,
    count_tokens: Callable[[Message], int] | None = None,
) -> tuple[Message, ...]:
    """The newest turns that fit.

    What always stays: every system and developer turn, the last user turn, and the last turn. An assistant turn that
    calls tools and the results of these calls stay or go together. When anything had to go, the turns before the first
    user turn that is left go too, so that what is sent does not begin in the middle of an exchange.

    Args:
        messages: as for `chat_complete`; it may be empty.
        max_messages: most turns, not counting system and developer turns. What always stays may be more.
        max_tokens: most tokens of all turns together, system turns included. Tool schemas are not counted.
        count_tokens: tokens of one turn. Default: `estimate_tokens`, an estimate.

    Raises:
        BadRequest: what always stays has more tokens than `max_tokens`; or the messages are not messages.
        ConfigError: a limit or a count is not a whole number.
    """
    check_limits(max_messages, max_tokens)
    turns = to_messages(messages) if messages else ()
    groups = _groups(turns)
    needed = _needed(turns, groups)
    weights: list[tuple[list[int], int]] = []
    if max_tokens is not None:
        counts = [_counted(turn, count_tokens or estimate_tokens) for turn in turns]
        weights.append((counts, max_tokens))
        least = _least(counts, groups, needed)
        if least > max_tokens:
            raise BadRequest(
                f"the turns that must be sent have {least} tokens, more than the limit of {max_tokens}",
                hint="Raise max_tokens, or shorten the system message or the last question",
            )
    if max_messages is not None:
        weights.append(([turn.role not in _STANDING for turn in turns], max_messages))
    kept = _kept(turns, groups, needed, weights)
    gone = {index for number, group in enumerate(groups) if number not in kept for index in group}
    return tuple(turn for index, turn in enumerate(turns) if index not in gone)


def _counted(turn: Message, count: Callable[[Message], int]) -> int:
    tokens = cast("object", count(turn))
    if not isinstance(tokens, int) or tokens < 0:
        raise ConfigError(f"count_tokens gave {tokens!r}", hint="It gives a whole number of 0 or more")
    return tokens


def _needed(turns: Sequence[Message], groups: Sequence[Sequence[int]]) -> set[int]:
    """Numbers of the groups that always stay."""
    asking = (number for number, group in enumerate(groups) if _has_user(turns, group))
    return {*list(asking)[-1:], *range(len(groups))[-1:]}


def _least(weight: Sequence[int], groups: Sequence[Sequence[int]], needed: set[int]) -> int:
    """What the turns that always stay weigh together."""
    return sum(weight) - sum(
        weight[index] for number, group in enumerate(groups) if number not in needed for index in group
    )


def _kept(
    turns: Sequence[Message], groups: Sequence[Sequence[int]], needed: set[int], weights: list[tuple[list[int], int]]
) -> set[int]:
    """Numbers of the groups that stay: from the newest back to the first that does not fit."""
    kept = set(needed)
    left = [most - _least(weight, groups, needed) for weight, most in weights]
    for number in reversed(range(len(groups))):
        if number in kept:
            continue
        sizes = [sum(weight[index] for index in groups[number]) for weight, _ in weights]
        if any(size > room for size, room in zip(sizes, left, strict=True)):
            break
        left = [room - size for size, room in zip(sizes, left, strict=True)]
        kept.add(number)
    if len(kept) < len(groups):
        first = next((number for number in sorted(kept) if _has_user(turns, groups[number])), 0)
        kept = {number for number in kept if number >= first}
    return kept


def _has_user(turns: Sequence[Message], group: Sequence[int]) -> bool:
    return any(turns[index].role == "user" for index in group)


def _groups(turns: Sequence[Message]) -> list[list[int]]:
    """The places of all turns but the system ones, in groups that stay or go together.

    A tool result belongs to the last call of its id; one without a known id to the calls right before it. Turns between
    a call and its result are in the group too.
    """
    groups: list[list[int]] = []
    called: dict[str, int] = {}
    for index, turn in enumerate(turns):
        if turn.role in _STANDING:
            continue
        home = len(groups)
        if turn.role == "tool":
            if (place := called.get(turn.tool_call_id or "")) is not None:
                home = bisect_right(groups, place, key=lambda group: group[0]) - 1
            elif groups and (turns[groups[-1][-1]].tool_calls or len(groups[-1]) > 1):
                home = len(groups) - 1
        groups[home:] = [[place for group in groups[home:] for place in group] + [index]]
        for call in turn.tool_calls:
            if call.id:
                called[call.id] = index
    return groups
