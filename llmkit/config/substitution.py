"""References of a table of the configuration file, replaced by what the environment holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from llmkit.config.file.references import filled, texts, variables
from llmkit.provider.registry import registry

if TYPE_CHECKING:
    from llmkit.config.file.schema import Section

#: Letters of a text that may be a secret; to take out less would spoil a sentence.
_SHORTEST = 4


def replaced(section: Section, name: str, value: str, environ: Mapping[str, str]) -> str:
    """A text with its references replaced; see `replaced_value`."""
    return cast("str", replaced_value(section, name, value, environ)).strip() if "${" in value else value


def replaced_value(section: Section, name: str, value: object, environ: Mapping[str, str]) -> object:
    """The value of a key with its references replaced, at any depth.

    Raises:
        ConfigFileError: a variable is not set, or it holds the key of a provider, which only `key_env` and `api_key`
            may name, because they send it to that provider alone.
    """
    for path, text in texts(value):
        for variable in variables(text):
            if registry.holders(variable):
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
    return filled(value, lambda variable: environ[variable].strip())


def hidden(text: str, value: object, environ: Mapping[str, str]) -> str:
    """A text without what the variables that `value` refers to hold: that may be a secret."""
    for variable in variables(value):
        held = environ.get(variable, "").strip()
        if len(held) >= _SHORTEST:
            text = text.replace(held, f"${{{variable}}}")
    return text
