"""What Ollama must not get: references in schemas that pydantic makes, cache marks, and what llmkit found out itself."""

from __future__ import annotations

import json
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final, Literal, Optional

import pytest
from pydantic import BaseModel, Field

from llmkit import BadRequest, Message, TextPart, Tool
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import FunctionCall, ToolCall, to_messages
from llmkit_ollama.schemas import inline

PROVIDER: Final[Any] = get_provider("ollama")


class _Kind(Enum):
    CAT = "cat"
    DOG = "dog"


class _Tag(BaseModel):
    name: str = Field(description="in one word")
    weight: float = 1.0


class _Pet(BaseModel):
    kind: _Kind
    tags: list[_Tag] = []
    best: Optional[_Tag] = None  # noqa: UP045 - the older spelling makes the same schema
    by_name: dict[str, _Tag] = {}
    size: Literal["small", "large"] | None = None


class _House(BaseModel):
    pets: list[_Pet]
    first: _Pet
    either: _Pet | _Tag
    pair: tuple[_Tag, _Kind]


class _Node(BaseModel):
    children: list[_Node] = []


def sent(messages: Any, **settings: Any) -> dict[str, Any]:
    """The body of a call."""
    body: dict[str, Any] = json.loads(PROVIDER.build(Call("m", to_messages(messages), False, settings)).body)
    return body


def keys(value: Any) -> set[str]:
    """All keys of a document."""
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys(item)}
    return {key for item in value for key in keys(item)} if isinstance(value, list) else set()


def structured(model: type[BaseModel]) -> Any:
    return sent("hi", structured=model.model_json_schema())["format"]


def tool(model: type[BaseModel]) -> Any:
    made = {"type": "function", "function": {"name": "f", "parameters": model.model_json_schema()}}
    return sent("hi", tools=[made])["tools"][0]["function"]["parameters"]


@pytest.mark.parametrize("made", [structured, tool])
@pytest.mark.parametrize("model", [_Tag, _Pet, _House])
def test_schemas_of_pydantic_go_out_without_references(model: type[BaseModel], made: Any) -> None:
    """Nested models, enums, options, lists, mappings and pairs: what a reference names stands in its place."""
    schema = made(model)
    assert not keys(schema) & {"$ref", "$defs", "definitions"}
    assert set(schema["properties"]) == set(model.model_fields)


def test_what_a_reference_names_is_whole() -> None:
    """An enum has its values, an optional model its fields, a list the fields of its items."""
    pet = structured(_House)["properties"]["pets"]["items"]["properties"]
    assert pet["kind"]["enum"] == ["cat", "dog"]
    assert pet["tags"]["items"]["properties"]["name"]["description"] == "in one word"
    assert [item.get("type") for item in pet["best"]["anyOf"]] == ["object", "null"]
    assert pet["by_name"]["additionalProperties"]["required"] == ["name"]


@pytest.mark.parametrize("made", [structured, tool])
def test_a_recursive_model_is_refused(made: Any) -> None:
    """A model that holds itself has no form without references; the error says so."""
    with pytest.raises(BadRequest, match="refers to itself") as caught:
        made(_Node)
    assert "recursive" in caught.value.hint


def test_the_schema_that_is_validated_against_stays_whole() -> None:
    """Only what goes out is changed."""
    schema = _House.model_json_schema()
    inline(schema)
    assert schema == _House.model_json_schema()


def test_cache_marks_do_not_go_out() -> None:
    """Ollama knows no cache breakpoints; text that bears one goes out as plain text."""
    mark = {"cache_control": {"type": "ephemeral"}}
    messages: list[Any] = [
        {"role": "system", "content": [{"type": "text", "text": "long", **mark}, {"type": "text", "text": "er"}]},
        Message("user", (TextPart("hi", mark),), extra=mark),
        {"role": "user", "content": "plain", **mark},
    ]
    body = sent(messages)
    assert body["messages"] == [
        {"role": "system", "content": "longer"},
        {"role": "user", "content": "hi"},
        {"role": "user", "content": "plain"},
    ]


def test_a_call_that_does_not_fit_its_tool_goes_back_as_it_came() -> None:
    """Arguments that are an object, but not the one that the tool takes, can stand in the history of the next call."""
    call = ToolCall("a", FunctionCall("f", '{"x": "no"}'), mismatch="x is not a number")
    assert call.arguments is None
    body = sent([Message("user", "hi"), Message("assistant", tool_calls=(call,)), Message("tool", "x is not a number")])
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == {"x": "no"}


class _Cat(BaseModel):
    kind: Literal["cat"]


class _Dog(BaseModel):
    kind: Literal["dog"]


def test_what_a_tool_would_lose_is_said_otherwise() -> None:
    """Of a tool's schema the server drops `oneOf` and `const` in silence; `anyOf` and `enum` say the same to a model."""

    def adopt(pet: Annotated[_Cat | _Dog, Field(discriminator="kind")], const: Literal["x"] = "x") -> None: ...

    tool = {"type": "function", "function": {"name": "adopt", "parameters": Tool.from_function(adopt).parameters}}
    before = json.dumps(tool)
    (made,) = sent("hi", tools=[tool])["tools"]
    pet, const = (made["function"]["parameters"]["properties"][name] for name in ("pet", "const"))
    assert [one["properties"]["kind"]["enum"] for one in pet["anyOf"]] == [["cat"], ["dog"]]
    assert const["enum"] == ["x"]
    assert not keys(made) & {"oneOf", "$ref"}
    assert json.dumps(tool) == before
    # A structure is held to by grammar, which takes both.
    assert sent("hi", structured={"type": "object", "properties": {"x": {"const": 1}}})["format"]["properties"] == {
        "x": {"const": 1}
    }


def test_what_stands_beside_a_keyword_that_is_kept_is_not_replaced() -> None:
    """A schema that says both keeps what the server reads."""
    parameters = {
        "type": "object",
        "properties": {"x": {"const": 1, "enum": [1, 2], "oneOf": [{}], "anyOf": [{"a": 1}]}},
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    assert sent("hi", tools=[tool])["tools"] == [tool]


def test_what_a_tool_would_lose_is_said_in_words() -> None:
    """Formats, bounds and what a dict holds vanish from a tool's schema; its description tells them to the model."""

    def book(
        at: datetime,
        seats: Annotated[int, Field(ge=1, le=9, description="how many")],
        by_name: dict[str, _Cat],
        anything: dict[str, Any],
    ) -> None: ...

    tool = Tool.from_function(book).to_dict()
    (made,) = sent("hi", tools=[tool])["tools"]
    told = {name: one.get("description") for name, one in made["function"]["parameters"]["properties"].items()}
    assert told["at"] == 'format: "date-time"'
    assert told["seats"] == "how many (minimum: 1, maximum: 9)"
    assert told["by_name"].startswith("each value: {")
    assert '"enum":["cat"]' in told["by_name"]
    assert told["anything"] is None
    assert "description" not in made["function"]["parameters"]
