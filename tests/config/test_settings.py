"""Settings: names, types and ranges, what the environment gives, and which source wins."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit import (
    BadRequest,
    CallSettings,
    ConfigError,
    LLMError,
    RetryPolicy,
    Settings,
    UnknownProvider,
    Unsupported,
    create_language,
)
from llmkit.config.backend_settings import keep_supported, pick_options, read_environment
from llmkit.config.setting_checks import check_settings
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import get_provider
from llmkit.testing.simulator import Simulator
from llmkit.types.settings import ATTRIBUTION, EFFORTS, RULES, SAMPLING
from llmkit_ollama import OllamaOptions
from llmkit_openrouter import OpenRouterOptions

EXAMPLES: Final = settings.default.max_examples
CALL: Final = frozenset(CallSettings.__annotations__)
MODEL: Final = frozenset(Settings.__annotations__)


def error_of(name: str, value: object, *, call: bool = False) -> ConfigError:
    """The error of one wrong setting."""
    with pytest.raises(ConfigError) as caught:
        check_settings({name: value}, call=call)
    return caught.value


# --- Names


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("temprature", "temperature"), ("temp", "temperature"), ("max_token", "max_tokens"),
        ("maxtokens", "max_tokens"), ("max_output_tokens", "max_tokens"), ("topp", "top_p"), ("stops", "stop"),
        ("tool", "tools"), ("Temperature", "temperature"), ("apikey", "api_key"), ("baseurl", "base_url"),
        ("base_uri", "base_url"), ("fallback", "fallbacks"), ("time_out", "timeout"), ("stream", "streaming"),
        ("header", "extra_headers"), ("seeds", "seed"),
    ],
)  # fmt: skip
def test_an_unknown_name_gives_the_nearest(name: str, near: str) -> None:
    """A misspelt setting is an error that names the one that was meant."""
    error = error_of(name, 1)
    assert repr(name) in str(error)
    assert near in str(error)


@pytest.mark.parametrize("name", ["xyzzy", "q", "", "foo_bar_baz"])
def test_a_name_near_to_nothing_says_where_it_may_go(name: str) -> None:
    """A name that is like none says how a field of the service's own is sent."""
    assert "extra_body" in str(error_of(name, 1))


@pytest.mark.parametrize("name", sorted(MODEL - CALL))
def test_what_belongs_to_the_model_is_no_setting_of_a_call(name: str) -> None:
    """A setting of the model in a call is an error that says where it belongs."""
    error = error_of(name, "x", call=True)
    assert name in str(error)
    assert "create_language" in str(error)


def test_a_name_that_is_no_text_is_refused() -> None:
    """A key of `config=` that is no text is a ConfigError."""
    error_of(5, 1)  # type: ignore[arg-type]


def test_every_setting_has_a_rule() -> None:
    """The table of rules has each setting, and nothing else."""
    assert set(RULES) == MODEL


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_example_of_a_rule_fits_it(name: str) -> None:
    """A rule takes its own example; each setting that goes to a service has one."""
    example = RULES[name].example
    assert example is not None or name not in SAMPLING | ATTRIBUTION
    if example is not None:
        assert check_settings({name: example}, call=False) == {name: example}


# --- Values

