"""The plain reader itself, held against bodies written by hand: the shapes that are easy to get wrong."""

from __future__ import annotations

import ast
import base64
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from . import reader
from .reader import Choice, Expected, ToolCall, Usage

HERE: Final = Path(__file__).parent
CASES: Final = Path(os.environ.get("LLMKIT_SHARED") or HERE.parents[3] / "shared") / "wire" / "sse_cases.json"


def sse(*events: object, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(event)}\n\n" for event in events) + end).encode()


def delta(*, index: int | None = 0, finish: str | None = None, **fields: object) -> dict[str, object]:
    choice: dict[str, object] = {"delta": fields, "finish_reason": finish}
    return {"choices": [choice if index is None else {"index": index, **choice}]}


def stream(*events: object, end: str = "data: [DONE]\n\n") -> Expected:
    return reader.read("openrouter", status=200, body=sse(*events, end=end), stream=True)


def plain(body: str, status: int = 200) -> Expected:
    return reader.read("openrouter", status=status, body=body.encode(), stream=False)


def calls(*fragments: dict[str, object]) -> tuple[ToolCall, ...]:
    """The calls that fragments make, one fragment an event."""
    events = [delta(tool_calls=[fragment]) for fragment in fragments]
    return stream(*events, delta(finish="tool_calls")).choices[0].tool_calls


def fragment(
    arguments: object = None, *, index: int | None = None, call_id: str | None = None, name: str | None = None
) -> dict[str, object]:
    function: dict[str, object] = {"name": name, "arguments": arguments}
    whole: dict[str, object] = {"index": index, "id": call_id, "function": function}
    return {key: value for key, value in whole.items() if value is not None}


