"""Foreign numbers: one grammar, bounds that no honest figure reaches, and nothing that can raise."""

from __future__ import annotations

import json
from decimal import Context, Decimal, Inexact, Rounded, localcontext
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.provider.exchange import HTTPReply
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import Message
from llmkit.types.usage import MAX_DOLLARS, Cost, add_amounts, drop_unbelievable_amount
from llmkit.wire.chat_errors import parse_error_body
from llmkit.wire.jsonbytes import decode, decode_exact, decode_object
from llmkit.wire.numbers import (
    MAX_COUNT,
    MAX_INDEX,
    as_count,
    as_dollars,
    as_exact,
    as_index,
    as_real,
    describe_doubt,
    is_exact,
    is_number,
)
from llmkit.wire.prices import parse_price
from llmkit_openrouter.catalogue import check_key

if TYPE_CHECKING:
    from llmkit.types.model_info import KeyInfo

#: What Python reads as a number and JSON does not, and what is no number at all.
NO_NUMBERS: Final = [
    "1_000", "1_0.5", "\u0663", "\uff11", "1\u0663", "NaN", "nan", "sNaN", "Infinity", "-inf", "+1", ".5", "5.", "1e", "e5",
    "0x10", "1,5", " 1", "1 ", "1\n", "", "-", "--1", "true", True, False, None, [], {}, [1], b"1", 1j,
]  # fmt: skip
#: Numbers of a JSON document that nothing costs and nobody counts.
ABSURD: Final = [
    "9e999999", "1e999999", "1e9999999999999999999", "1e-9999999999999999999", "1E+99999999999999999999999", "9" * 5000,
    "-" + "9" * 5000, "9" * 400, "1" + "0" * 27, "0." + "0" * 5000 + "1", "9" * 5000 + ".5", "0e999999999", "-9e999999",
]  # fmt: skip


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number(value: Any) -> None:
    """It is absent to every reader: no underscores, no digits of other scripts, no NaN, no signs, no blanks."""
    assert [read(value) for read in (as_exact, as_dollars, as_count, as_index, as_real, parse_price)] == [None] * 6
    assert not is_number(value)
    assert not is_exact(value)


@pytest.mark.parametrize("figure", ["0", "-0.0", "7", "0.1", "1e-9", "1E+3", "0.000123456789012345678901", "007", "0e0"])
def test_a_number_is_read_to_its_last_digit(figure: str) -> None:
    """A number, and text that stands for one, is the same `Decimal`; a cost of minus nothing is nothing."""
    assert as_exact(figure) == as_exact(Decimal(figure)) == Decimal(figure)
    assert str(as_dollars(figure)) == str(Decimal(figure)).removeprefix("-")
    assert as_real(figure) == float(figure)


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (MAX_DOLLARS, True), (MAX_DOLLARS + 1, False), (Decimal("1000000.000000001"), False), (Decimal("999999.99"), True), (-1, False),
        (Decimal("-1e-99"), False), (Decimal("1e-100"), True), (Decimal("1e-101"), False), (Decimal("0e11"), False),
        (Decimal("NaN"), False), (Decimal("Infinity"), False), (10**4000, False), (0.5, False), ("0.5", True),
    ],
    ids=str,
)  # fmt: skip
def test_the_bounds_of_money(value: Any, known: bool) -> None:
    """Nothing costs more than a million dollars, less than nothing, or a figure of more places than one can add up."""
    assert (as_dollars(value) is not None) is known


@pytest.mark.parametrize(("read", "most"), [(as_count, MAX_COUNT), (as_index, MAX_INDEX)])
def test_the_bounds_of_a_whole_number(read: Any, most: int) -> None:
    """It may be written as a whole number, a decimal or a float, from 0 to its bound; text is none."""
    for value in (0, most, Decimal(most), float(most), Decimal("1e1"), 10.0, Decimal("0e999999999"), -0.0):
        assert read(value) == int(value)
        assert type(read(value)) is int
    for value in (-1, most + 1, Decimal(most + 1), most * 2.0, 1.5, Decimal("1e-999999"), float("inf"), float("nan"), "1"):
        assert read(value) is None


