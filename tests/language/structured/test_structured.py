"""Structured output: how it is asked for, what is a value and what is not, asking again, and what it costs."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, field_validator
from typing_extensions import TypedDict

from llmkit import ConfigError, InvalidStructure, Response, Unsupported, register_provider, unregister_provider
from llmkit.language.structured.schemas import find_mismatch
from llmkit.language.structured.shape import Shape, to_shape
from llmkit.testing import Answer, FakeModel
from llmkit.testing.simulator import Reply, Simulator
from llmkit.types.model_info import ModelInfo
from llmkit.wire.chat import ChatProvider
from tests.conftest import PROVIDERS, Drive


class City(BaseModel):
    """A city."""

    name: str
    population: int


class Bill(BaseModel):
    """Money."""

    total: Decimal
    share: float = 1.0


class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """A dataclass."""

    x: float
    y: float


class Row(TypedDict):
    """A typed dict."""

    id: int


class Tags(RootModel[list[str]]):
    """A list as a class."""


PARIS = '{"name": "Paris", "population": 2102650}'
SCHEMA = {
    "title": "a city!",
    "type": "object",
    "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["name", "population"],
}
OPENAI_FORM = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": SCHEMA}}
STRICT_CITY = {
    "title": "City",
    "description": "A city.",
    "type": "object",
    "properties": {"name": {"title": "Name", "type": "string"}, "population": {"title": "Population", "type": "integer"}},
    "required": ["name", "population"],
    "additionalProperties": False,
}  # fmt: skip


def sent(sim: Simulator) -> list[dict[str, Any]]:
    """The bodies of all chat requests."""
    return [json.loads(request.body) for request in sim.requests]


# What is a value.

VALUES: list[tuple[Any, str, Any]] = [
    (City, PARIS, City(name="Paris", population=2102650)),
    (City, f"\n {PARIS}\n", City(name="Paris", population=2102650)),
    (Point, '{"x": 1, "y": 2.5}', Point(1.0, 2.5)),
    (Row, '{"id": 1}', {"id": 1}),
    (Colour, '{"value": "blue"}', Colour.BLUE),
    (Literal["yes", "no"], '{"value": "no"}', "no"),
    (list[City], f'{{"value": [{PARIS}]}}', [City(name="Paris", population=2102650)]),
    (City | Point, '{"value": {"x": 0, "y": 0}}', Point(0, 0)),
    (Annotated[int, Field(ge=1)], '{"value": 3}', 3),
    (Tags, '{"value": ["a"]}', Tags(["a"])),
    (dict[str, date], '{"a": "2026-07-02"}', {"a": date(2026, 7, 2)}),
    (tuple[int, str], '{"value": [1, "a"]}', (1, "a")),
    (bool, '{"value": true}', True),
    ({"type": "json"}, PARIS, json.loads(PARIS)),
    ({"type": "json"}, "[1, null]", [1, None]),
    ({"type": "json_object"}, "{}", {}),
    (SCHEMA, PARIS, json.loads(PARIS)),
    (OPENAI_FORM, PARIS, json.loads(PARIS)),
    ({"type": "array", "items": {"type": "integer"}}, '{"value": [1, 2]}', [1, 2]),
    ({"enum": ["a", "b"]}, '{"value": "b"}', "b"),
    ({"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/s"}], "$defs": {"s": {"type": "string"}}}, '{"value": "b"}', "b"),
    ({"type": ["array", "null"], "items": {"$ref": "#"}}, '{"value": [[null], []]}', [[None], []]),
    ({"properties": {"a": {"type": "number", "multipleOf": 0.01}}}, '{"a": 19.99}', {"a": 19.99}),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "text", "value"), VALUES)
def test_a_text_is_a_value(asked: Any, text: str, value: Any) -> None:
    """Every form of `structured=` reads its text as a value of it; what is no object stands in one as `value`."""
    parsed = to_shape(asked).parse(text, fenced=False)
    assert parsed == value
    assert type(parsed) is type(value)


WRONG: list[tuple[Any, str, str]] = [
    (City, "", "it is empty"),
    (City, "  \n", "it is empty"),
    (City, "Paris", "not JSON: Expecting value at line 1 column 1"),
    (City, f"Here it is: {PARIS}", "not JSON"),
    (City, f"{PARIS} Enjoy!", "Extra data"),
    (City, f"```json\n{PARIS}\n```", "not JSON"),
    (City, PARIS[:-1], "not JSON"),
    (City, '{"name": "Paris"}', "population: Field required"),
    (City, '{"name": 1, "population": "many"}', "name: Input should be a valid string (it is 1)\npopulation: "),
    (City, "[]", "Input should be an object"),
    (City, "null", "Input should be an object (it is None)"),
    (list[City], '{"value": [{"name": "a", "population": 1}, {"name": "b"}]}', "value[1].population: Field required"),
    (list[City], "[]", "Input should be an object"),
    (list[int], '{"value": []  , "more": 1}', "more: Extra inputs"),
    (Colour, '{"value": "green"}', "value: Input should be 'red' or 'blue' (it is 'green')"),
    (SCHEMA, '{"name": 1, "population": 2}', "name: 1 is not of type 'string'"),
    (SCHEMA, "{}", "'name' is a required property"),
    (OPENAI_FORM, '{"name": "a"}', "'population' is a required property"),
    ({"type": "array", "items": {"type": "integer"}}, '{"value": ["x"]}', "value[0]: 'x' is not of type 'integer'"),
    ({"type": "array"}, "[]", "[] is not of type 'object'"),
    ({"type": "json"}, "{'a': 1}", "not JSON"),
    ({"type": "json"}, '{"a": NaN}', "NaN is not JSON"),
    ({"type": "json"}, "-Infinity", "-Infinity is not JSON"),
    ({"type": "json"}, '{"a": 1, "b": {"c": 1, "c": 2}}', "the name 'c' stands twice"),
    ({"type": "json"}, "1e999", "too large"),
    ({"type": "json"}, "1" * 5000, "not JSON that can be read"),
    ({"type": "json"}, "[" * 100_000, "nested too deeply"),
    (Bill, '{"total": NaN}', "NaN is not JSON"),
    (Bill, '{"total": 1, "share": 1e999}', "too large"),
    ({"type": "number", "multipleOf": 0.01}, '{"value": 19.999}', "19.999 is not a multiple of 0.01"),
]


@pytest.mark.parametrize(("asked", "text", "problem"), WRONG)
def test_a_text_that_is_no_value_says_why(asked: Any, text: str, problem: str) -> None:
    """The error has the raw text and the reason, with the place."""
    with pytest.raises(InvalidStructure) as caught:
        to_shape(asked).parse(text, fenced=False)
    error = caught.value
    assert problem in error.problem
    assert error.problem in str(error)
    assert error.text == error.partial_text == text
    assert len(error.problem) < 400


@pytest.mark.parametrize(
    "text",
    [
        PARIS,
        f"```json\n{PARIS}\n```",
        f"```\n{PARIS}\n```",
        f"  ```JSON\r\n{PARIS}\r\n```  \n",
        f"```json \n{PARIS}```",
    ],
)
def test_an_instructed_answer_may_stand_in_one_fence(text: str) -> None:
    """Where only an instruction asks, one Markdown fence around the value is taken off."""
    assert to_shape(City).parse(text, fenced=True) == City(name="Paris", population=2102650)


@pytest.mark.parametrize("text", [f"Sure:\n```json\n{PARIS}\n```", f"```json\n```json\n{PARIS}\n```\n```"])
def test_nothing_else_is_taken_off(text: str) -> None:
    """A value is not looked for in other text."""
    with pytest.raises(InvalidStructure):
        to_shape(City).parse(text, fenced=True)


def test_a_long_list_of_problems_is_cut() -> None:
    """At most eight lines, a word on how many more, and no long quotes of the answer."""
    rows = [{"name": "x" * 500, "population": "y" * 500}] * 10
    with pytest.raises(InvalidStructure) as caught:
        to_shape(list[City]).parse(json.dumps({"value": rows}), fenced=False)
    lines = caught.value.problem.splitlines()
    assert len(lines) == 9
    assert lines[-1] == "and 2 more"
    assert all(len(line) < 200 for line in lines)
    assert "http" not in caught.value.problem


def test_a_key_in_an_answer_is_not_in_the_message() -> None:
    """What looks like a credential is taken out of the message; the raw text stays with the error."""
    key = "sk-or-v1-0123456789abcdef0123456789abcdef"
    for asked in (City, SCHEMA):
        with pytest.raises(InvalidStructure) as caught:
            to_shape(asked).parse(json.dumps({"name": "a", "population": key}), fenced=False)
        assert key not in str(caught.value)
        assert key in caught.value.text


def test_a_validator_of_ones_own_that_breaks_is_told() -> None:
    """A `ValueError` of a validator is its message; any other exception is named."""

    class Picky(BaseModel):
        """It does not take everything."""

        mode: str

        @field_validator("mode")
        @classmethod
        def known(cls, value: str) -> str:
            """Only one is taken."""
            if value == "odd":
                raise ValueError("odd is not known")
            return {"good": "good"}[value]

    shape = to_shape(Picky)
    assert shape.parse('{"mode": "good"}', fenced=False) == Picky(mode="good")
    for text, problem in (
        ("odd", "mode: Value error, odd is not known"),
        ("bad", "a validator raised KeyError: 'bad'"),
    ):
        with pytest.raises(InvalidStructure) as caught:
            shape.parse(json.dumps({"mode": text}), fenced=False)
        assert problem in caught.value.problem


# Money.


@pytest.mark.parametrize(
    "digits", ["0.1", "1.10", "0.1234567890123456789012345", "12345678901234567.89", "1E+2", "-0.00000000000000000001"]
)
def test_a_decimal_is_the_number_that_was_written(digits: str) -> None:
    """No digit of a number goes through a float where the type is `Decimal`; as text it is exact too."""
    shape = to_shape(Bill)
    for form in (digits, json.dumps(digits)):
        bill = shape.parse(f'{{"total": {form}, "share": 0.1}}', fenced=False)
        assert bill.total == Decimal(digits)
        assert isinstance(bill.share, float)


def test_a_number_that_cannot_be_exact_is_refused() -> None:
    """Where a strict field allows no exact way, the answer is refused, not rounded."""

    class Dated(BaseModel):
        """Pydantic takes the date from JSON only."""

        total: Decimal
        day: Annotated[date, Field(strict=True)]

    shape = to_shape(Dated)
    assert shape.parse('{"total": 0.5, "day": "2026-07-02"}', fenced=False).total == Decimal("0.5")
    with pytest.raises(InvalidStructure, match="more digits"):
        shape.parse('{"total": 0.1234567890123456789, "day": "2026-07-02"}', fenced=False)


# What cannot be asked for.


def function(city: str) -> None:
    """No type."""


class Opaque:
    """Pydantic does not know it."""


@pytest.mark.covering(1)
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (function, "is a function"),
        (len, "is a function"),
        (Opaque, "has no JSON schema"),
        (list[Opaque], "has no JSON schema"),
        (Opaque(), "has no JSON schema"),
        ({"type": "strin"}, "type: 'strin' is not valid"),
        ({"type": "object", "properties": {"a": {"type": "object", "required": "a"}}}, "properties.a.required"),
        ({"type": "string", "pattern": "("}, "pattern"),
        ({"$ref": "#/$defs/none"}, "#/$defs/none"),
        ({"type": "array", "items": {"$ref": "https://example.com/x"}}, "https://example.com/x"),
        ({"type": "object", "default": {1, 2}}, "not JSON"),
        ({"type": "object", "default": math.nan}, "not JSON"),
        ({"type": "json_schema"}, "json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"schema": {"type": "strin"}}}, "strin"),
        ({"type": "json", "schema": {}}, "json"),
        ({}, "not an empty dict"),
        ("json", "structured"),
        (5, "structured"),
    ],
)
def test_what_is_no_structure_is_refused_before_anything_is_sent(
    sim: Simulator, drive: Drive, asked: Any, words: str
) -> None:
    """A schema that is not valid, a type without one, and anything else are a ConfigError; nothing goes out."""
    model = drive.make(sim, "openai")
    with pytest.raises(ConfigError) as caught:
        drive.ask(model, structured=asked)
    assert words in str(caught.value)
    assert not sim.requests


def test_a_type_is_described_once() -> None:
    """The schema of a type is made once; a type that cannot be hashed works too."""
    assert to_shape(City) is to_shape(City)
    unhashable = Annotated[int, {"a": 1}]
    assert to_shape(unhashable).parse('{"value": 1}', fenced=False) == 1


# How it is asked for.


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_type_goes_out_as_a_strict_schema(sim: Simulator, drive: Drive, mode: str, provider: str) -> None:
    """The service's own form carries the schema, and the answer is a value of the type."""
    sim.script(Reply(text=PARIS))
    response = drive.response(drive.make(sim, provider), mode, structured=City)
    assert response.parsed == City(name="Paris", population=2102650)
    assert response.structured_by == "native"
    assert response.content == PARIS
    (body,) = sent(sim)
    if provider == "ollama":
        assert body["format"] == STRICT_CITY
    else:
        form = {"name": "City", "schema": STRICT_CITY, "strict": True}
        assert body["response_format"] == {"type": "json_schema", "json_schema": form}
    assert body["messages"] == [{"role": "user", "content": "hello"}]


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("asked", [City, Point, Row, Colour, list[City], Bill, SCHEMA, {"type": "json"}])
def test_every_provider_takes_every_form(sim: Simulator, drive: Drive, mode: str, provider: str, asked: Any) -> None:
    """The simulator answers with a value of the schema that it was sent, and that value validates."""
    response = drive.response(drive.make(sim, provider), mode, structured=asked)
    assert response.parsed is not None
    assert response.structured_by == "native"


