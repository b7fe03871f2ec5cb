"""The settings of a model and of a call: which there are, and what each may be.

Which of them apply is decided by `llmkit.config`. A setting is a key of one of the three classes and a row of `RULES`.
It goes out nowhere until a provider names it in its `supported`. A setting that the user did not set is not sent.
`None` means "not set" too, except where noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, get_args

from llmkit.types import setting_shapes as shapes
from llmkit.types.validators import (
    Check,
    anything,
    either,
    flag,
    like,
    many,
    number,
    one_of,
    pairs,
    text,
    whole,
)

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.language.tools.tool import Tool
    from llmkit.provider.exchange import HTTPRequest
    from llmkit.resilience.retry import RetryPolicy

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
#: The effort words, from least to most.
EFFORTS: tuple[str, ...] = get_args(Effort)
ExtraHeaders: TypeAlias = "Mapping[str, str] | Callable[[HTTPRequest], Mapping[str, str]]"


class SamplingSettings(TypedDict, total=False):
    """What goes to the service as part of the question."""

    temperature: float | None
    """0 to 2."""
    top_p: float | None
    """Above 0, up to 1."""
    top_k: int | None
    """0 or more."""
    min_p: float | None
    """0 to 1."""
    top_a: float | None
    """0 to 1."""
    max_tokens: int | None
    """Most tokens of the answer, 1 or more; sent under the name that the service takes."""
    frequency_penalty: float | None
    """-2 to 2."""
    presence_penalty: float | None
    """-2 to 2."""
    repetition_penalty: float | None
    """Above 0, up to 2."""
    seed: int | None
    """A whole number."""
    stop: str | Sequence[str] | None
    """Text, or up to 4 of them where the service says so."""
    n: int | None
    """How many answers, 1 to 128."""
    logprobs: bool | None
    """Give log probabilities."""
    top_logprobs: int | None
    """0 to 20 alternatives a token (needs `logprobs`)."""
    logit_bias: Mapping[str, float] | None
    """Token id to -100..100."""
    tools: Sequence[Mapping[str, object] | Callable[..., object] | Tool] | None
    """Python functions, `Tool`s or OpenAI tool dicts."""
    tool_choice: str | Mapping[str, object] | None
    """"none", "auto", "required", a tool's name, or OpenAI's dict."""
    parallel_tool_calls: bool | None
    """May several tools be called in one turn?"""
    structured: Mapping[str, object] | type | object | None
    """{"type": "json"}, OpenAI's {"type": "json_schema", ...}, a JSON schema, or a type that pydantic knows."""
    reasoning: Effort | int | bool | None
    """An effort word, a budget in tokens, or True / False."""
    user: str | None
    """Your stable id of the end user."""
    metadata: Mapping[str, str] | None
    """Text to text."""
    service_tier: str | None
    """A word that the service knows."""
    modalities: Sequence[str] | None
    """As OpenAI has them."""
    audio: Mapping[str, object] | None
    """As OpenAI has it."""
    prediction: Mapping[str, object] | None
    """As OpenAI has it."""
    verbosity: str | None
    """A word that the service knows."""


class CallSettings(SamplingSettings, total=False):
    """What a single call may set: all of `SamplingSettings`, and how llmkit carries the call out."""

    structured_retries: int | None
    """How often an answer that does not validate is asked for again, with the reason. Default 0."""
    structured_by: Literal["native", "instruction"] | None
    """"native" (the service's own form) or "instruction" (a text in the prompt). Default: native where the service and
    the model have it."""
    options: object | Sequence[object] | None
    """The provider's own options object, or several of different providers."""
    timeout: float | None
    """Seconds that one attempt may take until its answer is complete; streamed: until its first content, and from one
    content to the next. Default 120."""
    deadline: float | None
    """Seconds that all attempts and waits may take together. Default: what they can add up to."""
    retry: RetryPolicy | None
    """A RetryPolicy; `None` turns retrying off."""
    streaming: bool | None
    """What `stream=None` means. Default False."""
    extra_headers: ExtraHeaders | None
    """Headers to add, or a callable of the request that gives them (for signing)."""
    extra_body: Mapping[str, object] | None
    """Fields to merge over the request's JSON body."""
    on_unsupported: Literal["error", "drop"] | None
    """"error" (default), or "drop" to leave out what the backend does not have."""


class Settings(CallSettings, total=False):
    """What `create_language` may set: all of `CallSettings`, and what belongs to the model as a whole."""

    api_key: str | Callable[[], str] | None
    """The key, or a callable that gives it (asked before every attempt). Default: the environment."""
    base_url: str | None
    """Where the service is. Default: the environment, else the service's own address."""
    fallbacks: Sequence[str | LanguageModel] | None
    """Targets to try next, "provider:model" or models, in order."""
    site_url: str | None
    """Your app's address, for OpenRouter's attribution."""
    app_name: str | None
    """Your app's name, for OpenRouter's attribution."""
    proxy: str | None
    """URL of a proxy. Default: the environment's proxies, never for a loopback address."""
    ca_bundle: str | None
    """Path of a PEM file with the authorities to trust."""
    client_cert: str | tuple[str, str] | None
    """Path of a PEM file, or (certificate, key) paths."""
    allow_insecure: bool | None
    """Allow a key over http:// to a host that is not loopback. Default False."""
    max_connections: int | None
    """Most connections open at once. Default 1000 (the SDK's)."""
    max_context_messages: int | None
    """Most messages that a `Conversation` sends, 1 or more. Default: all."""