INSIDE: Final = [
    ("temperature", 0), ("temperature", 0.0), ("temperature", 2), ("temperature", 2.0), ("temperature", 1e-9),
    ("top_p", 1), ("top_p", 1.0), ("top_p", 1e-9), ("top_k", 0), ("top_k", 10**6), ("min_p", 0), ("min_p", 1),
    ("top_a", 0), ("top_a", 1), ("max_tokens", 1), ("max_tokens", 10**9), ("frequency_penalty", -2),
    ("frequency_penalty", 2), ("presence_penalty", -2.0), ("presence_penalty", 2.0), ("repetition_penalty", 1e-9),
    ("repetition_penalty", 2), ("seed", 0), ("seed", -1), ("seed", 2**63), ("n", 1), ("n", 128), ("top_logprobs", 0),
    ("top_logprobs", 20), ("timeout", 0.001), ("timeout", 3600), ("deadline", 0.001), ("max_connections", 1),
    ("stop", "x"), ("stop", ["a", "b"]), ("stop", ("a",)), ("stop", []), ("logprobs", True), ("logprobs", False),
    ("logit_bias", {"50256": -100}), ("logit_bias", {50256: 100}), ("logit_bias", {}), ("tools", []),
    ("tool_choice", "auto"), ("tool_choice", {"type": "function", "function": {"name": "f"}}),
    ("parallel_tool_calls", False), ("structured", {"type": "json"}), ("structured", {"type": "object"}),
    ("structured", int), ("structured", list[int]), ("structured_retries", 0), ("structured_retries", 10),
    ("structured_by", "native"), ("structured_by", "instruction"), ("tools", [len]), ("max_context_messages", 1),
    ("reasoning", "high"), ("reasoning", 2048), ("reasoning", True), ("reasoning", False), ("user", "u"),
    ("metadata", {"a": "b"}), ("service_tier", "flex"), ("modalities", ["text"]), ("audio", {"voice": "x"}),
    ("prediction", {"type": "content", "content": "x"}), ("verbosity", "low"), ("retry", RetryPolicy()),
    ("streaming", True), ("extra_body", {"a": 1}), ("extra_headers", {"X-A": "b"}),
    ("extra_headers", lambda request: {"X-A": request.path}), ("on_unsupported", "drop"),
    ("on_unsupported", "error"), ("options", OpenRouterOptions()), ("options", [OpenRouterOptions(), OllamaOptions()]),
    ("api_key", "sk-x"), ("api_key", lambda: "sk-x"), ("base_url", "https://a.example/v1"), ("fallbacks", []),
    ("fallbacks", ["ollama:x"]), ("site_url", "https://a.example"), ("app_name", "A"), ("proxy", "http://p:1"),
    ("ca_bundle", "/x.pem"), ("client_cert", "/x.pem"), ("client_cert", ("/x.pem", "/y.pem")),
    ("allow_insecure", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), INSIDE)
def test_values_just_inside_are_taken(name: str, value: object) -> None:
    """A value inside its range is taken, and stays what it was."""
    assert check_settings({name: value}, call=name in CALL) == {name: value}


def test_every_setting_has_a_value_inside() -> None:
    """The table above has each setting."""
    assert {name for name, _ in INSIDE} == MODEL


OUTSIDE: Final = [
    ("temperature", -1e-9), ("temperature", 2.0000001), ("temperature", math.nan), ("temperature", math.inf),
    ("temperature", "0.5"), ("temperature", True), ("temperature", [0.5]), ("temperature", 1j),
    ("top_p", 0), ("top_p", -0.1), ("top_p", 1.0000001), ("top_p", math.nan), ("top_k", -1), ("top_k", 1.5),
    ("top_k", 5.0), ("min_p", -0.1), ("min_p", 1.1), ("top_a", -0.1), ("top_a", 1.1), ("max_tokens", 0),
    ("max_tokens", -1), ("max_tokens", 1.5), ("max_tokens", "100"), ("max_tokens", True), ("max_tokens", math.inf),
    ("frequency_penalty", -2.01), ("frequency_penalty", 2.01), ("presence_penalty", -2.01),
    ("presence_penalty", 2.01), ("repetition_penalty", 0), ("repetition_penalty", 2.01), ("seed", 1.5),
    ("seed", "x"), ("seed", True), ("n", 0), ("n", 129), ("top_logprobs", -1), ("top_logprobs", 21),
    ("timeout", 0), ("timeout", -1), ("timeout", math.inf), ("timeout", math.nan), ("timeout", "10"),
    ("deadline", 0), ("deadline", -1), ("max_connections", 0), ("max_connections", 1.5),
    ("stop", 5), ("stop", {"a": 1}), ("logprobs", 1), ("logprobs", "true"), ("logit_bias", [1]),
    ("tools", {"type": "function"}), ("tools", "f"), ("tools", 5), ("tool_choice", 5), ("tool_choice", ["f"]),
    ("tool_choice", True), ("parallel_tool_calls", "no"), ("parallel_tool_calls", 0), ("structured", "json"),
    ("structured", [1]), ("structured", True), ("structured", {}), ("structured_retries", -1),
    ("structured_retries", 11), ("structured_retries", 1.5), ("structured_by", "text"), ("structured_by", True),
    ("max_context_messages", 0), ("max_context_messages", "all"), ("reasoning", "hgih"), ("reasoning", "HIGH"), ("reasoning", 1.5),
    ("reasoning", ["high"]), ("reasoning", {"effort": "high"}), ("user", 5), ("metadata", "a=b"),
    ("service_tier", 5), ("modalities", "text"), ("audio", "alloy"), ("prediction", "x"), ("verbosity", 1),
    ("retry", 3), ("retry", "no"), ("retry", True), ("streaming", 1), ("streaming", "yes"),
    ("extra_headers", "X-A: b"), ("extra_headers", {"X-A": 1}), ("extra_headers", {1: "b"}),
    ("extra_headers", [("X-A", "b")]), ("extra_headers", 5), ("extra_body", [1]), ("extra_body", "x"),
    ("on_unsupported", "ignore"), ("on_unsupported", True), ("on_unsupported", ["drop"]),
    ("api_key", 5), ("api_key", b"sk-x"), ("api_key", "  "), ("base_url", 5), ("base_url", b"https://a.example"),
    ("fallbacks", "ollama:x"), ("fallbacks", 5), ("fallbacks", [5]), ("fallbacks", ["ollama"]),
    ("fallbacks", {"ollama": "x"}), ("site_url", 5), ("app_name", 5), ("proxy", 5), ("ca_bundle", 5),
    ("client_cert", 5), ("client_cert", ("/x.pem",)), ("client_cert", (1, 2)), ("allow_insecure", "yes"),
    ("allow_insecure", 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), OUTSIDE)
