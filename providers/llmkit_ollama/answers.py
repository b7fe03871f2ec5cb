"""Ollama's answers as values. One or many objects of one reply make one response. Pure."""

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
_SPANS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
PULL_AGAIN = "Pull again: it goes on where it stopped"
#: What a failed pull says, the class that it means, and what to do.
_PULL_FAILED = (
    (r"does not exist|not found|: 404", ModelNotFound, "Check the name at https://ollama.com/library"),
    (r"newer version|: 412", BadRequest, "Update Ollama: https://ollama.com/download"),
    (r"unauthorized|: 401|: 403", AuthFailed, "Sign in with: ollama signin"),
    (r"no such host|dial tcp|i/o timeout", ServerError, "The Ollama server has no way to its registry"),
)


def tool_calls(message: JSON) -> tuple[ToolCall, ...]:
    """The tool calls of one message object. Arguments are objects on this wire; older servers give no id."""
    made: list[ToolCall] = []
    for raw in as_objects(message.get("tool_calls")):
        function = as_mapping(raw.get("function"))
        arguments = function.get("arguments")
        said = arguments if isinstance(arguments, str) else json.dumps({} if arguments is None else arguments)
        made.append(ToolCall(as_text(raw.get("id")) or None, FunctionCall(as_text(function.get("name")) or "", said)))
    return tuple(made)


def finish_reason(value: object, called: bool) -> str | None:
    """The common finish reason. Ollama never says tool_calls; having seen calls says it."""
    reason = as_text(value) or None
    return "tool_calls" if called and reason == "stop" else reason


def assemble(name: str, call: Call, events: Sequence[JSON], *, free: bool) -> Response:
    """The response of the objects of one reply; the last one holds the counts."""
    last = events[-1] if events else {}
    messages = [as_mapping(event.get("message")) for event in events]
    said = [as_text(message.get("content")) or "" for message in messages]
    thought = "".join(as_text(message.get("thinking")) or "" for message in messages)
    calls = tuple(made for message in messages for made in tool_calls(message))
    logprobs = [item for event in events for item in as_objects(event.get("logprobs"))]
    message = Message(
        role="assistant", content="".join(said) if messages else None, reasoning=thought or None, tool_calls=calls
    )
    choice = Choice(message, 0, finish_reason(last.get("done_reason"), bool(calls)), as_text(last.get("done_reason")),
                    {"content": logprobs} if logprobs else None)  # fmt: skip
    return Response(
        choices=(choice,),
        usage=_usage(last),
        warnings=list_count_doubts(last, (*_COUNTS, *_SPANS)),
        cost=FREE if free else UNKNOWN_COST,
        model=as_text(last.get("model"))
        or next((as_text(event.get("model")) for event in events if event.get("model")), None),
        provider=name,
        target=f"{name}:{call.model}",
        timings=_timings(last),
        extra={key: last[key] for key in ("remote_model", "remote_host", "created_at") if last.get(key)},
    )


def _usage(last: JSON) -> Usage:
    """The counts. A count of zero is left out on this wire, so an absent one is not known to be zero."""
    prompt, completion = (as_count(last.get(key)) for key in _COUNTS)
    total = None if prompt is None or completion is None else prompt + completion
    raw = {key: last[key] for key in _COUNTS if key in last}
    return Usage(prompt, completion, total, raw=raw)


def _timings(last: JSON) -> Timings | None:
    """Nanoseconds of the wire, in seconds."""
    spans = [as_count(last.get(key)) for key in _SPANS]
    if all(span is None for span in spans):
        return None
    return Timings(*(None if span is None else span / 1e9 for span in spans))


def error_of(body: JSON, status: int | None, headers: Mapping[str, str]) -> LLMError:
    """The typed error of Ollama's `{"error": "text"}`. The status says the class; the text only where it must."""
    raw = body.get("error", body.get("message"))
    said = str(as_mapping(raw).get("message") or raw or "")
    cls = errors.classify(status, (), said)
    if status is None and "not found" in said and "model" in said:
        cls = ModelNotFound
    elif status == 404 and cls is BadRequest:
        cls = ModelNotFound if "model" in said else BadRequest
    hint = None
    if said.startswith("pull model manifest"):
        cls, hint = next(
            ((kind, advice) for words, kind, advice in _PULL_FAILED if re.search(words, said, re.IGNORECASE)),
            (cls, PULL_AGAIN),
        )
    elif "no space left" in said:
        hint = f"The disk of the Ollama server is full. {PULL_AGAIN}"
    made = errors.make_error(cls, {"message": said}, status=status, headers=headers)
    made.hint = hint or made.hint
    if url := body.get("signin_url"):
        made.hint = f"Sign in with: ollama signin ({scrub(str(url), 120)})"
    elif "does not support" in said:
        made.hint = "Choose a model that has it; see what one has with: ollama show MODEL"
    elif status == 503:
        made.hint = "The server's queue is full; send fewer calls at once"
    return made
