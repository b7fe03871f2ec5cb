"""The settings that go to a backend: what it has, its own options, what the environment says."""

from __future__ import annotations

from collections.abc import Mapping

from llmkit.config.setting_checks import check_settings
from llmkit.errors import ConfigError, Unsupported
from llmkit.provider.interface import BaseProvider
from llmkit.types.redaction import describe, measure
from llmkit.types.settings import ATTRIBUTION, RULES, SAMPLING

DEFAULT_TIMEOUT = 120.0


def supported(provider: BaseProvider, settings: Mapping[str, object], *, drop: bool) -> dict[str, object]:
    """The part of `settings` that goes to the service with the question.

    Raises:
        Unsupported: the backend does not have a setting, and `drop` is false.
    """
    kept: dict[str, object] = {}
    for name, value in settings.items():
        if name in SAMPLING or name in ATTRIBUTION:
            if name in provider.supported or name == "structured":  # which an instruction can stand in for
                kept[name] = value
            elif not drop:
                raise Unsupported(
                    f"{provider.title or provider.name} has no setting {name}",
                    provider=provider.name,
                    hint='Leave it out, or pass on_unsupported="drop"',
                )
    return kept


def options_for(provider: BaseProvider, options: object) -> object | None:
    """The options object that is the provider's own, out of one or several; `None` where none is.

    Raises:
        ConfigError: something that is no options object, or two of one class.
    """
    own: list[object] = []
    for item in listed(options):
        if isinstance(item, (type, str, int, float, Mapping)) or type(item) is object:
            named = provider.options_type.__name__ if provider.options_type else "an options class of the provider"
            raise ConfigError(f"options must hold {named}(...), not {describe(item)}")
        if provider.options_type is not None and isinstance(item, provider.options_type):
            own.append(item)
    if len(own) > 1:
        raise ConfigError(f"options holds {len(own)} objects of {type(own[0]).__name__}", hint="Pass one")
    return own[0] if own else None


def listed(options: object) -> list[object]:
    """One options object or several, as a list."""
    return [] if options is None else list(options) if isinstance(options, (list, tuple)) else [options]


def from_environment(provider: BaseProvider, environ: Mapping[str, str]) -> dict[str, object]:
    """Settings that the environment gives defaults for.

    Raises:
        ConfigError: a variable holds what its setting cannot be.
    """
    found: dict[str, object] = {}
    for variable, name in provider.setting_env.items():
        text = environ.get(variable, "").strip()
        if not text:
            continue
        try:
            value = RULES[name].read(text) if name in RULES else text
        except ValueError as error:
            raise ConfigError(f"the environment variable {variable} must be {error}, not {measure(text)}") from None
        try:
            found.update(check_settings({name: value}, call=False))
        except ConfigError as error:
            raise ConfigError(f"the environment variable {variable}: {error.message}", hint=error.hint) from None
    return found
