"""A key that does not leak: every text form is a mask, and pickle, copy and JSON refuse it."""

from __future__ import annotations

from typing import NoReturn

from llmkit.errors import ConfigError


class Secret:
    """Holds one credential. Only `reveal()` gives it, which transports call while they write the header.

    `str`, `repr` and `format` give a mask, equality takes constant time, and pickling raises `TypeError`.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        import hmac  # only here: it loads OpenSSL's hashes, which `import llmkit` has no use for

        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied; resolve the key where it is used")


def parse_key(key: str, source: str) -> Secret:
    """The key without surrounding blanks, as a `Secret`.

    Raises:
        ConfigError: the key cannot go into a header. The text does not hold the key.
    """
    key = key.strip()
    if not key.isascii() or any(char <= " " or char == "\x7f" for char in key):
        raise ConfigError(f"{source} holds a character that no key has", hint="Check for spaces and line breaks in it")
    return Secret(key)
