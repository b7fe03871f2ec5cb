"""`llmkit demo --real`: the same calls to the real services that can be used here, after saying what that may cost."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from decimal import Decimal

from llmkit.cli.failure import DONE, FAILED, USAGE
from llmkit.cli.readiness import HOSTED, LOCAL, Readiness, get_readiness
from llmkit.cli.summary import format_dollars
from llmkit.cli.terminal import complain, replace_controls
from llmkit.cli.tour import QUESTION, Report, run_tour
from llmkit.language.create import create_language
from llmkit.language.quick import list_local_models
from llmkit.provider.registry import get_provider
from llmkit.types.pricing import MILLION

CALLS = 3
#: Tokens of an answer.
MAX_TOKENS = 100
#: More tokens than any service counts for the question and what it puts around it.
_QUESTION_TOKENS = 100
#: A cheap model of each service.
_MODELS = {"openrouter": "openrouter/free", "openai": "gpt-4o-mini"}


def run_real_demo(*, yes: bool) -> int:
    """Look for services, say what the calls cost, ask unless `yes`, and call. Return the exit code."""
    report = Report()
    targets: list[tuple[str, str]] = []
    costs: list[str] = []
    report.print_line("Looking for services:")
    for name in (*HOSTED, LOCAL):
        readiness = get_readiness(name)
        model, cost, summary = _plan_local(readiness) if name == LOCAL else _plan_hosted(name, readiness)
        report.print_part(f"  {name:<12}", "bold")
        report.print_line(summary, "green" if model else "yellow")
        if model:
            targets.append((name, model))
            costs.append(f"  {name:<12}{cost}")
    report.print_line()
    if not targets:
        complain("there is no service to call. Set a key, start Ollama, or see it simulated: llmkit demo")
        return USAGE
    report.print_line(
        f"Each gets {CALLS} times the question {QUESTION!r}, answers of at most {MAX_TOKENS} tokens. It costs:"
    )
    for line in costs:
        report.print_line(line)
    if not yes and not _ask_to_go_on():
        return USAGE if not sys.stdin.isatty() else DONE
    return DONE if _call_models(report, targets) else FAILED


def _call_models(report: Report, targets: list[tuple[str, str]]) -> bool:
    with ExitStack() as stack:
        # Nothing is sent twice, so that the cost is as it was said.
        models = [
            stack.enter_context(create_language(name, model, max_tokens=MAX_TOKENS, retry=None))
            for name, model in targets
        ]
        answered = [run_tour(report, model) for model in models]  # each one, also after a failure
        totals = [model.totals() for model in models]
    known = sum((one.amount for one in totals), Decimal(0))
    unknown = sum(one.unknown for one in totals)
    more = f", and {unknown} of unknown cost (see above for the most)" if unknown else ""
    report.print_line()
    report.print_line(f"Totals: {sum(one.calls for one in totals)} answers, {format_dollars(known)}{more}")
    return all(answered)


def _plan_hosted(name: str, readiness: Readiness) -> tuple[str | None, str, str]:
    """Return the model to call (`None` = none), what that costs, and a line on what there is."""
    if readiness.key == "missing":
        return None, "", f"no: {readiness.variable} is not set; get a key at {readiness.key_page}"
    if not readiness.configured:
        return None, "", f"no: {readiness.problem}"
    model = _MODELS[name]
    key = f"{readiness.variable} is set" if readiness.key == "set" else "no key"
    summary = f"yes: {key}; model {model}"
    if not readiness.own_address:
        return model, _describe_unknown_cost(readiness), f"{summary}, at {readiness.base_url}"
    if model.endswith(("/free", ":free")):
        return model, f"nothing: {model} is free", summary
    known_model = get_provider(name).known_model(model)
    prompt, completion = (
        (None, None) if known_model is None else (known_model.pricing["prompt"], known_model.pricing["completion"])
    )
    if known_model is None or prompt is None or completion is None:
        return model, _describe_unknown_cost(readiness), summary
    most = CALLS * (_QUESTION_TOKENS * prompt + MAX_TOKENS * completion)
    prices = f"{format_dollars(prompt * MILLION)} and {format_dollars(completion * MILLION)}"
    price = f"{prices} for a million tokens, {known_model.source}"
    return model, f"at most {format_dollars(most)} ({price})", summary


def _plan_local(readiness: Readiness) -> tuple[str | None, str, str]:
    models = list_local_models() if readiness.configured else None
    if models is None:
        return None, "", f"no: nothing answers as Ollama at {readiness.base_url}; start it, or set OLLAMA_HOST"
    if not models:
        return None, "", f"no: the Ollama at {readiness.base_url} has no chat model; run: ollama pull llama3.2"
    count = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    summary = f"yes: it answers at {readiness.base_url} with {count}; model {replace_controls(models[0])}"
    cloud = models[0].endswith(("-cloud", ":cloud"))
    cost = (
        "nothing: the model runs on this machine"
        if readiness.local and not cloud
        else _describe_unknown_cost(readiness)
    )
    return models[0], cost, summary


def _describe_unknown_cost(readiness: Readiness) -> str:
    return f"what the operator of {readiness.base_url} asks for it; llmkit does not know"


def _ask_to_go_on() -> bool:
    """Ask on stderr whether to go on. Return the answer, which is no without a terminal."""
    if not sys.stdin.isatty():
        complain("there is nobody to ask; add --yes to go on")
        return False
    sys.stdout.flush()
    print("\nGo on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
