"""The simulator as a server: addresses, connections, records, scripts, other endpoints, and a prompt end."""

import asyncio
import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmkit.testing.simulator import Headers, Reply, Simulator

HELLO = [{"role": "user", "content": "hello there"}]
KEY = "sk-very-secret"
CHAT = {"openrouter": "/api/v1/chat/completions", "openai": "/v1/chat/completions", "ollama": "/api/chat"}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A running simulator."""
    with Simulator() as simulator:
        yield simulator


def call(
    sim: Simulator,
    method: str,
    path: str,
    body: object = None,
    connection: http.client.HTTPConnection | None = None,
) -> tuple[int, bytes]:
    """Status and body of one request."""
    used = connection or http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body)
    used.request(method, path, data, {"Authorization": f"Bearer {KEY}"})
    response = used.getresponse()
    result = response.status, response.read()
    if connection is None:
        used.close()
    return result


def chat(sim: Simulator, model: str = "m", dialect: str = "openai", **fields: Any) -> Any:
    """The body of one plain chat answer."""
    return json.loads(
        call(sim, "POST", CHAT[dialect], {"model": model, "messages": HELLO, "stream": False, **fields})[1]
    )


def test_addresses(sim: Simulator) -> None:
    """Each dialect has its base URL on the one loopback port."""
    base = f"http://127.0.0.1:{sim.port}"
    assert (sim.url, sim.openrouter_url, sim.openai_url, sim.ollama_url) == (
        base,
        f"{base}/api/v1",
        f"{base}/v1",
        base,
    )


def test_every_response_says_what_it_is(sim: Simulator) -> None:
    """The header `x-simulator` is on answers and on errors; OpenRouter's answers have their generation id."""
    for path, status in (("/api/v1/models", 200), ("/nowhere", 404), ("/", 200)):
        connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, response.headers["x-simulator"]) == (status, "llmkit")
        connection.close()
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
    body = json.dumps({"model": "m", "messages": HELLO, "stream": True})
    connection.request("POST", CHAT["openrouter"], body, {"Authorization": "Bearer k"})
    response = connection.getresponse()
    assert response.headers["x-generation-id"] == "gen-sim-000001"
    assert response.headers["transfer-encoding"] == "chunked"
    connection.close()


def test_one_connection_serves_many_requests(sim: Simulator) -> None:
    """Plain answers, streams, errors and cleanly cut streams leave the connection usable."""
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
    for model in ("m", "fault:status=500", "fault:cut@1", "m"):
        for stream in (False, True) if model != "fault:cut@1" else (True,):
            call(
                sim, "POST", CHAT["openai"], {"model": model, "messages": HELLO, "stream": stream}, connection
            )
    assert (sim.connections, sim.open_connections, {item.connection for item in sim.requests}) == (1, 1, {1})
    connection.close()
    end = time.monotonic() + 2
    while sim.open_connections and time.monotonic() < end:
        time.sleep(0.001)
    assert sim.open_connections == 0


def test_requests_sent_ahead_are_answered_in_order(sim: Simulator) -> None:
    """Bytes that arrive during an answer are kept for the next request."""
    body = json.dumps({"model": "m", "messages": HELLO, "stream": True}).encode()
    head = f"POST {CHAT['openai']} HTTP/1.1\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", sim.port), timeout=5) as sock:
        sock.sendall((head.encode() + b"\r\n" + body) * 3)
        data = b""
        while data.count(b"[DONE]") < 3:
            data += sock.recv(65_536)
    assert [item.json["model"] for item in sim.requests] == ["m"] * 3


def test_a_request_is_recorded(sim: Simulator) -> None:
    """A record holds the request as it came; its repr holds neither a header value nor the body."""
    call(sim, "POST", "/api/v1/chat/completions?a=1", {"model": "a/b", "messages": HELLO, "stream": True})
    record = sim.requests[0]
    assert (record.method, record.path, dict(record.query)) == (
        "POST",
        "/api/v1/chat/completions",
        {"a": "1"},
    )
    assert (record.dialect, record.model, record.stream, record.connection) == ("openrouter", "a/b", True, 1)
    assert record.headers["AUTHORIZATION"] == record.headers["authorization"] == f"Bearer {KEY}"
    assert record.json["messages"] == HELLO
    assert record.time <= time.monotonic()
    assert KEY not in repr(record)
    assert "hello" not in repr(record)


def test_headers_match_in_any_case() -> None:
    """Header names match in any case, and values of the same name are joined."""
    headers = Headers([("X-A", "1"), ("x-a", "2")])
    assert (headers["x-A"], "X-a" in headers, len(headers), repr(headers)) == (
        "1, 2",
        True,
        1,
        "Headers(x-a)",
    )


def test_ollama_counts_as_a_stream_by_default(sim: Simulator) -> None:
    """The record of an Ollama chat says stream unless the request says otherwise."""
    for body in ({"model": "m"}, {"model": "m", "stream": False}):
        call(sim, "POST", "/api/chat", body)
    assert [record.stream for record in sim.requests] == [True, False]


