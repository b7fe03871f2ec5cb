"""The tree of errors: its drawing, its classes, its texts, and that every error survives pickle and copies."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmkit
from llmkit import errors
from llmkit.errors import AllTargetsFailed, LLMError, StreamInterrupted
from llmkit.types.messages import Message
from llmkit.types.redaction import scrub
from llmkit.types.responses import Attempt, Choice, Response

CLASSES: Final = tuple(
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, LLMError) and cls.__module__ == errors.__name__
)
PLAIN: Final = tuple(cls for cls in CLASSES if cls not in (AllTargetsFailed, StreamInterrupted))


def drawn() -> dict[str, tuple[str | None, list[str]]]:
    """The tree in the module's docstring: name to parent, and to the builtins that it says the class also is."""
    found: dict[str, tuple[str | None, list[str]]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^    ((?:│   |    )*)(├── |└── )?([A-Z]\w+)(?: \(also (\w+)\))?(?:\s|$)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4 + (match[2] is not None)
        path = [*path[:depth], match[3]]
        found[match[3]] = (path[depth - 1] if depth else None, [match[4]] if match[4] else [])
    return found


def test_the_drawing_is_the_tree() -> None:
    """The tree at the top of the module has each class, under its parent, with the builtin that it also is."""
    actual = {}
    for cls in CLASSES:
        ours = [base.__name__ for base in cls.__bases__ if base in CLASSES]
        also = [base.__name__ for base in cls.__bases__ if base not in CLASSES and base is not Exception]
        actual[cls.__name__] = (ours[0] if ours else None, also)
    assert drawn() == actual


def test_the_other_errors_stand_where_the_module_says() -> None:
    """Each error that the docstring names with a module is defined in that module, or behind it."""
    named = re.findall(r"`(\w+)`\s\((llmkit[.\w]+)\)", errors.__doc__ or "")
    assert len(named) == 5
    for name, module in named:
        cls = getattr(llmkit, name)
        assert issubclass(cls, LLMError)
        assert f"{cls.__module__}.".startswith(f"{module}.")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_says_what_it_is(cls: type[LLMError]) -> None:
    """Each class has a docstring of its own, and a word on money, retrying and falling back."""
    assert cls.__dict__.get("__doc__")
    assert cls.__doc__ is not None
    assert cls.__doc__.strip().endswith(".") or "Attributes:" in cls.__doc__
    assert cls.billed in ("no", "unknown")
    assert isinstance(cls.retryable, bool)
    assert isinstance(cls.fallback, bool)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_can_be_imported_from_the_top(cls: type[LLMError]) -> None:
    """`llmkit.RateLimited` and `llmkit.errors.RateLimited` are one class."""
    assert getattr(llmkit, cls.__name__) is cls
    assert cls.__name__ in llmkit.__all__


def test_builtins_catch_what_they_should() -> None:
    """A wrong configuration is a ValueError too, a time-out is a TimeoutError too."""
    assert issubclass(llmkit.ConfigError, ValueError)
    assert issubclass(llmkit.Unsupported, ValueError)
    assert issubclass(llmkit.DeadlineExceeded, TimeoutError)
    assert not issubclass(llmkit.RateLimited, (ValueError, TimeoutError))


# --- Pickle and copies


def filled(cls: type[LLMError]) -> LLMError:
    """An error with every field set."""
    if cls is StreamInterrupted:
        reason = filled(llmkit.RateLimited)
        error: LLMError = StreamInterrupted("it broke off", reason=reason, partial_text="Hal")
    elif cls is AllTargetsFailed:
        error = AllTargetsFailed([filled(llmkit.RateLimited), filled(llmkit.CannotConnect)])
    else:
        error = cls(
            "it failed", hint="do this", provider="openrouter", model="m", status=429, code="rate", request_id="gen-1",
            retry_after=1.5, cause="ReadError: x", details={"a": [1, {"b": None}]},
        )  # fmt: skip
    error.partial_text = "Hal"
    error.partial = Response((Choice(Message("assistant", "Hal")),))
    error.attempts = (Attempt("openrouter", "m", cls.__name__), Attempt("openrouter", "m", cls.__name__))
    return error


def state(error: LLMError) -> dict[str, Any]:
    """The fields of an error, those of the errors in it too."""

    def plain(value: Any) -> Any:
        if isinstance(value, LLMError):
            return type(value), state(value)
        return tuple(plain(item) for item in value) if isinstance(value, tuple) else value

    return {name: plain(value) for name, value in error.__dict__.items()}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("way", ["pickle", "old pickle", "copy", "deepcopy"])
def test_every_error_survives(cls: type[LLMError], way: str) -> None:
    """Each error comes out of pickle and copies with its class, text, arguments and fields."""
    error = filled(cls)
    again = {
        "pickle": lambda: pickle.loads(pickle.dumps(error)),
        "old pickle": lambda: pickle.loads(pickle.dumps(error, 2)),
        "copy": lambda: copy.copy(error),
        "deepcopy": lambda: copy.deepcopy(error),
    }[way]()
    assert type(again) is cls
    assert again is not error
    assert (str(again), repr(again), again.args) == (str(error), repr(error), error.args)
    assert state(again) == state(error)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_of_another_process_arrives(cls: type[LLMError]) -> None:
    """An error that a worker process raises arrives as it is: nothing in it belongs to the worker alone."""
    data = pickle.dumps(filled(cls))
    names = {name.decode() for name in re.findall(rb"\x8c.([\w.]+)\x94\x8c", data)}
    assert not any(name.startswith(("openai", "httpx", "aiohttp")) for name in names)


# --- Texts


@pytest.mark.parametrize("cls", PLAIN, ids=lambda cls: cls.__name__)
def test_the_text_says_where_what_and_what_to_do(cls: type[LLMError]) -> None:
    """The text of an error has provider, model, what happened, status, code, the id to quote, and what to do."""
    text = str(filled(cls))
    for said in ("openrouter:m", "it failed", "429", "rate", "gen-1", "do this", "attempt 2"):
        assert said in text
    assert ".." not in text
    assert "  " not in text


@pytest.mark.parametrize("cls", PLAIN, ids=lambda cls: cls.__name__)
def test_the_text_of_a_bare_error(cls: type[LLMError]) -> None:
    """An error with nothing but a sentence shows the sentence, and its class's advice if it has one."""
    error = cls("it failed")
    assert str(error) == (f"it failed. {cls.advice}" if cls.advice else "it failed")
    assert "None" not in str(error)
    assert (error.provider, error.status, error.retry_after, error.partial) == (None, None, None, None)
    assert error.attempts == ()


#: Classes without advice of their own: those above others, and those of which only the text can say what to do.
NO_ADVICE: Final = {
    "LLMError", "LLMTimeout", "ConnectionFailed", "AllTargetsFailed", "BadRequest", "ConfigError", "Unsupported",
    "UnknownProvider", "ProviderConflict", "ProviderLoadError",
}  # fmt: skip


def test_every_class_says_what_to_do() -> None:
    """A failure that says nothing of its own says what its class advises."""
    assert {cls.__name__ for cls in CLASSES if not cls.advice} == NO_ADVICE


@pytest.mark.parametrize(("seconds", "shown"), [(90.0, "90 s"), (0.25, "0.25 s"), (None, None)])
def test_the_text_says_how_long_the_service_asks_to_wait(seconds: float | None, shown: str | None) -> None:
    """What a service said of the next try stands in the text, where it said it."""
    text = str(errors.RateLimited("too many", status=429, retry_after=seconds))
    assert (f"(the service asks to wait {shown})" in text) is (shown is not None)
    assert ("wait" in text) is (shown is not None)


def test_a_hint_of_nothing_silences_the_advice() -> None:
    """An empty hint means that there is nothing to add; `None` takes the class's advice."""
    assert str(llmkit.RateLimited("x", hint="")) == "x"
    assert llmkit.RateLimited("x").hint == llmkit.RateLimited.advice


def test_a_chain_that_failed_lists_its_attempts() -> None:
    """The error of a chain has a line for each attempt, the errors in order, and the shortest wait of all."""
    first, second = (
        llmkit.RateLimited("slow down", provider="a", model="m", retry_after=9),
        llmkit.CannotConnect("refused"),
    )
    error = AllTargetsFailed([first, second])
    lines = str(error).splitlines()
    assert "2" in lines[0]
    assert (str(first) in lines[1], str(second) in lines[2], len(lines)) == (True, True, 3)
    assert (error.errors, error.retry_after) == ((first, second), 9)
    third = llmkit.RateLimited("slow down", retry_after=2)
    assert AllTargetsFailed([first, third, second]).retry_after == 2
    assert AllTargetsFailed([second]).retry_after is None


def test_an_interrupted_stream_has_its_reason() -> None:
    """What ended a stream stands in `reason`, and its place, status and id are those of the interruption too."""
    reason = filled(llmkit.RateLimited)
    error = StreamInterrupted("broke off", reason=reason)
    assert error.reason is reason
    assert (error.provider, error.model, error.status, error.request_id) == ("openrouter", "m", 429, "gen-1")
    assert StreamInterrupted("broke off").reason is None


KEYS: Final = (
    "sk-or-v1-0123456789abcdef0123456789abcdef",
    "sk-proj-abcDEF0123456789_abc-DEF",
    "sk-ant-api03-abcdefghij",
    "gsk_abcdefghij0123456789",
    "xai-abcdefghij0123456789",
    "hf_abcdefghij0123456789",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "pplx-0123456789abcdef0123456789abcdef",
    "r8_0123456789abcdef0123456789abcdef012",
    "nvapi-0123456789abcdef0123456789abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXZhbHVl",
)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "frame",
    [
        "key {} is wrong", "{}", "'{}'", '{{"api_key":"{}"}}', "Authorization: Bearer {}", "bearer {}",
        "b'Bearer {}'", "https://a.example/?key={}&x=1", "x-api-key: {}", "({})", "{}.", "key={}",
    ],
)  # fmt: skip
def test_scrub_takes_keys_out(key: str, frame: str) -> None:
    """Text from elsewhere is shown without what looks like a credential, whatever stands around it."""
    text = frame.format(key)
    assert key not in scrub(text)
    assert key[8:-4] not in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "The model gpt-4o does not exist", "maximum context length is 8192 tokens", "rate limit: 20 per minute",
        "model 'llama3.1:8b' not found", "connection to api.example.com:443 refused", "gen-1786465024-Ab12Cd34",
        "task-1234 failed", "risk-averse people", "anthropic/claude-3.5-sonnet", "disk-encryption-key",
    ],
)  # fmt: skip
def test_scrub_leaves_plain_words_alone(text: str) -> None:
    """Text without a credential is shown as it came."""
    assert scrub(text) == text


@given(st.text(max_size=600), st.integers(1, 300))
def test_scrubbed_text_is_short_and_printable(text: str, limit: int) -> None:
    """Scrubbed text has at most the wanted length, and no character that moves a cursor or turns the writing around."""
    clean = scrub(text, limit)
    assert len(clean) <= limit
    forbidden = {
        *map(chr, range(0x20)),
        *map(chr, range(0x7F, 0xA0)),
        *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    }
    assert not (forbidden - {"\n", "\t"}) & set(clean)
