"""The part of the demo that is the same with simulated and real services: one model, called in three ways."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console
from rich.text import Text

from llmkit.cli.failure import in_options
from llmkit.cli.summary import money, tokens
from llmkit.cli.terminal import neutral
from llmkit.errors import LLMError

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.types.responses import Response

QUESTION = "Name a colour."
#: Columns of an answer; a longer one is cut.
_WIDTH = 24


class Report:
    """Lines on stdout, styled where that is a terminal."""

    def __init__(self) -> None:
        wide = None if sys.stdout.isatty() else 1000
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True, width=wide)

    def line(self, text: str = "", style: str = "") -> None:
        """A line of our own or foreign text."""
        self.part(f"{text}\n", style)

    def part(self, text: str, style: str = "") -> None:
        """Text that the line goes on after."""
        with self._console.capture() as held:  # a pipe that breaks is our business, not rich's
            self._console.print(Text(neutral(text), style), end="")
        sys.stdout.write(held.get())
        sys.stdout.flush()


class _Answer:
    """One row's answer, as it comes: in one line, cut to its column."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._left = _WIDTH

    def write(self, text: str) -> None:
        text = " ".join(text.split("\n"))
        shown = text if len(text) <= self._left else text[: max(self._left - 1, 0)] + "…" * (self._left > 0)
        self._left -= len(shown)
        self._report.part(shown)

    def end(self) -> None:
        self._report.part(" " * (self._left + 1))


def tour(report: Report, model: LanguageModel) -> bool:
    """Call a model sync, async and streamed, a row each. Did all three answer?"""
    report.line()
    report.line(f'create_language("{model.provider}", "{model.model}")', "bold")
    ways = (("sync", _sync), ("async", _async), ("streamed", _streamed))
    answered = [_row(report, model, name, way) for name, way in ways]  # each one, also after a failure
    return all(answered)


def _row(report: Report, model: LanguageModel, name: str, way: _Way) -> bool:
    report.part(f"  {name:<9}", "cyan")
    answer, start = _Answer(report), time.perf_counter()
    try:
        response, took = way(model, answer)
    except LLMError as error:
        report.line(f"failed: {in_options(str(error))}", "red")
        return False
    answer.end()
    took = took or milliseconds(time.perf_counter() - start)
    cut = ", cut at the token limit" if response.truncated else ""
    report.line(f"{tokens(response.usage):<12} {money(response.cost):<12} {took}{cut}", "dim")
    return True


_Way: TypeAlias = "Callable[[LanguageModel, _Answer], tuple[Response, str]]"


def _sync(model: LanguageModel, answer: _Answer) -> tuple[Response, str]:
    response = model.chat_complete(QUESTION)
    answer.write(response.content or "")
    return response, ""


def _async(model: LanguageModel, answer: _Answer) -> tuple[Response, str]:
    response = asyncio.run(model.achat_complete(QUESTION, stream=False))
    answer.write(response.content or "")
    return response, ""


def _streamed(model: LanguageModel, answer: _Answer) -> tuple[Response, str]:
    start, first = time.perf_counter(), 0.0
    with model.chat_complete(QUESTION, stream=True) as stream:
        for chunk in stream:
            if chunk.content:
                first = first or time.perf_counter() - start
                answer.write(chunk.content)
    return stream.response, f"first word {milliseconds(first)}"


def milliseconds(seconds: float) -> str:
    """A duration as a person reads it."""
    return f"{seconds * 1000:.0f} ms"
