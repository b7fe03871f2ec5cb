"""Newline-delimited JSON: the recorded cases, and that no split of the bytes changes what is read."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import ResponseTooLarge
from llmkit.wire.ndjson import MAX_LINE_BYTES, NDJSONDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
CASES: Final = SHARED / "wire" / "sse_cases.json"


def read(pieces: Iterable[bytes]) -> list[bytes]:
    """The lines that the library reads, the unterminated last one too."""
    decoder = NDJSONDecoder()
    lines = [line for piece in pieces if piece for line in decoder.feed(piece)]
    return lines + decoder.feed(b"")


def reference(stream: bytes) -> list[bytes]:
    """The lines, by LF alone, blank ones left out."""
    return [line.strip() for line in stream.split(b"\n") if line.strip()]


def parses(line: bytes) -> bool:
    """Is the line a JSON document?"""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def cases() -> list[Any]:
    """The framing cases, one parameter each; one that skips where the file is not there."""
    if not CASES.exists():
        reason = f"the framing cases are not here: no file {CASES} (LLMKIT_SHARED names another folder)"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason), id="absent")]
    return [pytest.param(case, id=case["id"]) for case in json.loads(CASES.read_text("utf-8"))["ndjson"]]


@pytest.mark.parametrize("how", ["as given", "whole", "byte by byte"])
@pytest.mark.parametrize("case", cases())
def test_framing_case(case: dict[str, Any], how: str) -> None:
    """Each case gives its number of JSON objects, however the bytes arrive; only a cut line is no JSON."""
    given_pieces = [piece.encode() for piece in case["chunks"]]
    stream = b"".join(given_pieces)
    pieces = {
        "as given": given_pieces,
        "whole": [stream],
        "byte by byte": [stream[place : place + 1] for place in range(len(stream))],
    }[how]
    lines = read(pieces)
    assert sum(parses(line) for line in lines) == case["expected_objects"]
    assert all(parses(line) for line in lines[:-1])
    assert lines == reference(stream)


STREAMS = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r\n", b"\n\n", b" ", b"\r", b"\xe2\x80\xa8", b"\xc2\x85", b"\x1c", b'{"a":1}']),
        st.binary(max_size=8),
    ),
    max_size=30,
).map(b"".join)


@given(stream=STREAMS, places=st.lists(st.integers(min_value=0), max_size=12))
def test_no_split_changes_the_lines(stream: bytes, places: list[int]) -> None:
    """Whole, split anywhere and byte by byte give the lines that LF divides."""
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    expected = reference(stream)
    assert read([stream]) == expected
    assert read(stream[start:end] for start, end in pairwise(edges)) == expected
    assert read(stream[place : place + 1] for place in range(len(stream))) == expected


def test_the_end_is_said_once() -> None:
    """An unterminated last line is given at the end of the body, and only once."""
    decoder = NDJSONDecoder()
    assert decoder.feed(b'{"done":true}') == []
    assert decoder.feed(b"") == [b'{"done":true}']
    assert decoder.feed(b"") == []


def test_an_endless_line_is_refused() -> None:
    """A line that does not end is read up to the limit and no further."""
    decoder = NDJSONDecoder()
    filler = b"x" * 65536
    for _ in range(MAX_LINE_BYTES // len(filler)):
        assert decoder.feed(filler) == []
    with pytest.raises(ResponseTooLarge, match=str(MAX_LINE_BYTES)):
        decoder.feed(filler)


def test_a_large_line_is_read() -> None:
    """A line under the limit arrives whole from small reads."""
    line = b'{"x":"' + b"A" * (4 * 1024 * 1024) + b'"}'
    stream = line + b"\n"
    assert read(stream[place : place + 16384] for place in range(0, len(stream), 16384)) == [line]