@pytest.mark.parametrize(
    ("asked", "form"),
    [
        ({"type": "json"}, {"type": "json_object"}),
        (OPENAI_FORM, OPENAI_FORM),
        (SCHEMA, {"type": "json_schema", "json_schema": {"name": "a_city_", "schema": SCHEMA}}),
    ],
)
@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_a_schema_of_ones_own_goes_out_as_it_is(
    sim: Simulator, drive: Drive, provider: str, asked: Any, form: dict[str, object]
) -> None:
    """Free JSON, OpenAI's form and a schema are not changed."""
    sim.script(Reply(text=PARIS))
    drive.ask(drive.make(sim, provider), structured=asked)
    assert sent(sim)[0]["response_format"] == form


@pytest.mark.parametrize(("asked", "form"), [({"type": "json"}, "json"), (OPENAI_FORM, SCHEMA), (SCHEMA, SCHEMA)])
def test_ollama_gets_the_schema_itself(sim: Simulator, drive: Drive, asked: Any, form: object) -> None:
    """Ollama's `format` is the schema, without OpenAI's wrapping."""
    sim.script(Reply(text=PARIS))
    drive.ask(drive.make(sim, "ollama"), structured=asked)
    assert sent(sim)[0]["format"] == form


def test_a_type_without_a_strict_form_goes_out_without_strict(sim: Simulator, drive: Drive) -> None:
    """An open dict cannot be strict; its schema is sent all the same."""
    sim.script(Reply(text='{"a": 1}'))
    assert drive.ask(drive.make(sim, "openai"), structured=dict[str, int]).parsed == {"a": 1}
    (body,) = sent(sim)
    assert "strict" not in body["response_format"]["json_schema"]


