"""OpenRouter's chat completions, and what they add to the dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmkit.errors import BadRequest, LLMError, ModelNotFound
from llmkit.provider import Call, HTTPRequest, Operation
from llmkit.types import Message, Settings
from llmkit.wire import cache_marks
from llmkit.wire import chat_errors as errors
from llmkit.wire.chat import ChatProvider
from llmkit.wire.chat_reply import as_mapping
from llmkit_openrouter import bounds, failures, names
from llmkit_openrouter.options import OpenRouterOptions
from llmkit_openrouter.turns import check_turn

if TYPE_CHECKING:
    from llmkit.types import KeyInfo, ModelInfo

#: The most prompt-cache breakpoints that Anthropic takes in one request.
_MAX_BREAKPOINTS = 4


class OpenRouterProvider(ChatProvider):
    """OpenRouter: `create_language("openrouter", "vendor/model")`. The default model is `openrouter/free`."""

    title = "OpenRouter"
    default_base_url = "https://openrouter.ai/api/v1"
    base_url_env = ("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE")
    key_env = ("OPENROUTER_API_KEY",)
    key_origins = ("https://eu.openrouter.ai", "https://us.openrouter.ai")
    key_page = "https://openrouter.ai/keys"
    default_model = "openrouter/free"
    aliases = names.ALIASES
    model_env = "OPENROUTER_DEFAULT_MODEL"
    setting_env: Mapping[str, str] = {
        "OR_SITE_URL": "site_url",
        "OR_APP_NAME": "app_name",
        "OPENROUTER_SITE_URL": "site_url",
        "OPENROUTER_APP_NAME": "app_name",
        "OPENROUTER_MAX_TOKENS": "max_tokens",
        "OPENROUTER_TEMPERATURE": "temperature",
        "OPENROUTER_TIMEOUT": "timeout",
        "OPENROUTER_MAX_CONTEXT_MESSAGES": "max_context_messages",
    }
    supported = frozenset(
        {
            "temperature", "top_p", "top_k", "min_p", "top_a", "max_tokens", "frequency_penalty", "presence_penalty",
            "repetition_penalty", "seed", "stop", "n", "logprobs", "top_logprobs", "logit_bias", "tools", "tool_choice",
            "parallel_tool_calls", "structured", "reasoning", "user", "metadata", "service_tier", "modalities", "audio",
            "prediction", "verbosity", "site_url", "app_name",
        }
    )  # fmt: skip
    options_type = OpenRouterOptions
    max_tokens_field = "max_completion_tokens"
    system_role = "developer"
    sends_usage_option = False  # Usage always comes; asking for it is deprecated.
    takes_back = frozenset({"reasoning", "reasoning_details", "annotations", "refusal", "images", "audio"})
    max_stop = 4
    takes_cache_control = True
    bills_in_dollars = True
    models_need_key = False

    def resolve_model(self, model: str) -> str:
        """See `BaseProvider`. An id has a slash; only a short name is looked up in the table."""
        return model if "/" in model else super().resolve_model(model)

    def same_model(self, one: str, other: str) -> bool:
        """See `BaseProvider`. A suffix that only says how to route does not make another model."""
        return names.strip_routing(one) == names.strip_routing(other)

    def successors(self, model: str) -> Sequence[str]:
        """See `BaseProvider`."""
        return names.find_successors(names.strip_routing(model))

    def headers(self, settings: Settings) -> Mapping[str, str]:
        """The headers of attribution. The title has two names; without `HTTP-Referer` OpenRouter ignores it."""
        headers: dict[str, str] = {}
        if site := settings.get("site_url"):
            headers["HTTP-Referer"] = site
        if name := settings.get("app_name"):
            headers["X-OpenRouter-Title"] = headers["X-Title"] = name
        return headers

    def build(self, call: Call) -> HTTPRequest:
        """See `BaseProvider`."""
        request = super().build(call)
        return (
            replace(request, headers=call.options.headers()) if isinstance(call.options, OpenRouterOptions) else request
        )

    def message(self, turn: Message, call: Call) -> dict[str, object]:
        """One turn in OpenRouter's form: reasoning blocks verbatim, and plain reasoning where there are none."""
        check_turn(turn)
        sent = super().message(turn, call)
        if "reasoning_details" in sent:
            sent.pop("reasoning", None)
        return sent

    def setting(self, name: str, value: object, call: Call) -> Mapping[str, object]:
        """The body fields of one setting; attribution is sent in headers."""
        return {} if name in ("site_url", "app_name") else super().setting(name, value, call)

    def reasoning(self, value: object) -> Mapping[str, object]:
        """The body fields of the `reasoning` setting: an effort word, or a budget of tokens."""
        if value is True:
            return {"reasoning": {"enabled": True}}
        if value is False:
            return {"reasoning": {"effort": "none"}}
        return {"reasoning": {"max_tokens" if isinstance(value, int) else "effort": value}}

    def option_fields(self, call: Call) -> Mapping[str, object]:
        """The body fields of `OpenRouterOptions`."""
        return call.options.body() if isinstance(call.options, OpenRouterOptions) else {}

    def check(self, call: Call) -> None:
        """See `BaseProvider`."""
        super().check(call)
        bounds.check_settings(call.settings)
        self._check_breakpoints(call)
        value = call.settings.get("reasoning")
        if value is not None:
            reasoning = self.reasoning(value)["reasoning"]
            if isinstance(reasoning, Mapping):
                bounds.check_reasoning("reasoning", reasoning)
            in_options = call.options.reasoning if isinstance(call.options, OpenRouterOptions) else None
            if in_options is not None and dict(in_options) != reasoning:
                raise BadRequest("reasoning= and OpenRouterOptions(reasoning=...) differ", hint="Set one of them")

    def _check_breakpoints(self, call: Call) -> None:
        breakpoints = 0
        for index, turn in enumerate(call.messages):
            for mark in (mark for mark in cache_marks.list_marks(turn) if mark is not None):
                bounds.BREAKPOINT(f"messages[{index}]: cache_control", mark)
                breakpoints += 1
        breakpoints += cache_marks.count_marked_tools(call.settings.get("tools"))
        breakpoints += isinstance(call.options, OpenRouterOptions) and call.options.cache_control is not None
        if breakpoints > _MAX_BREAKPOINTS and call.model.lstrip("~").startswith("anthropic/"):
            raise BadRequest(
                f"the call has {breakpoints} prompt-cache breakpoints (cache_control)",
                hint=f"Anthropic takes at most {_MAX_BREAKPOINTS}, tools and the automatic one included",
            )

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        """All models of the catalogue; no key is needed."""
        from llmkit_openrouter import catalogue

        return catalogue.list_models(self.name)

    def model_details(self, listed: ModelInfo) -> Operation[ModelInfo]:
        """The model with the upstream services behind it; with a key they have latency and throughput."""
        from llmkit_openrouter import catalogue

        return catalogue.model_details(listed)

    def check_key(self) -> Operation[KeyInfo]:
        """What the key may spend. Raises `AuthFailed` for an invalid key."""
        from llmkit_openrouter import catalogue

        return catalogue.check_key()

    def make_error(
        self, call: Call, error: Mapping[str, object], status: int | None, headers: Mapping[str, str]
    ) -> LLMError:
        """The typed error: of the class of OpenRouter's own codes, else of the class that the dialect finds."""
        cls = failures.find_error_class({"code": status, **error})
        if cls is None:
            typed = super().make_error(call, error, status, headers)
            cls = type(typed)
        described = {**error, "message": failures.describe_cause(error)}
        details = {**as_mapping(error.get("metadata")), **as_mapping(error.get("availability"))}
        typed = errors.make_error(
            cls, described, status=status, headers=headers, hint=self._make_hint(call, error, cls), details=details
        )
        availability = as_mapping(error.get("availability"))
        kind = availability.get("code") or details.get("error_type") or error.get("error_type")
        typed.code = str(kind) if isinstance(kind, str) else typed.code
        if (retryable := failures.may_retry(error)) is not None:
            typed.retryable = retryable
        return typed

    def _make_hint(self, call: Call, error: Mapping[str, object], cls: type[LLMError]) -> str | None:
        hint = failures.find_hint(error, cls)
        successors = self.successors(call.model) if issubclass(cls, ModelNotFound) else ()
        if not successors:
            return hint
        advice = f"{call.model} has left OpenRouter's catalogue; take {' or '.join(successors)}"
        return f"{advice}. {hint}" if hint and "Try " in hint else advice
