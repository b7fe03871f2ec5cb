"""The references of a table, replaced by what the environment holds.

`llmkit.config.file.references` has the syntax: where a `${NAME}` stands in a value, and how it is replaced by any
look-up. This module adds the environment and its two rules: a variable must be set, and it must not be one that holds
the key of a provider. A key is named by `key_env` or `api_key`, which `llmkit.config.key` sends to one address alone; a
reference in any other text would be sent wherever that text goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from llmkit.config.file.references import find_variables, replace_references, walk_texts
from llmkit.provider.registry import registry

if TYPE_CHECKING:
    from llmkit.config.file.schema import Section

#: What is shorter is not taken out of a text: it is hardly a secret, and a sentence would be spoilt.
_MIN_SECRET_CHARACTERS = 4


def substitute_text(section: Section, name: str, text: str, environ: Mapping[str, str]) -> str:
    """A text with its references replaced; see `substitute`."""
    return cast("str", substitute(section, name, text, environ)).strip() if "${" in text else text


def substitute(section: Section, name: str, value: object, environ: Mapping[str, str]) -> object:
    """The value of the key `name` of a table, with its references replaced at any depth.

    Raises:
        ConfigFileError: a variable is not set, or it holds the key of a provider.
    """
    for path, text in walk_texts(value):
        for variable in find_variables(text):
            if registry.find_key_holders(variable):
                raise section.error(
                    f"refers to {variable}, which holds the key of a provider",
                    name,
                    *path,
                    hint=f'Only the key may: key_env = "{variable}" in [{section.key}]',
                )
            if not environ.get(variable, "").strip():
                raise section.error(
                    f"refers to the environment variable {variable}, which is not set",
                    name,
                    *path,
                    hint=f"Set {variable}",
                )
    return replace_references(value, lambda variable: environ[variable].strip())


def restore_references(text: str, value: object, environ: Mapping[str, str]) -> str:
    """A text with `${NAME}` wherever it repeats what a variable of `value` holds, which may be a secret."""
    for variable in find_variables(value):
        content = environ.get(variable, "").strip()
        if len(content) >= _MIN_SECRET_CHARACTERS:
            text = text.replace(content, f"${{{variable}}}")
    return text
