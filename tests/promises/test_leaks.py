"""What must not get out: credentials to another vendor, keys in any text, requests through a redirect or a proxy."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from llmkit import AllTargetsFailed, ConfigError, LanguageModel, LLMError, StreamInterrupted, create_language
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import FAST, PROVIDERS, Drive, url_of

CANARY = "sk-canary-7f3a9c51e0d2b864"
#: A key of a service that gives its keys no prefix: nothing in its shape says that it is one.
BARE_CANARY = "canary7f3a9c51e0d2b8645a1c"
PROMPT = "the-prompt-canary-5e8d"

#: Everything that the OpenAI SDK reads from the environment, and more.
OPENAI_ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-leak-api-key",
    "OPENAI_ADMIN_KEY": "sk-leak-admin-key",
    "OPENAI_ORG_ID": "org-leak",
    "OPENAI_ORGANIZATION": "org-leak-long",
    "OPENAI_PROJECT_ID": "proj-leak",
    "OPENAI_CUSTOM_HEADERS": "X-Leak: custom-leak",
    "OPENAI_WEBHOOK_SECRET": "whsec-leak",
    "OPENAI_API_VERSION": "version-leak",
    "AZURE_OPENAI_API_KEY": "azure-leak",
    "AZURE_OPENAI_AD_TOKEN": "ad-leak",
}


@pytest.fixture
def openai_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable that the OpenAI SDK reads is set; the address leads nowhere."""
    for name, value in OPENAI_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/leak")


def sent(sim: Simulator) -> str:
    """All that the server got: paths, queries, header names and values, bodies."""
    parts: list[str] = []
    for request in sim.requests:
        parts += [request.path, repr(dict(request.query)), repr(request.headers.pairs()), repr(request.body)]
    return " ".join(parts)


# The environment of one vendor, and the server of another.


@pytest.mark.usefixtures("openai_environment")
@pytest.mark.parametrize("provider", ["openrouter", "ollama", "openai", "groq", "deepseek"])
def test_nothing_of_the_openai_environment_reaches_another_server(
    sim: Simulator, drive: Drive, mode: str, provider: str
) -> None:
    """With every `OPENAI_*` variable set, a server that is not OpenAI's sees none of their values."""
    model = drive.make(sim, provider, "m", api_key="sk-mine")
    drive.response(model, mode)
    assert "Bearer sk-mine" in sent(sim)
    assert "leak" not in sent(sim).lower()
    assert "openai" not in " ".join(sim.requests[0].headers).lower()