@pytest.mark.parametrize("figure", ABSURD, ids=lambda figure: figure[:24])
def test_one_absurd_number_spoils_no_document(figure: str) -> None:
    """Whatever one number is, the rest of the document is read, by every reader, and the number is no figure."""
    body = f'{{"said": "hi", "usage": {{"cost": {figure}, "prompt_tokens": 3}}}}'.encode()
    assert decode(body)["said"] == "hi"  # type: ignore[index]
    for usage in (decode_exact(body)["usage"], decode_object(body, "the reply")["usage"]):  # type: ignore[index]
        assert usage["prompt_tokens"] == 3
        assert as_dollars(usage["cost"]) is None
        assert is_exact(usage["cost"])
        assert len(describe_doubt("a cost", usage["cost"])) < 120
        json.dumps(usage, default=str)
    error = b'{"error": {"message": "no such model", "code": %s}}' % figure.encode()
    assert (parse_error_body(HTTPReply(404, {}, error)) or {})["message"] == "no such model"


@given(
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,50})(\.[0-9]{1,50})?([eE][+-]?[0-9]{1,25})?\Z")
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=8)
)
def test_no_number_makes_a_reader_raise(value: Any) -> None:
    """Any value is a figure within its bound, or absent."""
    assert (as_count(value) or 0) <= MAX_COUNT
    assert (as_index(value) or 0) <= MAX_INDEX
    assert (as_dollars(value) or 0) <= MAX_DOLLARS
    as_exact(value)
    as_real(value)
    parse_price(value)
    if is_number(value):
        describe_doubt("a figure", value)


def test_sums_are_exact_and_raise_nothing() -> None:
    """Amounts add up to the last digit, also where the program's own decimal context is short or strict."""
    parts = [Decimal("999999.0000000000000000000000000000000001"), Decimal("1e-100"), Decimal(MAX_DOLLARS), Decimal("0e10")]
    with localcontext(Context(prec=3, traps=[Inexact, Rounded])):
        total = Decimal(0)
        for part in parts:
            total = add_amounts(total, part)
    with localcontext(Context(prec=500)):
        assert total == sum(parts)


@pytest.mark.parametrize("amount", [Decimal("9e999999"), Decimal("NaN"), Decimal(-1), 0.5, "0.5", 10**9, True], ids=repr)
def test_an_amount_of_a_provider_is_not_believed_blindly(amount: Any) -> None:
    """A cost whose amount cannot be right is unknown, and what else it says stands."""
    given_ = Cost(amount, "reported", Decimal(1))
    assert drop_unbelievable_amount(given_) == Cost(None, "unknown", Decimal(1))
    fine = Cost(Decimal("0.5"), "reported")
    assert drop_unbelievable_amount(fine) is fine


def asked(key: str) -> KeyInfo:
    """What OpenRouter's answer about a key comes to."""
    operation = check_key()
    next(operation)
    try:
        operation.send(HTTPReply(200, {}, f'{{"data": {key}}}'.encode()))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("asked for more")


@pytest.mark.parametrize("figure", [*ABSURD, "-9e999999999", '"1_0"', '"\u0663"', '"-1"', "true"], ids=lambda text: text[:24])
def test_what_a_key_may_spend_is_no_absurd_number(figure: str) -> None:
    """An absurd limit is not known; what is left may be below zero."""
    info = asked(f'{{"limit": {figure}, "limit_remaining": -0.5, "usage": 1}}')
    assert (info.limit, info.remaining, info.usage) == (None, Decimal("-0.5"), Decimal(1))


@pytest.mark.parametrize("index", ["1e9", "-1", "10001", "9" * 5000, "1e99999999999999999999", '"0"', "true", "0.5"])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_absurd_index_is_absent(streamed: bool, index: str) -> None:
    """The choice is the first one then, as without an index."""
    call = Call("m", (Message("user", "x"),))
    provider = get_provider("openrouter")
    piece = f'{{"choices":[{{"index":{index},"%s":{{"content":"hi"}},"finish_reason":"stop"}}]}}'
    if streamed:
        decoder = provider.decoder(call)
        decoder.feed(f"data: {piece % 'delta'}\n\n".encode())
        response = decoder.finish()
    else:
        response = provider.parse(call, HTTPReply(200, {}, (piece % "message").encode()))
    assert [(choice.index, choice.message.content) for choice in response.choices] == [(0, "hi")]
