"""The progress bar of many inputs, on stderr. It needs rich, from the extra `cli`.

    with open_progress_bar("asking", 100) as bar:
        bar.update(1)
        bar.update(2, failed=1, cost=Decimal("0.003"))

At most one is shown at a time in a process; another that is opened meanwhile shows nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING

from llmkit.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress

_SCREEN = Lock()


class ProgressBar:
    """What can be told to a progress bar; this one shows nothing. A figure that is left out stays as it was."""

    def update(
        self,
        done: int | None = None,
        *,
        failed: int | None = None,
        cost: Decimal | None = None,
        unknown: int | None = None,
    ) -> None:
        """Show how far it is. All figures are sums so far.

        Args:
            done: number of inputs that are done, failed ones too.
            failed: number of inputs that failed.
            cost: known cost, US dollars.
            unknown: number of calls whose cost is not known.
        """


@contextmanager
def open_progress_bar(description: str, total: int | None = None, *, show: bool | None = None) -> Iterator[ProgressBar]:
    """Open a progress bar that stands while the context is open, and stays as a line at its end.

    Args:
        description: what is done, a few words. It may hold foreign text.
        total: number of inputs; `None` where that is not known.
        show: `True` shows it (off a terminal as one line at the end), `False` does not. `None` shows it if stderr is a
            terminal, rich is installed, and there is more than one input.

    Raises:
        ConfigError: `show` is `True` and rich is not installed.
    """
    if not _may_show(show, total) or not _SCREEN.acquire(blocking=False):
        yield ProgressBar()
        return
    try:
        with _make_display() as progress:
            yield _RichProgressBar(progress, description, total)
    finally:
        _SCREEN.release()


def _may_show(show: bool | None, total: int | None) -> bool:
    """May a bar be shown? See `open_progress_bar`."""
    if show is False or (show is None and (total is not None and total <= 1)):
        return False
    if show is None and (sys.stderr is None or not sys.stderr.isatty()):
        return False
    try:
        import rich.progress  # noqa: F401
    except ImportError:
        if show is None:
            return False
        raise ConfigError("a progress bar needs rich", hint='Install it: pip install "llmkit[cli]"') from None
    return True


def _make_display() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    def make_column() -> Column:
        return Column(no_wrap=True)  # In a narrow terminal the bar gives way, not a figure.

    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=36)),
        BarColumn(bar_width=24),
        MofNCompleteColumn(table_column=make_column()),
        TextColumn("{task.fields[notes]}", markup=False, table_column=make_column()),
        TimeElapsedColumn(table_column=make_column()),
        console=Console(file=sys.stderr),
        # What the program prints goes where it always goes; only on the same terminal it has to pass above the bar.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    )


class _RichProgressBar(ProgressBar):
    """A task of a rich progress display."""

    def __init__(self, progress: Progress, description: str, total: int | None) -> None:
        self._progress = progress
        self._failed, self._cost, self._unknown = 0, Decimal(0), 0
        self._task = progress.add_task(_replace_control(description), total=total, notes="")

    def update(
        self,
        done: int | None = None,
        *,
        failed: int | None = None,
        cost: Decimal | None = None,
        unknown: int | None = None,
    ) -> None:
        """See `ProgressBar`."""
        self._failed = self._failed if failed is None else failed
        self._cost = self._cost if cost is None else cost
        self._unknown = self._unknown if unknown is None else unknown
        self._progress.update(
            self._task,
            completed=done,
            notes=format_notes(self._failed, self._cost, self._unknown),
        )


def format_notes(failed: int, cost: Decimal, unknown: int) -> str:
    """Write failures and costs as text, such as "2 failed, $0.0123 + 3 of unknown cost"."""
    parts = [f"{failed} failed"] if failed else []
    money = [f"${cost:f}"] if cost or not unknown else []
    money += [f"{unknown} of unknown cost"] if unknown else []
    return ", ".join([*parts, " + ".join(money)])


def _replace_control(text: str) -> str:
    """Replace the characters of foreign text that would drive a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
