"""What the Ollama provider sends to `/api/chat`: fields and options, messages, media, tools, schemas and its own knobs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from llmkit import AudioPart, BadRequest, FilePart, ImagePart, LLMError, Message, Unsupported
from llmkit.config.backend_settings import keep_supported
from llmkit.config.setting_checks import check_settings
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import to_messages
from llmkit.types.settings import SAMPLING
from llmkit_ollama import OllamaOptions
from llmkit_ollama.schemas import inline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmkit.testing.simulator import Simulator

PROVIDER: Final = get_provider("ollama")
TOOL: Final = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}},
}


def built(
    messages: Any = "hi",
    given: Mapping[str, Any] | None = None,
    options: OllamaOptions | None = None,
    *,
    stream: bool = False,
) -> dict[str, Any]:
    """The body of a call."""
    kept = keep_supported(PROVIDER, check_settings(given or {}, call=True), drop=False)
    call = Call("llama3.2", to_messages(messages), stream, kept, options, local=True)
    PROVIDER.check(call)
    request = PROVIDER.build(call)
    assert request.path == "/api/chat"
    body: dict[str, Any] = json.loads(request.body)
    return body


def fields(given: Mapping[str, Any] | None = None, options: OllamaOptions | None = None) -> dict[str, Any]:
    """What settings and options add to the body."""
    return {
        name: value
        for name, value in built("hi", given, options).items()
        if name not in ("model", "messages", "stream")
    }


# --- Settings

SCHEMA: Final = {"type": "object", "properties": {"x": {"type": "integer"}}}
TABLE: Final[list[tuple[dict[str, Any], dict[str, Any]]]] = [
    ({"temperature": 0}, {"options": {"temperature": 0}}),
    ({"temperature": 0.5, "seed": 7}, {"options": {"temperature": 0.5, "seed": 7}}),
    ({"top_p": 0.9}, {"options": {"top_p": 0.9}}),
    ({"top_k": 40}, {"options": {"top_k": 40}}),
    ({"min_p": 0.1}, {"options": {"min_p": 0.1}}),
    ({"frequency_penalty": 1}, {"options": {"frequency_penalty": 1}}),
    ({"presence_penalty": -1}, {"options": {"presence_penalty": -1}}),
    ({"repetition_penalty": 1.1}, {"options": {"repeat_penalty": 1.1}}),
    ({"max_tokens": 5}, {"options": {"num_predict": 5}}),
    ({"stop": "x"}, {"options": {"stop": ["x"]}}),
    ({"stop": ["x", "y"]}, {"options": {"stop": ["x", "y"]}}),
    ({"stop": ("x",)}, {"options": {"stop": ["x"]}}),
    ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
    ({"tools": [TOOL]}, {"tools": [TOOL]}),
    ({"structured": {"type": "json"}}, {"format": "json"}),
    ({"structured": SCHEMA}, {"format": SCHEMA}),
    ({"structured": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}}, {"format": SCHEMA}),
    ({"reasoning": True}, {"think": True}),
    ({"reasoning": False}, {"think": False}),
    ({"reasoning": "none"}, {"think": False}),
    ({"reasoning": "minimal"}, {"think": "low"}),
    ({"reasoning": "low"}, {"think": "low"}),
    ({"reasoning": "medium"}, {"think": "medium"}),
    ({"reasoning": "high"}, {"think": "high"}),
    ({"reasoning": "xhigh"}, {"think": "max"}),
    ({"reasoning": "max"}, {"think": "max"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "sent"), TABLE, ids=lambda value: str(value)[:60])
def test_a_setting_is_a_field_of_the_body(given: dict[str, Any], sent: dict[str, Any]) -> None:
    """Each setting goes out where Ollama reads it, and nothing else with it."""
    assert fields(given) == sent


def test_every_setting_is_in_the_table() -> None:
    """The table above has each setting that Ollama has."""
    assert {name for given, _ in TABLE for name in given} == PROVIDER.supported


@pytest.mark.parametrize("name", sorted(SAMPLING - PROVIDER.supported))
def test_what_ollama_does_not_have_is_said(name: str) -> None:
    """A setting that Ollama would ignore in silence is Unsupported before anything is sent."""
    with pytest.raises(Unsupported, match=name):
        keep_supported(PROVIDER, {name: 1}, drop=False)


@pytest.mark.parametrize("stream", [True, False])
def test_stream_is_always_said(stream: bool) -> None:
    """Ollama streams by default, so each request says whether it wants that."""
    assert built("hi", stream=stream) == {
        "model": "llama3.2",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": stream,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reasoning": 2048}, "budget"),
        ({"top_logprobs": 3}, "logprobs"),
        ({"structured": {"type": "json_schema"}}, "json_schema.schema"),
    ],
)
def test_what_cannot_be_sent_is_refused(given: dict[str, Any], said: str) -> None:
    """What Ollama cannot take is refused before it is sent."""
    with pytest.raises((BadRequest, Unsupported), match=said):
        built("hi", given)


# --- Ollama's own options

OPTIONS: Final[list[tuple[dict[str, Any], dict[str, Any]]]] = [
    ({"num_ctx": 8192}, {"options": {"num_ctx": 8192}}),
    ({"num_ctx": 1}, {"options": {"num_ctx": 1}}),
    ({"keep_alive": "10m"}, {"keep_alive": "10m"}),
    ({"keep_alive": 300}, {"keep_alive": 300}),
    ({"keep_alive": 0}, {"keep_alive": 0}),
    ({"keep_alive": -1}, {"keep_alive": -1}),
    ({"think": "high"}, {"think": "high"}),
    ({"think": False}, {"think": False}),
    ({"truncate": False}, {"truncate": False}),
    ({"shift": False}, {"shift": False}),
    ({"num_keep": 4}, {"options": {"num_keep": 4}}),
    ({"repeat_last_n": 64}, {"options": {"repeat_last_n": 64}}),
    ({"repeat_penalty": 1.1}, {"options": {"repeat_penalty": 1.1}}),
    ({"typical_p": 0.5}, {"options": {"typical_p": 0.5}}),
    ({"mirostat": 2}, {"options": {"mirostat": 2}}),
    ({"mirostat_eta": 0.1}, {"options": {"mirostat_eta": 0.1}}),
    ({"mirostat_tau": 5}, {"options": {"mirostat_tau": 5}}),
    ({"num_batch": 512}, {"options": {"num_batch": 512}}),
    ({"num_gpu": 0}, {"options": {"num_gpu": 0}}),
    ({"num_gpu": -1}, {"options": {"num_gpu": -1}}),
    ({"main_gpu": 0}, {"options": {"main_gpu": 0}}),
    ({"num_thread": 8}, {"options": {"num_thread": 8}}),
    ({"use_mmap": False}, {"options": {"use_mmap": False}}),
    ({}, {}),
]


@pytest.mark.parametrize(("options", "sent"), OPTIONS, ids=lambda value: str(value)[:60])
def test_an_option_is_a_field_of_the_body(options: dict[str, Any], sent: dict[str, Any]) -> None:
    """Each of Ollama's own options goes out where the server reads it."""
    assert fields(options=OllamaOptions(**options)) == sent


