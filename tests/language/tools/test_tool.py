"""Tools: what a function looks like to a model, what `tools=` takes, and which calls of a model fit."""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import json
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Optional
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from llmkit import ConfigError, FunctionCall, Message, Response, ToolCall, create_language
from llmkit.language.tools.calls import mark_mismatches
from llmkit.language.tools.invoke import invoke_tools
from llmkit.language.tools.tool import Tool, to_tools
from llmkit.testing.fake import Answer, FakeModel
from llmkit.testing.simulator import Reply, Simulator
from llmkit.types.responses import Choice
from tests.conftest import PROVIDERS, Drive

DICT: Final = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}}},
    "cache_control": {"type": "ephemeral"},
}


class Unit(Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Place(BaseModel):
    title: str
    height: float = 0.0


@dataclass
class Point:
    x: int
    y: int


class Span(TypedDict):
    start: date
    days: int


class Node(BaseModel):
    name: str
    below: list[Node] = []


def weather(
    city: str, unit: Unit = Unit.CELSIUS, *, days: Annotated[int, Field(ge=1, description="1 to 7")] = 1
) -> str:
    """The weather in a city.

    Only for cities.

    Args:
        city: Name of
            the city.
        days: this is not said
        sky: no such parameter
    """
    return f"{city} {unit} {days}"


def schema_of(function: Any) -> dict[str, Any]:
    return dict(Tool.from_function(function).parameters)


def call(name: str, arguments: object, kind: str = "function") -> ToolCall:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall("call_1", FunctionCall(name, text), kind)


def problem(tools: list[Any], made: ToolCall) -> str | None:
    """What a response says of a call, offered these tools."""
    response = Response((Choice(Message("assistant", tool_calls=(made,))),))
    marked = mark_mismatches(to_tools(tools), response).tool_calls[0]
    assert marked.function == made.function
    assert (marked.arguments is None) == (marked.problem is not None)
    return marked.problem


# A function, as a model sees it


def test_a_function_becomes_a_tool() -> None:
    """Name, description, schema: from the function's name, its docstring and its hints."""
    assert Tool.from_function(weather).to_dict() == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city.\n\nOnly for cities.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Name of the city."},
                    "unit": {"$ref": "#/$defs/Unit", "default": "celsius"},
                    "days": {"type": "integer", "minimum": 1, "default": 1, "description": "1 to 7"},
                },
                "required": ["city"],
                "$defs": {"Unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
                "additionalProperties": False,
            },
        },
    }


def numpy_style(city):
    """The weather.

    Parameters
    ----------
    city : str
        Its name.
    """


def rest_style(city):
    """The weather.

    :param city: Its name.
    """


def google_style(city):
    """The weather.

    Args:
        city (str): Its name.

    Returns:
        Nothing.
    """


@pytest.mark.parametrize("function", [numpy_style, rest_style, google_style])
def test_three_styles_of_docstrings_are_read(function: Any) -> None:
    """Google's, NumPy's and reST's docstrings say what a function and its parameters are."""
    tool = Tool.from_function(function)
    assert tool.description == "The weather."
    assert tool.parameters["properties"] == {"city": {"description": "Its name."}}


@contextlib.contextmanager
def span() -> Iterator[None]:
    yield


@span()
def traced(unit: Unit) -> None: ...


def test_hints_are_read_where_the_function_was_written() -> None:
    """A decorator from another module does not know the names in the hints; the function's own module does."""
    assert schema_of(traced)["required"] == ["unit"]


class Search:
    """Finds things."""

    limit = 3

    def __call__(self, text: str) -> list[str]:
        return [text] * self.limit

    def again(self, text: str) -> list[str]:
        """Finds them again."""
        return [text]

    @classmethod
    def first(cls, text: str) -> str:
        """Finds one."""
        return text

    @staticmethod
    def last(text: str) -> str:
        """Finds another."""
        return text


async def later(text: str) -> str:
    """Finds it later."""
    return text


@functools.cache
def cached(text: str) -> str:
    """Finds it once."""
    return text


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


