"""What the simulator says in each dialect: answers, streams, ids, usage and money."""

import http.client
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from llmkit.testing.simulator import Reply, Simulator

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello there"}]
CHAT = {"openrouter": "/api/v1/chat/completions", "openai": "/v1/chat/completions", "ollama": "/api/chat"}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A running simulator."""
    with Simulator() as simulator:
        yield simulator


def ask(sim: Simulator, dialect: str, **fields: Any) -> bytes:
    """The body of the response to one chat request; `model` and `messages` have defaults."""
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
    body = {"model": "m", "messages": HELLO, "stream": False, **fields}
    connection.request("POST", CHAT[dialect], json.dumps(body), {"Authorization": "Bearer sk-1"})
    data = connection.getresponse().read()
    connection.close()
    return data


def events(data: bytes) -> list[Any]:
    """The JSON of each event of a stream: SSE data without `[DONE]`, or NDJSON lines."""
    lines = [line.removeprefix("data: ") for line in data.decode().split("\n") if not line.startswith(":")]
    return [json.loads(line, parse_float=Decimal) for line in lines if line and line != "[DONE]"]


def client(sim: Simulator, dialect: str) -> openai.OpenAI:
    """The OpenAI SDK, pointed at a dialect."""
    base = sim.openrouter_url if dialect == "openrouter" else sim.openai_url
    return openai.OpenAI(base_url=base, api_key="sk-1", max_retries=0, timeout=5)


@pytest.mark.parametrize(
    ("dialect", "number"), [("openrouter", "gen-sim-000001"), ("openai", "chatcmpl-sim-000001")]
)
def test_the_openai_sdk_reads_a_plain_answer(sim: Simulator, dialect: str, number: str) -> None:
    """A plain answer of the two chat-completions dialects is what the OpenAI SDK expects."""
    with client(sim, dialect) as sdk:
        answer = sdk.chat.completions.create(model="openai/gpt-4o", messages=HELLO)
    assert answer.choices[0].message.content == "You said: hello there"
    assert (answer.id, answer.choices[0].finish_reason) == (number, "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        3,
        6,
        9,
    )


@pytest.mark.parametrize("dialect", ["openrouter", "openai"])
def test_the_openai_sdk_reads_a_stream(sim: Simulator, dialect: str) -> None:
    """A stream of the two chat-completions dialects is what the OpenAI SDK expects, usage included."""
    with client(sim, dialect) as sdk:
        stream = sdk.chat.completions.create(
            model="openai/gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
    texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(texts) == "You said: hello there"
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [6]


def test_openai_sends_usage_in_a_stream_only_on_demand(sim: Simulator) -> None:
    """Without `stream_options.include_usage` no chunk of OpenAI has a usage."""
    assert not any("usage" in event for event in events(ask(sim, "openai", stream=True)))


def test_ollama_streams_by_default(sim: Simulator) -> None:
    """Ollama streams lines unless `stream` is false, and ends with durations in nanoseconds."""
    lines = events(ask(sim, "ollama", stream=None))
    assert "".join(line["message"]["content"] for line in lines) == "You said: hello there"
    assert [line["done"] for line in lines] == [False] * 4 + [True]
    assert (lines[-1]["done_reason"], lines[-1]["eval_count"], lines[-1]["eval_duration"]) == (
        "stop",
        6,
        60_000_000,
    )


def test_cost_is_an_exact_json_number(sim: Simulator) -> None:
    """The cost on the wire has the digits of the Decimal that is on the bill."""
    sim.script(Reply(cost=Decimal("0.12345678901234567890")))
    body = ask(sim, "openrouter")
    assert b'"cost":0.12345678901234567890,' in body
    assert sim.bill[0].cost == Decimal("0.12345678901234567890")


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("openai/gpt-4o-mini", "0.00000405"),
        ("anthropic/claude-sonnet-4.5", "0.000099"),
        ("nobody/listed", "0.000015"),
        ("nobody/listed:free", "0"),
    ],
)
def test_cost_is_tokens_times_price(sim: Simulator, model: str, cost: str) -> None:
    """The computed cost is tokens times the listed price, on the wire and on the bill."""
    usage = json.loads(ask(sim, "openrouter", model=model), parse_float=Decimal)["usage"]
    assert (Decimal(usage["cost"]), sim.bill[0].cost) == (Decimal(cost), Decimal(cost))
    details = usage["cost_details"]
    parts = details["upstream_inference_prompt_cost"] + details["upstream_inference_completions_cost"]
    assert parts == usage["cost"]


@pytest.mark.parametrize(
    ("form", "choices", "finish"),
    [("repeat", 1, "stop"), ("empty-choices", 0, None), ("null-finish", 1, None)],
)
def test_usage_chunk_has_three_forms(sim: Simulator, form: Any, choices: int, finish: str | None) -> None:
    """OpenRouter's usage chunk is the last before `[DONE]` and takes the form that was asked for."""
    sim.script(Reply(usage_form=form))
    data = ask(sim, "openrouter", stream=True)
    last = events(data)[-1]
    assert data.endswith(b"data: [DONE]\n\n")
    assert last["usage"]["cost"] > 0
    assert len(last["choices"]) == choices
    assert choices == 0 or last["choices"][0]["finish_reason"] == finish


