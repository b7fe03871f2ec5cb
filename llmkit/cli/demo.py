"""`llmkit demo`: the main job, offline, against the simulator that comes with llmkit."""

from __future__ import annotations

import os
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING

from llmkit.cli.failure import DONE, FAILED
from llmkit.cli.summary import format_dollars, format_outcome
from llmkit.cli.tour import QUESTION, Report, format_milliseconds, run_tour
from llmkit.language.create import create_language
from llmkit.testing.simulator import Reply, Simulator

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.money.totals import Totals

KEY = "sk-simulated"
_BUSY_MODEL = "anthropic/claude-3.5-sonnet"
_RETRY_AFTER_SECONDS = 10
#: Seconds between the words of a streamed answer, so that an eye can see it come.
_WORD_PAUSE_SECONDS = 0.08
_VARIABLE_PREFIXES = ("OPENROUTER_", "OR_", "OPENAI_", "OLLAMA_", "LLMKIT_")


def run_demo() -> int:
    """Run the demo and return its exit code. It fails if a call fails, which would be a fault of llmkit."""
    report = Report()
    # The demo depends on no setting of the user's, and must not even read a key.
    for name in [name for name in os.environ if name.startswith(_VARIABLE_PREFIXES)]:
        del os.environ[name]
    with Simulator() as simulator, ExitStack() as stack:
        report.print_line(
            "Simulated: a simulator on this machine gives these answers, not the real services.", "yellow"
        )
        report.print_line(f"It listens on {simulator.url}. No key is read, nothing costs money.", "dim")
        models = [stack.enter_context(model) for model in _make_models(simulator)]
        _warm_up(simulator)
        good = True
        for model in models:
            simulator.script_for(model.model, Reply(), Reply(), Reply(chunk_delay=_WORD_PAUSE_SECONDS))
            good &= run_tour(report, model)
        chain = stack.enter_context(_make_chain(simulator))
        good &= _show_fallback(report, simulator, chain)
        _show_bill(report, simulator, models, chain)
    report.print_line()
    report.print_line('With real services: llmkit demo --real, or llmkit chat "hello" -p openrouter')
    return DONE if good else FAILED


def _make_models(simulator: Simulator) -> list[LanguageModel]:
    return [
        create_language("openrouter", "openai/gpt-4o-mini", base_url=simulator.openrouter_url, api_key=KEY),
        create_language("openai", "gpt-4o-mini", base_url=simulator.openai_url, api_key=KEY),
        create_language("ollama", "llama3.2", base_url=simulator.ollama_url),
    ]


def _warm_up(simulator: Simulator) -> None:
    """Make one call that is not shown. It loads the HTTP library, half a second that is no provider's fault."""
    with create_language("openai", "gpt-4o-mini", base_url=simulator.openai_url, api_key=KEY) as model:
        model.chat_complete(QUESTION)
    simulator.reset()


def _make_chain(simulator: Simulator) -> LanguageModel:
    spare = create_language("ollama", "llama3.2", base_url=simulator.ollama_url)
    return create_language("openrouter", _BUSY_MODEL, base_url=simulator.openrouter_url, api_key=KEY, fallbacks=[spare])


def _show_fallback(report: Report, simulator: Simulator, chain: LanguageModel) -> bool:
    """Show a chain whose first target is busy and whose second one answers. Return whether that was fast enough."""
    report.print_line()
    report.print_line('fallbacks=["ollama:llama3.2"], first target busy: 429, Retry-After: 10', "bold")
    simulator.script_for(_BUSY_MODEL, Reply(status=429, headers={"Retry-After": str(_RETRY_AFTER_SECONDS)}))
    response = chain.chat_complete(QUESTION)
    for number, attempt in enumerate(response.attempts, 1):
        took = format_milliseconds(attempt.elapsed)
        report.print_part(f"  {number}  ", "cyan")
        report.print_part(f"{attempt.target:<41}{format_outcome(attempt):<19}")
        report.print_line(took, "dim")
    waited = sum(attempt.elapsed + attempt.waited for attempt in response.attempts)
    report.print_line(
        f"  {response.provider} answered after {format_milliseconds(waited)}; nobody waited {_RETRY_AFTER_SECONDS} s",
        "green",
    )
    return waited < _RETRY_AFTER_SECONDS


def _show_bill(report: Report, simulator: Simulator, models: list[LanguageModel], chain: LanguageModel) -> None:
    """Show what the calls would have cost, and whether the simulator's bill agrees."""
    totals = [model.totals() for model in (*models, chain)]
    amount = totals[0].amount
    charged = sum((one.cost or Decimal(0) for one in simulator.bill if one.dialect == "openrouter"), Decimal(0))
    same = "says the same" if charged == amount else f"says {format_dollars(charged)}"
    report.print_line()
    report.print_line(
        f"Totals: {_sum_field(totals, 'calls')} answers in {_sum_field(totals, 'attempts')} attempts, "
        f"{_sum_field(totals, 'prompt_tokens')} + {_sum_field(totals, 'completion_tokens')} tokens",
        "bold",
    )
    for name, text in (
        ("openrouter", f"{format_dollars(amount)} as reported; the simulator's own bill {same}"),
        ("openai", "unknown: it reports no cost, and llmkit does not guess one"),
        ("ollama", "free: it runs on this machine"),
    ):
        report.print_part(f"  {name:<12}", "cyan")
        report.print_line(text)


def _sum_field(totals: list[Totals], name: str) -> int:
    return sum(getattr(one, name) for one in totals)
