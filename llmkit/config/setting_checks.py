"""Checks of settings by the table of rules: known names, and values that fit. Pure; an error names the setting."""

from __future__ import annotations

from collections.abc import Mapping

from llmkit.errors import BadRequest, ConfigError
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import describe, name_of
from llmkit.types.setting_shapes import headers
from llmkit.types.settings import RULES, CallSettings
from llmkit.types.validators import Check

__all__ = ["check_headers", "check_settings", "describe"]

_CHECKS: Mapping[str, Check] = {name: rule.check for name, rule in RULES.items()}
_CALL_CHECKS: Mapping[str, Check] = {name: _CHECKS[name] for name in CallSettings.__annotations__}


def check_settings(settings: Mapping[str, object], *, call: bool) -> dict[str, object]:
    """The settings that are set, each checked by its rule; `None` is left out, except for `retry`.

    Args:
        call: are these the settings of one call, and not of a model?

    Raises:
        ConfigError: an unknown name (with the nearest known one), a wrong type, a value out of range.
    """
    checks = _CALL_CHECKS if call else _CHECKS
    accepted: dict[str, object] = {}
    for name, value in settings.items():
        check = checks.get(name)
        if check is None:
            raise _unknown_setting_error(name, checks)
        if value is None:
            if name == "retry":
                accepted[name] = None
            continue
        try:
            check(name, value)
        except BadRequest as error:
            raise ConfigError(error.message, hint=error.hint) from None
        accepted[name] = value
    return accepted


def _unknown_setting_error(name: object, known: Mapping[str, Check]) -> ConfigError:
    if not isinstance(name, str):
        return ConfigError(f"the name of a setting must be text, not {describe(name)}")
    if name in _CHECKS:
        return ConfigError(f"{name} belongs to the model, not to one call", hint="Pass it to create_language()")
    hint = did_you_mean(name, known) or "A field of the service's own goes in extra_body={...}"
    return ConfigError(f"there is no setting {name_of(name)}", hint=hint)


def check_headers(values: object, source: str) -> None:
    """Raise `ConfigError` unless `values` is a dict of headers that can go out; `source` says whose they are."""
    try:
        headers(source, values)
    except BadRequest as error:
        raise ConfigError(error.message, hint=error.hint) from None
