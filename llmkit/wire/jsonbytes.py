"""JSON to and from bytes. pydantic-core's parser reads the events of a stream; what holds money is read exactly.

pydantic-core is loaded by the first call, not by `import llmkit` or `create_language`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, DecimalException
from typing import TYPE_CHECKING, TypeVar, cast

from llmkit.errors import BadRequest, MalformedResponse
from llmkit.types.redaction import scrub
from llmkit.wire.numbers import parse_decimal, parse_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field

T = TypeVar("T")
#: A byte-order mark, which some proxies put before a body.
BOM = b"\xef\xbb\xbf"
_from_json: Callable[[bytes], object] | None = None


def decode(data: bytes) -> object:
    """The value of a JSON document; numbers with a fraction are floats.

    Invalid UTF-8 becomes the replacement character, as in SSE. A number that Python cannot read becomes a `Numeral`.

    Raises:
        ValueError: the data is not JSON.
    """
    global _from_json  # noqa: PLW0603 - the import must not run at module level, nor the import machinery per chunk
    if _from_json is None:
        from pydantic_core import from_json

        _from_json = from_json
    try:
        return _from_json(data)
    except ValueError:
        # Lone surrogates, invalid UTF-8 and very long numbers are rare, and the standard library takes them.
        return json.loads(data.decode("utf-8-sig", "replace"), parse_int=parse_whole)


def decode_exact(data: bytes) -> object:
    """As `decode`, but a number with a fraction or exponent becomes a `Decimal` of exactly its digits."""
    text = data.decode("utf-8-sig", "replace")
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, DecimalException):
        # Perhaps only a number could not be read. The hooks that read any number are slower, so they come second.
        return json.loads(text, parse_float=parse_decimal, parse_int=parse_whole)


def decode_cut(data: bytes) -> object:
    """What can be read of a JSON document that was cut off; `None` where nothing can."""
    from pydantic_core import from_json

    try:
        return cast("object", from_json(data, allow_partial="trailing-strings"))
    except ValueError:
        return None


def decode_object(data: bytes, what: str) -> dict[str, object]:
    """The object that a whole body holds; the numbers of its `usage` are exact.

    Raises:
        MalformedResponse: the body is not a JSON object; the text says what came instead.
    """
    value: object = None
    problem: str | None = None
    try:
        value = decode(data)
        if isinstance(value, dict) and value.get("usage"):
            value["usage"] = cast("dict[str, object]", decode_exact(data))["usage"]
    except (ValueError, RecursionError) as error:
        problem = scrub(str(error), 80)
    if problem is not None:
        # It is raised outside the handler, because the parser's exception holds the whole body.
        text = data.removeprefix(BOM).lstrip()[:200].decode("utf-8", "replace")
        if text[:1] == "<":
            raise MalformedResponse(f"{what} is an HTML page, not JSON: {scrub(text, 120)}")
        raise MalformedResponse(f"{what} is not JSON ({problem}): {scrub(text, 120)}")
    if not isinstance(value, dict):
        raise MalformedResponse(f"{what} is a JSON {type(value).__name__}, not an object")
    return cast("dict[str, object]", value)


def encode(value: object) -> bytes:
    """The value as a request body: JSON in UTF-8, keys in the order of the dict.

    Raises:
        BadRequest: something in the value is not JSON.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=as_dict).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(f"the request cannot be written as JSON: {scrub(str(error))}") from None


def as_dict(value: object) -> object:
    """A mapping of any class as a dict, for the JSON encoder. Raises `TypeError` for anything else."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def make_mutable_twin(cls: type[T]) -> Callable[..., T]:
    """The constructor of a mutable twin of a frozen slotted dataclass: same fields, same slots, same defaults.

    The `__init__` of a frozen dataclass sets each field by a call of `object.__setattr__`, and three such values are
    most of the cost of a streamed chunk. The twin is not frozen, so its `__init__` stores into the slots directly. Its
    caller then sets `value.__class__ = cls`, and from there on the value is a frozen one: of the same class, equal to
    one that was made in the plain way, and refusing every change.

    CPython allows that change of class only between classes of the same memory layout: the same slots on the same base.
    The twin has the slots of `fields(cls)` for that reason; for a class with another layout, setting `__class__` raises
    `TypeError`. The twin runs no `__post_init__`: a class that has one must not be made this way.
    """
    from dataclasses import MISSING, field, fields, make_dataclass

    def copy_field(item: Field[object]) -> tuple[str, object, object]:
        if item.default is not MISSING:
            return item.name, object, field(default=item.default)
        if item.default_factory is not MISSING:
            return item.name, object, field(default_factory=item.default_factory)
        return item.name, object, field()

    members = [copy_field(item) for item in fields(cls)]  # type: ignore[arg-type]
    return cast("Callable[..., T]", make_dataclass(f"_{cls.__name__}", members, slots=True))
