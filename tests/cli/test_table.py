"""Tables on stdout: what fits, what is shortened, what is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.cli.table import Column, align_points, fit_columns

NAME = Column(head="model", cells=["a/model"], number=False)
CAN = Column(head="can", cells=["tools vision"], number=False, short=("can", ["TV"]), rank=1)
SINCE = Column(head="since", cells=["2026-01-01"], number=False, rank=2)


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (33, ["a/model tools vision 2026-01-01"]),
        (32, ["a/model TV 2026-01-01"]),
        (23, ["a/model TV"]),
        (11, ["a/model"]),
        (3, ["a/model"]),
    ],
)
def test_columns_are_shortened_then_left_out(width: int, heads: list[str]) -> None:
    """Short cells come before missing columns, the highest rank goes first, and rank 0 never goes."""
    assert [" ".join(one.cells[0] for one in fit_columns([NAME, CAN, SINCE], width))] == heads


def test_a_long_name_does_not_cost_the_other_columns() -> None:
    """One long name is folded."""
    long = Column(head="model", cells=["x" * 70], number=False)
    assert [one.head for one in fit_columns([long, CAN], 60)] == ["model", "can"]


def test_decimal_points_stand_below_each_other() -> None:
    """Figures are filled with blanks behind; what has no point ends where the others have theirs."""
    assert align_points(["0.15", "10", "?", "0.0375"]) == ["0.15  ", "10" + 5 * " ", "?" + 5 * " ", "0.0375"]
    assert align_points([]) == []


@given(st.lists(st.decimals(0, 1000, places=4).map(lambda value: f"{value.normalize():f}"), min_size=1))
def test_any_figures_are_aligned(figures: list[str]) -> None:
    """Set to the right, the points of all figures are in one column, and none is changed."""
    filled = align_points(figures)
    wide = max(map(len, filled))
    points = {text.rjust(wide).find(".") for text in filled if "." in text}
    assert len(points) <= 1
    assert [text.rstrip() for text in filled] == figures


def at(terminal: Callable[..., Any], columns: int, *words: str) -> list[str]:
    """The lines that a command writes on a terminal of so many columns, without styles."""
    screen = terminal(*words, more={"COLUMNS": str(columns), "TERM": "xterm"})
    assert screen.end() == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.seen.decode()).replace("\r", "").splitlines()


@pytest.mark.parametrize(("columns", "told"), [(80, ["T tools", "a wider terminal shows more"]), (250, [])])
def test_models_on_a_terminal(terminal: Callable[..., Any], columns: int, told: list[str]) -> None:
    """A model is one line that fits; what a narrow table leaves out is said below it."""
    lines = at(terminal, columns, "models", "-p", "openrouter", "--sort", "price")
    rows = [line for line in lines if "/" in line.split()[0]]
    assert rows
    assert all(len(line) <= columns for line in lines[: len(rows) + 1])
    assert [word for word in told if word not in "\n".join(lines)] == []
    assert any("tools" in row for row in rows) == (not told)


def test_what_a_table_is_sorted_by_is_in_it(terminal: Callable[..., Any]) -> None:
    """A date that the rows are sorted by is shown also where there is little room."""
    assert "since" in at(terminal, 70, "models", "-p", "openrouter", "--sort", "age")[0]
