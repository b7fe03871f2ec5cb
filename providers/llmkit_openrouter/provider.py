"""OpenRouter's chat completions: what it adds to the dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from llmkit.errors import BadRequest, LLMError
from llmkit.exchange import HTTPRequest
from llmkit.messages import Message
from llmkit.provider import Call
from llmkit.settings import SAMPLING, Settings
from llmkit.usage import Cost, Usage
from llmkit.wire import chat_errors as errors
from llmkit.wire.chat import ChatProvider
from llmkit.wire.chat_reply import reported_cost
from llmkit_openrouter import bounds, failures
from llmkit_openrouter.options import OpenRouterOptions
from llmkit_openrouter.turns import check_turn


class OpenRouterProvider(ChatProvider):
    """`create_language("openrouter", "vendor/model")`. Without a model it is `openrouter/free`."""

    title = "OpenRouter"
    default_base_url = "https://openrouter.ai/api/v1"
    base_url_env = ("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE")
    key_env = ("OPENROUTER_API_KEY",)
    key_origins = ("https://eu.openrouter.ai", "https://us.openrouter.ai")
    key_page = "https://openrouter.ai/keys"
    default_model = "openrouter/free"
    model_env = "OPENROUTER_DEFAULT_MODEL"
    setting_env: Mapping[str, str] = {
        "OR_SITE_URL": "site_url",
        "OR_APP_NAME": "app_name",
        "OPENROUTER_SITE_URL": "site_url",
        "OPENROUTER_APP_NAME": "app_name",
        "OPENROUTER_MAX_TOKENS": "max_tokens",
        "OPENROUTER_TEMPERATURE": "temperature",
        "OPENROUTER_TIMEOUT": "timeout",
    }
    supported = SAMPLING | {"site_url", "app_name"}
    options_type = OpenRouterOptions
    max_tokens_field = "max_completion_tokens"
    system_role = "developer"
    sends_usage_option = False  # Usage always comes; asking for it is deprecated.
    takes_back = frozenset({"reasoning", "reasoning_details", "annotations", "refusal", "images", "audio"})
    max_stop = 4

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
        value = call.settings.get("reasoning")
        if value is not None:
            asked = self.reasoning(value)["reasoning"]
            if isinstance(asked, Mapping):
                bounds.check_reasoning("reasoning", asked)
            own = call.options.reasoning if isinstance(call.options, OpenRouterOptions) else None
            if own is not None and dict(own) != asked:
                raise BadRequest("reasoning= and OpenRouterOptions(reasoning=...) differ", hint="Set one of them")

    def cost(self, call: Call, usage: Usage) -> Cost:
        """OpenRouter's own figure, exactly. With an own upstream key (BYOK) the upstream's charge comes on top."""
        return reported_cost(usage)

    def make_error(
        self, call: Call, error: Mapping[str, object], status: int | None, headers: Mapping[str, str]
    ) -> LLMError:
        """The typed error: OpenRouter's own codes first, then what the dialect makes of status and text."""
        cls = failures.error_class({"code": status, **error})
        if cls is None:
            made = super().make_error(call, error, status, headers)
            cls = type(made)
        said = {**error, "message": failures.cause_text(error)}
        details = {**failures.mapping(error.get("metadata")), **failures.mapping(error.get("availability"))}
        made = errors.make(cls, said, status=status, headers=headers, hint=failures.hint(error, cls), details=details)
        availability = failures.mapping(error.get("availability"))
        kind = availability.get("code") or details.get("error_type") or error.get("error_type")
        made.code = str(kind) if isinstance(kind, str) else made.code
        if (again := failures.request_stays(error)) is not None:
            made.retryable = again
        return made
