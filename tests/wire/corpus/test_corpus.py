"""Every recorded chat exchange, served over a real socket, is read as its bytes say.

`table.csv` says of every line which dialect it is and what comes of it, `reader.py` what is in it, and
`replay.py` sends it again, split where the network split it. Here the library is asked, in the line's own
mode, sync and async.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import pytest

from llmkit import create_language, errors

from .reader import Dialect, Expected, read
from .replay import Exchange, ReplayServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from llmkit import Chunk, LanguageModel, Response

HERE: Final = Path(__file__).parent
WIRE: Final = Path(os.environ.get("LLMKIT_SHARED") or HERE.parents[3] / "shared") / "wire"
FILES: Final = ("openrouter", "openai", "ollama", "errors_reported")
ABSENT: Final = f"the recorded traffic is not here: no folder {WIRE} (LLMKIT_SHARED names another)"

Colour = Literal["sync", "async"]


class Row(NamedTuple):
    """One line of the table. `outcome`: ok, the class of the error, or `out:` and what it is instead."""

    file: str
    id: str
    dialect: str
    outcome: str


with (HERE / "table.csv").open(newline="") as _table:
    ROWS: Final = [Row(**row) for row in csv.DictReader(_table)]
CHATS: Final = [row for row in ROWS if not row.outcome.startswith("out:")]
#: A run may ask for fewer of them: 10 is one in ten.
ONE_IN: Final = int(os.environ.get("LLMKIT_TEST_CORPUS_ONE_IN") or 1)


def sample(rows: Iterable[Row], one_in: int) -> list[Row]:
    """Of each dialect with each outcome the first row, and then one in so many, in the order of the table."""
    before: Counter[tuple[str, str]] = Counter()
    taken = []
    for row in rows:
        if before[row.dialect, row.outcome] % one_in == 0:
            taken.append(row)
        before[row.dialect, row.outcome] += 1
    return taken


ASKED: Final = sample(CHATS, ONE_IN)


def recorded_lines() -> dict[tuple[str, str], Mapping[str, Any]]:
    """Every line of the four files, by file and id."""
    lines: dict[tuple[str, str], Mapping[str, Any]] = {}
    for name in FILES:
        with (WIRE / f"{name}.jsonl").open(encoding="utf-8") as file:
            for text in file:
                line = json.loads(text)
                assert (name, line["id"]) not in lines
                lines[name, line["id"]] = line
    return lines


@dataclass(slots=True)
class Corpus:
    """The recordings, the server that plays them, and one event loop for all."""

    exchanges: Mapping[str, Exchange]
    server: ReplayServer
    runner: asyncio.Runner


@pytest.fixture(scope="module")
def lines() -> dict[tuple[str, str], Mapping[str, Any]]:
    if not WIRE.is_dir():
        pytest.skip(ABSENT)
    return recorded_lines()


@pytest.fixture(scope="module")
def corpus(lines: dict[tuple[str, str], Mapping[str, Any]]) -> Iterator[Corpus]:
    exchanges = {row.id: Exchange.of(lines[row.file, row.id]) for row in CHATS}
    with ReplayServer(exchanges.values()) as server, asyncio.Runner() as runner:
        yield Corpus(exchanges, server, runner)


# --- asking the library -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Seen:
    """What came of one call."""

    response: Response | None = None
    error: errors.LLMError | None = None
    texts: defaultdict[int, str] = field(default_factory=lambda: defaultdict(str))
    """The texts of the chunks, joined by choice."""

    def add(self, chunk: Chunk) -> None:
        assert chunk.choices, "a chunk without a choice"
        for choice in chunk.choices:
            self.texts[choice.index] += choice.delta.content


def model_for(dialect: str, server: ReplayServer, line_id: str) -> LanguageModel:
    """A model whose every call gets one recorded answer."""
    if dialect == "ollama":
        return create_language("ollama", "some/model", base_url=server.url(line_id), retry=None)
    provider, path = {
        "openrouter": ("openrouter", "/api/v1"),
        "openai": ("openai", "/v1"),
        "ollama-v1": ("openai", "/v1"),
    }[dialect]
    return create_language(provider, "some/model", base_url=server.url(line_id, path), api_key="sk-test", retry=None)


def ask(model: LanguageModel, *, stream: bool) -> Seen:
    seen = Seen()
    try:
        if not stream:
            seen.response = model.chat_complete("hi")
            return seen
        with model.chat_complete("hi", stream=True) as chunks:
            for chunk in chunks:
                seen.add(chunk)
            seen.response = chunks.response
    except errors.LLMError as error:
        seen.error = error
    return seen


async def aask(model: LanguageModel, *, stream: bool) -> Seen:
    seen = Seen()
    try:
        if not stream:
            seen.response = await model.achat_complete("hi")
            return seen
        async with model.achat_complete("hi", stream=True) as chunks:
            async for chunk in chunks:
                seen.add(chunk)
            seen.response = chunks.response
    except errors.LLMError as error:
        seen.error = error
    finally:
        await model.aclose()
    return seen


# --- two views of one answer, made to be compared -----------------------------------------------------------


def arguments_of(text: str | dict[str, Any]) -> object:
    """Arguments by their value: Ollama sends objects, llmkit gives JSON text."""
    return json.loads(text, parse_float=Decimal) if isinstance(text, str) else text


def view_of_bytes(dialect: str, expected: Expected) -> dict[str, object]:
    usage = expected.usage
    return {
        "id": expected.id,
        "model": expected.model,
        "choices": [
            {
                "index": choice.index,
                "text": choice.text,
                "reasoning": choice.reasoning,
                "refusal": choice.refusal,
                "tool_calls": [
                    (
                        call.type,
                        call.id,
                        call.name,
                        arguments_of(call.arguments) if dialect == "ollama" else call.arguments,
                    )
                    for call in choice.tool_calls
                ],
                "finish_reason": choice.finish_reason,
            }
            for choice in expected.choices
        ],
        "usage": (
            usage.prompt,
            usage.completion,
            usage.total,
            usage.cached,
            usage.cache_write,
            usage.reasoning,
        ),
        "reported": expected.reported_cost,
    }


def view_of_response(dialect: str, response: Response) -> dict[str, object]:
    usage = response.usage
    return {
        "id": response.id,
        "model": response.model,
        "choices": [
            {
                "index": choice.index,
                "text": choice.message.content or "",
                "reasoning": choice.message.reasoning or "",
                "refusal": choice.message.refusal or "",
                "tool_calls": [
                    (
                        call.type,
                        call.id,
                        call.function.name,
                        arguments_of(call.function.arguments) if dialect == "ollama" else call.function.arguments,
                    )
                    for call in choice.message.tool_calls
                ],
                "finish_reason": choice.finish_reason,
            }
            for choice in response.choices
        ],
        "usage": (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
        ),
        "reported": response.cost.reported,
    }


def check_money(dialect: str, expected: Expected, response: Response) -> None:
    cost = response.cost
    if dialect == "ollama":
        assert (cost.amount, cost.basis) == (Decimal(0), "free")
    elif expected.reported_cost is not None:
        assert (cost.amount, cost.basis) == (expected.billed_cost, "reported")
        assert str(cost.reported) == str(expected.reported_cost), "not the digits of the wire"
    else:
        assert cost.basis != "reported"


# --- the tests ----------------------------------------------------------------------------------------------


def test_the_table_has_every_recorded_line_once(lines: dict[tuple[str, str], Mapping[str, Any]]) -> None:
    """One row a line, one line a row."""
    rows = [(row.file, row.id) for row in ROWS]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(lines)


def test_the_table_speaks_of_dialects_and_errors_that_exist() -> None:
    """A row has one of the four dialects and ends in `ok` or in a class of the error tree; or it is out."""
    for row in ROWS:
        if row.outcome.startswith("out:"):
            assert row.dialect == "", row
        else:
            assert row.dialect in ("openrouter", "openai", "ollama", "ollama-v1"), row
            assert row.outcome == "ok" or issubclass(getattr(errors, row.outcome), errors.LLMError), row


def test_replayed_bodies_are_split_where_the_network_split_them(corpus: Corpus) -> None:
    """One HTTP chunk for each recorded read, and nothing lost in between."""
    assert any(len(exchange.pieces) > 1 for exchange in corpus.exchanges.values())
    for exchange in corpus.exchanges.values():
        parts = [chunk.partition(b"\r\n") for chunk in exchange.chunks()]
        sizes = [int(size, 16) for size, _, _ in parts]
        assert sizes == [length for length in exchange.pieces if length], exchange.id
        assert b"".join(data.removesuffix(b"\r\n") for _, _, data in parts) == exchange.body, exchange.id


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The long set asks each exchange sync and async; other sets once, in turn sync and async."""
    if {"row", "colour"} <= set(metafunc.fixturenames):
        colours: tuple[Colour, ...] = ("sync", "async")
        both = metafunc.config.getoption("long")
        asked = [
            pytest.param(row, colour, id=f"{row.id}-{colour}")
            for number, row in enumerate(ASKED)
            for colour in (colours if both else (colours[number % 2],))
        ]
        metafunc.parametrize(("row", "colour"), asked)