@pytest.mark.parametrize(
    ("function", "name", "description"),
    [
        (Search(), "Search", "Finds things."),
        (Search().again, "again", "Finds them again."),
        (Search.first, "first", "Finds one."),
        (Search.last, "last", "Finds another."),
        (later, "later", "Finds it later."),
        (cached, "cached", "Finds it once."),
        (wrapped(later), "later", "Finds it later."),
        (functools.partial(later), "later", "Finds it later."),
        (functools.partial(functools.partial(Search().again)), "again", "Finds them again."),
        (functools.partial(Search()), "Search", "Finds things."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_can_be_called_is_a_tool(function: Any, name: str, description: str) -> None:
    """Methods, async functions, partials, decorated functions and objects with `__call__` are tools like functions."""
    for _ in range(2):  # from the cache too
        tool = Tool.from_function(function)
        assert (tool.name, tool.description) == (name, description)
        assert tool.parameters["properties"] == {"text": {"type": "string"}}
        assert tool.parameters["required"] == ["text"]


def test_what_a_partial_fills_in_is_not_the_models() -> None:
    """An argument that the program has bound is neither shown nor taken, not even by a function of any arguments."""

    def read(path: str, user: int = 0, **more: object) -> str:
        return f"{user} {path} {more}"

    mine = functools.partial(read, user=7)
    assert schema_of(mine)["properties"] == {"path": {"type": "string"}}
    assert problem([mine], call("read", {"path": "a"})) is None
    assert "user: not an argument" in (problem([mine], call("read", {"path": "a", "user": 1})) or "")
    [message] = invoke_tools([mine], [call("read", {"path": "a", "n": 1})])
    assert message.content == "7 a {'n': 1}"
    first = functools.partial(read, "x")
    assert "path" not in schema_of(first)["properties"]


def test_parameters_may_have_any_name() -> None:
    """Names that pydantic keeps for itself are names of parameters like others, and titles of the user's stay."""

    def odd(
        self_: int, model_config: str, copy: bool, schema: int, _private: int, title: str, json: int = 2
    ) -> None: ...

    names = ["self_", "model_config", "copy", "schema", "_private", "title", "json"]
    assert list(schema_of(odd)["properties"]) == names
    assert schema_of(odd)["required"] == names[:-1]
    arguments = {"self_": 1, "model_config": "a", "copy": True, "schema": 1, "_private": 1, "title": "t"}
    assert problem([odd], call("odd", arguments)) is None


def test_defaults() -> None:
    """A default stands in the schema where JSON has it; `None` as a default may be said; no hint is any value."""

    def defaults(
        a=1,
        b: datetime = datetime(2020, 1, 1),  # noqa: DTZ001
        c: object = object(),
        d: int = None,  # noqa: RUF013
        e: Annotated[int, Field(gt=0)] = None,  # noqa: RUF013
    ) -> None: ...

    properties = schema_of(defaults)["properties"]
    assert properties["a"] == {"default": 1}
    assert properties["b"] == {"type": "string", "format": "date-time", "default": "2020-01-01T00:00:00"}
    assert properties["c"] == {}
    assert properties["d"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
    assert "required" not in schema_of(defaults)
    assert problem([defaults], call("defaults", {"d": None, "e": None})) is None
    assert problem([defaults], call("defaults", {"e": 0})) is not None


def test_fields_of_pydantic_as_defaults() -> None:
    """`Field(...)` as a default describes the parameter; where the model leaves it out, the function has its value."""

    def fields(n: int = Field(description="must"), days: int = Field(3, ge=1, alias="other")) -> list[int]:
        return [n, days]

    assert schema_of(fields)["properties"]["n"] == {"type": "integer", "description": "must"}
    assert schema_of(fields)["required"] == ["n"]
    assert schema_of(fields)["properties"]["days"] == {"type": "integer", "default": 3, "minimum": 1}
    calls = [call("fields", {"n": 1}), call("fields", {"n": 1, "days": 5})]
    assert [message.content for message in invoke_tools([fields], calls)] == ["[1, 3]", "[1, 5]"]


def test_any_further_arguments() -> None:
    """`**kwargs` lets the model add arguments; without it, an unknown one does not fit."""

    def open_ended(a: int, **more: object) -> dict[str, object]:
        return {"a": a, **more}

    assert schema_of(open_ended)["additionalProperties"] is True
    [message] = invoke_tools([open_ended], [call("open_ended", {"a": 1, "b": [2]})])
    assert json.loads(str(message.content)) == {"a": 1, "b": [2]}
    assert "'b' was unexpected" in (problem([weather], call("weather", {"city": "a", "b": 1})) or "")


def test_a_function_without_parameters() -> None:
    """It takes an object with nothing in it; empty text is that."""

    def now() -> str:
        return "now"

    assert schema_of(now) == {"type": "object", "properties": {}, "additionalProperties": False}
    assert [message.content for message in invoke_tools([now], [call("now", ""), call("now", "{}")])] == ["now", "now"]


def test_a_schema_is_made_once_for_a_function() -> None:
    """Two tools of one function share the schema, and nothing keeps the function alive."""

    def once(a: int) -> int:
        return a

    assert Tool.from_function(once).parameters is Tool.from_function(once, name="other").parameters
    search = Search()
    assert Tool.from_function(search.again).parameters is Tool.from_function(search.again).parameters
    gone = weakref.ref(once)
    del once
    gc.collect()
    assert gone() is None


def positional(a: int, /) -> None: ...
def starred(*items: int) -> None: ...
def unknown_hint(good: int, when: Missing) -> None: ...  # noqa: F821
def not_json(good: int, path: os.DirEntry[str]) -> None: ...
def callback(good: int, then: type[Any] | Any, run: Any = None, after: Callback = None) -> None: ...  # noqa: F821
def wrong_return(a: int) -> Missing: ...  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (positional, "the parameter 'a' of positional has no name"),
        (starred, r"the parameter \*items of starred has no name"),
        (unknown_hint, "hint of the parameter 'when' of unknown_hint cannot be read: name 'Missing'"),
        (not_json, "the parameter 'path' of not_json cannot be described in JSON"),
        (callback, "hint of the parameter 'after' of callback cannot be read"),
        (lambda x: x, "lambda"),
        (Search, "a class, Search"),
        (5, "is 5"),
        ("weather", "is text"),
        ({}.get, "the function get does not say what it takes|the parameter 'key' of get has no name"),
    ],
)
def test_what_a_model_could_not_call_is_refused(function: Any, said: str) -> None:
    """A function that takes no names, whose hints cannot be described, and what is no function: an error names it."""
    with pytest.raises(ConfigError, match=said):
        Tool.from_function(function)


def test_the_hint_of_the_result_does_not_matter() -> None:
    """Only parameters are described, so the hint of what comes back may be anything."""
    assert schema_of(wrong_return)["required"] == ["a"]


@pytest.mark.parametrize("name", ["", "two words", "a.b", "ä", "x" * 65, "new\nline", None, 5])
def test_a_name_that_services_do_not_take_is_refused(name: Any) -> None:
    """A tool's name is letters, digits, "_" and "-", at most 64."""
    with pytest.raises(ConfigError, match="a tool is named"):
        Tool(name=name)
    assert Tool.from_function(lambda x: x, name="fine_1-A").name == "fine_1-A"


@pytest.mark.parametrize("timeout", [0, -1, True, "5", float("nan"), float("inf")])
def test_a_timeout_is_a_time(timeout: Any) -> None:
    """A timeout that is no number of seconds above 0 is refused."""
    with pytest.raises(ConfigError, match="timeout"):
        Tool(name="a", timeout=timeout)
    with pytest.raises(ConfigError, match="timeout"):
        invoke_tools([], [], timeout=timeout)


def test_a_tool_by_hand() -> None:
    """Everything may be given; what is not comes from the function; without one there are no parameters."""
    parameters = {"type": "object", "properties": {"a": {"type": "integer"}}}
    tool = Tool(name="t", description="d", parameters=parameters, function=weather, strict=False, timeout=2)
    function = {"name": "t", "description": "d", "parameters": parameters, "strict": False}
    assert tool.to_dict() == {"type": "function", "function": function}
    assert Tool(name="t", function=weather).description == Tool.from_function(weather).description
    assert Tool(name="t", function=weather, description="").to_dict()["function"]["description"] == ""  # type: ignore[index]
    assert Tool(name="t").parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    for wrong in ({"type": "string"}, "text", []):
        with pytest.raises(ConfigError, match="not the JSON schema of an object"):
            Tool(name="t", parameters=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the function of the tool t is a class, Search"):
        Tool(name="t", function=Search)


def test_a_copy_of_a_tool_converts_as_it_did() -> None:
    """`replace` keeps the typed values of a function's own schema; with another schema the values are plain JSON."""

    def when(day: date) -> str:
        return type(day).__name__

    tool = replace(Tool.from_function(when), timeout=5)
    assert [m.content for m in invoke_tools([tool], [call("when", {"day": "2020-01-02"})])] == ["date"]
    assert copy.copy(tool) == tool
    plain = replace(tool, parameters={"type": "object"})
    assert [m.content for m in invoke_tools([plain], [call("when", {"day": "2020-01-02"})])] == ["str"]


def test_strict() -> None:
    """`strict=True` sends the closed form of the schema, and is refused where there is none."""
    function: Any = Tool.from_function(weather, strict=True).to_dict()["function"]
    assert function["strict"] is True
    assert function["parameters"]["required"] == ["city", "unit", "days"]

    def free(values: dict[str, int]) -> None: ...

    with pytest.raises(ConfigError, match="the tool free is strict"):
        Tool.from_function(free, strict=True).to_dict()


# What `tools=` takes


def test_dicts_go_out_as_they_are() -> None:
    """OpenAI's dicts and a service's own tools are sent word for word; the flat form gets its envelope."""
    server = {"type": "web_search", "filters": {"allowed_domains": ["a.org"]}}
    custom = {"type": "custom", "custom": {"name": "shell"}}
    flat = {"name": "flat", "description": "d", "parameters": {"type": "object"}, "own": 1}
    made = to_tools([DICT, server, custom, flat, weather, Tool(name="t")])
    assert [tool.name for tool in made] == ["lookup", "web_search", "shell", "flat", "weather", "t"]
    assert [tool.to_dict() for tool in made[:3]] == [DICT, server, custom]
    assert made[3].to_dict() == {"type": "function", "function": flat}
    assert to_tools(None) == to_tools([]) == ()


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ([weather, Tool(name="weather")], "two tools are named 'weather'"),
        ([DICT, DICT], "two tools are named 'lookup'"),
        ([5], r"tools\[0\] must be a function, a Tool or OpenAI.s dict, not 5"),
        ([weather, Search], r"tools\[1\] is a class, Search"),
        ([{"name": "x"}], r"tools\[0\] has no type"),
        ([{"name": 5, "parameters": {}}], r"tools\[0\] has no function.name"),
        ([{"type": "function"}], r"tools\[0\] has no function.name"),
        ("weather", "tools must be a list of .*, not text"),
        (weather, "tools must be a list of .*, not a function"),
    ],
)
def test_what_is_no_list_of_tools_is_refused(tools: Any, said: str) -> None:
    """Two tools of one name, and what is no tool, are errors before anything is sent."""
    with pytest.raises(ConfigError, match=said):
        to_tools(tools)
    with pytest.raises(ConfigError, match=said):
        FakeModel("never sent").chat_complete("hi", tools=tools)


def test_two_server_tools_of_one_kind() -> None:
    """Only names that a model could call must differ."""
    assert len(to_tools([{"type": "mcp", "server": "a"}, {"type": "mcp", "server": "b"}])) == 2


# Do the arguments fit?


def even(value: int) -> int:
    if value % 2:
        raise ValueError("it is odd")
    return value


def broken(value: int) -> int:
    raise KeyError(value)


def checked(a: Annotated[int, AfterValidator(even)]) -> None: ...
def failing(a: Annotated[int, AfterValidator(broken)]) -> None: ...
def dated(on: datetime, tree: Node = None, span: Span = None) -> None: ...


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (weather, {"city": "Paris"}, None),
        (weather, {"city": "Paris", "unit": "kelvin", "days": 3.0}, None),
        (weather, "not json", "the arguments are not JSON"),
        (weather, '{"city": "Pa', "the arguments are not JSON"),
        (weather, '["Paris"]', "a JSON list, not an object"),
        (weather, {}, "'city' is a required property"),
        (weather, "", "'city' is a required property"),
        (weather, {"city": 5}, "city: 5 is not of type 'string'"),
        (weather, {"city": "Paris", "days": "3"}, "days: '3' is not of type 'integer'"),
        (weather, {"city": "Paris", "days": 0}, "days: 0 is less than the minimum"),
        (weather, {"city": "Paris", "unit": "rankine"}, "unit: 'rankine' is not one of"),
        (weather, {"city": "Paris", "unit": "CELSIUS"}, "unit: 'CELSIUS' is not one of"),
        (weather, '{"city": "\\ud800"}', "Invalid JSON"),
        (checked, {"a": 2}, None),
        (checked, {"a": 3}, "a: Value error, it is odd"),
        (failing, {"a": 3}, "KeyError"),
        (dated, {"on": "2020-01-01T00:00:00Z"}, None),
        (dated, {"on": "tomorrow"}, "on: Input should be a valid datetime"),
        (dated, {"on": "2020-01-01", "tree": {"name": "a", "below": [{"name": "b"}]}}, None),
        (dated, {"on": "2020-01-01", "tree": {"name": "a", "below": [{}]}}, "tree"),
        (dated, {"on": "2020-01-01", "span": {"start": "2020-01-01", "days": "x"}}, "span"),
        (DICT, {"id": 5}, None),
        (DICT, {"id": 5, "other": 1}, None),
        (DICT, {"id": "5"}, "id: '5' is not of type 'integer'"),
        ({"name": "loose", "parameters": {}}, {"what": "ever"}, None),
        ({"name": "bad", "parameters": {"properties": {"a": {"type": "text"}}}}, {"a": 1}, "own schema is not valid"),
    ],
)
def test_arguments_that_do_not_fit_are_named(tool: Any, arguments: object, said: str | None) -> None:
    """A call says why its arguments do not parse or do not fit; they are neither repaired nor given as a dict."""
    found = problem([tool], call(to_tools([tool])[0].name, arguments))
    assert found is None if said is None else said in str(found)


