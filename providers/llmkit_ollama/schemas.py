"""JSON schemas without references. Ollama drops `$ref` silently, so what it names is put in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from llmkit.errors import BadRequest

_DEEPEST = 64


def inline(schema: Mapping[str, object]) -> dict[str, object]:
    """A copy of `schema` in which each `#/...` reference is replaced by what it names.

    Raises:
        BadRequest: a reference that leads nowhere, out of the document, or to itself.
    """
    root = schema
    function = schema.get("function")
    if isinstance(function, Mapping) and isinstance(function.get("parameters"), Mapping):
        root = cast("Mapping[str, object]", function["parameters"])  # References in a tool count from its parameters.
    return cast("dict[str, object]", _walk(schema, root, 0))


def _walk(value: object, root: Mapping[str, object], depth: int) -> object:
    if depth > _DEEPEST:
        raise BadRequest("a JSON schema refers to itself", hint="Ollama takes no recursive schemas")
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str):
            named = _find(reference, root)
            rest = {key: item for key, item in value.items() if key != "$ref"}
            return _walk({**named, **rest}, root, depth + 1)
        return {key: _walk(item, root, depth + 1) for key, item in value.items() if key not in ("$defs", "definitions")}
    if isinstance(value, (list, tuple)):
        return [_walk(item, root, depth + 1) for item in value]
    return value


def _find(reference: str, root: Mapping[str, object]) -> Mapping[str, object]:
    found: object = root
    if not reference.startswith("#/"):
        raise BadRequest(f"a JSON schema refers to {reference!r}", hint="References must be inside the schema (#/...)")
    for step in reference[2:].split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise BadRequest(f"the reference {reference!r} of a JSON schema leads nowhere")
    return found
