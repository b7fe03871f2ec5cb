"""`OLLAMA_HOST` is read as Ollama itself reads it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit import ConfigError, create_language
from llmkit_ollama.host import is_cloud, parse_host

EXAMPLES: Final = settings.default.max_examples

#: What the server's own documents and source say of each form.
HOSTS: Final = [
    # no scheme: port 11434
    ("", "http://127.0.0.1:11434"),
    ("example.com", "http://example.com:11434"),
    ("example.com:1234", "http://example.com:1234"),
    ("127.0.0.1", "http://127.0.0.1:11434"),
    ("1.2.3.4:56789", "http://1.2.3.4:56789"),
    (":1234", "http://127.0.0.1:1234"),
    ("example.com/", "http://example.com:11434"),
    ("example.com:1234/", "http://example.com:1234"),
    ("example.com/ollama", "http://example.com:11434/ollama"),
    ("example.com:1234/path", "http://example.com:1234/path"),
    # a scheme says the port
    ("http://1.2.3.4", "http://1.2.3.4"),
    ("http://1.2.3.4:80", "http://1.2.3.4"),
    ("http://1.2.3.4:56789", "http://1.2.3.4:56789"),
    ("https://1.2.3.4", "https://1.2.3.4"),
    ("https://1.2.3.4:443", "https://1.2.3.4"),
    ("https://1.2.3.4:80", "https://1.2.3.4:80"),
    ("https://1.2.3.4:56789", "https://1.2.3.4:56789"),
    ("HTTPS://1.2.3.4", "https://1.2.3.4"),
    ("https://example.com/a/b/", "https://example.com/a/b"),
    ("http://example.com:1234/a", "http://example.com:1234/a"),
    # blanks and quotes
    ("  example.com  ", "http://example.com:11434"),
    ('"example.com"', "http://example.com:11434"),
    ("' example.com '", "http://example.com:11434"),
    ('" http://example.com "', "http://example.com"),
    ("\texample.com\n", "http://example.com:11434"),
    # the cloud
    ("ollama.com", "https://ollama.com"),
    ("ollama.com/", "https://ollama.com"),
    ("https://ollama.com", "https://ollama.com"),
    ("http://ollama.com", "http://ollama.com"),
    # addresses to listen on
    ("0.0.0.0", "http://127.0.0.1:11434"),
    ("0.0.0.0:1234", "http://127.0.0.1:1234"),
    ("http://0.0.0.0", "http://127.0.0.1"),
    ("::", "http://[::1]:11434"),
    ("[::]", "http://[::1]:11434"),
    ("[::]:1234", "http://[::1]:1234"),
    # IPv6
    ("::1", "http://[::1]:11434"),
    ("[::1]", "http://[::1]:11434"),
    ("[::1]:1337", "http://[::1]:1337"),
    ("http://[::1]", "http://[::1]"),
    ("https://[fe80::1]:8", "https://[fe80::1]:8"),
    ("[0001:002:003:0004::1]", "http://[0001:002:003:0004::1]:11434"),
    ("2001:db8::5", "http://[2001:db8::5]:11434"),
    # a port that is none
    ("example.com:", "http://example.com:11434"),
    ("example.com:abc", "http://example.com:11434"),
    ("example.com:66000", "http://example.com:11434"),
    ("example.com:-1", "http://example.com:11434"),
    ("1.2.3.4:99999", "http://1.2.3.4:11434"),
    ("https://example.com:66000", "https://example.com"),
    ("http://example.com:x", "http://example.com"),
    ("[::1]:abc", "http://[::1]:11434"),
    ("example.com:²", "http://example.com:11434"),
    ("example.com:" + "9" * 5000, "http://example.com:11434"),
    # names
    ("localhost", "http://localhost:11434"),
    ("my-box.local:11434", "http://my-box.local:11434"),
]


@pytest.mark.parametrize(("text", "expected"), HOSTS, ids=[repr(text)[:40] for text, _ in HOSTS])
def test_a_host_is_read_as_ollama_reads_it(text: str, expected: str) -> None:
    """Each form of the variable is the address that Ollama's own client takes it for."""
    assert parse_host(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("box", "http://box:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("http://box", "http://box"),
        ("ollama.com", "https://ollama.com"),
        (" 'box:1' ", "http://box:1"),
        ("http://box:1/v1", "http://box:1"),
        ("http://box:1/v1/", "http://box:1"),
        ("http://box:1/api", "http://box:1"),
        ("http://box:1/ollama/v1", "http://box:1/ollama"),
    ],
)
@pytest.mark.parametrize("way", ["OLLAMA_HOST", "OLLAMA_BASE_URL", "OLLAMA_API_BASE", "base_url"])
def test_the_address_of_a_model(way: str, text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables and `base_url=` are read alike; an end for another dialect is dropped."""
    settings = {"base_url": text} if way == "base_url" else {}
    if way != "base_url":
        monkeypatch.setenv(way, text)
    with create_language("ollama", "m", **settings) as model:
        assert model._setup.base_url == expected


def test_the_first_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ollama's own variable comes before the names that other libraries gave it."""
    monkeypatch.setenv("OLLAMA_HOST", "first")
    monkeypatch.setenv("OLLAMA_BASE_URL", "second")
    with create_language("ollama", "m") as model:
        assert model._setup.base_url == "http://first:11434"


@pytest.mark.parametrize(
    ("url", "cloud"),
    [
        ("https://ollama.com", True), ("https://OLLAMA.com/x", True), ("https://api.ollama.com", True),
        ("https://ollama.com.evil", False), ("https://evilollama.com", False), ("http://127.0.0.1:11434", False),
        ("https://evil.example/ollama.com", False),
    ],
)  # fmt: skip
def test_which_host_is_the_cloud(url: str, cloud: bool) -> None:
    """Ollama's cloud is known by its host name alone."""
    assert is_cloud(url) is cloud


@settings(max_examples=EXAMPLES * 2, deadline=None)
@given(st.text("ahx.:/[]0123456789 '\"-@#?%\\", max_size=20) | st.text(max_size=12))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Any text is an address, or a ConfigError where the model is made; nothing else is raised."""
    with suppress(ConfigError):
        create_language("ollama", "m", base_url=text).close()


@given(
    st.sampled_from(["", "http://", "https://"]),
    st.sampled_from(["box", "a.example", "127.0.0.1", "[::1]", "::1", "", "0.0.0.0"]),
    st.none() | st.integers(1, 65535),
    st.sampled_from(["", "/", "/a", "/a/b/"]),
)
def test_an_address_is_read_as_itself(scheme: str, host: str, port: int | None, path: str) -> None:
    """What was made of a text is an address that is read as itself, with the port that the text had."""
    numbered = port is not None and not (":" in host and "[" not in host)
    url = parse_host(f"{scheme}{host}:{port}{path}" if numbered else f"{scheme}{host}{path}")
    assert parse_host(url) == url
    parts = urlsplit(url)
    default = {"": 11434, "http://": 80, "https://": 443}[scheme]
    assert (parts.port or {"http": 80, "https": 443}[parts.scheme]) == (port if numbered else default)
    assert parts.path == path.rstrip("/")