@pytest.mark.usefixtures("openai_environment")
def test_the_openai_server_gets_its_own_values_only(
    sim: Simulator, drive: Drive, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of `OPENAI_BASE_URL` gets key, organisation and project, and nothing else of the environment."""
    monkeypatch.setenv("OPENAI_BASE_URL", sim.openai_url)
    drive.response(drive.keep(create_language("openai", "gpt-4o-mini")), mode)
    headers = sim.requests[0].headers
    assert headers["authorization"] == "Bearer sk-leak-api-key"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-leak", "proj-leak")
    assert {name for name in headers if "leak" in headers[name]} == {
        "authorization", "openai-organization", "openai-project",
    }  # fmt: skip


def test_a_request_carries_only_what_it_must(sim: Simulator, drive: Drive, mode: str) -> None:
    """No header of the SDK's own goes out: no telemetry, no second credential, no cookie."""
    drive.response(drive.make(sim, "openrouter", api_key=CANARY), mode)
    (request,) = sim.requests
    assert set(request.headers) <= {
        "host", "connection", "accept", "accept-encoding", "content-type", "content-length", "user-agent",
        "authorization",
    }  # fmt: skip
    assert request.headers["user-agent"].startswith("llmkit/")
    assert request.headers["authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize(
    ("provider", "variable"),
    [("openrouter", "OPENROUTER_API_KEY"), ("openai", "OPENAI_API_KEY"), ("ollama", "OLLAMA_API_KEY")],
)
def test_an_environment_key_stays_away_from_a_given_address(
    sim: Simulator, drive: Drive, monkeypatch: pytest.MonkeyPatch, provider: str, variable: str
) -> None:
    """A key of the environment does not go to a `base_url` that the program names."""
    monkeypatch.setenv(variable, CANARY)
    model = drive.keep(create_language(provider, "m", base_url=url_of(sim, provider), retry=None))
    if provider == "ollama":
        drive.ask(model)
    else:
        assert drive.failure(model).status == 401
    assert CANARY not in sent(sim)
    assert "authorization" not in sim.requests[0].headers


@pytest.mark.parametrize(
    ("provider", "variable", "address", "goes"),
    [
        ("openrouter", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", True),
        ("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", True),
        ("ollama", "OLLAMA_API_KEY", "OLLAMA_HOST", False),  # a server of one's own asks for none
    ],
)
def test_an_environment_key_goes_to_the_address_of_the_same_family(
    sim: Simulator,
    drive: Drive,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    variable: str,
    address: str,
    goes: bool,
) -> None:
    """The address that the same vendor's variable names gets the vendor's key."""
    monkeypatch.setenv(variable, CANARY)
    monkeypatch.setenv(address, url_of(sim, provider))
    drive.ask(drive.keep(create_language(provider, "m")))
    assert (CANARY in sent(sim)) is goes


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1",
        "https://openrouter.ai.evil.example/api/v1",
        "https://openrouter.ai:444/api/v1",
        "https://notopenrouter.ai/api/v1",
        "https://www.openrouter.ai/api/v1",
        "http://openrouter.ai/api/v1",
    ],
)
def test_another_origin_needs_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Any other origin with only the environment's key is an error, which names the variable and not the key."""
    monkeypatch.setenv("OPENROUTER_API_KEY", CANARY)
    with pytest.raises(ConfigError) as caught:
        create_language("openrouter", "m", base_url=url)
    assert CANARY not in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "url", ["https://openrouter.ai/api/v1", "https://eu.openrouter.ai/api/v1", "https://us.openrouter.ai/api/v1/"]
)
def test_the_vendors_own_origins_get_the_environments_key(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """OpenRouter's regional hosts are OpenRouter's."""
    monkeypatch.setenv("OPENROUTER_API_KEY", CANARY)
    create_language("openrouter", "m", base_url=url).close()


# A key over plain http.


@pytest.mark.parametrize(
    "host",
    ["example.com", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.5:8000", "0.0.0.0:8000",
     "[2001:db8::1]", "2130706433", "10.0.0.1"],
)  # fmt: skip
def test_a_key_does_not_go_over_plain_http(host: str) -> None:
    """http:// to a host that is not this machine is refused with a key; `allow_insecure=True` allows it."""
    url = f"http://{host}/v1"
    with pytest.raises(ConfigError, match="http") as caught:
        create_language("openai", "m", base_url=url, api_key=CANARY)
    assert CANARY not in str(caught.value)
    with pytest.raises(ConfigError):
        create_language("openai", "m", base_url=url, api_key=lambda: CANARY)
    create_language("openai", "m", base_url=url, api_key=CANARY, allow_insecure=True).close()


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.8.9.1", "api.localhost"])
def test_this_machine_may_be_spoken_to_in_clear(host: str) -> None:
    """Loopback addresses take a key over plain http."""
    create_language("openai", "m", base_url=f"http://{host}/v1", api_key=CANARY).close()


# Redirects, cookies, proxies.


@pytest.mark.covering(2)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(sim: Simulator, drive: Drive, mode: str, status: int) -> None:
    """No status of a redirect, to whatever origin, sends prompt or key anywhere; it is a `ConfigError`."""
    with Simulator() as other:
        location = f"{other.openrouter_url}/chat/completions"
        sim.script(Reply(status=status, headers={"Location": location}))
        error = drive.failure(drive.make(sim, "openrouter", api_key=CANARY), mode, messages=PROMPT)
        assert (len(sim.requests), len(other.requests), other.connections) == (1, 0, 0)
        assert isinstance(error, ConfigError)
        assert error.status == status
        assert "base_url" in str(error)


def test_a_redirect_to_the_same_server_is_not_followed_either(sim: Simulator, drive: Drive, mode: str) -> None:
    """A redirect within the origin, also in a loop, costs one request."""
    path = "/api/v1/chat/completions"
    sim.script_for("m", *[Reply(status=307, headers={"Location": path})] * 5)
    drive.failure(drive.make(sim, "openrouter", "m"), mode)
    assert len(sim.requests) == 1


def test_cookies_are_not_kept(sim: Simulator, drive: Drive, mode: str) -> None:
    """What a service sets as a cookie does not come back to it."""
    cookies = [("Set-Cookie", "session=abc; Path=/"), ("Set-Cookie", "__cf_bm=def; Path=/; HttpOnly")]
    sim.script(Reply(headers=cookies), Reply(status=503, headers=cookies))
    model = drive.make(sim, "openrouter")
    for _ in range(2):
        drive.response(model, mode)
    assert len(sim.requests) == 3
    assert all("cookie" not in request.headers for request in sim.requests)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A second simulator that every proxy variable names."""
    with Simulator() as simulator:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, simulator.url)
            monkeypatch.setenv(name.lower(), simulator.url)
        yield simulator


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_never_goes_through_a_proxy(
    sim: Simulator, proxy: Simulator, drive: Drive, mode: str, provider: str, host: str
) -> None:
    """With every proxy variable set, a call to this machine does not touch the proxy."""
    url = url_of(sim, provider).replace("127.0.0.1", host)
    model = drive.make(sim, provider, base_url=url)
    drive.response(model, mode)
    assert (len(sim.requests), proxy.connections) == (1, 0)


@pytest.mark.parametrize("how", ["environment", "setting"])
def test_another_host_does_go_through_the_proxy(
    proxy: Simulator, drive: Drive, mode: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy of the environment, or of `proxy=`, serves every host that is not this machine."""
    settings: dict[str, Any] = {}
    if how == "setting":
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name)
        settings["proxy"] = proxy.url
    url = "http://llm.example.invalid/v1"
    model = drive.make(proxy, "openai", base_url=url, allow_insecure=True, **settings)
    assert drive.response(model, mode).content == "You said: hello"
    assert proxy.requests[0].headers["host"] == "llm.example.invalid"
    drive.close(model)


