"""OpenAI's chat completions, and any compatible server by `base_url`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmkit.provider import Call
from llmkit.types import Message
from llmkit.wire.chat import ChatProvider

if TYPE_CHECKING:
    from llmkit.types import ModelInfo

_OWN_HOSTS = (".openai.com", ".openai.azure.com", ".services.ai.azure.com")


class OpenAIProvider(ChatProvider):
    """OpenAI: `create_language("openai", model)`; with `base_url=`, any server that speaks the same dialect."""

    title = "OpenAI"
    default_base_url = "https://api.openai.com/v1"
    base_url_env = ("OPENAI_BASE_URL",)
    key_env = ("OPENAI_API_KEY",)
    key_origins = ("https://us.api.openai.com", "https://eu.api.openai.com")
    key_page = "https://platform.openai.com/api-keys"
    header_env: Mapping[str, str] = {
        "OPENAI_ORG_ID": "OpenAI-Organization",
        "OPENAI_PROJECT_ID": "OpenAI-Project",
    }
    max_stop = 4

    def max_tokens_name(self, call: Call) -> str:
        """The name for `max_tokens`: OpenAI's newer models refuse that one, most compatible servers know no other."""
        return "max_completion_tokens" if is_openai(call.base_url) else "max_tokens"

    def message(self, turn: Message, call: Call) -> dict[str, object]:
        """One turn as the service takes it. A developer turn is a system turn for all services but OpenAI itself."""
        sent = super().message(turn, call)
        if turn.role == "developer" and is_openai(call.base_url):
            sent["role"] = "developer"
        return sent

    def known_model(self, model: str) -> ModelInfo | None:
        """See `BaseProvider`."""
        from llmkit_openai import snapshot

        return snapshot.known_model("openai", model)


def is_openai(base_url: str) -> bool:
    """Is it the address of OpenAI's own service, direct or at Azure?"""
    return f".{urlsplit(base_url).hostname or ''}".endswith(_OWN_HOSTS)
