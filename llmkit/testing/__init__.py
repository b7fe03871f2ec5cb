"""What a test of a program that uses llmkit needs.

- `FakeModel`: a `LanguageModel` that answers by script, without a socket.
- `simulator`: a loopback server that stands in for OpenRouter, OpenAI and Ollama.
- `pytest_plugin`: the fixture `llm_cassette`; it records a real call once and replays it for ever.
- `contract`: the test suite that every provider inherits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmkit.testing.fake import FakeModel
    from llmkit.testing.fake_answer import Answer

__all__ = ["Answer", "FakeModel"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'llmkit.testing' has no attribute {name!r}")
    from llmkit.testing import fake

    return getattr(fake, name)
