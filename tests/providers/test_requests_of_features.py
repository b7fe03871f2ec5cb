"""What tools, structures, tool turns, cache marks and attachments come to in a request, by the services' own documents.

OpenRouter has an OpenAPI document. OpenAI's and Ollama's rules are stated here as checks of a body.
"""

from __future__ import annotations

import base64
import io
import json
import wave
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Optional
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from llmkit import Message, Tool, attach, invoke_tools
from llmkit.config.setting_checks import check_settings
from llmkit.errors import LLMError
from llmkit.language.review import add_review
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import FunctionCall, ToolCall, to_messages
from llmkit.types.responses import Choice, Response
from llmkit_openrouter import OpenRouterOptions
from tests.language.structured.test_strict import breaks

from .test_openrouter_requests import faults

PROVIDERS: Final = ("openrouter", "openai", "ollama")
OPENAI: Final = "https://api.openai.com/v1"
MARK: Final = {"type": "ephemeral", "ttl": "1h"}


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Tag(BaseModel):
    """A tag."""

    name: str = Field(description="in one word")
    weight: float = 1.0


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tag: Tag | None = None


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    since: datetime
    price: Decimal
    tags: list[Tag] = []
    best: Optional[Tag] = None  # noqa: UP045 - the older spelling makes the same schema


class A_name_of_a_class_that_is_longer_than_the_sixty_four_letters_that_services_take(BaseModel):  # noqa: N801
    x: int


class Grüße(BaseModel):  # noqa: PLC2401 - a name that services do not take
    x: int


@dataclass
class Point:
    x: float
    y: float = 0.0


class Row(TypedDict):
    id: UUID
    day: date


def nothing() -> str:
    """Take nothing."""
    return "done"


def plain(a: int, b: float = 1.5, c: str = "x", *, d: bool = False) -> int:
    """Take the plain types.

    Args:
        a: a number.
        d: or not.
    """
    return a


def nested(owner: Owner, tag: Tag | None = None) -> Owner:
    return owner


def chosen(colour: Colour, size: Literal["s", "m"], one: Literal["only"] = "only") -> list[str]:
    """Choose."""
    return [colour.value, size, one]


def listed(names: list[str], at: datetime, by_name: dict[str, Tag], pair: tuple[int, str] = (1, "x")) -> None:
    """Lists, dicts and times."""


def either(pet: Annotated[Cat | Dog, Field(discriminator="kind")], x: int | str | None = None) -> str:
    """One of two."""
    raise RuntimeError("no such pet")


def open_ended(x: Any, **more: int) -> bytes:
    """Whatever comes."""
    return b"no JSON"


async def later(seconds: Annotated[int, Field(ge=0, le=60)]) -> str:
    """Wait."""
    return "later"


FUNCTIONS: Final = [nothing, plain, nested, chosen, listed, either, open_ended, later]
STRICT: Final = [
    Tool.from_function(function, name=f"{function.__name__}_strict", strict=True)
    for function in (nothing, plain, nested, chosen, later)
]
CLOSED: Final = {
    "type": "object",
    "properties": {"x": {"type": "string"}},
    "required": ["x"],
    "additionalProperties": False,
}
BY_HAND: Final[list[Any]] = [
    Tool(name="by_hand"),
    Tool(name="no_type", parameters={"properties": {"x": {"type": "integer"}}}),
    Tool(name="no_properties", parameters={"type": "object", "additionalProperties": True}),
    Tool(name="by_reference", parameters={"$ref": "#/$defs/A", "$defs": {"A": CLOSED}}),
    Tool(name="n" * 64, description="x", parameters={"type": "object", "properties": {"x": {}}}, strict=False),
    {"type": "function", "function": {"name": "dict"}},
    {"name": "flat", "description": "x", "parameters": {"type": "object", "properties": {}}},
    {"type": "function", "function": {"name": "marked", "parameters": {"type": "object"}}, "cache_control": MARK},
]
TYPES: Final[list[Any]] = [
    Owner, Point, Row, Colour, list[Tag], list[str], Cat | Dog, int | None, int, dict[str, int], Literal["a", "b"],
    A_name_of_a_class_that_is_longer_than_the_sixty_four_letters_that_services_take, Grüße,
]  # fmt: skip
SCHEMAS: Final[list[dict[str, Any]]] = [
    {"type": "json"},
    {"type": "object", "properties": {"x": {"type": "integer"}}, "title": "A title, with a comma; " * 5},
    {"type": "array", "items": {"type": "string"}},
    {"anyOf": [{"type": "string"}, {"type": "null"}]},
    {"enum": ["a", "b"]},
    {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"x": {"$ref": "#/$defs/B"}}}, "B": {"type": "string"}}},
    {"type": "json_schema", "json_schema": {"name": "n", "description": "x", "strict": True, "schema": CLOSED}},
]  # fmt: skip


