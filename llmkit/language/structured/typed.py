"""Structures given as types: the schema of a type, and an answer as a value of it. Pydantic does both."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from llmkit.errors import ConfigError
from llmkit.language.structured.json_text import InvalidAnswer, parse_float, parse_json
from llmkit.language.structured.schemas import format_path, quote
from llmkit.language.structured.strict import resolve_reference
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

_MAX_LINES = 8
_MAX_CHARACTERS = 1500
#: Pydantic's pointer to its web pages.
_WEB_POINTER = re.compile(r"\s*For further information visit \S+")


def describe_type(kind: object, name: str) -> tuple[TypeAdapter[Any], dict[str, Any], bool]:
    """Give what validates a type, its schema, and whether its values stand in an object as `value`.

    Services want an object, so a type whose values are none (a list, an enum) is wrapped in one. `name` is the title of
    that object.

    Raises:
        ConfigError: pydantic does not know the type, or no JSON schema can say it.
    """
    from pydantic import ConfigDict, TypeAdapter, create_model

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(cast("Any", kind))
        schema = adapter.json_schema()
        if _is_object(schema):
            return adapter, schema, False
        wrapper = create_model(name, __config__=ConfigDict(extra="forbid"), value=(cast("Any", kind), ...))
        adapter = TypeAdapter(wrapper)
        return adapter, adapter.json_schema(), True
    except Exception as error:  # a type may bring code of its own that builds its schema
        reason = scrub(_WEB_POINTER.sub("", str(error)).split("\n\n")[0])
        raise ConfigError(
            f"structured= is {quote(kind)}, which has no JSON schema: {reason}",
            hint="Pass a pydantic class, a dataclass, a TypedDict, an Enum, list[...] of them, or a JSON schema",
        ) from None


def _is_object(schema: dict[str, Any]) -> bool:
    top = resolve_reference(schema["$ref"], schema) if "$ref" in schema else schema
    return top is not None and top.get("type") == "object"


def make_reader(adapter: TypeAdapter[Any], *, wrapped: bool) -> Callable[[str], Any]:
    """Make the function that reads the text of an answer as a value of the type. It raises `InvalidAnswer`.

    A number with more digits than a float holds becomes a `Decimal`, so that a type with `Decimal`s gets every digit.
    """

    def read(text: str) -> Any:
        inexact: list[str] = []

        def parse_exactly(number: str) -> object:
            # A float is kept where it is the number that was written; pydantic has validated it as one.
            as_float = parse_float(number)
            if Decimal(number) == Decimal(repr(as_float)):
                return as_float
            inexact.append(number)
            return Decimal(number)

        plain = parse_json(text, parse_exactly)
        value = _validate(adapter, text, plain, inexact)
        return value.value if wrapped else value

    return read


def _validate(adapter: TypeAdapter[Any], text: str, plain: object, inexact: list[str]) -> Any:
    """Validate an answer: its text, or `plain`, its Python values; `inexact` are its numbers that no float holds."""
    from pydantic import ValidationError

    needs_decimals = bool(inexact) and "'decimal'" in repr(adapter.core_schema)
    try:
        # JSON is read by pydantic's own rules for JSON, but its numbers go through floats, also those of a Decimal.
        return adapter.validate_python(plain) if needs_decimals else adapter.validate_json(text)
    except ValidationError as error:
        if needs_decimals and _is_valid_json(adapter, text):
            raise InvalidAnswer(f"the number {inexact[0][:40]} has more digits than this type can take") from None
        raise InvalidAnswer(_format_errors(error)) from None
    except Exception as error:  # a validator of the user's own may raise anything
        raise InvalidAnswer(f"a validator raised {type(error).__name__}: {scrub(str(error))}") from error


def _is_valid_json(adapter: TypeAdapter[Any], text: str) -> bool:
    """Is the text valid as JSON, though its Python values are not? Strict fields differ in what they take."""
    from pydantic import ValidationError

    try:
        adapter.validate_json(text)
    except ValidationError:
        return False
    return True


def _format_errors(error: ValidationError) -> str:
    """Write what pydantic says, a line for each place."""
    errors = error.errors(include_url=False, include_context=False)
    lines = []
    for item in errors[:_MAX_LINES]:
        value = item["input"]
        # The input of a missing field is the whole object around it, which says nothing.
        addition = "" if item["type"] == "missing" or isinstance(value, (dict, list)) else f" (it is {quote(value)})"
        lines.append(f"{format_path(item['loc'])}{item['msg']}{addition}")
    if len(errors) > _MAX_LINES:
        lines.append(f"and {len(errors) - _MAX_LINES} more")
    return scrub("\n".join(lines), _MAX_CHARACTERS)
