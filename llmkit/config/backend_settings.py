"""The settings that belong to one backend: those that it has, its own options, and its variables of the environment."""

from __future__ import annotations

from collections.abc import Mapping

from llmkit.config.setting_checks import check_settings
from llmkit.errors import ConfigError, Unsupported
from llmkit.provider.interface import BaseProvider
from llmkit.types.redaction import describe, measure
from llmkit.types.settings import ATTRIBUTION, RULES, SAMPLING

DEFAULT_TIMEOUT_SECONDS = 120.0


def keep_supported(provider: BaseProvider, settings: Mapping[str, object], *, drop: bool) -> dict[str, object]:
    """Those of `settings` that go to the service with the question.

    Raises:
        Unsupported: the backend does not have a setting, and `drop` is false.
    """
    kept: dict[str, object] = {}
    for name, value in settings.items():
        if name in SAMPLING or name in ATTRIBUTION:
            if name in provider.supported or name == "structured":  # An instruction can stand in for it.
                kept[name] = value
            elif not drop:
                raise Unsupported(
                    f"{provider.title or provider.name} has no setting {name}",
                    provider=provider.name,
                    hint='Leave it out, or pass on_unsupported="drop"',
                )
    return kept


def pick_options(provider: BaseProvider, options: object) -> object | None:
    """The options object that is the provider's own, out of one or several; `None` where none is.

    Raises:
        ConfigError: an item is not an options object, or two are of one class.
    """
    fitting: list[object] = []
    for item in list_options(options):
        if isinstance(item, (type, str, int, float, Mapping)) or type(item) is object:
            expected = provider.options_type.__name__ if provider.options_type else "an options class of the provider"
            raise ConfigError(f"options must hold {expected}(...), not {describe(item)}")
        if provider.options_type is not None and isinstance(item, provider.options_type):
            fitting.append(item)
    if len(fitting) > 1:
        raise ConfigError(f"options holds {len(fitting)} objects of {type(fitting[0]).__name__}", hint="Pass one")
    return fitting[0] if fitting else None


def list_options(options: object) -> list[object]:
    """One options object or several, as a list."""
    return [] if options is None else list(options) if isinstance(options, (list, tuple)) else [options]


def read_environment(provider: BaseProvider, environ: Mapping[str, str]) -> dict[str, object]:
    """The settings of a provider that the environment gives, checked.

    Raises:
        ConfigError: a variable holds a value that its setting cannot have.
    """
    settings: dict[str, object] = {}
    for variable, name in provider.setting_env.items():
        text = environ.get(variable, "").strip()
        if not text:
            continue
        try:
            value = RULES[name].read(text) if name in RULES else text
        except ValueError as error:
            raise ConfigError(f"the environment variable {variable} must be {error}, not {measure(text)}") from None
        try:
            settings.update(check_settings({name: value}, call=False))
        except ConfigError as error:
            raise ConfigError(f"the environment variable {variable}: {error.message}", hint=error.hint) from None
    return settings
