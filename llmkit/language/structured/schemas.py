"""JSON schemas of answers and of tools' arguments: is one valid, does a value fit, how does a list go out?"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from llmkit.errors import ConfigError
from llmkit.language.structured.strict import resolve
from llmkit.types.redaction import scrub
from llmkit.wire.jsonbytes import as_dict

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

#: Keywords whose value is data, in which a "$ref" is none.
_DATA = frozenset({"enum", "const", "default", "examples"})
#: A pointer into the document that does not lead to a definition.
_ELSEWHERE = re.compile(r"#/(?!\$defs/|definitions/)")
#: Longest quote of a value.
_LONGEST = 80


def needs_wrapping(schema: Mapping[str, object]) -> bool:
    """Is the value certainly no object, or not certainly one?"""
    top = schema
    if isinstance(reference := schema.get("$ref"), str):
        top = resolve(reference, schema) or schema
    if "type" in top:
        return top["type"] != "object"
    return any(key in top for key in ("anyOf", "oneOf", "enum", "const"))


def wrap(schema: Mapping[str, object]) -> dict[str, object]:
    """The schema of `{"value": ...}`. Definitions stay at the top, so that references to them still lead there."""
    top = {key: schema[key] for key in ("$schema", "title", "$defs", "definitions") if key in schema}
    inner = {key: item for key, item in schema.items() if key not in top}
    made = {"type": "object", "properties": {"value": inner}, "required": ["value"], "additionalProperties": False}
    return cast("dict[str, object]", _moved({**top, **made}))


def _moved(value: object) -> object:
    """The same with references to the old top leading to where it is now."""
    if isinstance(value, list):
        return [_moved(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    made = {key: item if key in _DATA else _moved(item) for key, item in value.items()}
    reference = made.get("$ref")
    if isinstance(reference, str) and (reference == "#" or _ELSEWHERE.match(reference)):
        made["$ref"] = "#/properties/value" + reference[1:]
    return made


def mismatch(schema: Mapping[str, object], value: object) -> str | None:
    """Why `value` (JSON values) is not what `schema` says, in short words with the place; `None` if it is.

    Raises:
        ConfigError: the schema is not valid, or refers to what is not in it.
    """
    from jsonschema.exceptions import best_match

    try:
        error = best_match(checked(canonical(schema)).iter_errors(cast("Any", value)))
    except RecursionError:
        return "it is nested too deeply"
    except Exception as broken:
        if type(broken).__module__.startswith(("referencing", "jsonschema")):
            raise ConfigError(f"the JSON schema cannot be followed: {scrub(str(broken))}") from None
        raise
    if error is None:
        return None
    said = error.message.replace(repr(error.instance), short(error.instance))
    return scrub(f"{place(error.absolute_path)}{said}")


def place(path: Iterable[str | int]) -> str:
    """`items[0].price: ` of the steps to a value; "" for the whole."""
    steps = ""
    for step in path:
        steps += f"[{step}]" if isinstance(step, int) else f".{step}" if steps else str(step)
    return f"{steps}: " if steps else ""


def short(value: object) -> str:
    """A value as it may stand in a message."""
    return scrub(repr(value), _LONGEST)


def canonical(schema: Mapping[str, object]) -> str:
    """The schema as JSON text.

    Raises:
        ConfigError: it holds what is not JSON.
    """
    try:
        return json.dumps(schema, default=as_dict, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the JSON schema holds what is not JSON: {scrub(str(error))}") from None


@functools.lru_cache(maxsize=256)
def checked(text: str) -> Validator:
    """What validates by a schema, given as JSON text. Nothing is fetched for a reference.

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
        said = error.message.replace(repr(error.instance), short(error.instance))
        hint = 'Pass a JSON schema, {"type": "json"} for any JSON, or a type such as a pydantic class'
        raise ConfigError(
            f"the JSON schema is not valid: {scrub(place(error.absolute_path) + said)}", hint=hint
        ) from None
    for reference in _references(schema):
        # Names that a schema gives itself ($id, $anchor) are the library's to find.
        if resolve(reference, schema) is None and not any(name in text for name in ('"$id"', '"id"', 'nchor"')):
            raise ConfigError(f"the JSON schema refers to {short(reference)}, which is not in it")
    exact = library.extend(kind, {"multipleOf": _multiple_of})
    return cast("Validator", exact(schema, registry=EMPTY_REGISTRY))


def _references(value: object) -> Iterator[str]:
    """References of a document. Below an `$id` of its own they count from there, so those are left to the library."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict) and not isinstance(value.get("$id"), str):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for key, item in value.items():
            if key not in _DATA:
                yield from _references(item)


def _multiple_of(_: object, step: Any, value: object, __: object) -> Iterator[Exception]:
    """Decimal arithmetic: 19.99 is a multiple of 0.01, though not as binary fractions."""
    from jsonschema import ValidationError

    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return
    if (Fraction(str(value)) / Fraction(str(step))).denominator != 1:
        yield ValidationError(f"{value!r} is not a multiple of {step}")
