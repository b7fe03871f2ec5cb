"""Replies as values: what a fault name means, and which replies cannot be made."""

from typing import Any

import pytest

from llmkit.testing.simulator import Reply
from llmkit.testing.simulator.faults import parse_fault


@pytest.mark.parametrize(
    ("model", "reply"),
    [
        ("fault:status=503,retry-after=2", Reply(status=503, headers=(("Retry-After", "2"),))),
        ("sim/fault:rst@3", Reply(cut="reset", cut_after=3)),
        ("fault:cut@0", Reply(cut="clean", cut_after=0)),
        ("fault:stall@1,slow=0.5", Reply(cut="stall", cut_after=1, chunk_delay=0.5)),
        ("fault:delay=1,first=2,hold=3", Reply(delay=1, first_delay=2, hold_after_done=3)),
        ("fault:comments=4,pad=5", Reply(comments=4, padding=5)),
        ("fault:error@2", Reply(error_after=2)),
        ("fault:empty,nousage,nodone", Reply(text="", usage="missing", done=False)),
    ],
)
def test_faults_in_a_model_name(model: str, reply: Reply) -> None:
    """The items of a fault name each set one part of the reply."""
    fault = parse_fault(model)
    assert fault is not None
    assert (fault.reply, fault.times) == (reply, None)


@pytest.mark.parametrize(
    "model", ["fault:", "fault:nonsense", "fault:rst@x", "fault:status", "fault:delay=-1"]
)
def test_an_unknown_fault_is_refused(model: str) -> None:
    """A fault name that cannot be understood is an error that names the item."""
    with pytest.raises(ValueError, match="unknown fault"):
        parse_fault(model)


@pytest.mark.parametrize(
    "fields",
    [
        {"delay": -1},
        {"cut_after": -1},
        {"status": 20},
        {"body": b"", "raw_chunks": [b""]},
        {"framing": "none"},
        {"text": "ab", "chunks": ["a"]},
        {"cut_after": 1, "error_after": 1},
    ],
)
def test_a_reply_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    """A reply that cannot be played cannot be made."""
    with pytest.raises(ValueError, match="Reply"):
        Reply(**fields)
