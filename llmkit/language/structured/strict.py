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
_KEPT = frozenset({
    "type", "description", "title", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "minItems", "maxItems",
})  # fmt: skip
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
#: Keywords that only narrow a value, or show one: said in the description where they cannot go.
_SAID = frozenset({
    "minLength", "maxLength", "uniqueItems", "pattern", "format", "contentEncoding", "contentMediaType", "examples",
})  # fmt: skip
#: Keywords without which the schema would be another one.
_REFUSED = frozenset({
    "patternProperties", "propertyNames", "minProperties", "maxProperties", "prefixItems", "contains", "minContains",
    "maxContains", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies",
    "unevaluatedItems", "unevaluatedProperties", "additionalItems", "$dynamicRef", "$recursiveRef", "$id",
})  # fmt: skip
#: The service's own limits.
_MOST_PROPERTIES, _DEEPEST, _MOST_ENUM, _LONGEST_NAMES = 5000, 10, 1000, 120_000
_LONG_ENUM, _LONGEST_ENUM = 250, 15_000
#: A few references can unfold into millions of pieces.
_MOST_PIECES = 20_000
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
Schema = Mapping[str, object]


class _NotStrict(Exception):
    """There is no strict form."""


def strict_schema(schema: Schema) -> dict[str, object] | None:
    """The schema in the form that strict mode takes; `None` where it has none.

    Defaults are left out. A property that was optional becomes required, so that the model always says
    it. Every value of the result, once validated, is a value of `schema`.
    """
    walk = _Walk(schema)
    try:
        made = walk.root()
    except _NotStrict:
        return None
    return made


def resolve(reference: str, root: Schema) -> Schema | None:
    """What a reference inside a schema (`#/...`) names; `None` where it leads nowhere."""
    found: Any = root
    if reference != "#" and not reference.startswith("#/"):
        return None
    for step in reference[2:].split("/") if reference != "#" else ():
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(name)] if name.isdecimal() and int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


