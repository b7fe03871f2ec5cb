"""Messages: what a user may pass, what is refused and where, and that values survive JSON, pickle and copies."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit import (
    AudioPart,
    BadRequest,
    FilePart,
    FunctionCall,
    ImagePart,
    Message,
    OtherPart,
    TextPart,
    ToolCall,
    Unsupported,
    create_language,
)
from llmkit.provider.interface import Call
from llmkit.types.messages import to_messages
from llmkit.types.parts import data_url
from llmkit_ollama import OllamaProvider
from llmkit_openai import OpenAIProvider
from llmkit_openrouter import OpenRouterProvider

EXAMPLES: Final = settings.default.max_examples
PROVIDERS: Final = (OpenRouterProvider("openrouter"), OpenAIProvider("openai"), OllamaProvider("ollama"))
USER: Final = {"role": "user", "content": "hi"}


# --- What is taken


@pytest.mark.parametrize(
    "given",
    [
        "hi",
        USER,
        [USER],
        (USER,),
        Message("user", "hi"),
        [Message("user", "hi")],
        [Message("user", (TextPart("hi"),))],
        [Message("user", [TextPart("hi")])],
        [{"role": "user", "content": ["hi"]}],
        [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        [{"role": "user", "content": (TextPart("hi"),)}],
    ],
    ids=[
        "text", "dict", "list", "tuple", "Message", "list of Message", "parts", "list of parts", "dict of texts", "dict of dicts", "dict of parts",
    ],
)  # fmt: skip
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_one_user_turn_in_each_form(given: Any, provider: Any) -> None:
    """Text, dicts, Messages and parts, alone or in a sequence, are the same turn to every provider."""
    turns = to_messages(given)
    assert [(turn.role, turn.text) for turn in turns] == [("user", "hi")]
    (sent,) = json.loads(provider.build(Call("m", turns)).body)["messages"]
    assert sent["role"] == "user"
    assert sent["content"] in ("hi", [{"type": "text", "text": "hi"}])


@pytest.mark.parametrize("content", [["hi"], [{"type": "text", "text": "hi"}], ("hi",), {"type": "text"}, 5, b"hi"])
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_a_message_made_by_hand_is_read_or_refused(provider: Any, content: Any) -> None:
    """Content of a Message that is no tuple of parts is read as in a dict, or refused there; it is never lost."""
    try:
        turns = to_messages([Message("user", content)])
    except BadRequest:
        return
    (sent,) = json.loads(provider.build(Call("m", turns)).body)["messages"]
    assert sent["content"] in ("hi", [{"type": "text", "text": "hi"}])


def test_an_iterator_of_turns_is_read_once() -> None:
    """Any iterable of turns is taken."""
    assert len(to_messages(iter([USER, USER]))) == 2  # type: ignore[arg-type]


def test_the_message_of_a_response_goes_back_as_it_is() -> None:
    """A Message in the list is passed on unchanged, the same object."""
    message = Message("assistant", "x", reasoning="hm")
    assert to_messages([USER, message])[1] is message


# --- What is refused, and where


@pytest.mark.parametrize(
    ("given", "where", "what"),
    [
        (None, "messages", "NoneType"),
        (5, "messages", "int"),
        (b"hi", "messages", "bytes"),
        ([], "messages", "empty"),
        ((), "messages", "empty"),
        (["hi"], "messages[0]", "str"),
        ([USER, 5], "messages[1]", "int"),
        ([USER, None], "messages[1]", "NoneType"),
        ([USER, [USER]], "messages[1]", "list"),
        ([{}], "messages[0]", "role"),
        ([USER, {"content": "hi"}], "messages[1]", "role"),
        ([{"role": "usr", "content": "hi"}], "messages[0]", "'usr'"),
        ([{"role": ["user"], "content": "hi"}], "messages[0]", "role"),
        ([{"role": "function", "content": "hi"}], "messages[0]", "'function'"),
        ([USER, USER, {"role": "user", "content": 5}], "messages[2]", "content is int"),
        ([{"role": "user", "content": {"type": "text", "text": "x"}}], "messages[0]", "content is dict"),
        ([{"role": "user", "content": b"x"}], "messages[0]", "content is bytes"),
        ([USER, USER, {"role": "user", "content": [5]}], "messages[2] content[0]", "int"),
        ([{"role": "user", "content": ["x", None]}], "messages[0] content[1]", "NoneType"),
        ([{"role": "user", "content": [{}]}], "messages[0] content[0]", "type"),
        ([{"role": "user", "content": [{"type": 5}]}], "messages[0] content[0]", "type"),
        ([{"role": "user", "content": [{"text": "x"}]}], "messages[0] content[0]", "type"),
        ([{"role": "user", "content": ["x", {"type": "text"}]}], "messages[0] content[1]", "text"),
        ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0] content[0]", "text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0] content[0]", "url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "messages[0] content[0]", "url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 5}}]}], "messages[0] content[0]", "url"),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"format": "wav"}}]}],
         "messages[0] content[0]", "data"),
        ([{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf"}}]}],
         "messages[0] content[0]", "file"),
        ([{"role": "user", "content": "x", "name": 5}], "messages[0]", "name is int"),
        ([{"role": "tool", "content": "x", "tool_call_id": 5}], "messages[0]", "tool_call_id is int"),
        ([{"role": "assistant", "tool_calls": "x"}], "messages[0]", "tool_calls"),
        ([{"role": "assistant", "tool_calls": {"id": "a"}}], "messages[0]", "tool_calls"),
        ([{"role": "assistant", "tool_calls": [5]}], "messages[0] tool_calls[0]", "int"),
        ([{"role": "assistant", "tool_calls": [{"id": "a"}]}], "messages[0] tool_calls[0]", "function.name"),
        ([{"role": "assistant", "tool_calls": [{"function": {"name": 5}}]}], "messages[0] tool_calls[0]", "function.name"),
        ([USER, {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}, {"function": "f"}]}],
         "messages[1] tool_calls[1]", "function.name"),
        ([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": object()}}]}],
         "messages[0] tool_calls[0]", "arguments"),
        ([{"role": "assistant", "content": "x", "reasoning_details": "hm"}], "messages[0]", "reasoning_details"),
        ([{"role": "assistant", "content": "x", "reasoning_details": ["hm"]}], "messages[0]", "reasoning_details"),
        ([{"role": "assistant", "content": "x", "annotations": [5]}], "messages[0]", "annotations"),
        ([{"role": "assistant", "content": "x", "audio": 5}], "messages[0]", "audio"),
        ([Message("usr", "hi")], "messages[0]", "'usr'"),
        ([USER, Message("user", 5)], "messages[1]", "content is int"),  # type: ignore[arg-type]
        ([Message("user", (5,))], "messages[0] content[0]", "int"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_bad_messages_say_where_and_what(given: Any, where: str, what: str) -> None:
    """What is no message is a BadRequest that names the turn and the part of it, what is wrong, and what to do."""
    with pytest.raises(BadRequest) as caught:
        to_messages(given)
    text = str(caught.value)
    assert all(place in text for place in where.split())
    assert what in text
    assert caught.value.hint, f"no word on what to do: {text}"


@pytest.mark.parametrize("provider", [provider.name for provider in PROVIDERS])
def test_the_error_names_the_model(provider: str) -> None:
    """A call with bad messages says which provider and model were asked, and sends nothing."""
    with create_language(provider, "some/model", api_key="sk-x", base_url="http://127.0.0.1:9") as model:
        with pytest.raises(BadRequest) as caught:
            model.chat_complete([{"role": "usr", "content": "hi"}])
        with pytest.raises(BadRequest):
            model.achat_complete([{"role": "usr", "content": "hi"}])
    assert (caught.value.provider, caught.value.model) == (provider, "some/model")
    assert "messages[0]" in str(caught.value)


def test_the_content_of_a_message_is_not_shown() -> None:
    """The error of a bad message does not repeat what the message says."""
    with pytest.raises(BadRequest) as caught:
        to_messages([{"role": "usr", "content": "canary words"}])
    assert "canary" not in str(caught.value)


# --- Parts


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("data:image/png;base64,AAAA", ("image/png", "AAAA")),
        ("DATA:image/png;base64,AAAA", ("image/png", "AAAA")),
        ("data:;base64,AAAA", ("", "AAAA")),
        ("data:audio/wav;codecs=1;base64,QQ==", ("audio/wav;codecs=1", "QQ==")),
        ("https://a.example/x.png", None),
        ("", None),
        ("database", None),
    ],
)
def test_data_urls_are_taken_apart(url: str, expected: tuple[str, str] | None) -> None:
    """A data URL gives its media type and its base64 text; any other address gives None."""
    assert data_url(url) == expected


@pytest.mark.parametrize("url", ["data:image/png,AAAA", "data:,x", "data:image/png;base64", "data:"])
def test_a_data_url_must_be_base64(url: str) -> None:
    """A data URL without base64 is refused with its shape."""
    with pytest.raises(BadRequest, match="base64"):
        data_url(url)


def test_parts_from_bytes() -> None:
    """Media parts are made from bytes, and carry them as base64."""
    assert ImagePart.from_bytes(b"\x00\x01").url == "data:image/png;base64,AAE="
    assert ImagePart.from_bytes(b"\x00", "image/jpeg").url == "data:image/jpeg;base64,AA=="
    assert AudioPart.from_bytes(b"\x00", "mp3").to_dict()["input_audio"] == {"data": "AA==", "format": "mp3"}
    assert FilePart.from_bytes(b"%PDF", "a.pdf").to_dict()["file"] == {
        "filename": "a.pdf",
        "file_data": "data:application/pdf;base64,JVBERg==",
    }


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "x", "foo": {"bar": 1}},
        {"type": "image_url", "image_url": {"url": "https://a.example/x.png", "detail": "low"}, "foo": 1},
        {"type": "image_url", "image_url": {"url": "https://a.example/x.png", "media_type": "image/png"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3", "sample_rate": 16000}},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA==", "format": "pdf"},
        },
        {"type": "video_url", "video_url": {"url": "https://a.example/x.mp4"}, "fps": 2},
    ],
    ids=["text", "image", "image with more", "audio with more", "file with more", "unknown type"],
)
def test_what_a_part_has_beside_its_own_is_kept(part: dict[str, Any]) -> None:
    """A part with fields that llmkit has no name for, outside or inside, goes out as it came in."""
    (turn,) = to_messages([{"role": "user", "content": [part]}])
    assert json.loads(PROVIDERS[1].build(Call("m", (turn,))).body)["messages"][0]["content"] == [part]


def test_what_a_tool_call_has_beside_its_own_is_kept() -> None:
    """Fields that a service hangs on a tool call (a signature that it wants back) go back as they came."""
    call = {
        "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "c2ln"}},
    }  # fmt: skip
    (turn,) = to_messages([{"role": "assistant", "content": None, "tool_calls": [call]}])
    assert json.loads(PROVIDERS[1].build(Call("m", (turn,))).body)["messages"][0]["tool_calls"] == [call]


# --- Values

TEXT: Final = st.text(max_size=8)
SOME: Final = st.text(min_size=1, max_size=8)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SOME, inner, max_size=2),
    max_leaves=4,
)


def extras(*own: str) -> st.SearchStrategy[dict[str, Any]]:
    """Fields that llmkit has no name for."""
    taken = {"type", *own}
    return st.dictionaries(SOME.filter(lambda key: key not in taken), JSON, max_size=2)


PARTS: Final = st.one_of(
    st.builds(TextPart, TEXT, extras("text")),
    st.builds(ImagePart, TEXT, st.none() | SOME, extras("image_url")),
    st.builds(AudioPart, TEXT, SOME, extras("input_audio")),
    st.builds(FilePart, SOME, st.none() | SOME, st.none() | SOME, extras("file")),
    st.builds(FilePart, st.none(), st.none() | SOME, SOME, extras("file")),
    st.builds(OtherPart, extras().map(lambda extra: {"type": "video_url", **extra})),
)
CALLS: Final = st.builds(
    ToolCall, st.none() | TEXT, st.builds(FunctionCall, TEXT, TEXT), st.sampled_from(["function", "custom"])
)
OBJECTS: Final = st.lists(st.dictionaries(SOME, JSON, max_size=2), max_size=2).map(tuple)
MESSAGES: Final = st.builds(
    Message,
    role=st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
    content=st.none() | TEXT | st.lists(PARTS, max_size=3).map(tuple),
    name=st.none() | TEXT,
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
    tool_call_id=st.none() | TEXT,
    refusal=st.none() | TEXT,
    reasoning=st.none() | TEXT,
    reasoning_details=OBJECTS,
    annotations=OBJECTS,
    images=OBJECTS,
    audio=st.none() | st.dictionaries(SOME, JSON, max_size=2),
    extra=extras(*Message.__dataclass_fields__).filter(lambda extra: "extra" not in extra),
)


@given(MESSAGES)
def test_a_message_survives_json(message: Message) -> None:
    """A message written as a dict, through JSON text, is read as the same message."""
    assert Message.from_dict(json.loads(json.dumps(message.to_dict()))) == message


@given(MESSAGES)
def test_a_message_survives_pickle_and_copies(message: Message) -> None:
    """Pickle, copy and deepcopy give the same message."""
    assert pickle.loads(pickle.dumps(message)) == message
    assert copy.copy(message) == message
    assert copy.deepcopy(message) == message


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_any_messages_are_sent_or_refused(provider: Any, messages: list[Message]) -> None:
    """Whatever a conversation holds, a provider builds a JSON body of it or says why it cannot."""
    try:
        call = Call("m", to_messages(messages))
        provider.check(call)
        body = json.loads(provider.build(call).body)
    except (BadRequest, Unsupported):
        return
    assert len(body["messages"]) == len(messages)


JUNK: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role", "content", "type", "text", "image_url", "url", "input_audio", "data", "file", "file_data",
                    "tool_calls", "function", "name", "arguments", "custom", "input", "id", "audio", "annotations",
                ]
            ),
            inner | st.sampled_from(["user", "assistant", "text", "image_url", "file", "input_audio", "function"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=EXAMPLES * 2, deadline=None)
@given(JUNK | st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": JUNK})))
def test_anything_is_messages_or_bad_request(given: Any) -> None:
    """Whatever is passed as messages is read or refused with BadRequest; nothing else is raised."""
    try:
        turns = to_messages(given)
    except BadRequest:
        return
    assert turns
    assert all(isinstance(turn, Message) for turn in turns)


def test_a_conversation_survives_json() -> None:
    """A conversation with a tool call is stored as JSON and sent again, the same to the byte."""
    turns = to_messages(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}]},
            {"role": "tool", "tool_call_id": "a", "name": "weather", "content": "sunny"},
            {"role": "assistant", "content": "Sunny.", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        ]
    )  # fmt: skip
    again = to_messages(json.loads(json.dumps([turn.to_dict() for turn in turns])))
    assert again == turns
    for provider in PROVIDERS:
        assert provider.build(Call("m", again)).body == provider.build(Call("m", turns)).body


CANARY: Final = "canary " * 3


@pytest.mark.parametrize(
    "value",
    [
        Message("user", CANARY),
        Message("user", (TextPart(CANARY), ImagePart(CANARY))),
        Message(
            "assistant", None, reasoning=CANARY, refusal=CANARY, tool_calls=(ToolCall("a", FunctionCall("f", CANARY)),)
        ),
        Message("assistant", "x", extra={"foo": CANARY}, annotations=({"a": CANARY},)),
        TextPart(CANARY),
        ImagePart(CANARY),
        AudioPart(CANARY, "wav"),
        FilePart(CANARY, "a.pdf"),
        OtherPart({"type": "video_url", "video_url": {"url": CANARY}}),
        ToolCall("a", FunctionCall("f", CANARY)),
        FunctionCall("f", CANARY),
        Call("m", (Message("user", CANARY),), settings={"stop": [CANARY]}),
        OpenAIProvider("openai").build(Call("m", (Message("user", CANARY),))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_repr_is_short_and_holds_no_prompt(value: object) -> None:
    """The repr of a value says what it is in one short line, and not what the conversation says."""
    assert "canary" not in repr(value)
    assert "canary" not in f"{value}"
    assert len(repr(value)) < 200
    assert "\n" not in repr(value)


def test_messages_cannot_be_changed() -> None:
    """Messages are frozen, so that a conversation that was sent stays what it was."""
    message = Message("user", "x")
    with pytest.raises(AttributeError):
        message.content = "y"  # type: ignore[misc]
