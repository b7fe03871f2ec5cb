"""Short names of models: what a configuration file may say about them, and what a name stands for in the end."""

from __future__ import annotations

from collections.abc import Mapping

from llmkit.config.file.problem import ConfigFileError, error_at, join_key, quote_name
from llmkit.types.redaction import describe

MAX_ALIASES = 1000
MAX_ALIAS_STEPS = 10


def follow_alias(name: str, aliases: Mapping[str, str], path: str, provider: str = "") -> str:
    """What a name stands for. An alias may stand for another one; one that names `provider` too is its model.

    Raises:
        ConfigFileError: the aliases lead in a circle, or over too many steps.
    """
    steps = [name]
    while (value := aliases.get(name)) is not None:
        head, colon, rest = value.partition(":")
        name = rest.strip() if colon and provider and head.strip().lower() == provider else value
        steps.append(name)
        key = join_key("aliases", steps[0])
        way = " -> ".join(map(quote_name, steps))
        if name in steps[:-1]:
            raise ConfigFileError(f"{key} leads in a circle: {way}", path=path, key=key)
        if len(steps) > MAX_ALIAS_STEPS + 1:
            hint = f"At most {MAX_ALIAS_STEPS} steps"
            raise ConfigFileError(f"{key} leads over too many aliases: {way}", path=path, key=key, hint=hint)
    return name


def read_aliases(table: Mapping[str, object], path: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The aliases for every provider, and by provider those for one.

    Raises:
        ConfigFileError: a value is not the name of a model, aliases lead in a circle, or there are too many.
    """
    general: dict[str, str] = {}
    by_provider: dict[str, dict[str, str]] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            by_provider[name.lower()] = {
                short: _read_model(item, short, path, "aliases", name, short) for short, item in value.items()
            }
        else:
            general[name] = _read_model(value, name, path, "aliases", name)
    count = len(general) + sum(map(len, by_provider.values()))
    if count > MAX_ALIASES:
        raise ConfigFileError(f"it has {count} aliases", path=path, key="aliases", hint=f"At most {MAX_ALIASES}")
    for provider in ("", *by_provider):
        aliases = by_provider.get(provider, general)
        for name in aliases:
            follow_alias(name, {**general, **aliases}, path, provider)
    return general, by_provider


def _read_model(value: object, short: str, path: str, *names: str) -> str:
    if not short.strip():
        raise ConfigFileError(f"{quote_name(short)} is not the name of a model", path=path, key=join_key(*names))
    if not isinstance(value, str) or not value.strip():
        problem = "is empty" if isinstance(value, str) else f"is {describe(value)}"
        raise error_at(path, names, problem, 'Shape: short = "model"')
    return value.strip()