class Plain(ChatProvider):
    """A service without structured output."""

    title = "Plain"
    supported = ChatProvider.supported - {"structured"}


class JsonOnly(ChatProvider):
    """A service whose models have free JSON at most, says its own table."""

    title = "JsonOnly"
    rows: ClassVar = {
        "json": frozenset({"response_format"}),
        "none": frozenset({"temperature"}),
        "schemas": frozenset({"response_format", "structured_outputs"}),
    }

    def known_model(self, model: str) -> ModelInfo | None:
        """What the table says; `None` for a model that is not in it."""
        return ModelInfo(model, supported_parameters=self.rows[model]) if model in self.rows else None


@pytest.fixture
def made(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The two services, at the simulator's address."""
    for name, kind in (("plain", Plain), ("jsononly", JsonOnly)):
        monkeypatch.setattr(kind, "default_base_url", sim.openai_url)
        register_provider(name, kind, replace=True)
    yield
    for name in ("plain", "jsononly"):
        unregister_provider(name)


@pytest.mark.usefixtures("made")
def test_without_a_form_of_its_own_an_instruction_asks(sim: Simulator, drive: Drive, mode: str) -> None:
    """The schema goes in a system turn, nothing in the body, and the response says that it was asked by words."""
    sim.script(Reply(text=f"```json\n{PARIS}\n```"))
    response = drive.response(drive.make(sim, "plain", "m"), mode, structured=City)
    assert response.parsed == City(name="Paris", population=2102650)
    assert response.structured_by == "instruction"
    (body,) = sent(sim)
    assert "response_format" not in body
    system, user = body["messages"]
    assert system["role"] == "system"
    assert "JSON only" in system["content"]
    assert '"population":{"title":"Population","type":"integer"}' in system["content"]
    assert user == {"role": "user", "content": "hello"}


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("model", "asked", "form", "by"),
    [
        ("json", City, "json_object", "instruction"),
        ("json", {"type": "json"}, "json_object", "native"),
        ("none", City, None, "instruction"),
        ("none", {"type": "json"}, None, "instruction"),
        ("schemas", City, "json_schema", "native"),
        ("schemas", {"type": "json"}, "json_object", "native"),
        ("unknown", City, "json_schema", "native"),
    ],
)
def test_what_the_model_has_decides(
    sim: Simulator, drive: Drive, model: str, asked: Any, form: str | None, by: str
) -> None:
    """Schemas by the service's form where the model has them, else words, with its free JSON where it has that."""
    sim.script(Reply(text=PARIS))
    response = drive.ask(drive.make(sim, "jsononly", model, base_url=None), structured=asked)
    assert response.structured_by == by
    (body,) = sent(sim)
    assert body.get("response_format", {}).get("type") == form
    assert ("JSON only" in body["messages"][0]["content"]) is (by == "instruction")


