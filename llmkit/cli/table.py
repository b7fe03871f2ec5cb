"""Tables on stdout. Each row is one line: on a narrow terminal columns are shortened, then left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmkit.cli.terminal import replace_controls

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_GAP_CHARACTERS = 2
#: A longer name is folded, so that the other columns keep their room.
_MAX_NAME_CHARACTERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text.

    Attributes:
        head: the word above the column.
        cells: its texts, one for each row.
        number: are the cells aligned to the right?
        short: a head and cells that take less room.
        rank: the column with the highest rank is left out first; one of rank 0 always stays.
    """

    head: str
    cells: Sequence[str]
    number: bool = True
    short: tuple[str, Sequence[str]] | None = None
    rank: int = 0

    @property
    def width(self) -> int:
        """The characters that the column takes on a line."""
        return max(len(text) for text in (self.head, *self.cells))

    @property
    def lines(self) -> list[str]:
        """The cells, padded on the left if they are numbers. (rich drops the blanks that align decimal points.)"""
        return [text.rjust(self.width) for text in self.cells] if self.number else list(self.cells)


def fit_columns(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns that fit into a width: as they are, else shortened, else fewer. The first one stays."""
    fitted = list(columns)
    while _measure_width(fitted) > width:
        if (long := next((place for place, one in enumerate(fitted) if one.short), None)) is not None:
            head, cells = fitted[long].short or ("", ())
            fitted[long] = replace(fitted[long], head=head, cells=cells, short=None)
            continue
        last = max(fitted, key=lambda one: one.rank)
        if not last.rank:
            break
        fitted.remove(last)
    return fitted


def _measure_width(columns: Sequence[Column]) -> int:
    widths = [min(columns[0].width, _MAX_NAME_CHARACTERS), *(one.width for one in columns[1:])]
    return sum(widths) + _GAP_CHARACTERS * (len(widths) - 1)


def align_points(figures: Sequence[str]) -> list[str]:
    """Return figures with blanks behind them, so that their decimal points are aligned."""
    behind = [len(text) - text.find(".") if "." in text else 0 for text in figures]
    most = max(behind, default=0)
    return [text + " " * (most - count) for text, count in zip(figures, behind, strict=True)]


def show_table(columns: Sequence[Column]) -> list[Column]:
    """Print a table, and return the columns that had room in it."""
    from rich.text import Text

    fitted = fit_columns(columns, open_console().width)
    table = make_table()
    for place, one in enumerate(fitted):
        table.add_column(one.head.rjust(one.width) if one.number else one.head, no_wrap=place > 0, overflow="fold")
    for row in zip(*(one.lines for one in fitted), strict=True):
        table.add_row(*(Text(replace_controls(cell), "bold" if not place else "") for place, cell in enumerate(row)))
    print_table(table)
    return fitted


def make_table(*, heads: bool = True) -> Table:
    """Return a table without rules, to which the caller adds columns and rows; with a line of heads if `heads`."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, _GAP_CHARACTERS, 0, 0), show_header=heads)


def print_table(table: Table) -> None:
    """Print a table, without the blanks at the ends of its lines."""
    console = open_console()
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def open_console() -> Console:
    """Return a console on stdout. Where that is not a terminal, rows are not wrapped."""
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 1000, highlight=False)
