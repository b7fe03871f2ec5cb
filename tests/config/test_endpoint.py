"""Which address, which key, which headers: a key leaves only for its vendor's own origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from llmkit import ConfigError, create_language
from llmkit.config.address import check_url, is_loopback, web_origin
from llmkit.config.endpoint import resolve_endpoint
from llmkit.operations.known_models import is_vendor_address
from llmkit.provider.registry import get_provider, known_services
from llmkit.types.secret import Secret

if TYPE_CHECKING:
    from llmkit.provider.exchange import Endpoint
    from llmkit.testing.simulator import Simulator

ENV_KEY: Final = "sk-env-canary-0123456789"
GIVEN: Final = "sk-given-0123456789"
OPENROUTER: Final = {"OPENROUTER_API_KEY": ENV_KEY}
OPENAI: Final = {"OPENAI_API_KEY": ENV_KEY, "OPENAI_ORG_ID": "org-canary", "OPENAI_PROJECT_ID": "proj-canary"}


def endpoint(provider: str, environ: dict[str, str] | None = None, **settings: object) -> Endpoint:
    """Where a model of `provider` would send."""
    return resolve_endpoint(get_provider(provider), settings, environ or {})


def key_of(made: Endpoint) -> str | None:
    """The key that would go there."""
    if made.api_key is None:
        return None
    return made.api_key.reveal() if isinstance(made.api_key, Secret) else made.api_key()


# --- The key of the environment


@pytest.mark.parametrize(
    "url",
    [
        "https://openrouter.ai/api/v1",
        "https://openrouter.ai/api/v1/",
        "https://openrouter.ai",
        "https://OpenRouter.AI/api/v1",
        "HTTPS://openrouter.ai/api/v1",
        "https://openrouter.ai:443/api/v1",
        "https://eu.openrouter.ai/api/v1",
        "https://us.openrouter.ai/api/v1",
        " https://openrouter.ai/api/v1 ",
        "https://openrouter.ai/other/path",
    ],
)
def test_the_key_goes_to_its_vendors_own_origins(url: str) -> None:
    """The environment's key goes to OpenRouter's own hosts, however their address is written."""
    assert key_of(endpoint("openrouter", OPENROUTER, base_url=url)) == ENV_KEY


#: Addresses that look like the vendor's own, or like this machine, and are not.
NOT_THE_VENDORS: Final = [
    "https://evil.example/api/v1",
    "https://openrouter.ai.evil.example/api/v1",
    "https://evil-openrouter.ai/api/v1",
    "https://evilopenrouter.ai/api/v1",
    "https://openrouter.ai./api/v1",
    "https://openrouter.ai:8443/api/v1",
    "https://openrouter.ai:80/api/v1",
    "http://openrouter.ai/api/v1",
    "http://openrouter.ai:443/api/v1",
    "https://api.openrouter.ai/api/v1",
    "https://xeu.openrouter.ai/api/v1",
    "https://eu.openrouter.ai.evil.example",
    "https://evil.example/https://openrouter.ai/api/v1",
    "https://evil.example?openrouter.ai",
    "https://evil.example?@openrouter.ai/",
    "https://evil.example#@openrouter.ai/",
    "https://evil.example/#openrouter.ai",
    "https://evil.example\\.openrouter.ai/",
    "https://openrouter.ai%2eevil.example/",
    "https://openrouter.ai%00.evil.example/",
    "https://openrouter.ai\u3002evil.example/",
    "https://openrouter\u3002ai/api/v1",
    "https://\uff4fpenrouter.ai/api/v1",
    "https://openrouter.\u0430i/api/v1",
    "https://\u043epenrouter.ai/api/v1",
    "https://xn--penrouter-3og.ai/api/v1",
    "https://openrouter.a\u0131/api/v1",
    "https://104.18.0.1/api/v1",
    "https://[2606:4700::1]/api/v1",
    "https://2130706433/api/v1",
    "https://127.0.0.1.evil/api/v1",
    "https://localhost.evil.example/api/v1",
    "https://169.254.169.254/latest",
    "https://openrouter.ai\t.evil.example/",
    "https://openrouter.ai\n.evil.example/",
]


@pytest.mark.parametrize("url", NOT_THE_VENDORS)
def test_the_key_goes_nowhere_else(url: str) -> None:
    """The environment's key is not sent to any other address; the error names the variable and no key."""
    with pytest.raises(ConfigError) as caught:
        endpoint("openrouter", OPENROUTER, base_url=url)
    assert ENV_KEY not in str(caught.value)