def test_the_user_decides(sim: Simulator, drive: Drive, mode: str) -> None:
    """`structured_by="instruction"` asks by words, also where the service has a form."""
    sim.script(Reply(text=PARIS))
    response = drive.response(drive.make(sim, "openai"), mode, structured=City, structured_by="instruction")
    assert response.structured_by == "instruction"
    assert response.parsed.name == "Paris"
    assert "response_format" not in sent(sim)[0]


@pytest.mark.usefixtures("made")
def test_a_form_that_is_not_there_cannot_be_chosen(sim: Simulator, drive: Drive) -> None:
    """`structured_by="native"` with a service that has none is `Unsupported`."""
    with pytest.raises(Unsupported, match="Plain has no structured output"):
        drive.ask(drive.make(sim, "plain", "m"), structured=City, structured_by="native")
    assert not sim.requests


@pytest.mark.parametrize(
    ("content", "before"),
    [
        ("Be brief.", "Be brief.\n\n"),
        ([{"type": "text", "text": "Be brief."}], [{"type": "text", "text": "Be brief."}]),
    ],
)
def test_an_instruction_joins_the_system_turn(sim: Simulator, drive: Drive, content: Any, before: Any) -> None:
    """There is one system turn: the user's, with the instruction at its end."""
    sim.script(Reply(text=PARIS))
    turns = [{"role": "system", "content": content}, {"role": "user", "content": "Paris?"}]
    drive.ask(drive.make(sim, "openai"), turns, structured=City, structured_by="instruction")
    system, user = sent(sim)[0]["messages"]
    assert system["content"][: len(before)] == before
    assert "JSON only" in str(system["content"][len(before) :])
    assert user["content"] == "Paris?"