def call(name: str, arguments: Any, identity: str | None = "c") -> ToolCall:
    """A tool call of a model."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall(identity, FunctionCall(name, text), mismatch="found out by llmkit")


def turns_of_tools() -> list[Message]:
    """A conversation with calls that succeed, fail, do not fit, are of no tool, or came without arguments or id."""
    calls = (
        call("plain", {"a": 1}, "c1"), call("plain", {"a": "x"}, "c2"), call("either", {"pet": {"kind": "cat", "lives": 9}}, "c3"),
        call("nobody", {}, "c4"), call("nothing", "", "c5"), call("later", {"seconds": 1}, "c6"), call("nothing", {}, None),
        call("nested", {"owner": {"pet": {"kind": "dog"}, "since": "2026-01-02T03:04:05Z", "price": "1.10"}}, "c8"),
    )  # fmt: skip
    calls = tuple(ToolCall(item.id, item.function) if item.name != "nobody" else item for item in calls)
    answer = Message("assistant", None, tool_calls=calls, reasoning="hm")
    results = invoke_tools([nothing, plain, either, later, nested], Response((Choice(answer),)))
    errors = [turn for turn in results if turn.text.startswith('{"error"')]
    assert (len(results), len(errors)) == (8, 3)
    return [Message("user", "x"), answer, *results, Message("assistant", "done")]


def sent(
    provider: str, messages: Any = "hi", by: Any = None, options: Any = None, **settings: Any
) -> tuple[Call, dict[str, Any]]:
    """A call after its review was prepared, and its body."""
    backend = get_provider(provider)
    base_url = OPENAI if provider == "openai" else ""
    bare = Call("m", to_messages(messages), False, check_settings(settings, call=True), options, base_url=base_url)
    made = add_review(backend, bare, by=by, retries=2)
    backend.check(made)
    return made, json.loads(backend.build(made).body)


def wrong(provider: str, body: dict[str, Any]) -> list[str]:
    """What a body has that the service does not take."""
    if provider == "openrouter":
        return faults(body)
    return wrong_for_openai(body) if provider == "openai" else wrong_for_ollama(body)


FIELDS: Final = {
    "system": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "refusal", "audio", "tool_calls"},
    "tool": {"role", "content", "name", "tool_call_id"},
}


def wrong_for_openai(body: dict[str, Any]) -> list[str]:
    """Unknown fields are refused there; names are short; what is strict is closed."""
    found = []
    for turn in body["messages"]:
        found += [f"{key} in a turn" for key in turn.keys() - FIELDS[turn["role"]]]
        for one in turn.get("tool_calls", ()):
            found += [f"{key} in a call" for key in one.keys() ^ {"id", "type", "function"}]
            found += [] if one["id"] and is_object(one["function"]["arguments"]) else [f"call {one}"]
        for part in turn["content"] if isinstance(turn["content"], list) else ():
            found += [f"{key} in a part" for key in part.keys() ^ {"type", part["type"]}]
    named = [body["response_format"]["json_schema"]] if "json_schema" in body.get("response_format", {}) else []
    for tool in body.get("tools", ()):
        found += [f"{key} in a tool" for key in tool.keys() ^ {"type", "function"}]
        function = tool["function"]
        found += [f"{key} in a function" for key in function.keys() - {"name", "description", "parameters", "strict"}]
        named.append({**function, "schema": function.get("parameters", {})})
    for item in named:
        plainly = item["name"].replace("_", "").replace("-", "")
        found += [] if plainly.isascii() and plainly.isalnum() and len(item["name"]) <= 64 else [item["name"]]
        found += breaks(item["schema"]) if item.get("strict") else []
    return found


def is_object(text: str) -> bool:
    """Is it the JSON text of an object?"""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def wrong_for_ollama(body: dict[str, Any]) -> list[str]:
    """Content is text, media are raw base64, arguments are objects, and no schema has what would vanish unseen."""
    known = {"model", "messages", "stream", "tools", "format", "options"}
    found = [f"{key} in the body" for key in body.keys() - known]
    for turn in body["messages"]:
        fields = {"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"}
        found += [f"{key} in a turn" for key in turn.keys() - fields]
        found += [] if isinstance(turn["content"], str) else ["content is no text"]
        found += [] if turn["role"] != "tool" or turn.get("tool_name") else ["a tool turn without a tool"]
        for one in turn.get("tool_calls", ()):
            found += [] if isinstance(one["function"]["arguments"], dict) else ["arguments are no object"]
        for image in turn.get("images", ()):
            base64.b64decode(image, validate=True)
    for tool in body.get("tools", ()):
        found += [
            f"{key} in a tool" for key in keywords(tool["function"].get("parameters", {})) & {"$ref", "oneOf", "const"}
        ]
    if body.get("format", "json") != "json":
        found += [f"{key} in the format" for key in keywords(body["format"]) & {"$ref", "$defs"}]
    return found


def keywords(schema: Any) -> set[str]:
    """The keywords of a schema, without the names of its properties."""
    if isinstance(schema, list):
        return {key for item in schema for key in keywords(item)}
    if not isinstance(schema, dict):
        return set()
    inner = [item for key, item in schema.items() if key not in ("properties", "default", "enum", "required")]
    return set(schema) | keywords([*inner, *schema.get("properties", {}).values()])


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "tool", [*FUNCTIONS, *STRICT, *BY_HAND], ids=lambda tool: getattr(tool, "__name__", str(tool)[:40])
)
def test_a_tool_is_sent_as_the_service_takes_it(provider: str, tool: Any) -> None:
    """Whatever a function takes, its tool is valid there, alone and forced by its name."""
    _, body = sent(provider, tools=[tool])
    assert wrong(provider, body) == []
    (made,) = body["tools"]
    parameters = made["function"].get("parameters", {"type": "object"})
    assert parameters["type"] == "object"
    if not isinstance(tool, dict):
        assert "properties" in parameters or "$ref" in parameters
    if provider != "ollama":
        _, forced = sent(provider, tools=[tool], tool_choice=made["function"]["name"])
        assert wrong(provider, forced) == []
        assert forced["tool_choice"] == {"type": "function", "function": {"name": made["function"]["name"]}}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_tool_turns_are_sent_as_the_service_takes_them(provider: str) -> None:
    """Calls go back with the results and errors of `invoke_tools`; what llmkit noted about them does not."""
    _, body = sent(provider, turns_of_tools(), tools=FUNCTIONS)
    assert wrong(provider, body) == []
    assert "found out by llmkit" not in json.dumps(body)
    asked, results = body["messages"][1], body["messages"][2:-1]
    if provider != "ollama":
        assert [one["id"] for one in asked["tool_calls"]] == [turn["tool_call_id"] for turn in results]


@pytest.mark.covering(2)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("by", [None, "instruction"])
@pytest.mark.parametrize("asked", [*TYPES, *SCHEMAS], ids=lambda asked: str(asked)[:60])
def test_a_structure_is_sent_as_the_service_takes_it(provider: str, by: Any, asked: Any) -> None:
    """Each form is valid there, asked for by the service's own form or in words; so is asking again, twice."""
    call, body = sent(provider, [Message("system", "x"), Message("user", "y")], by=by, structured=asked)
    assert wrong(provider, body) == []
    assert (by == "instruction") is not bool({"response_format", "format"} & body.keys())
    backend = get_provider(provider)
    review = call.review
    for text in ("no JSON", ""):
        answer = Message("assistant", text, reasoning="hm", extra={})
        with pytest.raises(LLMError) as caught:
            review.accept(Response((Choice(answer, finish_reason="stop"),)))
        again = review.again(call, caught.value)
        assert again is not None
        call, review = again, again.review
        body = json.loads(backend.build(call).body)
        assert wrong(provider, body) == []
        assert len(body["messages"]) == len(call.messages)
    assert [turn["role"] for turn in body["messages"]] == ["system", "user", "assistant", "user", "user"]


