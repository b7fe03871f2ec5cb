"""The dialect of Ollama's own `/api/chat`. Documents only, no I/O."""

from collections.abc import Mapping

from llmkit.testing.simulator.answer import Answer, Piece, ToolCall, split_words
from llmkit.testing.simulator.chat import ChatRequest, read_ollama
from llmkit.testing.simulator.dialect import choose_usage, make_logprob
from llmkit.testing.simulator.jsonvalue import JSON, Object, as_text, read, trust_object, write
from llmkit.testing.simulator.models import CREATED_AT
from llmkit.testing.simulator.records import DialectName

_USUAL_MESSAGES = {
    400: "invalid request",
    404: "404 page not found",
    500: "model runner has unexpectedly stopped",
    502: "cloud model is unreachable",
    503: "server busy, please try again.  maximum pending requests exceeded",
}
_LOAD_NS = 1_000_000
_PROMPT_TOKEN_NS = 1_000_000
_TOKEN_NS = 10_000_000


class Ollama:
    """A local Ollama server."""

    name: DialectName = "ollama"
    json_type = "application/json; charset=utf-8"
    stream_type = "application/x-ndjson"
    comment = b""
    whole_calls = True

    def read_request(self, body: JSON) -> ChatRequest:
        return read_ollama(body)

    def build_headers(self, answer: Answer | None, number: int) -> list[tuple[str, str]]:
        return []

    def shows_reasoning(self, answer: Answer) -> bool:
        return True

    def build_error(self, status: int, error: Mapping[str, object] | str | None, *, model: str = "") -> Object:
        if model:
            return {"error": f"model '{model}' not found"}
        if error is None:
            return {"error": _USUAL_MESSAGES.get(status, f"HTTP {status}")}
        if isinstance(error, str):
            return {"error": error}
        stated = trust_object(error)
        return {"error": as_text(stated.get("message")) or write(stated)}

    def build_document(self, answer: Answer) -> Object:
        if answer.reply.fails_inside:
            return self.build_error(500, answer.reply.error)
        choice = answer.choices[0]
        message: dict[str, JSON] = {"role": "assistant", "content": choice.text}
        if choice.reasoning:
            message["thinking"] = choice.reasoning
        if choice.calls:
            message["tool_calls"] = [_call_to_json(call, place) for place, call in enumerate(choice.calls)]
        line = {**_build_head(answer), "message": message, **_build_tail(answer)}
        if answer.request.logprobs:
            line["logprobs"] = _build_logprobs(answer, split_words(choice.text))
        return line

    def build_opening(self, answer: Answer) -> list[bytes]:
        return []

    def build_piece(self, answer: Answer, piece: Piece) -> bytes:
        message: dict[str, JSON] = {"role": "assistant", "content": ""}
        if piece.kind == "reasoning":
            message["thinking"] = piece.text
        elif piece.call is not None:
            message["tool_calls"] = [_call_to_json(piece.call, piece.call_index)]
        else:
            message["content"] = piece.text
        line = {**_build_head(answer), "message": message, "done": False}
        if answer.request.logprobs and piece.kind == "text":
            line["logprobs"] = _build_logprobs(answer, [piece.text])
        return _build_line(line)

    def build_failure(self, answer: Answer, sent: int) -> bytes:
        return _build_line(self.build_error(500, answer.reply.error))

    def build_closing(self, answer: Answer) -> list[bytes]:
        return []

    def build_done(self, answer: Answer) -> bytes:
        return _build_line(
            {**_build_head(answer), "message": {"role": "assistant", "content": ""}, **_build_tail(answer)}
        )


def _build_line(value: Object) -> bytes:
    return f"{write(value)}\n".encode()


def _build_head(answer: Answer) -> dict[str, JSON]:
    return {"model": answer.model, "created_at": CREATED_AT}


def _build_tail(answer: Answer) -> dict[str, JSON]:
    finish = answer.choices[0].finish
    if not answer.request.messages:  # a request without messages only loads or unloads the model
        return {"done": True, "done_reason": "unload" if answer.request.unloads else "load"}
    prompt_ns = answer.prompt_tokens * _PROMPT_TOKEN_NS
    answer_ns = answer.completion_tokens * _TOKEN_NS
    counted: dict[str, JSON] = {
        "total_duration": _LOAD_NS + prompt_ns + answer_ns,
        "load_duration": _LOAD_NS,
        "prompt_eval_count": answer.prompt_tokens,
        "prompt_eval_duration": prompt_ns,
        "eval_count": answer.completion_tokens,
        "eval_duration": answer_ns,
    }
    metrics = choose_usage(answer.reply, {name: value for name, value in counted.items() if value})
    reason: dict[str, JSON] = {} if finish is None else {"done_reason": finish}
    return {"done": True, **reason, **(metrics or {})}


def _call_to_json(call: ToolCall, index: int) -> Object:
    try:
        arguments = read(call.arguments.encode())
    except ValueError:
        arguments = call.arguments  # not what the real server sends, but what a test of bad arguments wants
    return {"id": call.id, "function": {"index": index, "name": call.name, "arguments": arguments}}


def _build_logprobs(answer: Answer, parts: list[str]) -> list[JSON]:
    return [make_logprob(part, answer.request.top_logprobs) for part in parts]
