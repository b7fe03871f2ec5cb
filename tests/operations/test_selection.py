"""Choosing from a list of models: what is asked for must be known to be there. No I/O."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import BadRequest, ConfigError, ModelInfo, Pricing
from llmkit.operations.selection import ModelList, Wanted, describe_age, nearest_models, select
from llmkit.types.model_info import CAPABILITIES
from llmkit.types.pricing import MILLION


def model(id_: str = "acme/one", prompt: str | None = None, completion: str | None = None, **more: Any) -> ModelInfo:
    """A model with prices per million."""
    prices = {
        key: None if text is None else Decimal(text) / MILLION
        for key, text in (("prompt", prompt), ("completion", completion))
    }
    return ModelInfo(id_, "acme", pricing=Pricing({**prices, **more.pop("prices", {})}), **more)


FREE = model("acme/free", "0", "0", context_length=8_000, supported_parameters=frozenset({"tools"}))
CHEAP = model("acme/cheap", "0.5", "2", context_length=128_000, input_modalities=frozenset({"text", "image"}))
DEAR = model("acme/dear", "5", "25", name="The Dear One", description="For hard Questions", context_length=1_000_000)
UNKNOWN = model("acme/unknown")
HALF = model("acme/half", "0.1")
ALL = (FREE, CHEAP, DEAR, UNKNOWN, HALF)


@pytest.mark.parametrize(
    ("asked", "fitting"),
    [
        ({}, ALL),
        ({"free": True}, (FREE,)),
        ({"free": False}, (CHEAP, DEAR, HALF)),
        ({"max_price": 2}, (FREE, CHEAP)),
        ({"max_price": 1.99}, (FREE,)),
        ({"max_price": 0}, (FREE,)),
        ({"max_price": Decimal("0.5")}, (FREE,)),
        ({"max_price": {"prompt": 0.5}}, (FREE, CHEAP, HALF)),
        ({"max_price": {"completion": 25, "prompt": 1}}, (FREE, CHEAP)),
        ({"max_price": {"image": 100}}, ()),
        ({"max_price": {}}, ALL),
        ({"min_context": 128_000}, (CHEAP, DEAR)),
        ({"min_context": 0}, (FREE, CHEAP, DEAR)),
        ({"supports": "tools"}, (FREE,)),
        ({"supports": "vision"}, (CHEAP,)),
        ({"supports": ("tools", "vision")}, ()),
        ({"supports": "temperature"}, ()),
        ({"query": "dear"}, (DEAR,)),
        ({"query": "QUESTIONS the"}, (DEAR,)),
        ({"query": "acme/"}, ALL),
        ({"query": "dear cheap"}, ()),
        ({"query": "  "}, ALL),
        ({"free": False, "min_context": 1_000_000, "query": "hard"}, (DEAR,)),
    ],
)
def test_what_fits(asked: dict[str, Any], fitting: tuple[ModelInfo, ...]) -> None:
    """Each filter keeps what is known to have what was asked for, in the order of the list."""
    assert select(ALL, Wanted.read(**asked)) == fitting


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"free": "yes"}, "free"),
        ({"free": 1}, "free"),
        ({"max_price": -1}, "max_price"),
        ({"max_price": "1"}, "max_price"),
        ({"max_price": True}, "max_price"),
        ({"max_price": float("nan")}, "max_price"),
        ({"max_price": float("inf")}, "max_price"),
        ({"max_price": Decimal("sNaN")}, "max_price"),
        ({"max_price": {"prompt": "x"}}, "max_price"),
        ({"max_price": {1: 1}}, "max_price"),
        ({"max_price": [1]}, "max_price"),
        ({"min_context": 1.5}, "min_context"),
        ({"min_context": True}, "min_context"),
        ({"min_context": -1}, "min_context"),
        ({"min_context": "8k"}, "min_context"),
        ({"supports": 5}, "supports"),
        ({"supports": [5]}, "supports"),
        ({"supports": ""}, "supports"),
        ({"supports": ["tools", " "]}, "supports"),
        ({"query": 5}, "query"),
        ({"query": ["a"]}, "query"),
    ],
)
def test_a_value_that_cannot_be_meant(asked: dict[str, Any], said: str) -> None:
    """A wrong value is an error that names the filter."""
    with pytest.raises(ConfigError, match=said) as caught:
        Wanted.read(**asked)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"supports": "vison"}, "vision"),
        ({"supports": "tool"}, "tools"),
        ({"supports": "qqqq"}, "Capabilities: "),
        ({"max_price": {"promt": 1}}, "prompt"),
        ({"max_price": {"qqqq": 1}}, "Prices: "),
    ],
)
def test_a_name_that_nothing_has(asked: dict[str, Any], said: str) -> None:
    """A capability or price that nothing here has is an error with the nearest name, also for an empty list."""
    for models in (ALL, ()):
        with pytest.raises(BadRequest) as caught:
            select(models, Wanted.read(**asked))
        assert said in caught.value.hint


def test_a_word_of_the_service_counts() -> None:
    """A parameter, a capability or a price that one of the models has can be asked for."""
    odd = model(supported_parameters=frozenset({"warp"}), capabilities={"embedding": True}, prices={"song": Decimal(0)})
    for asked in ({"supports": "warp"}, {"supports": "embedding"}, {"max_price": {"song": 1}}):
        assert select((odd, UNKNOWN), Wanted.read(**asked)) == (odd,)


prices = st.none() | st.decimals(0, 100, places=3)
models = st.builds(
    model,
    st.sampled_from(["a/x", "b/y", "c"]),
    prices,
    prices,
    context_length=st.none() | st.integers(0, 2_000_000),
    supported_parameters=st.none() | st.frozensets(st.sampled_from(["tools", "logprobs", "reasoning"])),
    input_modalities=st.none() | st.frozensets(st.sampled_from(["text", "image"])),
    description=st.none() | st.text(max_size=5),
)
asked = st.fixed_dictionaries(
    {},
    optional={
        "free": st.booleans(),
        "max_price": st.decimals(0, 100, places=2) | st.floats(0, 100),
        "min_context": st.integers(0, 2_000_000),
        "supports": st.lists(st.sampled_from(sorted(CAPABILITIES)), max_size=2),
        "query": st.text(max_size=2),
    },
)


@given(st.lists(models, max_size=6), asked)
def test_filters_choose_in_order_and_each_for_itself(rows: list[ModelInfo], wishes: dict[str, Any]) -> None:
    """Several filters keep exactly what each of them keeps, in order; applied again they keep all of it."""
    chosen = select(rows, Wanted.read(**wishes))
    alone = [select(rows, Wanted.read(**{name: value})) for name, value in wishes.items()]
    assert chosen == tuple(row for row in rows if all(row in each for each in alone))
    assert select(chosen, Wanted.read(**wishes)) == chosen


@given(models, asked)
def test_what_is_unknown_never_fits(row: ModelInfo, wishes: dict[str, Any]) -> None:
    """A model that fits has a known value for everything that was asked."""
    if not select([row], Wanted.read(**wishes)):
        return
    if "max_price" in wishes:
        assert row.pricing["prompt"] is not None
        assert row.pricing["completion"] is not None
    if "min_context" in wishes:
        assert row.context_length is not None
    if "free" in wishes:
        assert row.is_free is wishes["free"]
    assert all(row.supports(word) is True for word in wishes.get("supports", ()))


def listed(**given_: Any) -> ModelList:
    return ModelList(ALL, datetime.now(UTC) - timedelta(minutes=3, seconds=1), **given_)


def test_a_list_is_a_sequence() -> None:
    """A `ModelList` has length, order, membership and slices like a list; it is read only, equal by value."""
    made = listed()
    assert (len(made), made[0], made[-1]) == (5, FREE, HALF)
    assert made[1:3] == [CHEAP, DEAR]
    assert isinstance(made[:], list)
    assert DEAR in made
    assert list(made) == list(ALL)
    with pytest.raises(IndexError):
        made[5]
    with pytest.raises(AttributeError):
        made.stale = True  # type: ignore[misc]
    for copy in (pickle.loads(pickle.dumps(made)), ModelList.from_dict(made.to_dict())):
        assert copy == made
        assert hash(copy) == hash(made)


def test_a_list_says_how_old_it_is() -> None:
    """Age in seconds, and in words with `stale` in its short form."""
    assert 181 <= listed().age < 190
    assert repr(listed()) == "ModelList(5 models, 3 minutes old)"
    assert repr(listed(stale=True, problem="gone")) == "ModelList(5 models, stale, 3 minutes old)"
    assert repr(ModelList((FREE,), datetime.now(UTC))) == "ModelList(1 model, less than a minute old)"
    assert ModelList((), datetime.now(UTC) + timedelta(hours=1)).age == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute"), (60, "1 minute"), (3599, "59 minutes"), (7200, "2 hours"), (86_400, "1 day")],
)
def test_a_span_in_words(seconds: float, words: str) -> None:
    """The largest unit that fits, rounded down."""
    assert describe_age(seconds) == words


IDS = ["openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4.5", "llama3.1:8b", "Qwen/Qwen3"]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("openai/gpt-4p", "openai/gpt-4o"),
        ("gpt4o-mini", "openai/gpt-4o-mini"),
        ("claude-sonnet", "anthropic/claude-sonnet-4.5"),
        ("CLAUDE-SONNET-4.5", "anthropic/claude-sonnet-4.5"),
        ("llama3.1", "llama3.1:8b"),
        ("qwen/qwen3", "Qwen/Qwen3"),
        ("someone/gpt-4o:free", "openai/gpt-4o"),
    ],
)
def test_the_nearest_ids(name: str, first: str) -> None:
    """The first suggestion is the one that was meant."""
    assert nearest_models(name, IDS)[0] == first


def test_nothing_is_near() -> None:
    """A name that looks like none has no suggestion; there are never more than were asked for."""
    assert nearest_models("zzzzzz", IDS) == []
    assert len(nearest_models("gpt", [f"openai/gpt-{n}" for n in range(50)])) == 3


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=5))
def test_suggestions_are_known_ids(name: str, known: list[str]) -> None:
    """Whatever the names, every suggestion is one of the known ids."""
    assert set(nearest_models(name, known)) <= set(known)
