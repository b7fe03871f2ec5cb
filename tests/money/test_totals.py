"""Money: the service's figure to the last digit, unknown where nothing was said, and totals that lose nothing."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from llmkit import Totals
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import PROVIDERS, Drive, model_at, until

FIGURES = [
    "0", "0.0000001", "0.00219855", "0.1", "0.30000000000000004", "1e-9", "1E-7", "0.000123456789012345678901",
    "123456.789012345678", "12",
]  # fmt: skip


def billed(sim: Simulator) -> Decimal:
    """What the simulator charged."""
    return sum((charge.cost for charge in sim.bill if charge.cost is not None), Decimal(0))


def answer(usage: str, *, stream: bool) -> Reply:
    """An OpenRouter answer whose usage is this very text."""
    if not stream:
        body = '{"id":"g","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],"usage":%s}'
        return Reply(body=(body % usage).encode())
    event = '{"id":"g","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}],"usage":%s}'
    return Reply(body=f"data: {event % usage}\n\ndata: [DONE]\n\n".encode())


# One answer.


@pytest.mark.covering(2)
@pytest.mark.parametrize("figure", FIGURES)
def test_the_reported_figure_is_the_cost_to_the_last_digit(
    sim: Simulator, drive: Drive, mode: str, figure: str
) -> None:
    """OpenRouter's `usage.cost` becomes a `Decimal` out of its digits; it never goes through a float."""
    sim.script(
        answer(f'{{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"cost":{figure}}}', stream=mode != "plain")
    )
    cost = drive.response(drive.make(sim, "openrouter"), mode).cost
    assert (cost.amount, cost.basis, cost.reported) == (Decimal(figure), "reported", Decimal(figure))
    assert isinstance(cost.amount, Decimal)


def test_the_cost_is_what_was_billed(sim: Simulator, drive: Drive, mode: str) -> None:
    """The cost of each answer is the charge on the service's bill, and so is the sum."""
    model = drive.make(sim, "openrouter", "anthropic/claude-sonnet-4.5")
    costs = [drive.response(model, mode, messages="word " * number).cost.amount for number in range(1, 8)]
    assert costs == [charge.cost for charge in sim.bill]
    assert model.totals().amount == billed(sim) > 0


