"""The main job against the real services: `pytest -m live`. Costs at most what `conftest.CAP` says."""

from __future__ import annotations

import asyncio
import os

import pytest

from llmkit import AuthFailed, LanguageModel, LLMError, ModelNotFound, Response, create_language

pytestmark = pytest.mark.live
QUESTION = [
    {"role": "system", "content": "Answer with one word."},
    {"role": "user", "content": "What is the capital of France?"},
]


def check(response: Response, model: LanguageModel) -> None:
    assert response.content, response
    assert response.finish_reason in ("stop", "length")
    assert response.provider == model.provider
    assert response.usage.prompt_tokens
    assert len(response.attempts) >= 1
    if model.provider == "openrouter":
        assert response.cost.basis == "reported"
        assert response.id


def test_a_plain_call_answers(model: LanguageModel) -> None:
    """A sync call gives text, usage and where it came from."""
    check(model.chat_complete(QUESTION), model)


def test_an_async_call_answers(model: LanguageModel) -> None:
    """An awaited call gives the same."""

    async def run() -> Response:
        return await model.achat_complete(QUESTION)

    check(asyncio.run(run()), model)


def test_a_stream_arrives_and_ends_with_usage(model: LanguageModel) -> None:
    """A streamed call gives chunks, and the whole answer with usage at the end."""
    with model.chat_complete(QUESTION, stream=True) as stream:
        text = "".join(chunk.content for chunk in stream)
    assert text == (stream.response.content or "")
    check(stream.response, model)


def test_an_async_stream_needs_no_await(model: LanguageModel) -> None:
    """`async for chunk in model.achat_complete(..., stream=True)` works as it stands."""

    async def run() -> str:
        return "".join([chunk.content async for chunk in model.achat_complete(QUESTION, stream=True)])

    assert asyncio.run(run())


def test_a_wrong_model_is_a_typed_error(model: LanguageModel) -> None:
    """A model that does not exist is `ModelNotFound`, and the text says what to do."""
    with (
        create_language(model.provider, "no-such-vendor/no-such-model", retry=None) as wrong,
        pytest.raises(ModelNotFound) as caught,
    ):
        wrong.chat_complete("hi")
    assert caught.value.hint


def test_a_wrong_key_is_a_typed_error(model: LanguageModel) -> None:
    """A key that the service does not know is `AuthFailed`, and the text does not hold it."""
    if model.provider == "ollama":
        pytest.skip("ollama: a local server asks for no key")
    key = "sk-bad-0000000000000000000000000000"
    with create_language(model.provider, model.model, api_key=key, retry=None) as wrong, pytest.raises(LLMError) as caught:
        wrong.chat_complete("hi")
    assert isinstance(caught.value, AuthFailed)
    assert key not in str(caught.value)


def test_no_key_is_in_what_is_shown(model: LanguageModel) -> None:
    """Neither the model nor its totals show the key."""
    for variable in ("OPENROUTER_API_KEY", "OPENAI_API_KEY"):
        if key := os.environ.get(variable):
            assert key not in f"{model!r} {model.totals()!r} {vars(model)!r}"
