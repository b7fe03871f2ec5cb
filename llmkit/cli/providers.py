"""`llmkit providers`: what is installed, from which distribution, and is it configured?

This process imports no provider. A child process imports them and reports their states; see
`llmkit.cli.probe_runner`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmkit.cli.failure import DONE, FAILED
from llmkit.cli.probe import SERVICES
from llmkit.cli.probe_runner import Row, run_probe
from llmkit.cli.table import make_table, print_table
from llmkit.cli.terminal import note, replace_controls
from llmkit.provider.registry import InstalledProvider, installed_providers

if TYPE_CHECKING:
    from rich.text import Text

#: In the order of the JSON output.
_FIELDS = ("configured", "key", "variable", "key_page", "base_url", "default_model", "loads", "problem")


def show_providers(*, everything: bool, check: bool | None, as_json: bool) -> int:
    """List the installed providers, and return the exit code.

    Args:
        everything: list every known service too, not only those whose key is set.
        check: `None` loads providers to say whether they are configured; `True` also fails if one cannot be loaded;
            `False` loads nothing.
    """
    installed = installed_providers()
    states = {} if check is False else run_probe([*(f"provider={item.name}" for item in installed), SERVICES])
    rows = [_make_row(item, states.get(f"provider={item.name}")) for item in installed]
    services = [_make_service_row(row) for row in states.values() if row.get("service")]
    count = states.get(SERVICES, {}).get("count")
    shown = rows + (services if everything else [row for row in services if row["key"] == "set"])
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        _print_table(shown, checked=check is not False)
        if problem := states.get(SERVICES, {}).get("problem"):
            note(f"the services known by name cannot be listed: {problem}")
        elif count and not everything:
            note(f"{count} services more are known by name: llmkit providers --all")
    broken = any(row["loads"] is False for row in shown) or states.get(SERVICES, {}).get("loads") is False
    return FAILED if check and broken else DONE


def _make_row(item: InstalledProvider, state: Row | None) -> Row:
    return {
        "name": item.name,
        "distribution": item.distribution,
        "version": item.version,
        "entry_point": item.value,
        **{field: (state or {}).get(field) for field in _FIELDS},
    }


def _make_service_row(state: Row) -> Row:
    owner = state["service"]
    distribution, version = owner if isinstance(owner, list) else ("unknown", "")
    name = str(state["item"]).partition("=")[2]
    return _make_row(InstalledProvider(name, distribution, version, "a service known by name"), state)


def _print_table(rows: Sequence[Row], *, checked: bool) -> None:
    from rich.text import Text

    if not rows:
        print("no provider is installed")
        return
    table = make_table()
    for head in ("provider", "from", *(("configured", "address") if checked else ("entry point",))):
        table.add_column(head, no_wrap=head == "provider", overflow="fold")
    for row in rows:
        cells = [
            Text(_format_cell(row["name"]), "bold"),
            Text(f"{_format_cell(row['distribution'])} {_format_cell(row['version'])}"),
        ]
        if checked:
            cells += [_format_state(row), Text(_format_cell(row["base_url"] or "-"))]
        else:
            cells.append(Text(_format_cell(row["entry_point"])))
        table.add_row(*cells)
    print_table(table)


def _format_state(row: Row) -> Text:
    from rich.text import Text

    variable = _format_cell(row["variable"])
    if not row["loads"]:
        return Text(f"cannot be loaded: {_format_cell(row['problem'])}", "red")
    if row["configured"]:
        return Text("yes, no key needed" if row["key"] == "not needed" else f"yes, {variable} is set", "green")
    return Text(f"no, set {variable}" if row["key"] == "missing" else f"no, {_format_cell(row['problem'])}", "yellow")


def _format_cell(value: object) -> str:
    return replace_controls(str(value))
