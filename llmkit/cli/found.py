"""What can be used here and now: the services whose key is set, and an Ollama that answers."""

from __future__ import annotations

import os

from llmkit import quick
from llmkit.cli.readiness import Readiness, readiness
from llmkit.registry import get_provider

#: In the order in which one is chosen when none is named.
HOSTED = tuple(quick.HOSTED)
LOCAL = quick.LOCAL


def state(name: str) -> Readiness:
    """The state of a provider in this process's environment."""
    return readiness(get_provider(name), os.environ)


def local_models(ollama: Readiness) -> list[str] | None:
    """The chat models of an Ollama, newest first as it lists them; `None` if none answers there."""
    return quick.local_models() if ollama.configured else None
