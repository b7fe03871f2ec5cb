"""`Answer`: one scripted answer of a `FakeModel`, and its bytes in the chat-completions dialect. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from llmkit.errors import LLMError
from llmkit.types.messages import ToolCall
from llmkit.types.usage import Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted answer, for plain and streamed calls alike. It has one choice.

    Attributes:
        text: the content; `None` sends no text.
        chunks: how a stream splits the text, and the text where `text` is not given. Default: after each word.
        reasoning: reasoning text; a stream sends it before the text.
        refusal: the refusal in the model's words.
        tool_calls: (name, arguments) pairs, arguments as a dict or as raw text that need not be JSON; or `ToolCall`s.
        finish_reason: "auto" is "tool_calls" if there are any, else "stop". `None` sends none: a stream
            then counts as cut off.
        usage: token counts; `None` reports none.
        cost: US dollars, as a service would report them; `None` reports none.
        id: the id that the service gives the answer.
        model: the model that answers; `None` is the one that was asked for.
        error: how the answer breaks: raised after the last chunk of a stream, and at once by a plain call.

    Raises:
        ValueError: `chunks` joined are not `text`.
    """

    text: str | None = None
    chunks: Sequence[str] | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: Sequence[tuple[str, Mapping[str, object] | str] | ToolCall] = ()
    finish_reason: str | None = "auto"
    usage: Usage | None = None
    cost: Decimal | str | None = None
    id: str | None = None
    model: str | None = None
    error: LLMError | None = None

    def __post_init__(self) -> None:
        if self.chunks is not None and self.text is not None and "".join(self.chunks) != self.text:
            raise ValueError("Answer.chunks joined must equal Answer.text")


def build_document(answer: Answer, model: str, number: int) -> bytes:
    """Return the body of a plain reply. The `number` of the request makes the ids of its tool calls."""
    content = "".join(_split_text(answer)) if answer.text is not None or answer.chunks is not None else None
    message = {
        "role": "assistant",
        "content": content,
        "reasoning": answer.reasoning,
        "refusal": answer.refusal,
        "tool_calls": _build_tool_calls(answer, number) or None,
    }
    choice = {"index": 0, "message": message, "finish_reason": _choose_finish_reason(answer)}
    return _to_json({**_build_head(answer, model), "choices": [choice], "usage": _build_usage(answer)})


def build_events(answer: Answer, model: str, number: int) -> Iterator[bytes]:
    """Yield the events of a stream."""
    head = _build_head(answer, model)

    def event(delta: Mapping[str, object], finish: str | None = None) -> bytes:
        return (
            b"data: " + _to_json({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}) + b"\n\n"
        )

    yield event({"role": "assistant", "content": ""})
    if answer.reasoning:
        yield event({"reasoning": answer.reasoning})
    for piece in _split_text(answer):
        yield event({"content": piece})
    if answer.refusal:
        yield event({"refusal": answer.refusal})
    for index, call in enumerate(_build_tool_calls(answer, number)):
        yield event({"tool_calls": [{"index": index, **call}]})
    if answer.error is not None:
        return
    yield event({}, _choose_finish_reason(answer))
    if (usage := _build_usage(answer)) is not None:
        yield b"data: " + _to_json({**head, "choices": [], "usage": usage}) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _build_head(answer: Answer, model: str) -> dict[str, object]:
    return {"id": answer.id, "object": "chat.completion", "model": answer.model or model}


def _split_text(answer: Answer) -> Sequence[str]:
    return re.findall(r"\s*\S+\s*|\s+", answer.text or "") if answer.chunks is None else answer.chunks


def _choose_finish_reason(answer: Answer) -> str | None:
    if answer.finish_reason != "auto":
        return answer.finish_reason
    return "tool_calls" if answer.tool_calls else "stop"


def _build_tool_calls(answer: Answer, number: int) -> list[dict[str, object]]:
    calls: list[dict[str, object]] = []
    for position, call in enumerate(answer.tool_calls):
        if isinstance(call, ToolCall):
            calls.append(call.to_dict())
            continue
        name, arguments = call
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        function = {"name": name, "arguments": text}
        calls.append({"id": f"call_{number}_{position + 1}", "type": "function", "function": function})
    return calls


def _build_usage(answer: Answer) -> dict[str, object] | None:
    """Return the counts under the names of the wire format. The cost is sent as text, so that it stays exact."""
    usage = answer.usage or Usage()
    fields: dict[str, object] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "cost": None if answer.cost is None else str(answer.cost),
    }
    return None if answer.usage is None and answer.cost is None else fields