def test_values_just_outside_are_refused(name: str, value: object) -> None:
    """A value outside its range, or of another type, is a ConfigError that names the setting and what it takes.

    It rises where the setting is given: at `create_language`, not at the first call.
    """
    with pytest.raises(ConfigError) as caught:
        create_language("openrouter", "m", **{"api_key": "sk-x", name: value})
    text = str(caught.value)
    assert name.removesuffix("s") in text
    assert " must be " in text or caught.value.hint, f"no word on what to do: {text}"
    assert "sk-x" not in text


KEYS: Final = [
    "sk-or-v1-0123456789abcdef0123456789abcdef", "gsk_0123456789abcdefghij", "AIzaSy0123456789abcdefghijklmnop",
    "hf_abcdefghij0123456789", "0123456789abcdef0123456789abcdef", "0b9f2a44-1c1d-4a5e-8f00-1234567890ab",
    "postgres://user:hunter2@host/database", "correct horse battery staple, and twenty words more of a passphrase",
]  # fmt: skip


def refusal(*target: Any, **given: Any) -> str:
    """All text of the error that such a model gives; empty where it can be made."""
    try:
        create_language(*target, **given).close()
    except LLMError as error:
        return f"{error} {error!r} {error.message} {error.hint}"
    return ""


@pytest.mark.parametrize("key", KEYS)
def test_no_error_shows_what_may_be_a_secret(key: str) -> None:
    """A key that stands in the place of any setting, of a name or of a provider, is in no error text."""
    for name in sorted(MODEL - {"api_key"}):
        for value in (key, [key], {key: key}, {"type": key}, {"effort": key}, (key, 5), {key: 1000}):
            assert key not in refusal("openrouter", "m", api_key="sk-x", **{name: value}), name
    with create_language("openrouter", "m", api_key="sk-x", base_url="http://127.0.0.1:9", retry=None) as model:
        for given in ({"tool_choice": key, "tools": [len]}, {key: 1}, {"verbosity": key}, {"service_tier": key}):
            with pytest.raises((ConfigError, BadRequest)) as caught:
                model.chat_complete("x", **given)  # type: ignore[call-overload]
            assert key not in str(caught.value), given
    for target in ((key, "m"), (key, None)):
        assert key.lower() not in refusal(*target).lower()


