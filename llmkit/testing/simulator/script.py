"""The script: queues of replies, for all chat requests, for one model, or for one path."""

from collections import Counter, deque
from collections.abc import Iterable

from llmkit.testing.simulator.faults import fault_of
from llmkit.testing.simulator.reply import Reply


class Script:
    """Replies that wait to be used, each once."""

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
        """The next reply for this model or path."""
        return _take(self._by_key.get(key))

    def take(self, model: str) -> Reply:
        """The next reply for a chat request: the fault in the model's name, else the queue, else the default.

        Raises:
            ValueError: the name is a fault that is not known.
        """
        fault = fault_of(model)
        if fault is None:
            return _take(self._general) or Reply()
        self._hits[model] += 1
        spent = fault.times is not None and self._hits[model] > fault.times
        return Reply() if spent else fault.reply


def _take(queue: deque[Reply] | None) -> Reply | None:
    # Other threads add while the server takes: ask forgiveness, since a length check could be stale.
    try:
        return queue.popleft() if queue is not None else None
    except IndexError:
        return None
