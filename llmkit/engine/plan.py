"""What was decided about a call before anything is sent. What happens then is a `Run`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from llmkit.money.totals import Tally
    from llmkit.provider.exchange import Transport
    from llmkit.provider.interface import BaseProvider
    from llmkit.resilience.retry import RetryPolicy
    from llmkit.types.settings import ExtraHeaders

Q_co = TypeVar("Q_co", covariant=True)
#: A time-out of more seconds is cut to this: the operating system's own calls take no larger number.
LONGEST_TIMEOUT_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True, repr=False)
class Target(Generic[Q_co]):
    """One place to send a call to.

    Attributes:
        prepare: makes what is asked there (a `Call` of chat, another operation), checked. It runs when the target's
            turn comes, so that a spare target costs nothing before.
        timeout: seconds for one attempt, as the setting of that name says.
        extra_headers: the user's headers, or callables of the request that give them.
        redact: takes the target's key out of a text that came from there.
    """

    provider: BaseProvider
    model: str
    transport: Transport
    timeout: float
    prepare: Callable[[], Q_co]
    extra_headers: Sequence[ExtraHeaders] = ()
    redact: Callable[[str], str] = str

    @property
    def name(self) -> str:
        """`provider:model`, or the provider alone."""
        return f"{self.provider.name}:{self.model}" if self.model else self.provider.name

    def __repr__(self) -> str:
        return f"Target({self.name})"


@dataclass(frozen=True, slots=True, repr=False)
class Plan(Generic[Q_co]):
    """Where a call may go and what bounds it.

    Attributes:
        targets: in the order of preference, at least one.
        policy: when a target is tried again; `None`: never.
        deadline: seconds that all attempts and waits may take together; `None`: no bound.
        clock: seconds of a clock that never goes back.
        tally: where attempts are booked; `None`: nowhere, because nobody asks for the sum.
    """

    targets: Sequence[Target[Q_co]]
    policy: RetryPolicy | None
    deadline: float | None
    clock: Callable[[], float]
    tally: Tally | None = None


class Deadlines:
    """Until when what may take. Times are those of the plan's clock; the whole run began when this was made."""

    def __init__(self, clock: Callable[[], float], seconds: float | None) -> None:
        self.clock = clock
        #: Seconds that the whole run may take, for the text of an error.
        self.seconds = seconds
        self.end = None if seconds is None else clock() + seconds

    def within(self, seconds: float) -> float:
        """The end of something that may take `seconds` from now; never after the end of the whole run."""
        own = self.clock() + min(seconds, LONGEST_TIMEOUT_SECONDS)
        return own if self.end is None else min(own, self.end)

    def over(self, wait: float = 0.0) -> bool:
        """Is the time of the whole run over, or would it be after `wait` seconds?"""
        return self.end is not None and self.clock() + wait >= self.end
