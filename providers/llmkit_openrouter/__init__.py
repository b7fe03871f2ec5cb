"""OpenRouter: hundreds of models behind one address, with routing, reported cost and typed failures."""

from llmkit_openrouter.options import OpenRouterOptions
from llmkit_openrouter.provider import OpenRouterProvider

__all__ = ["OpenRouterOptions", "OpenRouterProvider"]
