"""Compress a text to a target ratio, and report the ratio that was reached.

The ratio is characters of the text to characters of its short form: 4 means a quarter of the length. A model does not
count well, so each answer is measured, and asked for again with the figure if it is too far off.

    python examples/compress.py [RATIO [FILE]]

For real use: set OPENROUTER_API_KEY. It makes 1 to 3 calls.
Without a key: python examples/with_simulator.py examples/compress.py
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from llmkit import LanguageModel, Message, Response, create_language

TEXT = """\
The meeting of the harbour board began at nine. Ms Okafor, who chairs it, reported that the new crane arrived on
12 March, eleven days late, and that the supplier will pay 40,000 euros for the delay. Mr Lind asked whether the crane
can lift the 38-ton containers that the ferry line wants to send from June on; it can, but the quay under it has to be
made stronger first, which takes about six weeks and costs 210,000 euros. The board agreed to begin on 2 April. Nobody
knew whether the city has granted the permit for work at night. Ms Okafor will ask, and will write to all members
before the end of the week. The next meeting is on 9 April, in the same room, an hour later than usual.
"""
ROUNDS = 3


@dataclass(frozen=True)
class Compressed:
    """A text in short form. `cost` is US dollars over all rounds, `None` if that of any call is not known."""

    original: str
    text: str
    target: float
    tolerance: float
    responses: Sequence[Response] = ()

    @property
    def ratio(self) -> float | None:
        """The ratio that was reached; `None` for an empty text."""
        return len(self.original) / len(self.text) if self.text else None

    @property
    def reached(self) -> bool:
        """True if the ratio is within the tolerance."""
        return self.ratio is None or measure_deviation(self.ratio, self.target) <= self.tolerance

    @property
    def cost(self) -> Decimal | None:
        amounts = [attempt.cost.amount for response in self.responses for attempt in response.attempts]
        return None if None in amounts else sum((amount for amount in amounts if amount is not None), Decimal(0))


class NotCompressed(Exception):
    """No answer of the model can replace the text."""


def compress(
    model: LanguageModel, text: str, target_ratio: float = 4.0, *, tolerance: float = 0.15, rounds: int = ROUNDS
) -> Compressed:
    """Return the short form of `text` that comes nearest to the target.

    Args:
        model: the model that writes it.
        text: the text; blanks at its ends do not count.
        target_ratio: how many times shorter it shall be, 1 or more.
        tolerance: how far the ratio may be off, as a part of the target.
        rounds: the most calls to make.

    Raises:
        ValueError: the target is below 1, or there are no rounds.
        NotCompressed: the model refused, or all its answers were empty or cut.
        LLMError: a call failed.
    """
    if not target_ratio >= 1 or rounds < 1:
        raise ValueError(f"a ratio of {target_ratio} in {rounds} rounds: the ratio is 1 or more, and so are the rounds")
    text = text.strip()
    if not text or measure_deviation(1, target_ratio) <= tolerance:
        return Compressed(text, text, target_ratio, tolerance)  # It is what was asked for, at no cost.
    goal = round(len(text) / target_ratio)
    messages = [Message("system", INSTRUCTION), Message("user", f"Use about {goal} characters.\n\n{text}")]
    tried: list[str] = []
    responses: list[Response] = []
    for _ in range(rounds):
        response = model.chat_complete(messages)
        responses.append(response)
        if response.refusal or response.filtered:
            raise NotCompressed(f"the model refused: {response.refusal or response.finish_reason}")
        short = (response.content or "").strip()
        usable = bool(short) and not response.truncated
        if usable:
            tried.append(short)
            if measure_deviation(len(text) / len(short), target_ratio) <= tolerance:
                break
        complaint = build_complaint(short, goal) if usable else "That is not whole."
        messages += [response.message, Message("user", complaint)]
    if not tried:
        raise NotCompressed(f"none of {len(responses)} answers was whole")
    best = min(tried, key=lambda short: measure_deviation(len(text) / len(short), target_ratio))
    return Compressed(text, best, target_ratio, tolerance, tuple(responses))


INSTRUCTION = (
    "Shorten the text that you are given. Keep names, numbers, dates and decisions; drop repetition and manners. "
    "Write in the language of the text. Answer with the short text only."
)


def build_complaint(short: str, goal: int) -> str:
    """Return the message about an answer that is too long or too short."""
    more = len(short) < goal
    return (
        f"That has {len(short)} characters; it should have about {goal}. "
        f"Write it {'longer: put back the facts that matter most' if more else 'shorter: drop what matters least'}."
    )


def measure_deviation(ratio: float, target: float) -> float:
    """Return how far a ratio is from the target, as a part of it. Half and double are equally far."""
    return max(ratio / target, target / ratio) - 1


def main() -> None:
    target = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    text = Path(sys.argv[2]).read_text("utf-8") if len(sys.argv) > 2 else TEXT
    with create_language("openrouter", "openai/gpt-4o-mini", temperature=0) as model:
        done = compress(model, text, target)
    print(done.text)
    print()
    ratio = "nothing to compress" if done.ratio is None else f"{done.ratio:.2f} times shorter"
    print(f"{len(done.original)} characters became {len(done.text)}: {ratio}, {target:g} were asked for")
    print("near enough" if done.reached else "NOT as near as asked for; this is the best of the answers")
    print(f"{len(done.responses)} calls, {'cost unknown' if done.cost is None else f'${done.cost:f}'}")


if __name__ == "__main__":
    main()
