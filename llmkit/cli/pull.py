"""`llmkit pull`: fetch a model onto the machine of an Ollama, with its progress."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmkit.cli.failure import DONE
from llmkit.cli.terminal import note, replace_controls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmkit.types.model_info import PullProgress


def run_pull(model: str, *, provider: str, base_url: str | None) -> int:
    """Fetch a model and return the exit code. Ctrl-C stops; a new pull goes on where this one stopped."""
    from llmkit.operations.pull import pull_model

    steps = pull_model(model, provider=provider, base_url=base_url)
    if sys.stderr.isatty():
        _show_bars(steps)
    else:
        _print_lines(steps)
    note(f"{model} is there: llmkit chat -p {provider} -m {model}")
    return DONE


def _show_bars(steps: Iterable[PullProgress]) -> None:
    """Show a bar for each layer; several layers are fetched at the same time."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {}
        for step in steps:
            if step.digest is None or step.total is None:
                progress.console.print(replace_controls(step.status), highlight=False, markup=False)
                continue
            if step.digest not in tasks:
                tasks[step.digest] = progress.add_task(replace_controls(step.status), total=step.total)
            progress.update(tasks[step.digest], completed=step.completed or 0)


def _print_lines(steps: Iterable[PullProgress]) -> None:
    """Print a line for each step, and one for each tenth of a layer."""
    shown: dict[str, int] = {}
    for step in steps:
        if step.digest is None or not step.total:
            note(step.status)
            continue
        tenth = 10 * (step.completed or 0) // step.total
        if shown.get(step.digest) != tenth:
            shown[step.digest] = tenth
            note(f"{step.status}: {tenth * 10} %")