def test_scripts_are_used_in_order(sim: Simulator) -> None:
    """A queue for a model comes before the general queue, each reply serves once, then come defaults."""
    sim.script(Reply(text="one"), Reply(text="two"))
    sim.script_for("b", Reply(text="for b"))
    said = [chat(sim, model)["choices"][0]["message"]["content"] for model in ("a", "b", "b", "a")]
    assert said == ["one", "for b", "two", "You said: hello there"]


def test_a_path_can_be_scripted(sim: Simulator) -> None:
    """A reply for a path replaces its page, or decorates it if it has neither error nor body."""
    path = "/api/v1/models"
    sim.script_for(path, Reply(status=503), Reply(body=b"{}"), Reply(headers={"x-odd": "1"}))
    answers = [call(sim, "GET", path) for _ in range(4)]
    assert [status for status, _ in answers] == [503, 200, 200, 200]
    assert answers[1][1] == b"{}"
    assert answers[2][1] == answers[3][1]


def test_reset_forgets(sim: Simulator) -> None:
    """A reset clears script, records, bill and counts."""
    sim.script(Reply(), Reply(text="left over"))
    chat(sim)
    sim.reset()
    assert (sim.requests, sim.bill, sim.connections) == ([], [], 0)
    answer = chat(sim)
    assert (answer["id"], answer["choices"][0]["message"]["content"]) == (
        "chatcmpl-sim-000001",
        "You said: hello there",
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "step", "value"),
    [
        ("GET", "/api/v1/models", None, 200, ("data", 0, "pricing", "prompt"), "0.00000015"),
        (
            "GET",
            "/api/v1/models/openai/gpt-4o/endpoints",
            None,
            200,
            ("data", "endpoints", 0, "provider_name"),
            "OpenAI",
        ),
        ("GET", "/api/v1/models/a/b/endpoints", None, 404, ("error", "code"), 404),
        ("GET", "/api/v1/key", None, 200, ("data", "usage"), 0),
        ("GET", "/api/v1/generation?id=x", None, 404, ("error", "code"), 404),
        ("GET", "/v1/models", None, 200, ("data", 0, "id"), "gpt-4o"),
        ("GET", "/api/tags", None, 200, ("models", 0, "name"), "llama3.1:latest"),
        ("GET", "/api/ps", None, 200, ("models", 0, "context_length"), 4096),
        ("GET", "/api/version", None, 200, ("version",), "0.33.0"),
        ("POST", "/api/show", {"model": "qwen3:4b"}, 200, ("model_info", "qwen3.context_length"), 40_960),
        ("POST", "/api/show", {"model": "no-such"}, 404, ("error",), "model 'no-such' not found"),
        ("POST", "/api/pull", {"model": "m", "stream": False}, 200, ("status",), "success"),
        ("GET", "/api/v1/chat/completions", None, 405, ("error", "code"), 405),
        ("GET", "/api/nothing", None, 404, ("error",), "404 page not found"),
        ("GET", "/v1/nothing", None, 404, ("error", "type"), "invalid_request_error"),
        ("POST", "/api/chat", b"{", 400, ("error",), "invalid JSON in the request body"),
        ("POST", "/v1/chat/completions", b"[]", 400, ("error", "type"), "invalid_request_error"),
        ("POST", "/api/v1/chat/completions", b"\xff", 400, ("error", "code"), 400),
    ],
)
def test_other_endpoints(
    sim: Simulator,
    method: str,
    path: str,
    body: object,
    status: int,
    step: tuple[str | int, ...],
    value: object,
) -> None:
    """The endpoints besides chat answer with the real service's shapes."""
    got, data = call(sim, method, path, body)
    document = json.loads(data)
    for part in step:
        document = document[part]
    assert (got, document) == (status, value)


def test_ollama_says_that_it_runs(sim: Simulator) -> None:
    """The root is a plain sentence, and HEAD gives no body."""
    assert call(sim, "GET", "/") == (200, b"Ollama is running")
    assert call(sim, "HEAD", "/") == (200, b"")


@pytest.mark.parametrize(
    ("model", "last"),
    [("m", {"status": "success"}), ("no-such", {"error": "pull model manifest: file does not exist"})],
)
def test_a_pull_streams_its_progress(sim: Simulator, model: str, last: object) -> None:
    """A pull is a stream of lines; the last one says success or what went wrong."""
    lines = call(sim, "POST", "/api/pull", {"model": model})[1].splitlines()
    assert (json.loads(lines[0]), json.loads(lines[-1])) == ({"status": "pulling manifest"}, last)


