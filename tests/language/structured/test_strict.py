"""Strict schemas: the form that services hold an answer to, and what has none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from llmkit.language.structured.schemas import find_mismatch
from llmkit.language.structured.strict import resolve_reference, strict_schema

ALLOWED = {
    "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "$ref", "$defs",
    "definitions", "description", "title", "pattern", "format", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "minItems", "maxItems",
}  # fmt: skip
FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}


class Colour(Enum):
    """A choice of words."""

    RED = "red"
    BLUE = "blue"


class City(BaseModel):
    """Plain fields, an optional one, one with a default."""

    name: str
    population: int = Field(ge=0, description="inhabitants")
    mayor: str | None = None
    capital: bool = False


class Trip(BaseModel):
    """Nested, with words beside a reference."""

    start: City = Field(description="where it begins")
    stops: list[City] = []
    colour: Colour = Field(Colour.RED, description="of the line")


class Node(BaseModel):
    """It refers to itself."""

    value: int
    children: list[Node] = []
    parent: Node | None = Field(None, description="above")


class Cat(BaseModel):
    """One of two kinds."""

    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"]
    name: str


class Owner(BaseModel):
    """A tagged union."""

    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class Money(BaseModel):
    """Types that JSON has no word for."""

    amount: Decimal
    day: date
    identity: UUID
    mixed: Literal[1, "a"] | None
    note: Annotated[str, Field(pattern="^[a-z]+$")]


class Row(TypedDict):
    """A typed dict."""

    id: int
    tag: NotRequired[str]


@dataclass
class Point:
    """A dataclass."""

    x: float
    y: float = 0.0


class Empty(BaseModel):
    """No fields."""


#: A type, and values of its strict schema.
TYPES: list[tuple[Any, list[Any]]] = [
    (City, [{"name": "Paris", "population": 1, "mayor": None, "capital": True}]),
    (Trip, [{"start": {"name": "a", "population": 0, "mayor": "m", "capital": False}, "stops": [], "colour": "blue"}]),
    (Node, [{"value": 1, "children": [{"value": 2, "children": [], "parent": None}], "parent": None}]),
    (Owner, [{"pet": {"kind": "cat", "lives": 9}}, {"pet": {"kind": "dog", "name": "Rex"}}]),
    (Money, [{"amount": "1.10", "day": "2026-07-02", "identity": str(UUID(int=1)), "mixed": None, "note": "x"}]),
    (Row, [{"id": 1, "tag": "x"}]),
    (Point, [{"x": 1.5, "y": 2}]),
    (Empty, [{}]),
]


def breaks(schema: Any, *, root: bool = True) -> list[str]:
    """What in a schema strict mode would refuse."""
    if not isinstance(schema, dict):
        return [f"{schema!r} is no schema"]
    found = [f"keyword {key}" for key in schema.keys() - ALLOWED]
    if "$ref" in schema:
        return found + (["a reference with something beside it"] if len(schema) > 1 else [])
    if not {"type", "anyOf"} & schema.keys():
        found.append("no type")
    if root and (schema.get("type") != "object" or "anyOf" in schema):
        found.append("the root is no object")
    kinds = schema.get("type", ())
    if "object" in ([kinds] if isinstance(kinds, str) else kinds):
        if schema.get("additionalProperties") is not False:
            found.append("an open object")
        if list(schema["properties"]) != schema["required"]:
            found.append("an optional property")
    if "format" in schema and schema["format"] not in FORMATS:
        found.append(f"format {schema['format']}")
    if "(?" in schema.get("pattern", ""):
        found.append("a pattern that looks around")
    parts = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    parts += [schema["items"]] if "items" in schema else []
    return found + [text for part in parts for text in breaks(part, root=False)]


def references(value: Any) -> list[str]:
    """All references."""
    if isinstance(value, list):
        return [text for item in value for text in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [text for item in value.values() for text in references(item)]


@pytest.mark.parametrize(("kind", "values"), TYPES)
def test_a_strict_schema_holds_to_the_rules(kind: Any, values: list[Any]) -> None:
    """The schema of a type has a strict form; its values are values of the type, and of the plain schema."""
    plain = TypeAdapter(kind).json_schema()
    before = json.dumps(plain)
    strict = strict_schema(plain)
    assert strict is not None
    assert breaks(strict) == []
    assert all(resolve_reference(reference, strict) is not None for reference in references(strict))
    assert json.dumps(plain) == before, "the schema that was given is not touched"
    for value in values:
        assert find_mismatch(strict, value) is None
        assert find_mismatch(plain, value) is None
        TypeAdapter(kind).validate_json(json.dumps(value))


@pytest.mark.parametrize("kind", [kind for kind, _ in TYPES if kind is not Empty])
def test_a_strict_schema_is_closed(kind: Any) -> None:
    """What leaves out a property, or adds one, does not fit."""
    strict = strict_schema(TypeAdapter(kind).json_schema())
    assert strict is not None
    value = next(values[0] for each, values in TYPES if each is kind)
    assert find_mismatch(strict, {**value, "more": 1}) is not None
    for name in value:
        assert find_mismatch(strict, {key: item for key, item in value.items() if key != name}) is not None


INT = {"type": "integer"}


def within(schema: object) -> dict[str, object]:
    """An object with one property."""
    return {"type": "object", "properties": {"a": schema}}


def nested(levels: int) -> dict[str, object]:
    """An object in an object ..."""
    made: dict[str, object] = within(INT)
    for _ in range(levels):
        made = within(made)
    return made


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": INT},
        {"anyOf": [within(INT), within(INT)]},
        {"type": "object"},
        {},
        {"$ref": "#"},
        {"type": "object", "properties": {"a": INT}, "additionalProperties": True},
        {"type": "object", "properties": {"a": INT}, "additionalProperties": INT},
        {"type": "object", "properties": {"a": INT}, "required": ["b"]},
        within(True),
        within({}),
        within({"type": "object"}),
        within({"type": "array"}),
        within({"type": "object", "properties": {}, "patternProperties": {"^x": INT}}),
        within({"type": "array", "prefixItems": [INT]}),
        within({"oneOf": [INT, {"type": "number"}]}),
        within({"allOf": [INT, {"minimum": 1}]}),
        within({"type": "integer", "not": {"const": 1}}),
        within({"type": "integer", "if": {"minimum": 1}, "then": {"maximum": 2}}),
        within({"enum": [[1]]}),
        within({"$ref": "#/nowhere"}),
        within({"$ref": "https://example.com/schema"}),
        within({"enum": list(range(1001))}),
        within({"enum": [f"{index:0100}" for index in range(251)]}),
        {"type": "object", "properties": {f"p{index}": INT for index in range(5001)}},
        nested(11),
        dict(TypeAdapter(dict[str, int]).json_schema()),
    ],
)
def test_some_schemas_have_no_strict_form(schema: dict[str, object]) -> None:
    """Open objects, what decides the form by other means, and what is beyond the service's limits have none."""
    assert strict_schema(schema) is None


