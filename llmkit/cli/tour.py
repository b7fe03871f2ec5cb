"""The part of the demo that simulated and real services share: one model, called in three ways."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console
from rich.text import Text

from llmkit.cli.failure import keywords_to_options
from llmkit.cli.summary import format_cost, format_tokens
from llmkit.cli.terminal import replace_controls
from llmkit.errors import LLMError

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.types.responses import Response

QUESTION = "Name a colour."
#: A longer answer is cut in the table.
_ANSWER_CHARACTERS = 24


class Report:
    """Writes lines to stdout, styled where that is a terminal."""

    def __init__(self) -> None:
        wide = None if sys.stdout.isatty() else 1000
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True, width=wide)

    def print_line(self, text: str = "", style: str = "") -> None:
        """Print a line of our own or foreign text."""
        self.print_part(f"{text}\n", style)

    def print_part(self, text: str, style: str = "") -> None:
        """Print a part of a line."""
        with self._console.capture() as captured:  # rich would exit on a broken pipe; `failure` must see it
            self._console.print(Text(replace_controls(text), style), end="")
        sys.stdout.write(captured.get())
        sys.stdout.flush()


class _AnswerCell:
    """Prints the answer of one row while it comes: on one line, cut to its column."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._room = _ANSWER_CHARACTERS

    def write(self, text: str) -> None:
        text = " ".join(text.split("\n"))
        shown = text if len(text) <= self._room else text[: max(self._room - 1, 0)] + "…" * (self._room > 0)
        self._room -= len(shown)
        self._report.print_part(shown)

    def end(self) -> None:
        self._report.print_part(" " * (self._room + 1))


def run_tour(report: Report, model: LanguageModel) -> bool:
    """Call a model sync, async and streamed, and print a row for each. Return whether all three answered."""
    report.print_line()
    report.print_line(f'create_language("{model.provider}", "{model.model}")', "bold")
    ways = (("sync", _ask_sync), ("async", _ask_async), ("streamed", _ask_streamed))
    answered = [_run_row(report, model, name, way) for name, way in ways]  # each one, also after a failure
    return all(answered)


def _run_row(report: Report, model: LanguageModel, name: str, way: _AskFunction) -> bool:
    report.print_part(f"  {name:<9}", "cyan")
    answer, start = _AnswerCell(report), time.perf_counter()
    try:
        response, took = way(model, answer)
    except LLMError as error:
        report.print_line(f"failed: {keywords_to_options(str(error))}", "red")
        return False
    answer.end()
    took = took or format_milliseconds(time.perf_counter() - start)
    cut = ", cut at the token limit" if response.truncated else ""
    report.print_line(f"{format_tokens(response.usage):<12} {format_cost(response.cost):<12} {took}{cut}", "dim")
    return True


_AskFunction: TypeAlias = "Callable[[LanguageModel, _AnswerCell], tuple[Response, str]]"


def _ask_sync(model: LanguageModel, answer: _AnswerCell) -> tuple[Response, str]:
    response = model.chat_complete(QUESTION)
    answer.write(response.content or "")
    return response, ""


def _ask_async(model: LanguageModel, answer: _AnswerCell) -> tuple[Response, str]:
    response = asyncio.run(model.achat_complete(QUESTION, stream=False))
    answer.write(response.content or "")
    return response, ""


def _ask_streamed(model: LanguageModel, answer: _AnswerCell) -> tuple[Response, str]:
    start, first = time.perf_counter(), 0.0
    with model.chat_complete(QUESTION, stream=True) as stream:
        for chunk in stream:
            if chunk.content:
                first = first or time.perf_counter() - start
                answer.write(chunk.content)
    return stream.response, f"first word {format_milliseconds(first)}"


def format_milliseconds(seconds: float) -> str:
    """Return a duration as text."""
    return f"{seconds * 1000:.0f} ms"