@pytest.mark.parametrize(
    ("usage", "amount", "upstream"),
    [
        ({"cost": 0.00005, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.001}}, "0.00105", "0.001"),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0123}}, "0.0123", "0.0123"),
        ({"cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None, None),
        ({"cost": 0.5, "is_byok": True}, None, None),
        ({"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.5}}, "0.5", None),
        ({"cost": 0.5, "cost_details": {"upstream_inference_cost": 0.4}}, "0.5", None),
    ],
)
def test_an_own_upstream_key_adds_what_the_upstream_takes(
    sim: Simulator, drive: Drive, mode: str, usage: dict[str, Any], amount: str | None, upstream: str | None
) -> None:
    """With BYOK the cost is OpenRouter's figure plus the upstream's; if that is not said, the cost is unknown."""
    sim.script(answer(json.dumps({"prompt_tokens": 1, **usage}), stream=mode != "plain"))
    cost = drive.response(drive.make(sim, "openrouter"), mode).cost
    assert cost.amount == (None if amount is None else Decimal(amount))
    assert cost.upstream == (None if upstream is None else Decimal(upstream))
    assert cost.reported == Decimal(str(usage["cost"]))
    assert cost.basis == ("unknown" if amount is None else "reported")


@pytest.mark.covering(2)
@pytest.mark.parametrize(
    "usage",
    ["{}", '{"prompt_tokens":1}', '{"cost":null}', '{"cost":-1}', '{"cost":true}', '{"cost":"NaN"}', '{"cost":"free"}',
     '{"cost":[1]}', '{"cost":{}}', "null", "7"],
)  # fmt: skip
def test_a_cost_that_was_not_said_is_unknown(sim: Simulator, drive: Drive, mode: str, usage: str) -> None:
    """No figure, or one that is none, is `None` and never 0."""
    sim.script(answer(usage, stream=mode != "plain"))
    model = drive.make(sim, "openrouter")
    cost = drive.response(model, mode).cost
    assert (cost.amount, cost.basis) == (None, "unknown")
    assert (model.totals().unknown, model.totals().exact) == (1, False)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_counts_that_did_not_come_are_none(sim: Simulator, drive: Drive, mode: str, provider: str) -> None:
    """Without usage every count is `None`, never 0; the answer is still an answer."""
    sim.script(Reply(text="hi", usage="missing"))
    model = drive.make(sim, provider)
    response = drive.response(model, mode)
    assert set(response.usage.to_dict().values()) == {None}
    assert (model.totals().prompt_tokens, model.totals().completion_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("provider", "model", "amount", "basis"),
    [
        ("ollama", "llama3.2", Decimal(0), "free"),
        ("ollama", "gpt-oss:120b-cloud", None, "unknown"),
        ("openai", "gpt-4o-mini", None, "unknown"),
        ("openrouter", "meta-llama/llama-3.3-70b-instruct:free", Decimal(0), "reported"),
    ],
)
def test_who_bills_what(
    sim: Simulator, drive: Drive, mode: str, provider: str, model: str, amount: Decimal | None, basis: str
) -> None:
    """A model on this machine is free, a free one of OpenRouter costs the 0 it reports, OpenAI's cost is not known."""
    cost = drive.response(drive.make(sim, provider, model), mode).cost
    assert (cost.amount, cost.basis) == (amount, basis)


#: Figures that nothing costs, as their text in a reply.
ABSURD = [
    "9e999999", "1e999999", "1e9999999999999999999", "1e-9999999999999999999", "9" * 5000, "1000000.01", '"9e999999"',
    "-1", "-9e999999",
]  # fmt: skip
BYOK = '{"prompt_tokens":1,"cost":%s,"is_byok":true,"cost_details":{"upstream_inference_cost":%s}}'


@pytest.mark.covering(2)
@pytest.mark.parametrize("figure", ABSURD, ids=lambda figure: figure[:20])
def test_a_cost_that_cannot_be_right_is_unknown(sim: Simulator, drive: Drive, mode: str, figure: str) -> None:
    """The answer stands, its cost is unknown, a short warning says so, and the next calls are added up exactly."""
    model = drive.make(sim, "openrouter")
    usage = f'{{"prompt_tokens":1,"completion_tokens":2,"cost":{figure}}}'
    sim.script(*[answer(text, stream=mode != "plain") for text in (usage, '{"cost":0.001}', usage, '{"cost":0.002}')])
    for known in (None, Decimal("0.001"), None, Decimal("0.002")):
        response = drive.response(model, mode)
        assert (response.content, response.cost.amount) == ("x", known)
        assert bool(response.warnings) is (known is None)
        if known is None:
            (warning,) = response.warnings
            assert warning.startswith("the service reported a cost that cannot be right (")
            assert len(warning) < 120
            assert response.usage.completion_tokens == 2
    totals = model.totals()
    assert (totals.amount, totals.unknown, totals.priced, totals.calls) == (Decimal("0.003"), 2, 2, 4)


@pytest.mark.parametrize(
    ("cost", "upstream", "reported", "warnings"),
    [
        ("9e999999", "9e999999", None, 2),
        ("0.5", "9e999999", "0.5", 1),
        ("9e999999", "0.5", None, 1),
        ("0.5", "1e9999999999999999999", "0.5", 1),
        ("1000000", "1000000", "1000000", 1),
    ],
)
def test_both_parts_of_an_own_key_must_be_right(
    sim: Simulator, drive: Drive, mode: str, cost: str, upstream: str, reported: str | None, warnings: int
) -> None:
    """With BYOK the cost is unknown if either part, or their sum, cannot be right; a part that can be is kept."""
    sim.script(answer(BYOK % (cost, upstream), stream=mode != "plain"))
    model = drive.make(sim, "openrouter")
    response = drive.response(model, mode)
    assert (response.content, response.cost.amount, response.cost.basis) == ("x", None, "unknown")
    assert response.cost.reported == (None if reported is None else Decimal(reported))
    assert len(response.warnings) == warnings
    assert response.attempts[0].cost == response.cost
    assert (model.totals().amount, model.totals().unknown) == (Decimal(0), 1)


@pytest.mark.covering(2)
@pytest.mark.parametrize("figure", ["1e27", "9" * 5000, "1" + "0" * 27, "1e9999999999999999999", "-1", "1.5"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_count_that_cannot_be_right_is_unknown(
    sim: Simulator, drive: Drive, mode: str, provider: str, figure: str
) -> None:
    """The answer stands, the other counts too, and a warning names the one that is unknown."""
    if provider == "ollama":
        name = "eval_count"
        said = f'{{"message":{{"content":"x"}},"done":true,"done_reason":"stop","prompt_eval_count":7,"{name}":{figure}}}\n'
        sim.script(Reply(body=said.encode()))
    else:
        name = "completion_tokens"
        sim.script(answer(f'{{"prompt_tokens":7,"{name}":{figure}}}', stream=mode != "plain"))
    model = drive.make(sim, provider)
    response = drive.response(model, mode)
    assert (response.content, response.usage.prompt_tokens, response.usage.completion_tokens) == ("x", 7, None)
    (warning,) = response.warnings
    assert name in warning
    assert "cannot be right" in warning
    assert (model.totals().prompt_tokens, model.totals().completion_tokens) == (7, 0)


def test_a_foreign_credit_is_no_doubtful_cost(sim: Simulator, drive: Drive, mode: str) -> None:
    """A bare `cost` of a service that is not known to mean dollars is not read, so nothing is wrong with it."""
    sim.script(answer('{"prompt_tokens":7,"cost":5000000}', stream=mode != "plain"))
    response = drive.response(drive.make(sim, "openai"), mode)
    assert (response.cost.amount, response.warnings) == (None, ())


# Totals.


def test_totals_begin_at_nothing(sim: Simulator) -> None:
    """Before the first call the totals are zero and exact."""
    with model_at(sim, "openrouter") as model:
        assert model.totals() == Totals()
        assert model.totals().exact


def test_totals_count_what_is_known_and_what_is_not(sim: Simulator, drive: Drive, mode: str) -> None:
    """A retried failure, an answer and an answer without a figure: each attempt is in exactly one count."""
    sim.script(
        Reply(status=429),  # not billed
        Reply(text="one", cost=Decimal("0.25")),
        Reply(status=500),  # nobody knows
        Reply(text="two", cost=Decimal("0.5")),
        Reply(text="three", usage="missing"),
    )
    model = drive.make(sim, "openrouter")
    for _ in range(3):
        drive.response(model, mode)
    totals = model.totals()
    assert (totals.calls, totals.attempts, totals.priced, totals.not_billed, totals.unknown) == (3, 5, 2, 1, 2)
    assert totals.amount == Decimal("0.75")
    assert not totals.exact


def test_a_failed_call_is_counted(sim: Simulator, drive: Drive, mode: str) -> None:
    """Every attempt of a call that failed is in the totals; nothing was answered."""
    model = drive.make(sim, "openrouter", "sim/fault:status=503")
    drive.failure(model, mode)
    totals = model.totals()
    assert (totals.calls, totals.attempts, totals.not_billed, totals.amount) == (0, 3, 3, Decimal(0))
    assert totals.exact


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=401), "not_billed"),
        (Reply(status=429), "not_billed"),
        (Reply(status=503), "not_billed"),
        (Reply(status=500), "unknown"),
        (Reply(status=504), "unknown"),
        (Reply(body=b""), "unknown"),
        (Reply(delay=30), "unknown"),
        (Reply(body=b"", framing="none", cut_bytes=0, cut="reset"), "unknown"),
    ],
    ids=["401", "429", "503", "500", "504", "empty", "silence", "reset"],
)
def test_a_failure_is_free_only_where_the_service_does_not_charge(
    sim: Simulator, drive: Drive, mode: str, reply: Reply, kind: str
) -> None:
    """What may have been billed is counted as unknown; what the service never charges for is not."""
    sim.script(reply)
    model = drive.make(sim, "openrouter", retry=None, timeout=0.2)
    error = drive.failure(model, mode)
    totals = model.totals()
    assert (getattr(totals, kind), totals.attempts) == (1, 1)
    assert error.attempts[0].cost.basis == kind


