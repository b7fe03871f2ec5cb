"""OpenAI, and by rows of data the services that speak its chat completions."""

from llmkit_openai.provider import OpenAIProvider

__all__ = ["OpenAIProvider"]
