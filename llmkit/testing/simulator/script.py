"""The script: queues of replies, for any chat request, for one model, or for one path."""

from collections import Counter, deque
from collections.abc import Iterable

from llmkit.testing.simulator.faults import parse_fault
from llmkit.testing.simulator.reply import Reply


class Script:
    """Queues of replies, each of which is used once."""

    def __init__(self) -> None:
        self._general: deque[Reply] = deque()
        self._by_key: dict[str, deque[Reply]] = {}
        self._hits: Counter[str] = Counter()

    def add(self, replies: Iterable[Reply]) -> None:
        """Queue replies for chat requests of any model and dialect."""
        self._general.extend(replies)

    def add_for(self, key: str, replies: Iterable[Reply]) -> None:
        """Queue replies for one model, or for one path if `key` begins with "/"."""
        self._by_key.setdefault(key, deque()).extend(replies)

    def take_for(self, key: str) -> Reply | None:
        """Return the next reply for this model or path; None if its queue is empty."""
        return _take_first(self._by_key.get(key))

    def take(self, model: str) -> Reply:
        """Return the next reply for a chat request: the fault in the model's name, else the queue's, else the default.

        Raises:
            ValueError: the name asks for an unknown fault.
        """
        fault = parse_fault(model)
        if fault is None:
            return _take_first(self._general) or Reply()
        self._hits[model] += 1
        spent = fault.times is not None and self._hits[model] > fault.times
        return Reply() if spent else fault.reply


def _take_first(queue: deque[Reply] | None) -> Reply | None:
    # Other threads add to the queue: an exception is safe, while a length that was checked before may be stale.
    try:
        return queue.popleft() if queue is not None else None
    except IndexError:
        return None
