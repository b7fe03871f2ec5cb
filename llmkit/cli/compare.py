"""`llmkit compare`: one question to several models, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmkit.cli.failure import DONE, FAILED, describe_error
from llmkit.cli.summary import format_cost
from llmkit.cli.table import make_table, print_table
from llmkit.cli.terminal import replace_controls
from llmkit.errors import ConfigError

if TYPE_CHECKING:
    from llmkit.language.compare import Comparison


def run_compare(
    prompt: str, targets: Sequence[str], *, system: str | None, settings: Mapping[str, object], as_json: bool
) -> int:
    """Ask all targets at once, show their answers, and return the exit code: 1 if one of them failed."""
    from llmkit.language.compare import compare as ask_all

    if len(targets) < 2:
        raise ConfigError(
            "there is nothing to compare with", hint="Name two or more: -m provider:model -m provider:model"
        )
    opening = [] if system is None else [{"role": "system", "content": system}]
    rows = ask_all(targets, [*opening, {"role": "user", "content": prompt}], **settings)  # type: ignore[arg-type]
    if as_json:
        print(json.dumps([_to_json(row) for row in rows], indent=2, default=str))
    else:
        _print_table(rows)
        _print_answers(rows)
    return DONE if all(row.error is None for row in rows) else FAILED


def _to_json(row: Comparison) -> dict[str, object]:
    values = row.to_dict()
    return {name: values[name] for name in ("target", "seconds", "error", "response")}


def _print_table(rows: Sequence[Comparison]) -> None:
    from rich.text import Text

    table = make_table()
    table.add_column("model", overflow="fold")
    for head in ("seconds", "prompt", "answer", "cost"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        cells = [Text(replace_controls(row.target), "bold"), Text(f"{row.seconds:.2f}")]
        if row.response is None:
            cells += [Text("failed", "red"), Text("-"), Text("-")]
        else:
            usage = row.response.usage
            counts = (usage.prompt_tokens, usage.completion_tokens)
            cells += [Text("?" if count is None else str(count)) for count in counts]
            cells.append(Text(format_cost(row.response.cost)))
        table.add_row(*cells)
    print_table(table)


def _print_answers(rows: Sequence[Comparison]) -> None:
    for row in rows:
        print(f"\n--- {replace_controls(row.target)}")
        if row.error is not None:
            print(replace_controls(describe_error(row.error)))
        elif row.response is not None:
            print(replace_controls(row.response.content or row.response.refusal or "(no text)"))