def test_a_tool_that_nobody_offered() -> None:
    """A call of an unknown tool says which there are."""
    assert problem([weather, DICT], call("wether", {})) == "no tool 'wether' was offered; there are: weather, lookup"


def test_calls_that_are_not_llmkits_are_left_alone() -> None:
    """A call of the service's own tool, and one of free text, is not held against a schema."""
    server, custom = {"type": "web_search"}, {"type": "custom", "custom": {"name": "shell"}}
    assert problem([server], call("web_search", {"q": 1})) is None
    assert problem([custom], call("shell", "ls -l", "custom")) == "a custom tool call carries free text, not JSON"


def test_every_choice_is_looked_at() -> None:
    """With several answers, the calls of each are marked; an answer without calls is the same object."""
    tools = to_tools([weather])
    choices = [
        Choice(Message("assistant", "hi")),
        *(Choice(Message("assistant", tool_calls=(call("x", {}),)), n) for n in (1, 2)),
    ]
    marked = mark_mismatches(tools, Response(tuple(choices)))
    assert marked.choices[0] is choices[0]
    assert all(choice.message.tool_calls[0].problem for choice in marked.choices[1:])


def test_many_problems_are_cut_short() -> None:
    """An error of many fields names the first few and counts the rest, and shows nothing that looks like a key."""

    def many(items: list[Annotated[int, AfterValidator(even)]]) -> None: ...

    text = problem([many], call("many", {"items": list(range(1, 99, 2))})) or ""
    assert "items.0: Value error, it is odd" in text
    assert "and 44 more" in text
    assert "sk-abc" not in (problem([weather], call("weather", {"city": "a", "unit": "sk-abcdefghijkl"})) or "")


