"""The line below an answer: model, tokens, cost, and how it came about if that is not plain."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmkit.money.totals import Totals
    from llmkit.types.responses import Attempt, Response
    from llmkit.types.usage import Cost, Usage

DOT = " · "


def answer_line(response: Response) -> str:
    """`openai/gpt-4o-mini · 12 + 34 tokens · $0.0000123`, with what else a reader should know."""
    parts = [response.model or response.target, tokens(response.usage), money(response.cost)]
    if response.refusal:
        parts.append("the model refused")
    if response.truncated:
        parts.append("cut at the token limit")
    if response.filtered:
        parts.append("cut by a content filter")
    if len(response.attempts) > 1:
        parts.append(f"{len(response.attempts)} attempts: {attempts(response.attempts)}")
    return DOT.join(parts)


def totals_line(totals: Totals) -> str:
    """What a session used and cost, as far as that is known."""
    cost = dollars(totals.amount)
    if totals.unknown:
        cost = f"at least {cost}, {totals.unknown} of unknown cost" if totals.amount else "cost unknown"
    answers = f"{totals.calls} answer{'' if totals.calls == 1 else 's'}"
    return DOT.join((f"session: {answers}", f"{totals.prompt_tokens} + {totals.completion_tokens} tokens", cost))


def tokens(usage: Usage) -> str:
    """Tokens of question and answer."""
    counts = (usage.prompt_tokens, usage.completion_tokens)
    if counts == (None, None):
        return "tokens unknown"
    return " + ".join("?" if count is None else str(count) for count in counts) + " tokens"


def money(cost: Cost) -> str:
    """A cost in words."""
    if cost.basis == "free":
        return "free"
    if cost.amount is None:
        return "cost unknown"
    bound = {"lower_bound": "at least ", "ceiling": "at most "}.get(cost.basis, "")
    return bound + dollars(cost.amount)


def dollars(amount: Decimal) -> str:
    """An amount to its last digit, without needless zeros."""
    text = f"{amount:f}"
    return "$" + (text.rstrip("0").rstrip(".") if "." in text else text)


def attempts(made: Sequence[Attempt]) -> str:
    """Who was asked, and what came of it."""
    return ", ".join(f"{one.target} {outcome(one)}" for one in made)


def outcome(attempt: Attempt) -> str:
    """`ok`, or the kind of the error and its status."""
    return attempt.outcome if attempt.outcome == "ok" or not attempt.status else f"{attempt.outcome} {attempt.status}"
