"""Every exception of the OpenAI SDK and of the HTTP libraries under it has its typed error, without key or request."""

from __future__ import annotations

import asyncio
import errno
import importlib
import pickle
import pkgutil
import socket
import ssl
import sys
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import openai
import pytest

from llmkit import errors
from llmkit.errors import LLMError
from llmkit.transport.sdk.faults import BY_NAME, to_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY: Final = "sk-canary-0123456789abcdef"
ADDRESS: Final = "api.example:443"
#: What a call through the SDK can meet. Which of them is there depends on the version of the SDK and on its extras.
LIBRARIES: Final = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "h11", "aiohttp", "httpx_aiohttp")
#: Exceptions that no exchange over a client can raise, by name, and why.
ELSEWHERE: Final = {
    "InvalidWebhookSignatureError": "webhooks are checked by a server",
    "MissingStreamClassError": "a wrong call of the SDK",
    "_TransientTokenExchangeError": "caught inside the SDK's own sign-in",
    "WSHandshakeError": "websockets",
    "WebSocketError": "websockets",
    "WSMessageTypeError": "websockets",
    "TooManyMembersError": "websockets",
    "ConnectionNotAvailable": "caught inside the pool, which takes another connection",
    "EofStream": "caught inside aiohttp",
    "LookupError": "aiohttp's registry of payloads",
}


def submodules(name: str) -> Iterator[Any]:
    """A library's modules that can be imported without side effects, its command line left out."""
    try:
        library = importlib.import_module(name)
    except ImportError:
        return
    yield library
    if name == "openai":
        for part in ("_exceptions", "_response", "_legacy_response", "_streaming", "_base_client", "lib.azure"):
            yield importlib.import_module(f"openai.{part}")
        return
    for found in pkgutil.walk_packages(library.__path__, f"{name}."):
        if "main" not in found.name and "cli" not in found.name.rpartition(".")[2].split("_")[:1]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    yield importlib.import_module(found.name)
                except ImportError:  # a part for an event loop or protocol that is not installed
                    continue


def exceptions() -> list[type[Exception]]:
    """Every exception class of every library that is installed; warnings and server-side ones are none of a client."""
    found: dict[str, type[Exception]] = {}
    for name in LIBRARIES:
        for module in submodules(name):
            for value in list(vars(module).values()):
                if not (isinstance(value, type) and issubclass(value, Exception)) or issubclass(value, Warning):
                    continue
                if value.__module__.partition(".")[0] != name or value.__module__.startswith(
                    ("aiohttp.web", "aiohttp.test")
                ):
                    continue
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return [found[key] for key in sorted(found)]


CLASSES: Final = exceptions()


def label(cls: type) -> str:
    """A class by its full name."""
    return f"{cls.__module__}.{cls.__qualname__}"


def test_the_libraries_are_searched() -> None:
    """The search finds the SDK's classes, and those of the HTTP library that this version of it stands on."""
    names = {label(cls).partition(".")[0] for cls in CLASSES}
    below = openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]
    assert {"openai", below} <= names
    assert len(CLASSES) > 60


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls.__name__ not in ELSEWHERE], ids=label)
def test_every_exception_has_a_mapping(cls: type[Exception]) -> None:
    """Each class, or one that it descends from, is in the table by its name."""
    assert any(link.__name__ in BY_NAME for link in cls.__mro__)


# --- Instances


def http_library() -> Any:
    """The HTTP library under the SDK."""
    return sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]


def request() -> Any:
    """A request that holds the key."""
    return http_library().Request("POST", f"https://api.example/?key={KEY}", headers={"Authorization": f"Bearer {KEY}"})


def connection_key() -> Any:
    """What aiohttp names a connection by."""
    from aiohttp.client_reqrep import ConnectionKey

    values = {"host": "api.example", "port": 443, "is_ssl": True, "ssl": True}
    return ConnectionKey(**{name: values.get(name) for name in ConnectionKey._fields})


def request_info() -> Any:
    """What aiohttp keeps of a request: its headers with the key."""
    import aiohttp
    from multidict import CIMultiDict, CIMultiDictProxy
    from yarl import URL

    headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {KEY}"}))
    return aiohttp.RequestInfo(URL(f"https://api.example/?key={KEY}"), "POST", headers, URL("https://api.example/"))


def refused() -> OSError:
    """What the system says of an address that nobody can reach."""
    return OSError(errno.EHOSTUNREACH, f"no route with {KEY}")