def test_the_reader_shares_nothing_with_the_library() -> None:
    """The standard library is all that it imports."""
    tree = ast.parse(Path(reader.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in sys.stdlib_module_names


def test_every_framing_case_gives_its_events() -> None:
    """SSE and NDJSON as the framing cases of the shared folder say."""
    if not CASES.is_file():
        pytest.skip(f"the framing cases are not here: no file {CASES} (LLMKIT_SHARED names another folder)")
    cases: dict[str, list[dict[str, Any]]] = json.loads(CASES.read_text(encoding="utf-8"))
    for case in cases["sse"]:
        body = b"".join(base64.b64decode(chunk) for chunk in case["chunks_b64"])
        events = [(event["event"], event["data"]) for event in case["expected_events"]]
        assert reader.split_sse(body) == events, case["id"]
    for case in cases["ndjson"]:
        lines = reader.split_ndjson("".join(case["chunks"]).encode())
        whole = [line for line in lines if _parses(line)]
        assert len(whole) == case["expected_objects"], case["id"]


def _parses(text: str) -> bool:
    try:
        reader.read_json(text)
    except ValueError:
        return False
    return True


def test_a_padded_reply_is_read_to_its_last_digit() -> None:
    """Blanks before the JSON are no content, and money keeps its digits."""
    seen = plain(
        '\n   \n{"id": "gen-1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": '
        '{"content": "hi", "reasoning": null}}], "usage": {"prompt_tokens": 3, "completion_tokens": 1, '
        '"total_tokens": 4, '
        '"cost": 0.000012340, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 5}, '
        '"completion_tokens_details": null}}'
    )
    assert seen == Expected(
        fault=None,
        status=200,
        choices=(Choice(index=0, text="hi", finish_reason="stop"),),
        usage=Usage(prompt=3, completion=1, total=4, cached=2, cache_write=5),
        reported_cost=Decimal("0.000012340"),
        billed_cost=Decimal("0.000012340"),
        model="m",
        id="gen-1",
    )
    assert str(seen.reported_cost) == "0.000012340"


def test_an_own_key_adds_the_upstream_part() -> None:
    """BYOK: what was reported plus what the upstream provider charges."""
    usage = '{"cost": 0, "is_byok": %s, "cost_details": {"upstream_inference_cost": 0.00025}}'
    reply = '{"choices": [{"message": {"content": "hi"}}], "usage": %s}'
    own, other = plain(reply % (usage % "true")), plain(reply % (usage % "false"))
    assert (own.reported_cost, own.billed_cost) == (Decimal(0), Decimal("0.00025"))
    assert (other.reported_cost, other.billed_cost) == (Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("body", "status", "fault"),
    [
        ('{"error": {"code": 502, "message": "no"}}', 200, "error-object"),
        ('{"choices": [{"message": {"content": "part"}, "error": {"code": 502}}]}', 200, "error-object"),
        ('{"choices": [{"message": {"content": "part"}, "finish_reason": "error"}]}', 200, "finish-error"),
        ('{"id": null, "choices": null, "usage": null}', 200, "nothing"),
        ('{"choices": [{"message": {"content": ""}, "finish_reason": null}]}', 200, "nothing"),
        ("<html></html>", 200, "not-json"),
        ("", 200, "not-json"),
        ('{"error": {"code": 429}}', 429, "status"),
        ("", 500, "status"),
        ('{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}', 200, None),
        ('{"choices": [{"message": {"content": "cut"}}]}', 200, None),
        ('{"choices": [{"message": {"content": "hi"}}], "error": null}', 200, None),
    ],
)
def test_what_is_a_failure(body: str, status: int, fault: str | None) -> None:
    """A failure is what the bytes call one; a finished answer is an answer, also when it is empty."""
    assert plain(body, status).fault == fault


def test_the_form_of_the_body_counts() -> None:
    """A stream is read where a reply was asked for, and the other way round; a web page is neither."""
    answer = (Choice(index=0, text="hi", finish_reason="stop"),)
    events = sse(delta(content="hi", finish="stop"))
    reply = b'\n {"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}'
    assert reader.read("openai", status=200, body=events, stream=False).choices == answer
    assert reader.read("openai", status=200, body=reply, stream=True).choices == answer
    assert reader.read("openai", status=200, body=b"<html>\n\n</html>", stream=True).fault == "not-json"
    assert reader.read("openai", status=200, body=b"", stream=True).fault == "not-json"


def test_deltas_are_joined_also_after_a_finish() -> None:
    """The first finish reason stands, the last usage stands, and no text is lost."""
    seen = stream(
        delta(content="a", role="assistant"),
        delta(content=None, finish="tool_calls"),
        {**delta(content="b", finish="stop"), "usage": None},
        {"choices": [], "usage": {"prompt_tokens": 1}},
        {**delta(content=""), "usage": {"prompt_tokens": 2}},
    )
    assert seen.fault is None
    assert seen.choices == (Choice(index=0, text="ab", finish_reason="tool_calls"),)
    assert seen.usage == Usage(prompt=2)


def test_choices_are_kept_apart() -> None:
    """A delta goes to the choice of its index."""
    seen = stream(delta(content="a"), delta(index=1, content="b", finish="stop"), delta(content="c", finish="length"))
    assert [(c.index, c.text, c.finish_reason) for c in seen.choices] == [
        (0, "ac", "length"),
        (1, "b", "stop"),
    ]


@pytest.mark.parametrize("end", ["", "data: [DONE]\n\n"])
def test_a_stream_without_a_finish_is_cut(end: str) -> None:
    """`[DONE]` is no finish reason."""
    seen = stream(delta(content="half"), end=end)
    assert (seen.fault, seen.partial_text) == ("no-finish", "half")


@pytest.mark.parametrize(
    "last",
    [
        {"error": {"code": 502}},
        {"choices": [], "error": {"code": "server_error"}},
        {
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
            "error": {"code": 502},
        },
        {"choices": [{"index": 0, "delta": {"content": ""}, "error": {"code": 502}}]},
    ],
)
def test_an_error_ends_a_stream(last: object) -> None:
    """What was delivered before it stays; what follows does not count."""
    seen = stream(delta(content="half"), last, delta(content="more", finish="stop"))
    assert (seen.fault, seen.partial_text) == ("error-object", "half")


def test_an_error_event_needs_no_error_key() -> None:
    """An event of the name `error` is one, whatever its data is called."""
    body = b'event: error\ndata: {"message": "overloaded"}\n\n'
    assert reader.read("openai", status=200, body=body, stream=True).fault == "error-object"


def test_nothing_counts_after_done() -> None:
    """`[DONE]` ends the answer."""
    tail = 'data: [DONE] \n\ndata: {"choices": [{"index": 0, "delta": {"content": "late"}}]}\n\n'
    assert stream(delta(content="a", finish="stop"), end=tail).choices[0].text == "a"


def test_reasoning_comes_from_one_field() -> None:
    """`reasoning`, else `reasoning_content`, else the text of the details; never the same text twice."""
    details = [{"type": "reasoning.text", "text": "t"}, {"type": "reasoning.encrypted", "data": "x"}]
    finish = delta(finish="stop")
    assert (
        stream(delta(reasoning="r", reasoning_content="c", reasoning_details=details), finish).choices[0].reasoning
        == "r"
    )
    assert stream(delta(reasoning_content="c", reasoning_details=details), finish).choices[0].reasoning == "c"
    only = delta(reasoning=None, reasoning_details=[*details, {"type": "reasoning.summary", "summary": "s"}])
    assert stream(only, finish).choices[0].reasoning == "ts"


def test_fragments_of_a_call_are_joined_by_index() -> None:
    """Interleaved calls stay apart; an index may start at 1; null arguments and an empty id add nothing."""
    seen = calls(
        fragment("", index=1, call_id="a", name="f"),
        fragment('{"x"', index=1, call_id=""),
        fragment('{"y":', index=2, call_id="b", name="g"),
        fragment(": 1}", index=1),
        fragment(" 2", index=2),
        fragment(None, index=2),
    )
    assert seen == (
        ToolCall(id="a", name="f", arguments='{"x": 1}'),
        ToolCall(id="b", name="g", arguments='{"y": 2'),
    )


def test_id_and_name_may_be_repeated_in_every_fragment() -> None:
    """The same id is the same call."""
    seen = calls(fragment("{", index=0, call_id="a", name="f"), fragment("}", index=0, call_id="a", name="f"))
    assert seen == (ToolCall(id="a", name="f", arguments="{}"),)


def test_one_index_for_several_whole_calls() -> None:
    """Another id under the same index is another call."""
    seen = calls(
        fragment('{"x": 1}', index=0, call_id="a", name="f"), fragment('{"x": 2}', index=0, call_id="b", name="f")
    )
    assert [(call.id, call.arguments) for call in seen] == [("a", '{"x": 1}'), ("b", '{"x": 2}')]


def test_calls_without_an_index() -> None:
    """A name begins a call, what has none goes on with the last one."""
    seen = calls(
        fragment("", call_id="a", name="f"),
        fragment("{}"),
        fragment("{}", name="f"),
        fragment('{"z": 0}', name="g"),
    )
    assert [(call.id, call.name, call.arguments) for call in seen] == [
        ("a", "f", "{}"),
        (None, "f", "{}"),
        (None, "g", '{"z": 0}'),
    ]


def test_a_custom_call_keeps_its_free_text() -> None:
    """`custom.input` is the argument text."""
    reply = {
        "choices": [
            {"message": {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "1+"}}]}}
        ]
    }
    seen = plain(json.dumps(reply))
    assert seen.choices[0].tool_calls == (ToolCall(id="a", name="f", arguments="1+", type="custom"),)


