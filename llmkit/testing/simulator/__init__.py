"""A stand-in for the remote services: OpenRouter, OpenAI and Ollama on a loopback address.

It replaces the remote side only. No model is behind it: it answers by fixed rules or by script, with
ids, times, token counts and costs that are the same in every run. `python -m llmkit.testing.simulator` runs
it alone. Faults can be asked for by model name; see `llmkit.testing.simulator.faults`.
"""

from llmkit.testing.simulator.records import Charge, Headers, RecordedRequest
from llmkit.testing.simulator.reply import Reply
from llmkit.testing.simulator.server import Simulator

__all__ = ["Charge", "Headers", "RecordedRequest", "Reply", "Simulator"]