#: What goes to the service as part of the question, and what says which app asks. A provider names those that it has.
SAMPLING = frozenset(SamplingSettings.__annotations__)
ATTRIBUTION = frozenset({"site_url", "app_name"})


class Rule:
    """What one setting may be.

    Attributes:
        check: raises `BadRequest` for a value that does not fit.
        example: a value that fits. The contract suite sends it, and its type says how text is read as a value.
    """

    __slots__ = ("check", "example")

    def __init__(self, check: Check, example: object = None) -> None:
        self.check = check
        self.example = example

    def read(self, text: str) -> object:
        """The value that the text of an environment variable stands for, before it is checked.

        Raises:
            ValueError: the text does not stand for such a value; the message goes on after "must be".
        """
        kind = type(self.example)
        if kind in (int, float):
            return _read_number(text, kind)
        if kind is bool:
            if text.lower() not in ("true", "false"):
                raise ValueError("true or false")
            return text.lower() == "true"
        if kind is not str:
            raise ValueError("set in the program or in the configuration file")
        return text


#: Python's own grammar of numbers takes more than people write: underscores, digits of all scripts, "nan".
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}\Z")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\Z")


def _read_number(text: str, kind: type) -> float:
    if kind is int:
        if not _INTEGER.match(text):
            raise ValueError("a whole number")
        return int(text)
    if not _DECIMAL.match(text):
        raise ValueError("a number")
    return float(text)


_TOOL_EXAMPLE = {
    "type": "function",
    "function": {
        "name": "distance",
        "description": "How far something is.",
        "parameters": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
    },
}

#: What each setting may be.
RULES: Mapping[str, Rule] = {
    "temperature": Rule(number(0, 2), 0.5),
    "top_p": Rule(number(above=0, high=1), 0.9),
    "top_k": Rule(whole(0), 40),
    "min_p": Rule(number(0, 1), 0.05),
    "top_a": Rule(number(0, 1), 0.1),
    "max_tokens": Rule(whole(1), 64),
    "frequency_penalty": Rule(number(-2, 2), 0.5),
    "presence_penalty": Rule(number(-2, 2), 0.5),
    "repetition_penalty": Rule(number(above=0, high=2), 1.1),
    "seed": Rule(whole(), 7),
    "stop": Rule(either(text(), many(text(), what="text or a list of texts")), ["END"]),
    "n": Rule(whole(1, 128), 2),
    "logprobs": Rule(flag, True),
    "top_logprobs": Rule(whole(0, 20), 2),
    "logit_bias": Rule(pairs(number(-100, 100), what="a dict of token id to number"), {"50256": -100}),
    "tools": Rule(shapes.tools, [_TOOL_EXAMPLE]),
    "tool_choice": Rule(shapes.tool_choice, "required"),
    "parallel_tool_calls": Rule(flag, False),
    "structured": Rule(shapes.structured, {"type": "object", "properties": {"city": {"type": "string"}}}),
    "reasoning": Rule(shapes.reasoning(EFFORTS), "low"),
    "user": Rule(text(), "user-1"),
    "metadata": Rule(pairs(text(), keys=text(), what="a dict of text to text"), {"purpose": "example"}),
    "service_tier": Rule(text(), "auto"),
    "modalities": Rule(many(text(), what="a list such as ['text', 'audio']"), ["text"]),
    "audio": Rule(pairs(anything, what="OpenAI's dict"), {"voice": "alloy", "format": "wav"}),
    "prediction": Rule(pairs(anything, what="OpenAI's dict"), {"type": "content", "content": "384400"}),
    "verbosity": Rule(text(what="text such as 'low'"), "low"),
    "structured_retries": Rule(whole(0, 10), 1),
    "structured_by": Rule(one_of("native", "instruction"), "native"),
    "options": Rule(anything),  # `llmkit.config.backend_settings.pick_options` checks the class
    "timeout": Rule(number(above=0), 10.0),
    "deadline": Rule(number(above=0), 60.0),
    "retry": Rule(like("RetryPolicy(...), or None to turn retrying off", "wait", "attempts", "total_attempts")),
    "streaming": Rule(flag, True),
    "extra_headers": Rule(shapes.extra_headers, {"X-App": "example"}),
    "extra_body": Rule(pairs(anything), {"field": 1}),
    "on_unsupported": Rule(one_of("error", "drop"), "drop"),
    "api_key": Rule(shapes.api_key),
    "base_url": Rule(text(what="an address"), "https://llm.example/v1"),
    "fallbacks": Rule(many(anything, what='a list such as ["provider:model"]'), ["ollama:llama3.2"]),
    "site_url": Rule(text(what="an address"), "https://app.example"),
    "app_name": Rule(text(), "Example"),
    "proxy": Rule(shapes.proxy, "http://proxy.example:8080"),
    "ca_bundle": Rule(text(what="a path"), "/etc/ssl/ca.pem"),
    "client_cert": Rule(shapes.client_cert, "/etc/ssl/client.pem"),
    "allow_insecure": Rule(flag, False),
    "max_connections": Rule(whole(1), 100),
    "max_context_messages": Rule(whole(1), 20),
}
