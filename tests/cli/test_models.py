"""`llmkit models`: a table to read, sorted and filtered, and JSON for programs."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmkit.testing.simulator import Reply

MODELS = "/api/v1/models"
SHARED = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")


def rows(shell: Any, *words: str) -> list[dict[str, Any]]:
    done = shell.run("models", "--json", *words)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_the_table_shows_prices_per_million_and_context(shell: Any) -> None:
    """A row has the id, the context with separators, and US dollars per million tokens; unknown is a question mark."""
    done = shell.run("models", "-p", "openrouter", process=True)
    lines = {line.split()[0]: line.split() for line in done.out.splitlines()}
    assert lines["openai/gpt-4o-mini"][1:4] == ["128,000", "0.15", "0.6"]
    assert lines["openrouter/auto"][2:4] == ["?", "?"]
    assert lines["meta-llama/llama-3.1-8b-instruct:free"][2:4] == ["0", "0"]
    assert "US dollars per million tokens" in done.err


def test_json_has_the_exact_prices(shell: Any) -> None:
    """Programs get USD per token as text, and `null` where a price is not known."""
    by_id = {row["id"]: row for row in rows(shell, "-p", "openrouter")}
    assert Decimal(by_id["openai/gpt-4o-mini"]["pricing"]["prompt"]) == Decimal("0.00000015")
    assert by_id["openrouter/auto"]["pricing"]["prompt"] is None


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["--sort", "price"], "meta-llama/llama-3.1-8b-instruct:free"),
        (["--sort", "context"], "openrouter/auto"),
        (["--sort", "name"], "anthropic/claude-3.5-sonnet"),
        (["--free"], "meta-llama/llama-3.1-8b-instruct:free"),
        (["--supports", "reasoning"], "anthropic/claude-sonnet-4.5"),
        (["gemini"], "google/gemini-2.5-flash"),
        (["--min-context", "1048576", "--max-price", "5"], "google/gemini-2.5-flash"),
    ],
)
def test_rows_are_sorted_and_filtered(shell: Any, words: list[str], first: str) -> None:
    """The options select and order; what has no figure comes last."""
    found = [row["id"] for row in rows(shell, "-p", "openrouter", *words)]
    assert found[0] == first
    if words == ["--sort", "price"]:
        assert found[-1] == "openrouter/auto"


def test_a_limit_bounds_the_rows(shell: Any) -> None:
    """`-n` shows so many."""
    assert len(rows(shell, "-p", "openrouter", "-n", "2")) == 2


def test_one_model_is_shown_with_its_endpoints(shell: Any) -> None:
    """`-m` shows all that is known, and the upstream services with their own prices."""
    done = shell.run("models", "-p", "openrouter", "-m", "openai/gpt-4o-mini")
    assert done.code == 0, done.err
    assert "openrouter:openai/gpt-4o-mini" in done.out
    assert "$0.15 per million tokens" in done.out
    assert "endpoint" in done.out


def test_an_unknown_model_names_the_nearest(shell: Any) -> None:
    """A wrong id is an error with the right one in it."""
    done = shell.run("models", "-m", "openrouter:openai/gpt-4o-mimi")
    assert done.code == 1
    assert "openai/gpt-4o-mini" in done.err


def test_a_stale_list_says_so(shell: Any) -> None:
    """If the service fails, the list that was kept is shown, and the last line says that it is old."""
    assert rows(shell, "-p", "openrouter")
    shell.sim.script_for(MODELS, *[Reply(status=503)] * 4)
    done = shell.run("models", "-p", "openrouter", "--refresh")
    assert done.code == 0
    assert "openai/gpt-4o-mini" in done.out
    assert "could not be asked" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--sort", "beauty"], "intelligence"), (["--supports", "tols"], "tools"), (["-p", "openruter"], "openrouter")],
)
def test_a_wrong_word_is_an_error_with_the_right_one(shell: Any, words: list[str], said: str) -> None:
    """What cannot be sorted by, supported or found names what can."""
    done = shell.run("models", *(["-p", "openrouter"] if "-p" not in words else []), *words)
    assert done.code in (1, 2)
    assert said in done.err


def test_the_recorded_catalogue_is_listed_whole(shell: Any) -> None:
    """All 414 models of a real catalogue are rows."""
    path = SHARED / "openrouter" / "models-2026-08.json"
    if not path.exists():
        pytest.skip(f"OpenRouter's catalogue is not here: no file {path} (LLMKIT_SHARED names another folder)")
    shell.sim.serve(MODELS, path.read_bytes())
    assert len(rows(shell, "-p", "openrouter")) == 414
    table = shell.run("models", "-p", "openrouter")
    assert len(table.out.splitlines()) == 415


def test_no_row_says_so(shell: Any) -> None:
    """Where nothing fits there is no empty table, but what to do."""
    done = shell.run("models", "-p", "openrouter", "no-such-word")
    assert (done.code, done.out) == (0, "")
    assert "leave a word or an option out" in done.err


def test_a_colon_in_a_models_own_name(shell: Any) -> None:
    """Without -p an id with a colon is still a model of the provider that is chosen."""
    done = shell.run("models", "-m", "meta-llama/llama-3.1-8b-instruct:free")
    assert done.code == 0, done.err
    assert "openrouter:meta-llama/llama-3.1-8b-instruct:free" in done.out


def test_advice_is_a_command(shell: Any) -> None:
    """What to do about an unknown model is a command, not a call of Python."""
    done = shell.run("models", "-m", "openai:qqqqqqqq")
    assert "llmkit models -p openai" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "openrouter", "--sort", "throughput"], "no figure for throughput"),
        (["openrouter"], "-p openrouter lists the models of that provider"),
    ],
)
def test_what_may_have_been_meant_otherwise_is_said(shell: Any, words: list[str], said: str) -> None:
    """A sort key that the list has no figure for, and a provider's name as a search word, are remarked upon."""
    done = shell.run("models", *words)
    assert done.code == 0
    assert said in done.err