@pytest.mark.parametrize("name", ["temprature", "api_base_url", "my-provider", "openai/gpt-4o-mini:free", "a" * 64])
def test_a_name_is_shown(name: str) -> None:
    """A short name that does not look like a key is shown, so that its user finds it."""
    assert repr(name) in str(error_of(name, 1))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("temperature", 3, "temperature must be a number from 0 to 2, not 3"),
        ("temperature", "0.5", "temperature must be a number from 0 to 2, not text"),
        ("top_p", 0, "top_p must be a number above 0, up to 1, not 0"),
        ("max_tokens", 0, "max_tokens must be a whole number of 1 or more, not 0"),
        ("stop", 3, "stop must be text or a list of texts, not 3"),
        ("stop", ["a", 3], "stop[1] must be text, not 3"),
        ("logprobs", 1, "logprobs must be True or False, not 1"),
        ("on_unsupported", "dorp", "on_unsupported must be 'error' or 'drop', not 'dorp'. Did you mean drop?"),
        ("metadata", {"a": 1}, "metadata['a'] must be text, not 1"),
        ("timeout", 10**400, "timeout must be a number above 0, not a very large number"),
    ],
)
def test_an_error_says_one_fact(name: str, value: object, text: str) -> None:
    """The text says what a setting must be and what it is instead, in one sentence."""
    assert str(error_of(name, value)) == text


INNER: Final = [
    ("stop", [5]), ("stop", [None]), ("stop", ["a", b"b"]), ("stop", b"x"), ("logit_bias", {"1": "x"}),
    ("logit_bias", {"1": math.nan}), ("logit_bias", {"1": 101}), ("logit_bias", {"1": -101}), ("tools", [5]),
    ("tools", ["f"]), ("tools", [{}]), ("tools", [{"type": "function"}]), ("tools", b"x"),
    ("tools", [{"type": "function", "function": {}}]), ("tools", [{"type": "function", "function": {"name": ""}}]),
    ("tools", [{"type": "function", "function": {"name": "f", "parameters": "x"}}]), ("reasoning", -1),
    ("reasoning", 0), ("metadata", {"a": 1}), ("metadata", {1: "a"}), ("modalities", [5]), ("modalities", b"x"),
    ("tool_choice", "no_such_tool"), ("structured", {"type": "json_schema"}),
    ("structured", {"type": "json_schema", "json_schema": {"name": "x"}}), ("structured", {}),
    ("top_logprobs", 5),
]  # fmt: skip


@pytest.mark.covering(1)
@pytest.mark.parametrize(
    ("name", "value"), INNER + [(name, value) for name, value in OUTSIDE if name in CALL], ids=lambda value: repr(value)
)
@pytest.mark.parametrize("provider", ["openrouter", "openai"])
def test_what_is_wrong_in_a_call_is_not_sent(provider: str, name: str, value: object) -> None:
    """A wrong setting of a call, and one that is wrong inside, is refused before anything is sent, by its name."""
    with (
        create_language(provider, "m", api_key="sk-x", base_url="http://127.0.0.1:9", retry=None) as model,
        pytest.raises((ConfigError, BadRequest)) as caught,
    ):
        model.chat_complete("x", **{name: value})
    assert name.removesuffix("s") in str(caught.value)


BROKEN: Final = "b\r\nX-B: c"
UNSENDABLE: Final = {
    "line break in a value": {"extra_headers": {"X-A": BROKEN}},
    "line feed in a value": {"extra_headers": {"X-A": "b\nX-B: c"}},
    "NUL in a value": {"extra_headers": {"X-A": "b\0"}},
    "no Latin letter": {"extra_headers": {"X-A": "\u2713"}},
    "blank in a name": {"extra_headers": {"X A": "b"}},
    "colon in a name": {"extra_headers": {"X-A:": "b"}},
    "no name": {"extra_headers": {"": "b"}},
    "callable with a line break": {"extra_headers": lambda request: {"X-A": BROKEN}},
    "callable with a number": {"extra_headers": lambda request: {"X-A": 5}},
    "callable that gives no dict": {"extra_headers": lambda request: 5},
    "app name with a line break": {"app_name": BROKEN},
    "site with a line break": {"site_url": f"https://a.example{BROKEN}"},
    "proxy without a scheme": {"proxy": "not an address"},
    "proxy of another kind": {"proxy": "ftp://127.0.0.1:1"},
}


