"""A value that fits a JSON schema: what the default answer puts into tool arguments and structured output."""

from llmkit.testing.simulator.jsonvalue import JSON, Object, as_list, as_object, as_text

_MAX_DEPTH = 12  # a schema may refer to itself


def sample(schema: Object) -> JSON:
    """The same small value each time for the same schema; {} for a schema that says nothing."""
    return _sample(schema, schema, 0)


def _sample(schema: Object, root: Object, depth: int) -> JSON:
    if depth > _MAX_DEPTH:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if as_list(schema.get(key)):
            return as_list(schema.get(key))[0]
    if "$ref" in schema:
        return _sample(_resolve(as_text(schema["$ref"]), root), root, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        if as_list(schema.get(key)):
            return _sample(as_object(as_list(schema.get(key))[0]), root, depth + 1)
    return _of_kind(_kind(schema), schema, root, depth)


def _kind(schema: Object) -> str:
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    named = [as_text(item) for item in as_list(kind) if item != "null"]
    return named[0] if named else "object"


def _of_kind(kind: str, schema: Object, root: Object, depth: int) -> JSON:
    if kind == "string":
        least = schema.get("minLength")
        return "text".ljust(least, "x") if isinstance(least, int) else "text"
    if kind in {"integer", "number"}:
        least = schema.get("minimum")
        return least if isinstance(least, int | float) else 1
    if kind == "boolean":
        return True
    if kind == "array":
        return [_sample(as_object(schema.get("items")), root, depth + 1)]
    if kind == "null":
        return None
    properties = as_object(schema.get("properties"))
    return {name: _sample(as_object(part), root, depth + 1) for name, part in properties.items()}


def _resolve(reference: str, root: Object) -> Object:
    node: Object = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        node = as_object(node.get(step)) if step else node
    return node
