"""`${NAME}` in the texts of a configuration file. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import cast

#: `$${` stands for the text `${`.
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ONE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")


def variables(value: object) -> list[str]:
    """Names of the variables that a value refers to, at any depth."""
    return [match[1] for _, text in texts(value) for match in _REFERENCE.finditer(text) if match[1]]


def one_variable(text: str) -> str | None:
    """The name, if the text is exactly one `${NAME}`."""
    match = _ONE.match(text.strip())
    return match[1] if match else None


def without(text: str) -> str:
    """The text without its references."""
    return _REFERENCE.sub("", text)


def malformed(text: str) -> bool:
    """Is there a `${` that is neither a reference nor written as `$${`?"""
    return "${" in without(text)


def filled(value: object, lookup: Callable[[str], str]) -> object:
    """The value with its references replaced, at any depth. What a variable holds is not searched again."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: lookup(match[1]) if match[1] else "${", value) if "${" in value else value
    if isinstance(value, Mapping):
        return {name: filled(item, lookup) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(filled(item, lookup) for item in value)
    return value


def texts(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """All texts in a value, each with where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in cast("Mapping[str, object]", value).items():
            yield from texts(item, (*path, name))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from texts(item, (*path, str(index)))
