"""OpenRouter's chat completions: what it adds to the dialect."""

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

#: Anthropic's limit of prompt-cache breakpoints in one request.
_MOST_BREAKPOINTS = 4


class OpenRouterProvider(ChatProvider):
    """`create_language("openrouter", "vendor/model")`. Without a model it is `openrouter/free`."""

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
        """See `BaseProvider`. An id has a slash; only a short name needs the table."""
        return model if "/" in model else super().resolve_model(model)

    def same_model(self, one: str, other: str) -> bool:
        """See `BaseProvider`. A suffix that only routes is not part of the model."""
        return names.without_routing(one) == names.without_routing(other)

    def successors(self, model: str) -> Sequence[str]:
        """See `BaseProvider`."""
        return names.successors(names.without_routing(model))

    def headers(self, settings: Settings) -> Mapping[str, str]:
        """Attribution. Without `HTTP-Referer` OpenRouter ignores the title; the title goes under both its names."""
        made: dict[str, str] = {}
        if site := settings.get("site_url"):
            made["HTTP-Referer"] = site
        if name := settings.get("app_name"):
            made["X-OpenRouter-Title"] = made["X-Title"] = name
        return made

    def build(self, call: Call) -> HTTPRequest:
        """See `BaseProvider`."""
        request = super().build(call)
        return (
            replace(request, headers=call.options.headers()) if isinstance(call.options, OpenRouterOptions) else request
        )

    def message(self, turn: Message, call: Call) -> dict[str, object]:
        """Reasoning blocks go back verbatim; the plain reasoning text only where there are none."""
        check_turn(turn)
        out = super().message(turn, call)
        if "reasoning_details" in out:
            out.pop("reasoning", None)
        return out

    def setting(self, name: str, value: object, call: Call) -> Mapping[str, object]:
        """The body fields of one setting; attribution travels in headers."""
        return {} if name in ("site_url", "app_name") else super().setting(name, value, call)

    def reasoning(self, value: object) -> Mapping[str, object]:
        """OpenRouter takes an effort word or a budget in tokens."""
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
            asked = self.reasoning(value)["reasoning"]
            if isinstance(asked, Mapping):
                bounds.check_reasoning("reasoning", asked)
            own = call.options.reasoning if isinstance(call.options, OpenRouterOptions) else None
            if own is not None and dict(own) != asked:
                raise BadRequest("reasoning= and OpenRouterOptions(reasoning=...) differ", hint="Set one of them")

    def _check_breakpoints(self, call: Call) -> None:
        found = 0
        for index, turn in enumerate(call.messages):
            for mark in (mark for mark in cache_marks.list_marks(turn) if mark is not None):
                bounds.BREAKPOINT(f"messages[{index}]: cache_control", mark)
                found += 1
        found += cache_marks.count_marked_tools(call.settings.get("tools"))
        found += isinstance(call.options, OpenRouterOptions) and call.options.cache_control is not None
        if found > _MOST_BREAKPOINTS and call.model.lstrip("~").startswith("anthropic/"):
            raise BadRequest(
                f"the call has {found} prompt-cache breakpoints (cache_control)",
                hint=f"Anthropic takes at most {_MOST_BREAKPOINTS}, tools and the automatic one included",
            )

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        """The whole catalogue; no key is needed."""
        from llmkit_openrouter import catalogue

        return catalogue.list_models(self.name)

    def model_details(self, listed: ModelInfo) -> Operation[ModelInfo]:
        """The row with the upstream services behind the model; with a key they have latency and throughput."""
        from llmkit_openrouter import catalogue

        return catalogue.model_details(listed)

    def check_key(self) -> Operation[KeyInfo]:
        """What the key may spend. Raises `AuthFailed` for one that is not valid."""
        from llmkit_openrouter import catalogue

        return catalogue.check_key()

    def make_error(
        self, call: Call, error: Mapping[str, object], status: int | None, headers: Mapping[str, str]
    ) -> LLMError:
        """The typed error: OpenRouter's own codes first, then what the dialect makes of status and text."""
        cls = failures.error_class({"code": status, **error})
        if cls is None:
            made = super().make_error(call, error, status, headers)
            cls = type(made)
        said = {**error, "message": failures.cause_text(error)}
        details = {**as_mapping(error.get("metadata")), **as_mapping(error.get("availability"))}
        made = errors.make_error(
            cls, said, status=status, headers=headers, hint=self._advice(call, error, cls), details=details
        )
        availability = as_mapping(error.get("availability"))
        kind = availability.get("code") or details.get("error_type") or error.get("error_type")
        made.code = str(kind) if isinstance(kind, str) else made.code
        if (again := failures.request_stays(error)) is not None:
            made.retryable = again
        return made

    def _advice(self, call: Call, error: Mapping[str, object], cls: type[LLMError]) -> str | None:
        said = failures.hint(error, cls)
        found = self.successors(call.model) if issubclass(cls, ModelNotFound) else ()
        if not found:
            return said
        left = f"{call.model} has left OpenRouter's catalogue; take {' or '.join(found)}"
        return f"{left}. {said}" if said and "Try " in said else left
