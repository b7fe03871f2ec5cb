"""The error of a configuration file, and how it names a place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from llmkit.errors import ConfigError
from llmkit.types.redaction import scrub

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_MAX_NAME_CHARACTERS = 60


class ConfigFileError(ConfigError):
    """The configuration file is wrong, or cannot be read.

    Attributes:
        path: the file.
        key: where in it, as a dotted key such as `profiles.smart.temperature`; `None` where it is the whole file.
        line: where in it, if the file is not valid TOML.
    """

    def __init__(
        self, message: str, *, path: str, key: str | None = None, line: int | None = None, hint: str | None = None
    ) -> None:
        place = f", line {line}" if line else ""
        super().__init__(f"{path}{place}: {message}", hint=hint)
        self.path = path
        self.key = key
        self.line = line


def error_at(path: str, names: Iterable[str], problem: str, hint: str | None = None) -> ConfigFileError:
    """The error of one key of the file; `problem` goes on after the key, as in "is empty"."""
    key = join_key(*names)
    return ConfigFileError(f"{key} {problem}", path=path, key=key, hint=hint)


def join_key(*names: str) -> str:
    """A key path as TOML writes it."""
    return ".".join(name if _BARE_KEY.match(name) else quote_name(name) for name in names)


def quote_name(name: object) -> str:
    """A name out of the file for an error text: short, and without what looks like a key."""
    return f'"{scrub(str(name), _MAX_NAME_CHARACTERS)}"'