# A key in no text.

FAILURES = {
    "401": [Reply(status=401)],
    "echo": [Reply(status=401, error=f"Incorrect API key provided: {CANARY}. Find yours on the page.")],
    "echo of a header": [Reply(status=400, error=f"bad header Authorization: Bearer {CANARY}")],
    "echo in a page": [Reply(status=502, body=f"<html>{CANARY}</html>".encode(), content_type="text/html")] * 3,
    "500": [Reply(status=500)] * 3,
    "redirect": [Reply(status=307, headers={"Location": "http://127.0.0.1:9/"})],
    "reset": [Reply(body=b"", framing="none", cut_bytes=0, cut="reset")] * 3,
    "silence": [Reply(delay=30)] * 3,
    "cut": [Reply(chunks=["one ", "two "], cut_after=1, cut="reset")] * 3,
    "error inside": [Reply(error=f"the upstream said {CANARY}")] * 3,
    "html": [Reply(body=f"<html>{CANARY}</html>".encode())] * 3,
    "not http": [Reply(body=b"SSH-2.0-OpenSSH\r\n", framing="none")] * 3,
    "odd length": [Reply(body=b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}", framing="none")] * 3,
}


#: Seconds until a time-out, for a service that is silent; every other answer must come, also on a busy machine.
TIMEOUTS = {"silence": 0.15}


def with_canary(drive: Drive, sim: Simulator, name: str = "", **settings: Any) -> LanguageModel:
    """A model with the canary as its key. `name` is that of the failure that comes."""
    given = {"api_key": CANARY, "timeout": TIMEOUTS.get(name, 20), **settings}
    return drive.make(sim, "openrouter", **given)


def family(error: BaseException) -> list[BaseException]:
    """An error and every exception that it holds or that is chained to it."""
    found: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        each = todo.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__, getattr(each, "reason", None), *getattr(each, "errors", ())]
    return found


def texts_of(error: BaseException, *, with_locals: bool = True) -> Iterator[str]:
    """Every text that a program, a log or a crash report could make of an error."""
    for each in family(error):
        yield str(each)
        yield repr(each)
        yield repr(vars(each))
        yield repr(each.args)
        yield repr(pickle.dumps(each))
        yield "".join(traceback.format_exception(each))
        yield repr(getattr(each, "attempts", ()))
        if with_locals:
            told = traceback.TracebackException.from_exception(each, capture_locals=True)
            yield "".join(told.format())


@pytest.mark.covering(2)
@pytest.mark.parametrize("name", FAILURES)
def test_a_key_is_in_no_text_of_an_error(sim: Simulator, drive: Drive, mode: str, name: str) -> None:
    """Neither message, repr, fields, traceback with locals, pickle nor chained exceptions show the key."""
    sim.script(*FAILURES[name])
    error = drive.failure(with_canary(drive, sim, name), mode)
    echoed = any(CANARY in repr(reply) for reply in FAILURES[name])  # then it is in the bytes that were being read
    for text in texts_of(error, with_locals=not echoed):
        assert CANARY not in text
    assert all(isinstance(each, LLMError) for each in family(error))


