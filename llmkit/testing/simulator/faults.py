"""Faults by model name, so that a failure needs no code: `fault:` and items, joined by commas.

The items may follow an author, as in `sim/fault:status=503`. Seconds are decimal numbers, k and n whole ones.

| item | what happens |
|---|---|
| `status=n` | the error response of this status |
| `retry-after=s` | header `Retry-After` |
| `times=n` | only the first n requests of this exact name fail; later ones get the default answer |
| `error` | an error inside an answer with status 200, before any text |
| `error@k` | an error inside the stream, after k pieces |
| `cut@k` | the stream ends cleanly after k pieces: no finish reason, no `[DONE]` |
| `rst@k` | TCP reset after k pieces |
| `stall@k` | silence after k pieces |
| `cut`, `rst`, `stall` | the same before the status line |
| `nodone` | the stream lacks its last mark |
| `hold=s` | the response stays open after the last mark |
| `delay=s` | wait before the status line |
| `first=s` | wait between head and body |
| `slow=s` | wait between pieces |
| `comments=n`, `pad=n` | keep-alive comments before a stream, blank lines before a plain body |
| `pings` | keep-alives until the client leaves |
| `empty` | a finished answer without text |
| `html` | an HTML page with status 200 (or the given status) |
| `nousage` | no usage |
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from llmkit.testing.simulator.reply import CutKind, Reply

_CUTS: dict[str, CutKind] = {"cut": "clean", "rst": "reset", "stall": "stall"}
_PAGE = b"<!DOCTYPE html><html><body><h1>Just a moment...</h1></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that a model name asks for."""

    reply: Reply
    times: int | None
    """How many requests have the fault; None = all."""


def parse_fault(model: str) -> Fault | None:
    """Return the fault that a model name asks for; None if it asks for none.

    Raises:
        ValueError: the name begins like a fault and an item of it is unknown.
    """
    slug = model.rsplit("/", 1)[-1]
    if not slug.startswith("fault:"):
        return None
    reply, times = Reply(), None
    for item in slug.removeprefix("fault:").split(","):
        name, _, value = item.partition("=")
        try:
            if name == "times":
                times = int(value)
            else:
                reply = _apply_item(reply, name, value)
        except ValueError as problem:
            raise ValueError(f"unknown fault {item!r} in model {model!r}: {problem}") from problem
    return Fault(reply=reply, times=times)


def _apply_item(reply: Reply, name: str, value: str) -> Reply:
    word, at, place = name.partition("@")
    if word in _CUTS and at:
        return replace(reply, cut=_CUTS[word], cut_after=int(place))
    if word in _CUTS:
        return replace(reply, cut=_CUTS[word], cut_bytes=0, body=b"", framing="none")
    if word == "error" and at:
        return replace(reply, error_after=int(place))
    change = _CHANGES_WITH_VALUE.get(name) if value else None
    if change is not None:
        return change(reply, value)
    if name in _CHANGES_BY_WORD and not value:
        return _CHANGES_BY_WORD[name](reply)
    raise ValueError("see the table in llmkit.testing.simulator.faults")


_CHANGES_WITH_VALUE: dict[str, Callable[[Reply, str], Reply]] = {
    "status": lambda reply, value: replace(reply, status=int(value)),
    "retry-after": lambda reply, value: replace(reply, headers=(*reply.header_pairs, ("Retry-After", value))),
    "delay": lambda reply, value: replace(reply, delay=float(value)),
    "first": lambda reply, value: replace(reply, first_delay=float(value)),
    "slow": lambda reply, value: replace(reply, chunk_delay=float(value)),
    "hold": lambda reply, value: replace(reply, hold_after_done=float(value)),
    "comments": lambda reply, value: replace(reply, comments=int(value)),
    "pad": lambda reply, value: replace(reply, padding=int(value)),
}
_CHANGES_BY_WORD: dict[str, Callable[[Reply], Reply]] = {
    "error": lambda reply: replace(reply, error_after=0, error_form="bare"),
    "nodone": lambda reply: replace(reply, done=False),
    "pings": lambda reply: replace(reply, comment_forever=True, comment_delay=0.1),
    "empty": lambda reply: replace(reply, text=""),
    "html": lambda reply: replace(reply, body=_PAGE, content_type="text/html; charset=UTF-8"),
    "nousage": lambda reply: replace(reply, usage="missing"),
}
