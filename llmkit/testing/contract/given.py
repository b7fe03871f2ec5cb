"""What the author of a provider supplies to the contract, and the methods that the rules share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
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
    """A reply of the backend, and what it says.

    Attributes:
        body: the bytes, best as they were recorded. A few hundred are enough, since every way to split them is tried.
        text: the text of the first choice; `None` if it has none.
        finish_reason: why the answer ended.
        reasoning: the reasoning text.
        tool_calls: (name, arguments) of each tool call.
        tokens: (prompt, completion) tokens; `None` is not compared.
        mark: in a streamed sample, the bytes that say that the answer is whole. A stream that ends before them was
            cut.
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
        actual = (response.content or None, response.finish_reason, response.reasoning)
        expected = (self.text or None, self.finish_reason, self.reasoning)
        assert actual == expected, f"(text, finish_reason, reasoning) is {actual}, the sample says {expected}"
        calls = [(call.name, call.arguments) for call in response.tool_calls]
        expected_calls = [(name, dict(arguments)) for name, arguments in self.tool_calls]
        assert calls == expected_calls, f"tool_calls are {calls}, the sample says {expected_calls}"
        tokens = (response.usage.prompt_tokens, response.usage.completion_tokens)
        assert self.tokens in (None, tokens), f"tokens are {tokens}, the sample says {self.tokens}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A reply that says that the call failed, and the error that it means.

    Attributes:
        status: the HTTP status. A failure inside an answer has 200.
        body: the bytes.
        error: the class of the error, or a base class of it.
        headers: the headers, with names in lower case.
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
    """What the author supplies, as class attributes or properties.

    Attributes:
        provider: the provider under test.
        plain: plain replies, at least one.
        streamed: streamed replies, at least one.
        failures: error replies as the service documents them.
        model: the name of a model.
        settings: the settings that `create_language` needs besides `base_url` and a key.
        setting_values: a value for each setting for which the contract's own value does not fit the backend.
        http: does the backend speak HTTP and JSON, through llmkit's transport?
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
        """Return a model that answers every question with the same text, plain and streamed; `None` skips its rules."""
        return None

    @property
    def base_url(self) -> str:
        """The address that the requests of the rules are built for. Nothing is sent to it."""
        url = self.provider.default_base_url
        return url if url and "${" not in url else "http://127.0.0.1:9"

    def call(
        self, *, stream: bool = False, messages: tuple[Message, ...] = QUESTION, settings: Mapping[str, object] = {}
    ) -> Call:
        """Return a call as the engine makes it."""
        return Call(self.model, messages, stream, dict(settings), base_url=self.base_url)

    def given_settings(self, settings: Mapping[str, object] = MappingProxyType({})) -> dict[str, object]:
        """Return the author's settings with an address and a key; `settings` replace them."""
        return {"base_url": self.base_url, "api_key": KEY, **self.settings, **settings}

    def endpoint(self, settings: Mapping[str, object] = MappingProxyType({})) -> Endpoint:
        """Return the endpoint that `create_language` would use."""
        return resolve_endpoint(self.provider, self.given_settings(settings), {})

    def decode(self, decoder: Decoder, parts: Sequence[bytes]) -> str:
        """Feed a decoder as the engine does, and return the text of the first choice in its chunks."""
        texts: list[str] = []
        for part in (*parts, b""):
            if decoder.done:
                break
            for chunk in decoder.feed(part):
                assert chunk.choices, "a chunk has no choice"
                assert isinstance(chunk.content, str), "the content of a chunk is not text"
                texts += [choice.delta.content for choice in chunk.choices if choice.index == 0]
        return "".join(texts)

    def error_of(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> LLMError:
        """Return what `parse_error` makes of a reply. It must not raise."""
        try:
            error = self.provider.parse_error(self.call(), HTTPReply(status, headers or {}, body))
        except Exception as raised:  # whatever a provider raises here breaks the rule
            pytest.fail(f"parse_error raised {type(raised).__name__} for HTTP {status} with {body[:40]!r}: {raised}")
        assert isinstance(error, LLMError), f"parse_error gave {type(error).__name__} for HTTP {status}"
        return error

    def only_http(self) -> None:
        """Skip a rule that does not apply to a backend within the process."""
        if not self.http:
            pytest.skip("the backend is not HTTP")

    @contextmanager
    def registered(self) -> Iterator[str]:
        """Register the provider within the block, and give its name for `create_language`."""
        name = self.provider.name
        register_provider(name, lambda _: self.provider, replace=True)
        try:
            yield name
        finally:
            unregister_provider(name)


def check_typed(error: LLMError) -> LLMError:
    """Return the error. Fail if it does not say what went wrong."""
    assert type(error) is not LLMError, f"a bare LLMError: {error}"
    assert not isinstance(error, ProviderBug), f"the provider is at fault: {error}"
    return error


def to_settings(settings: Mapping[str, object]) -> Settings:
    """Return settings by name with the type of `config=`."""
    return cast("Settings", dict(settings))
