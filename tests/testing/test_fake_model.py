"""`FakeModel`: a script in place of the service, everything else as it is."""

import asyncio
import subprocess
import sys
from decimal import Decimal

import pytest

from llmkit import (
    AllTargetsFailed,
    ConfigError,
    FirstTokenTimeout,
    LanguageModel,
    LLMError,
    Message,
    ModelClosed,
    RateLimited,
    RetryPolicy,
    ServerError,
    StreamInterrupted,
    ToolCall,
    Usage,
    create_language,
)
from llmkit.testing import Answer, FakeModel
from llmkit.types.messages import FunctionCall

NO_WAIT = RetryPolicy(backoff=0)
KINDS = ["sync", "async", "sync-stream", "async-stream"]


async def _read(stream):
    return [chunk async for chunk in stream]


def ask(kind, model, messages="hi", **settings):
    """One call in one of the four ways; gives the response and, of a stream, its chunks."""
    if kind == "sync":
        return model.chat_complete(messages, **settings), []
    if kind == "async":
        return asyncio.run(model.achat_complete(messages, **settings)), []
    if kind == "sync-stream":
        stream = model.chat_complete(messages, stream=True, **settings)
        chunks = list(stream)
        return stream.response, chunks

    async def streamed():
        stream = model.achat_complete(messages, stream=True, **settings)
        chunks = [chunk async for chunk in stream]
        return stream.response, chunks

    return asyncio.run(streamed())


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=["sync-stream", "async-stream"])
def streamed(request):
    return request.param


def test_is_a_language_model():
    """A fake is accepted wherever a model is, by type too."""
    assert isinstance(FakeModel("x"), LanguageModel)


def test_text(kind):
    """A string of the script is the text of an answer that ended properly."""
    response, _ = ask(kind, FakeModel("Hello there"))
    assert (response.content, response.finish_reason) == ("Hello there", "stop")
    assert (response.provider, response.model, response.target) == ("fake", "fake-model", "fake:fake-model")


def test_nothing_is_invented(kind):
    """What the script does not say is unknown: id, usage and cost."""
    response, _ = ask(kind, FakeModel("Hello"))
    assert (response.id, response.usage.total_tokens, response.cost.amount) == (None, None, None)


def test_full_answer(kind):
    """Every field of an `Answer` arrives, in a stream as in a plain reply."""
    answer = Answer(
        text="It rains.",
        reasoning="Look outside.",
        refusal="Not more.",
        tool_calls=[("weather", {"city": "Rome"}), ("broken", "{"), ToolCall("c9", FunctionCall("third", "{}"))],
        usage=Usage(11, 7, 18, 3, 2, 5),
        cost="0.000123",
        id="gen-1",
        model="other",
        finish_reason="length",
    )
    response, _ = ask(kind, FakeModel(answer))
    assert (response.content, response.reasoning, response.refusal) == ("It rains.", "Look outside.", "Not more.")
    assert [(call.id, call.name, call.function.arguments) for call in response.tool_calls] == [
        ("call_1_1", "weather", '{"city": "Rome"}'),
        ("call_1_2", "broken", "{"),
        ("c9", "third", "{}"),
    ]
    assert response.usage.to_dict() == Usage(11, 7, 18, 3, 2, 5).to_dict()
    assert (response.cost.amount, response.cost.basis) == (Decimal("0.000123"), "reported")
    assert (response.id, response.model, response.finish_reason) == ("gen-1", "other", "length")


@pytest.mark.parametrize(
    ("answer", "finish"),
    [
        (Answer("x"), "stop"),
        (Answer(tool_calls=[("f", {})]), "tool_calls"),
        (Answer(), "stop"),
        (Answer("x", finish_reason="content_filter"), "content_filter"),
    ],
)
def test_finish_reason(kind, answer, finish):
    """The finish reason follows from the answer unless it is given."""
    assert ask(kind, FakeModel(answer))[0].finish_reason == finish


@pytest.mark.parametrize(
    ("answer", "pieces"),
    [
        (Answer(chunks=["a", "b ", "", "c"]), ["a", "b ", "c"]),
        (Answer("one two  three"), ["one ", "two  ", "three"]),
        (Answer("  \n"), ["  \n"]),
    ],
)
def test_chunks(streamed, answer, pieces):
    """A stream splits the text as the script says, after each word by default."""
    response, chunks = ask(streamed, FakeModel(answer))
    assert [chunk.content for chunk in chunks if chunk.content] == pieces
    assert response.content == "".join(pieces)


