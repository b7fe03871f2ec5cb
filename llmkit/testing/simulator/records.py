"""The records of the simulator: the requests that it got, and the charges for its answers."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

DialectName: TypeAlias = Literal["openrouter", "openai", "ollama"]


class Headers(Mapping[str, str]):
    """Request headers. Names match in any case; a name that came twice gives both values, joined by ", ".

    `repr` shows names only, so a key cannot reach a test report.
    """

    __slots__ = ("_pairs", "_values")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)
        self._values: dict[str, str] = {}
        for name, value in self._pairs:
            known = self._values.get(name.lower())
            self._values[name.lower()] = value if known is None else f"{known}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._values)})"

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return names and values in the order and spelling in which they came."""
        return self._pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request as it arrived. `repr` holds no header value and no body."""

    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    headers: Headers
    body: bytes = field(repr=False)
    dialect: DialectName | None
    """The dialect of the path; None for a path that no dialect has."""
    model: str | None
    """The `model` of the body; None where there is none."""
    stream: bool
    """True if the answer is to be a stream (Ollama's default)."""
    time: float
    """`time.monotonic()` when the request was complete."""
    connection: int
    """Number of the connection, from 1. Equal numbers mean a connection that was used again."""

    @property
    def json(self) -> Any:
        """The body, parsed.

        Raises:
            ValueError: the body is not JSON.
        """
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one answer cost the account: the figure that a client's totals are checked against.

    There is one for each chat answer with status 2xx, and for a raw body whose `Reply` states a `cost` or a
    `usage`. It is entered before the last bytes are sent; after a disconnect, when the simulator notices.
    """

    id: str
    """Generation id; empty on Ollama, which has none."""
    dialect: DialectName
    model: str
    prompt_tokens: int
    completion_tokens: int
    """Tokens that were sent; after a cut or a disconnect fewer than the whole answer has."""
    cost: Decimal | None
    """USD taken from the account: 0 if not billed; None on Ollama, where nobody is charged."""
    billed: bool
    complete: bool
    """False after a cut, an error in the stream, or a disconnect."""
    streamed: bool
