"""`trim_messages`: what stays of a long conversation, as properties of every history and as a table."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmkit import BadRequest, ConfigError, FunctionCall, ImagePart, Message, TextPart, ToolCall
from llmkit.language.trim import estimate_tokens, trim_messages

STANDING: Final = ("system", "developer")


def call(*ids: str | None, text: str | None = None) -> Message:
    """An assistant turn that calls tools."""
    return Message("assistant", text, tool_calls=tuple(ToolCall(one, FunctionCall("f")) for one in ids))


def result(identity: str | None, text: str = "r") -> Message:
    """The result of a call."""
    return Message("tool", text, tool_call_id=identity)


U, A, S, D = (Message(role, "x") for role in ("user", "assistant", "system", "developer"))


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """Histories as programs make them, and some that they should not: late, missing, doubled and orphaned results."""
    turns: list[Message] = []
    number = 0
    for kind in draw(st.lists(st.sampled_from("uuasdtTo"), max_size=14)):
        size = draw(st.integers(0, 40))
        if kind in "uasd":
            role = {"u": "user", "a": "assistant", "s": "system", "d": "developer"}[kind]
            turns.append(Message(role, f"{number} " + "x" * size))
            number += 1
        elif kind == "o":
            turns.append(result(draw(st.sampled_from(["lost", None, "c0"])), "y" * size))
        else:
            ids = [f"c{number + i}" for i in range(draw(st.integers(1, 3)))]
            number += len(ids)
            turns.append(call(*ids))
            between = [Message("user", f"{number} between")] if kind == "T" and draw(st.booleans()) else []
            answered = draw(st.permutations(ids)) if kind == "t" else ids[: draw(st.integers(0, len(ids)))]
            turns += [result(one, "z" * size) for one in answered[:1]] + between
            turns += [result(one, "z" * size) for one in answered[1:]]
    return turns


limits = st.fixed_dictionaries(
    {"max_messages": st.none() | st.integers(1, 20), "max_tokens": st.none() | st.integers(1, 400)}
)


def trimmed(history: list[Message], limit: dict[str, Any]) -> tuple[Message, ...]:
    """What is sent; a history whose least turns do not fit says nothing here."""
    try:
        return trim_messages(history, **limit)
    except BadRequest:
        assume(False)
        raise


def places(history: list[Message], kept: tuple[Message, ...]) -> list[int]:
    """Where the turns that stayed stood: the same objects, in their order."""
    found, start = [], 0
    for turn in kept:
        start = next(index for index in range(start, len(history)) if history[index] is turn) + 1
        found.append(start - 1)
    return found


@given(histories(), limits)
def test_what_always_stays(history: list[Message], limit: dict[str, Any]) -> None:
    """Every system and developer turn, the last user turn and the last turn stay, in order, unchanged."""
    kept = trimmed(history, limit)
    stayed = set(places(history, kept))
    turns = [index for index, turn in enumerate(history) if turn.role not in STANDING]
    users = [index for index in turns if history[index].role == "user"]
    needed = set(range(len(history))) - set(turns) | set(turns[-1:]) | set(users[-1:])
    assert needed <= stayed


@given(histories(), limits)
def test_a_call_and_its_results_stay_or_go_together(history: list[Message], limit: dict[str, Any]) -> None:
    """For each result, the last call of its id before it is kept exactly if the result is."""
    stayed = set(places(history, trimmed(history, limit)))
    for index, turn in enumerate(history):
        if turn.role != "tool" or turn.tool_call_id is None:
            continue
        asked = [
            place for place in range(index) if any(one.id == turn.tool_call_id for one in history[place].tool_calls)
        ]
        if asked:
            assert (asked[-1] in stayed) is (index in stayed)


@given(histories(), limits)
def test_the_limits_hold(history: list[Message], limit: dict[str, Any]) -> None:
    """Tokens are never above the limit; messages are only where what must stay is more."""
    kept = trimmed(history, limit)
    if limit["max_tokens"] is not None:
        assert sum(estimate_tokens(turn) for turn in kept) <= limit["max_tokens"]
    most = limit["max_messages"]
    counted = sum(turn.role not in STANDING for turn in kept)
    if most is not None and counted > most:
        assert kept == trim_messages(history, max_messages=1)


@given(histories(), limits)
def test_trimming_again_changes_nothing(history: list[Message], limit: dict[str, Any]) -> None:
    """What was trimmed fits."""
    kept = trimmed(history, limit)
    assert trim_messages(kept, **limit) == kept


@given(histories(), st.integers(1, 20))
def test_the_newest_stay(history: list[Message], most: int) -> None:
    """What stays of the turns is the end of the history, apart from the last user turn; a larger limit keeps more."""
    stayed = places(history, trim_messages(history, max_messages=most))
    turns = [index for index, turn in enumerate(history) if turn.role not in STANDING]
    left = [index for index in turns if index in stayed]
    gaps = [index for index in turns if left and left[0] < index and index not in left]
    users = [index for index in turns if history[index].role == "user"]
    assert not gaps or max(users) < min(gaps)
    assert set(stayed) <= set(places(history, trim_messages(history, max_messages=most + 1)))


@given(histories(), limits)
def test_it_begins_with_a_question(history: list[Message], limit: dict[str, Any]) -> None:
    """Where something went, no turn stands before the first user turn that is left, but such of its own group."""
    kept = trimmed(history, limit)
    told = [turn for turn in kept if turn.role not in STANDING]
    if len(kept) < len(history) and any(turn.role == "user" for turn in told) and not told[0].tool_calls:
        assert told[0].role == "user"


@given(histories())
def test_without_limits_all_stays(history: list[Message]) -> None:
    """No limit, or one that all fits in, changes nothing."""
    assert trim_messages(history) == tuple(history)
    assert trim_messages(history, max_messages=1000, max_tokens=1_000_000) == tuple(history)


CALLED = [call("a", "b"), result("a"), result("b")]


@pytest.mark.parametrize(
    ("history", "most", "kept"),
    [
        ([], 1, []),
        ([U, A, U], 1, [2]),
        ([U, A, U], 2, [2]),  # not the answer without its question
        ([U, A, U], 3, [0, 1, 2]),
        ([A, U, A, U], 4, [0, 1, 2, 3]),  # nothing went: a greeting may stand first
        ([S, U, A, U], 1, [0, 3]),
        ([U, A, S, U, D, A, U], 1, [2, 4, 6]),
        ([U, *CALLED], 1, [0, 1, 2, 3]),  # what must stay is more
        ([U, A, U, *CALLED], 4, [2, 3, 4, 5]),
        ([U, *CALLED, A, U], 4, [5]),
        ([U, *CALLED, A, U], 5, [5]),
        ([U, *CALLED, A, U], 6, [0, 1, 2, 3, 4, 5]),
        ([U, call("a"), result("a"), call("b"), result("b")], 3, [0, 3, 4]),
        ([U, call("a"), U, result("a"), A, U], 2, [5]),
        ([U, call(None), result(None), A, U], 3, [4]),
        ([U, call("x"), result("x"), U, call("x"), result("x")], 3, [3, 4, 5]),  # ids that come again
        ([A, A], 1, [1]),
        ([S], 1, [0]),
    ],
)
def test_by_messages(history: list[Message], most: int, kept: list[int]) -> None:
    """Which turns stay, by their places."""
    assert trim_messages(history, max_messages=most) == tuple(history[index] for index in kept)


def test_by_tokens() -> None:
    """The counter that is given is asked for each turn, and the limit is met exactly."""
    history = [S, U, A, U]
    assert trim_messages(history, max_tokens=40, count_tokens=lambda _: 10) == tuple(history)
    assert trim_messages(history, max_tokens=39, count_tokens=lambda _: 10) == (S, history[-1])
    with pytest.raises(BadRequest, match="have 20 tokens, more than the limit of 19"):
        trim_messages(history, max_tokens=19, count_tokens=lambda _: 10)


@pytest.mark.parametrize(
    ("message", "tokens"),
    [
        (Message("user", ""), 4),
        (Message("user", "abcd"), 5),
        (Message("user", "abcde"), 6),
        (Message("user", "日本"), 6),
        (Message("user", (TextPart("abcd"), ImagePart("https://example.org/a.png"))), 1005),
        (Message("assistant", tool_calls=(ToolCall("i", FunctionCall("name", "{...}")),)), 7),
        (Message("assistant", None), 4),
        (Message("user", "\ud800"), 5),
    ],
)
def test_the_estimate(message: Message, tokens: int) -> None:
    """A token for 4 bytes, 4 for the turn, 1,000 for a medium."""
    assert estimate_tokens(message) == tokens


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3"])
@pytest.mark.parametrize("name", ["max_messages", "max_tokens"])
def test_a_limit_is_a_whole_number(name: str, value: Any) -> None:
    """A limit that is none is refused by its name."""
    with pytest.raises(ConfigError, match=name):
        trim_messages([U], **{name: value})


@pytest.mark.parametrize("count", [-1, 1.5, None])
def test_a_count_is_a_whole_number(count: Any) -> None:
    """So is what a counter gives."""
    with pytest.raises(ConfigError, match="count_tokens gave"):
        trim_messages([U], max_tokens=5, count_tokens=lambda _: count)
