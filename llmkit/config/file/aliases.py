"""Short names of models: what a configuration file may say about them, and where a chain of them ends."""

from __future__ import annotations

from collections.abc import Mapping

from llmkit.config.file.problem import ConfigFileError, dotted, quoted, wrong
from llmkit.types.redaction import describe

MOST = 1000
LONGEST_CHAIN = 10


def follow(name: str, table: Mapping[str, str], path: str, provider: str = "") -> str:
    """What a name stands for. An alias may stand for another one; one that names `provider` too is its model.

    Raises:
        ConfigFileError: the aliases lead in a circle, or over too many steps.
    """
    steps = [name]
    while (value := table.get(name)) is not None:
        head, colon, rest = value.partition(":")
        name = rest.strip() if colon and provider and head.strip().lower() == provider else value
        steps.append(name)
        key = dotted("aliases", steps[0])
        way = " -> ".join(map(quoted, steps))
        if name in steps[:-1]:
            raise ConfigFileError(f"{key} leads in a circle: {way}", path=path, key=key)
        if len(steps) > LONGEST_CHAIN + 1:
            hint = f"At most {LONGEST_CHAIN} steps"
            raise ConfigFileError(f"{key} leads over too many aliases: {way}", path=path, key=key, hint=hint)
    return name


def check_aliases(table: Mapping[str, object], path: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Aliases of every provider, and those of one.

    Raises:
        ConfigFileError: what is no name of a model, or too many.
    """
    general: dict[str, str] = {}
    single: dict[str, dict[str, str]] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            single[name.lower()] = {
                short: _model(item, short, path, "aliases", name, short) for short, item in value.items()
            }
        else:
            general[name] = _model(value, name, path, "aliases", name)
    count = len(general) + sum(map(len, single.values()))
    if count > MOST:
        raise ConfigFileError(f"it has {count} aliases", path=path, key="aliases", hint=f"At most {MOST}")
    for provider in ("", *single):
        own = single.get(provider, general)
        for name in own:
            follow(name, {**general, **own}, path, provider)
    return general, single


def _model(value: object, short: str, path: str, *names: str) -> str:
    if not short.strip():
        raise ConfigFileError(f"{quoted(short)} is no name of a model", path=path, key=dotted(*names))
    if not isinstance(value, str) or not value.strip():
        said = "empty" if isinstance(value, str) else describe(value)
        raise wrong(path, names, f"is {said}", 'Shape: short = "model"')
    return value.strip()
