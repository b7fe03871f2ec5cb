"""Makes a value that fits a JSON schema, for the tool arguments and structured output of the default answer."""

from llmkit.testing.simulator.jsonvalue import JSON, Object, as_list, as_object, as_text

_MAX_DEPTH_LEVELS = 12  # a schema may refer to itself


def make_sample(schema: Object) -> JSON:
    """Return a small value that fits a schema, always the same one; {} for an empty schema."""
    return _make_value(schema, schema, 0)


def _make_value(schema: Object, root: Object, depth: int) -> JSON:
    if depth > _MAX_DEPTH_LEVELS:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if as_list(schema.get(key)):
            return as_list(schema.get(key))[0]
    if "$ref" in schema:
        return _make_value(_resolve_reference(as_text(schema["$ref"]), root), root, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        if as_list(schema.get(key)):
            return _make_value(as_object(as_list(schema.get(key))[0]), root, depth + 1)
    return _make_value_of_kind(_find_kind(schema), schema, root, depth)


def _find_kind(schema: Object) -> str:
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    named = [as_text(item) for item in as_list(kind) if item != "null"]
    return named[0] if named else "object"


def _make_value_of_kind(kind: str, schema: Object, root: Object, depth: int) -> JSON:
    if kind == "string":
        least = schema.get("minLength")
        return "text".ljust(least, "x") if isinstance(least, int) else "text"
    if kind in {"integer", "number"}:
        least = schema.get("minimum")
        return least if isinstance(least, int | float) else 1
    if kind == "boolean":
        return True
    if kind == "array":
        return [_make_value(as_object(schema.get("items")), root, depth + 1)]
    if kind == "null":
        return None
    properties = as_object(schema.get("properties"))
    return {name: _make_value(as_object(part), root, depth + 1) for name, part in properties.items()}


def _resolve_reference(reference: str, root: Object) -> Object:
    node: Object = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        node = as_object(node.get(step)) if step else node
    return node