# Values of every kind

small = st.integers(-(2**40), 2**40)
words = st.text(max_size=8)
days = st.dates()
KINDS: Final = [
    (int, small),
    (bool, st.booleans()),
    (str, words),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000)),
    (date, days),
    (datetime, st.datetimes()),
    (timedelta, st.timedeltas(timedelta(0), timedelta(days=99))),
    (UUID, st.uuids()),
    (Path, st.sampled_from([Path("a"), Path("b/c")])),
    (bytes, words.map(str.encode)),
    (Unit, st.sampled_from(Unit)),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (
        Optional[date],  # noqa: UP045
        st.none() | days,
    ),
    (int | None, st.none() | small),
    (list[date], st.lists(days, max_size=3)),
    (set[int], st.sets(small, max_size=3)),
    (tuple[int, str], st.tuples(small, words)),
    (dict[str, Unit], st.dictionaries(words, st.sampled_from(Unit), max_size=3)),
    (dict[int, date], st.dictionaries(small, days, max_size=3)),
    (Place, st.builds(Place, title=words, height=st.floats(0, 9))),
    (Point, st.builds(Point, small, small)),
    (Span, st.fixed_dictionaries({"start": days, "days": small})),
    (list[Place | Point], st.lists(st.builds(Point, small, small) | st.builds(Place, title=words), max_size=2)),
    (Annotated[int, Field(ge=0, description="natural")], st.integers(0, 99)),
    (Any, st.none() | small | words),
]


