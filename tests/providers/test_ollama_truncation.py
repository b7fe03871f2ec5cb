"""The warning that Ollama may have cut a prompt: when it is given, and when it must not be."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from llmkit import ContextLengthExceeded, ImagePart, LLMError, Message
from llmkit.provider.exchange import HTTPReply
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.testing.simulator import Reply, Simulator
from llmkit.types.messages import to_messages
from llmkit_ollama import OllamaOptions
from llmkit_ollama.truncation import list_cut_warnings

if TYPE_CHECKING:
    from tests.conftest import Drive

SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
RECORDED: Final = SHARED / "wire" / "ollama.jsonl"
PROVIDER: Final = get_provider("ollama")
WORDS: Final = "the quick brown fox jumps over the lazy dog and runs away "
LONG: Final = WORDS * 1000  # 58,000 characters, some 11,000 tokens
CHINESE: Final = "模型的上下文长度是有限的，超过的部分会被截断。"


def warned(messages: Any, counted: int | None, num_ctx: int | None = None, **given: Any) -> bool:
    """Is there a warning about a call for which the server counted so many tokens?"""
    options = OllamaOptions(num_ctx=num_ctx, truncate=given.pop("truncate", None))
    call = Call(given.pop("model", "llama3.2"), to_messages(messages), options=options, local=True, **given)
    return bool(list_cut_warnings(call, counted))


# --- Through a socket


def test_a_prompt_that_was_cut_is_told(
    sim: Simulator, drive: Drive, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Plain and streamed, an answer to a prompt that was cut has one warning, and it is logged."""
    caplog.set_level(logging.WARNING, "llmkit")
    model = drive.make(sim, "ollama")
    response = drive.response(model, mode, messages=LONG)
    assert response.usage.prompt_tokens == 4096
    (warning,) = response.warnings
    for part in ("4096", "58000 characters", "may have cut", "OllamaOptions(num_ctx=...)", "truncate=False"):
        assert part in warning
    assert warning in caplog.text
    assert "quick brown" not in warning


def test_a_prompt_that_fits_is_not_told(sim: Simulator, drive: Drive, mode: str) -> None:
    """With a context that is large enough there is no warning."""
    model = drive.make(sim, "ollama", options=OllamaOptions(num_ctx=32_768))
    response = drive.response(model, mode, messages=LONG)
    assert response.usage.prompt_tokens == 14_500
    assert response.warnings == ()
    assert drive.response(model, mode).warnings == ()


def test_the_context_that_was_asked_for_is_named(sim: Simulator, drive: Drive, mode: str) -> None:
    """The warning says the context of the call; it is right to the token."""
    model = drive.make(sim, "ollama", options=OllamaOptions(num_ctx=1000))
    (warning,) = drive.response(model, mode, messages=WORDS * 70).warnings
    assert "1000 tokens" in warning
    assert drive.response(model, mode, messages=(WORDS * 70)[:4000]).warnings == ()


def test_an_error_instead_of_a_cut(sim: Simulator, drive: Drive, mode: str) -> None:
    """What the warning advises works: with `truncate=False` the call fails as too long."""
    model = drive.make(sim, "ollama", options=OllamaOptions(truncate=False))
    with pytest.raises(ContextLengthExceeded):
        drive.response(model, mode, messages=LONG)


def test_a_count_that_did_not_come_says_nothing(sim: Simulator, drive: Drive, mode: str) -> None:
    """Without a count there is nothing to compare."""
    sim.script(Reply(usage="missing"))
    assert drive.response(drive.make(sim, "ollama"), mode, messages=LONG).warnings == ()


# --- The rule

#: What was sent, the tokens that the server counted, `num_ctx`, and whether that is to be told.
TABLE: Final[list[tuple[str, str, int | None, int | None, bool]]] = [
    ("usual English", LONG, 11_000, None, False),
    ("usual English in a context that it fills", LONG, 11_000, 11_500, False),
    ("long words", LONG, 8_000, None, False),
    ("a default context", LONG, 4_096, None, True),
    ("half of a default context", LONG, 2_100, None, True),
    ("a context of its own, full", LONG, 8_192, 8_192, True),
    ("a context of its own, nearly full", LONG, 7_900, 8_192, True),
    ("a context of its own, half empty", LONG, 4_200, 8_192, True),
    ("a large old turn dropped, a small one left", LONG, 30, 4_096, True),
    ("the same, of a context that is not known", LONG, 30, None, False),
    ("a context that the model does not have", LONG, 2_048, 32_768, True),
    ("a server with a larger context than asked for", LONG, 11_000, 4_096, False),
    ("a count without what was cached, of an old server", LONG, 200, None, False),
    ("no count", LONG, None, 4_096, False),
    ("a count of nothing", LONG, 0, 4_096, False),
    ("a short prompt", WORDS, 12, None, False),
    ("Chinese", CHINESE * 400, 6_500, None, False),
    ("Chinese, cut", CHINESE * 800, 2_048, None, True),
    ("Chinese in a context that it fills", CHINESE * 400, 6_500, 8_192, False),
    ("Russian, two bytes a character", "модель отвечает на вопросы пользователя " * 1000, 9_000, None, False),
    ("indented code", ("\n" + " " * 40 + "x = 1") * 2000, 9_000, None, False),
    ("rows of signs", ("=" * 80 + "\n") * 2000, 9_000, None, False),
    ("base64", "QUJDREVGR0g" * 3000, 20_000, None, False),
]


