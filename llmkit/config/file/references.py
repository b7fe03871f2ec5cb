"""The syntax of `${NAME}` in the texts of a configuration file: finding references, and replacing them by a look-up.

Pure: nothing here knows an environment. Which variables a reference may name, and what they hold, is decided by
`llmkit.config.substitution`, which calls `replace_references` with its own look-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import cast

#: `$${` stands for the text `${`.
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WHOLE_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}\Z")


def find_variables(value: object) -> list[str]:
    """The names of the variables that a value refers to, at any depth."""
    return [match[1] for _, text in walk_texts(value) for match in _REFERENCE.finditer(text) if match[1]]


def read_reference(text: str) -> str | None:
    """The name of the variable, if the text is exactly one `${NAME}`."""
    match = _WHOLE_REFERENCE.match(text.strip())
    return match[1] if match else None


def remove_references(text: str) -> str:
    """The text without its references."""
    return _REFERENCE.sub("", text)


def has_malformed_reference(text: str) -> bool:
    """Is there a `${` that is neither a reference nor written as `$${`?"""
    # A blank in place of each: what stands around one must not become a reference.
    return "${" in _REFERENCE.sub(" ", text)


def replace_references(value: object, look_up: Callable[[str], str]) -> object:
    """The value with its references replaced, at any depth. What a variable holds is not searched again."""
    if isinstance(value, str):
        if "${" not in value:
            return value
        return _REFERENCE.sub(lambda match: look_up(match[1]) if match[1] else "${", value)
    if isinstance(value, Mapping):
        return {name: replace_references(item, look_up) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(replace_references(item, look_up) for item in value)
    return value


def walk_texts(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield all texts in a value, each with the path to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in cast("Mapping[str, object]", value).items():
            yield from walk_texts(item, (*path, name))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from walk_texts(item, (*path, str(index)))