def test_every_option_is_in_the_table() -> None:
    """The table above has each option."""
    assert {name for options, _ in OPTIONS for name in options} == set(OllamaOptions.__dataclass_fields__)


def test_settings_and_options_go_out_together() -> None:
    """Common settings and Ollama's own options are one `options` object."""
    body = fields({"temperature": 0, "max_tokens": 5}, OllamaOptions(num_ctx=8192, keep_alive=-1))
    assert body == {"keep_alive": -1, "options": {"temperature": 0, "num_predict": 5, "num_ctx": 8192}}


@pytest.mark.parametrize(
    "text",
    ["10m", "1h30m", "300s", "500ms", "1.5h", "-1m", "0s", "24h", "1h2m3s4ms5us6ns", "0", "-1s", "+5m", ".5s", "1.s"],
)
def test_a_duration_of_the_servers_own_is_taken(text: str) -> None:
    """Text that the server's own parser reads as a duration is a keep_alive."""
    if text in ("0", "+5m", ".5s", "1.s"):  # read by it too; llmkit may be stricter
        try:
            OllamaOptions(keep_alive=text)
        except BadRequest:
            return
    assert fields(options=OllamaOptions(keep_alive=text)) == {"keep_alive": text}


@pytest.mark.parametrize(
    "value", ["300", "10", "10 m", "ten minutes", "", " ", "m", "10m ", "1d", "5M", "10m\n", "٣m", "-", "1h-2m"]
)
def test_what_is_no_duration_is_refused(value: str) -> None:
    """A bare number as text, which the server refuses, and other texts are refused with the shape."""
    with pytest.raises(BadRequest, match="keep_alive") as caught:
        OllamaOptions(keep_alive=value)
    assert "10m" in caught.value.message


