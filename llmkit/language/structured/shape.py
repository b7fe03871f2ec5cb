"""What `structured=` takes, as one `Shape`: how to ask for it, and how to read an answer."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from llmkit.errors import ConfigError, LLMError
from llmkit.language.structured.schemas import canonical, checked, mismatch, needs_wrapping, wrap
from llmkit.language.structured.strict import strict_schema
from llmkit.language.structured.texts import Wrong, load, so_far, unfenced
from llmkit.wire.chat_request import response_format, safe_name
from llmkit.wire.jsonbytes import as_dict

_ONLY = "Answer with JSON only: no text before or after it, and no Markdown fence."


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
        read: an answer's text to its value.
        wrapped: does the value stand in an object, as `{"value": ...}`? Services insist on an object.
    """

    wire: Mapping[str, object]
    schema: Mapping[str, object] | None
    instruction: str
    read: Callable[[str], Any]
    wrapped: bool = False

    def parse(self, text: str, *, fenced: bool) -> Any:
        """The value of an answer. `fenced`: may it stand in a Markdown code fence?

        Raises:
            InvalidStructure: it does not validate.
        """
        try:
            return self.read(unfenced(text) if fenced else text)
        except Wrong as error:
            raise InvalidStructure(str(error), text=text) from None

    def so_far(self, text: str) -> Any:
        """What can be read of an answer in the making, as plain JSON values; `None` where nothing can."""
        value = so_far(text)
        if self.wrapped:
            return value.get("value") if isinstance(value, dict) else None
        return value


def shape_of(value: object) -> Shape:
    """The structure of what `structured=` takes.

    `{"type": "json"}` is any JSON, `{"type": "json_schema", ...}` is OpenAI's form and goes as it is, any other dict
    is a JSON schema, and everything else is a type: a pydantic class, dataclass, `TypedDict`, `Enum`, `list[...]`.

    Raises:
        ConfigError: no schema, a schema that is not valid, or a type that pydantic does not know.
    """
    if isinstance(value, Mapping):
        return _of_schema(cast("Mapping[str, object]", value))
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        # Pydantic would take it for its parameters, and call it with what the model says.
        raise ConfigError("structured= is a function", hint="Pass a type or a schema; functions go in tools=")
    try:
        hash(value)
    except TypeError:
        return _of_type(value)
    return _of_hashable(value)


def _of_schema(value: Mapping[str, object]) -> Shape:
    kind = value.get("type")
    if kind in ("json", "json_object") and len(value) == 1:
        return Shape({"type": "json"}, None, _ONLY, load)
    if kind == "json_schema":
        body = value.get("json_schema")
        if not isinstance(body, Mapping) or not isinstance(body.get("schema"), Mapping):
            hint = 'Shape: {"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}}'
            raise ConfigError("structured= has no json_schema.schema", hint=hint)
        schema = cast("Mapping[str, object]", body["schema"])
        checked(canonical(schema))
        return _by_schema(schema, response_format(value), wrapped=False)
    checked(canonical(value))
    wrapped = needs_wrapping(value)
    schema = wrap(value) if wrapped else value
    return _by_schema(schema, response_format(schema), wrapped=wrapped)


def _by_schema(schema: Mapping[str, object], wire: Mapping[str, object], *, wrapped: bool) -> Shape:
    def read(text: str) -> Any:
        found = load(text)
        if (problem := mismatch(schema, found)) is not None:
            raise Wrong(problem)
        return found["value"] if wrapped else found

    return Shape(wire, schema, _instruction(schema), read, wrapped)


def _instruction(schema: Mapping[str, object]) -> str:
    text = json.dumps(schema, default=as_dict, ensure_ascii=False, separators=(",", ":"))
    return f"{_ONLY} It must fit this JSON schema:\n{text}"


@functools.lru_cache(maxsize=128)
def _of_hashable(kind: object) -> Shape:
    return _of_type(kind)


def _of_type(kind: object) -> Shape:
    from llmkit.language.structured.typed import reader, schema_of

    name = safe_name(kind.__name__) if isinstance(kind, type) else "response"
    adapter, schema, wrapped = schema_of(kind, name)
    strict = strict_schema(schema)
    body: dict[str, object] = {"name": name, "schema": schema if strict is None else strict}
    if strict is not None:
        body["strict"] = True
    wire = {"type": "json_schema", "json_schema": body}
    return Shape(wire, schema, _instruction(schema), reader(adapter, wrapped=wrapped), wrapped)