@pytest.mark.parametrize(
    ("part", "made"),
    [
        ({"type": "integer", "default": 3, "x-own": 1}, {"type": "integer"}),
        ({"type": "integer", "examples": [1]}, {"type": "integer", "description": "examples: [1]"}),
        ({"type": "string", "minLength": 2}, {"type": "string", "description": "minLength: 2"}),
        (
            {"type": "string", "maxLength": 9, "description": "a name"},
            {"type": "string", "description": "a name (maxLength: 9)"},
        ),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "path"}, {"type": "string", "description": 'format: "path"'}),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^a"}),
        ({"type": "string", "pattern": "(?!a)"}, {"type": "string", "description": 'pattern: "(?!a)"'}),
        ({"enum": [1, "a", None, True]}, {"enum": [1, "a", None, True], "type": ["integer", "string", "null", "boolean"]}),
        ({"const": "a"}, {"const": "a", "type": "string"}),
        ({"allOf": [INT], "description": "d"}, {"type": "integer", "description": "d"}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": "array", "items": INT, "maxItems": 3}, {"type": "array", "items": INT, "maxItems": 3}),
    ],
)  # fmt: skip
def test_what_cannot_go_is_left_out_or_said(part: dict[str, object], made: dict[str, object]) -> None:
    """A default is left out; what narrows a value is said in the description; the rest stays."""
    strict = strict_schema(within(part))
    assert strict is not None
    assert strict["properties"] == {"a": made}
    assert breaks(strict) == []


def test_references_that_unfold_into_millions_end() -> None:
    """Words beside references put definitions in their place; a schema that grows without end has no strict form."""
    defs = {f"d{index}": within({"$ref": f"#/$defs/d{index + 1}", "title": "t"}) for index in range(40)}
    for index in range(40):
        defs[f"d{index}"]["properties"] = {  # each names the next one twice
            name: {"$ref": f"#/$defs/d{index + 1}", "title": name} for name in ("a", "b")
        }
    assert strict_schema({**within({"$ref": "#/$defs/d0"}), "$defs": {**defs, "d40": INT}}) is None


SCHEMAS = st.recursive(
    st.sampled_from([
        INT, {"type": "string", "minLength": 1}, {"type": "boolean", "default": True}, {"enum": ["a", 1]},
        {"type": "string", "format": "uri"}, {"$ref": "#/$defs/d"}, {"$ref": "#/$defs/d", "description": "words"}, {},
        {"type": "object"}, {"oneOf": [INT]}, {"$ref": "#"},
    ]),
    lambda inner: st.one_of(
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(lambda p: {"type": "object", "properties": p}),
        inner.map(lambda item: {"type": "array", "items": item}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"anyOf": items}),
    ),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(SCHEMAS)
def test_any_schema_gives_a_strict_one_or_none(schema: dict[str, Any]) -> None:
    """Whatever the schema: the result keeps the rules, and is its own strict form."""
    strict = strict_schema({**schema, "$defs": {"d": within({"anyOf": [{"$ref": "#/$defs/d"}, {"type": "null"}]})}})
    if strict is not None:
        assert breaks(strict) == []
        assert strict_schema(strict) == strict