@pytest.mark.parametrize(
    "options",
    [
        {"keep_alive": math.nan}, {"keep_alive": math.inf}, {"keep_alive": True}, {"keep_alive": [5]},
        {"keep_alive": b"5m"}, {"num_ctx": 0}, {"num_ctx": -1}, {"num_ctx": 1.5}, {"num_ctx": "8192"}, {"num_ctx": True},
        {"think": "hgih"}, {"think": "HIGH"}, {"think": 5}, {"think": ["high"]}, {"truncate": "no"}, {"shift": 1},
        {"num_keep": "4"}, {"num_keep": 1.5}, {"repeat_last_n": "64"}, {"repeat_penalty": "1.1"},
        {"repeat_penalty": math.nan}, {"typical_p": "x"}, {"mirostat": 3}, {"mirostat": -1}, {"mirostat": "2"},
        {"mirostat_eta": "x"}, {"mirostat_tau": True}, {"num_batch": 0}, {"num_batch": "512"}, {"num_gpu": "all"},
        {"main_gpu": -1}, {"num_thread": -1}, {"num_thread": 1.5}, {"use_mmap": "yes"}, {"use_mmap": 1},
    ],
    ids=str,
)  # fmt: skip
def test_options_that_the_server_would_refuse_are_refused(options: dict[str, Any]) -> None:
    """A wrong type in `options` is an error of the server; it is refused where the options are made, by its name."""
    (name,) = options
    with pytest.raises(BadRequest, match=name) as caught:
        OllamaOptions(**options)
    assert " must be " in caught.value.message


def test_an_unknown_option_is_refused() -> None:
    """There is no option of another name; the server would only log it."""
    with pytest.raises(TypeError, match="num_context"):
        OllamaOptions(num_context=5)  # type: ignore[call-arg]


def test_thinking_given_twice_and_differently_is_an_error() -> None:
    """`reasoning=` and `OllamaOptions(think=...)` may say the same, and not two things."""
    assert fields({"reasoning": "high"}, OllamaOptions(think="high"))["think"] == "high"
    assert fields({"reasoning": False}, OllamaOptions(think=False))["think"] is False
    for value in ("low", True, False):
        with pytest.raises(BadRequest, match="think"):
            built("hi", {"reasoning": value}, OllamaOptions(think="high"))


def test_a_penalty_given_twice_and_differently_is_an_error() -> None:
    """`repetition_penalty=` and `OllamaOptions(repeat_penalty=...)` are one thing: two values are an error."""
    assert fields({"repetition_penalty": 1.1}, OllamaOptions(repeat_penalty=1.1))["options"] == {"repeat_penalty": 1.1}
    with pytest.raises(BadRequest, match="repeat_penalty"):
        built("hi", {"repetition_penalty": 1.5}, OllamaOptions(repeat_penalty=1.1))


# --- Messages

IMAGE: Final = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}}


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ({"role": "user", "content": "x"}, {"role": "user", "content": "x"}),
        ({"role": "system", "content": "x"}, {"role": "system", "content": "x"}),
        ({"role": "developer", "content": "x"}, {"role": "system", "content": "x"}),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
         {"role": "user", "content": "ab"}),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE, {"type": "text", "text": "b"}, IMAGE]},
         {"role": "user", "content": "ab", "images": ["iVBORw0K", "iVBORw0K"]}),
        ({"role": "user", "content": [IMAGE]}, {"role": "user", "content": "", "images": ["iVBORw0K"]}),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
         {"role": "user", "content": "", "images": ["AAAA"]}),
        ({"role": "user", "content": [{"type": "file", "file": {"file_data": "data:image/jpeg;base64,AAAA"}}]},
         {"role": "user", "content": "", "images": ["AAAA"]}),
        ({"role": "assistant", "content": "x", "reasoning": "hm"}, {"role": "assistant", "content": "x", "thinking": "hm"}),
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": ""}),
        ({"role": "assistant", "content": "x", "annotations": [{"a": 1}], "refusal": "no", "images": [{"a": 1}]},
         {"role": "assistant", "content": "x"}),
        ({"role": "tool", "name": "f", "tool_call_id": "a", "content": "sunny"},
         {"role": "tool", "content": "sunny", "tool_name": "f", "tool_call_id": "a"}),
        ({"role": "tool", "content": [{"type": "text", "text": "sunny"}], "tool_call_id": "a"},
         {"role": "tool", "content": "sunny", "tool_call_id": "a"}),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_a_message_in_ollamas_shape(message: dict[str, Any], sent: dict[str, Any]) -> None:
    """Text is one string, media are raw base64 in order, a developer turn is a system turn, reasoning is thinking."""
    assert built([message])["messages"] == [sent]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (ImagePart("https://a.example/x.png"), "address"),
        (ImagePart("http://127.0.0.1/x.png"), "address"),
        ({"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}, "address"),
        (FilePart.from_bytes(b"%PDF", "a.pdf"), "files"),
        (FilePart(file_id="file-1"), "files"),
        (FilePart("https://a.example/a.pdf", "a.pdf"), "files"),
        ({"type": "video_url", "video_url": {"url": "https://a.example/x.mp4"}}, "video_url"),
        (ImagePart("data:image/png,AAAA"), "base64"),
    ],
)
def test_parts_that_ollama_cannot_carry_are_refused(part: Any, said: str) -> None:
    """A part that Ollama has no place for is refused before sending: the text says which turn, which part, and what to do."""
    messages = [{"role": "user", "content": "hi"}, {"role": "user", "content": ["look", part]}]
    with pytest.raises((Unsupported, BadRequest), match=said) as caught:
        built(messages)
    text = str(caught.value)
    assert "messages[1]" in text
    assert "content[1]" in text
    assert caught.value.hint


