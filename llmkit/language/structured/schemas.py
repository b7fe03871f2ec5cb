"""JSON schemas of answers and of tools' arguments: is one valid, does a value fit, how is one wrapped in an object?"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from llmkit.errors import ConfigError
from llmkit.language.structured.strict import resolve_reference
from llmkit.types.redaction import scrub
from llmkit.wire.jsonbytes import as_dict

if TYPE_CHECKING:
    from jsonschema.exceptions import SchemaError, ValidationError
    from jsonschema.protocols import Validator

#: Keywords whose value is data, in which a "$ref" is not a reference.
_KEYWORDS_OF_DATA = frozenset({"enum", "const", "default", "examples"})
#: A reference into the document that does not lead to a definition.
_ELSEWHERE = re.compile(r"#/(?!\$defs/|definitions/)")
_MAX_QUOTE_CHARACTERS = 80


def needs_wrapping(schema: Mapping[str, object]) -> bool:
    """Must the values be wrapped in an object, because they are not, or not all, objects?"""
    top = schema
    if isinstance(reference := schema.get("$ref"), str):
        top = resolve_reference(reference, schema) or schema
    if "type" in top:
        return top["type"] != "object"
    return any(key in top for key in ("anyOf", "oneOf", "enum", "const"))


def wrap(schema: Mapping[str, object]) -> dict[str, object]:
    """Wrap a schema in that of `{"value": ...}`. Definitions stay at the top, so that references still lead there."""
    top = {key: schema[key] for key in ("$schema", "title", "$defs", "definitions") if key in schema}
    inner = {key: item for key, item in schema.items() if key not in top}
    outer = {"type": "object", "properties": {"value": inner}, "required": ["value"], "additionalProperties": False}
    return cast("dict[str, object]", _move_references({**top, **outer}))


def _move_references(value: object) -> object:
    """Copy a schema with the references to its old top leading to where that is now."""
    if isinstance(value, list):
        return [_move_references(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    copy = {key: item if key in _KEYWORDS_OF_DATA else _move_references(item) for key, item in value.items()}
    reference = copy.get("$ref")
    if isinstance(reference, str) and (reference == "#" or _ELSEWHERE.match(reference)):
        copy["$ref"] = "#/properties/value" + reference[1:]
    return copy


def find_mismatch(schema: Mapping[str, object], value: object) -> str | None:
    """Find why `value` (JSON values) does not fit `schema`: a short text with the place; `None` if it fits.

    Raises:
        ConfigError: the schema is not valid, or refers to what is not in it.
    """
    from jsonschema.exceptions import best_match

    try:
        error = best_match(make_validator(schema_to_text(schema)).iter_errors(cast("Any", value)))
    except RecursionError:
        return "it is nested too deeply"
    except Exception as failure:  # the library's errors of a reference that leads nowhere have no common class
        if type(failure).__module__.startswith(("referencing", "jsonschema")):
            raise ConfigError(f"the JSON schema cannot be followed: {scrub(str(failure))}") from None
        raise
    if error is None:
        return None
    return scrub(_format_error(error))


def _format_error(error: ValidationError | SchemaError) -> str:
    """Write an error of the library with its place, and with the value in it shortened."""
    message = error.message.replace(repr(error.instance), quote(error.instance))
    return f"{format_path(error.absolute_path)}{message}"


def format_path(path: Iterable[str | int]) -> str:
    """Write the steps to a value as "items[0].price: "; "" for the whole."""
    steps = ""
    for step in path:
        steps += f"[{step}]" if isinstance(step, int) else f".{step}" if steps else str(step)
    return f"{steps}: " if steps else ""


def quote(value: object) -> str:
    """Quote a value so that it may stand in a message: at most 80 characters, scrubbed."""
    return scrub(repr(value), _MAX_QUOTE_CHARACTERS)


def schema_to_text(schema: Mapping[str, object]) -> str:
    """Write a schema as JSON text.

    Raises:
        ConfigError: the schema holds what is not JSON.
    """
    try:
        return json.dumps(schema, default=as_dict, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the JSON schema holds what is not JSON: {scrub(str(error))}") from None


@functools.lru_cache(maxsize=256)
def make_validator(text: str) -> Validator:
    """Make what validates by a schema, given as JSON text, so that it can be cached. Nothing is fetched for references.

    Raises:
        ConfigError: the schema is not valid, or refers to what is not in it.
    """
    from jsonschema import validators
    from jsonschema.exceptions import SchemaError
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = json.loads(text)
    library: Any = validators  # Its stubs know neither `format_checker` nor the types of `extend`.
    kind = library.validator_for(schema, default=library.Draft202012Validator)
    try:
        kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)
    except SchemaError as error:
        hint = 'Pass a JSON schema, {"type": "json"} for any JSON, or a type such as a pydantic class'
        raise ConfigError(f"the JSON schema is not valid: {scrub(_format_error(error))}", hint=hint) from None
    for reference in _find_references(schema):
        # Names that a schema gives itself ($id, $anchor) are the library's to find.
        names_itself = any(keyword in text for keyword in ('"$id"', '"id"', 'nchor"'))
        if resolve_reference(reference, schema) is None and not names_itself:
            raise ConfigError(f"the JSON schema refers to {quote(reference)}, which is not in it")
    exact = library.extend(kind, {"multipleOf": _multiple_of})
    return cast("Validator", exact(schema, registry=EMPTY_REGISTRY))


def _find_references(value: object) -> Iterator[str]:
    """Find the references of a document. Below an `$id` they count from there, so those are left to the library."""
    if isinstance(value, list):
        for item in value:
            yield from _find_references(item)
    elif isinstance(value, dict) and not isinstance(value.get("$id"), str):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for key, item in value.items():
            if key not in _KEYWORDS_OF_DATA:
                yield from _find_references(item)


def _multiple_of(_: object, step: Any, value: object, __: object) -> Iterator[Exception]:
    """Check `multipleOf` in decimal arithmetic: 19.99 is a multiple of 0.01, though not as binary fractions."""
    from jsonschema import ValidationError

    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return
    if (Fraction(str(value)) / Fraction(str(step))).denominator != 1:
        yield ValidationError(f"{value!r} is not a multiple of {step}")