@pytest.mark.parametrize(
    ("text", "counted", "num_ctx", "told"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_when_it_is_told(text: str, counted: int | None, num_ctx: int | None, told: bool) -> None:
    """Only a count that no text of that length can have is told, and none that an ordinary text may have."""
    assert warned(text, counted, num_ctx) is told


def test_every_turn_counts() -> None:
    """Text of all turns, tool calls and tools are what was sent; images are not, since they only add tokens."""
    arguments = json.dumps({"text": WORDS * 100})
    turns: list[Any] = [
        {"role": "user", "content": [{"type": "text", "text": WORDS * 100}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": arguments}}]},
        {"role": "tool", "tool_call_id": "a", "content": WORDS * 100},
    ]  # fmt: skip
    assert warned(turns, 2_000)
    assert not warned(turns[:2], 2_000)
    tool = {"type": "function", "function": {"name": "f", "description": WORDS * 100, "parameters": {}}}
    assert warned(turns[:2], 2_000, settings={"tools": [tool]})
    picture = Message("user", (ImagePart.from_bytes(b"x" * 100_000),))
    assert not warned([picture], 300)


def test_thinking_of_earlier_turns_does_not_count() -> None:
    """Templates leave it out, whether it stands in its own field or in the text."""
    turns = [
        Message("user", "hi"),
        Message("assistant", f"<think>{LONG}</think>hello", reasoning=LONG),
        Message("user", "and?"),
    ]
    assert not warned(turns, 300)
    assert warned([Message("user", f"<think>{LONG}</think>")], 300)


@pytest.mark.parametrize(
    "given",
    [
        {"truncate": False},
        {"extra_body": {"truncate": False}},
        {"model": "gpt-oss:120b-cloud"},
        {"base_url": "https://ollama.com"},
    ],
    ids=str,
)
def test_who_does_not_cut_is_not_accused(given: dict[str, Any]) -> None:
    """A server that was told to fail instead, and the cloud, cut nothing."""
    assert not warned(LONG, 4_096, **given)


def test_the_context_of_an_extra_body_counts() -> None:
    """What goes over the body outranks the options."""
    assert warned(LONG, 30, extra_body={"options": {"num_ctx": 4_096}})
    assert not warned(LONG, 30, 4_096, extra_body={"options": {}})


@given_by(
    st.lists(st.text(max_size=300), min_size=1, max_size=5), st.integers(1, 2000), st.none() | st.integers(1, 4096)
)
def test_a_count_that_covers_the_text_is_never_told(texts: list[str], more: int, num_ctx: int | None) -> None:
    """Where there is a token for every eight characters, and room in the context, nothing was cut."""
    size = sum(3 * len(text) for text in texts)
    room = None if num_ctx is None else num_ctx + size
    assert not warned([Message("user", text) for text in texts], size // 8 + more, room)


def test_looking_is_quick() -> None:
    """A megabyte is looked at in a moment, also where each rule must be tried."""
    text = "a = " * 250_000
    start = time.perf_counter()
    assert warned(text, 4096)
    assert time.perf_counter() - start < 2


# --- The recorded exchanges


def exchanges() -> list[Any]:
    """The recorded chats that ended well."""
    if not RECORDED.exists():
        reason = f"the recorded traffic is not here: no file {RECORDED} (LLMKIT_SHARED names another folder)"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason), id="absent")]
    lines = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    return [
        pytest.param(line, id=line["id"][-60:])
        for line in lines
        if line["url"].endswith("/api/chat") and line["status"] == 200 and isinstance(line["request_body"], dict)
    ]


@pytest.mark.parametrize("line", exchanges())
def test_no_recorded_exchange_is_told(line: dict[str, Any]) -> None:
    """None of the recorded prompts was cut, and no answer to them has a warning."""
    asked, body = line["request_body"], line["response_body"].encode()
    turns = tuple(
        Message(turn["role"], "".join([turn.get("content") or "", json.dumps(turn.get("tool_calls") or "")]))
        for turn in asked["messages"]
    )
    tools = {"tools": asked["tools"]} if asked.get("tools") else {}
    num_ctx = (asked.get("options") or {}).get("num_ctx")
    call = Call(asked["model"], turns, bool(line["stream"]), tools, OllamaOptions(num_ctx=num_ctx), local=True)
    try:
        if line["stream"]:
            decoder = PROVIDER.decoder(call)
            decoder.feed(body)
            decoder.feed(b"")
            response = decoder.finish()
        else:
            response = PROVIDER.parse(call, HTTPReply(200, {}, body))
    except LLMError:
        return  # A recording of something else than an answer.
    assert response.warnings == ()