# What is no answer of that kind.


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(refusal="I cannot do that."),
        Reply(text="I", finish_reason="content_filter"),
        Reply(tool_calls=[("weather", '{"city": "Paris"}')]),
    ],
)
def test_a_refusal_a_filter_and_a_tool_call_have_no_value(
    sim: Simulator, drive: Drive, mode: str, provider: str, reply: Reply
) -> None:
    """They are answers; `parsed` is `None`."""
    sim.script(reply)
    response = drive.response(drive.make(sim, provider), mode, structured=City, structured_retries=3)
    assert response.parsed is None
    assert response.structured_by == "native"
    assert len(sim.requests) == 1


def test_the_first_of_several_answers_is_read(sim: Simulator, drive: Drive) -> None:
    """With `n` above 1, `parsed` is the value of the first choice."""
    sim.script(Reply(text=PARIS))
    response = drive.ask(drive.make(sim, "openai"), structured=City, n=2)
    assert len(response.choices) == 2
    assert response.parsed == City(name="Paris", population=2102650)


def test_a_call_without_structure_has_no_value(sim: Simulator, drive: Drive, mode: str) -> None:
    """Without `structured=`, JSON in the answer is text."""
    sim.script(Reply(text=PARIS))
    response = drive.response(drive.make(sim, "openai"), mode)
    assert (response.parsed, response.structured_by) == (None, None)


