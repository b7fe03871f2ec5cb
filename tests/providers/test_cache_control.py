"""Prompt-cache breakpoints: where they are taken they stand on a text part, elsewhere they are left out."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import BadRequest, Message
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import to_messages
from llmkit.types.parts import ImagePart, OtherPart, TextPart
from llmkit_openrouter import OpenRouterOptions

if TYPE_CHECKING:
    from llmkit.testing.simulator import Simulator
    from tests.conftest import Drive

MARK: Final = {"type": "ephemeral"}
HOUR: Final = {"type": "ephemeral", "ttl": "1h"}
CLAUDE: Final = "anthropic/claude-sonnet-4.5"
PICTURE: Final = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def sent(messages: Any, provider: str = "openrouter", model: str = CLAUDE, **call: Any) -> dict[str, Any]:
    """The body that goes out."""
    made = Call(model, to_messages(messages), base_url="https://api.openai.com/v1", **call)
    backend = get_provider(provider)
    backend.check(made)
    body: dict[str, Any] = json.loads(backend.build(made).body)
    return body


def text(words: str, mark: Any = None) -> dict[str, Any]:
    """A text part."""
    return {"type": "text", "text": words, **({} if mark is None else {"cache_control": mark})}


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
@pytest.mark.parametrize("mark", [MARK, HOUR])
def test_a_mark_on_a_turn_stands_on_its_text(role: str, mark: dict[str, str]) -> None:
    """Plain text becomes one part, which bears the mark."""
    turn = {"role": role, "content": "long", "cache_control": mark}
    if role == "tool":
        turn["tool_call_id"] = "c"
    made = sent([turn])["messages"][0]
    assert made == {**{key: turn[key] for key in turn if key != "cache_control"}, "content": [text("long", mark)]}


def test_a_mark_on_a_turn_goes_to_its_last_text_part() -> None:
    """Other parts stay as they are and where they are."""
    turn = {"role": "user", "content": [text("a"), text("b"), PICTURE], "cache_control": MARK}
    assert sent([turn])["messages"][0]["content"] == [text("a"), text("b", MARK), PICTURE]


def test_a_mark_on_a_part_stays_there() -> None:
    """It goes out where it was put, of an image too, and the turn's own does not replace it."""
    parts = [text("a", HOUR), {**PICTURE, "cache_control": MARK}]
    assert sent([{"role": "user", "content": parts}])["messages"][0]["content"] == parts
    assert sent([{"role": "user", "content": parts, "cache_control": MARK}])["messages"][0]["content"] == parts


def test_a_span_that_is_not_set_is_not_sent() -> None:
    """`None` in a mark stands for "not set"."""
    mark = {**MARK, "ttl": None}
    body = sent(
        [{"role": "user", "content": "x", "cache_control": mark}], options=OpenRouterOptions(cache_control=mark)
    )  # type: ignore[arg-type]
    assert body["messages"][0]["content"] == [text("x", MARK)]
    assert body["cache_control"] == MARK


def test_a_message_made_by_hand_bears_marks_too() -> None:
    """`extra` of a `Message` or of a part is where a mark stands."""
    turns = [
        Message("system", "rules", extra={"cache_control": MARK}),
        Message("user", (TextPart("long", {"cache_control": HOUR}), ImagePart(PICTURE["image_url"]["url"]))),
    ]
    made = sent(turns)["messages"]
    assert made[0]["content"] == [text("rules", MARK)]
    assert made[1]["content"] == [text("long", HOUR), PICTURE]