@pytest.mark.parametrize("url", ["https://evil.example/api/v1", "https://127.0.0.1.evil/api/v1"])
def test_the_error_says_that_the_key_was_held_back(url: str) -> None:
    """Where a key is there but may not go, the error says so, and how one is given for that address."""
    with pytest.raises(ConfigError, match="OPENROUTER_API_KEY") as caught:
        endpoint("openrouter", OPENROUTER, base_url=url)
    assert "api_key=" in str(caught.value)
    assert "not sent to" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://openrouter.ai@evil.example/api/v1", "https://openrouter.ai:x@evil.example/", "https://evil.example@openrouter.ai/",
        "https://evil.example\\@openrouter.ai/api/v1", "https://user@openrouter.ai/api/v1",
        "https://:pw@openrouter.ai/api/v1", "https://@openrouter.ai/api/v1", "https://:@openrouter.ai/api/v1",
        "http://user:pw@127.0.0.1:8000/v1",
    ],
)  # fmt: skip
def test_an_address_holds_no_user_name(url: str) -> None:
    """An address with a user name or password in it is refused, whoever's it is, and is not repeated."""
    with pytest.raises(ConfigError) as caught:
        endpoint("openrouter", OPENROUTER, base_url=url, api_key=GIVEN)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://openrouter.ai/", "file:///etc/passwd", "gopher://127.0.0.1:70/", "data:text/plain,x", "javascript:alert(1)",
        "openrouter.ai/api/v1", "//openrouter.ai/api/v1", "/api/v1", "https:///api/v1", "https://", "https:openrouter.ai",
        "http:\\\\openrouter.ai", "https://openrouter.ai:99999/", "https://openrouter.ai:x/", "https://[::1/",
        "https://[openrouter.ai]/", "unix:///var/run/x.sock", "http+unix://x", "https://a b.example/", "https://a\x00b/",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    """What is no http:// or https:// address is a ConfigError that names the setting and the shape."""
    with pytest.raises(ConfigError, match="base_url"):
        endpoint("openrouter", OPENROUTER, base_url=url, api_key=GIVEN)


# --- Addresses of variables


@pytest.mark.parametrize("variable", ["OPENROUTER_BASE_URL", "OPENROUTER_API_BASE"])
def test_the_key_follows_the_same_vendors_variable(variable: str) -> None:
    """The environment's key goes where a variable of the same vendor points: whoever set the one set the other."""
    made = endpoint("openrouter", {**OPENROUTER, variable: "https://gateway.example/or/v1/"})
    assert (made.base_url, key_of(made)) == ("https://gateway.example/or/v1", ENV_KEY)


def test_the_key_follows_the_variable_also_when_the_address_is_given() -> None:
    """The same origin given as `base_url=` is the variable's address too; another origin is not."""
    environ = {**OPENROUTER, "OPENROUTER_BASE_URL": "https://gateway.example/or/v1"}
    assert key_of(endpoint("openrouter", environ, base_url="https://gateway.example/other")) == ENV_KEY
    with pytest.raises(ConfigError):
        endpoint("openrouter", environ, base_url="https://gateway2.example/")


def test_another_vendors_variable_moves_nothing() -> None:
    """`OPENAI_BASE_URL` says nothing about OpenRouter, and OpenRouter's says nothing about OpenAI."""
    environ = {**OPENROUTER, **OPENAI, "OPENAI_BASE_URL": "https://evil.example/v1"}
    assert endpoint("openrouter", environ).base_url == "https://openrouter.ai/api/v1"
    environ = {**OPENROUTER, **OPENAI, "OPENROUTER_BASE_URL": "https://evil.example/v1"}
    assert endpoint("openai", environ).base_url == "https://api.openai.com/v1"


