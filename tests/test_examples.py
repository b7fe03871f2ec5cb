"""The scripts of `examples/` run, each in a process of its own, against the simulator by the variables of a user."""

from __future__ import annotations

import ast
import json
import math
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import InvalidStructure, LanguageModel, MalformedResponse, ModelNotFound, ServerError, create_language
from llmkit.testing import Answer, FakeModel
from llmkit.testing.contract import Failure, ProviderContract, Sample
from llmkit.testing.simulator import Simulator
from tests.fork_server import ForkServer

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: Script to lines that it must print, as patterns.
PRINTS = {
    "hello": [r"You said: What is the capital of France\?", r"cost +\$0\.0000072", r"answered by +openai/gpt-4o-mini"],
    "stream": [r"You said: Count from one to five", r"11 tokens, \$0\.00000795, ended because: stop"],
    "async_many": [r"You said: What is the capital of Japan\?", r"18 answers in .* for \$0\.0001287"],
    "compress": [
        r"687 characters became 133: 5\.17 times shorter, 4 were asked for",
        r"NOT as near as asked for",
        r"3 calls, \$0\.00\d+",
    ],
    "rerank": [r"problem: no score for 2, 3, 4; left at the end", r"cost: \$0\.0000\d+"],
    "fallback": [r"You said: ", r"no-such-model +ModelNotFound", r"openai:gpt-4o-mini +ok"],
    "cost": [r"openrouter:.*\$0\.0000072.*reported", r"ollama:.*free", r"openai:.* nothing known, 2 of unknown cost"],
    "tools": [r"the model calls weather\(.*Paris", r"The tool said: .*clear"],
    "structured_output": [r"Paris is in France and has 2,000,000 inhabitants"],
    "conversation": [
        r"You said: In which country is Oslo\?",
        r"6 turns are kept",
        r"8 turns in the fork, 6 in the first",
        r"ollama goes on with 8 turns",
    ],
    "images": [r"sent 130 characters of image data", r"You said: What is in this picture\?"],
    "errors": [
        r"Did you mean temperature\?",
        r"Did you mean openrouter",
        r"Set GROQ_API_KEY",
        r"AuthFailed",
        r"ModelNotFound",
        r"CannotConnect",
    ],
    "custom_service": [r"acme \(acme-large\): You said: Who are you\?"],
    "local_model": [r"cost: \$0 \(free\)", r"took \d+\.\d\d s"],
    "own_wire_format": [r"You \|said: \|", r"5 tokens in, 8 out", r"plain:no-such-model: .*404"],
}
#: Scripts that are tested elsewhere, or that run others.
ELSEWHERE = {"with_simulator", "record_and_replay"}


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """The environment of a user who has keys and services; the services are simulated."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OPEN", "OLLAMA_", "OR_"))}
    own.pop("GROQ_API_KEY", None)
    with Simulator() as simulator:
        yield {
            **own,
            "OPENROUTER_BASE_URL": simulator.openrouter_url,
            "OPENROUTER_API_KEY": "sk-or-simulated",
            "OPENAI_BASE_URL": simulator.openai_url,
            "OPENAI_API_KEY": "sk-simulated",
            "OLLAMA_HOST": simulator.ollama_url,
            "ACME_BASE_URL": simulator.openai_url,
            "ACME_API_KEY": "sk-acme-simulated",
        }


COMMAND = (sys.executable, "-W", "error")


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_runs(name: str, environ: dict[str, str], fork_server: ForkServer) -> None:
    """A script runs with nothing but variables set, ends well and without a warning, and prints what it is about."""
    done = fork_server.run([*COMMAND, f"examples/{name}.py"], environ, EXAMPLES.parent)
    printed = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b""), printed + done.stderr.decode()
    missing = [pattern for pattern in PRINTS[name] if not re.search(pattern, printed)]
    assert not missing, printed


def test_an_example_runs_with_one_command() -> None:
    """`with_simulator.py` runs a script where no variable is set."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("OPEN", "OLLAMA_", "OR_"))}
    command = [*COMMAND, "examples/with_simulator.py", "examples/hello.py"]
    done = subprocess.run(command, cwd=EXAMPLES.parent, env=bare, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.startswith("(simulated answers, from http://127.0.0.1:")
    assert "You said: What is the capital of France?" in done.stdout


def test_every_example_is_tested_and_says_what_it_needs() -> None:
    """Each script is in the table above, and its head names what real use needs and the command that needs nothing."""
    scripts = {path.stem: ast.get_docstring(ast.parse(path.read_text("utf-8"))) for path in EXAMPLES.glob("*.py")}
    assert set(scripts) - ELSEWHERE == set(PRINTS)
    for name in PRINTS:
        head = scripts[name] or ""
        assert "For real use: " in head, name
        assert f"python examples/with_simulator.py examples/{name}.py" in head, name


# Compressing a text

COMPRESS = runpy.run_path(str(EXAMPLES / "compress.py"))


def texts(*lengths: int) -> list[str]:
    """Answers of so many characters."""
    return ["x" * length for length in lengths]


@pytest.mark.parametrize(
    ("answers", "ratio", "reached"),
    [
        ([100], 4.0, True),
        ([110], 400 / 110, True),
        ([200, 100], 4.0, True),
        ([20, 90], 400 / 90, True),
        ([200, 190, 180], 400 / 180, False),
        ([130, 300, 20], 400 / 130, False),
        ([0, 100], 4.0, True),
        ([800, 900, 700], 400 / 700, False),
    ],
    ids=["at once", "near enough", "too long", "too short", "never", "best is first", "empty, then right", "longer"],
)
def test_compression_reports_what_it_reached(answers: list[int], ratio: float, reached: bool) -> None:
    """It asks again with the measured figure while it is too far off, and gives the nearest answer as what it is."""
    model = FakeModel(*[Answer(text, cost="0.01") for text in texts(*answers)])
    done = COMPRESS["compress"](model, "  " + "y" * 400 + "\n", 4.0)
    assert done.ratio == pytest.approx(ratio)
    assert len(done.text) == round(400 / ratio)
    assert done.reached is reached
    assert len(model.calls) == len(answers)
    assert done.cost == Decimal("0.01") * len(answers)
    assert "about 100 characters" in model.calls[0].messages[-1].text
    for call, before in zip(model.calls[1:], answers, strict=False):
        said = call.messages[-1].text
        assert f"That has {before} characters" in said if before else said == "That is not whole."
        assert ("longer" if before < 100 else "shorter") in said or not before


def test_compression_of_nothing_asks_nobody() -> None:
    """An empty text, and a ratio of 1, need no model; the cost is 0."""
    model = FakeModel()
    nothing = COMPRESS["compress"](model, " \n")
    assert (nothing.text, nothing.ratio, nothing.reached, nothing.cost) == ("", None, True, 0)
    same = COMPRESS["compress"](model, "as it is", 1.0)
    assert (same.text, same.ratio, same.reached, same.cost) == ("as it is", 1.0, True, 0)
    assert model.calls == []


@pytest.mark.parametrize("ratio", [0.5, 0, -4, float("nan")])
def test_a_ratio_below_one_is_refused(ratio: float) -> None:
    """A text cannot be compressed to more than it is."""
    with pytest.raises(ValueError, match="the ratio is 1 or more"):
        COMPRESS["compress"](FakeModel(), "text", ratio)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ([Answer(refusal="I will not")], "the model refused: I will not"),
        ([Answer("cut", finish_reason="content_filter")], "the model refused: content_filter"),
        (["", " ", ""], "none of 3 answers was whole"),
        ([Answer("x" * 100, finish_reason="length")] * 3, "none of 3 answers was whole"),
    ],
    ids=["refusal", "filter", "empty", "cut"],
)
def test_no_short_form_is_made_up(script: list[Any], why: str) -> None:
    """Where no answer is whole there is an error, not a heuristic."""
    with pytest.raises(COMPRESS["NotCompressed"], match=why):
        COMPRESS["compress"](FakeModel(*script), "y" * 400)