def test_media_made_of_bytes_arrive() -> None:
    """Images and audio made of bytes go out as the base64 of those bytes."""
    message = Message("user", (ImagePart.from_bytes(b"\x89PNG"), AudioPart.from_bytes(b"RIFF", "wav")))
    assert built([message])["messages"][0]["images"] == ["iVBORw==", "UklGRg=="]


# --- Tools


def test_arguments_go_out_as_objects() -> None:
    """Tool arguments are objects on this wire: text is parsed, empty text is no arguments; each call has its index."""
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1, "y": [0.5]}'}},
        {"function": {"name": "g", "arguments": ""}},
        {"function": {"name": "h", "arguments": {"z": None}}},
    ]
    (sent,) = built([{"role": "assistant", "content": None, "tool_calls": calls}])["messages"]
    assert sent == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "a", "function": {"index": 0, "name": "f", "arguments": {"x": 1, "y": [0.5]}}},
            {"function": {"index": 1, "name": "g", "arguments": {}}},
            {"function": {"index": 2, "name": "h", "arguments": {"z": None}}},
        ],
    }


@pytest.mark.parametrize("arguments", ['{"x": ', "text", "[1]", "null"])
def test_broken_arguments_cannot_go_back(arguments: str) -> None:
    """Arguments that are no JSON object have no form on this wire: the error names the turn, the call and the reason."""
    call = {"id": "a", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(BadRequest, match="'f'") as caught:
        built([{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [call]}])
    assert "messages[1]" in str(caught.value)


def test_a_custom_call_cannot_go_back() -> None:
    """A call of free text, which Ollama does not know, is refused by name."""
    call = {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    with pytest.raises((BadRequest, Unsupported), match="sql"):
        built([{"role": "assistant", "content": None, "tool_calls": [call]}])


def test_a_tool_result_names_its_tool() -> None:
    """A tool turn in OpenAI's shape, which has only the call's id, goes out with the tool's name, as templates want it."""
    turns = [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "time", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "b", "content": "noon"},
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
    ]  # fmt: skip
    _, first, second = built(turns)["messages"]
    assert [first["tool_name"], second["tool_name"]] == ["time", "weather"]


def test_a_tool_without_a_type_is_still_openais_shape() -> None:
    """Tools go out in OpenAI's shape, with the fields that the server keeps."""
    assert fields({"tools": [TOOL]})["tools"] == [TOOL]


# --- Schemas

NESTED: Final = {
    "type": "object",
    "properties": {"pet": {"$ref": "#/$defs/Pet"}, "pets": {"type": "array", "items": {"$ref": "#/$defs/Pet"}}},
    "required": ["pet"],
    "$defs": {
        "Pet": {"type": "object", "properties": {"kind": {"$ref": "#/$defs/Kind"}}, "title": "Pet"},
        "Kind": {"enum": ["cat", "dog"], "type": "string"},
    },
}
PET: Final = {"type": "object", "properties": {"kind": {"enum": ["cat", "dog"], "type": "string"}}, "title": "Pet"}


def test_references_of_a_schema_are_put_in_place() -> None:
    """Ollama drops references in silence, so what they name stands in their place."""
    assert fields({"structured": NESTED})["format"] == {
        "type": "object",
        "properties": {"pet": PET, "pets": {"type": "array", "items": PET}},
        "required": ["pet"],
    }


def test_references_of_a_tool_are_put_in_place() -> None:
    """References in a tool's parameters count from the parameters."""
    tool = {"type": "function", "function": {"name": "f", "parameters": NESTED}}
    sent = fields({"tools": [tool]})["tools"][0]["function"]
    assert sent["parameters"]["properties"]["pet"] == PET
    assert "$ref" not in json.dumps(sent)
    assert "$defs" not in json.dumps(sent)


def test_a_pydantic_models_schema_goes_through() -> None:
    """The schema that pydantic makes of nested models holds no reference when it goes out."""
    from pydantic import BaseModel

    class Inner(BaseModel):
        x: int

    class Outer(BaseModel):
        first: Inner
        rest: list[Inner] = []

    sent = fields({"structured": Outer.model_json_schema()})["format"]
    assert "$ref" not in json.dumps(sent)
    assert sent["properties"]["first"]["properties"]["x"]["type"] == "integer"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "#"}, "itself"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "itself"),
        (
            {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"properties": {"b": {"$ref": "#/$defs/A"}}}}},
            "itself",
        ),
        ({"properties": {"a": {"$ref": "#/$defs/Nobody"}}}, "Nobody"),
        ({"properties": {"a": {"$ref": "https://a.example/schema.json"}}}, "a.example"),
        ({"properties": {"a": {"$ref": "other.json#/x"}}}, "other.json"),
    ],
)
def test_references_that_cannot_be_put_in_place_are_refused(schema: dict[str, Any], said: str) -> None:
    """A schema that refers to itself, to nothing or out of the document is refused, with the reason."""
    with pytest.raises(BadRequest, match=said):
        fields({"structured": schema})


