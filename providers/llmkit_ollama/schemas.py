"""JSON schemas without references. Ollama drops `$ref` silently, so what it names is put in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from llmkit.errors import BadRequest

_DEEPEST = 64
_MOST = 20_000
#: Keywords whose value maps names to schemas, and those whose value is data.
_NAMED = ("properties", "patternProperties", "dependentSchemas")
_DATA = ("enum", "const", "default", "examples", "required")


def inline(schema: Mapping[str, object]) -> dict[str, object]:
    """A copy of `schema` in which each `#/...` reference is replaced by what it names.

    Raises:
        BadRequest: a reference that leads nowhere, out of the document, or to itself.
    """
    function = schema.get("function")
    if isinstance(function, Mapping) and isinstance(function.get("parameters"), Mapping):
        # A tool: references count from its parameters.
        root = cast("Mapping[str, object]", function["parameters"])
        return {**schema, "function": {**function, "parameters": _Inliner(root).schema(root, 0)}}
    return cast("dict[str, object]", _Inliner(schema).schema(schema, 0))


class _Inliner:
    """Walks one document; counts the pieces, because a few references can unfold into millions."""

    def __init__(self, root: Mapping[str, object]) -> None:
        self._root = root
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
        return {
            key: self._keyword(key, item, depth + 1)
            for key, item in value.items()
            if key not in ("$defs", "definitions")
        }

    def _keyword(self, key: str, value: object, depth: int) -> object:
        if key in _DATA:
            return value
        if key in _NAMED and isinstance(value, Mapping):
            return {name: self.schema(item, depth) for name, item in value.items()}
        return self.schema(value, depth)


def _find(reference: str, root: Mapping[str, object]) -> Mapping[str, object]:
    found: object = root
    if reference != "#" and not reference.startswith("#/"):
        raise BadRequest(f"a JSON schema refers to {reference!r}", hint="References must be inside the schema (#/...)")
    for step in reference[2:].split("/") if reference != "#" else ():
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise BadRequest(f"the reference {reference!r} of a JSON schema leads nowhere")
    return found