def test_an_unknown_cost_of_compression_stays_unknown() -> None:
    """One call of unknown cost makes the sum unknown."""
    done = COMPRESS["compress"](FakeModel(Answer("x" * 200, cost="0.01"), "x" * 100), "y" * 400)
    assert done.cost is None
    assert done.reached


# Re-ranking

RERANK = runpy.run_path(str(EXAMPLES / "rerank.py"))
DOCUMENTS = ["alpha", "beta", "gamma"]


def scores(*pairs: tuple[Any, Any]) -> str:
    """What a model answers."""
    return json.dumps({"scores": [{"document": number, "score": score} for number, score in pairs]})


@pytest.mark.parametrize(
    ("answer", "order", "problems"),
    [
        (scores((1, 2), (2, 9), (3, 5)), (1, 2, 0), []),
        (scores((3, 5), (1, 5), (2, 5)), (0, 1, 2), []),
        (scores((3, 5)), (2, 0, 1), ["no score for 1, 2; left at the end"]),
        (scores((2, 1), (2, 9), (1, 3), (3, 0)), (0, 1, 2), ["document 2 has two scores"]),
        (scores((0, 9), (4, 9), (-1, 9), (1, 1), (2, 2), (3, 3)), (2, 1, 0),
         ["there is no document 0", "there is no document 4", "there is no document -1"]),
        (scores(), (0, 1, 2), ["no score for 1, 2, 3; left at the end"]),
    ],
    ids=["right", "equal scores", "forgotten", "twice", "no such document", "empty"],
)  # fmt: skip
def test_reranking_loses_no_document(answer: str, order: tuple[int, ...], problems: list[str]) -> None:
    """Whatever the model answers, each document stands in the order once, and what was wrong is said."""
    done = RERANK["rerank"](FakeModel(Answer(answer, cost="0.02")), "which?", DOCUMENTS)
    assert done.order == order
    assert list(done.problems) == problems
    assert done.cost == Decimal("0.02")


