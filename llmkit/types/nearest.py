"""The known names that are nearest to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_NAME_CHARACTERS = 64


def nearest(name: str, known: Iterable[str], most: int = 1, *, alike: float = 0.5) -> list[str]:
    """Up to `most` of the known names that look like `name`, the most alike first. Case does not count.

    `alike` says how much two names must have in common, from 0 to 1.
    """
    import difflib  # only here: a call without a mistake has no use for it

    by_case = {item.lower(): item for item in sorted(known)}
    matches = difflib.get_close_matches(name.lower()[:_MAX_NAME_CHARACTERS], by_case, n=most, cutoff=alike)
    return [by_case[item] for item in matches]


def did_you_mean(name: object, known: Iterable[str], most: int = 1, *, alike: float = 0.5) -> str | None:
    """The advice of an error about an unknown name; `None` where no known one is near."""
    names = nearest(name, known, most, alike=alike) if isinstance(name, str) else []
    return f"Did you mean {' or '.join(names)}?" if names else None