@pytest.mark.parametrize("what", UNSENDABLE)
def test_what_cannot_be_sent_is_a_configuration_error(what: str, sim: Simulator, drive: Any) -> None:
    """A header or proxy that cannot be used is a ConfigError, not a connection that is tried again; nothing is sent."""
    with pytest.raises(ConfigError) as caught:
        drive.ask(drive.make(sim, "openrouter", **UNSENDABLE[what]))
    assert len(caught.value.attempts) <= 1
    assert sim.requests == []


@pytest.mark.parametrize("given", [{"ca_bundle": "/no/such/file.pem"}, {"client_cert": "/no/such/file.pem"}], ids=str)
def test_a_certificate_that_is_not_there(given: dict[str, Any], drive: Any) -> None:
    """A file of certificates that cannot be read is a ConfigError that names the setting."""
    with pytest.raises(ConfigError, match=next(iter(given))):
        drive.ask(
            drive.keep(create_language("openai", "m", api_key="sk-x", base_url="https://127.0.0.1:9/v1", **given))
        )


def test_an_app_name_may_have_any_letters(sim: Simulator, drive: Any) -> None:
    """A name that no header can carry as it is, such as one in Japanese, is sent in some form or refused at once."""
    try:
        model = drive.make(sim, "openrouter", app_name="\u30a2\u30d7\u30ea", site_url="https://a.example")
    except ConfigError:
        return
    assert drive.ask(model).content


@pytest.mark.parametrize("name", sorted(MODEL))
def test_none_means_not_set(name: str) -> None:
    """`None` leaves a setting as if it had not been given; only `retry=None` says something."""
    assert check_settings({name: None}, call=False) == ({"retry": None} if name == "retry" else {})


#: The numbers among the settings, with the lowest and highest value that documentation gives.
BOUNDS: Final[dict[str, tuple[float | None, float | None]]] = {
    "temperature": (0, 2), "top_p": (0, 1), "top_k": (0, None), "min_p": (0, 1), "top_a": (0, 1),
    "max_tokens": (1, None), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2), "repetition_penalty": (0, 2),
    "seed": (None, None), "n": (1, 128), "top_logprobs": (0, 20), "structured_retries": (0, 10),
    "max_context_messages": (1, None), "timeout": (0, None), "deadline": (0, None), "max_connections": (1, None),
}  # fmt: skip
VALUES: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**300),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.decimals(),
    st.fractions(),
    st.lists(st.integers() | st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3) | st.integers(), st.integers() | st.text(max_size=3), max_size=2),
    st.sets(st.integers(), max_size=2),
    st.complex_numbers(),
    st.builds(object),
)


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(st.sampled_from(sorted(MODEL)) | st.text(max_size=12), VALUES)
def test_any_setting_is_taken_or_refused(name: str, value: object) -> None:
    """Whatever is given, the check takes it or raises ConfigError; a number that it takes lies in its range."""
    try:
        taken = check_settings({name: value}, call=False)
    except ConfigError:
        return
    if name in BOUNDS and value is not None:
        low, high = BOUNDS[name]
        number = taken[name]
        assert number is value
        assert type(number) in (int, float)
        assert math.isfinite(number) if isinstance(number, float) else True  # type: ignore[redundant-expr]
        assert low is None or number >= low  # type: ignore[operator]
        assert high is None or number <= high  # type: ignore[operator]


def test_a_decimal_is_said_to_be_no_number_of_ours() -> None:
    """A Decimal is refused rather than sent as text."""
    assert "temperature" in str(error_of("temperature", Decimal("0.5")))


@pytest.mark.parametrize("field", ["attempts", "chain_attempts", "total_attempts"])
@pytest.mark.parametrize("value", [0, 1.5])
def test_a_retry_policy_counts_attempts(field: str, value: Any) -> None:
    """A number of attempts is a whole number of 1 or more."""
    with pytest.raises(ConfigError, match=field):
        RetryPolicy(**{field: value})