def test_a_recorded_exchange_is_read_as_its_bytes_say(row: Row, colour: Colour, corpus: Corpus) -> None:
    """The answer has what the bytes have, or the call ends in the error that they report."""
    exchange = corpus.exchanges[row.id]
    expected = read(cast("Dialect", row.dialect), status=exchange.status, body=exchange.body, stream=exchange.stream)
    assert (expected.fault is None) == (row.outcome == "ok"), (
        f"the table says {row.outcome}, the bytes {expected.fault}"
    )

    hits = corpus.server.hits[row.id]
    model = model_for(row.dialect, corpus.server, row.id)
    if colour == "sync":
        with model:
            seen = ask(model, stream=exchange.stream)
    else:
        seen = corpus.runner.run(aask(model, stream=exchange.stream))
    assert corpus.server.hits[row.id] == hits + 1, f"one call is one request: {seen.error}"

    if row.outcome != "ok":
        assert seen.error is not None, f"answered, where the bytes say {expected.fault}"
        assert (type(seen.error).__name__, seen.error.partial_text or "") == (
            row.outcome,
            expected.partial_text,
        )
        if exchange.stream:
            assert seen.texts[0] == expected.partial_text, "the chunks do not add up to what the error holds"
        return
    assert seen.error is None, f"{type(seen.error).__name__}: {seen.error}"
    assert seen.response is not None
    assert view_of_response(row.dialect, seen.response) == view_of_bytes(row.dialect, expected)
    check_money(row.dialect, expected, seen.response)
    if exchange.stream:
        for choice in expected.choices:
            assert seen.texts[choice.index] == choice.text, "the chunks do not add up to the answer"