def test_a_generation_agrees_with_the_bill(sim: Simulator) -> None:
    """`/generation` and `/key` state the cost that is on the bill."""
    answer = chat(sim, "openai/gpt-4o", "openrouter")
    found = json.loads(call(sim, "GET", f"/api/v1/generation?id={answer['id']}")[1], parse_float=Decimal)[
        "data"
    ]
    spent = json.loads(call(sim, "GET", "/api/v1/key")[1], parse_float=Decimal)["data"]["usage"]
    assert found["total_cost"] == spent == sim.bill[0].cost == Decimal("0.0000675")
    assert (found["tokens_prompt"], found["tokens_completion"]) == (3, 6)


def test_malformed_http_is_refused(sim: Simulator) -> None:
    """Bytes that are no HTTP request get 400 and the connection ends."""
    with socket.create_connection(("127.0.0.1", sim.port), timeout=5) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        assert sock.recv(1024).startswith(b"HTTP/1.1 400 ")
        assert sock.recv(1024) == b""


def test_a_chunked_request_body_is_read(sim: Simulator) -> None:
    """A request body in chunks is put together."""
    body = json.dumps({"model": "m", "messages": HELLO}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
    connection.request("POST", CHAT["openai"], iter([body[:9], body[9:]]), {"Authorization": "Bearer k"})
    assert connection.getresponse().status == 200
    assert sim.requests[0].body == body
    connection.close()


def test_close_is_prompt_and_leaves_no_thread() -> None:
    """Closing takes less than a second with stalled and waiting connections, and the thread is gone."""
    before = threading.active_count()
    sim = Simulator().start()
    sockets = []
    for model in ("fault:stall@1", "fault:delay=60", "fault:pings", "fault:stall"):
        connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
        body = json.dumps({"model": model, "messages": HELLO, "stream": True})
        connection.request("POST", CHAT["openrouter"], body, {"Authorization": "Bearer k"})
        sockets.append(connection)
    while len(sim.requests) < len(sockets):
        time.sleep(0.001)
    start = time.monotonic()
    sim.close()
    sim.close()
    assert time.monotonic() - start < 1
    assert (threading.active_count(), sim.open_connections, len(sim.requests)) == (before, 0, 4)
    for connection in sockets:
        connection.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with the openssl program")
def test_it_serves_https(tmp_path: Path) -> None:
    """With a TLS context the addresses are https, and streams, resets and a prompt end work as without."""
    names = [str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")]
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 2"
    subject = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", names[0], "-out", names[1]]
    subprocess.run([*command.split(), *subject], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(names[1], names[0])
    trust = ssl.create_default_context(cafile=names[1])
    with Simulator(tls=context) as sim:
        assert sim.url == f"https://127.0.0.1:{sim.port}"
        for model, ends_well in (("m", True), ("fault:rst@1", False)):
            connection = http.client.HTTPSConnection("127.0.0.1", sim.port, timeout=5, context=trust)
            body = json.dumps({"model": model, "messages": HELLO, "stream": True})
            connection.request("POST", CHAT["openai"], body, {"Authorization": "Bearer k"})
            try:
                assert connection.getresponse().read().endswith(b"[DONE]\n\n") is ends_well
            except (OSError, http.client.HTTPException):  # OpenSSL may tell a reset as an early end
                assert not ends_well
            connection.close()
        stalled = http.client.HTTPSConnection("127.0.0.1", sim.port, timeout=5, context=trust)
        stalled.request("POST", CHAT["ollama"], json.dumps({"model": "fault:stall@1", "messages": HELLO}))
        stalled.getresponse()
        start = time.monotonic()
    assert time.monotonic() - start < 1
    stalled.close()


def test_a_taken_port_is_an_error(sim: Simulator) -> None:
    """A port that cannot be bound raises in `start`, and leaves no thread."""
    before = threading.active_count()
    with pytest.raises(OSError, match="address"):
        Simulator(sim.port).start()
    assert threading.active_count() == before


def test_a_thousand_requests_at_once(sim: Simulator) -> None:
    """A thousand connections are served at the same time, half of them streams."""

    async def one(number: int) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        body = json.dumps({"model": "m", "messages": HELLO, "stream": number % 2 == 0}).encode()
        head = f"POST {CHAT['openrouter']} HTTP/1.1\r\nAuthorization: Bearer k\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        data = await reader.read()
        writer.close()
        return b"there" in data and data.startswith(b"HTTP/1.1 200 ")

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(one(number) for number in range(1000)))

    start = time.monotonic()
    assert all(asyncio.run(all_of_them()))
    assert time.monotonic() - start < 10
    assert (len(sim.requests), len(sim.bill), sim.connections) == (1000, 1000, 1000)
    assert len({charge.id for charge in sim.bill}) == 1000


def test_it_runs_as_a_program() -> None:
    """`python -m` prints what it is and its addresses, serves, and ends with status 0 on an interrupt."""
    command = [sys.executable, "-m", "llmkit.testing.simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(4)]
        program.send_signal(signal.SIGINT)
        rest = program.communicate(timeout=5)[0]
    assert "stand-in" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ["OpenRouter", "OpenAI", "Ollama"]
    assert (program.returncode, rest.strip()) == (0, "")
