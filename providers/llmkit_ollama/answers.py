"""Ollama's answers as values. A reply is one object or many, and makes one response. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from llmkit.errors import AuthFailed, BadRequest, LLMError, ModelNotFound, ServerError
from llmkit.provider import Call
from llmkit.types import FREE, UNKNOWN_COST, Choice, FunctionCall, Message, Response, Timings, ToolCall, Usage, scrub
from llmkit.wire import chat_errors as errors
from llmkit.wire.chat_reply import as_mapping, as_objects, as_text, list_count_doubts
from llmkit.wire.numbers import as_count

JSON = Mapping[str, object]
_COUNTS = ("prompt_eval_count", "eval_count")
_DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
PULL_AGAIN = "Pull again: it goes on where it stopped"
#: Words in the error of a failed pull, the class that they mean, and what to do.
_PULL_FAILED = (
    (r"does not exist|not found|: 404", ModelNotFound, "Check the name at https://ollama.com/library"),
    (r"newer version|: 412", BadRequest, "Update Ollama: https://ollama.com/download"),
    (r"unauthorized|: 401|: 403", AuthFailed, "Sign in with: ollama signin"),
    (r"no such host|dial tcp|i/o timeout", ServerError, "The Ollama server has no way to its registry"),
)


def parse_tool_calls(message: JSON) -> tuple[ToolCall, ...]:
    """The tool calls of one message object. Ollama sends arguments as objects; older servers send no id."""
    calls: list[ToolCall] = []
    for raw in as_objects(message.get("tool_calls")):
        function = as_mapping(raw.get("function"))
        arguments = function.get("arguments")
        json_text = arguments if isinstance(arguments, str) else json.dumps({} if arguments is None else arguments)
        calls.append(
            ToolCall(as_text(raw.get("id")) or None, FunctionCall(as_text(function.get("name")) or "", json_text))
        )
    return tuple(calls)


def read_finish_reason(value: object, has_calls: bool) -> str | None:
    """The common finish reason. Ollama never says `tool_calls`: an answer with calls that ends with `stop` has it."""
    reason = as_text(value) or None
    return "tool_calls" if has_calls and reason == "stop" else reason


def assemble(name: str, call: Call, events: Sequence[JSON], *, free: bool) -> Response:
    """The response tool_call of the objects of one reply; the last object holds the counts."""
    last = events[-1] if events else {}
    messages = [as_mapping(event.get("message")) for event in events]
    texts = [as_text(message.get("content")) or "" for message in messages]
    reasoning = "".join(as_text(message.get("thinking")) or "" for message in messages)
    calls = tuple(tool_call for message in messages for tool_call in parse_tool_calls(message))
    logprobs = [item for event in events for item in as_objects(event.get("logprobs"))]
    message = Message(
        role="assistant", content="".join(texts) if messages else None, reasoning=reasoning or None, tool_calls=calls
    )
    done_reason = last.get("done_reason")
    choice = Choice(
        message,
        0,
        read_finish_reason(done_reason, bool(calls)),
        as_text(done_reason),
        {"content": logprobs} if logprobs else None,
    )
    return Response(
        choices=(choice,),
        usage=_parse_usage(last),
        warnings=list_count_doubts(last, (*_COUNTS, *_DURATIONS)),
        cost=FREE if free else UNKNOWN_COST,
        model=as_text(last.get("model"))
        or next((as_text(event.get("model")) for event in events if event.get("model")), None),
        provider=name,
        target=f"{name}:{call.model}",
        timings=_parse_timings(last),
        extra={key: last[key] for key in ("remote_model", "remote_host", "created_at") if last.get(key)},
    )


def _parse_usage(last: JSON) -> Usage:
    """The counts. Ollama leaves out a count of zero, so an absent count is not known to be zero."""
    prompt, completion = (as_count(last.get(key)) for key in _COUNTS)
    total = None if prompt is None or completion is None else prompt + completion
    raw = {key: last[key] for key in _COUNTS if key in last}
    return Usage(prompt, completion, total, raw=raw)


def _parse_timings(last: JSON) -> Timings | None:
    """The times in seconds; Ollama sends nanoseconds."""
    spans = [as_count(last.get(key)) for key in _DURATIONS]
    if all(span is None for span in spans):
        return None
    return Timings(*(None if span is None else span / 1e9 for span in spans))


def make_error(body: JSON, status: int | None, headers: Mapping[str, str]) -> LLMError:
    """The typed error of Ollama's `{"error": "text"}`. The status decides the class, the text only where it has to."""
    raw = body.get("error", body.get("message"))
    message = str(as_mapping(raw).get("message") or raw or "")
    cls = errors.classify(status, (), message)
    if status is None and "not found" in message and "model" in message:
        cls = ModelNotFound
    elif status == 404 and cls is BadRequest:
        cls = ModelNotFound if "model" in message else BadRequest
    hint = None
    if message.startswith("pull model manifest"):
        cls, hint = next(
            ((kind, advice) for words, kind, advice in _PULL_FAILED if re.search(words, message, re.IGNORECASE)),
            (cls, PULL_AGAIN),
        )
    elif "no space left" in message:
        hint = f"The disk of the Ollama server is full. {PULL_AGAIN}"
    error = errors.make_error(cls, {"message": message}, status=status, headers=headers)
    error.hint = hint or error.hint
    if url := body.get("signin_url"):
        error.hint = f"Sign in with: ollama signin ({scrub(str(url), 120)})"
    elif "does not support" in message:
        error.hint = "Choose a model that has it; see what one has with: ollama show MODEL"
    elif status == 503:
        error.hint = "The server's queue is full; send fewer calls at once"
    return error
