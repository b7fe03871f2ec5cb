"""The settings of a model and of a call: names, types, ranges. Values only; `llmkit.config` decides which apply.

A setting that the user did not set is not sent. `None` means "not set" too, except where noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.language.tools.tool import Tool
    from llmkit.provider.exchange import HTTPRequest
    from llmkit.resilience.retry import RetryPolicy

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
ExtraHeaders: TypeAlias = "Mapping[str, str] | Callable[[HTTPRequest], Mapping[str, str]]"


class CallSettings(TypedDict, total=False):
    """What a single call may set.

    temperature: 0 to 2. top_p: above 0, to 1. top_k: 0 or more. min_p, top_a: 0 to 1.
    max_tokens: most tokens of the answer, 1 or more; sent under the name that the service takes.
    frequency_penalty, presence_penalty: -2 to 2. repetition_penalty: above 0, to 2.
    seed: integer. stop: text, or up to 4 of them where the service says so. n: how many answers, 1 or more.
    logprobs: give log probabilities; top_logprobs: 0 to 20 alternatives a token (needs logprobs).
    logit_bias: token id to -100..100.
    tools: Python functions, `Tool`s or OpenAI tool dicts.
    tool_choice: "none", "auto", "required", a tool's name, or OpenAI's dict.
    parallel_tool_calls: may several tools be called in one turn?
    structured: {"type": "json"}, OpenAI's {"type": "json_schema", ...}, a JSON schema, or a type that pydantic knows.
    structured_retries: how often an answer that does not validate is asked for again, with the reason. Default 0.
    structured_by: "native" (the service's own form) or "instruction" (a text in the prompt). Default: native where the
        service and the model have it.
    reasoning: an effort word, a budget in tokens, or True / False.
    user: your stable id of the end user. metadata: text to text. service_tier: the service's word.
    modalities, audio, prediction, verbosity: as OpenAI has them.
    options: the provider's own options object, or several of different providers.
    timeout: seconds that one attempt may take until its answer is complete; streamed: until its first content, and
        from one content to the next. Default 120.
    deadline: seconds that all attempts and waits may take together. Default: what they can add up to.
    retry: a RetryPolicy; `None` turns retrying off.
    streaming: what `stream=None` means. Default False.
    extra_headers: headers to add, or a callable of the request that gives them (for signing).
    extra_body: fields to merge over the request's JSON body.
    on_unsupported: "error" (default), or "drop" to leave out what the backend does not have.
    """

    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    top_a: float | None
    max_tokens: int | None
    frequency_penalty: float | None
    presence_penalty: float | None
    repetition_penalty: float | None
    seed: int | None
    stop: str | Sequence[str] | None
    n: int | None
    logprobs: bool | None
    top_logprobs: int | None
    logit_bias: Mapping[str, float] | None
    tools: Sequence[Mapping[str, object] | Callable[..., object] | Tool] | None
    tool_choice: str | Mapping[str, object] | None
    parallel_tool_calls: bool | None
    structured: Mapping[str, object] | type | object | None
    structured_retries: int | None
    structured_by: Literal["native", "instruction"] | None
    reasoning: Effort | int | bool | None
    user: str | None
    metadata: Mapping[str, str] | None
    service_tier: str | None
    modalities: Sequence[str] | None
    audio: Mapping[str, object] | None
    prediction: Mapping[str, object] | None
    verbosity: str | None
    options: object | Sequence[object] | None
    timeout: float | None
    deadline: float | None
    retry: RetryPolicy | None
    streaming: bool | None
    extra_headers: ExtraHeaders | None
    extra_body: Mapping[str, object] | None
    on_unsupported: Literal["error", "drop"] | None


class Settings(CallSettings, total=False):
    """What `create_language` may set: all of `CallSettings`, and what belongs to the model as a whole.

    api_key: the key, or a callable that gives it (asked before every attempt). Default: the environment.
    base_url: where the service is. Default: the environment, else the service's own address.
    fallbacks: targets to try next, "provider:model" or models, in order.
    site_url, app_name: your app, for OpenRouter's attribution.
    proxy: URL of a proxy. Default: the environment's proxies, never for a loopback address.
    ca_bundle: path of a PEM file with the authorities to trust.
    client_cert: path of a PEM file, or (certificate, key) paths.
    allow_insecure: allow a key over http:// to a host that is not loopback. Default False.
    max_connections: most connections open at once. Default 1000 (the SDK's).
    max_context_messages: most messages that a `Conversation` sends, 1 or more. Default: all.
    """

    api_key: str | Callable[[], str] | None
    base_url: str | None
    fallbacks: Sequence[str | LanguageModel] | None
    site_url: str | None
    app_name: str | None
    proxy: str | None
    ca_bundle: str | None
    client_cert: str | tuple[str, str] | None
    allow_insecure: bool | None
    max_connections: int | None
    max_context_messages: int | None


#: Numbers and their range: type, lowest, highest, is the lowest itself allowed.
RANGES: Mapping[str, tuple[type, float | None, float | None, bool]] = {
    "temperature": (float, 0, 2, True),
    "top_p": (float, 0, 1, False),
    "top_k": (int, 0, None, True),
    "min_p": (float, 0, 1, True),
    "top_a": (float, 0, 1, True),
    "max_tokens": (int, 1, None, True),
    "frequency_penalty": (float, -2, 2, True),
    "presence_penalty": (float, -2, 2, True),
    "repetition_penalty": (float, 0, 2, False),
    "seed": (int, None, None, True),
    "n": (int, 1, 128, True),
    "top_logprobs": (int, 0, 20, True),
    "structured_retries": (int, 0, 10, True),
    "max_context_messages": (int, 1, None, True),
    "timeout": (float, 0, None, False),
    "deadline": (float, 0, None, False),
    "max_connections": (int, 1, None, True),
}
#: Settings of other types, for the error text and the check.
KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "stop": ((str, Sequence), "text or a list of texts"),
    "logprobs": ((bool,), "True or False"),
    "logit_bias": ((Mapping,), "a dict of token id to number"),
    "tools": ((Sequence,), "a list of functions, Tools or OpenAI tool dicts"),
    "tool_choice": ((str, Mapping), "none, auto, required, a tool's name or OpenAI's dict"),
    "parallel_tool_calls": ((bool,), "True or False"),
    "user": ((str,), "text"),
    "metadata": ((Mapping,), "a dict of text to text"),
    "service_tier": ((str,), "text"),
    "modalities": ((Sequence,), "a list such as ['text', 'audio']"),
    "audio": ((Mapping,), "a dict such as {'voice': ..., 'format': ...}"),
    "prediction": ((Mapping,), "OpenAI's dict"),
    "verbosity": ((str,), "low, medium or high"),
    "streaming": ((bool,), "True or False"),
    "extra_body": ((Mapping,), "a dict"),
    "base_url": ((str,), "an address"),
    "site_url": ((str,), "an address"),
    "app_name": ((str,), "text"),
    "proxy": ((str,), "an address"),
    "ca_bundle": ((str,), "a path"),
    "allow_insecure": ((bool,), "True or False"),
}
#: What goes to the service as part of the question. A provider names those that it has.
SAMPLING = frozenset(CallSettings.__annotations__) - {
    "options", "timeout", "deadline", "retry", "streaming", "extra_headers", "extra_body", "on_unsupported",
    "structured_retries", "structured_by",
}  # fmt: skip
EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
