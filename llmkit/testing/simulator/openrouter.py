"""The dialect of OpenRouter's chat completions. Documents only, no I/O."""

from collections.abc import Mapping

from llmkit.testing.simulator import completions
from llmkit.testing.simulator.answer import Answer, Choice, Piece
from llmkit.testing.simulator.chat import ChatRequest, read_completions
from llmkit.testing.simulator.dialect import choose_usage
from llmkit.testing.simulator.jsonvalue import JSON, Object
from llmkit.testing.simulator.openrouter_errors import build_envelope, build_inner_error
from llmkit.testing.simulator.records import DialectName

_NATIVE_FINISH_REASONS = {
    "Anthropic": {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"},
    "Google": {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"},
}


class OpenRouter:
    """OpenRouter, with the wire format of 2026."""

    name: DialectName = "openrouter"
    json_type = "application/json"
    stream_type = "text/event-stream"
    comment = b": OPENROUTER PROCESSING\n\n"
    whole_calls = False

    def read_request(self, body: JSON) -> ChatRequest:
        return read_completions("openrouter", body)

    def build_headers(self, answer: Answer | None, number: int) -> list[tuple[str, str]]:
        common = [("cf-ray", f"{number:016x}-SIM"), ("x-content-type-options", "nosniff")]
        return common if answer is None else [*common, ("X-Generation-Id", answer.id)]

    def shows_reasoning(self, answer: Answer) -> bool:
        return answer.request.shows_thinking

    def build_error(self, status: int, error: Mapping[str, object] | str | None, *, model: str = "") -> Object:
        return build_envelope(status, error, model=model)

    def build_document(self, answer: Answer) -> Object:
        reply = answer.reply
        if reply.fails_inside and reply.error_form == "bare":
            return build_envelope(502, reply.error)
        choices = [_build_choice(answer, index, choice) for index, choice in enumerate(answer.choices)]
        head: dict[str, JSON] = {
            **completions.build_document_head(answer),
            "provider": answer.provider,
            "service_tier": "default",
            "system_fingerprint": None,
            "choices": choices,
        }
        usage = choose_usage(reply, _build_usage(answer, answer.completion_tokens))
        return head if usage is None else {**head, "usage": usage}

    def build_opening(self, answer: Answer) -> list[bytes]:
        if not answer.annotations:
            return []
        return [_build_chunk(answer, 0, {"annotations": answer.annotations})]

    def build_piece(self, answer: Answer, piece: Piece) -> bytes:
        if piece.kind != "reasoning":
            marks = completions.build_logprobs(answer, piece.text, split=False) if piece.kind == "text" else None
            return _build_chunk(answer, piece.choice, completions.build_delta(piece), logprobs=marks)
        detail: dict[str, JSON] = {"type": "reasoning.text", "text": piece.text, **_build_detail_tail(answer)}
        sent = _build_chunk(answer, piece.choice, {"reasoning": piece.text, "reasoning_details": [detail]})
        if not piece.last:
            return sent
        # The signature comes alone, in an event of its own, after the text it signs.
        seal: dict[str, JSON] = {
            "type": "reasoning.text",
            "signature": _make_signature(answer),
            **_build_detail_tail(answer),
        }
        return sent + _build_chunk(answer, piece.choice, {"reasoning_details": [seal]})

    def build_failure(self, answer: Answer, sent: int) -> bytes:
        reply = answer.reply
        error = build_inner_error(502, reply.error)
        if reply.error_form == "bare":
            return completions.build_event({"error": error, "user_id": "user_sim"})
        if reply.error_form == "string-code":
            error = {**error, "code": "server_error"}
        head = {**_build_head(answer), "error": error}
        if reply.error_form == "choices-empty":
            return completions.build_event({**head, "choices": []})
        finish = None if reply.error_form == "error-usage" else "error"
        choice: dict[str, JSON] = {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "finish_reason": finish,
            "native_finish_reason": None,
        }
        usage = choose_usage(reply, _build_usage(answer, sent)) if reply.error_form == "error-usage" else None
        return completions.build_event({**head, "choices": [choice], **({} if usage is None else {"usage": usage})})

    def build_closing(self, answer: Answer) -> list[bytes]:
        reply = answer.reply
        ends: list[Object] = [
            {
                "index": index,
                "delta": {"role": "assistant", "content": ""},
                "finish_reason": choice.finish,
                "native_finish_reason": _choose_native_finish(answer, choice),
                "logprobs": None,
            }
            for index, choice in enumerate(answer.choices)
        ]
        events = [completions.build_event({**_build_head(answer), "choices": [end]}) for end in ends]
        usage = choose_usage(reply, _build_usage(answer, answer.completion_tokens))
        if usage is None:
            return events
        silent: list[Object] = [{**end, "finish_reason": None, "native_finish_reason": None} for end in ends[:1]]
        choices = {"repeat": ends[:1], "empty-choices": [], "null-finish": silent}[reply.usage_form]
        tail: dict[str, JSON] = {"service_tier": "default", "choices": choices, "usage": usage}
        return [*events, completions.build_event({**_build_head(answer), **tail})]

    def build_done(self, answer: Answer) -> bytes:
        return completions.DONE


def _build_head(answer: Answer) -> dict[str, JSON]:
    return {**completions.build_chunk_head(answer), "provider": answer.provider}


def _build_chunk(answer: Answer, index: int, delta: Object, logprobs: JSON = None) -> bytes:
    content: JSON = None if "tool_calls" in delta else ""
    choice: dict[str, JSON] = {
        "index": index,
        "delta": {"role": "assistant", "content": content, **delta},
        "finish_reason": None,
        "native_finish_reason": None,
        "logprobs": logprobs,
    }
    return completions.build_event({**_build_head(answer), "choices": [choice]})


def _build_choice(answer: Answer, index: int, choice: Choice) -> dict[str, JSON]:
    reply = answer.reply
    message = completions.build_message(answer, choice)
    shown = choice.reasoning if choice.reasoning and answer.request.shows_thinking else None
    message["reasoning"] = shown
    if choice.calls:  # only OpenRouter numbers the calls of a plain answer
        message["tool_calls"] = [completions.call_to_json(call, place) for place, call in enumerate(choice.calls)]
    if shown is not None:
        detail: dict[str, JSON] = {"type": "reasoning.text", "text": shown, "signature": _make_signature(answer)}
        message["reasoning_details"] = [{**detail, **_build_detail_tail(answer)}]
    result: dict[str, JSON] = {
        "index": index,
        "logprobs": completions.build_logprobs(answer, choice.text, split=True),
        "finish_reason": choice.finish,
        "native_finish_reason": _choose_native_finish(answer, choice),
        "message": message,
    }
    if reply.fails_inside:
        error = build_inner_error(502, reply.error)
        if reply.error_form == "string-code":
            error = {**error, "code": "server_error"}
        result |= {"finish_reason": "error", "native_finish_reason": None, "error": error}
    return result


def _choose_native_finish(answer: Answer, choice: Choice) -> str | None:
    if answer.reply.native_finish_reason != "auto":
        return answer.reply.native_finish_reason
    if choice.finish is None:
        return None
    return _NATIVE_FINISH_REASONS.get(answer.provider, {}).get(choice.finish, choice.finish)


def _make_signature(answer: Answer) -> str:
    return f"sig-sim-{answer.number:06d}"


def _build_detail_tail(answer: Answer) -> dict[str, JSON]:
    known = {
        "Anthropic": "anthropic-claude-v1",
        "Google": "google-gemini-v1",
        "OpenAI": "openai-responses-v1",
    }
    return {"format": known.get(answer.provider, "unknown"), "index": 0}


def _build_usage(answer: Answer, completion_tokens: int) -> Object:
    prompt_cost = answer.price.prompt_cost(answer.prompt_tokens)
    completion_cost = answer.price.completion_cost(completion_tokens)
    computed = answer.price.cost(answer.prompt_tokens, completion_tokens)
    scripted = answer.reply.cost
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": answer.prompt_tokens + completion_tokens,
        "cost": computed if scripted is None else scripted,
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "audio_tokens": 0,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": computed if scripted is None else None,
            "upstream_inference_prompt_cost": prompt_cost,
            "upstream_inference_completions_cost": completion_cost,
        },
        "completion_tokens_details": {
            "reasoning_tokens": min(answer.reasoning_tokens, completion_tokens),
            "image_tokens": 0,
            "audio_tokens": 0,
        },
    }
