"""JSON schemas as OpenAI's strict mode takes them: every object closed, every property required, few keywords. Pure.

A service that holds an answer to a schema token by token takes only a part of JSON schema. What only narrows a value
(`minLength`) can be left out and said in words, because the answer is validated afterwards. What decides the form
(`patternProperties`) cannot: then there is no strict schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

#: Keywords that go as they are.
_KEPT_KEYWORDS = frozenset({
    "type", "description", "title", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "minItems", "maxItems",
})  # fmt: skip
_KNOWN_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
#: Keywords that only narrow a value, or show one: written into the description where they cannot go.
_DESCRIBED_KEYWORDS = frozenset({
    "minLength", "maxLength", "uniqueItems", "pattern", "format", "contentEncoding", "contentMediaType", "examples",
})  # fmt: skip
#: Keywords without which the schema would be another one.
_REFUSED_KEYWORDS = frozenset({
    "patternProperties", "propertyNames", "minProperties", "maxProperties", "prefixItems", "contains", "minContains",
    "maxContains", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies",
    "unevaluatedItems", "unevaluatedProperties", "additionalItems", "$dynamicRef", "$recursiveRef", "$id",
})  # fmt: skip
#: The service's own limits, of a whole schema.
_MAX_PROPERTIES, _MAX_DEPTH_LEVELS, _MAX_ENUM_VALUES, _MAX_NAME_CHARACTERS = 5000, 10, 1000, 120_000
#: Those of one enum: with more than so many values, they have at most so many characters together.
_LARGE_ENUM_VALUES, _MAX_LARGE_ENUM_CHARACTERS = 250, 15_000
#: Our own limit: a few references can unfold into millions of schemas.
_MAX_SUBSCHEMAS = 20_000
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
Schema = Mapping[str, object]


class _NotStrict(Exception):
    """There is no strict form."""


def strict_schema(schema: Schema) -> dict[str, object] | None:
    """Convert a schema to the form that strict mode takes; `None` where it has none.

    Defaults are left out. A property that was optional becomes required, so that the model always gives it. Every value
    of the result, once validated, is a value of `schema`.
    """
    try:
        return _Converter(schema).convert_root()
    except _NotStrict:
        return None


def resolve_reference(reference: str, root: Schema) -> Schema | None:
    """The schema to which a reference inside a document (`#/...`) leads; `None` where it leads nowhere."""
    target: Any = root
    if reference != "#" and not reference.startswith("#/"):
        return None
    for step in reference[2:].split("/") if reference != "#" else ():
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list):
            target = target[int(name)] if name.isdecimal() and int(name) < len(target) else None
        else:
            target = target.get(name) if isinstance(target, Mapping) else None
    return target if isinstance(target, Mapping) else None


@dataclass(slots=True)
class _Converter:
    """One pass over a document. Every method raises `_NotStrict` where there is no strict form.

    Attributes:
        document: the schema with its definitions.
        subschemas, properties, enum_values, characters: sums so far, held against the limits. The characters are those
            of names and of the texts in enums.
        expanding: the references that are being replaced by their definition, the outermost first.
        depths: by reference, the greatest depth at which it stands. A definition is as deep as that.
    """

    document: Schema
    subschemas: int = 0
    properties: int = 0
    enum_values: int = 0
    characters: int = 0
    expanding: tuple[str, ...] = ()
    depths: dict[str, int] = field(default_factory=dict)

    def convert_root(self) -> dict[str, object]:
        """Convert the document and its definitions."""
        document = self.document
        top = {key: value for key, value in document.items() if key not in ("$defs", "definitions")}
        reference = top.get("$ref")
        if isinstance(reference, str) and reference != "#":
            # The root must be an object itself. A definition that refers to itself stays among the definitions.
            top = {**self._resolve(reference), **{key: value for key, value in top.items() if key != "$ref"}}
        strict = self.convert(top, 0)
        if strict.get("type") != "object" or "anyOf" in strict:
            raise _NotStrict
        for key in ("$defs", "definitions"):
            if isinstance(definitions := document.get(key), Mapping) and definitions:
                strict[key] = {
                    name: self.convert(item, self.depths.get(f"#/{key}/{name}", 0))
                    for name, item in definitions.items()
                }
                self.characters += sum(map(len, definitions))
        if self.properties > _MAX_PROPERTIES or self.enum_values > _MAX_ENUM_VALUES:
            raise _NotStrict
        if self.characters > _MAX_NAME_CHARACTERS:
            raise _NotStrict
        return strict

    def _resolve(self, reference: str) -> Schema:
        target = resolve_reference(reference, self.document)
        if target is None:
            raise _NotStrict
        return target

    def convert(self, value: object, depth: int) -> dict[str, object]:
        """Convert the schema that stands `depth` objects below the top."""
        self.subschemas += 1
        if depth > _MAX_DEPTH_LEVELS or self.subschemas > _MAX_SUBSCHEMAS:
            raise _NotStrict
        if not isinstance(value, Mapping) or _REFUSED_KEYWORDS & value.keys():
            raise _NotStrict
        value = _merge_all_of(cast("Schema", value))
        if "$ref" in value:
            return self._convert_reference(value, depth)
        strict: dict[str, object] = {key: item for key, item in value.items() if key in _KEPT_KEYWORDS}
        described: dict[str, object] = {}
        for key in _DESCRIBED_KEYWORDS & value.keys():
            if _is_kept(key, value[key]):
                strict[key] = value[key]
            else:
                described[key] = value[key]
        if described:
            text = ", ".join(f"{key}: {json.dumps(item)}" for key, item in sorted(described.items()))
            strict["description"] = f"{value['description']} ({text})" if value.get("description") else text
        self._add_type(value, strict)
        if "anyOf" in value or "oneOf" in value:
            strict["anyOf"] = [self.convert(item, depth) for item in self._read_alternatives(value)]
        kinds = strict.get("type", ())
        kinds = (kinds,) if isinstance(kinds, str) else cast("tuple[str, ...]", kinds)
        if "object" in kinds:
            self._convert_object(value, strict, depth)
        elif "properties" in value:
            raise _NotStrict
        if "array" in kinds:
            strict["items"] = self.convert(value.get("items"), depth)
        return strict

    def _convert_reference(self, value: Schema, depth: int) -> dict[str, object]:
        """Convert a reference, which stands alone in strict mode: one with keywords beside it becomes its definition.

        A definition that is being put in place of itself would grow without end: there the reference stays, and
        keywords that only describe are dropped.
        """
        reference = str(value["$ref"])
        target = self._resolve(reference)
        beside = {key: item for key, item in value.items() if key != "$ref"}
        meaningful = beside.keys() & (_KEPT_KEYWORDS | _DESCRIBED_KEYWORDS)
        if not reference.startswith(("#/$defs/", "#/definitions/")) and reference != "#":
            raise _NotStrict
        if meaningful and reference not in self.expanding:
            outer, self.expanding = self.expanding, (*self.expanding, reference)
            strict = self.convert({**target, **beside}, depth)
            self.expanding = outer
            return strict
        if meaningful - {"description", "title"}:
            raise _NotStrict
        self.depths[reference] = max(depth, self.depths.get(reference, 0))
        return {"$ref": reference}

    def _read_alternatives(self, value: Schema) -> list[object]:
        lists = [value[key] for key in ("anyOf", "oneOf") if key in value]
        # "One of" is "any of" where a property says which, as in pydantic's tagged unions; else they differ.
        if len(lists) != 1 or not isinstance(lists[0], list) or ("oneOf" in value and "discriminator" not in value):
            raise _NotStrict
        return lists[0]

    def _convert_object(self, value: Schema, strict: dict[str, object], depth: int) -> None:
        properties = value.get("properties")
        required = value.get("required", ())
        if not isinstance(properties, Mapping) or value.get("additionalProperties", False) is not False:
            raise _NotStrict
        if not set(cast("list[str]", required)) <= properties.keys():
            raise _NotStrict
        self.properties += len(properties)
        self.characters += sum(map(len, properties))
        strict["properties"] = {name: self.convert(item, depth + 1) for name, item in properties.items()}
        strict["required"] = list(properties)
        strict["additionalProperties"] = False

    def _add_type(self, value: Schema, strict: dict[str, object]) -> None:
        """Add the type of the values of an enum or const, which strict mode wants beside them, and count them."""
        if "enum" not in value and "const" not in value:
            if not {"type", "anyOf", "oneOf"} & value.keys():
                raise _NotStrict
            return
        values = cast("list[object]", value["enum"]) if "enum" in value else [value["const"]]
        kinds = [_TYPES.get(type(item)) for item in values]
        if None in kinds:
            raise _NotStrict
        unique = list(dict.fromkeys(cast("list[str]", kinds)))
        strict.setdefault("type", unique[0] if len(unique) == 1 else unique)
        length = sum(len(item) for item in values if isinstance(item, str))
        self.characters += length
        self.enum_values += len(values) if "enum" in value else 0
        if len(values) > _LARGE_ENUM_VALUES and length > _MAX_LARGE_ENUM_CHARACTERS:
            raise _NotStrict


def _merge_all_of(value: Schema) -> Schema:
    """Replace an `allOf` that holds one schema by that schema: some generators so put words beside a reference."""
    if "allOf" not in value:
        return value
    schemas = value["allOf"]
    rest = {key: item for key, item in value.items() if key != "allOf"}
    if not isinstance(schemas, list) or len(schemas) != 1 or not isinstance(schemas[0], Mapping) or "$ref" in rest:
        raise _NotStrict
    if {key for key in schemas[0].keys() & rest.keys() if key not in ("title", "description", "default")}:
        raise _NotStrict
    return {**schemas[0], **rest}


def _is_kept(key: str, value: object) -> bool:
    """Does strict mode take this keyword? It takes patterns without looking around or back, and well-known formats."""
    if key == "format":
        return value in _KNOWN_FORMATS
    return key == "pattern" and isinstance(value, str) and "(?" not in value and "\\1" not in value