def test_an_interrupted_stream_is_unknown(sim: Simulator, drive: Drive) -> None:
    """A stream that broke after content may have been billed, by nobody knows how much."""
    sim.script(Reply(chunks=["a ", "b ", "c "], cut_after=2))
    model = drive.make(sim, "openrouter")
    drive.hear(model)
    totals = model.totals()
    assert (totals.calls, totals.attempts, totals.unknown, totals.amount) == (0, 1, 1, Decimal(0))


def test_an_error_event_that_reports_its_usage_is_priced(sim: Simulator, drive: Drive) -> None:
    """A stream that failed and said what it cost is counted with that figure."""
    sim.script(Reply(chunks=["a ", "b ", "c "], error="no", error_after=2, error_form="error-usage"))
    model = drive.make(sim, "openrouter")
    heard = drive.hear(model)
    assert heard.error is not None
    assert sim.bill[0].cost
    assert model.totals().amount == sim.bill[0].cost
    assert model.totals().exact


def test_an_abandoned_stream_is_unknown(sim: Simulator, drive: Drive) -> None:
    """A stream that the caller left is counted once, as unknown, though the service billed it."""
    model = drive.make(sim, "openrouter", timeout=5)
    for _ in range(3):
        sim.script(Reply(chunks=["a ", "b ", "c "], gated=True))
        sim.release(2)
        stream = drive.open(model)
        drive.next(stream)
        drive.close(stream)
        sim.wait_idle()
    totals = model.totals()
    assert (totals.calls, totals.attempts, totals.unknown) == (0, 3, 3)
    assert sim.wait_idle()
    assert until(lambda: len(sim.bill) == 3)


