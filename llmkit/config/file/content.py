"""What holds for every value of a configuration file: depth, kinds of values, references, no secrets."""

from __future__ import annotations

import math
from collections.abc import Mapping

from llmkit.config.file.problem import wrong
from llmkit.config.file.references import malformed, one_variable, texts
from llmkit.config.file.secrets import holds_secret
from llmkit.types.redaction import describe

DEEPEST = 8
_REFER = 'Put it into an environment variable, and its name here: key_env = "NAME", or "${NAME}" in a text'


def check_values(document: Mapping[str, object], path: str) -> None:
    """Depth, kinds of values, references and secrets.

    Raises:
        ConfigFileError: at the first value that may not be there. A secret is not repeated.
    """
    _check_kinds(document, path, ())
    for names, text in texts(document):
        if names[-1] == "key_env":
            continue
        if names[-1] == "api_key" and one_variable(text) is None:
            raise wrong(path, names, "is a secret in the file", _REFER)
        if holds_secret(_named(names), text):
            raise wrong(path, names, "looks like a secret in the file", _REFER)
        if malformed(text):
            hint = "Shape: ${NAME}, of letters, digits and _. Write $${ for the text ${"
            raise wrong(path, names, "holds a ${ that is no reference", hint)


def _named(names: tuple[str, ...]) -> str:
    """The name that a text belongs to; in a list, that of the list."""
    return next((name for name in reversed(names) if not name.isdigit()), "")


def _check_kinds(value: object, path: str, names: tuple[str, ...]) -> None:
    if len(names) > DEEPEST:
        raise wrong(path, names, "is too deep", f"At most {DEEPEST} levels")
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_kinds(item, path, (*names, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_kinds(item, path, (*names, str(index)))
    elif isinstance(value, float) and not math.isfinite(value):
        raise wrong(path, names, f"is {value}", "A number is finite")
    elif not isinstance(value, (str, int, float)):
        raise wrong(path, names, f"is {describe(value)}", "Put it into quotes")
    elif names and names[-1] == "api_key" and not isinstance(value, str):
        raise wrong(path, names, f"is {describe(value)}", 'Shape: api_key = "${NAME}"')
