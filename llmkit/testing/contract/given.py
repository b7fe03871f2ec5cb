"""What the author of a provider supplies to the contract, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, cast

import pytest

from llmkit.config.endpoint import resolve_endpoint
from llmkit.errors import LLMError, ProviderBug
from llmkit.language.model import LanguageModel
from llmkit.provider.exchange import Endpoint, HTTPReply
from llmkit.provider.interface import BaseProvider, Call, Decoder
from llmkit.provider.registry import register_provider, unregister_provider
from llmkit.types.messages import FunctionCall, Message, ToolCall
from llmkit.types.responses import Response
from llmkit.types.settings import Settings

#: The key that must not show anywhere.
KEY = "sk-contract-0123456789abcdef0123456789"
QUESTION = (Message("system", "Be brief."), Message("user", "How far is the contract moon?"))
CONVERSATION = (
    *QUESTION,
    Message("assistant", None, tool_calls=(ToolCall("call_1", FunctionCall("distance", '{"to": "moon"}')),)),
    Message("tool", "384400 km", tool_call_id="call_1", name="distance"),
    Message("user", "And back?"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A reply that the backend sends, and what it says.

    Attributes:
        body: the bytes, best as they were recorded; a few hundred are enough.
        text: the text of the first choice; `None` where there is none.
        finish_reason: why it ended.
        reasoning: its reasoning.
        tool_calls: (name, arguments) of its tool calls.
        tokens: (prompt, completion) tokens; `None` is not compared.
        mark: of a streamed sample: the bytes in it that say that the answer is whole. A stream that ends before them
            was cut.
    """

    body: bytes
    text: str | None = None
    finish_reason: str | None = "stop"
    reasoning: str | None = None
    tool_calls: Sequence[tuple[str, Mapping[str, object]]] = ()
    tokens: tuple[int | None, int | None] | None = None
    mark: bytes = b""

    def compare(self, response: Response) -> None:
        """Fail if `response` is not what the sample says."""
        said = (response.content or None, response.finish_reason, response.reasoning)
        expected = (self.text or None, self.finish_reason, self.reasoning)
        assert said == expected, f"(text, finish_reason, reasoning) is {said}, the sample says {expected}"
        calls = [(call.name, call.arguments) for call in response.tool_calls]
        wanted = [(name, dict(arguments)) for name, arguments in self.tool_calls]
        assert calls == wanted, f"tool_calls are {calls}, the sample says {wanted}"
        tokens = (response.usage.prompt_tokens, response.usage.completion_tokens)
        assert self.tokens in (None, tokens), f"tokens are {tokens}, the sample says {self.tokens}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A reply that says that the call failed, and the error it means.

    Attributes:
        status: HTTP status. A failure inside an answer has 200.
        body: the bytes.
        error: the class of error, or one above it.
        headers: names in lower case.
        stream: is the body the answer to a streamed call?
        retry_after: seconds that the reply asks to wait.
    """

    status: int
    body: bytes
    error: type[LLMError]
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False
    retry_after: float | None = None


class Given:
    """What the author supplies: class attributes, or properties.

    Attributes:
        provider: the provider under test.
        plain: plain replies, one at least.
        streamed: streamed replies, one at least.
        failures: error replies as the service documents them.
        model: a model's name.
        settings: what `create_language` needs beside `base_url` and a key.
        setting_values: a value for each setting where the contract's own does not fit the backend.
        http: does the backend speak HTTP and JSON, by llmkit's transport?
    """

    provider: BaseProvider
    plain: Sequence[Sample] = ()
    streamed: Sequence[Sample] = ()
    failures: Sequence[Failure] = ()
    model: str = "some-model"
    settings: ClassVar[Settings] = {}
    setting_values: ClassVar[Mapping[str, object]] = {}
    http: bool = True

    def make_model(self) -> LanguageModel | None:
        """A model that answers every question with the same text, plain and streamed; `None` skips those rules."""
        return None

    @property
    def base_url(self) -> str:
        """Where the requests of the rules would go. Nothing is sent."""
        url = self.provider.default_base_url
        return url if url and "${" not in url else "http://127.0.0.1:9"

    def call(
        self, *, stream: bool = False, messages: tuple[Message, ...] = QUESTION, settings: Mapping[str, object] = {}
    ) -> Call:
        """A call as the engine makes it."""
        return Call(self.model, messages, stream, dict(settings), base_url=self.base_url)

    def given_settings(self, **settings: object) -> dict[str, object]:
        """The author's settings, with an address and a key, and `settings` over them."""
        return {"base_url": self.base_url, "api_key": KEY, **self.settings, **settings}

    def endpoint(self, **settings: object) -> Endpoint:
        """The endpoint that `create_language` would make."""
        return resolve_endpoint(self.provider, self.given_settings(**settings), {})

    def decode(self, decoder: Decoder, parts: Sequence[bytes]) -> str:
        """Feed a decoder as the engine does; the text of the first choice in its chunks."""
        said: list[str] = []
        for part in (*parts, b""):
            if decoder.done:
                break
            for chunk in decoder.feed(part):
                assert chunk.choices, "a chunk has no choice"
                assert isinstance(chunk.content, str), "the content of a chunk is not text"
                said += [choice.delta.content for choice in chunk.choices if choice.index == 0]
        return "".join(said)

    def error_of(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> LLMError:
        """What `parse_error` makes of a reply. It must not raise."""
        try:
            error = self.provider.parse_error(self.call(), HTTPReply(status, headers or {}, body))
        except Exception as raised:
            pytest.fail(f"parse_error raised {type(raised).__name__} for HTTP {status} with {body[:40]!r}: {raised}")
        assert isinstance(error, LLMError), f"parse_error gave {type(error).__name__} for HTTP {status}"
        return error

    def only_http(self) -> None:
        """Skip a rule that says nothing about a backend in the process."""
        if not self.http:
            pytest.skip("the backend is not HTTP")

    @contextmanager
    def registered(self) -> Iterator[str]:
        """The provider under its name, for `create_language`."""
        name = self.provider.name
        register_provider(name, lambda _: self.provider, replace=True)
        try:
            yield name
        finally:
            unregister_provider(name)


def typed(error: LLMError) -> LLMError:
    """Fail if the error says nothing about what went wrong."""
    assert type(error) is not LLMError, f"a bare LLMError: {error}"
    assert not isinstance(error, ProviderBug), f"the provider is at fault: {error}"
    return error


def as_settings(settings: Mapping[str, object]) -> Settings:
    """Settings by name, for `config=`."""
    return cast("Settings", dict(settings))
