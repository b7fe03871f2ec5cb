"""JSON schemas that Ollama can use. It drops `$ref` silently, so each reference is replaced by what it refers to.

In the schema of a tool it drops more keywords. Where keywords that it keeps can say the same, they are used instead;
the description says the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from llmkit.errors import BadRequest
from llmkit.wire.jsonbytes import encode

_MAX_DEPTH_LEVELS = 64
_MAX_SUBSCHEMAS = 20_000
#: Keywords whose value maps names to schemas, and keywords whose value is data.
_NAMED = ("properties", "patternProperties", "dependentSchemas")
_DATA = ("enum", "const", "default", "examples", "required")
#: Keyword that Ollama drops from a tool's schema -> keyword that it keeps and that says as much to a model.
_KEPT_INSTEAD = {"oneOf": "anyOf", "const": "enum"}
#: Keywords that Ollama drops although they bound what a model may say. The description tells them to the model.
_DESCRIBED = (
    "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems", "uniqueItems",
)  # fmt: skip


def inline(schema: Mapping[str, object]) -> dict[str, object]:
    """A copy of `schema` in which each `#/...` reference is replaced by what it names.

    Raises:
        BadRequest: a reference leads nowhere, out of the document, or to itself.
    """
    function = schema.get("function")
    if isinstance(function, Mapping) and isinstance(function.get("parameters"), Mapping):
        # This is a tool: references start at its parameters.
        root = cast("Mapping[str, object]", function["parameters"])
        return {**schema, "function": {**function, "parameters": _Inliner(root, tool=True).inline(root, 0)}}
    return cast("dict[str, object]", _Inliner(schema).inline(schema, 0))


class _Inliner:
    """Inlines the references of one document. It counts the pieces: a few references can unfold into millions."""

    def __init__(self, root: Mapping[str, object], *, tool: bool = False) -> None:
        self._root = root
        self._tool = tool
        self._pieces = 0

    def inline(self, value: object, depth: int) -> object:
        self._pieces += 1
        if depth > _MAX_DEPTH_LEVELS or self._pieces > _MAX_SUBSCHEMAS:
            raise BadRequest(
                "a JSON schema refers to itself, or unfolds without end", hint="Ollama takes no recursive schemas"
            )
        if isinstance(value, (list, tuple)):
            return [self.inline(item, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            rest = {key: item for key, item in value.items() if key != "$ref"}
            return self.inline({**_resolve(reference, self._root), **rest}, depth + 1)
        if self._tool:
            value = _replace_lost_keywords(value)
        inlined = {
            key: self._inline_keyword(key, item, depth + 1)
            for key, item in value.items()
            if key not in ("$defs", "definitions")
        }
        return _describe_lost_keywords(inlined) if self._tool and depth else inlined

    def _inline_keyword(self, key: str, value: object, depth: int) -> object:
        if key in _DATA:
            return value
        if key in _NAMED and isinstance(value, Mapping):
            return {name: self.inline(item, depth) for name, item in value.items()}
        return self.inline(value, depth)


def _replace_lost_keywords(schema: Mapping[str, object]) -> Mapping[str, object]:
    """The schema with `anyOf` for `oneOf`, and an `enum` of one value for `const`, unless it has these already."""
    replaced = dict(schema)
    for dropped, kept in _KEPT_INSTEAD.items():
        if dropped in replaced and kept not in replaced:
            item = replaced.pop(dropped)
            replaced[kept] = [item] if dropped == "const" else item
    return replaced


def _describe_lost_keywords(schema: dict[str, object]) -> dict[str, object]:
    """The schema with a description that says what else Ollama drops: bounds, formats, and the values of a dict."""
    lost = {key: schema[key] for key in _DESCRIBED if key in schema}
    if isinstance(values := schema.get("additionalProperties"), Mapping) and values:
        lost["each value"] = values
    if not lost:
        return schema
    words = ", ".join(f"{key}: {encode(item).decode()}" for key, item in lost.items())
    return {**schema, "description": f"{schema['description']} ({words})" if schema.get("description") else words}


def _resolve(reference: str, root: Mapping[str, object]) -> Mapping[str, object]:
    target: object = root
    if reference != "#" and not reference.startswith("#/"):
        raise BadRequest(f"a JSON schema refers to {reference!r}", hint="References must be inside the schema (#/...)")
    for step in reference[2:].split("/") if reference != "#" else ():
        target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
    if not isinstance(target, Mapping):
        raise BadRequest(f"the reference {reference!r} of a JSON schema leads nowhere")
    return target
