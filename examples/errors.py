"""Every failure is a typed error that says where it happened, what happened and what to do.

For real use: set OPENROUTER_API_KEY. Nothing here is answered, so nothing is charged.
Without a key: python examples/with_simulator.py examples/errors.py
"""

import os
from collections.abc import Callable

from llmkit import LLMError, create_language


def wrong_setting() -> None:
    create_language("openrouter", "openai/gpt-4o-mini", temprature=0.5)  # type: ignore[call-arg]


def wrong_provider() -> None:
    create_language("openruter", "openai/gpt-4o-mini")


def missing_key() -> None:
    os.environ.pop("GROQ_API_KEY", None)
    create_language("groq", "llama-3.1-8b-instant")


def wrong_key() -> None:
    with create_language("openrouter", "openai/gpt-4o-mini", api_key="sk-bad-key") as model:
        model.chat_complete("hello")


def wrong_model() -> None:
    with create_language("openrouter", "no-such-vendor/no-such-model") as model:
        model.chat_complete("hello")


def nobody_there() -> None:
    with create_language("openai", "any", base_url="http://127.0.0.1:9/v1", retry=None) as model:
        model.chat_complete("hello")


def show(call: Callable[[], None]) -> None:
    try:
        call()
    except LLMError as error:
        print(f"{type(error).__name__}")
        print(f"    {error}")
        print(f"    try again: {error.retryable}; another target may do better: {error.fallback}")


for call in (wrong_setting, wrong_provider, missing_key, wrong_key, wrong_model, nobody_there):
    show(call)
