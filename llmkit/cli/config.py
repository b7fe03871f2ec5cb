"""`llmkit config`: the configuration file that applies, its profiles, and the settings with where each came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from llmkit.cli.ask import extra_settings
from llmkit.cli.failure import DONE
from llmkit.cli.table import plain_table, print_table
from llmkit.cli.terminal import neutral, note
from llmkit.config.choice import backend_hint
from llmkit.config.explain import ResolvedSetting, explain_settings
from llmkit.config.file.find import current, find, user_file
from llmkit.config.file.problem import ConfigFileError
from llmkit.config.file.schema import ConfigFile
from llmkit.errors import LLMError
from llmkit.provider.registry import registry

if TYPE_CHECKING:
    from llmkit.types.settings import Settings

_KINDS = {"project": "the project's", "user": "your own", "named": "named by LLMKIT_CONFIG"}


def config(name: str | None, model: str | None, extra: Sequence[str] = (), *, as_json: bool) -> int:
    """Show them. An error of the file is raised.

    Args:
        name: a profile, a provider or `provider:model`; `None` takes the default profile, if there is one.
        model: a model, as in `create_language`.
        extra: settings of the call, each NAME=VALUE.
    """
    file = current()
    named = name or (file.default_profile if file else None)
    profiles = _profiles(file) if file else []
    if not as_json:
        _show_file(file, profiles, short=name is not None)
    given = cast("Settings", extra_settings(extra))
    rows = explain_settings(named, model, **given) if named else []
    if as_json:
        shown = {
            "path": file.path if file else None,
            "user_path": str(user_file()),
            "default_profile": file.default_profile if file else None,
            "profiles": profiles,
            "settings": [row.to_dict() for row in rows],
        }
        print(json.dumps(shown, indent=2))
    elif rows:
        _table(("setting", "value", "from"), [(row.name, _value(row), _origin(row, file)) for row in rows])
    elif file:
        note("llmkit config PROFILE shows the settings of a profile")
    return DONE


def _show_file(file: ConfigFile | None, profiles: Sequence[dict[str, object]], *, short: bool) -> None:
    if file is None:
        print(f"no configuration file; yours would be {neutral(str(user_file()))}\n")
        return
    found = find()
    print(f"{neutral(file.path)} ({_KINDS[found.kind] if found else 'gone'})\n")
    for problem in strays(file):
        note(f"{problem}\n")
    if profiles and not short:
        rows = [
            (f"{row['name']}{'*' if row['name'] == file.default_profile else ''}", _target(row), _fallbacks(row))
            for row in profiles
        ]
        _table(("profile", "model", "fallbacks"), rows)
        print()


def _profiles(file: ConfigFile) -> list[dict[str, object]]:
    """Each profile, and what is wrong with it, if something is."""
    return [
        {
            "name": name,
            "provider": section.provider,
            "model": section.model,
            "fallbacks": list(section.fallbacks or ()),
            "problem": profile_problem(name),
        }
        for name, section in file.profiles.items()
    ]


def profile_problem(name: str) -> str | None:
    """What is wrong with a profile, and what to do, without the path of the file."""
    try:
        explain_settings(name)
    except LLMError as error:
        message = error.message.removeprefix(f"{error.path}: " if isinstance(error, ConfigFileError) else "")
        return f"{message}. {error.hint}" if error.hint else message
    return None


def strays(file: ConfigFile) -> list[str]:
    """What is wrong with the tables of providers: those of a name that no provider has apply to nothing."""
    tables = [("providers", name) for name in file.providers] + [("aliases", name) for name in file.provider_aliases]
    said = []
    for kind, name in tables:
        if not registry.known(name.lower()):
            near = backend_hint(name)
            said.append(
                f"{kind}.{name} applies to nothing: no such provider is installed" + (f". {near}" if near else "")
            )
    return said


def _target(row: dict[str, object]) -> str:
    shown = f"{row['provider']}:{row['model']}" if row["model"] else str(row["provider"])
    return f"{shown}  ({row['problem']})" if row["problem"] else shown


def _fallbacks(row: dict[str, object]) -> str:
    return ", ".join(cast("list[str]", row["fallbacks"])) or "-"


def _value(row: ResolvedSetting) -> str:
    value = row.to_dict()["value"]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text} (for {row.requested})" if row.requested else text


def _origin(row: ResolvedSetting, file: ConfigFile | None) -> str:
    """The origin; the file's path, which stands above the table, is left out."""
    words = row.origin.replace("create_language", "command line")
    words = words.removeprefix(f"{file.path}: ") if file else words
    return words.removesuffix(f" ({file.path})").replace(f" ({file.path}),", ",") if file else words


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.text import Text

    table = plain_table()
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(Text(neutral(row[0]), "bold"), *(Text(neutral(cell)) for cell in row[1:]))
    print_table(table)
