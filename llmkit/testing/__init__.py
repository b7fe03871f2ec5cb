"""Tools for the tests of a program that uses llmkit.

- `FakeModel`: a `LanguageModel` that answers by script, without a socket.
- `simulator`: a loopback server that stands in for OpenRouter, OpenAI and Ollama.
- `pytest_plugin`: the fixture `llm_cassette`; it records a real call once and replays it ever after.
- `contract`: the test suite that every provider inherits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmkit.types.door import open_door

if TYPE_CHECKING:
    from llmkit.testing.fake import FakeModel
    from llmkit.testing.fake_answer import Answer

_HOMES = {"fake": "FakeModel", "fake_answer": "Answer"}

__all__ = ["Answer", "FakeModel"]

if not TYPE_CHECKING:  # A checker that saw it would take every name for one that is there.
    __getattr__, __dir__ = open_door(__name__, _HOMES)