# Asking again.

COSTS = [Decimal("0.000000000000000000011"), Decimal("0.25"), Decimal("0.003")]
BAD = '{"name": "Paris"}'


@pytest.mark.parametrize(
    ("texts", "retries", "asked", "works"),
    [
        ([PARIS], 0, 1, True),
        ([PARIS], 3, 1, True),
        ([BAD], 0, 1, False),
        ([BAD, PARIS], 1, 2, True),
        ([BAD, BAD], 1, 2, False),
        ([BAD, "no", PARIS], 2, 3, True),
        ([BAD, "no", PARIS], 5, 3, True),
        ([BAD, "no", "{}"], 2, 3, False),
    ],
)
def test_an_answer_that_does_not_validate_is_asked_for_again(
    sim: Simulator, drive: Drive, texts: list[str], retries: int, asked: int, works: bool
) -> None:
    """As often as `structured_retries` says. Every answer is an attempt, and each is paid for, to the last digit."""
    sim.script(*(Reply(text=text, cost=cost) for text, cost in zip(texts, COSTS, strict=False)))
    model = drive.make(sim, "openrouter")
    if works:
        result: Response | InvalidStructure = drive.ask(model, structured=City, structured_retries=retries)
        assert isinstance(result, Response)
        assert result.parsed == City(name="Paris", population=2102650)
        assert result.cost.amount == COSTS[asked - 1]
    else:
        with pytest.raises(InvalidStructure) as caught:
            drive.ask(model, structured=City, structured_retries=retries)
        result = caught.value
        assert result.text == texts[-1]
        assert result.partial is not None
        assert result.partial.cost.amount == COSTS[asked - 1]
    outcomes = ["InvalidStructure"] * (asked - 1) + ["ok" if works else "InvalidStructure"]
    assert [attempt.outcome for attempt in result.attempts] == outcomes
    assert [attempt.cost.amount for attempt in result.attempts] == COSTS[:asked]
    assert len(sim.requests) == asked
    assert model.totals().amount == sum(COSTS[:asked])
    assert model.totals().unknown == 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_model_is_told_what_was_wrong(sim: Simulator, drive: Drive, provider: str) -> None:
    """The conversation goes on: the answer as it was, and why it does not do. The form is asked for again."""
    sim.script(Reply(text=BAD), Reply(text=PARIS))
    drive.ask(drive.make(sim, provider), "Paris?", structured=City, structured_retries=1)
    first, second = sent(sim)
    question, answer, again = second["messages"]
    assert [question] == first["messages"]
    assert (answer["role"], answer["content"]) == ("assistant", BAD)
    assert again["role"] == "user"
    assert "population: Field required" in again["content"]
    form = "format" if provider == "ollama" else "response_format"
    assert second[form] == first[form]