TEXT: Final = f"illegal header value b'Bearer {KEY}'"
MAKERS: Final[list[Callable[[Any], Exception]]] = [
    lambda cls: cls(message=TEXT, request=request()),
    lambda cls: cls(message=TEXT, request=request(), body={"key": KEY}),
    lambda cls: cls(request=request()),
    lambda cls: cls(TEXT, response=http_library().Response(500, request=request()), body={"key": KEY}),
    lambda cls: cls(response=http_library().Response(200, request=request()), body={"key": KEY}),
    lambda cls: cls(response=http_library().Response(401, request=request())),
    lambda cls: cls(TEXT, request=request(), response=http_library().Response(500, request=request())),
    lambda cls: cls(TEXT, request=request()),
    lambda cls: cls(f"/run/{KEY}", connection_key(), refused()),
    lambda cls: cls(connection_key(), ssl.SSLCertVerificationError(1, f"bad {KEY}")),
    lambda cls: cls(b"a", b"b", "api.example", 443),
    lambda cls: cls(request_info(), (), status=407, message=TEXT),
    lambda cls: cls(TEXT),
    lambda cls: cls(),
    lambda cls: cls(b"GET", TEXT),
    lambda cls: cls(TEXT, TEXT),
    lambda cls: cls(completion=None),
]


def made(cls: type[Exception]) -> Exception | None:
    """An instance of a class, with the key in whatever it can hold."""
    for maker in MAKERS:
        try:
            instance = maker(cls)
            str(instance)
        except Exception:
            continue
        return instance
    return None


INSTANCES: Final = [instance for cls in CLASSES if (instance := made(cls)) is not None]


def test_nearly_every_class_is_tried() -> None:
    """The instances below are of nearly all classes: at most a handful cannot be made from outside."""
    missing = {label(cls) for cls in CLASSES} - {label(type(instance)) for instance in INSTANCES}
    assert len(missing) <= 4, missing


def leaks(error: LLMError) -> list[str]:
    """Where the key, or an object of a library, is found in an error."""
    found = [name for name, value in vars(error).items() if type(value).__module__.partition(".")[0] in LIBRARIES]
    shown = {"str": str(error), "repr": repr(error), "fields": repr(vars(error)), "args": repr(error.args)}
    found += [name for name, text in shown.items() if "canary" in text]
    if b"canary" in pickle.dumps(error):
        found.append("pickle")
    found += [name for name in ("__cause__", "__context__") if getattr(error, name) is not None]
    return found


@pytest.mark.parametrize("instance", INSTANCES, ids=lambda instance: label(type(instance)))
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "below the SDK's"])
def test_every_instance_becomes_an_error_of_ours(instance: Exception, wrapped: bool) -> None:
    """Each exception, alone or under the SDK's own, is a typed error that names the address and holds no key."""
    error: Exception = instance
    if wrapped:
        error = openai.APIConnectionError(message="Connection error.", request=request())
        error.__cause__ = instance
    ours = to_error(error, ADDRESS)
    assert isinstance(ours, LLMError)
    assert leaks(ours) == []
    assert ADDRESS in str(ours)
    assert ours.cause
    assert ours.billed in ("no", "unknown")


# --- Which error it is


def raised(*chain: BaseException) -> Exception:
    """Exceptions that caused each other, outermost first."""
    for outer, inner in pairwise(chain):
        outer.__cause__ = inner
    outermost = chain[0]
    assert isinstance(outermost, Exception)
    return outermost


def below(name: str, text: str = "x") -> Exception:
    """An exception of the HTTP library under the SDK."""
    instance: Exception = getattr(http_library(), name)(text, request=request())
    return instance


def sdk() -> Exception:
    """The SDK's word for any failed connection."""
    return openai.APIConnectionError(message="Connection error.", request=request())


def late() -> Exception:
    """The SDK's word for any time-out."""
    return openai.APITimeoutError(request=request())


