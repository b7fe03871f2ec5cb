"""`llmkit config`: the configuration file that applies, its profiles, and the settings with where each came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from llmkit.cli.chat_options import parse_settings
from llmkit.cli.failure import DONE
from llmkit.cli.table import make_table, print_table
from llmkit.cli.terminal import note, replace_controls
from llmkit.config.explain import ResolvedSetting, explain_settings
from llmkit.config.file.find import find_file, load_file, user_file
from llmkit.config.file.problem import ConfigFileError
from llmkit.config.file.schema import ConfigFile
from llmkit.config.selection import suggest_provider
from llmkit.errors import LLMError
from llmkit.provider.registry import registry

if TYPE_CHECKING:
    from llmkit.types.settings import Settings

_KINDS = {"project": "the project's", "user": "your own", "named": "named by LLMKIT_CONFIG"}


def show_config(name: str | None, model: str | None, extra: Sequence[str] = (), *, as_json: bool) -> int:
    """Show the configuration file and the settings that apply, and return the exit code.

    An error of the file is raised.

    Args:
        name: a profile, a provider or `provider:model`; `None` takes the default profile, if there is one.
        model: a model, as in `create_language`.
        extra: settings of the call, each NAME=VALUE.
    """
    file = load_file()
    target = name or (file.default_profile if file else None)
    profiles = _list_profiles(file) if file else []
    if not as_json:
        _show_file(file, profiles, short=name is not None)
    program_settings = cast("Settings", parse_settings(extra))
    rows = explain_settings(target, model, **program_settings) if target else []
    if as_json:
        document = {
            "path": file.path if file else None,
            "user_path": str(user_file()),
            "default_profile": file.default_profile if file else None,
            "profiles": profiles,
            "settings": [row.to_dict() for row in rows],
        }
        print(json.dumps(document, indent=2))
    elif rows:
        _print_table(
            ("setting", "value", "from"), [(row.name, _format_value(row), _format_origin(row, file)) for row in rows]
        )
    elif file:
        note("llmkit config PROFILE shows the settings of a profile")
    return DONE


def _show_file(file: ConfigFile | None, profiles: Sequence[dict[str, object]], *, short: bool) -> None:
    if file is None:
        print(f"no configuration file; yours would be {replace_controls(str(user_file()))}\n")
        return
    location = find_file()
    print(f"{replace_controls(file.path)} ({_KINDS[location.kind] if location else 'gone'})\n")
    for problem in find_stray_tables(file):
        note(f"{problem}\n")
    if profiles and not short:
        rows = [
            (
                f"{row['name']}{'*' if row['name'] == file.default_profile else ''}",
                _format_target(row),
                _format_fallbacks(row),
            )
            for row in profiles
        ]
        _print_table(("profile", "model", "fallbacks"), rows)
        print()


def _list_profiles(file: ConfigFile) -> list[dict[str, object]]:
    """Return a row for each profile, with what is wrong with it, if anything is."""
    return [
        {
            "name": name,
            "provider": section.provider,
            "model": section.model,
            "fallbacks": list(section.fallbacks or ()),
            "problem": find_profile_problem(name),
        }
        for name, section in file.profiles.items()
    ]


def find_profile_problem(name: str) -> str | None:
    """Return what is wrong with a profile and what to do, without the path of the file; `None` if it is sound."""
    try:
        explain_settings(name)
    except LLMError as error:
        message = error.message.removeprefix(f"{error.path}: " if isinstance(error, ConfigFileError) else "")
        return f"{message}. {error.hint}" if error.hint else message
    return None


def find_stray_tables(file: ConfigFile) -> list[str]:
    """Return a line for each table of a provider that is not installed, since that table applies to nothing."""
    tables = [("providers", name) for name in file.providers] + [("aliases", name) for name in file.provider_aliases]
    problems = []
    for kind, name in tables:
        if not registry.is_known(name.lower()):
            near = suggest_provider(name)
            problems.append(
                f"{kind}.{name} applies to nothing: no such provider is installed" + (f". {near}" if near else "")
            )
    return problems


def _format_target(row: dict[str, object]) -> str:
    shown = f"{row['provider']}:{row['model']}" if row["model"] else str(row["provider"])
    return f"{shown}  ({row['problem']})" if row["problem"] else shown


def _format_fallbacks(row: dict[str, object]) -> str:
    return ", ".join(cast("list[str]", row["fallbacks"])) or "-"


def _format_value(row: ResolvedSetting) -> str:
    value = row.to_dict()["value"]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text} (for {row.requested})" if row.requested else text


def _format_origin(row: ResolvedSetting, file: ConfigFile | None) -> str:
    """Return the origin of a setting. The path of the file is left out, because it stands above the table."""
    words = row.origin.replace("create_language", "command line")
    words = words.removeprefix(f"{file.path}: ") if file else words
    return words.removesuffix(f" ({file.path})").replace(f" ({file.path}),", ",") if file else words


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.text import Text

    table = make_table()
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(Text(replace_controls(row[0]), "bold"), *(Text(replace_controls(cell)) for cell in row[1:]))
    print_table(table)