@dataclass(slots=True)
class _Walk:
    """One pass over a document. `inside` are the references that are being put in place of themselves."""

    document: Schema
    pieces: int = 0
    properties: int = 0
    values: int = 0
    letters: int = 0
    inside: tuple[str, ...] = ()
    depths: dict[str, int] = field(default_factory=dict)

    def root(self) -> dict[str, object]:
        document = self.document
        top = {key: value for key, value in document.items() if key not in ("$defs", "definitions")}
        reference = top.get("$ref")
        if isinstance(reference, str) and reference != "#":
            # The root must be an object itself. A definition that refers to itself stays among the definitions.
            top = {**self._found(reference), **{key: value for key, value in top.items() if key != "$ref"}}
        made = self.schema(top, 0)
        if made.get("type") != "object" or "anyOf" in made:
            raise _NotStrict
        for key in ("$defs", "definitions"):
            if isinstance(named := document.get(key), Mapping) and named:
                made[key] = {
                    name: self.schema(item, self.depths.get(f"#/{key}/{name}", 0)) for name, item in named.items()
                }
                self.letters += sum(map(len, named))
        if self.properties > _MOST_PROPERTIES or self.values > _MOST_ENUM or self.letters > _LONGEST_NAMES:
            raise _NotStrict
        return made

    def _found(self, reference: str) -> Schema:
        found = resolve(reference, self.document)
        if found is None:
            raise _NotStrict
        return found

    def schema(self, value: object, depth: int) -> dict[str, object]:
        self.pieces += 1
        if not isinstance(value, Mapping) or depth > _DEEPEST or self.pieces > _MOST_PIECES or _REFUSED & value.keys():
            raise _NotStrict
        value = _merged(cast("Schema", value))
        if "$ref" in value:
            return self._reference(value, depth)
        made: dict[str, object] = {key: item for key, item in value.items() if key in _KEPT}
        said: dict[str, object] = {}
        for key in _SAID & value.keys():
            if _takes(key, value[key]):
                made[key] = value[key]
            else:
                said[key] = value[key]
        if said:
            words = ", ".join(f"{key}: {json.dumps(item)}" for key, item in sorted(said.items()))
            made["description"] = f"{value['description']} ({words})" if value.get("description") else words
        self._typed(value, made)
        if "anyOf" in value or "oneOf" in value:
            made["anyOf"] = [self.schema(item, depth) for item in self._either(value)]
        kinds = made.get("type", ())
        kinds = (kinds,) if isinstance(kinds, str) else cast("tuple[str, ...]", kinds)
        if "object" in kinds:
            self._object(value, made, depth)
        elif "properties" in value:
            raise _NotStrict
        if "array" in kinds:
            made["items"] = self.schema(value.get("items"), depth)
        return made

    def _reference(self, value: Schema, depth: int) -> dict[str, object]:
        """A reference stands alone in strict mode; what stands beside it is joined with what it names."""
        reference = str(value["$ref"])
        found = self._found(reference)
        beside = {key: item for key, item in value.items() if key != "$ref"}
        telling = beside.keys() & (_KEPT | _SAID)
        if not reference.startswith(("#/$defs/", "#/definitions/")) and reference != "#":
            raise _NotStrict
        if telling and reference not in self.inside:
            outer, self.inside = self.inside, (*self.inside, reference)
            made = self.schema({**found, **beside}, depth)
            self.inside = outer
            return made
        if telling - {"description", "title"}:
            raise _NotStrict
        self.depths[reference] = max(depth, self.depths.get(reference, 0))
        return {"$ref": reference}

    def _either(self, value: Schema) -> list[object]:
        both = [value[key] for key in ("anyOf", "oneOf") if key in value]
        # "One of" is "any of" where a property says which, as in pydantic's tagged unions; else they differ.
        if len(both) != 1 or not isinstance(both[0], list) or ("oneOf" in value and "discriminator" not in value):
            raise _NotStrict
        return both[0]

    def _object(self, value: Schema, made: dict[str, object], depth: int) -> None:
        properties = value.get("properties")
        required = value.get("required", ())
        if not isinstance(properties, Mapping) or value.get("additionalProperties", False) is not False:
            raise _NotStrict
        if not set(cast("list[str]", required)) <= properties.keys():
            raise _NotStrict
        self.properties += len(properties)
        self.letters += sum(map(len, properties))
        made["properties"] = {name: self.schema(item, depth + 1) for name, item in properties.items()}
        made["required"] = list(properties)
        made["additionalProperties"] = False

    def _typed(self, value: Schema, made: dict[str, object]) -> None:
        """Values that are listed need a type beside them, and are counted."""
        if "enum" not in value and "const" not in value:
            if not {"type", "anyOf", "oneOf"} & value.keys():
                raise _NotStrict
            return
        listed = cast("list[object]", value["enum"]) if "enum" in value else [value["const"]]
        kinds = [_TYPES.get(type(item)) for item in listed]
        if None in kinds:
            raise _NotStrict
        unique = list(dict.fromkeys(cast("list[str]", kinds)))
        made.setdefault("type", unique[0] if len(unique) == 1 else unique)
        length = sum(len(item) for item in listed if isinstance(item, str))
        self.letters += length
        self.values += len(listed) if "enum" in value else 0
        if len(listed) > _LONG_ENUM and length > _LONGEST_ENUM:
            raise _NotStrict


def _merged(value: Schema) -> Schema:
    """`allOf` with one schema in it, which is how some generators put words beside a reference, is that schema."""
    if "allOf" not in value:
        return value
    every = value["allOf"]
    rest = {key: item for key, item in value.items() if key != "allOf"}
    if not isinstance(every, list) or len(every) != 1 or not isinstance(every[0], Mapping) or "$ref" in rest:
        raise _NotStrict
    if {key for key in every[0].keys() & rest.keys() if key not in ("title", "description", "default")}:
        raise _NotStrict
    return {**every[0], **rest}


def _takes(key: str, value: object) -> bool:
    """Does strict mode take this one? Patterns without looking around or back, and well-known formats."""
    if key == "format":
        return value in _FORMATS
    return key == "pattern" and isinstance(value, str) and "(?" not in value and "\\1" not in value
