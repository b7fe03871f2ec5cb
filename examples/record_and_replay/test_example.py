"""A program that calls a model, and its tests. The recordings are of llmkit's simulator, not of a real service."""

import asyncio
import os

import pytest

from llmkit import LanguageModel, create_language

pytest_plugins = ["llmkit.testing.pytest_plugin"]  # In a project of yours this line stands in conftest.py.


# The program


def make_model() -> LanguageModel:
    key = os.environ.get("SIMULATOR_API_KEY")  # With a real service llmkit finds the key itself.
    return create_language("openrouter", "openai/gpt-4o-mini", base_url="http://127.0.0.1:8787/api/v1", api_key=key)


def shorten(model: LanguageModel, text: str) -> str:
    answer = model.chat_complete(f"Shorten this: {text}", max_tokens=20)
    return answer.content or ""


async def shorten_all(model: LanguageModel, texts: list[str]) -> list[str]:
    answers = await asyncio.gather(*(model.achat_complete(f"Shorten this: {text}") for text in texts))
    return [answer.content or "" for answer in answers]


# Its tests


@pytest.mark.usefixtures("llm_cassette")
def test_shorten() -> None:
    with make_model() as model:
        assert shorten(model, "A long text.") == "You said: Shorten this: A long text."
        assert model.totals().amount > 0


@pytest.mark.usefixtures("llm_cassette")
def test_shorten_all() -> None:
    async def main() -> list[str]:
        async with make_model() as model:
            return await shorten_all(model, ["one", "two"])

    assert asyncio.run(main()) == ["You said: Shorten this: one", "You said: Shorten this: two"]


@pytest.mark.usefixtures("llm_cassette")
def test_streamed() -> None:
    with make_model() as model:
        stream = model.chat_complete("Say hello", stream=True)
        assert "".join(chunk.content for chunk in stream) == "You said: Say hello"
        assert stream.response.finish_reason == "stop"
