"""One setting out of a configuration file: TOML's value to llmkit's, checked as a keyword would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from llmkit.config.file.problem import ConfigFileError, dotted, wrong
from llmkit.config.file.references import variables
from llmkit.config.setting_checks import check_settings
from llmkit.errors import ConfigError
from llmkit.resilience.retry import RetryPolicy
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import describe
from llmkit.types.settings import Settings

KNOWN = frozenset(Settings.__annotations__)
_FILES = ("ca_bundle", "client_cert")


def check_setting(name: str, value: object, path: str, where: tuple[str, ...]) -> object:
    """A setting as `create_language` takes it. A text with references is checked when they are replaced.

    Raises:
        ConfigFileError: a wrong type, a value out of range.
    """
    if name == "retry":
        return _policy(value, path, where)
    if name in _FILES:
        value = _beside(value, path)
    if not variables(value):
        checked(name, value, path, where)
    return value


def checked(name: str, value: object, path: str, where: tuple[str, ...]) -> object:
    """The value, if it is one that the setting can have.

    Raises:
        ConfigFileError: it is not.
    """
    try:
        return check_settings({name: value}, call=False)[name]
    except ConfigError as error:
        raise at_key(error, name, path, where) from None


def at_key(error: ConfigError, name: str, path: str, where: tuple[str, ...]) -> ConfigFileError:
    """The error of a setting as that of its place in the file."""
    key = dotted(*where)
    said = error.message.removeprefix(name)
    message = f"{key}{said}" if said != error.message else f"{key}: {said}"
    return ConfigFileError(_in_toml(message), path=path, key=key, hint=_in_toml(error.hint))


def _in_toml(said: str) -> str:
    """The words of Python's values as TOML's."""
    return said.replace("True", "true").replace("False", "false").replace("a dict", "a table")


def _policy(value: object, path: str, where: tuple[str, ...]) -> RetryPolicy | None:
    if value is False:
        return None
    if not isinstance(value, Mapping):
        hint = "Shape: retry = {attempts = 5}, or retry = false to turn retrying off"
        raise wrong(path, where, f"is {describe(value)}", hint)
    known = [item.name for item in fields(RetryPolicy)]
    for name in value:
        if name not in known:
            inner = dotted(*where, name)
            hint = did_you_mean(name, known) or f"It has {', '.join(known)}"
            raise ConfigFileError(f"there is no setting {inner}", path=path, key=inner, hint=hint)
    try:
        return RetryPolicy(**cast("dict[str, Any]", value))
    except ConfigError as error:
        inner = dotted(*where, error.message.partition(" ")[0])
        raise ConfigFileError(f"{inner}: {error.message}", path=path, key=inner, hint=error.hint) from None


def _beside(value: object, path: str) -> object:
    """Paths of files, relative to the folder of the configuration file."""
    if isinstance(value, str):
        try:
            return str(Path(path).parent / Path(value).expanduser())
        except RuntimeError:  # The home of that user is not known.
            return value
    if isinstance(value, list):
        return tuple(_beside(item, path) for item in value)
    return value