def test_each_round_tells_the_one_before(sim: Simulator, drive: Drive) -> None:
    """The second retry shows both answers that failed."""
    sim.script(Reply(text=BAD), Reply(text="no"), Reply(text=PARIS))
    drive.ask(drive.make(sim, "openai"), structured=City, structured_retries=2)
    roles = [turn["role"] for turn in sent(sim)[2]["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


def test_what_was_cut_is_not_asked_for_again(sim: Simulator, drive: Drive, mode: str) -> None:
    """An answer that ended at its token limit would be cut there again; the error says what to raise."""
    sim.script(Reply(text='{"name": "Par', finish_reason="length"), Reply(text=PARIS))
    error = drive.failure(drive.make(sim, "openai"), mode, structured=City, structured_retries=3)
    assert isinstance(error, InvalidStructure)
    assert "max_tokens" in str(error)
    assert len(sim.requests) == 1


def test_a_whole_value_that_was_cut_after_its_end_is_one(sim: Simulator, drive: Drive) -> None:
    """A token limit behind the last brace does no harm."""
    sim.script(Reply(text=PARIS, finish_reason="length"))
    response = drive.ask(drive.make(sim, "openai"), structured=City)
    assert response.truncated
    assert response.parsed.name == "Paris"


def test_the_next_target_gets_its_turn(sim: Simulator, drive: Drive) -> None:
    """When a target gives no valid value, and was asked again as often as allowed, the chain goes on."""
    sim.script(Reply(text=BAD), Reply(text=BAD), Reply(text=PARIS))
    spare = drive.make(sim, "openai", "gpt-4o")
    model = drive.make(sim, "openrouter", fallbacks=[spare])
    response = drive.ask(model, structured=City, structured_retries=1)
    assert response.parsed.name == "Paris"
    assert [(attempt.provider, attempt.outcome) for attempt in response.attempts] == [
        ("openrouter", "InvalidStructure"),
        ("openrouter", "InvalidStructure"),
        ("openai", "ok"),
    ]
    assert len(sent(sim)[2]["messages"]) == 1, "the next target is asked anew"


def test_the_transport_is_retried_as_ever(sim: Simulator, drive: Drive) -> None:
    """A server error between two answers is the retry policy's affair, and uses up no structured retry."""
    sim.script(Reply(status=503), Reply(text=BAD), Reply(status=503), Reply(text=PARIS))
    response = drive.ask(drive.make(sim, "openai"), structured=City, structured_retries=1)
    assert response.parsed.name == "Paris"
    outcomes = [attempt.outcome for attempt in response.attempts]
    assert outcomes == ["Overloaded", "InvalidStructure", "Overloaded", "ok"]
    assert len(sent(sim)[3]["messages"]) == 3, "what was wrong is still said"


# Around it.


def test_a_response_with_a_value_can_be_kept(sim: Simulator, drive: Drive) -> None:
    """It pickles with its value; its dict form is JSON, without the value."""
    sim.script(Reply(text=PARIS))
    response = drive.ask(drive.make(sim, "openai"), structured=City)
    assert pickle.loads(pickle.dumps(response)).parsed == response.parsed
    again = Response.from_dict(json.loads(json.dumps(response.to_dict())))
    assert (again.content, again.parsed) == (PARIS, None)


def test_the_error_can_be_pickled() -> None:
    """Text and problem come through."""
    error = pickle.loads(pickle.dumps(InvalidStructure("it is empty", text="x")))
    assert (error.problem, error.text) == ("it is empty", "x")


def test_a_fake_model_has_structure_too() -> None:
    """`FakeModel` reads, refuses and asks again as a real one."""
    model = FakeModel(BAD, Answer(text=PARIS))
    assert model.chat_complete("Paris?", structured=City, structured_retries=1).parsed.population == 2102650
    assert "Field required" in model.calls[1].messages[-1].text
    with pytest.raises(InvalidStructure):
        FakeModel("no").chat_complete("Paris?", structured=City)


# Any JSON.

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=15
)
FREE: Shape = to_shape({"type": "json"})


def schema_for(value: Any) -> dict[str, object]:
    """A schema that this value, and hardly another one, fits."""
    if isinstance(value, dict):
        properties = {name: schema_for(item) for name, item in value.items()}
        return {"type": "object", "properties": properties, "required": list(value), "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array", "minItems": len(value), "maxItems": len(value)}
    return {"const": value}


@settings(deadline=None)
@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_any_json_is_read_as_what_it_is(value: Any, ascii_only: bool, indent: int | None) -> None:
    """Written and read, with or without a schema that it fits, a value stays the same."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert FREE.parse(text, fenced=False) == value
    assert FREE.parse(f"```json\n{text}\n```", fenced=True) == value
    schema = schema_for(value)
    assert find_mismatch(schema, value) is None
    shape = to_shape(schema)
    whole = json.dumps({"value": value}) if shape.wrapped else text
    assert shape.parse(whole, fenced=False) == value


@settings(deadline=None)
@given(JSON, st.booleans())
def test_every_beginning_can_be_looked_at(value: Any, fenced: bool) -> None:
    """`so_far` never raises, whatever has come, and gives the value when all of it has."""
    text = json.dumps(value)
    if fenced:
        text = f"```json\n{text}"
    for end in range(len(text)):
        FREE.parse_partial(text[:end])
    assert FREE.parse_partial(text) == value


@settings(deadline=None)
@given(st.text(), st.booleans())
def test_any_text_is_a_value_or_an_error(text: str, fenced: bool) -> None:
    """No text raises anything but `InvalidStructure`."""
    for asked in ({"type": "json"}, SCHEMA, City, list[int]):
        shape = to_shape(asked)
        shape.parse_partial(text)
        with suppress(InvalidStructure):
            shape.parse(text, fenced=fenced)
