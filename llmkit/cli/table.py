"""Tables on stdout. A row is a line: where the terminal is too narrow, columns are shortened, then left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmkit.cli.terminal import neutral

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_GAP = 2
#: A name is folded rather than let it take more than this from the other columns.
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text.

    Attributes:
        head, cells: what stands in it.
        number: is it set to the right?
        short: head and cells that take less room.
        rank: 0 always stays; of the others the highest is left out first.
    """

    head: str
    cells: Sequence[str]
    number: bool = True
    short: tuple[str, Sequence[str]] | None = None
    rank: int = 0

    @property
    def width(self) -> int:
        """The room that it takes on a line."""
        return max(len(text) for text in (self.head, *self.cells))

    @property
    def lines(self) -> list[str]:
        """The cells, set to the right if they are numbers. (rich drops the blanks that line up decimal points.)"""
        return [text.rjust(self.width) for text in self.cells] if self.number else list(self.cells)


def fitted(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit, the first one whole or folded: shortened ones if need be, then fewer."""
    made = list(columns)
    while _needed(made) > width:
        if (long := next((place for place, one in enumerate(made) if one.short), None)) is not None:
            head, cells = made[long].short or ("", ())
            made[long] = replace(made[long], head=head, cells=cells, short=None)
            continue
        last = max(made, key=lambda one: one.rank)
        if not last.rank:
            break
        made.remove(last)
    return made


def _needed(columns: Sequence[Column]) -> int:
    widths = [min(columns[0].width, _LONGEST_NAME), *(one.width for one in columns[1:])]
    return sum(widths) + _GAP * (len(widths) - 1)


def aligned(figures: Sequence[str]) -> list[str]:
    """Figures with blanks behind them, so that their decimal points stand below each other."""
    behind = [len(text) - text.find(".") if "." in text else 0 for text in figures]
    most = max(behind, default=0)
    return [text + " " * (most - count) for text, count in zip(figures, behind, strict=True)]


def show(columns: Sequence[Column]) -> list[Column]:
    """Print a table; the columns that stand in it come back."""
    from rich.text import Text

    made = fitted(columns, screen().width)
    table = plain_table()
    for place, one in enumerate(made):
        table.add_column(one.head.rjust(one.width) if one.number else one.head, no_wrap=place > 0, overflow="fold")
    for row in zip(*(one.lines for one in made), strict=True):
        table.add_row(*(Text(neutral(cell), "bold" if not place else "") for place, cell in enumerate(row)))
    print_table(table)
    return made


def plain_table(*, heads: bool = True) -> Table:
    """A table without lines, for the columns and rows of the caller; `heads`: has it a line of heads?"""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=heads)


def print_table(table: Table) -> None:
    """Print a table, without the blanks at the ends of its lines."""
    console = screen()
    with console.capture() as held:
        console.print(table)
    print("\n".join(line.rstrip() for line in held.get().splitlines()))


def screen() -> Console:
    """A console on stdout. Without a terminal a row is a line, however long."""
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 1000, highlight=False)