@given(st.lists(st.tuples(st.integers(-2, 8), st.floats()), max_size=12), st.integers(1, 6))
def test_every_document_has_one_place(pairs: list[tuple[int, float]], count: int) -> None:
    """The check of an answer keeps only scores that can be sorted, of documents that there are."""
    answer = [RERANK["Score"](document=number, score=score) for number, score in pairs]
    found, problems = RERANK["read_scores"](answer, count)
    assert set(found) <= set(range(count))
    assert all(math.isfinite(score) for score in found.values())
    assert bool(problems) == (len(pairs) != count or len(found) != count)


def test_an_answer_without_the_structure_is_asked_for_again() -> None:
    """A wrong structure is told to the model once; then it is an error."""
    model = FakeModel("sorry", Answer(scores((1, 1), (2, 2), (3, 3))))
    assert RERANK["rerank"](model, "which?", DOCUMENTS).order == (2, 1, 0)
    with pytest.raises(InvalidStructure):
        RERANK["rerank"](FakeModel("sorry", scores(("one", 1))), "which?", DOCUMENTS)


def test_a_refusal_leaves_the_order() -> None:
    """Where the model gives no scores, the documents stay as they were, and the reason is there."""
    done = RERANK["rerank"](FakeModel(Answer(refusal="I will not")), "which?", DOCUMENTS)
    assert done.order == (0, 1, 2)
    assert done.problems == ("the model gave no scores: I will not",)
    assert RERANK["rerank"](FakeModel(), "which?", []).order == ()


def provider_of(script: str, cls: str) -> Any:
    """The provider that a script makes, under a name of its own."""
    return runpy.run_path(str(EXAMPLES / f"{script}.py"))[cls](script)


class Simulated(ProviderContract):
    """What both have: the simulator answers them."""

    __test__ = False

    @pytest.fixture(autouse=True)
    def _served(self, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for name in ("OLLAMA_HOST", "ACME_BASE_URL", "ACME_API_KEY"):
            monkeypatch.setenv(name, environ[name])
        with self.registered():
            yield

    def make_model(self) -> LanguageModel:
        return create_language(self.provider.name, "llama3.2")


class TestOwnWireFormat(Simulated):
    """The provider of five functions keeps the rules."""

    __test__ = True
    provider = provider_of("own_wire_format", "PlainProvider")
    plain = (
        Sample(
            body=b'{"model":"m","message":{"role":"assistant","content":"Hi there"},"done":true,"done_reason":"stop",'
            b'"prompt_eval_count":3,"eval_count":2}',
            text="Hi there",
            tokens=(3, 2),
        ),
    )
    streamed = (
        Sample(
            body=b'{"model":"m","message":{"content":"Hi "},"done":false}\n'
            b'{"model":"m","message":{"content":"there"},"done":false}\n'
            b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","eval_count":2}\n',
            text="Hi there",
            mark=b'"done":true',
        ),
    )
    failures = (
        Failure(status=404, body=b'{"error":"model not found"}', error=ModelNotFound),
        Failure(status=200, body=b'{"error":"out of memory"}', error=ServerError),
        Failure(status=200, body=b"<html>", error=MalformedResponse),
        Failure(status=500, body=b"", error=ServerError),
    )


class TestCustomService(Simulated):
    """The provider of ten lines keeps the rules."""

    __test__ = True
    provider = provider_of("custom_service", "AcmeProvider")
    plain = (
        Sample(
            body=b'{"id":"1","choices":[{"message":{"content":"Hi there"},"finish_reason":"stop"}]}', text="Hi there"
        ),
    )
    streamed = (
        Sample(
            body=b'data: {"choices":[{"delta":{"content":"Hi "}}]}\n\n'
            b'data: {"choices":[{"delta":{"content":"there"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
            text="Hi there",
            mark=b'"finish_reason":"stop"',
        ),
    )
