"""Server-sent events: the recorded framing cases, and that no split of the bytes changes what is read."""

from __future__ import annotations

import base64
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmkit.errors import ResponseTooLarge
from llmkit.wire.sse import MAX_EVENT_BYTES, SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
CASES: Final = SHARED / "wire" / "sse_cases.json"


class Seen(NamedTuple):
    """What a decoder made of a stream: events as (event, data, id), and the reconnection time."""

    events: list[tuple[str, str, str]]
    reconnection_time: int | None


def read(pieces: Iterable[bytes]) -> Seen:
    """What the library reads."""
    decoder = SSEDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    assert decoder.feed(b"") == [], "the end of the body completes no event"
    return Seen(
        [(event.event, event.data.decode("utf-8", "replace"), event.id) for event in events],
        decoder.reconnection_time,
    )


def reference(stream: bytes) -> Seen:
    """The WHATWG algorithm, one line at a time, as slow and plain as it is written down there.

    One liberty is taken: a `retry` counts when a blank line ends its block, not before.
    """
    text = stream.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff")
    lines, line, position = [], "", 0
    while position < len(text):
        char = text[position]
        position += 1
        if char not in "\r\n":
            line += char
            continue
        if char == "\r" and text[position : position + 1] == "\n":
            position += 1
        lines.append(line)
        line = ""
    events: list[tuple[str, str, str]] = []
    data, kind, last_id = "", "", ""
    retry: int | None = None
    said_retry: int | None = None
    for line in lines:  # an unfinished last line is dropped
        if not line:
            if data:
                events.append((kind or "message", data.removesuffix("\n"), last_id))
            data, kind, retry = "", "", said_retry
            continue
        if line.startswith(":"):
            continue
        name, colon, value = line.partition(":")
        if colon:
            value = value.removeprefix(" ")
        if name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id":
            last_id = last_id if "\0" in value else value
        elif name == "retry" and value and all(char in "0123456789" for char in value):
            said_retry = int(value)
    return Seen(events, retry)


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    """The stream, cut at these places."""
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(edges)]


def cases() -> list[Any]:
    """The framing cases, one parameter each; one that skips where the file is not there."""
    if not CASES.exists():
        reason = f"the framing cases are not here: no file {CASES} (LLMKIT_SHARED names another folder)"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason), id="absent")]
    return [pytest.param(case, id=case["id"]) for case in json.loads(CASES.read_text("utf-8"))["sse"]]


@pytest.mark.parametrize("how", ["as given", "whole", "byte by byte", "in pairs"])
@pytest.mark.parametrize("case", cases())
def test_framing_case(case: dict[str, Any], how: str) -> None:
    """Each framing case gives its events and reconnection time, however the bytes arrive."""
    given_pieces = [base64.b64decode(piece) for piece in case["chunks_b64"]]
    stream = b"".join(given_pieces)
    pieces = {
        "as given": given_pieces,
        "whole": [stream],
        "byte by byte": [stream[place : place + 1] for place in range(len(stream))],
        "in pairs": [stream[place : place + 2] for place in range(0, len(stream), 2)],
    }[how]
    expected = [(event["event"], event["data"], event["id"]) for event in case["expected_events"]]
    assert read(pieces) == Seen(expected, case["expected_reconnection_time"])


# Pieces of streams: what the algorithm tells apart, and text that it must leave alone.
_WORDS = st.sampled_from(
    [
        b"data", b"data:", b"data: ", b"event: ", b"id: ", b"retry: ", b"retry:12", b": ping", b":", b" ", b"x",
        b"\0", b"\n", b"\n\n", b"\r", b"\r\n", b"\r\r", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85",
        b"\x0b", b"\x0c", b"\x1c", b"\xff\xfe", b"\xf0\x9f\x98\x80", b"[DONE]", b'{"a": 1}',
        b'data: {"a": 1}\n\n', b"event: error\ndata: x\n\n", b"id: 7\n",
    ]
)  # fmt: skip
STREAMS = st.lists(st.one_of(_WORDS, st.binary(max_size=6)), max_size=30).map(b"".join)


@example(stream=b"\xef\xbb\xbfdata: a\r\n\r\ndata: b\r\r", places=[1, 2, 11, 12])
@given(stream=STREAMS, places=st.lists(st.integers(min_value=0), max_size=12))
def test_no_split_changes_the_events(stream: bytes, places: list[int]) -> None:
    """Whole, split anywhere and byte by byte give the events that a line-by-line reader finds."""
    expected = reference(stream)
    assert read([stream]) == expected
    assert read(cut(stream, places)) == expected
    assert read([stream[place : place + 1] for place in range(len(stream))]) == expected


@example(stream=b"data:x\r\n", places=[7])
@given(stream=STREAMS, places=st.lists(st.integers(min_value=0), max_size=4))
def test_empty_reads_change_nothing(stream: bytes, places: list[int]) -> None:
    """An empty read between two others is no event and no line end."""
    pieces = [part for piece in cut(stream, places) for part in (piece, b"")]
    assert read(pieces) == reference(stream)


def test_a_retry_of_many_digits_is_harmless() -> None:
    """A `retry` field with more digits than Python turns into a number raises nothing."""
    assert read([b"retry: " + b"9" * 5000 + b"\ndata: x\n\n"]).events == [("message", "x", "")]


@pytest.mark.parametrize("filler", [b"x" * 65536, b"data: " + b"x" * 65529 + b"\n"], ids=["one line", "many lines"])
def test_an_endless_event_is_refused(filler: bytes) -> None:
    """An event that no blank line ends is read up to the limit and no further."""
    decoder = SSEDecoder()
    for _ in range(MAX_EVENT_BYTES // len(filler)):
        assert decoder.feed(filler) == []
    with pytest.raises(ResponseTooLarge, match=str(MAX_EVENT_BYTES)):
        decoder.feed(filler)


def test_a_large_event_is_read() -> None:
    """An event under the limit, such as a generated image, arrives whole from reads of any size."""
    payload = b"A" * (4 * 1024 * 1024)
    stream = b"data: " + payload + b"\n\n"
    pieces = [stream[place : place + 16384] for place in range(0, len(stream), 16384)]
    assert read(pieces).events == [("message", payload.decode(), "")]


def test_many_small_events_count_alone() -> None:
    """The limit is for one event: a long stream of short ones passes it without an error."""
    decoder = SSEDecoder()
    block = b"data: " + b"x" * 1018 + b"\n\n"
    read_so_far = sum(len(decoder.feed(block * 1024)) for _ in range(MAX_EVENT_BYTES // (1024 * 1024) + 1))
    assert read_so_far == 1024 * (MAX_EVENT_BYTES // (1024 * 1024) + 1)
