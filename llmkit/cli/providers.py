"""`llmkit providers`: what is installed, from which distribution, and is it configured?

This process imports no provider. A guarded one does and tells their state; see `llmkit.cli.loading`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmkit.cli.failure import DONE, FAILED
from llmkit.cli.loading import Row, probe
from llmkit.cli.probe import SERVICES
from llmkit.cli.table import plain_table, print_table
from llmkit.cli.terminal import neutral, note
from llmkit.provider.registry import InstalledProvider, installed_providers

if TYPE_CHECKING:
    from rich.text import Text

#: In the order of the JSON output.
_FIELDS = ("configured", "key", "variable", "key_page", "base_url", "default_model", "loads", "problem")


def providers(*, everything: bool, check: bool | None, as_json: bool) -> int:
    """List them.

    Args:
        everything: list every known service too, not only those whose key is set.
        check: `None` loads providers to say whether they are configured; `True` also fails if one cannot be loaded;
            `False` loads nothing.
    """
    installed = installed_providers()
    told = {} if check is False else probe([*(f"provider={item.name}" for item in installed), SERVICES])
    rows = [_row(item, told.get(f"provider={item.name}")) for item in installed]
    services = [_service(row) for row in told.values() if row.get("service")]
    count = told.get(SERVICES, {}).get("count")
    shown = rows + (services if everything else [row for row in services if row["key"] == "set"])
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        _table(shown, checked=check is not False)
        if problem := told.get(SERVICES, {}).get("problem"):
            note(f"the services known by name cannot be listed: {problem}")
        elif count and not everything:
            note(f"{count} services more are known by name: llmkit providers --all")
    broken = any(row["loads"] is False for row in shown) or told.get(SERVICES, {}).get("loads") is False
    return FAILED if check and broken else DONE


def _row(item: InstalledProvider, told: Row | None) -> Row:
    return {
        "name": item.name,
        "distribution": item.distribution,
        "version": item.version,
        "entry_point": item.value,
        **{field: (told or {}).get(field) for field in _FIELDS},
    }


def _service(told: Row) -> Row:
    owner = told["service"]
    distribution, version = owner if isinstance(owner, list) else ("unknown", "")
    name = str(told["item"]).partition("=")[2]
    return _row(InstalledProvider(name, distribution, version, "a service known by name"), told)


def _table(rows: Sequence[Row], *, checked: bool) -> None:
    from rich.text import Text

    if not rows:
        print("no provider is installed")
        return
    table = plain_table()
    for head in ("provider", "from", *(("configured", "address") if checked else ("entry point",))):
        table.add_column(head, no_wrap=head == "provider", overflow="fold")
    for row in rows:
        cells = [Text(_shown(row["name"]), "bold"), Text(f"{_shown(row['distribution'])} {_shown(row['version'])}")]
        if checked:
            cells += [_configured(row), Text(_shown(row["base_url"] or "-"))]
        else:
            cells.append(Text(_shown(row["entry_point"])))
        table.add_row(*cells)
    print_table(table)


def _configured(row: Row) -> Text:
    from rich.text import Text

    variable = _shown(row["variable"])
    if not row["loads"]:
        return Text(f"cannot be loaded: {_shown(row['problem'])}", "red")
    if row["configured"]:
        return Text("yes, no key needed" if row["key"] == "not needed" else f"yes, {variable} is set", "green")
    return Text(f"no, set {variable}" if row["key"] == "missing" else f"no, {_shown(row['problem'])}", "yellow")


def _shown(value: object) -> str:
    return neutral(str(value))
