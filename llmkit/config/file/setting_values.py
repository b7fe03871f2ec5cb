"""One setting out of a configuration file: TOML's value turned into llmkit's, and checked as a keyword would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from llmkit.config.file.problem import ConfigFileError, error_at, join_key
from llmkit.config.file.references import find_variables
from llmkit.config.setting_checks import check_settings
from llmkit.errors import ConfigError
from llmkit.resilience.retry import RetryPolicy
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import describe
from llmkit.types.settings import Settings

SETTING_NAMES = frozenset(Settings.__annotations__)
_PATHS = ("ca_bundle", "client_cert")


def read_setting(name: str, value: object, path: str, where: tuple[str, ...]) -> object:
    """The setting as `create_language` takes it. A text with references is checked when they are replaced.

    Raises:
        ConfigFileError: a wrong type, a value out of range.
    """
    if name == "retry":
        return _read_policy(value, path, where)
    if name in _PATHS:
        value = _resolve_path(value, path)
    if not find_variables(value):
        check_setting(name, value, path, where)
    return value


def check_setting(name: str, value: object, path: str, where: tuple[str, ...]) -> None:
    """Raise `ConfigFileError`, with the place in the file, unless the setting can have the value."""
    try:
        check_settings({name: value}, call=False)
    except ConfigError as error:
        raise _place_error(error, name, path, where) from None


def _place_error(error: ConfigError, name: str, path: str, where: tuple[str, ...]) -> ConfigFileError:
    """The error of a setting as one of its place in the file."""
    key = join_key(*where)
    rest = error.message.removeprefix(name)
    message = f"{key}{rest}" if rest != error.message else f"{key}: {rest}"
    return ConfigFileError(_write_as_toml(message), path=path, key=key, hint=_write_as_toml(error.hint))


def _write_as_toml(text: str) -> str:
    """A text with TOML's words for Python's values."""
    return text.replace("True", "true").replace("False", "false").replace("a dict", "a table")


def _read_policy(value: object, path: str, where: tuple[str, ...]) -> RetryPolicy | None:
    if value is False:
        return None
    if not isinstance(value, Mapping):
        hint = "Shape: retry = {attempts = 5}, or retry = false to turn retrying off"
        raise error_at(path, where, f"is {describe(value)}", hint)
    known = [item.name for item in fields(RetryPolicy)]
    for name in value:
        if name not in known:
            key = join_key(*where, name)
            hint = did_you_mean(name, known) or f"It has {', '.join(known)}"
            raise ConfigFileError(f"there is no setting {key}", path=path, key=key, hint=hint)
    try:
        return RetryPolicy(**cast("dict[str, Any]", value))
    except ConfigError as error:
        key = join_key(*where, error.message.partition(" ")[0])
        raise ConfigFileError(f"{key}: {error.message}", path=path, key=key, hint=error.hint) from None


def _resolve_path(value: object, path: str) -> object:
    """Paths of files, relative to the folder of the configuration file."""
    if isinstance(value, str):
        try:
            return str(Path(path).parent / Path(value).expanduser())
        except RuntimeError:  # The home of that user is not known.
            return value
    if isinstance(value, list):
        return tuple(_resolve_path(item, path) for item in value)
    return value