def test_chunks_are_text_of_a_plain_call():
    """`chunks` alone are the text of a plain reply too."""
    assert FakeModel(Answer(chunks=["a", "b"])).chat_complete("x").content == "ab"


def test_chunks_must_fit_the_text():
    """Chunks that are not the text are refused where they are written."""
    with pytest.raises(ValueError, match=r"Answer\.chunks"):
        Answer("abc", chunks=["a"])


def test_items_in_order(kind):
    """Each call takes the next item."""
    model = FakeModel("one", Answer("two"), lambda messages: messages[-1].text.upper(), lambda _: Answer("four"))
    assert [ask(kind, model, "three")[0].content for _ in range(4)] == ["one", "two", "THREE", "four"]
    assert model.remaining == 0


def test_errors_are_raised(kind):
    """An error of the script is raised as its own class, and says which model it came from."""
    with pytest.raises(RateLimited) as caught:
        ask(kind, FakeModel(RateLimited("slow down", status=429, retry_after=9.0), provider="acme", model="m1"))
    error = caught.value
    assert (error.provider, error.model, error.status, error.retry_after) == ("acme", "m1", 429, 9.0)
    assert [attempt.outcome for attempt in error.attempts] == ["RateLimited"]


def test_a_function_may_raise_or_give_an_error(kind):
    """A function of the script may give an error or raise it."""

    def fail(_messages):
        raise FirstTokenTimeout("too slow")

    for item in (fail, lambda _: FirstTokenTimeout("too slow")):
        with pytest.raises(TimeoutError, match="too slow"):
            ask(kind, FakeModel(item))


def test_script_errors_stay_clean():
    """The error object of the script is not the one that is raised, so a repeated script starts afresh."""
    error = ServerError("boom")
    model = FakeModel(error, repeat=True)
    for _ in range(2):
        with pytest.raises(ServerError) as caught:
            model.chat_complete("x")
        assert len(caught.value.attempts) == 1
    assert (error.provider, error.attempts) == (None, ())


def test_exhausted(kind):
    """A script that is used up is an error that says so, and `repeat` starts it over."""
    model = FakeModel("one")
    ask(kind, model)
    with pytest.raises(ConfigError, match=r"script of 1 answers is used up; this is request 2.*repeat=True"):
        ask(kind, model)
    again = FakeModel("a", "b", repeat=True)
    assert "".join(ask(kind, again)[0].content for _ in range(5)) == "ababa"


@pytest.mark.parametrize("item", [3, None, b"x", RateLimited, Answer])
def test_wrong_items(item):
    """Anything that is no answer is refused when the model is made."""
    with pytest.raises(TypeError, match="script"):
        FakeModel(item)


def test_wrong_result_of_a_function(kind):
    """A function that gives something else is told what it may give."""
    with pytest.raises(ConfigError, match="returned 3"):
        ask(kind, FakeModel(lambda _: 3))


def test_calls(kind):
    """`calls` holds what was asked: messages, settings and whether it was a stream."""
    model = FakeModel("a", "b", temperature=0.5)
    ask(kind, model, [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], seed=7)
    ask(kind, model, "second")
    first, second = model.calls
    assert first.messages == (Message("system", "s"), Message("user", "u"))
    assert (dict(first.settings), dict(second.settings)) == ({"temperature": 0.5, "seed": 7}, {"temperature": 0.5})
    assert [call.stream for call in model.calls] == ["stream" in kind] * 2
    assert second.messages[0].text == "second"


def test_settings_are_checked():
    """A wrong setting fails as with a real model, before the script is asked."""
    model = FakeModel("a")
    with pytest.raises(ConfigError, match="temperature"):
        model.chat_complete("x", temperatur=1)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="temperature must be a number from 0 to 2, not 3"):
        FakeModel("a", temperature=3)
    with pytest.raises(ConfigError, match="belongs to the model"):
        FakeModel("a", api_key="sk-123")  # type: ignore[call-arg]
    assert model.calls == []


def test_no_retry_by_default(kind):
    """A retryable error is raised at once, so that a test does not sleep."""
    model = FakeModel(RateLimited("slow", retry_after=30.0), "late")
    with pytest.raises(RateLimited):
        ask(kind, model)
    assert len(model.calls) == 1


def test_retry(kind):
    """With a policy the engine tries again, and each request takes an item."""
    model = FakeModel(ServerError("boom"), RateLimited("slow"), "at last", retry=NO_WAIT)
    response, _ = ask(kind, model)
    assert response.content == "at last"
    assert [attempt.outcome for attempt in response.attempts] == ["ServerError", "RateLimited", "ok"]
    assert len(model.calls) == 3