@pytest.mark.parametrize("provider", ["openrouter", "ollama", "groq", "mistral", "deepseek"])
def test_openais_variables_reach_nobody_else(provider: str) -> None:
    """No key, organisation or project of OpenAI's variables is in what another provider sends."""
    made = endpoint(provider, {**OPENAI, "OPENAI_BASE_URL": "https://evil.example"}, api_key=GIVEN)
    shown = f"{made.base_url} {dict(made.headers)} {key_of(made)}"
    assert "canary" not in shown
    assert "evil" not in shown


def test_openais_variables_reach_openai() -> None:
    """OpenAI's organisation and project go with the environment's key, to OpenAI's own origins only."""
    headers = {"OpenAI-Organization": "org-canary", "OpenAI-Project": "proj-canary"}
    assert dict(endpoint("openai", OPENAI).headers) == headers
    assert dict(endpoint("openai", OPENAI, base_url="https://eu.api.openai.com/v1").headers) == headers
    for url in ("https://evil.example/v1", "http://127.0.0.1:8000/v1", "https://openrouter.ai/api/v1"):
        assert dict(endpoint("openai", OPENAI, base_url=url, api_key=GIVEN).headers) == {}


@pytest.mark.parametrize("url", ["http://gateway.example/v1", "http://10.0.0.5:8000/v1", "http://192.168.1.2/v1"])
def test_a_variable_over_plain_http_is_refused(url: str) -> None:
    """A key does not go over plain http to another machine, also where the variable says so."""
    with pytest.raises(ConfigError, match="plain http"):
        endpoint("openrouter", {**OPENROUTER, "OPENROUTER_BASE_URL": url})


def test_a_wrong_address_of_a_variable_names_the_variable() -> None:
    """A variable that holds no address is named in the error."""
    with pytest.raises(ConfigError, match="OPENROUTER_BASE_URL"):
        endpoint("openrouter", {**OPENROUTER, "OPENROUTER_BASE_URL": "gateway.example"})
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        endpoint("openai", {**OPENAI, "OPENAI_BASE_URL": "https://user:pw@gateway.example"})


# --- Plain http


#: Hosts that are not this machine, whatever they look like.
NOT_LOOPBACK: Final = [
    "127.0.0.1.evil", "127.0.0.1.evil.example", "localhost.evil.example", "evil-localhost", "xlocalhost", "localhost.",
    "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.1.",
    "127.0.0.01", "0.0.0.0", "[::]", "[::ffff:10.0.0.1]", "[fe80::1]", "10.0.0.1", "192.168.0.1", "172.16.0.1",
    "169.254.169.254", "metadata.google.internal", "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.0.0.1", "128.0.0.1",
    "126.255.255.255", "example.local", "host.docker.internal", "localhost\u3002evil",
]  # fmt: skip


@pytest.mark.parametrize("host", NOT_LOOPBACK)
def test_a_key_does_not_go_over_plain_http(host: str) -> None:
    """With http:// and a host that is not plainly this machine, a given key is refused."""
    with pytest.raises(ConfigError):
        endpoint("openai", base_url=f"http://{host}:8000/v1", api_key=GIVEN)
    with pytest.raises(ConfigError):
        endpoint("openai", base_url=f"http://{host}:8000/v1", api_key=lambda: GIVEN)


@pytest.mark.parametrize("host", NOT_LOOPBACK)
def test_what_only_looks_like_this_machine_is_not_local(host: str) -> None:
    """A host that only looks like loopback is not taken for it: it needs a key, and may be reached by a proxy."""
    assert not is_loopback(host.strip("[]"))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.2",
        "127.255.255.254",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "localhost",
        "LOCALHOST",
        "api.localhost",
    ],
)
def test_this_machine_needs_no_key(host: str) -> None:
    """A loopback server is reached over http without a key, and without the environment's."""
    made = endpoint("openai", OPENAI, base_url=f"http://{host}:8000/v1")
    assert (made.local, key_of(made)) == (True, None)
    assert dict(made.headers) == {}
    assert key_of(endpoint("openai", base_url=f"http://{host}:8000/v1", api_key=GIVEN)) == GIVEN


