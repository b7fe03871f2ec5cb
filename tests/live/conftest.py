"""Who is there to be called for real, and the spending cap over the whole run."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from llmkit import LanguageModel, create_language
from llmkit_ollama.host import parse_host

#: Most that one run may cost, in US dollars, by the services' own figures. Each answer is limited to `MAX_TOKENS`.
CAP = Decimal("0.05")
MAX_TOKENS = 64


@dataclass(frozen=True)
class Service:
    """A provider, how to tell that it can be called, and the model to call."""

    provider: str
    key: str | None
    model: Callable[[], str | None]
    missing: str


def _first_local_model() -> str | None:
    """The first model that the Ollama server has; `None` where no server answers or it has none."""
    if name := os.environ.get("LLMKIT_LIVE_OLLAMA_MODEL"):
        return name
    host = parse_host(os.environ.get("OLLAMA_HOST", "127.0.0.1:11434"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{host}/api/tags", timeout=3) as reply:
            models = json.load(reply)["models"]
    except (OSError, ValueError, KeyError):
        return None
    return models[0]["name"] if models else None


SERVICES = [
    Service(
        "openrouter",
        "OPENROUTER_API_KEY",
        lambda: os.environ.get("LLMKIT_LIVE_OPENROUTER_MODEL", "openai/gpt-4o-mini"),
        "set OPENROUTER_API_KEY (keys: https://openrouter.ai/keys)",
    ),
    Service(
        "openai",
        "OPENAI_API_KEY",
        lambda: os.environ.get("LLMKIT_LIVE_OPENAI_MODEL", "gpt-4o-mini"),
        "set OPENAI_API_KEY (keys: https://platform.openai.com/api-keys)",
    ),
    Service("ollama", None, _first_local_model, "start Ollama and pull a model (ollama pull llama3.2), or set OLLAMA_HOST"),
]


@pytest.fixture(scope="session")
def spent() -> Iterator[list[Decimal]]:
    """What the run has cost so far; over the cap it stops the run."""
    amounts: list[Decimal] = []
    yield amounts
    print(f"\nlive run: ${sum(amounts, Decimal(0))} of at most ${CAP} (where the service reports a cost)")


@pytest.fixture(params=SERVICES, ids=lambda service: service.provider)
def model(request: pytest.FixtureRequest, spent: list[Decimal]) -> Iterator[LanguageModel]:
    """A model of each service that can be called; skips with what is missing."""
    service: Service = request.param
    name = service.model() if service.key is None or os.environ.get(service.key) else None
    if name is None:
        pytest.skip(f"{service.provider}: {service.missing}")
    if sum(spent, Decimal(0)) >= CAP:
        pytest.fail(f"the spending cap of ${CAP} is reached")
    made = create_language(service.provider, name, max_tokens=MAX_TOKENS, timeout=120)
    yield made
    spent.append(made.totals().amount)
    made.close()