@pytest.mark.parametrize("name", ["401", "cut", "500"])
def test_a_header_of_the_user_is_in_no_text_of_an_error(sim: Simulator, drive: Drive, mode: str, name: str) -> None:
    """What `extra_headers` holds, a signature or a credential, is as secret as the key."""
    sim.script(*FAILURES[name])
    model = drive.make(sim, "openrouter", extra_headers={"X-Own": CANARY}, timeout=20)
    for text in texts_of(drive.failure(model, mode)):
        assert CANARY not in text


def test_a_key_is_in_no_text_of_a_refused_connection(sim: Simulator, drive: Drive, mode: str, closed_port: int) -> None:
    """The same where nothing was sent."""
    error = drive.failure(with_canary(drive, sim, base_url=f"http://127.0.0.1:{closed_port}/v1"), mode)
    for text in texts_of(error):
        assert CANARY not in text
    assert all(isinstance(each, LLMError) for each in family(error))


def test_a_key_is_in_no_text_of_a_failed_chain(sim: Simulator, drive: Drive, mode: str) -> None:
    """The errors inside `AllTargetsFailed` are as clean, and hold no exception of an HTTP library."""
    sim.script(Reply(status=503), Reply(error="no"), Reply(status=401), Reply(status=500))
    spare = with_canary(drive, sim)
    error = drive.failure(with_canary(drive, sim, fallbacks=[spare]), mode)
    assert isinstance(error, AllTargetsFailed)
    assert len(family(error)) > 2
    for text in texts_of(error):
        assert CANARY not in text
    assert all(isinstance(each, LLMError) for each in family(error))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=401, error=f"Incorrect API key provided: {BARE_CANARY}"),
        Reply(status=502, body=f"<p>{BARE_CANARY}</p>".encode(), content_type="text/html"),
        Reply(error=f"upstream: {BARE_CANARY}"),
    ],
    ids=["message", "page", "error inside"],
)
def test_a_key_without_a_prefix_is_not_echoed_either(sim: Simulator, drive: Drive, mode: str, reply: Reply) -> None:
    """What the service echoes of the key is taken out, also where nothing in its shape says that it is a key."""
    sim.script(reply)
    error = drive.failure(with_canary(drive, sim, api_key=BARE_CANARY, retry=None), mode)
    for text in texts_of(error, with_locals=False):
        assert BARE_CANARY not in text


@pytest.fixture
def everything_logged() -> Iterator[list[logging.LogRecord]]:
    """All records of all loggers at DEBUG, as they are made."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root, handler = logging.getLogger(), Keep(logging.DEBUG)
    loggers = [
        root,
        *(logging.getLogger(name) for name in (*logging.root.manager.loggerDict, "openai", "httpx", "httpx2")),
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield records
    root.removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.covering(2)
@pytest.mark.parametrize("name", ["success", *FAILURES])
def test_a_key_is_in_no_log(
    sim: Simulator, drive: Drive, mode: str, everything_logged: list[logging.LogRecord], name: str
) -> None:
    """With every logger at DEBUG, llmkit's and its libraries', no record shows the key, and llmkit's none the prompt."""
    model = with_canary(drive, sim, name)
    if name == "success":
        drive.response(model, mode, messages=PROMPT)
    else:
        sim.script(*FAILURES[name])
        drive.failure(model, mode, messages=PROMPT)
    formatter = logging.Formatter("%(message)s %(args)s")
    own = []
    for record in everything_logged:
        text = formatter.format(record) + repr(vars(record))
        assert CANARY not in text, record.name
        if record.name.startswith("llmkit"):
            own.append(record)
            assert PROMPT not in text
    if name == "success":  # both kinds of logger were really heard
        assert own
        assert any(record.name.startswith(("openai", "http")) for record in everything_logged)