CERTIFICATE: Final = ssl.SSLCertVerificationError(1, "certificate verify failed")
NO_HOST: Final = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: raised(late(), below("ConnectTimeout")), "ConnectTimeout"),
        (lambda: raised(late(), below("ReadTimeout")), "FirstTokenTimeout"),
        (lambda: raised(late(), below("WriteTimeout")), "ProviderTimeout"),
        (lambda: raised(late(), below("PoolTimeout")), "LocalOverload"),
        (lambda: raised(sdk(), below("ConnectError")), "CannotConnect"),
        (lambda: raised(sdk(), below("ReadError")), "ConnectionLost"),
        (lambda: raised(sdk(), below("WriteError")), "ConnectionLost"),
        (lambda: raised(sdk(), below("RemoteProtocolError")), "ConnectionLost"),
        (lambda: raised(sdk(), below("LocalProtocolError")), "ConfigError"),
        (lambda: raised(sdk(), below("UnsupportedProtocol")), "ConfigError"),
        (lambda: raised(sdk(), below("ProxyError")), "CannotConnect"),
        (lambda: raised(sdk(), below("DecodingError")), "MalformedResponse"),
        (lambda: raised(sdk(), below("ConnectError"), CERTIFICATE), "TLSFailed"),
        (lambda: raised(sdk(), below("ConnectError"), ssl.SSLError(1, "handshake failure")), "TLSFailed"),
        (lambda: raised(sdk(), below("ConnectError"), NO_HOST), "CannotConnect"),
        (lambda: raised(late(), below("ConnectTimeout"), ConnectionRefusedError(111, "refused")), "CannotConnect"),
        (lambda: raised(sdk(), ConnectionResetError(104, "reset")), "ConnectionLost"),
        (lambda: raised(sdk(), BrokenPipeError(32, "pipe")), "ConnectionLost"),
        (TimeoutError, "FirstTokenTimeout"),
        (asyncio.TimeoutError, "FirstTokenTimeout"),
        (lambda: ValueError("x"), "ConnectionLost"),
        (lambda: raised(sdk(), errors.RateLimited("x")), "RateLimited"),
        (lambda: errors.ConfigError("x"), "ConfigError"),
    ],
)
def test_the_most_telling_exception_decides(make: Callable[[], Exception], kind: str) -> None:
    """Of exceptions that caused each other the one that says most decides, not the SDK's wrapper."""
    assert type(to_error(make(), ADDRESS)).__name__ == kind


def test_a_context_is_looked_at_too() -> None:
    """An exception that was raised while another was handled is read with it."""
    error = sdk()
    error.__context__ = below("PoolTimeout")
    assert type(to_error(error, ADDRESS)) is errors.LocalOverload


def test_exceptions_in_a_circle_end() -> None:
    """Exceptions that name each other as cause do not make the reading endless."""
    first, second = below("ReadError"), sdk()
    first.__cause__, second.__cause__ = second, first
    assert isinstance(to_error(first, ADDRESS), LLMError)


def test_what_is_ours_stays_what_it_is() -> None:
    """An error of llmkit's own passes through unchanged."""
    error = errors.ConfigError("x")
    assert to_error(error, ADDRESS) is error


AIOHTTP: Final = [
    ("ConnectionTimeoutError", "ConnectTimeout"),
    ("SocketTimeoutError", "FirstTokenTimeout"),
    ("ServerTimeoutError", "FirstTokenTimeout"),
    ("ServerDisconnectedError", "ConnectionLost"),
    ("ClientPayloadError", "ConnectionLost"),
    ("ClientConnectionResetError", "ConnectionLost"),
    ("ClientOSError", "ConnectionLost"),
    ("ClientConnectorError", "CannotConnect"),
    ("ClientConnectorDNSError", "CannotConnect"),
    ("ClientProxyConnectionError", "CannotConnect"),
    ("ClientHttpProxyError", "CannotConnect"),
    ("ClientSSLError", "TLSFailed"),
    ("ClientConnectorSSLError", "TLSFailed"),
    ("ClientConnectorCertificateError", "TLSFailed"),
    ("ServerFingerprintMismatch", "TLSFailed"),
    ("InvalidURL", "ConfigError"),
    ("NonHttpUrlClientError", "ConfigError"),
    ("TooManyRedirects", "ConfigError"),
    ("ContentTypeError", "MalformedResponse"),
]


@pytest.mark.parametrize(("name", "kind"), AIOHTTP)
def test_aiohttps_exceptions(name: str, kind: str) -> None:
    """aiohttp's exceptions, where it is installed, are the same errors as those of the other library."""
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    instance = made(getattr(aiohttp, name, None) or getattr(aiohttp.client_exceptions, name))
    assert instance is not None
    assert type(to_error(raised(sdk(), instance), ADDRESS)).__name__ == kind


@pytest.mark.parametrize(("cls", "text"), BY_NAME.values(), ids=BY_NAME)
def test_the_table_is_sound(cls: type[LLMError], text: str) -> None:
    """Each row has a class of the tree and a sentence that can follow the address."""
    assert issubclass(cls, LLMError)
    assert text
    assert text[0].islower() or text.startswith("SDK")
    assert not text.endswith(".")
