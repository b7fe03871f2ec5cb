"""A key does not leak: not from the `Secret` that holds it, and not from what a user makes with it."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import string
import traceback
from typing import Any, Final

import pytest
from pydantic_core import to_json

from llmkit import LanguageModel, LLMError, create_language
from llmkit.provider.exchange import Endpoint
from llmkit.types.secret import Secret

CANARY: Final = "sk-canary-0123456789abcdef"
LOCAL: Final = "http://127.0.0.1:9/v1"


@dataclasses.dataclass
class Holder:
    """What a program might keep a key in."""

    key: Secret


SECRET: Final = Secret(CANARY)
FORMS: Final = {
    "repr": lambda: repr(SECRET),
    "str": lambda: str(SECRET),
    "percent s": lambda: "%s" % SECRET,  # noqa: UP031
    "percent r": lambda: "%r" % SECRET,  # noqa: UP031
    "format": lambda: f"{SECRET}",
    "f-string": lambda: f"{SECRET}",
    "f-string with a width": lambda: f"{SECRET:>80}",
    "f-string with repr": lambda: f"{SECRET!r}",
    "f-string with ascii": lambda: f"{SECRET!a}",
    "Template": lambda: string.Template("$key").substitute(key=SECRET),
    "in a list": lambda: str([SECRET]),
    "in a dict": lambda: str({"key": SECRET}),
    "as a key": lambda: str({SECRET: 1}),
    "pprint": lambda: pprint.pformat({"key": [SECRET]}),
    "dataclass": lambda: repr(Holder(SECRET)),
    "endpoint": lambda: repr(Endpoint("https://a.example", api_key=SECRET)),
    "vars of a holder": lambda: str(vars(Holder(SECRET))),
    "exception": lambda: str(ValueError(SECRET)) + repr(ValueError(SECRET)),
    "json default": lambda: json.dumps({"key": SECRET}, default=str),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_text_form_shows_the_key(form: str) -> None:
    """Whatever makes text of a Secret gets a mask."""
    text = FORMS[form]()
    assert "canary" not in text
    assert text


REFUSED: Final = {
    "json": lambda: json.dumps({"key": SECRET}),
    "pydantic json": lambda: to_json({"key": SECRET}),
    "pickle": lambda: pickle.dumps(SECRET),
    "pickle 0": lambda: pickle.dumps(SECRET, 0),
    "pickle of a holder": lambda: pickle.dumps(Holder(SECRET)),
    "pickle of an endpoint": lambda: pickle.dumps(Endpoint("https://a.example", api_key=SECRET)),
    "copy": lambda: copy.copy(SECRET),
    "deepcopy": lambda: copy.deepcopy(SECRET),
    "asdict": lambda: dataclasses.asdict(Holder(SECRET)),
    "vars": lambda: vars(SECRET),
    "iteration": lambda: list(SECRET),  # type: ignore[call-overload]
    "bytes": lambda: bytes(SECRET),  # type: ignore[call-overload]
    "addition": lambda: "key " + SECRET,  # type: ignore[operator]
    "set state": lambda: SECRET.__setstate__({}),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_would_copy_the_key_is_refused(form: str) -> None:
    """Whatever would copy or store a Secret raises, and the error does not show the key."""
    with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
        REFUSED[form]()
    assert "canary" not in str(caught.value)


def test_only_reveal_gives_the_key() -> None:
    """The key itself comes out of `reveal`."""
    assert SECRET.reveal() == CANARY


def test_secrets_are_compared_by_value() -> None:
    """Two Secrets of one key are equal and have one hash; a Secret equals no plain text."""
    assert Secret(CANARY) == SECRET
    assert hash(Secret(CANARY)) == hash(SECRET)
    assert Secret("sk-other-0123456789") != SECRET
    assert SECRET != CANARY
    assert Secret("schlüssel") != SECRET


def test_a_log_record_holds_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """A Secret as the argument of a log call is masked in the line."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("a").warning("key %s %r", SECRET, SECRET)
    assert "canary" not in caplog.text


def models() -> list[LanguageModel]:
    """Models that hold the key: given as text, as a Secret, by a callable, and to a copy."""
    made = [
        create_language("openai", "m", base_url=LOCAL, api_key=CANARY),
        create_language("openrouter", "m", api_key=CANARY, fallbacks=["ollama:x"]),
        create_language("groq", "m", config={"api_key": CANARY}),
    ]
    return [*made, made[0].with_settings(temperature=0)]


