"""`llmkit demo --real`: the same calls to the real services that can be used here, after saying what that may cost."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from decimal import Decimal

from llmkit.cli.failure import DONE, FAILED, USAGE
from llmkit.cli.readiness import HOSTED, LOCAL, Readiness, state
from llmkit.cli.summary import dollars
from llmkit.cli.terminal import complain, neutral
from llmkit.cli.tour import QUESTION, Report, tour
from llmkit.language.create import create_language
from llmkit.language.quick import list_local_models
from llmkit.provider.registry import get_provider
from llmkit.types.pricing import MILLION

CALLS = 3
MAX_TOKENS = 100
#: More tokens than any service counts for the question and what it puts around it.
_QUESTION_TOKENS = 100
#: A cheap model of each service.
_MODELS = {"openrouter": "openrouter/free", "openai": "gpt-4o-mini"}


def real_demo(*, yes: bool) -> int:
    """Run it: look, say the cost, ask unless `yes`, call."""
    report = Report()
    targets: list[tuple[str, str]] = []
    costs: list[str] = []
    report.line("Looking for services:")
    for name in (*HOSTED, LOCAL):
        found = state(name)
        model, cost, seen = _local(found) if name == LOCAL else _hosted(name, found)
        report.part(f"  {name:<12}", "bold")
        report.line(seen, "green" if model else "yellow")
        if model:
            targets.append((name, model))
            costs.append(f"  {name:<12}{cost}")
    report.line()
    if not targets:
        complain("there is no service to call. Set a key, start Ollama, or see it simulated: llmkit demo")
        return USAGE
    report.line(f"Each gets {CALLS} times the question {QUESTION!r}, answers of at most {MAX_TOKENS} tokens. It costs:")
    for line in costs:
        report.line(line)
    if not yes and not _agreed():
        return USAGE if not sys.stdin.isatty() else DONE
    return DONE if _run(report, targets) else FAILED


def _run(report: Report, targets: list[tuple[str, str]]) -> bool:
    with ExitStack() as stack:
        # Nothing is sent twice, so that the cost is as it was said.
        models = [
            stack.enter_context(create_language(name, model, max_tokens=MAX_TOKENS, retry=None))
            for name, model in targets
        ]
        good = [tour(report, model) for model in models]  # each one, also after a failure
        totals = [model.totals() for model in models]
    known = sum((one.amount for one in totals), Decimal(0))
    unknown = sum(one.unknown for one in totals)
    more = f", and {unknown} of unknown cost (see above for the most)" if unknown else ""
    report.line()
    report.line(f"Totals: {sum(one.calls for one in totals)} answers, {dollars(known)}{more}")
    return all(good)


def _hosted(name: str, found: Readiness) -> tuple[str | None, str, str]:
    """Model to call, what that costs, and what was found."""
    if found.key == "missing":
        return None, "", f"no: {found.variable} is not set; get a key at {found.key_page}"
    if not found.configured:
        return None, "", f"no: {found.problem}"
    model = _MODELS[name]
    key = f"{found.variable} is set" if found.key == "set" else "no key"
    seen = f"yes: {key}; model {model}"
    if not found.own_address:
        return model, _unpriced(found), f"{seen}, at {found.base_url}"
    if model.endswith(("/free", ":free")):
        return model, f"nothing: {model} is free", seen
    known = get_provider(name).known_model(model)
    prompt, completion = (None, None) if known is None else (known.pricing["prompt"], known.pricing["completion"])
    if known is None or prompt is None or completion is None:
        return model, _unpriced(found), seen
    most = CALLS * (_QUESTION_TOKENS * prompt + MAX_TOKENS * completion)
    price = f"{dollars(prompt * MILLION)} and {dollars(completion * MILLION)} for a million tokens, {known.source}"
    return model, f"at most {dollars(most)} ({price})", seen


def _local(found: Readiness) -> tuple[str | None, str, str]:
    models = list_local_models() if found.configured else None
    if models is None:
        return None, "", f"no: nothing answers as Ollama at {found.base_url}; start it, or set OLLAMA_HOST"
    if not models:
        return None, "", f"no: the Ollama at {found.base_url} has no chat model; run: ollama pull llama3.2"
    count = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    seen = f"yes: it answers at {found.base_url} with {count}; model {neutral(models[0])}"
    cloud = models[0].endswith(("-cloud", ":cloud"))
    cost = "nothing: the model runs on this machine" if found.local and not cloud else _unpriced(found)
    return models[0], cost, seen


def _unpriced(found: Readiness) -> str:
    return f"what the operator of {found.base_url} asks for it; llmkit does not know"


def _agreed() -> bool:
    """Ask on stderr. Without a terminal the answer is no."""
    if not sys.stdin.isatty():
        complain("nobody to ask; add --yes to go on")
        return False
    sys.stdout.flush()
    print("\nGo on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