#: Plain http, and TLS, as somebody may write them.
PLAIN: Final = ("http://", "HTTP://", "Http://", "hTTp://", "httP://", " HTTP://")
SECURE: Final = ("https://", "HTTPS://", "Https://", "httpS://")


@pytest.mark.parametrize("scheme", PLAIN)
@pytest.mark.parametrize("key", [GIVEN, Secret(GIVEN), lambda: GIVEN], ids=["text", "secret", "callable"])
def test_a_scheme_means_the_same_in_any_case(scheme: str, key: Any) -> None:
    """However http:// is spelled, no provider of any name takes a key there: argument, variable or proxy."""
    url = f"{scheme}Gpu-Box.example:8000/v1"
    for name in ("openrouter", "openai", "ollama", *known_services()):
        for settings in ({}, {"proxy": "HTTP://127.0.0.1:9"}):
            with pytest.raises(ConfigError, match=r"plain http to gpu-box\.example"):
                endpoint(name, base_url=url, api_key=key, **settings)
        for variable in get_provider(name).base_url_env:
            with pytest.raises(ConfigError, match=r"plain http to gpu-box\.example"):
                endpoint(name, {variable: url}, api_key=key)


@pytest.mark.parametrize("scheme", PLAIN)
def test_a_variable_may_spell_its_scheme_as_it_likes(scheme: str) -> None:
    """Nor does the environment's key go there, whichever variable of whichever provider says so."""
    for name in ("openrouter", "openai", "ollama", *known_services()):
        provider = get_provider(name)
        for variable in provider.base_url_env:
            environ = {**dict.fromkeys(provider.key_env, ENV_KEY), variable: f"{scheme}gpu-box.example:8000/v1"}
            if provider.key_follows_url:
                with pytest.raises(ConfigError, match="plain http"):
                    endpoint(name, environ)
            else:
                assert key_of(endpoint(name, environ)) is None


@pytest.mark.parametrize("scheme", [*PLAIN, *SECURE])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "LocalHost:8000", "[::1]:8000", "API.localhost:8000"])
def test_this_machine_is_this_machine_in_any_case(scheme: str, host: str) -> None:
    """A loopback server needs no key and may get one, however its address is spelled; the address is kept in lower case."""
    url = f"{scheme}{host}/V1"
    made = endpoint("openai", OPENAI, base_url=url)
    assert (made.local, key_of(made)) == (True, None)
    assert made.base_url == f"{scheme}{host}".strip().lower() + "/V1"
    assert key_of(endpoint("openai", base_url=url, api_key=GIVEN)) == GIVEN


@pytest.mark.parametrize("scheme", SECURE)
@pytest.mark.parametrize(
    ("provider", "variable", "host"),
    [
        ("openrouter", "OPENROUTER_API_KEY", "OpenRouter.AI/api/v1"),
        ("openrouter", "OPENROUTER_API_KEY", "EU.openrouter.ai/api/v1"),
        ("openai", "OPENAI_API_KEY", "API.OpenAI.com/v1"),
        ("ollama", "OLLAMA_API_KEY", "Ollama.COM"),
        ("groq", "GROQ_API_KEY", "api.GROQ.com/openai/v1"),
    ],
)
def test_a_vendors_own_address_is_its_own_in_any_case(scheme: str, provider: str, variable: str, host: str) -> None:
    """The vendor's address gets the environment's key however it is spelled, and is known as the vendor's."""
    made = endpoint(provider, {variable: ENV_KEY}, base_url=scheme + host)
    name, slash, path = host.partition("/")
    assert made.base_url == f"https://{name.lower()}{slash}{path}"
    assert key_of(made) == ENV_KEY
    assert is_vendor_address(get_provider(provider), made.base_url) or provider == "ollama"


def test_plain_http_is_allowed_by_name() -> None:
    """`allow_insecure=True` allows a key over http://, on a network that the user trusts; the error says so."""
    made = endpoint("openai", base_url="http://10.0.0.5:8000/v1", api_key=GIVEN, allow_insecure=True)
    assert (key_of(made), made.local) == (GIVEN, False)
    with pytest.raises(ConfigError, match="allow_insecure"):
        endpoint("openai", base_url="http://10.0.0.5:8000/v1", api_key=GIVEN, allow_insecure=False)


