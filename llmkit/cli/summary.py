"""The line below an answer: model, tokens, cost, and the attempts if there were several."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmkit.money.totals import Totals
    from llmkit.types.responses import Attempt, Response
    from llmkit.types.usage import Cost, Usage

DOT = " · "


def format_answer_line(response: Response) -> str:
    """Return a line such as `openai/gpt-4o-mini · 12 + 34 tokens · $0.0000123`, with whatever is unusual."""
    parts = [response.model or response.target, format_tokens(response.usage), format_cost(response.cost)]
    if response.refusal:
        parts.append("the model refused")
    if response.truncated:
        parts.append("cut at the token limit")
    if response.filtered:
        parts.append("cut by a content filter")
    if len(response.attempts) > 1:
        parts.append(f"{len(response.attempts)} attempts: {format_attempts(response.attempts)}")
    return DOT.join(parts)


def format_totals_line(totals: Totals) -> str:
    """Return the line on what a session used and cost, as far as that is known."""
    cost = format_dollars(totals.amount)
    if totals.unknown:
        cost = f"at least {cost}, {totals.unknown} of unknown cost" if totals.amount else "cost unknown"
    answers = f"{totals.calls} answer{'' if totals.calls == 1 else 's'}"
    return DOT.join((f"session: {answers}", f"{totals.prompt_tokens} + {totals.completion_tokens} tokens", cost))


def format_tokens(usage: Usage) -> str:
    """Return the tokens of question and answer as text."""
    counts = (usage.prompt_tokens, usage.completion_tokens)
    if counts == (None, None):
        return "tokens unknown"
    return " + ".join("?" if count is None else str(count) for count in counts) + " tokens"


def format_cost(cost: Cost) -> str:
    """Return a cost as text."""
    if cost.basis == "free":
        return "free"
    if cost.amount is None:
        return "cost unknown"
    bound = {"lower_bound": "at least ", "ceiling": "at most "}.get(cost.basis, "")
    return bound + format_dollars(cost.amount)


def format_dollars(amount: Decimal) -> str:
    """Return an amount as text, to its last digit and without trailing zeros."""
    text = f"{amount:f}"
    return "$" + (text.rstrip("0").rstrip(".") if "." in text else text)


def format_attempts(attempts: Sequence[Attempt]) -> str:
    """Return the targets that were asked, each with its outcome."""
    return ", ".join(f"{one.target} {format_outcome(one)}" for one in attempts)


def format_outcome(attempt: Attempt) -> str:
    """Return `ok`, or the kind of the error and its status."""
    return attempt.outcome if attempt.outcome == "ok" or not attempt.status else f"{attempt.outcome} {attempt.status}"