@pytest.mark.parametrize("field", ["backoff", "longest_backoff", "longest_hint"])
@pytest.mark.parametrize("value", [-0.1, math.nan])
def test_a_retry_policy_waits_forwards(field: str, value: Any) -> None:
    """A wait of a policy is a finite number of seconds, 0 or more."""
    with pytest.raises(ConfigError, match=field):
        RetryPolicy(**{field: value})


@pytest.mark.parametrize("seconds", [86_400, 1e12])
def test_a_very_long_timeout_works(sim: Simulator, seconds: float, drive: Any) -> None:
    """A timeout of any size that is accepted can be waited for."""
    model = drive.make(sim, "openai", timeout=seconds, deadline=seconds)
    assert drive.ask(model).content


# --- What a backend has


@pytest.mark.parametrize("provider", ["openrouter", "openai", "ollama", "groq"])
def test_what_a_backend_does_not_have_is_said(provider: str) -> None:
    """A setting that a backend does not have is Unsupported, naming both; `drop` leaves it out."""
    backend = get_provider(provider)
    for name in sorted(SAMPLING | ATTRIBUTION):
        if name in backend.supported:
            assert keep_supported(backend, {name: 1}, drop=False) == {name: 1}
            continue
        with pytest.raises(Unsupported, match=name) as caught:
            keep_supported(backend, {name: 1}, drop=False)
        assert "drop" in caught.value.hint
        assert caught.value.provider == provider
        assert keep_supported(backend, {name: 1}, drop=True) == {}


def test_unsupported_rises_where_it_is_given() -> None:
    """An unsupported setting rises at `create_language`, or at the call that gives it."""
    with pytest.raises(Unsupported, match="n"):
        create_language("ollama", "m", n=2)
    with create_language("ollama", "m") as model, pytest.raises(Unsupported, match="tool_choice"):
        model.chat_complete("x", tool_choice="auto")
    with create_language("ollama", "m", n=2, on_unsupported="drop"):
        pass


def test_options_go_to_their_own_provider() -> None:
    """Of several options objects each provider takes its own; another's is passed over."""
    openrouter, ollama = get_provider("openrouter"), get_provider("ollama")
    both = [OpenRouterOptions(session_id="s"), OllamaOptions(num_ctx=8192)]
    assert pick_options(openrouter, both) is both[0]
    assert pick_options(ollama, both) is both[1]
    assert pick_options(ollama, both[1]) is both[1]
    assert pick_options(get_provider("openai"), both) is None


@pytest.mark.parametrize(
    "options",
    [
        {"session_id": "s"}, "x", 5, [{"num_ctx": 1}], [5], object(), [object()], OpenRouterOptions,
        [OllamaOptions(), OllamaOptions()],
    ],
)  # fmt: skip
def test_options_that_are_none_are_refused(options: object) -> None:
    """What is no options object, or two of one provider, is a ConfigError that says what to pass."""
    with pytest.raises(ConfigError, match="options"):
        create_language("ollama", "m", options=options)


def test_options_of_another_provider_alone_are_refused() -> None:
    """One options object that is of another provider than the model's, with no fallback, is a mistake."""
    with pytest.raises(ConfigError, match="OpenRouterOptions"):
        create_language("ollama", "m", options=OpenRouterOptions(session_id="s"))


# --- Where from


