"""The progress bar of many inputs, on stderr. It needs rich, from the extra `cli`.

    with bar("asking", 100) as shown:
        shown.update(1)
        shown.update(2, failed=1, cost=Decimal("0.003"))

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


class Bar:
    """What is told to a progress bar; this one shows nothing. What is left out stays as it was."""

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
            done: inputs that are done, failed ones too.
            failed: inputs that failed.
            cost: known cost, US dollars.
            unknown: calls whose cost is not known.
        """


@contextmanager
def bar(description: str, total: int | None = None, *, show: bool | None = None) -> Iterator[Bar]:
    """A progress bar that stands while the context is open, and stays as a line at its end.

    Args:
        description: what is done, a few words. It may hold foreign text.
        total: inputs there are; `None` where that is not known.
        show: `True` shows it (off a terminal as one line at the end), `False` does not. `None` shows it if stderr is a
            terminal, rich is installed, and there is more than one input.

    Raises:
        ConfigError: `show` is `True` and rich is not installed.
    """
    if not _wanted(show, total) or not _SCREEN.acquire(blocking=False):
        yield Bar()
        return
    try:
        with _progress() as progress:
            yield _Rich(progress, description, total)
    finally:
        _SCREEN.release()


def _wanted(show: bool | None, total: int | None) -> bool:
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


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    def whole() -> Column:  # in a narrow terminal the bar gives way, not a figure
        return Column(no_wrap=True)

    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=36)),
        BarColumn(bar_width=24),
        MofNCompleteColumn(table_column=whole()),
        TextColumn("{task.fields[notes]}", markup=False, table_column=whole()),
        TimeElapsedColumn(table_column=whole()),
        console=Console(file=sys.stderr),
        # What the program prints goes where it always goes; only on the same terminal it has to pass above the bar.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    )


class _Rich(Bar):
    """A task of a rich progress display."""

    def __init__(self, progress: Progress, description: str, total: int | None) -> None:
        self._progress = progress
        self._failed, self._cost, self._unknown = 0, Decimal(0), 0
        self._task = progress.add_task(_visible(description), total=total, notes="")

    def update(
        self,
        done: int | None = None,
        *,
        failed: int | None = None,
        cost: Decimal | None = None,
        unknown: int | None = None,
    ) -> None:
        """See `Bar`."""
        self._failed = self._failed if failed is None else failed
        self._cost = self._cost if cost is None else cost
        self._unknown = self._unknown if unknown is None else unknown
        self._progress.update(
            self._task,
            completed=done,
            notes=notes(self._failed, self._cost, self._unknown),
        )


def notes(failed: int, cost: Decimal, unknown: int) -> str:
    """Failures and costs as text: "2 failed, $0.0123 + 3 of unknown cost"."""
    parts = [f"{failed} failed"] if failed else []
    money = [f"${cost:f}"] if cost or not unknown else []
    money += [f"{unknown} of unknown cost"] if unknown else []
    return ", ".join([*parts, " + ".join(money)])


def _visible(text: str) -> str:
    """Foreign text without what drives a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
