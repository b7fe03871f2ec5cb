"""The three providers, and a service that is a row of data, keep the rules that every provider keeps."""

import json

import pytest

from llmkit import (
    AuthFailed,
    BadRequest,
    ContextLengthExceeded,
    InsufficientCredit,
    LLMError,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    ServerError,
    StreamInterrupted,
    create_language,
)
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import get_provider
from llmkit.testing.contract import Failure, ProviderContract, Sample
from llmkit.testing.contract.requests import VALUES
from llmkit.testing.simulator import Simulator
from llmkit.types.settings import ATTRIBUTION, SAMPLING
from llmkit_ollama import OllamaProvider
from llmkit_openai import OpenAIProvider
from llmkit_openrouter import OpenRouterProvider

TEXT = "Fünf Wörter, 月 und mehr."


def chat_body(message, finish="stop", **more):
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
    reply = {"id": "gen-1", "object": "chat.completion", "model": "some-model", "choices": [choice], "usage": usage}
    return json.dumps({**reply, **more}, ensure_ascii=False).encode()


def chat_events(deltas, finish="stop", comment=b"", **more):
    def event(choices, **fields):
        body = {"id": "gen-1", "object": "chat.completion.chunk", "model": "some-model", "choices": choices, **fields}
        return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"

    events = [event([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    events.append(event([{"index": 0, "delta": {}, "finish_reason": finish}]))
    events.append(event([], usage={"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19, **more}))
    return comment + b"".join(events) + b"data: [DONE]\n\n"


CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
WORDS = [
    {"role": "assistant", "content": ""},
    {"content": "Fünf Wörter, "},
    {"content": "月 und "},
    {"content": "mehr."},
]
PIECES = [
    {"role": "assistant", "content": None},
    {"tool_calls": [{"index": 0, **CALL, "function": {"name": "weather", "arguments": ""}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]},
]
STOP, CALLS = b'"finish_reason":"stop"', b'"finish_reason":"tool_calls"'
WEATHER = (("weather", {"city": "Rome"}),)


@pytest.fixture(scope="module")
def simulator():
    with Simulator() as running:
        yield running


class ChatContract(ProviderContract):
    """What the chat-completions dialect has in common."""

    plain = (
        Sample(body=chat_body({"content": TEXT}), text=TEXT, tokens=(12, 7)),
        Sample(body=b"\n\n " + chat_body({"content": "x"}, "length") + b"\n", text="x", finish_reason="length"),
        Sample(body=chat_body({"tool_calls": [CALL]}, "tool_calls"), finish_reason="tool_calls", tool_calls=WEATHER),
        Sample(body=chat_body({"content": "Yes.", "reasoning": "Hm."}), text="Yes.", reasoning="Hm."),
    )
    streamed = (
        Sample(body=chat_events(WORDS), text=TEXT, tokens=(12, 7), mark=STOP),
        Sample(body=chat_events(PIECES, "tool_calls"), finish_reason="tool_calls", tool_calls=WEATHER, mark=CALLS),
        Sample(
            body=chat_events([{"reasoning": "Hm."}, {"content": "Yes."}], comment=b": wait\n\n: wait\r\n\r\n"),
            text="Yes.",
            reasoning="Hm.",
            mark=STOP,
        ),
    )

    @pytest.fixture(autouse=True)
    def _server(self, simulator):
        self.simulator = simulator


class TestOpenRouter(ChatContract):
    """OpenRouter."""

    provider = OpenRouterProvider("openrouter")
    model = "openai/gpt-4o-mini"
    failures = (
        Failure(
            status=401, body=b'{"error":{"message":"No auth credentials found","code":401}}', error=AuthFailed
        ),
        Failure(
            status=402,
            body=b'{"error":{"message":"Insufficient credits","code":402},"user_id":"user_1"}',
            error=InsufficientCredit,
        ),
        Failure(
            status=400,
            body=b'{"error":{"message":"acme/none is not a valid model ID","code":400}}',
            error=ModelNotFound,
        ),
        Failure(
            status=429,
            body=b'{"error":{"message":"Rate limit exceeded: free-models-per-min. ","code":429,'
            b'"metadata":{"headers":{"Retry-After":"12"},"retry_after":12}}}',
            error=RateLimited,
            retry_after=12,
        ),
        Failure(
            status=200, body=b'{"error":{"message":"Internal Server Error","code":500},"id":"gen-1"}', error=ServerError
        ),
        Failure(
            status=200,
            stream=True,
            body=b'data: {"id":"g","choices":[{"index":0,"delta":{"content":"Half"}}]}\n\n'
            b'data: {"id":"g","error":{"code":502,"message":"Provider disconnected"},'
            b'"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\n',
            error=StreamInterrupted,
        ),
    )  # fmt: skip

    def make_model(self):
        return create_language("openrouter", self.model, base_url=self.simulator.openrouter_url, api_key="sk-or-test")


class TestOpenAI(ChatContract):
    """OpenAI."""

    provider = OpenAIProvider("openai")
    model = "gpt-4o-mini"
    failures = (
        Failure(
            status=401,
            body=b'{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,'
            b'"code":"invalid_api_key"}}',
            error=AuthFailed,
        ),
        Failure(
            status=429,
            body=b'{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,'
            b'"code":"insufficient_quota"}}',
            error=QuotaExhausted,
        ),
        Failure(
            status=429,
            body=b'{"error":{"message":"Rate limit reached","type":"requests","param":null,'
            b'"code":"rate_limit_exceeded"}}',
            headers={"retry-after-ms": "1500", "x-ratelimit-reset-requests": "6m0s"},
            error=RateLimited,
            retry_after=1.5,
        ),
        Failure(
            status=400,
            body=b'{"error":{"message":"This model\'s maximum context length is 8192 tokens.",'
            b'"type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
            error=ContextLengthExceeded,
        ),
        Failure(
            status=404,
            body=b'{"error":{"message":"The model `gpt-9` does not exist","type":"invalid_request_error",'
            b'"param":null,"code":"model_not_found"}}',
            error=ModelNotFound,
        ),
    )

    def make_model(self):
        return create_language("openai", self.model, base_url=self.simulator.openai_url, api_key="sk-test")


class TestService(ChatContract):
    """A service that is one row of data."""

    provider: BaseProvider = get_provider("groq")

    def make_model(self):
        return create_language("groq", self.model, base_url=self.simulator.openai_url, api_key="gsk-test")


def ollama_line(message, done=False, **more):
    body = {"model": "llama3.2", "created_at": "2026-08-01T00:00:00Z", "message": {"role": "assistant", **message}}
    return json.dumps({**body, "done": done, **more}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


ENDED = {"done_reason": "stop", "total_duration": 5_000_000, "prompt_eval_count": 12, "eval_count": 7}
WEATHER_CALL = {"content": "", "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Rome"}}}]}


class TestOllama(ProviderContract):
    """Ollama by its native API."""

    provider = OllamaProvider("ollama")
    model = "llama3.2"
    plain = (
        Sample(body=ollama_line({"content": TEXT}, done=True, **ENDED), text=TEXT, tokens=(12, 7)),
        Sample(body=ollama_line(WEATHER_CALL, done=True, **ENDED), finish_reason="tool_calls", tool_calls=WEATHER),
        Sample(
            body=ollama_line({"content": "Yes.", "thinking": "Hm."}, done=True, **ENDED), text="Yes.", reasoning="Hm."
        ),
    )
    streamed = (
        Sample(
            body=b"".join(ollama_line({"content": piece["content"]}) for piece in WORDS)
            + ollama_line({"content": ""}, done=True, **ENDED),
            text=TEXT,
            tokens=(12, 7),
            mark=b'"done":true',
        ),
        Sample(
            body=ollama_line(WEATHER_CALL) + ollama_line({"content": ""}, done=True, **ENDED),
            finish_reason="tool_calls",
            tool_calls=WEATHER,
            mark=b'"done":true',
        ),
        Sample(
            body=ollama_line({"content": "", "thinking": "Hm."})
            + ollama_line({"content": "Yes."})
            + ollama_line({"content": ""}, done=True, **ENDED),
            text="Yes.",
            reasoning="Hm.",
            mark=b'"done":true',
        ),
    )
    failures = (
        Failure(status=404, body=b'{"error":"model \'none\' not found"}', error=ModelNotFound),
        Failure(status=400, body=b'{"error":"\\"llama3\\" does not support tools"}', error=LLMError),
        Failure(status=400, body=b'{"error":"invalid role"}', error=BadRequest),
        Failure(status=500, body=b'{"error":"llama runner process has terminated"}', error=ServerError),
        Failure(
            status=200,
            stream=True,
            body=ollama_line({"content": "Half"}) + b'{"error":"unexpected EOF"}\n',
            error=StreamInterrupted,
        ),
    )

    def error_body(self, status, message):
        return json.dumps({"error": message}).encode()

    @pytest.fixture(autouse=True)
    def _server(self, simulator):
        self.simulator = simulator

    def make_model(self):
        return create_language("ollama", self.model, base_url=self.simulator.ollama_url)


def test_the_contract_knows_every_setting():
    """The contract has a value of every setting that goes to a service: the example of its rule."""
    assert set(VALUES) == SAMPLING | ATTRIBUTION
    assert None not in VALUES.values()