def from_env(**environ: str) -> dict[str, object]:
    """What OpenRouter's variables give."""
    return read_environment(get_provider("openrouter"), environ)


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("OPENROUTER_TEMPERATURE", "0.5", "temperature", 0.5),
        ("OPENROUTER_TEMPERATURE", " 0 ", "temperature", 0.0),
        ("OPENROUTER_MAX_TOKENS", "100", "max_tokens", 100),
        ("OPENROUTER_TIMEOUT", "2.5", "timeout", 2.5),
        ("OPENROUTER_SITE_URL", "https://a.example", "site_url", "https://a.example"),
        ("OPENROUTER_APP_NAME", " My App ", "app_name", "My App"),
        ("OR_SITE_URL", "https://b.example", "site_url", "https://b.example"),
        ("OR_APP_NAME", "B", "app_name", "B"),
    ],
)
def test_a_variable_gives_a_default(variable: str, text: str, name: str, value: object) -> None:
    """Each variable of the environment gives its setting, without the blanks around it."""
    assert from_env(**{variable: text}) == {name: value}


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_is_not_set(text: str) -> None:
    """An empty variable is as good as none."""
    assert from_env(OPENROUTER_TEMPERATURE=text, OPENROUTER_MAX_TOKENS=text, OPENROUTER_APP_NAME=text) == {}


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("OPENROUTER_TEMPERATURE", "warm"), ("OPENROUTER_TEMPERATURE", "9"), ("OPENROUTER_TEMPERATURE", "nan"),
        ("OPENROUTER_TEMPERATURE", "0,5"), ("OPENROUTER_MAX_TOKENS", "1.5"), ("OPENROUTER_MAX_TOKENS", "0"),
        ("OPENROUTER_MAX_TOKENS", "many"), ("OPENROUTER_MAX_TOKENS", "9" * 5000), ("OPENROUTER_TIMEOUT", "0"),
        ("OPENROUTER_TIMEOUT", "inf"), ("OPENROUTER_TIMEOUT", "10s"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with a wrong value is a ConfigError that names it, where the model is made."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError, match=variable) as caught:
        create_language("openrouter", "m", api_key="sk-x")
    assert len(str(caught.value)) < 400


def test_the_own_name_of_a_variable_wins() -> None:
    """Of two variables for one setting OPENROUTER_... outranks the older OR_..."""
    assert from_env(OR_APP_NAME="old", OPENROUTER_APP_NAME="new") == {"app_name": "new"}


@pytest.mark.parametrize(
    ("environment", "model_setting", "call_setting", "sent"),
    [
        (None, None, None, None),
        ("0.1", None, None, 0.1),
        ("0.1", 0.2, None, 0.2),
        ("0.1", 0.2, 0.3, 0.3),
        ("0.1", None, 0.3, 0.3),
        (None, 0.2, 0.3, 0.3),
        (None, 0.0, None, 0.0),
        ("0.1", 0, None, 0),
        ("0.1", 0.2, 0.0, 0.0),
    ],
)
def test_the_call_outranks_the_model_outranks_the_environment(
    environment: str | None,
    model_setting: float | None,
    call_setting: float | None,
    sent: float | None,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    drive: Any,
) -> None:
    """What is sent is the call's value, else the model's, else the environment's; what nobody set is not sent."""
    if environment is not None:
        monkeypatch.setenv("OPENROUTER_TEMPERATURE", environment)
    model = drive.make(sim, "openrouter", temperature=model_setting)
    drive.ask(model, temperature=call_setting)
    assert sim.requests[0].json.get("temperature") == sent
    assert ("temperature" in sim.requests[0].json) is (sent is not None)


def test_nothing_that_was_not_set_is_sent(sim: Simulator, drive: Any) -> None:
    """A plain call has the model and the messages in its body, and `stream` where the service wants it said."""
    for provider in ("openrouter", "openai", "ollama"):
        drive.ask(drive.make(sim, provider))
    bodies = [set(request.json) for request in sim.requests]
    assert bodies == [{"model", "messages"}, {"model", "messages"}, {"model", "messages", "stream"}]


def test_a_keyword_outranks_the_config(sim: Simulator) -> None:
    """In `create_language` a keyword outranks the same name in `config=`, also where it is `None`."""
    config: Settings = {"temperature": 0.1, "top_p": 0.5, "base_url": sim.openrouter_url, "api_key": "sk-x"}
    with create_language("openrouter", "m", config=config, temperature=0.2) as model:
        model.chat_complete("x")
    assert (sim.requests[0].json["temperature"], sim.requests[0].json["top_p"]) == (0.2, 0.5)


def test_a_copy_has_other_settings(sim: Simulator) -> None:
    """`with_settings` gives a copy with other settings and leaves the model as it is."""
    with (
        create_language("openrouter", "m", base_url=sim.openrouter_url, api_key="sk-x", temperature=0.1) as model,
        model.with_settings(temperature=0.2, seed=1) as copy,
    ):
        copy.chat_complete("x")
        model.chat_complete("x")
    assert [request.json.get("temperature") for request in sim.requests] == [0.2, 0.1]
    assert [request.json.get("seed") for request in sim.requests] == [1, None]


def test_extra_body_is_merged() -> None:
    """`extra_body` of the call goes over that of the model, and both over the request."""
    with (
        Simulator() as sim,
        create_language(
            "openrouter",
            "m",
            base_url=sim.openrouter_url,
            api_key="sk-x",
            extra_body={"a": 1, "b": 1, "seed": 9},
            seed=1,
        ) as model,
    ):
        model.chat_complete("x", extra_body={"b": 2})
    body = sim.requests[0].json
    assert (body["a"], body["b"], body["seed"]) == (1, 2, 9)


@pytest.mark.parametrize("name", ["OPENROUTER_DEFAULT_MODEL", None])
def test_the_default_model(name: str | None, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a model OpenRouter's is the environment's, else a free one."""
    if name:
        monkeypatch.setenv(name, "vendor/model")
    with create_language("openrouter", base_url=sim.openrouter_url, api_key="sk-x") as model:
        assert model.model == ("vendor/model" if name else "openrouter/free")


# --- The call of `create_language` itself


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("ollama", "llama3.1:8b", "ollama:llama3.1:8b"),
        ("ollama:llama3.1:8b", None, "ollama:llama3.1:8b"),
        ("Ollama : x", None, "ollama:x"),
        (" OLLAMA ", "x", "ollama:x"),
        ("openrouter:meta-llama/llama-3.1-8b-instruct:free", None, "openrouter:meta-llama/llama-3.1-8b-instruct:free"),
    ],
)
def test_a_target_is_split_at_its_first_colon(provider: str, model: str | None, expected: str) -> None:
    """Provider and model in one string are split at the first colon only; a provider's name has no case."""
    with create_language(provider, model, api_key="sk-x") as made:
        assert made.target == expected


@pytest.mark.parametrize("provider", [None, "", "  ", 5, b"ollama", ["ollama"], ":x", " :x"])
def test_a_provider_must_be_named(provider: Any) -> None:
    """What is no name of a provider is a ConfigError."""
    with pytest.raises(ConfigError):
        create_language(provider)


@pytest.mark.parametrize("model", [5, b"x", ["x"], "", "  "])
def test_a_model_must_be_a_name(model: Any) -> None:
    """What is no name of a model is a ConfigError, not a request."""
    with pytest.raises(ConfigError, match="model"):
        create_language("openai", model, api_key="sk-x")


@pytest.mark.parametrize("config", ["x", 5, [1], [("temperature", 1)]])
def test_a_config_must_be_a_dict(config: Any) -> None:
    """What is no dict of settings is a ConfigError."""
    with pytest.raises(ConfigError, match="config"):
        create_language("openai", "m", api_key="sk-x", config=config)


def test_no_model_says_how_to_name_one() -> None:
    """A provider without a default model says how one is named."""
    with pytest.raises(ConfigError, match="create_language") as caught:
        create_language("openai", api_key="sk-x")
    assert caught.value.provider == "openai"


def test_an_unknown_provider_gives_the_nearest() -> None:
    """An unknown provider lists the installed ones and the nearest."""
    with pytest.raises(UnknownProvider) as caught:
        create_language("openruter", "m")
    for name in ("openruter", "openrouter", "openai", "ollama"):
        assert name in str(caught.value)


@pytest.mark.parametrize("effort", sorted(EFFORTS))
def test_every_effort_is_taken_by_openrouter(effort: str, sim: Simulator) -> None:
    """Each effort word is a reasoning setting."""
    with create_language("openrouter", "m", base_url=sim.openrouter_url, api_key="sk-x") as model:
        model.chat_complete("x", reasoning=effort)  # type: ignore[arg-type]
    assert sim.requests[0].json["reasoning"] == {"effort": effort}


def test_an_error_of_the_settings_is_an_llm_error() -> None:
    """One `except LLMError` catches every error of `create_language`, and one `except ValueError` too."""
    assert issubclass(ConfigError, LLMError)
    assert issubclass(ConfigError, ValueError)
    assert isinstance(get_provider("openai"), BaseProvider)