def test_copies_and_fallbacks_add_to_the_same_totals(sim: Simulator, drive: Drive, mode: str) -> None:
    """A model's totals hold what its copies and its fallbacks did for it; a spare's own calls are its own."""
    spare = drive.make(sim, "openrouter", "openai/gpt-4o")
    model = drive.make(sim, "openrouter", fallbacks=[spare])
    copy = drive.keep(model.with_settings(temperature=0))
    sim.script(Reply(status=503))
    drive.response(model, mode)
    drive.response(copy, mode)
    drive.response(spare, mode)
    assert (model.totals().calls, model.totals().attempts, model.totals().not_billed) == (2, 3, 1)
    assert copy.totals() == model.totals()
    assert spare.totals().calls == 1
    assert model.totals().amount + spare.totals().amount == billed(sim)


@pytest.mark.parametrize("half", ["threads", "tasks"])
def test_calls_at_once_add_up_exactly(sim: Simulator, half: str) -> None:
    """200 calls at once: not one answer, token or nano-dollar is lost or counted twice."""
    amounts = [Decimal(number) / 10**9 for number in range(1, 201)]
    sim.script(*[Reply(text="x", cost=amount) for amount in amounts])
    model = model_at(sim, "openrouter")

    def in_threads() -> list[Any]:
        def ask(number: int) -> Any:
            if number % 2:
                return model.chat_complete("hello")
            stream = model.chat_complete("hello", stream=True)
            list(stream)
            return stream.response

        with ThreadPoolExecutor(20) as threads:
            return list(threads.map(ask, range(200)))

    async def in_tasks() -> list[Any]:
        async def ask(number: int) -> Any:
            if number % 2:
                return await model.achat_complete("hello")
            stream = await model.achat_complete("hello", stream=True)
            async for _ in stream:
                pass
            return stream.response

        return await asyncio.gather(*(ask(number) for number in range(200)))

    responses = in_threads() if half == "threads" else asyncio.run(in_tasks())
    totals = model.totals()
    model.close()
    assert sorted(response.cost.amount for response in responses) == amounts
    assert totals.amount == sum(amounts) == billed(sim)
    assert (totals.calls, totals.attempts, totals.priced, totals.exact) == (200, 200, 200, True)
    assert totals.prompt_tokens == sum(charge.prompt_tokens for charge in sim.bill)
    assert totals.completion_tokens == sum(charge.completion_tokens for charge in sim.bill)