def test_no_text_of_a_model_or_an_answer_shows_key_or_prompt(sim: Simulator, drive: Drive) -> None:
    """Reprs of model, response, chunks, messages, totals and requests are short and hold neither."""
    sim.script(*[Reply(chunks=["answer"])] * 2)
    model = with_canary(drive, sim)
    response = drive.ask(model, PROMPT)
    stream = drive.open(model, PROMPT)
    things = [model, response, response.attempts, response.usage, response.cost, stream, drive.next(stream),
              stream.partial, model.totals(), vars(model)["_setup"], vars(model)["_setup"].connection]  # fmt: skip
    for thing in things:
        assert CANARY not in f"{thing!r} {thing}"
        assert PROMPT not in f"{thing!r} {thing}"
    drive.close(stream)


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": CANARY + " with a blank"},
        {"api_key": CANARY + "\u00e9"},
        {"api_key": [CANARY]},
        {"apikey": CANARY},
        {"api_key": CANARY, "temprature": 1},
        {"api_key": CANARY, "max_connections": 0},
        {"api_key": CANARY, "base_url": f"https://user:{CANARY}@example.com/v1"},
        {"api_key": CANARY, "base_url": f"ftp://{CANARY}.example.com"},
        {"api_key": CANARY, "temperature": 99},
        {"api_key": CANARY, "fallbacks": ["nobody:m"]},
    ],
    ids=str,
)
def test_a_configuration_error_does_not_echo_the_key(settings: dict[str, Any]) -> None:
    """A wrong setting, the key's own or another, is named without the value of the key."""
    with pytest.raises(LLMError) as caught:
        create_language("openrouter", "m", **settings)
    for text in (str(caught.value), repr(caught.value), repr(vars(caught.value))):
        assert CANARY not in text


@pytest.mark.covering(2)
@pytest.mark.parametrize("answer", [None, "", 7, b"bytes"])
def test_a_key_callable_that_gives_no_text_is_an_error(sim: Simulator, drive: Drive, mode: str, answer: Any) -> None:
    """A callable `api_key` must return text; what else it gives is a `ConfigError`, and nothing is sent."""
    error = drive.failure(drive.make(sim, "openrouter", api_key=lambda: answer), mode)
    assert type(error) is ConfigError
    assert sim.requests == []


@pytest.mark.parametrize("setting", ["api_key", "extra_headers"])
def test_a_callable_that_fails_is_the_programs_own_error(sim: Simulator, drive: Drive, mode: str, setting: str) -> None:
    """What a key store or a signer raises is a `ConfigError` that names the setting, without a key in its text."""

    def ask_the_store(*_: object) -> Any:
        raise RuntimeError(f"the store refused {CANARY}")

    error = drive.failure(drive.make(sim, "openrouter", **{setting: ask_the_store}), mode)
    assert type(error) is ConfigError
    assert setting in str(error)
    for text in (str(error), repr(error), repr(pickle.dumps(error))):
        assert CANARY not in text
    assert sim.requests == []


def test_a_header_of_the_user_replaces_the_key(sim: Simulator, drive: Drive, mode: str) -> None:
    """`extra_headers` with a credential of its own replaces the key's header; two credentials never go out."""
    headers = {"authorization": "Bearer sk-of-the-header"}
    drive.response(drive.make(sim, "openrouter", api_key=CANARY, extra_headers=headers, retry=FAST), mode)
    assert sim.requests[0].headers["authorization"] == "Bearer sk-of-the-header"
    assert CANARY not in sent(sim)


def test_an_interrupted_stream_shows_no_key(sim: Simulator, drive: Drive) -> None:
    """The error after content is as clean as the others."""
    sim.script(Reply(chunks=["one ", "two ", "three "], cut_after=2, cut="reset"))
    error = drive.hear(with_canary(drive, sim)).error
    assert isinstance(error, StreamInterrupted)
    for text in texts_of(error):
        assert CANARY not in text
    assert all(isinstance(each, LLMError) for each in family(error))


ECHOES = {
    "in a body": Reply(status=401, error=f"bad key {BARE_CANARY}"),
    "in an error under HTTP 200": Reply(body=b'{"error": {"message": "bad key %s"}}' % BARE_CANARY.encode()),
    "in a header": Reply(status=400, headers={"x-request-id": BARE_CANARY}),
    "deep in the error's data": Reply(
        body=b'{"error": {"message": "no", "metadata": {"a": [{"b": "%s"}]}}}' % BARE_CANARY.encode()
    ),
}


@pytest.mark.covering(2)
@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("given", ["text", "callable"])
def test_an_echoed_key_is_taken_out_wherever_it_stands(
    sim: Simulator, drive: Drive, mode: str, given: str, echo: str
) -> None:
    """The key that was sent, given as text or by a callable, is in no text and no data of the error."""
    sim.script(ECHOES[echo])
    key: Any = BARE_CANARY if given == "text" else lambda: BARE_CANARY
    error = drive.failure(drive.make(sim, "openrouter", api_key=key, retry=None), mode)
    assert BARE_CANARY not in f"{error} {error!r} {vars(error)}"
    assert BARE_CANARY.encode() not in pickle.dumps(error)
