"""Typed calls, checked by mypy and pyright and never run: the types of the public names are behaviour too."""

import os
from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_type

import llmkit
import llmkit.types
from llmkit import (
    AsyncChatStream,
    Attachment,
    AudioPart,
    Availability,
    AvailabilityCheck,
    BaseProvider,
    CannotConnect,
    ChatStream,
    Chunk,
    Comparison,
    ConnectionFailed,
    Conversation,
    Cost,
    FilePart,
    ImagePart,
    InstalledProvider,
    LanguageModel,
    LLMError,
    Message,
    MessagesLike,
    OtherPart,
    Part,
    RateLimited,
    RequestConflict,
    Response,
    RetryPolicy,
    TextPart,
    Tool,
    ToolCall,
    ToolResultError,
    Totals,
    Usage,
    acompare,
    ainvoke_tools,
    compare,
    create_language,
    estimate_tokens,
    installed_providers,
    invoke_tools,
    register_provider,
    unregister_provider,
)
from llmkit.provider import Call, Decoder, Endpoint, HTTPReply, HTTPRequest, Operation, get_provider
from llmkit.testing import FakeModel
from llmkit.types import FREE, Check, ModelInfo, Settings, scrub, whole


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


def many(model: LanguageModel) -> None:
    assert_type(model.map(["a", [{"role": "user", "content": "b"}]], max_cost=0.5), list[Response | LLMError])
    model.map((text for text in "abc"), concurrency=2, progress=False, max_cost=Decimal(1), max_errors=1, temperature=0)
    model.map(["a"], max_cost="0.10")
    rows = compare(["openrouter:m", model], "hi", concurrency=2, temperature=0)
    assert_type(rows, list[Comparison])
    assert_type(rows[0].response, Response | None)
    assert_type(rows[0].error, LLMError | None)
    assert_type(rows[0].text, str | None)
    assert_type(rows[0].usage, Usage)
    assert_type(rows[0].cost, Cost)
    assert_type(rows[0].total_cost, Decimal | None)
    assert_type(rows[0].latency, float | None)
    assert_type(rows[0].seconds, float)


async def many_asynchronous(model: LanguageModel) -> None:
    assert_type(await model.amap(["a", Message("user", "b")], max_errors=1), list[Response | LLMError])
    assert_type(await acompare(["openrouter:m"], "hi"), list[Comparison])


def wrong(model: LanguageModel) -> None:
    model.chat_complete("hi", temprature=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    model.chat_complete("hi", api_key="x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    model.map(["a"], temprature=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    compare(["openrouter:m"], "hi", api_key="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    create_language("openrouter", "m", temperature="hot")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def failures(error: RateLimited) -> None:
    assert_type(error.retry_after, float | None)
    assert_type(error.partial, Response | None)


def weather(city: str, days: int = 1) -> dict[str, object]:
    return {"city": city, "days": days}


async def tools(model: LanguageModel, calls: tuple[ToolCall, ...], error: ToolResultError) -> None:
    tool = Tool.from_function(weather, name="forecast", strict=True, timeout=5)
    assert_type(tool, Tool)
    made = Tool(name="t", parameters={"type": "object"}, function=weather)
    response = model.chat_complete("hi", tools=[weather, tool, made, {"type": "web_search"}], tool_choice="weather")
    assert_type(response.tool_calls[0].arguments, dict[str, object] | None)
    assert_type(response.tool_calls[0].problem, str | None)
    assert_type(invoke_tools([weather, tool, made], response, parallel=True, timeout=10), list[Message])
    assert_type(invoke_tools({"weather": weather}, response.message), list[Message])
    offered = [weather]
    assert_type(await ainvoke_tools(offered, calls), list[Message])
    assert_type(error.messages, tuple[Message, ...])
    invoke_tools([weather], "hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def annotated(model: LanguageModel, messages: MessagesLike | None, part: Part, attachments: Sequence[Attachment]) -> None:
    if messages is not None:
        assert_type(model.chat_complete(messages), Response)
    assert_type(part, TextPart | ImagePart | AudioPart | FilePart | OtherPart)
    Conversation(model).send("hi", attachments=[part, b"x", os.curdir, *attachments])
    assert_type(estimate_tokens(Message("user", (part,))), int)
    like: list[MessagesLike] = ["a", Message("user", "b"), {"role": "user", "content": "c"}, [Message("user", "d")]]
    model.map(like)


def renamed(found: Availability, failure: CannotConnect | RequestConflict) -> None:
    assert_type(found.checks, tuple[AvailabilityCheck, ...])
    assert_type(installed_providers(), list[InstalledProvider])
    register_provider("acme", lambda name: get_provider(name), replace=True)
    unregister_provider("acme")
    if isinstance(failure, ConnectionFailed):
        assert_type(failure, CannotConnect)
    assert_type(llmkit.__version__, str)
    print(llmkit.create_langauge)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    print(llmkit.types.Mesage)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


class Author(BaseProvider):
    """A provider that is written with the names of the doors."""

    def endpoint(self, settings: Settings) -> Endpoint:
        return Endpoint(str(settings.get("base_url")))

    def build(self, call: Call) -> HTTPRequest:
        return HTTPRequest("/", scrub(call.model).encode())

    def parse(self, call: Call, reply: HTTPReply) -> Response:
        assert_type(FREE, Cost)
        return FakeModel("hi").chat_complete(call.messages)

    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        return LLMError("no", status=reply.status)

    def decoder(self, call: Call) -> Decoder:
        raise NotImplementedError

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        reply = yield HTTPRequest("/models", method="GET")
        assert_type(reply, HTTPReply)
        return []


CHECKS: Mapping[str, Check] = {"seed": whole(0)}
