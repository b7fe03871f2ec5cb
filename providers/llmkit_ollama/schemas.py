"""JSON schemas as Ollama can use them. It drops `$ref` silently, so what it names is put in its place.

Of a tool's schema it drops more; what can be said with the keywords that it keeps is said with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from llmkit.errors import BadRequest
from llmkit.wire.jsonbytes import encode

_DEEPEST = 64
_MOST = 20_000
#: Keywords whose value maps names to schemas, and those whose value is data.
_NAMED = ("properties", "patternProperties", "dependentSchemas")
_DATA = ("enum", "const", "default", "examples", "required")
#: Keywords that vanish from a tool's schema, and those that are kept and say as much to a model.
_KEPT_INSTEAD = {"oneOf": "anyOf", "const": "enum"}
#: Keywords that vanish, and bind what a model may say: it is told them in the description.
_SAID = (
    "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems", "uniqueItems",
)  # fmt: skip


def inline(schema: Mapping[str, object]) -> dict[str, object]:
    """A copy of `schema` in which each `#/...` reference is replaced by what it names.

    Raises:
        BadRequest: a reference that leads nowhere, out of the document, or to itself.
    """
    function = schema.get("function")
    if isinstance(function, Mapping) and isinstance(function.get("parameters"), Mapping):
        # A tool: references count from its parameters.
        root = cast("Mapping[str, object]", function["parameters"])
        return {**schema, "function": {**function, "parameters": _Inliner(root, tool=True).schema(root, 0)}}
    return cast("dict[str, object]", _Inliner(schema).schema(schema, 0))


class _Inliner:
    """Walks one document; counts the pieces, because a few references can unfold into millions."""

    def __init__(self, root: Mapping[str, object], *, tool: bool = False) -> None:
        self._root = root
        self._tool = tool
        self._pieces = 0

    def schema(self, value: object, depth: int) -> object:
        self._pieces += 1
        if depth > _DEEPEST or self._pieces > _MOST:
            raise BadRequest(
                "a JSON schema refers to itself, or unfolds without end", hint="Ollama takes no recursive schemas"
            )
        if isinstance(value, (list, tuple)):
            return [self.schema(item, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            rest = {key: item for key, item in value.items() if key != "$ref"}
            return self.schema({**_find(reference, self._root), **rest}, depth + 1)
        if self._tool:
            value = _with_kept_keywords(value)
        made = {
            key: self._keyword(key, item, depth + 1)
            for key, item in value.items()
            if key not in ("$defs", "definitions")
        }
        return _with_words(made) if self._tool and depth else made

    def _keyword(self, key: str, value: object, depth: int) -> object:
        if key in _DATA:
            return value
        if key in _NAMED and isinstance(value, Mapping):
            return {name: self.schema(item, depth) for name, item in value.items()}
        return self.schema(value, depth)


def _with_kept_keywords(schema: Mapping[str, object]) -> Mapping[str, object]:
    """A schema with `anyOf` for `oneOf`, and an `enum` of one for `const`, where these are not taken."""
    made = dict(schema)
    for dropped, kept in _KEPT_INSTEAD.items():
        if dropped in made and kept not in made:
            item = made.pop(dropped)
            made[kept] = [item] if dropped == "const" else item
    return made


def _with_words(schema: dict[str, object]) -> dict[str, object]:
    """A schema that says in its description what else vanishes of it: bounds, formats, and what a dict's values are."""
    said = {key: schema[key] for key in _SAID if key in schema}
    if isinstance(values := schema.get("additionalProperties"), Mapping) and values:
        said["each value"] = values
    if not said:
        return schema
    words = ", ".join(f"{key}: {encode(item).decode()}" for key, item in said.items())
    return {**schema, "description": f"{schema['description']} ({words})" if schema.get("description") else words}


def _find(reference: str, root: Mapping[str, object]) -> Mapping[str, object]:
    found: object = root
    if reference != "#" and not reference.startswith("#/"):
        raise BadRequest(f"a JSON schema refers to {reference!r}", hint="References must be inside the schema (#/...)")
    for step in reference[2:].split("/") if reference != "#" else ():
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise BadRequest(f"the reference {reference!r} of a JSON schema leads nowhere")
    return found