@st.composite
def functions(draw: Any) -> tuple[Any, dict[str, object], dict[str, object]]:
    """A function of random parameters that gives back what it got; arguments of the right types; the same as JSON."""
    chosen = draw(st.lists(st.sampled_from(KINDS), max_size=5))
    hints = {f"p{index}": hint for index, (hint, _) in enumerate(chosen)}
    with_default = draw(st.sets(st.sampled_from(sorted(hints)))) if hints else set()
    header = ", ".join(["*", *(f"{name}=None" if name in with_default else name for name in hints)]) if hints else ""
    space: dict[str, Any] = {}
    exec(f"def echo({header}): return dict(locals())", space)
    echo = space["echo"]
    echo.__annotations__ = hints
    values = {name: draw(chosen[index][1]) for index, name in enumerate(hints)}
    left_out = draw(st.sets(st.sampled_from(sorted(with_default)))) if with_default else set()
    given_values = {name: value for name, value in values.items() if name not in left_out}
    dumped = {name: TypeAdapter(hints[name]).dump_python(value, mode="json") for name, value in given_values.items()}
    return echo, {**dict.fromkeys(left_out), **given_values}, dumped


@given(made=functions())
def test_arguments_that_fit_arrive_typed(made: tuple[Any, dict[str, object], dict[str, object]]) -> None:
    """Whatever the hints are, arguments written in JSON fit the schema and arrive as the values that the hints say."""
    echo, values, dumped = made
    kept: list[dict[str, object]] = []
    tool = Tool.from_function(functools.wraps(echo)(lambda **arguments: kept.append(echo(**arguments))))
    json.dumps(tool.to_dict())
    made_call = call("echo", dumped)
    assert problem([tool], made_call) is None
    [message] = invoke_tools([tool], [made_call])
    assert message.content == "null"
    assert kept == [values]
    assert [type(kept[0][name]) for name in values] == [type(value) for value in values.values()]


