"""Typed calls, checked by mypy and pyright and never run: the types of the public names are behaviour too."""

from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, assert_type

from llmkit import (
    AsyncChatStream,
    ChatStream,
    Chunk,
    Cost,
    LanguageModel,
    Message,
    RateLimited,
    Response,
    RetryPolicy,
    Totals,
    Usage,
    create_language,
)


def sync(model: LanguageModel, flag: bool, maybe: bool | None) -> None:
    assert_type(create_language("openrouter", "m", temperature=0.2, fallbacks=["ollama:x", model]), LanguageModel)
    assert_type(create_language("openrouter:m"), LanguageModel)
    assert_type(model.chat_complete("hi"), Response)
    assert_type(model.chat_complete("hi", None), Response)
    assert_type(model.chat_complete("hi", stream=False), Response)
    assert_type(model.chat_complete("hi", stream=True), ChatStream)
    assert_type(model.chat_complete("hi", stream=flag), Response | ChatStream)
    response = model.chat_complete(
        [{"role": "user", "content": "hi"}, Message("assistant", "x")], temperature=0, retry=RetryPolicy(attempts=2)
    )
    model.chat_complete([{"role": "user", "content": "hi"}, response.choices[0].message])
    assert_type(response.content, str | None)
    assert_type(response.usage, Usage)
    assert_type(response.usage.prompt_tokens, int | None)
    assert_type(response.cost, Cost)
    assert_type(response.cost.amount, Decimal | None)
    assert_type(model.totals(), Totals)
    assert_type(model.with_settings(temperature=0), LanguageModel)
    with model.chat_complete("hi", stream=True) as stream:
        assert_type(stream, ChatStream)
        for chunk in stream:
            assert_type(chunk, Chunk)
            assert_type(chunk.choices[0].delta.content, str)
        assert_type(stream.response, Response)
    with create_language("ollama", "m") as made:
        assert_type(made, LanguageModel)


async def asynchronous(model: LanguageModel) -> None:
    pending = model.achat_complete("hi")
    assert_type(await pending, Response)
    typed: Coroutine[Any, Any, Response] = model.achat_complete("hi")
    await typed
    assert_type(await model.achat_complete("hi"), Response)
    opened = model.achat_complete("hi", stream=True)
    assert_type(opened, AsyncChatStream)
    assert_type(await model.achat_complete("hi", stream=True), AsyncChatStream)
    async for chunk in model.achat_complete("hi", stream=True):
        assert_type(chunk, Chunk)
    async for chunk in await model.achat_complete("hi", stream=True):
        assert_type(chunk.content, str)
    async with model.achat_complete("hi", stream=True) as stream:
        assert_type(stream, AsyncChatStream)


def wrong(model: LanguageModel) -> None:
    model.chat_complete("hi", temprature=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    model.chat_complete("hi", api_key="x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    create_language("openrouter", "m", temperature="hot")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def failures(error: RateLimited) -> None:
    assert_type(error.retry_after, float | None)
    assert_type(error.partial, Response | None)
