"""The dialect of OpenAI's chat completions. Documents only, no I/O."""

from collections.abc import Mapping

from llmkit.testing.simulator import completions
from llmkit.testing.simulator.answer import Answer, Piece
from llmkit.testing.simulator.chat import ChatRequest, read_completions
from llmkit.testing.simulator.dialect import choose_usage
from llmkit.testing.simulator.jsonvalue import JSON, Object, trust_object
from llmkit.testing.simulator.records import DialectName

_USUAL_ERRORS = {
    400: ("invalid_request_error", None, "We could not parse the JSON body of your request."),
    401: (
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    404: ("invalid_request_error", None, "Unknown request URL."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests. Please try again in 20ms."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
}


class OpenAI:
    """OpenAI's own service."""

    name: DialectName = "openai"
    json_type = "application/json"
    stream_type = "text/event-stream; charset=utf-8"
    comment = b": keep-alive\n\n"
    whole_calls = False

    def read_request(self, body: JSON) -> ChatRequest:
        return read_completions("openai", body)

    def build_headers(self, answer: Answer | None, number: int) -> list[tuple[str, str]]:
        return [
            ("openai-processing-ms", "12"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-request-id", f"req_sim_{number:06d}"),
        ]

    def shows_reasoning(self, answer: Answer) -> bool:
        return False

    def build_error(self, status: int, error: Mapping[str, object] | str | None, *, model: str = "") -> Object:
        if error is not None and not isinstance(error, str):
            return {"error": trust_object(error)}
        other = ("server_error" if status >= 500 else "invalid_request_error", None, f"HTTP {status}")
        kind, code, usual = _USUAL_ERRORS.get(status, other)
        if model:
            code, usual = (
                "model_not_found",
                f"The model `{model}` does not exist or you do not have access to it.",
            )
        return {"error": {"message": error or usual, "type": kind, "param": None, "code": code}}

    def build_document(self, answer: Answer) -> Object:
        if answer.reply.fails_inside:
            return self.build_error(500, answer.reply.error)
        head = completions.build_document_head(answer)
        head["choices"] = [
            {
                "index": index,
                "message": {"annotations": [], **completions.build_message(answer, choice)},
                "logprobs": completions.build_logprobs(answer, choice.text, split=True),
                "finish_reason": choice.finish,
            }
            for index, choice in enumerate(answer.choices)
        ]
        usage = choose_usage(answer.reply, _build_usage(answer))
        if usage is not None:
            head["usage"] = usage
        return {**head, "service_tier": "default", "system_fingerprint": "fp_sim"}

    def build_opening(self, answer: Answer) -> list[bytes]:
        extra: dict[str, JSON] = {}
        if answer.annotations:
            extra["annotations"] = answer.annotations
        start: dict[str, JSON] = {"role": "assistant", "content": "", "refusal": None, **extra}
        return [_build_chunk(answer, index, start, None, None) for index in range(len(answer.choices))]

    def build_piece(self, answer: Answer, piece: Piece) -> bytes:
        marks = completions.build_logprobs(answer, piece.text, split=False) if piece.kind == "text" else None
        return _build_chunk(answer, piece.choice, completions.build_delta(piece), None, marks)

    def build_failure(self, answer: Answer, sent: int) -> bytes:
        return completions.build_event(self.build_error(500, answer.reply.error))

    def build_closing(self, answer: Answer) -> list[bytes]:
        events = [_build_chunk(answer, index, {}, choice.finish, None) for index, choice in enumerate(answer.choices)]
        usage = choose_usage(answer.reply, _build_usage(answer))
        if answer.request.include_usage and usage is not None:
            events.append(completions.build_event({**_build_head(answer), "choices": [], "usage": usage}))
        return events

    def build_done(self, answer: Answer) -> bytes:
        return completions.DONE


def _build_head(answer: Answer) -> dict[str, JSON]:
    return {**completions.build_chunk_head(answer), "service_tier": "default", "system_fingerprint": "fp_sim"}


def _build_chunk(answer: Answer, index: int, delta: Object, finish: str | None, logprobs: JSON) -> bytes:
    choice: dict[str, JSON] = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    usage: dict[str, JSON] = {"usage": None} if answer.request.include_usage else {}
    return completions.build_event({**_build_head(answer), "choices": [choice], **usage})


def _build_usage(answer: Answer) -> Object:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
