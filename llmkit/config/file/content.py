"""What holds for every value of a configuration file: depth, kinds of values, references, no secrets. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from llmkit.config.file.problem import error_at
from llmkit.config.file.references import has_malformed_reference, read_reference, remove_references, walk_texts
from llmkit.types.redaction import describe, holds_key

MAX_DEPTH_LEVELS = 8
_NAME_A_VARIABLE = 'Put it into an environment variable, and its name here: key_env = "NAME", or "${NAME}" in a text'
#: Scheme and host of an address; hosts such as api-inference.example look like keys.
_HOST = re.compile(r"(?<![\w])[a-z][a-z0-9+]{1,9}://[^\s/?#@]*(?=[\s/?#]|\Z)")
_PASSWORD = re.compile(r"\w://[^\s/?#@]*:(?P<password>[^\s/?#@]+)@")
#: Names of headers and fields whose value is a credential.
_CREDENTIAL = re.compile(
    r"(?i)(?:(?:^|[-_.])(?:authorization|auth|api[-_]?key|password|passwd|passphrase|secret|credentials?|cookie"
    r"|(?:access|auth|bearer|session|refresh|id)[-_]?token|x[-_].*token"
    r"|(?:access|license|master|private|secret|signing|subscription|virtual)[-_]?key)|^token)\Z"
)


def check_values(document: Mapping[str, object], path: str) -> None:
    """Raise `ConfigFileError` at the first value that may not be in a file. A secret is not repeated in the error."""
    _check_kinds(document, path, ())
    for names, text in walk_texts(document):
        if names[-1] == "key_env":
            continue
        if names[-1] == "api_key" and read_reference(text) is None:
            raise error_at(path, names, "is a secret in the file", _NAME_A_VARIABLE)
        if holds_secret(_last_name(names), text):
            raise error_at(path, names, "looks like a secret in the file", _NAME_A_VARIABLE)
        if has_malformed_reference(text):
            hint = "Shape: ${NAME}, of letters, digits and _. Write $${ for the text ${"
            raise error_at(path, names, "holds a ${ that is not a reference", hint)


def _last_name(names: tuple[str, ...]) -> str:
    """The name that a text belongs to; in a list, that of the list."""
    return next((name for name in reversed(names) if not name.isdigit()), "")


def _check_kinds(value: object, path: str, names: tuple[str, ...]) -> None:
    if len(names) > MAX_DEPTH_LEVELS:
        raise error_at(path, names, "is nested too deeply", f"At most {MAX_DEPTH_LEVELS} levels")
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_kinds(item, path, (*names, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_kinds(item, path, (*names, str(index)))
    elif isinstance(value, float) and not math.isfinite(value):
        raise error_at(path, names, f"is {value}", "A number is finite")
    elif not isinstance(value, (str, int, float)):
        raise error_at(path, names, f"is {describe(value)}", "Put it into quotes")
    elif names and names[-1] == "api_key" and not isinstance(value, str):
        raise error_at(path, names, f"is {describe(value)}", 'Shape: api_key = "${NAME}"')


def is_credential_name(name: str) -> bool:
    """Is it the name of a header or field that holds a credential, such as `Authorization`?"""
    return _CREDENTIAL.search(name) is not None


def holds_secret(name: str, text: str) -> bool:
    """Is a secret written into `text`, the value of `name`, instead of referred to?"""
    rest = remove_references(text)
    if is_credential_name(name) and rest.strip() and rest == text:
        return True
    if (match := _PASSWORD.search(text)) and remove_references(match["password"]):
        return True
    return holds_key(_HOST.sub(" ", rest))
