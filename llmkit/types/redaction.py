"""Text and values made safe to show: what a service, a library or a user said, in an error, a log or a terminal.

One verb stands for one thing, here and in the rooms above:

- *scrub*: take out of foreign text what looks like a credential, and control characters, and cut it to a length. It
  knows no key, only what keys look like, and is for text that is about to become part of a message.
- *redact*: take the values of known keys out of text, exactly (the transport knows them).
- *describe*, *measure*, *name_of*: say of a refused value no more than its type, its type and length, or its name.
- *mask*: show a mask in place of a whole value whose name says that it holds a credential (configuration).
"""

from __future__ import annotations

import re
from collections.abc import Sized

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: What looks like a credential in foreign text: keys such as `sk-...`, and `Bearer ...` values.
_CREDENTIAL = re.compile(
    r"(?i)\b(?:bearer\s+[\w.~+/=-]{6,}"
    r"|(?:sk|pk|rk|key|gsk|xai|hf|pplx|nvapi|r8|csk|fw|dapi|ghp|glpat|tgp|api)[-_][\w-]{8,}"
    r"|AIza[\w-]{20,}|eyJ[\w-]{8,}(?:\.[\w-]+)*|dapi[0-9a-f]{16,}"
    r"|(?<=key provided: )\S{8,}|(?<=api_key=)\S{8,}|(?<=apikey=)\S{8,}|(?<=key=)\S{8,})"
)
_SURE = re.compile(r"(?i)(?:sk|gsk)[-_]")
_SURE_MIN_CHARS, _KEY_MIN_CHARS = 11, 20
#: A run of letters and digits that no name has, and a UUID: services without a prefix of their own give such keys.
_OPAQUE = re.compile(
    r"(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{24,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)
#: What a name is made of: of a setting, a provider, a model, a word of a service.
_NAME = re.compile(r"[\w~][\w .:/~-]{0,63}\Z")
_MAX_CHARS = 300
_MAX_NUMBER_CHARS = 30


def scrub(text: str, limit: int = _MAX_CHARS) -> str:
    """The text made safe to show: without credentials and control characters, at most `limit` characters long."""
    clean = _CONTROL.sub(" ", _CREDENTIAL.sub("[key removed]", text)).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def find_credentials(text: str) -> list[str]:
    """The parts of a text that look like credentials."""
    return [match[0] for match in _CREDENTIAL.finditer(text)]


def holds_key(text: str) -> bool:
    """Does a text surely hold a key? Words such as `api-inference` only look like one: a key is long, with a digit."""
    return any(_is_sure(candidate) for candidate in find_credentials(text))


def _is_sure(candidate: str) -> bool:
    if _SURE.match(candidate):
        return len(candidate) >= _SURE_MIN_CHARS
    return len(candidate) >= _KEY_MIN_CHARS and any(char.isdigit() for char in candidate)


def describe(value: object) -> str:
    """A value by its type, and a number as it is. What it holds is not shown: it may be a secret."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return _format_number(value)
    if isinstance(value, (str, bytes)):
        return "text" if isinstance(value, str) else "bytes"
    name = value.__name__ if isinstance(value, type) else type(value).__name__
    return f"a class, {name}" if isinstance(value, type) else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _format_number(value: float) -> str:
    """A number as Python writes it; its subclasses, such as numpy's, may write anything."""
    if isinstance(value, int) and value.bit_length() > 3 * _MAX_NUMBER_CHARS:
        return "a very large number"
    return float.__repr__(value) if isinstance(value, float) else int.__repr__(value)


def measure(value: object) -> str:
    """A value by its type and length."""
    if isinstance(value, str):
        return f"text of {len(value)} character{'' if len(value) == 1 else 's'}" if value else "empty text"
    return f"{describe(value)} of {len(value)}" if isinstance(value, Sized) else describe(value)


def name_of(value: object) -> str:
    """A name in quotes, if it is at most 64 characters long and does not look like a key; else type and length."""
    if not isinstance(value, str):
        return measure(value)
    if _NAME.match(value) and not holds_key(value) and not _OPAQUE.search(value):
        return repr(value)
    return f"({measure(value)})"