def ollama(*objects: object, streamed: bool = True, status: int = 200) -> Expected:
    body = "\n".join(json.dumps(value) for value in objects).encode()
    return reader.read("ollama", status=status, body=body, stream=streamed)


def test_an_ollama_stream_is_read_line_by_line() -> None:
    """Thinking, text and whole calls of all lines; counts of the last; a stop with calls is `tool_calls`."""
    call = {"function": {"name": "f", "arguments": {"x": 1.5}}}
    seen = ollama(
        {"model": "m", "message": {"content": "", "thinking": "t1"}, "done": False},
        {"model": "m", "message": {"content": "a", "thinking": "t2", "tool_calls": [call]}, "done": False},
        {
            "model": "m",
            "message": {"content": "b"},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 2,
            "eval_count": 3,
        },
    )
    assert seen.fault is None
    assert seen.choices == (
        Choice(
            index=0,
            text="ab",
            reasoning="t1t2",
            tool_calls=(ToolCall(id=None, name="f", arguments={"x": Decimal("1.5")}),),
            finish_reason="tool_calls",
        ),
    )
    assert seen.usage == Usage(prompt=2, completion=3, total=5)


def test_an_ollama_stream_that_fails() -> None:
    """An error line, a cut line, and an end without `done` are failures; the text before them stays."""
    first = {"message": {"content": "half"}, "done": False}
    assert ollama(first, {"error": "EOF"}).fault == "error-object"
    assert ollama(first).fault == "no-finish"
    assert ollama(first).partial_text == "half"
    body = json.dumps(first).encode() + b'\n{"mess'
    assert reader.read("ollama", status=200, body=body, stream=True).partial_text == "half"
    assert ollama({"error": "no such model"}, status=404).fault == "status"