def test_stated_usage_is_sent_as_it_is(sim: Simulator) -> None:
    """A scripted usage reaches the wire unchanged, and its figures reach the bill."""
    usage = {"prompt_tokens": 7, "completion_tokens": 9, "cost": Decimal("0.5"), "odd": None}
    sim.script(Reply(usage=usage), Reply(usage="missing"))
    assert json.loads(ask(sim, "openrouter"), parse_float=Decimal)["usage"] == usage
    assert "usage" not in json.loads(ask(sim, "openrouter"))
    assert (sim.bill[0].prompt_tokens, sim.bill[0].completion_tokens, sim.bill[0].cost) == (
        7,
        9,
        Decimal("0.5"),
    )


@pytest.mark.parametrize(
    ("fields", "content", "finish"),
    [
        ({"max_tokens": 2}, "You said", "length"),
        ({"max_completion_tokens": 2}, "You said", "length"),
        ({"stop": ": "}, "You said", "stop"),
        ({"stop": ["there"]}, "You said: hello ", "stop"),
        ({"response_format": {"type": "json_object"}}, '{"answer":"You said: hello there"}', "stop"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": SCHEMA},
                }
            },
            '{"city":"text","days":2}',
            "stop",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "parts"}]}]},
            "You said: parts",
            "stop",
        ),
        ({"messages": [*HELLO, {"role": "tool", "content": "rain"}]}, "The tool said: rain", "stop"),
        ({"tools": [TOOL]}, "You said: hello there", "stop"),
    ],
)
def test_the_default_answer_honours_the_request(
    sim: Simulator, fields: dict[str, Any], content: str, finish: str
) -> None:
    """Limits, stop marks and output formats shape the default answer."""
    choice = json.loads(ask(sim, "openai", **fields))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (content, finish)


def test_n_gives_so_many_choices(sim: Simulator) -> None:
    """`n` answers have the indices 0 to n-1, plain and streamed, and each is paid for."""
    choices = json.loads(ask(sim, "openai", n=3))["choices"]
    assert [choice["message"]["content"] for choice in choices][1:] == [
        "You said: hello there (2)",
        "You said: hello there (3)",
    ]
    streamed = {
        choice["index"]
        for event in events(ask(sim, "openai", n=3, stream=True))
        for choice in event["choices"]
    }
    assert streamed == {0, 1, 2}
    assert sim.bill[0].completion_tokens == sim.bill[1].completion_tokens == 6 + 7 + 7


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_demanded_tool_is_called(sim: Simulator, choice: Any) -> None:
    """`tool_choice` required or named makes a call whose arguments fit the tool's schema."""
    first = json.loads(ask(sim, "openrouter", tools=[TOOL], tool_choice=choice))["choices"][0]
    call = first["message"]["tool_calls"][0]
    assert (first["finish_reason"], first["message"]["content"]) == ("tool_calls", None)
    assert (call["id"], call["function"]["name"]) == ("call_sim_000001_0_0", "weather")
    assert json.loads(call["function"]["arguments"]) == {"city": "text", "days": 2}


