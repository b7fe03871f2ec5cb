"""The chat-completions shape that OpenAI and OpenRouter share: message, deltas and server-sent events."""

from llmkit.testing.simulator.answer import Answer, Choice, Piece, ToolCall, split_words
from llmkit.testing.simulator.dialect import make_logprob
from llmkit.testing.simulator.jsonvalue import JSON, Object, write
from llmkit.testing.simulator.models import CREATED

DONE = b"data: [DONE]\n\n"


def build_event(value: Object) -> bytes:
    """One server-sent event."""
    return f"data: {write(value)}\n\n".encode()


def call_to_json(call: ToolCall, index: int | None = None) -> dict[str, JSON]:
    """Return a whole tool call; it has an `index` only in a stream."""
    place: dict[str, JSON] = {} if index is None else {"index": index}
    return {
        **place,
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def build_message(answer: Answer, choice: Choice) -> dict[str, JSON]:
    """Return the message of a plain answer, without the fields that only one of the two services adds."""
    silent = (choice.calls or choice.refusal is not None) and not choice.text
    result: dict[str, JSON] = {
        "role": "assistant",
        "content": None if silent else choice.text,
        "refusal": choice.refusal,
    }
    if choice.calls:
        result["tool_calls"] = [call_to_json(call) for call in choice.calls]
    if answer.annotations:
        result["annotations"] = answer.annotations
    return result


def build_delta(piece: Piece) -> dict[str, JSON]:
    """Return the delta of one piece, without a role. The dialect itself writes reasoning."""
    if piece.kind == "tool":
        return {"tool_calls": [_build_fragment(piece)]}
    if piece.kind == "refusal":
        return {"refusal": piece.text}
    return {"content": piece.text}


def _build_fragment(piece: Piece) -> dict[str, JSON]:
    if piece.first and piece.call is not None:
        return {
            "index": piece.call_index,
            "id": piece.call.id,
            "type": "function",
            "function": {"name": piece.call.name, "arguments": piece.text},
        }
    return {"index": piece.call_index, "function": {"arguments": piece.text}}


def build_chunk_head(answer: Answer) -> dict[str, JSON]:
    """The fields that every chunk of a stream begins with."""
    return {
        "id": answer.id,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": answer.model,
    }


def build_document_head(answer: Answer) -> dict[str, JSON]:
    """The fields that a plain answer begins with."""
    return {**build_chunk_head(answer), "object": "chat.completion"}


def build_logprobs(answer: Answer, text: str, *, split: bool) -> JSON:
    """The `logprobs` of a choice or a chunk; null unless the request asked for them."""
    request = answer.request
    if not request.logprobs:
        return None
    parts = split_words(text) if split else [text]
    return {"content": [make_logprob(part, request.top_logprobs) for part in parts], "refusal": None}
