"""`llmkit demo`: the main job, offline, against the simulator that comes with llmkit."""

from __future__ import annotations

import os
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING

from llmkit.cli.failure import DONE, FAILED
from llmkit.cli.summary import dollars, outcome
from llmkit.cli.tour import QUESTION, Report, milliseconds, tour
from llmkit.language.create import create_language
from llmkit.testing.simulator import Reply, Simulator

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.money.totals import Totals

KEY = "sk-simulated"
_BUSY = "anthropic/claude-3.5-sonnet"
_RETRY_AFTER = 10
#: Seconds between the words of a streamed answer, so that an eye can see it come.
_WORD = 0.08
_VARIABLES = ("OPENROUTER_", "OR_", "OPENAI_", "OLLAMA_", "LLMKIT_")


def demo() -> int:
    """Run it. Fails if a call does, which would be a fault of llmkit."""
    report = Report()
    # The demo depends on no setting of the user's, and must not even read a key.
    for name in [name for name in os.environ if name.startswith(_VARIABLES)]:
        del os.environ[name]
    with Simulator() as simulator, ExitStack() as stack:
        report.line("Simulated: a simulator on this machine gives these answers, not the real services.", "yellow")
        report.line(f"It listens on {simulator.url}. No key is read, nothing costs money.", "dim")
        models = [stack.enter_context(model) for model in _models(simulator)]
        _warm_up(simulator)
        good = True
        for model in models:
            simulator.script_for(model.model, Reply(), Reply(), Reply(chunk_delay=_WORD))
            good &= tour(report, model)
        chain = stack.enter_context(_chain(simulator))
        good &= _fallback(report, simulator, chain)
        _bill(report, simulator, models, chain)
    report.line()
    report.line('With real services: llmkit demo --real, or llmkit chat "hello" -p openrouter')
    return DONE if good else FAILED


def _models(simulator: Simulator) -> list[LanguageModel]:
    return [
        create_language("openrouter", "openai/gpt-4o-mini", base_url=simulator.openrouter_url, api_key=KEY),
        create_language("openai", "gpt-4o-mini", base_url=simulator.openai_url, api_key=KEY),
        create_language("ollama", "llama3.2", base_url=simulator.ollama_url),
    ]


def _warm_up(simulator: Simulator) -> None:
    """One call that is not shown: it loads the HTTP library, half a second that belongs to no provider."""
    with create_language("openai", "gpt-4o-mini", base_url=simulator.openai_url, api_key=KEY) as model:
        model.chat_complete(QUESTION)
    simulator.reset()


def _chain(simulator: Simulator) -> LanguageModel:
    spare = create_language("ollama", "llama3.2", base_url=simulator.ollama_url)
    return create_language("openrouter", _BUSY, base_url=simulator.openrouter_url, api_key=KEY, fallbacks=[spare])


def _fallback(report: Report, simulator: Simulator, chain: LanguageModel) -> bool:
    """A first target that is busy, and a second that answers."""
    report.line()
    report.line('fallbacks=["ollama:llama3.2"], first target busy: 429, Retry-After: 10', "bold")
    simulator.script_for(_BUSY, Reply(status=429, headers={"Retry-After": str(_RETRY_AFTER)}))
    response = chain.chat_complete(QUESTION)
    for number, attempt in enumerate(response.attempts, 1):
        took = milliseconds(attempt.elapsed)
        report.part(f"  {number}  ", "cyan")
        report.part(f"{attempt.target:<41}{outcome(attempt):<19}")
        report.line(took, "dim")
    waited = sum(attempt.elapsed + attempt.waited for attempt in response.attempts)
    report.line(f"  {response.provider} answered after {milliseconds(waited)}; nobody waited {_RETRY_AFTER} s", "green")
    return waited < _RETRY_AFTER


def _bill(report: Report, simulator: Simulator, models: list[LanguageModel], chain: LanguageModel) -> None:
    """What it would have cost, and that the books agree."""
    totals = [model.totals() for model in (*models, chain)]
    amount = totals[0].amount
    charged = sum((one.cost or Decimal(0) for one in simulator.bill if one.dialect == "openrouter"), Decimal(0))
    same = "says the same" if charged == amount else f"says {dollars(charged)}"
    report.line()
    report.line(
        f"Totals: {_sum(totals, 'calls')} answers in {_sum(totals, 'attempts')} attempts, "
        f"{_sum(totals, 'prompt_tokens')} + {_sum(totals, 'completion_tokens')} tokens",
        "bold",
    )
    for name, text in (
        ("openrouter", f"{dollars(amount)} as reported; the simulator's own bill {same}"),
        ("openai", "unknown: it reports no cost, and llmkit does not guess one"),
        ("ollama", "free: it runs on this machine"),
    ):
        report.part(f"  {name:<12}", "cyan")
        report.line(text)


def _sum(totals: list[Totals], name: str) -> int:
    return sum(getattr(one, name) for one in totals)
