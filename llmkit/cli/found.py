"""What can be used here and now: the services whose key is set, and an Ollama that answers."""

from __future__ import annotations

import http.client
import json
import os
import urllib.request
from typing import cast

from llmkit.cli.readiness import Readiness, readiness
from llmkit.errors import ConfigError
from llmkit.registry import get_provider

#: In the order in which one is chosen when none is named.
HOSTED = ("openrouter", "openai")
LOCAL = "ollama"
_PATIENCE = 2.0
_LONGEST = 4 * 1024 * 1024


def state(name: str) -> Readiness:
    """The state of a provider in this process's environment."""
    return readiness(get_provider(name), os.environ)


def default_target(model: str | None) -> tuple[str, str | None]:
    """Provider and model where no provider is named: the first that is ready. A model that is named is kept.

    Raises:
        ConfigError: none is.
    """
    states = {name: state(name) for name in HOSTED}
    for name, found in states.items():
        if found.configured and found.key == "set":
            return name, model
    ollama = state(LOCAL)
    models = local_models(ollama)
    if models is not None:
        return LOCAL, model or next(iter(models), None)
    missing = " and ".join(found.variable or name for name, found in states.items())
    raise ConfigError(
        f"no provider is named, and none is ready: {missing} are not set, and no Ollama answers at {ollama.base_url}",
        hint=f"Name one with -p, set a key ({states[HOSTED[0]].key_page}), or start Ollama",
    )


def local_models(ollama: Readiness) -> list[str] | None:
    """The chat models of an Ollama, newest first as it lists them; `None` if none answers there."""
    if not ollama.configured or ollama.base_url is None:
        return None
    # A server on this machine is never asked through a proxy.
    proxies = [urllib.request.ProxyHandler({})] if ollama.local else []
    try:
        with urllib.request.build_opener(*proxies).open(f"{ollama.base_url}/api/tags", timeout=_PATIENCE) as reply:
            listed = json.loads(reply.read(_LONGEST))
    except (OSError, ValueError, http.client.HTTPException):
        return None
    rows = listed.get("models") if isinstance(listed, dict) else None
    if not isinstance(rows, list):
        return None
    return [str(row["name"]) for row in rows if isinstance(row, dict) and row.get("name") and _chats(row)]


def _chats(row: dict[str, object]) -> bool:
    """Is it a model to talk to? Ollama's list does not say; embedding models give themselves away by name or family."""
    details = cast("dict[str, object]", row.get("details") or {})
    return "embed" not in str(row["name"]) and "bert" not in str(details.get("family") or "")
