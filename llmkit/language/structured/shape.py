"""`Shape`: what `structured=` takes, in one form. It knows how to ask for a structure and how to read an answer."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from llmkit.errors import ConfigError, LLMError
from llmkit.language.structured.json_text import InvalidAnswer, parse_json, parse_partial_json, strip_fence
from llmkit.language.structured.schemas import find_mismatch, make_validator, needs_wrapping, schema_to_text, wrap
from llmkit.language.structured.strict import strict_schema
from llmkit.wire.chat_request import build_response_format, make_safe_name
from llmkit.wire.jsonbytes import as_dict

_JSON_ONLY = "Answer with JSON only: no text before or after it, and no Markdown fence."


class InvalidStructure(LLMError):
    """The answer does not have the structure that was asked for. It was billed.

    Attributes:
        text: the answer as it came.
        problem: why it does not validate.
    """

    billed = "unknown"
    advice = "Pass structured_retries=, simplify the schema, or choose a model that holds to schemas"

    def __init__(self, problem: str, *, text: str) -> None:
        super().__init__(f"the answer does not have the structure that was asked for: {problem}")
        self.problem = problem
        self.text = text
        self.partial_text = text


@dataclass(frozen=True, slots=True)
class Shape:
    """A structure that can be asked for.

    Attributes:
        wire: what a provider gets as its `structured` setting.
        schema: the JSON schema of the answer; `None` for free JSON.
        instruction: the text that asks for it where the service cannot be told otherwise.
        read: gives the value of an answer's text.
        wrapped: does the value stand in an object, as `{"value": ...}`? Services insist on an object.
    """

    wire: Mapping[str, object]
    schema: Mapping[str, object] | None
    instruction: str
    read: Callable[[str], Any]
    wrapped: bool = False

    def parse(self, text: str, *, fenced: bool) -> Any:
        """Read the value of an answer. `fenced`: may it stand in a Markdown code fence?

        Raises:
            InvalidStructure: the answer does not validate.
        """
        try:
            return self.read(strip_fence(text) if fenced else text)
        except InvalidAnswer as error:
            raise InvalidStructure(str(error), text=text) from None

    def parse_partial(self, text: str) -> Any:
        """Read what has come of an answer, as plain JSON values; `None` where nothing can be read."""
        value = parse_partial_json(text)
        if self.wrapped:
            return value.get("value") if isinstance(value, dict) else None
        return value


def to_shape(value: object) -> Shape:
    """Make a shape of what `structured=` takes.

    `{"type": "json"}` is any JSON, `{"type": "json_schema", ...}` is OpenAI's form and goes as it is, any other dict
    is a JSON schema, and everything else is a type: a pydantic class, dataclass, `TypedDict`, `Enum`, `list[...]`.

    Raises:
        ConfigError: the value is not a schema or type, the schema is not valid, or pydantic does not know the type.
    """
    if isinstance(value, Mapping):
        return _schema_to_shape(cast("Mapping[str, object]", value))
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        # Pydantic would take it for its parameters, and call it with what the model says.
        raise ConfigError("structured= is a function", hint="Pass a type or a schema; functions go in tools=")
    try:
        hash(value)
    except TypeError:
        return _type_to_shape(value)
    return _hashable_type_to_shape(value)


def _schema_to_shape(value: Mapping[str, object]) -> Shape:
    kind = value.get("type")
    if kind in ("json", "json_object") and len(value) == 1:
        return Shape({"type": "json"}, None, _JSON_ONLY, parse_json)
    if kind == "json_schema":
        body = value.get("json_schema")
        if not isinstance(body, Mapping) or not isinstance(body.get("schema"), Mapping):
            hint = 'Shape: {"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}}'
            raise ConfigError("structured= has no json_schema.schema", hint=hint)
        schema = cast("Mapping[str, object]", body["schema"])
        make_validator(schema_to_text(schema))
        return _make_shape(schema, build_response_format(value), wrapped=False)
    make_validator(schema_to_text(value))
    wrapped = needs_wrapping(value)
    schema = wrap(value) if wrapped else value
    return _make_shape(schema, build_response_format(schema), wrapped=wrapped)


def _make_shape(schema: Mapping[str, object], wire: Mapping[str, object], *, wrapped: bool) -> Shape:
    def read(text: str) -> Any:
        value = parse_json(text)
        if (problem := find_mismatch(schema, value)) is not None:
            raise InvalidAnswer(problem)
        return value["value"] if wrapped else value

    return Shape(wire, schema, _make_instruction(schema), read, wrapped)


def _make_instruction(schema: Mapping[str, object]) -> str:
    text = json.dumps(schema, default=as_dict, ensure_ascii=False, separators=(",", ":"))
    return f"{_JSON_ONLY} It must fit this JSON schema:\n{text}"


@functools.lru_cache(maxsize=128)
def _hashable_type_to_shape(kind: object) -> Shape:
    return _type_to_shape(kind)


def _type_to_shape(kind: object) -> Shape:
    from llmkit.language.structured.typed import describe_type, make_reader

    name = make_safe_name(kind.__name__) if isinstance(kind, type) else "response"
    adapter, schema, wrapped = describe_type(kind, name)
    strict = strict_schema(schema)
    body: dict[str, object] = {"name": name, "schema": schema if strict is None else strict}
    if strict is not None:
        body["strict"] = True
    wire = {"type": "json_schema", "json_schema": body}
    return Shape(wire, schema, _make_instruction(schema), make_reader(adapter, wrapped=wrapped), wrapped)