@given(
    arguments=st.dictionaries(
        st.sampled_from(["city", "unit", "days", "x"]), st.none() | st.integers() | words | st.just("kelvin")
    )
)
def test_a_function_never_gets_what_its_schema_does_not_say(arguments: dict[str, Any]) -> None:
    """Random arguments either fit, and the function has its types, or the call says why not."""
    fits = (
        isinstance(arguments.get("city"), str)
        and arguments.get("unit", "kelvin") in ("celsius", "kelvin")
        and isinstance(arguments.get("days", 1), int)
        and arguments.get("days", 1) >= 1
        and "x" not in arguments
    )
    assert (problem([weather], call("weather", arguments)) is None) == fits


# From end to end


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_function_reaches_the_service_and_comes_back(sim: Simulator, drive: Drive, mode: str, provider: str) -> None:
    """Every service gets the schema; the answer's calls are looked at, plain and streamed; bad ones say so."""
    good, bad = '{"city": "Paris", "unit": "kelvin"}', '{"city": 5}'
    sim.script(Reply(tool_calls=[("weather", good, "c1"), ("weather", bad, "c2"), ("other", "{}", "c3")]))
    model = drive.make(sim, provider)
    response = drive.response(model, mode, tools=[weather])
    sent = sim.requests[-1].json["tools"]
    [function] = [tool["function"] for tool in sent]
    assert function["name"] == "weather"
    assert function["description"].startswith("The weather in a city.")
    unit = function["parameters"]["properties"]["unit"]
    assert ("$ref" in json.dumps(sent)) == (provider != "ollama"), "Ollama drops references"
    assert provider != "ollama" or unit["enum"] == ["celsius", "kelvin"]
    assert [made.arguments for made in response.tool_calls] == [json.loads(good), None, None]
    assert [str(made.problem).split(":")[0] for made in response.tool_calls[1:]] == [
        "the arguments do not fit",
        "no tool 'other' was offered; there are",
    ]
    assert json.loads(response.tool_calls[1].function.arguments) == json.loads(bad)


def test_a_tool_can_be_forced_by_name(sim: Simulator) -> None:
    """`tool_choice` takes the name of a function; the schema is one that a value can be made of."""
    with create_language(
        "openai", "gpt-4o-mini", base_url=sim.openai_url, api_key="sk-test-123", tools=[weather]
    ) as model:
        response = model.chat_complete("hi", tool_choice="weather")
    assert response.tool_calls[0].arguments is not None


def test_fake_models_take_functions() -> None:
    """A scripted answer is looked at like any other."""
    model = FakeModel(Answer(tool_calls=[("weather", {"city": "Paris"}), ("weather", "{")]))
    response = model.chat_complete("hi", tools=[weather])
    assert [made.arguments for made in response.tool_calls] == [{"city": "Paris"}, None]
    sent: Any = model.calls[0].settings["tools"]
    assert sent == [Tool.from_function(weather).to_dict()]