@pytest.mark.parametrize("provider", ["openai", "groq", "mistral"])
def test_services_that_take_no_marks_get_none(provider: str) -> None:
    """The rest of the turn, of its parts and of the tools is as it was; what the user passed is not changed."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    marked = [
        {"role": "system", "content": "rules", "cache_control": MARK},
        {"role": "user", "content": [text("a", MARK), {**PICTURE, "cache_control": HOUR}]},
    ]
    kept = copy.deepcopy(marked)
    body = sent(marked, provider, "m", settings={"tools": [{**tool, "cache_control": MARK}]})
    assert "cache_control" not in json.dumps(body)
    assert body["messages"] == [
        {"role": "system", "content": "rules"},
        {"role": "user", "content": [text("a"), PICTURE]},
    ]
    assert body["tools"] == [tool]
    assert marked == kept


def test_a_part_of_an_unknown_type_loses_its_mark_too() -> None:
    """Its body is kept otherwise."""
    part = OtherPart({"type": "video_url", "video_url": {"url": "x"}, "cache_control": MARK})
    body = sent([Message("user", (part,))], "openai", "m")
    assert body["messages"][0]["content"] == [{"type": "video_url", "video_url": {"url": "x"}}]


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_a_mark_that_is_not_set_is_nothing(provider: str) -> None:
    """`None` is as good as no mark: plain text stays plain text."""
    turn = {"role": "user", "content": "hello", "cache_control": None}
    assert sent([turn], provider)["messages"] == [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "user", "content": [PICTURE]},
        {"role": "user", "content": ""},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
    ],
)
def test_a_mark_without_text_is_refused(turn: dict[str, Any]) -> None:
    """There is nothing that could bear it; the error says which turn."""
    with pytest.raises(BadRequest, match=r"messages\[1\].*cache_control"):
        sent([{"role": "user", "content": "x"}, {**turn, "cache_control": MARK}])


@pytest.mark.parametrize(
    "mark", [True, "ephemeral", {}, {"type": "forever"}, {"type": "ephemeral", "ttl": "2h"}, {"ttl": "1h"}]
)
def test_a_mark_of_another_form_is_refused(mark: object) -> None:
    """On the turn and on a part."""
    with pytest.raises(BadRequest, match=r"messages\[0\]: cache_control"):
        sent([{"role": "user", "content": "x", "cache_control": mark}])
    with pytest.raises(BadRequest, match=r"messages\[0\]: cache_control"):
        sent([{"role": "user", "content": [text("x", mark)]}])


@given(
    st.integers(0, 8),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([CLAUDE, "~" + CLAUDE, "google/gemini-2.5-pro"]),
)
def test_anthropic_takes_four(turns: int, tools: int, automatic: bool, model: str) -> None:
    """Marks of turns, tools and options count together; more than four are refused for Anthropic's models only."""
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": MARK}
    messages = [{"role": "user", "content": "x", "cache_control": MARK}] * turns or "x"
    call: dict[str, Any] = {"settings": {"tools": [tool] * tools} if tools else {}}
    if automatic:
        call["options"] = OpenRouterOptions(cache_control=True)
    if turns + tools + automatic > 4 and "claude" in model:
        with pytest.raises(BadRequest, match="breakpoints") as caught:
            sent(messages, model=model, **call)
        assert "at most 4" in caught.value.hint
    else:
        assert json.dumps(sent(messages, model=model, **call)).count("cache_control") == turns + tools + automatic


@pytest.mark.parametrize(("given_", "goes"), [(True, MARK), (MARK, MARK), (HOUR, HOUR)])
def test_the_automatic_mark(given_: Any, goes: dict[str, str]) -> None:
    """`True` is the usual one; it stands at the top of the body."""
    assert sent("x", options=OpenRouterOptions(cache_control=given_))["cache_control"] == goes


@pytest.mark.parametrize("value", [False, "yes", 1, {}, {"type": "x"}])
def test_the_automatic_mark_has_two_forms(value: Any) -> None:
    """Anything else is an error before sending."""
    with pytest.raises(BadRequest, match="cache_control"):
        OpenRouterOptions(cache_control=value)


def test_each_target_of_a_chain_gets_its_own_form(sim: Simulator, drive: Drive, mode: str) -> None:
    """The same messages bear the mark to OpenRouter, and none to OpenAI after it."""
    from llmkit import create_language
    from llmkit.testing.simulator import Reply

    spare = create_language("openai", "gpt-4o", base_url=sim.openai_url, api_key="k")
    model = drive.make(sim, "openrouter", CLAUDE, fallbacks=[drive.keep(spare)], retry=None)
    sim.script(*[Reply(status=402)], Reply())
    turn = {"role": "user", "content": "long", "cache_control": MARK}
    drive.response(model, mode, messages=[turn])
    bodies = [json.loads(request.body) for request in sim.requests]
    assert [body["messages"][0] for body in bodies] == [
        {"role": "user", "content": [text("long", MARK)]},
        {"role": "user", "content": "long"},
    ]