def test_allow_insecure_does_not_open_the_environment() -> None:
    """`allow_insecure=True` does not send the environment's key to another origin."""
    with pytest.raises(ConfigError):
        endpoint("openai", OPENAI, base_url="http://10.0.0.5:8000/v1", allow_insecure=True)


# --- Which key


def test_a_given_key_outranks_the_environment() -> None:
    """`api_key=` is taken before the variable, as text, as a Secret or from a callable."""
    for given in (GIVEN, Secret(GIVEN), lambda: GIVEN, f" {GIVEN}\n"):
        assert key_of(endpoint("openrouter", OPENROUTER, api_key=given)) == GIVEN


def test_a_callable_is_not_asked_before_it_is_needed() -> None:
    """A key callable is asked when a request is sent, not when a model is made."""
    asked: list[int] = []
    endpoint("openrouter", api_key=lambda: asked.append(1) or GIVEN)
    assert asked == []


@pytest.mark.parametrize("given", ["", None])
def test_no_key_given_is_the_environments(given: Any) -> None:
    """An empty key is no key: the environment's is taken."""
    assert key_of(endpoint("openrouter", OPENROUTER, api_key=given)) == ENV_KEY


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_variable_holds_no_key(text: str) -> None:
    """A variable of blanks is no key."""
    with pytest.raises(ConfigError, match="no API key"):
        endpoint("openrouter", {"OPENROUTER_API_KEY": text})


def test_blanks_around_a_key_are_dropped() -> None:
    """A key read from a file with a line break at its end works."""
    assert key_of(endpoint("openrouter", {"OPENROUTER_API_KEY": f"{ENV_KEY}\n"})) == ENV_KEY


@pytest.mark.parametrize(
    "key", ["sk a", "sk\na", "sk\ta", "sk\x00a", "sk\x7fa", "schlüssel", "sk\u2013a", "sk\u200ba", "“sk-a”"]
)
def test_a_key_with_a_foreign_character_is_refused(key: str) -> None:
    """A key with a blank, a control character or a letter that no key has is a ConfigError, and is not shown."""
    with pytest.raises(ConfigError, match="api_key") as caught:
        endpoint("openrouter", api_key=key)
    assert key not in str(caught.value)
    with pytest.raises(ConfigError, match="OPENROUTER_API_KEY"):
        endpoint("openrouter", {"OPENROUTER_API_KEY": key})


@pytest.mark.parametrize(
    ("provider", "variable", "page"),
    [
        ("openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/keys"),
        ("openai", "OPENAI_API_KEY", "https://platform.openai.com/api-keys"),
        ("groq", "GROQ_API_KEY", "https://"),
    ],
)
def test_a_missing_key_says_what_to_set(provider: str, variable: str, page: str) -> None:
    """A missing key rises where the model is made: it names the variable, and where keys are made."""
    with pytest.raises(ConfigError) as caught:
        create_language(provider, "m")
    assert isinstance(caught.value, ValueError)
    assert caught.value.provider == provider
    for said in (variable, "api_key=", page):
        assert said in str(caught.value)


# --- Ollama