@pytest.mark.parametrize("dialect", ["openrouter", "openai"])
def test_tool_calls_stream_in_fragments(sim: Simulator, dialect: str) -> None:
    """The first fragment of a call has id and name; the later ones join to its arguments."""
    sim.script(Reply(tool_calls=[("a", '{"x": "a long argument"}'), ("b", "{}", "id-b")]))
    deltas = [
        call
        for event in events(ask(sim, dialect, stream=True))
        for choice in event["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    named = [(call["index"], call["id"]) for call in deltas if "id" in call]
    assert named == [(0, "call_sim_000001_0_0"), (1, "id-b")]
    for index, arguments in enumerate(['{"x": "a long argument"}', "{}"]):
        assert (
            "".join(call["function"]["arguments"] for call in deltas if call["index"] == index) == arguments
        )


@pytest.mark.parametrize("stream", [True, False])
def test_ollama_sends_whole_calls_with_object_arguments(sim: Simulator, stream: bool) -> None:
    """A call of Ollama comes in one line, its arguments are an object, and the turn ends with "stop"."""
    sim.script(Reply(tool_calls=[("a", '{"x": "a long argument"}')]))
    lines = events(ask(sim, "ollama", stream=stream))
    calls = [call for line in lines for call in line["message"].get("tool_calls", ())]
    assert [call["function"]["arguments"] for call in calls] == [{"x": "a long argument"}]
    assert lines[-1]["done_reason"] == "stop"


def test_openrouter_reasoning_has_text_and_signature(sim: Simulator) -> None:
    """Reasoning comes before the text, in plain words and in details; a stream sends the signature alone."""
    plain = json.loads(ask(sim, "openrouter", reasoning={"effort": "low"}))["choices"][0]["message"]
    assert plain["reasoning"] == "The user wrote: hello there"
    assert plain["reasoning_details"][0]["signature"] == "sig-sim-000001"
    sim.script(Reply(reasoning="one two", text="three"))
    deltas = [event["choices"][0]["delta"] for event in events(ask(sim, "openrouter", stream=True))]
    assert [delta.get("reasoning") for delta in deltas[:4]] == ["one ", "two", None, None]
    assert deltas[2]["reasoning_details"][0]["signature"] == "sig-sim-000002"
    assert deltas[3]["content"] == "three"


@pytest.mark.parametrize(
    "fields",
    [{}, {"reasoning": {"effort": "none"}}, {"reasoning": {"effort": "low", "exclude": True}}],
)
def test_openrouter_reasoning_can_be_left_out(sim: Simulator, fields: dict[str, Any]) -> None:
    """No reasoning is sent if none is asked for, or if it is excluded."""
    message = json.loads(ask(sim, "openrouter", **fields))["choices"][0]["message"]
    assert (message["reasoning"], "reasoning_details" in message) == (None, False)


@pytest.mark.parametrize(("think", "thinking"), [(True, "The user wrote: hello there"), (False, None)])
def test_ollama_thinks_when_told(sim: Simulator, think: bool, thinking: str | None) -> None:
    """`think` decides whether Ollama's message has a `thinking`."""
    assert json.loads(ask(sim, "ollama", think=think))["message"].get("thinking") == thinking


@pytest.mark.parametrize("dialect", ["openrouter", "openai"])
def test_logprobs_come_on_demand(sim: Simulator, dialect: str) -> None:
    """`logprobs` gives one entry a token, with as many alternatives as asked for."""
    body = json.loads(ask(sim, dialect, logprobs=True, top_logprobs=2))
    entries = body["choices"][0]["logprobs"]["content"]
    assert "".join(entry["token"] for entry in entries) == "You said: hello there"
    assert {len(entry["top_logprobs"]) for entry in entries} == {2}


def test_scripted_words_are_sent_as_they_are(sim: Simulator) -> None:
    """Chunks split a stream where they say, joined they are the plain text, and no limit shortens them."""
    reply = Reply(chunks=["Hä", "llo\n", "世界"], finish_reason=None, model="other/model", provider="Someone")
    sim.script(reply, reply)
    plain = json.loads(ask(sim, "openrouter", max_tokens=1))
    assert plain["choices"][0]["message"]["content"] == "Hällo\n世界"
    assert (plain["model"], plain["provider"]) == ("other/model", "Someone")
    assert plain["choices"][0]["finish_reason"] is None
    streamed = events(ask(sim, "openrouter", stream=True))
    assert [event["choices"][0]["delta"]["content"] for event in streamed[:3]] == ["Hä", "llo\n", "世界"]


def test_refusal_and_annotations_reach_the_wire(sim: Simulator) -> None:
    """A refusal takes the place of the content; annotations stand in the message."""
    citation = {"type": "url_citation", "url_citation": {"url": "https://example.com", "title": ""}}
    sim.script(Reply(refusal="no"), Reply(annotations=[citation]), Reply(annotations=[citation]))
    refused = json.loads(ask(sim, "openai"))["choices"][0]["message"]
    assert (refused["content"], refused["refusal"]) == (None, "no")
    assert json.loads(ask(sim, "openrouter"))["choices"][0]["message"]["annotations"] == [citation]
    first = events(ask(sim, "openrouter", stream=True))[0]
    assert first["choices"][0]["delta"]["annotations"] == [citation]


def test_the_same_requests_give_the_same_bytes(sim: Simulator) -> None:
    """After a reset the same requests give the same bytes again, ids and times included."""
    first = [ask(sim, dialect, stream=stream) for dialect in CHAT for stream in (True, False)]
    sim.reset()
    assert [ask(sim, dialect, stream=stream) for dialect in CHAT for stream in (True, False)] == first


def test_openrouter_goes_on_to_the_next_of_models(sim: Simulator) -> None:
    """If the first model does not exist or fails, the next of `models` answers and is charged."""
    body = ask(sim, "openrouter", model="no-such/x", models=["fault:status=502", "openai/gpt-4o-mini"])
    assert json.loads(body)["model"] == "openai/gpt-4o-mini"
    assert sim.bill[0].cost == Decimal("0.00000405")


def test_ollama_loads_a_model_on_an_empty_request(sim: Simulator) -> None:
    """A request without messages loads the model, and unloads it with `keep_alive` 0."""
    loaded = json.loads(ask(sim, "ollama", messages=[]))
    assert (loaded["done_reason"], loaded["message"]["content"]) == ("load", "")
    assert json.loads(ask(sim, "ollama", messages=[], keep_alive=0))["done_reason"] == "unload"
