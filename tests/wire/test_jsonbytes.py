"""JSON to and from bytes: exact numbers, readable errors, and no body that is not JSON."""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import BadRequest, MalformedResponse
from llmkit.provider.exchange import HTTPReply
from llmkit.provider.interface import Call
from llmkit.types.messages import Message
from llmkit.types.secret import Secret
from llmkit.wire.jsonbytes import decode, decode_cut, decode_exact, decode_object, encode
from llmkit_openrouter import OpenRouterProvider

SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
CASES: Final = SHARED / "wire" / "sse_cases.json"


def case(name: str) -> bytes:
    """The body of one recorded case."""
    if not CASES.exists():
        pytest.skip(f"the framing cases are not here: no file {CASES} (LLMKIT_SHARED names another folder)")
    bodies = json.loads(CASES.read_text("utf-8"))["json_bodies"]
    return next(entry["body"].encode() for entry in bodies if entry["id"] == name)


def parse(body: bytes) -> Exception | object:
    """What the OpenRouter provider makes of a plain reply with status 200."""
    provider = OpenRouterProvider("openrouter")
    try:
        return provider.parse(Call("m", (Message("user", "x"),)), HTTPReply(200, {}, body))
    except Exception as error:
        return error


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("json-leading-whitespace-keepalive", "EmptyResponse", None),
        ("json-error-in-200", "BadRequest", None),
        ("json-choice-level-error-in-200", "ServerError", "partial text"),
    ],
)
def test_recorded_bodies(name: str, kind: str, text: str | None) -> None:
    """Blanks before a body do not matter, and an error inside HTTP 200 is raised with the text that came."""
    error: Any = parse(case(name))
    assert (type(error).__name__, error.partial_text) == (kind, text)


def test_every_recorded_body_is_tried() -> None:
    """The table above has each case of the file."""
    case("json-error-in-200")
    assert len(json.loads(CASES.read_text("utf-8"))["json_bodies"]) == 3


# A JSON number with a fraction or an exponent, as text.
NUMBERS = st.from_regex(r"\A(0|[1-9][0-9]{0,30})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?\Z").filter(
    lambda text: not text.isdigit()
)


@given(NUMBERS, st.booleans())
def test_a_fraction_is_read_exactly(text: str, negative: bool) -> None:
    """The Decimal of a number equals the digits in the bytes, however many there are."""
    digits = f"-{text}" if negative else text
    value = decode_exact(f'{{"cost": {digits}}}'.encode())
    assert isinstance(value, dict)
    assert isinstance(value["cost"], Decimal)
    assert value["cost"] == Decimal(digits)
    assert value["cost"].as_tuple() == Decimal(digits).as_tuple()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_values_survive(value: object) -> None:
    """What is encoded is decoded again, by all three readers, and the standard library reads it too."""
    data = encode(value)
    assert json.loads(data) == decode(data) == decode_exact(data) == value


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_readers_raise_only_what_they_say(data: bytes) -> None:
    """Any bytes give a value, or the one error that the reader promises."""
    for reader in (decode, decode_exact):
        with suppress(ValueError):
            reader(data)
    decode_cut(data)
    with suppress(MalformedResponse):
        assert isinstance(decode_object(data, "the reply"), dict)


@pytest.mark.parametrize("reader", [decode, decode_exact])
def test_broken_utf8_becomes_the_replacement_character(reader: Any) -> None:
    """Invalid UTF-8 in a text spoils the character, not the document."""
    assert reader(b'{"a": "x\xffy"}') == {"a": "x\ufffdy"}


@pytest.mark.parametrize("depth", [100, 100_000])
def test_deep_nesting_is_an_error_of_ours(depth: int) -> None:
    """A body of nothing but brackets is malformed, not a crash."""
    with pytest.raises(MalformedResponse):
        decode_object(b"[" * depth, "the reply")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!doctype html><html><title>502 Bad Gateway</title>", "HTML page"),
        (b"  <html>", "HTML page"),
        (b"upstream connect error", "not JSON"),
        (b"", "not JSON"),
        (b'{"a": ', "not JSON"),
        (b"[1]", "JSON list"),
        (b'"text"', "JSON str"),
        (b"null", "JSON NoneType"),
        (b"9" * 5000, "JSON Numeral"),
    ],
)
def test_what_is_no_object_is_named(body: bytes, said: str) -> None:
    """The error of a body that is no JSON object says what came instead, in a short text."""
    with pytest.raises(MalformedResponse) as caught:
        decode_object(body, "the reply")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_byte_order_mark_is_no_part_of_a_body() -> None:
    """A reply that begins with a byte-order mark is read as the document after it."""
    assert decode_object(b"\xef\xbb\xbf" + b'{"a": 1}', "the reply") == {"a": 1}


def test_a_cut_document_is_read_as_far_as_it_came() -> None:
    """Of a body that was cut in a text, what came of the text is kept."""
    assert decode_cut(b'\n  {"choices": [{"message": {"content": "Par') == {
        "choices": [{"message": {"content": "Par"}}]
    }
    assert decode_cut(b"<html>") is None


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {"a": object()},
        {"a": math.nan},
        {"a": [math.inf]},
        {"a": -math.inf},
        {"a": "\ud800"},
        {"\udfff": 1},
        {"a": Secret("sk-canary-12345678")},
    ],
    ids=["object", "inner object", "nan", "inf", "-inf", "lone surrogate", "surrogate key", "secret"],
)
def test_what_is_not_json_is_refused(value: object) -> None:
    """A request holds JSON or is not sent; the error shows no key."""
    with pytest.raises(BadRequest) as caught:
        encode(value)
    assert "canary" not in str(caught.value)


def test_keys_keep_their_order() -> None:
    """The body has its keys in the order of the dict, since caches of the service look at it."""
    assert encode({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"b":1,"a":{"d":2,"c":3}}'
