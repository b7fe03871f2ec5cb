"""TLS: a private authority goes in `ca_bundle`, everything else that does not verify is `TLSFailed`."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmkit import ConfigError, ConnectionFailed, LanguageModel, TLSFailed
from llmkit.testing.simulator import Simulator
from tests.conftest import KEY, Drive

trustme = pytest.importorskip("trustme")


@dataclass
class Authority:
    """A certificate authority of this test run."""

    ca: Any
    bundle: str
    folder: Path

    def server(self, *names: str, **options: Any) -> ssl.SSLContext:
        """A server context with a certificate for `names`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, **options).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private authority, its certificate in a PEM file."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    bundle = folder / "ca.pem"
    ca.cert_pem.write_to_path(bundle)
    return Authority(ca, str(bundle), folder)


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[Simulator]:
    """A simulator that speaks TLS with `context`."""
    with Simulator(tls=context) as sim:
        yield sim


def at(drive: Drive, sim: Simulator, **settings: Any) -> LanguageModel:
    """An OpenRouter model at the TLS simulator, without retries."""
    return drive.make(sim, "openrouter", **{"retry": None, **settings})


def test_a_private_authority_is_trusted_by_ca_bundle(drive: Drive, mode: str, authority: Authority) -> None:
    """With `ca_bundle` the call is made over TLS, key and all."""
    with serving(authority.server("127.0.0.1")) as sim:
        model = at(drive, sim, ca_bundle=authority.bundle)
        for _ in range(3):
            assert drive.response(model, mode).content == "You said: hello"
        assert sim.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert sim.connections == 1
        drive.close(model)


@pytest.mark.parametrize("scheme", ["HTTPS", "Https"])
def test_tls_is_tls_in_any_case(drive: Drive, authority: Authority, scheme: str) -> None:
    """However https:// is spelled, the call is made over TLS, and a certificate is asked for."""
    with serving(authority.server("127.0.0.1")) as sim:
        url = sim.openrouter_url.replace("https", scheme)
        assert drive.ask(at(drive, sim, base_url=url, ca_bundle=authority.bundle)).content == "You said: hello"
        with pytest.raises(TLSFailed):
            drive.ask(at(drive, sim, base_url=url))
        assert len(sim.requests) == 1


def test_an_unknown_authority_is_refused(drive: Drive, mode: str, authority: Authority) -> None:
    """Without `ca_bundle` it is `TLSFailed`, which says what to do; nothing is sent, and it is not tried again."""
    with serving(authority.server("127.0.0.1")) as sim:
        error = drive.failure(drive.make(sim, "openrouter"), mode)
        assert type(error) is TLSFailed
        assert "certificate" in str(error)
        assert "ca_bundle" in str(error)
        assert len(error.attempts) == 1
        assert sim.requests == []


def test_a_certificate_for_another_host_is_refused(drive: Drive, mode: str, authority: Authority) -> None:
    """A trusted certificate that is not for this host is `TLSFailed`."""
    with serving(authority.server("other.example")) as sim:
        error = drive.failure(at(drive, sim, ca_bundle=authority.bundle), mode)
        assert type(error) is TLSFailed
        assert sim.requests == []


def test_an_expired_certificate_is_refused(drive: Drive, mode: str, authority: Authority) -> None:
    """A certificate that has expired is `TLSFailed`, and the message says so."""
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    with serving(authority.server("127.0.0.1", not_after=past)) as sim:
        error = drive.failure(at(drive, sim, ca_bundle=authority.bundle), mode)
        assert type(error) is TLSFailed
        assert "expired" in str(error)


@contextmanager
def answering(data: bytes) -> Iterator[int]:
    """A port that answers whatever comes with `data` and hangs up."""

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(4096)
                client.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_server_without_tls_is_refused(drive: Drive, mode: str, sim: Simulator, authority: Authority) -> None:
    """https:// to a server that answers in plain http is `TLSFailed`."""
    with answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n") as port:
        url = f"https://127.0.0.1:{port}/v1"
        error = drive.failure(at(drive, sim, base_url=url, ca_bundle=authority.bundle), mode)
        assert type(error) is TLSFailed


def test_a_handshake_that_is_cut_is_a_failed_connection(
    drive: Drive, mode: str, sim: Simulator, authority: Authority
) -> None:
    """A server that hangs up during the handshake is a `ConnectionFailed` that costs nothing."""
    with answering(b"") as port:
        url = f"https://127.0.0.1:{port}/v1"
        error = drive.failure(at(drive, sim, base_url=url, ca_bundle=authority.bundle), mode)
        assert isinstance(error, ConnectionFailed)
        assert error.billed == "no"


def test_plain_http_to_a_tls_server_is_a_typed_error(drive: Drive, mode: str, authority: Authority) -> None:
    """http:// to a server that speaks TLS only is an error of the connection or the reply."""
    with serving(authority.server("127.0.0.1")) as sim:
        url = sim.openrouter_url.replace("https://", "http://")
        error = drive.failure(at(drive, sim, base_url=url), mode)
        assert type(error).__name__ in ("ConnectionLost", "MalformedResponse", "BadRequest")
        assert sim.requests == []


def test_a_chain_goes_on_after_a_tls_failure(drive: Drive, mode: str, sim: Simulator, authority: Authority) -> None:
    """A target whose certificate does not verify is passed over."""
    with serving(authority.server("other.example")) as bad:
        model = at(drive, bad, ca_bundle=authority.bundle, fallbacks=[drive.make(sim, "ollama")])
        response = drive.response(model, mode)
        assert [attempt.outcome for attempt in response.attempts] == ["TLSFailed", "ok"]


@pytest.mark.parametrize("shape", ["one file", "two files"])
def test_a_client_certificate_is_shown(drive: Drive, authority: Authority, shape: str) -> None:
    """`client_cert` takes one PEM file or certificate and key, and a server that asks for one lets the call through."""
    context = authority.server("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    client = authority.ca.issue_cert("client@example.com")
    both, cert, key = (authority.folder / name for name in ("both.pem", "cert.pem", "key.pem"))
    client.private_key_and_cert_chain_pem.write_to_path(both)
    client.cert_chain_pems[0].write_to_path(cert)
    client.private_key_pem.write_to_path(key)
    with serving(context) as sim:
        shown: Any = str(both) if shape == "one file" else (str(cert), str(key))
        model = at(drive, sim, ca_bundle=authority.bundle, client_cert=shown)
        assert drive.ask(model).content == "You said: hello"
        error = drive.failure(at(drive, sim, ca_bundle=authority.bundle))
        assert type(error).__name__ in ("TLSFailed", "ConnectionLost")
        assert len(sim.requests) == 1


@pytest.mark.parametrize("setting", ["ca_bundle", "client_cert"])
def test_a_file_that_is_not_there_is_a_configuration_error(
    drive: Drive, sim: Simulator, tmp_path: Path, setting: str
) -> None:
    """A path that cannot be read is a `ConfigError` that names it."""
    path = str(tmp_path / "missing.pem")
    url = "https://127.0.0.1:1/v1"
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        drive.ask(at(drive, sim, base_url=url, **{setting: path}))