MARKED: Final[list[Any]] = [
    {"role": "system", "content": "long", "cache_control": MARK},
    {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": MARK}, {"type": "text", "text": "y"}]},
    {"role": "assistant", "content": "x", "cache_control": {"type": "ephemeral", "ttl": None},
     "tool_calls": [{"id": "c", "type": "function", "function": {"name": "nothing", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": "x", "cache_control": MARK},
]  # fmt: skip


@pytest.mark.parametrize("provider", PROVIDERS)
def test_cache_marks_are_sent_where_they_are_taken(provider: str) -> None:
    """OpenRouter gets them as its document has them; nobody else gets any."""
    automatic = OpenRouterOptions(cache_control=True) if provider == "openrouter" else None
    _, body = sent(provider, MARKED, options=automatic, tools=[BY_HAND[-1]])
    assert wrong(provider, body) == []
    assert json.dumps(body).count('"cache_control"') == (6 if provider == "openrouter" else 0)


def sound() -> bytes:
    """A short WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"\0\0" * 8)
    return file.getvalue()


PNG: Final = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
ATTACHED: Final = {
    "image": attach(PNG),
    "image by address": attach("https://a.example/x.png"),
    "data address": attach("data:image/png;base64," + base64.b64encode(PNG).decode()),
    "pdf": attach(b"%PDF-1.7\n%%EOF", name="a.pdf"),
    "pdf by address": attach("https://a.example/x.pdf"),
    "audio": attach(sound()),
    "text": attach(b"a,b\n1,2\n", name="a.csv"),
    "video by address": attach("https://a.example/x.mp4"),
}
#: What Ollama carries.
CARRIED: Final = {"image", "data address", "audio", "text"}


@pytest.mark.parametrize("kind", ATTACHED)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_attachment_is_sent_as_the_service_takes_it(provider: str, kind: str) -> None:
    """Each kind is valid there, or refused before it is sent."""
    turn = Message("user", to_messages([{"role": "user", "content": ["What is it?", ATTACHED[kind]]}])[0].content)
    if provider == "ollama" and kind not in CARRIED:
        with pytest.raises(LLMError, match="Ollama"):
            sent(provider, [turn])
        return
    _, body = sent(provider, [turn])
    assert wrong(provider, body) == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_any_mapping_is_a_schema(provider: str) -> None:
    """A schema in a mapping that is no `dict` goes out as any other."""
    inner = MappingProxyType({"type": "string", "enum": ("a", "b")})
    schema = MappingProxyType({"type": "object", "properties": MappingProxyType({"x": inner})})
    _, body = sent(provider, tools=[Tool(name="f", parameters=schema)], structured=schema)
    assert wrong(provider, body) == []
    assert body["tools"][0]["function"]["parameters"]["properties"] == {"x": {"type": "string", "enum": ["a", "b"]}}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_tools_are_not_sent(provider: str) -> None:
    """An empty list of tools is as none, which OpenAI would refuse."""
    assert sent(provider, tools=[])[1] == sent(provider)[1]