def test_a_property_may_be_called_as_a_keyword() -> None:
    """A property that happens to be named `$ref`, `$defs` or `definitions` is a property, not a keyword."""
    schema = {
        "type": "object",
        "properties": {"definitions": {"type": "string"}, "$defs": {"type": "string"}, "$ref": {"type": "string"}},
        "required": ["definitions"],
    }
    assert fields({"structured": schema})["format"] == schema


def test_the_users_schema_is_not_changed() -> None:
    """Putting references in place makes a copy; the user's own schema stays as it is."""
    before = json.dumps(NESTED)
    inline(NESTED)
    assert json.dumps(NESTED) == before


def test_a_schema_that_unfolds_without_end_is_refused() -> None:
    """A small schema that would unfold to millions of pieces is refused instead of filling the memory."""
    defs: dict[str, Any] = {"L0": {"type": "string"}}
    for level in range(1, 18):
        inner = {"$ref": f"#/$defs/L{level - 1}"}
        defs[f"L{level}"] = {"type": "object", "properties": {"a": inner, "b": inner}}
    with pytest.raises(BadRequest):
        inline({"$ref": "#/$defs/L17", "$defs": defs})


NODES: Final = st.recursive(
    st.sampled_from([{"type": "string"}, {"type": "integer"}, {"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}, True]),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("xyz"), inner, max_size=2)}
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}),
    ),
    max_leaves=6,
)


@given_by(NODES.filter(lambda node: isinstance(node, dict)), NODES)
def test_no_reference_is_left(root: dict[str, Any], other: Any) -> None:
    """Whatever a schema looks like, the one that goes out has no reference, or there is an error of ours."""
    schema = {**root, "$defs": {"A": {"type": "string"}, "B": other if isinstance(other, dict) else {}}}
    try:
        made = inline(schema)
    except LLMError:
        return
    assert "$ref" not in json.dumps(made)
    assert "$defs" not in made


# --- Over the wire


def test_a_call_reaches_the_native_endpoint(sim: Simulator, drive: Any) -> None:
    """A call goes to `/api/chat` with the whole of what was asked, and its answer is free."""
    options = OllamaOptions(num_ctx=2048, keep_alive="5m")
    response = drive.ask(
        drive.make(sim, "ollama", options=options, temperature=0), [{"role": "developer", "content": "x"}]
    )
    (request,) = sim.requests
    assert (request.method, request.path) == ("POST", "/api/chat")
    assert request.json["options"] == {"temperature": 0, "num_ctx": 2048}
    assert request.json["keep_alive"] == "5m"
    assert (response.cost.amount, response.cost.basis) == (0, "free")
