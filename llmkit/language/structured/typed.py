"""Types as structures: the schema of a type, and an answer as a value of it. Pydantic does both."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from llmkit.errors import ConfigError
from llmkit.language.structured.schemas import place, short
from llmkit.language.structured.strict import resolve
from llmkit.language.structured.texts import Wrong, load
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

_MOST_LINES = 8
_LONGEST = 1500
#: Pydantic's pointer to its web pages.
_FURTHER = re.compile(r"\s*For further information visit \S+")


def schema_of(kind: object, name: str) -> tuple[TypeAdapter[Any], dict[str, Any], bool]:
    """What validates a type, its schema, and whether its values stand in an object as `value`.

    Raises:
        ConfigError: pydantic does not know the type, or no JSON schema can say it.
    """
    from pydantic import ConfigDict, TypeAdapter, create_model

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(cast("Any", kind))
        schema = adapter.json_schema()
        if _is_object(schema):
            return adapter, schema, False
        holder = create_model(name, __config__=ConfigDict(extra="forbid"), value=(cast("Any", kind), ...))
        adapter = TypeAdapter(holder)
        return adapter, adapter.json_schema(), True
    except Exception as error:  # A type may bring code of its own that builds its schema.
        said = scrub(_FURTHER.sub("", str(error)).split("\n\n")[0])
        raise ConfigError(
            f"structured= is {short(kind)}, which has no JSON schema: {said}",
            hint="Pass a pydantic class, a dataclass, a TypedDict, an Enum, list[...] of them, or a JSON schema",
        ) from None


def _is_object(schema: dict[str, Any]) -> bool:
    top = resolve(schema["$ref"], schema) if "$ref" in schema else schema
    return top is not None and top.get("type") == "object"


def reader(adapter: TypeAdapter[Any], *, wrapped: bool) -> Callable[[str], Any]:
    """What makes a value of an answer's text. It raises `Wrong`."""

    def read(text: str) -> Any:
        unsafe: list[str] = []

        def exact(number: str) -> object:
            # A float is kept where it is the number that was written; pydantic has validated it as one.
            as_float = float(number)
            if math.isinf(as_float):
                raise Wrong(f"the number {number[:30]} is too large")
            if Decimal(number) == Decimal(repr(as_float)):
                return as_float
            unsafe.append(number)
            return Decimal(number)

        plain = load(text, exact)
        value = _validated(adapter, text, plain, unsafe)
        return value.value if wrapped else value

    return read


def _validated(adapter: TypeAdapter[Any], text: str, plain: object, unsafe: list[str]) -> Any:
    from pydantic import ValidationError

    exactly = bool(unsafe) and "'decimal'" in repr(adapter.core_schema)
    try:
        # JSON is read by pydantic's own rules for JSON, but its numbers go through floats, also those of a Decimal.
        return adapter.validate_python(plain) if exactly else adapter.validate_json(text)
    except ValidationError as error:
        if exactly and _fits(adapter, text):
            raise Wrong(f"the number {unsafe[0][:40]} has more digits than this type can take") from None
        raise Wrong(_readable(error)) from None
    except Exception as error:  # A validator of the user's own may raise anything.
        raise Wrong(f"a validator raised {type(error).__name__}: {scrub(str(error))}") from error


def _fits(adapter: TypeAdapter[Any], text: str) -> bool:
    """Is it as JSON what it is not as Python values? Strict fields differ in what they take."""
    from pydantic import ValidationError

    try:
        adapter.validate_json(text)
    except ValidationError:
        return False
    return True


def _readable(error: ValidationError) -> str:
    """What pydantic says, a line for each place."""
    found = error.errors(include_url=False, include_context=False)
    lines = []
    for item in found[:_MOST_LINES]:
        given = item["input"]
        # The input of a missing field is the whole object around it, which says nothing.
        quote = "" if item["type"] == "missing" or isinstance(given, (dict, list)) else f" (it is {short(given)})"
        lines.append(f"{place(item['loc'])}{item['msg']}{quote}")
    if len(found) > _MOST_LINES:
        lines.append(f"and {len(found) - _MOST_LINES} more")
    return scrub("\n".join(lines), _LONGEST)
