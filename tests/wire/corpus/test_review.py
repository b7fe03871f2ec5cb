"""Recorded answers, held against the tools and the structure that their own requests asked for.

They were good answers: no call is marked that fits its tool's schema, and a structure has its value.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from llmkit.config.setting_checks import check_settings
from llmkit.errors import LLMError
from llmkit.language.review import add_review
from llmkit.provider.exchange import HTTPReply
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import to_messages

from .test_corpus import ABSENT, CHATS, WIRE, recorded_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmkit import Response

OK: Final = {(row.file, row.id): row.dialect for row in CHATS if row.outcome == "ok"}


def asked(body: Mapping[str, Any]) -> dict[str, Any]:
    """The tools and the structure of a recorded request, as a user of llmkit would say them."""
    form = body.get("response_format") or body.get("format")
    made = {"tools": body["tools"]} if body.get("tools") else {}
    if form and form != {"type": "text"}:
        made["structured"] = {"type": "json"} if form == "json" else form
    return made


def answer(name: str, line: Mapping[str, Any]) -> tuple[Any, Response]:
    """The review of a call like the recorded one, and the answer as it was parsed."""
    body = line["request_body"]
    settings = check_settings(asked(body), call=True)
    bare = Call(body["model"], to_messages(body["messages"]), line["stream"], settings, base_url="http://127.0.0.1")
    backend = get_provider(name)
    call = add_review(backend, bare, by=None, retries=0)
    data = line["response_body"].encode()
    if not line["stream"]:
        return call.review, backend.parse(call, HTTPReply(line["status"], {}, data))
    decoder = backend.decoder(call)
    decoder.feed(data)
    decoder.feed(b"")
    return call.review, decoder.finish()


@pytest.mark.skipif(not WIRE.is_dir(), reason=ABSENT)
@pytest.mark.parametrize("file", ["openrouter", "openai", "ollama"])
def test_a_recorded_answer_is_accepted(file: str) -> None:
    """Arguments that are JSON fit what was offered; an answer that is text of the structure has its value."""
    seen: dict[str, int] = {"calls": 0, "values": 0}
    for (name, identity), line in recorded_lines().items():
        body = line.get("request_body")
        if name != file or (name, identity) not in OK or not isinstance(body, dict) or not asked(body):
            continue
        provider = "ollama" if "/api/chat" in line["url"] else "openai" if name == "ollama" else name
        review, parsed = answer(provider, line)
        try:
            response = review.accept(parsed)
        except LLMError as error:
            pytest.fail(f"{identity}: {error}")
        marked = [call.mismatch for call in response.tool_calls if call.mismatch]
        assert marked == [], identity
        seen["calls"] += len(response.tool_calls)
        if "structured" in asked(body) and not (response.tool_calls or response.refusal or response.filtered):
            assert json.loads(response.content or "") == response.parsed, identity
            seen["values"] += 1
    assert min(seen.values()) >= 5, seen