@pytest.mark.parametrize(
    ("environ", "settings", "url", "key", "local"),
    [
        ({}, {}, "http://127.0.0.1:11434", None, True),
        ({"OLLAMA_API_KEY": ENV_KEY}, {}, "http://127.0.0.1:11434", None, True),
        ({"OLLAMA_HOST": "box:1234"}, {}, "http://box:1234", None, False),
        ({"OLLAMA_HOST": "box", "OLLAMA_API_KEY": ENV_KEY}, {}, "http://box:11434", None, False),
        ({"OLLAMA_HOST": "https://box", "OLLAMA_API_KEY": ENV_KEY}, {}, "https://box", None, False),
        ({"OLLAMA_HOST": "ollama.com", "OLLAMA_API_KEY": ENV_KEY}, {}, "https://ollama.com", ENV_KEY, False),
        ({"OLLAMA_HOST": "Ollama.com", "OLLAMA_API_KEY": ENV_KEY}, {}, "https://ollama.com", ENV_KEY, False),
        ({"OLLAMA_API_KEY": ENV_KEY}, {"base_url": "https://ollama.com"}, "https://ollama.com", ENV_KEY, False),
        ({"OLLAMA_API_KEY": ENV_KEY}, {"base_url": "https://ollama.com/v1"}, "https://ollama.com", ENV_KEY, False),
        ({"OLLAMA_API_KEY": ENV_KEY}, {"base_url": "http://ollama.com"}, "http://ollama.com", None, False),
        ({"OLLAMA_API_KEY": ENV_KEY}, {"base_url": "https://ollama.com.evil"}, "https://ollama.com.evil", None, False),
        ({"OLLAMA_API_KEY": ENV_KEY}, {"base_url": "https://evilollama.com"}, "https://evilollama.com", None, False),
        ({"OLLAMA_HOST": "box"}, {"base_url": "http://[::1]:1"}, "http://[::1]:1", None, True),
        ({}, {"base_url": "http://127.0.0.1:1/v1", "api_key": GIVEN}, "http://127.0.0.1:1", GIVEN, True),
    ],
)
def test_ollamas_key_is_the_clouds(
    environ: dict[str, str], settings: dict[str, str], url: str, key: str | None, local: bool
) -> None:
    """Ollama's key goes to ollama.com only; a server of one's own is sent none and needs none."""
    made = endpoint("ollama", environ, **settings)
    assert (made.base_url, key_of(made), made.local) == (url, key, local)


def test_a_given_ollama_key_does_not_go_over_plain_http() -> None:
    """A key that was given for a server on another machine needs https or a word."""
    with pytest.raises(ConfigError, match="plain http"):
        endpoint("ollama", base_url="http://box:11434", api_key=GIVEN)


# --- Small parts


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/v1", "https://a.example:443"),
        ("https://A.Example:443/v1", "https://a.example:443"),
        ("http://a.example", "http://a.example:80"),
        ("http://a.example:443", "http://a.example:443"),
        ("https://[::1]:8/x", "https://::1:8"),
        ("https://a.example:0443", "https://a.example:443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str) -> None:
    """Two addresses are of one origin if scheme, host and port are the same, the default port written or not."""
    assert web_origin(url) == expected


def test_port_zero_is_not_the_default_port() -> None:
    """An address with port 0 is not of the vendor's origin."""
    assert web_origin("https://openrouter.ai:0/") != web_origin("https://openrouter.ai/")


def test_check_url_says_whether_it_is_this_machine() -> None:
    """The check of an address tells loopback from the rest."""
    assert check_url("http://127.0.0.1:1/", "base_url") is True
    assert check_url("https://a.example/", "base_url") is False


def test_what_is_sent_is_what_was_resolved(sim: Simulator, monkeypatch: pytest.MonkeyPatch, drive: Any) -> None:
    """The request of a local model carries the given key and no header of another vendor, with every variable set."""
    for name, value in {
        **OPENAI,
        **OPENROUTER,
        "OLLAMA_API_KEY": ENV_KEY,
        "OPENAI_CUSTOM_HEADERS": "X-C: canary",
    }.items():
        monkeypatch.setenv(name, value)
    for provider in ("openrouter", "openai", "ollama"):
        drive.ask(drive.make(sim, provider, api_key=GIVEN))
    for request in sim.requests:
        assert request.headers["authorization"] == f"Bearer {GIVEN}"
        assert not any("canary" in value for value in request.headers.values())


def test_a_redirect_is_not_followed(sim: Simulator, drive: Any) -> None:
    """An address that answers with a redirect gets one request, and its target none."""
    from llmkit.testing.simulator import Reply, Simulator

    with Simulator() as other:
        target = f"{other.openrouter_url}/chat/completions"
        for status in (301, 302, 303, 307, 308):
            sim.script(Reply(status=status, headers={"Location": target}, body=b""))
            with pytest.raises(ConfigError, match="redirect"):
                drive.ask(drive.make(sim, "openrouter"))
        assert len(sim.requests) == 5
        assert other.requests == []
