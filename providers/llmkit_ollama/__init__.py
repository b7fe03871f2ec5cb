"""Ollama by its native API: local models, with their context size, keep-alive and timings."""

from llmkit_ollama.options import OllamaOptions
from llmkit_ollama.provider import OllamaProvider

__all__ = ["OllamaOptions", "OllamaProvider"]