def reachable(value: object, depth: int = 6) -> list[tuple[str, str]]:
    """Texts that are reached from a value through its attributes, keys and items, but not through a Secret."""
    found: list[tuple[str, str]] = []
    seen: set[int] = set()

    def walk(item: Any, path: str, left: int) -> None:
        if id(item) in seen or left < 0 or isinstance(item, Secret):
            return
        seen.add(id(item))
        if isinstance(item, (str, bytes)):
            found.append((path, item.decode("latin-1") if isinstance(item, bytes) else item))
        elif isinstance(item, dict):
            for key, inner in list(item.items()):
                walk(key, f"{path} key", left - 1)
                walk(inner, f"{path}[{key!r}]", left - 1)
        elif isinstance(item, (list, tuple, set, frozenset)):
            for inner in item:
                walk(inner, f"{path}[...]", left - 1)
        elif type(item).__module__.startswith("llmkit"):
            slots = [name for cls in type(item).__mro__ for name in getattr(cls, "__slots__", ())]
            for name in {*getattr(item, "__dict__", {}), *slots}:
                if hasattr(item, name):
                    walk(getattr(item, name), f"{path}.{name}", left - 1)

    walk(value, "model", depth)
    return found


@pytest.mark.parametrize("index", range(4))
def test_a_model_holds_its_key_as_a_secret_only(index: int) -> None:
    """Neither the repr of a model nor any plain text reachable from it holds the key; only a Secret does."""
    model = models()[index]
    assert "canary" not in repr(model)
    assert "canary" not in repr(vars(model))
    assert "canary" not in pprint.pformat(vars(model))
    assert [path for path, text in reachable(model) if "canary" in text] == []


@pytest.mark.parametrize("index", range(4))
def test_a_model_cannot_be_stored(index: int) -> None:
    """A model, which holds a key and connections, cannot be pickled into a file."""
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)) as caught:
        pickle.dumps(models()[index])
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 9},
        {"temprature": 0.5},
        {"base_url": "https://evil.example/v1?x=1", "allow_insecure": "yes"},
        {"base_url": "http://evil.example/v1"},
        {"base_url": "ftp://evil.example"},
        {"fallbacks": ["nobody:x"]},
        {"timeout": "soon"},
        {"tools": 5},
        {"api_key": f"{CANARY}\n{CANARY}"},
        {"api_key": f"{CANARY}ü"},
        {"api_key": f"{CANARY} {CANARY}"},
        {"api_key": [CANARY]},
        {"api_key": CANARY.encode()},
        {"base_url": f"https://user:{CANARY}@api.example/v1"},
        {"base_url": f"https://{CANARY}@api.example/v1"},
        {"proxy": f"http://user:{CANARY}@proxy.example:8080", "top_p": 7},
        {"extra_headers": {"x-api-key": CANARY}, "seed": "x"},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_a_configuration_error_holds_no_key(settings: dict[str, Any]) -> None:
    """An error of the configuration never shows the key: not in its text, its fields, its chain or its traceback."""
    with pytest.raises(LLMError) as caught:
        create_language("openai", "m", **{"api_key": CANARY, **settings}).chat_complete("x")
    error = caught.value
    text = "".join(traceback.TracebackException.from_exception(error).format())
    for shown in (str(error), repr(error), repr(error.__dict__), text):
        assert "canary" not in shown
    assert b"canary" not in pickle.dumps(error)


def test_a_key_of_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of the environment that has a line break in it is refused by the variable's name alone."""
    monkeypatch.setenv("OPENAI_API_KEY", f"{CANARY}\nx{CANARY}")
    with pytest.raises(LLMError, match="OPENAI_API_KEY") as caught:
        create_language("openai", "m")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("given", [f"{CANARY}\n{CANARY}", f"{CANARY}ü{CANARY}", "", None, 5, f" {CANARY}\r\nX-Evil: 1"])
def test_a_callable_that_gives_no_usable_key(given: Any) -> None:
    """What a key callable gives is checked as a given key is, and the error does not show it."""
    with (
        create_language("openai", "m", base_url=LOCAL, api_key=lambda: given, retry=None) as model,
        pytest.raises(LLMError) as caught,
    ):
        model.chat_complete("x")
    error = caught.value
    assert type(error).__name__ == "ConfigError"
    shown = str(error) + repr(error.__dict__) + "".join(traceback.TracebackException.from_exception(error).format())
    assert "canary" not in shown


@pytest.mark.parametrize("logger", ["", "llmkit", "openai", "httpx2", "httpx", "httpcore2", "httpcore", "aiohttp"])
def test_no_logger_gets_the_key(logger: str, closed_port: int) -> None:
    """With every logger at DEBUG, a call that fails to connect leaves no key and no prompt in the log."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger(logger)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with (
            create_language(
                "openai", "m", base_url=f"http://127.0.0.1:{closed_port}", api_key=CANARY, retry=None
            ) as model,
            pytest.raises(LLMError),
        ):
            model.chat_complete("the prompt is private-words")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "canary" not in stream.getvalue()
    assert "private-words" not in stream.getvalue()