def test_fallbacks(kind):
    """Fakes stand in a chain, first or later, and beside real models."""
    spare = FakeModel("from the spare", provider="spare")
    response, _ = ask(kind, FakeModel(ServerError("down"), fallbacks=[spare]))
    assert (response.content, response.provider) == ("from the spare", "spare")
    real = create_language(
        "openai", "gpt-4o", base_url="http://127.0.0.1:9/v1", retry=None, fallbacks=[FakeModel("ok")]
    )
    response, _ = ask(kind, real)
    assert [attempt.outcome for attempt in response.attempts] == ["CannotConnect", "ok"]
    both = FakeModel(ServerError("down"), fallbacks=[FakeModel(RateLimited("slow"))])
    with pytest.raises(AllTargetsFailed) as caught:
        ask(kind, both)
    assert [type(error) for error in caught.value.errors] == [ServerError, RateLimited]


def test_broken_stream(streamed):
    """An answer that breaks after its chunks is an interrupted stream that holds them."""
    for answer in (Answer(chunks=["a", "b"], error=ServerError("gone", status=502)), Answer("ab", finish_reason=None)):
        with pytest.raises(StreamInterrupted) as caught:
            ask(streamed, FakeModel(answer))
        assert caught.value.partial_text == "ab"
    assert isinstance(caught.value, LLMError)


def test_broken_stream_before_content(streamed):
    """An answer that breaks before any content is its own error, and is tried again."""
    model = FakeModel(Answer(error=ServerError("gone")), "whole", retry=NO_WAIT)
    assert ask(streamed, model)[0].content == "whole"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_broken_plain_answer(kind):
    """A plain call gets the answer's error as it is."""
    with pytest.raises(ServerError, match="gone"):
        ask(kind, FakeModel(Answer("text", error=ServerError("gone"))))


def test_leaving_a_stream_early():
    """A stream that is left keeps what came, and its rest is not asked for."""
    model = FakeModel("one two three", "next")
    with model.chat_complete("x", stream=True) as stream:
        assert next(stream).content == ""
        assert next(stream).content == "one "
    assert stream.partial.content in {"one ", "one two ", "one two three"}
    assert model.chat_complete("y").content == "next"


def test_totals(kind):
    """Totals add up what the script reports."""
    model = FakeModel(Answer("a", usage=Usage(10, 5, 15), cost=Decimal("0.25")), Answer("b"))
    ask(kind, model)
    ask(kind, model)
    totals = model.totals()
    assert (totals.amount, totals.calls, totals.priced, totals.unknown) == (Decimal("0.25"), 2, 1, 1)
    assert (totals.prompt_tokens, totals.completion_tokens) == (10, 5)


def test_copies_share_the_script(kind):
    """A copy with other settings takes from the same script and shows in the same calls."""
    model = FakeModel("one", "two")
    assert ask(kind, model.with_settings(seed=1))[0].content == "one"
    assert ask(kind, model)[0].content == "two"
    assert [dict(call.settings) for call in model.calls] == [{"seed": 1}, {}]


def test_close():
    """A closed fake refuses calls as every model does."""
    with FakeModel("a") as model:
        pass
    with pytest.raises(ModelClosed):
        model.chat_complete("x")


def test_conversation(kind):
    """The message of an answer goes back as it is, tool calls and all."""
    model = FakeModel(Answer(tool_calls=[("add", {"a": 1})]), "2")
    turns = [Message("user", "1+1")]
    turns.append(ask(kind, model, turns)[0].message)
    turns.append(Message("tool", "2", tool_call_id="call_1_1"))
    assert ask(kind, model, turns)[0].content == "2"
    assert model.calls[1].messages[1].tool_calls[0].arguments == {"a": 1}


def test_other_tasks_run_meanwhile():
    """An awaited fake gives other tasks their turn, so that a race shows."""

    async def main():
        seen = []
        model = FakeModel("a", "b")

        async def call(name):
            seen.append(f"{name} asks")
            await model.achat_complete("x")
            seen.append(f"{name} has it")

        await asyncio.gather(call("first"), call("second"))
        return seen

    assert asyncio.run(main())[:2] == ["first asks", "second asks"]


def test_loads_no_http_library():
    """A fake needs neither the SDK nor an HTTP library."""
    code = (
        "import sys; from llmkit.testing import FakeModel; FakeModel('x').chat_complete('y');"
        "print(sorted({'openai', 'httpx', 'httpx2', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
