"""`trim_messages` decides which turns of a long conversation are sent. Pure.

How it works. The turns, without the system turns, are put into groups that stay or go together: a turn by itself, or
an assistant turn that calls tools with the results of these calls. A group is a list of indices of turns, and is known
by its number. The groups that are required always stay; then groups are added from the newest back to the first that
does not fit all limits. A limit is a pair: what each turn weighs, and what all may weigh together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import cast

from llmkit.errors import BadRequest, ConfigError
from llmkit.types.messages import Message, MessagesLike, to_messages
from llmkit.types.parts import OtherPart, TextPart

_SYSTEM_ROLES = ("system", "developer")
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_MEDIUM = 1000
_BYTES_PER_TOKEN = 4


def estimate_tokens(message: Message) -> int:
    """Estimate how many tokens a turn has, without a tokenizer of any model.

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
    return -(-size // _BYTES_PER_TOKEN) + _TOKENS_PER_MESSAGE + _TOKENS_PER_MEDIUM * media


def check_limits(max_messages: int | None, max_tokens: int | None) -> None:
    """Check the limits of a conversation; `None` is no limit.

    Raises:
        ConfigError: a limit is not a whole number of 1 or more.
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
    """Keep the newest turns that fit.

    What always stays: every system and developer turn, the last user turn, and the last turn. An assistant turn that
    calls tools and the results of these calls stay or go together. When anything had to go, the turns before the first
    user turn that is left go too, so that what is sent does not begin in the middle of an exchange.

    Args:
        messages: as for `chat_complete`; it may be empty.
        max_messages: most turns, not counting system and developer turns. What always stays may be more. Default: no
            limit.
        max_tokens: most tokens of all turns together, system turns included. Tool schemas are not counted. Default: no
            limit.
        count_tokens: gives the number of tokens of one turn. Default: `estimate_tokens`.

    Returns:
        The turns that are kept, in their order.

    Raises:
        BadRequest: what always stays has more tokens than `max_tokens`; or the messages are not messages.
        ConfigError: a limit or a count is not a whole number.
    """
    check_limits(max_messages, max_tokens)
    turns = to_messages(messages) if messages else ()
    groups = _group_turns(turns)
    required = _find_required(turns, groups)
    limits: list[tuple[list[int], int]] = []
    if max_tokens is not None:
        counts = [_count(turn, count_tokens or estimate_tokens) for turn in turns]
        limits.append((counts, max_tokens))
        tokens = _sum_required(counts, groups, required)
        if tokens > max_tokens:
            raise BadRequest(
                f"the turns that must be sent have {tokens} tokens, more than the limit of {max_tokens}",
                hint="Raise max_tokens, or shorten the system message or the last question",
            )
    if max_messages is not None:
        limits.append(([turn.role not in _SYSTEM_ROLES for turn in turns], max_messages))
    kept = _select_groups(turns, groups, required, limits)
    dropped = {index for number, group in enumerate(groups) if number not in kept for index in group}
    return tuple(turn for index, turn in enumerate(turns) if index not in dropped)


def _count(turn: Message, count: Callable[[Message], int]) -> int:
    tokens = cast("object", count(turn))
    if not isinstance(tokens, int) or tokens < 0:
        raise ConfigError(f"count_tokens gave {tokens!r}", hint="It gives a whole number of 0 or more")
    return tokens


def _find_required(turns: Sequence[Message], groups: Sequence[Sequence[int]]) -> set[int]:
    """Numbers of the groups that always stay: the last with a user turn, and the last of all."""
    with_user = [number for number, group in enumerate(groups) if _has_user(turns, group)]
    return {*with_user[-1:], *range(len(groups))[-1:]}


def _sum_required(weights: Sequence[int], groups: Sequence[Sequence[int]], required: set[int]) -> int:
    """What the system turns and the required groups weigh together."""
    return sum(weights) - sum(
        weights[index] for number, group in enumerate(groups) if number not in required for index in group
    )


def _select_groups(
    turns: Sequence[Message], groups: Sequence[Sequence[int]], required: set[int], limits: list[tuple[list[int], int]]
) -> set[int]:
    """Numbers of the groups that stay: from the newest back to the first that does not fit."""
    kept = set(required)
    rooms = [most - _sum_required(weights, groups, required) for weights, most in limits]
    for number in reversed(range(len(groups))):
        if number in kept:
            continue
        sizes = [sum(weights[index] for index in groups[number]) for weights, _ in limits]
        if any(size > room for size, room in zip(sizes, rooms, strict=True)):
            break
        rooms = [room - size for size, room in zip(sizes, rooms, strict=True)]
        kept.add(number)
    if len(kept) < len(groups):
        # What is sent must not begin in the middle of an exchange.
        first = next((number for number in sorted(kept) if _has_user(turns, groups[number])), 0)
        kept = {number for number in kept if number >= first}
    return kept


def _has_user(turns: Sequence[Message], group: Sequence[int]) -> bool:
    return any(turns[index].role == "user" for index in group)


def _group_turns(turns: Sequence[Message]) -> list[list[int]]:
    """Put the indices of all turns but the system ones into groups that stay or go together.

    A tool result belongs to the last call of its id; one without a known id to the calls right before it. Turns between
    a call and its result are in the group too.
    """
    groups: list[list[int]] = []
    calling_turns: dict[str, int] = {}
    for index, turn in enumerate(turns):
        if turn.role in _SYSTEM_ROLES:
            continue
        number = len(groups)
        if turn.role == "tool":
            if (calling_turn := calling_turns.get(turn.tool_call_id or "")) is not None:
                number = bisect_right(groups, calling_turn, key=lambda group: group[0]) - 1
            elif groups and (turns[groups[-1][-1]].tool_calls or len(groups[-1]) > 1):
                number = len(groups) - 1
        # The group `number` and all after it become one, with this turn at its end.
        groups[number:] = [[*(member for group in groups[number:] for member in group), index]]
        for call in turn.tool_calls:
            if call.id:
                calling_turns[call.id] = index
    return groups
