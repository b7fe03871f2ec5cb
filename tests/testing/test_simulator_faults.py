"""How the simulator fails on purpose: errors, cuts, waits, raw bytes, and the bill after them."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from decimal import Decimal
from http.client import HTTPMessage
from typing import Any, NamedTuple

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from llmkit.testing.simulator import Reply, Simulator

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello there"}]
CHAT = {"openrouter": "/api/v1/chat/completions", "openai": "/v1/chat/completions", "ollama": "/api/chat"}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A running simulator."""
    with Simulator() as simulator:
        yield simulator


class Got(NamedTuple):
    """One response, read to its end."""

    status: int
    headers: HTTPMessage
    body: bytes
    whole: bool


def post(sim: Simulator, dialect: str, key: str = "sk-1", **fields: Any) -> Got:
    """The response to one chat request; `model` and `messages` have defaults."""
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
    request = {"model": "m", "messages": HELLO, "stream": False, **fields}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request("POST", CHAT[dialect], json.dumps(request), headers)
    response = connection.getresponse()
    try:
        body, whole = response.read(), True
    except http.client.IncompleteRead as short:
        body, whole = short.partial, False
    connection.close()
    return Got(response.status, response.headers, body, whole)


def raw(sim: Simulator, **fields: Any) -> socket.socket:
    """A socket on which one chat request to OpenRouter was sent; the server closes after its answer."""
    body = json.dumps({"model": "m", "messages": HELLO, "stream": True, **fields}).encode()
    head = [
        f"POST {CHAT['openrouter']} HTTP/1.1",
        "Authorization: Bearer sk-1",
        "Connection: close",
        f"Content-Length: {len(body)}",
        "\r\n",
    ]
    sock = socket.create_connection(("127.0.0.1", sim.port), timeout=5)
    sock.sendall("\r\n".join(head).encode() + body)
    return sock


def read_all(sock: socket.socket) -> tuple[list[bytes], bool]:
    """What single reads gave until the end, and True if the end was a reset."""
    reads: list[bytes] = []
    try:
        while data := sock.recv(65_536):
            reads.append(data)
    except ConnectionResetError:
        return reads, True
    finally:
        sock.close()
    return reads, False


def read_until(sock: socket.socket, mark: bytes) -> bytes:
    """What came up to a read with `mark` in it."""
    data = b""
    while mark not in data:
        data += sock.recv(65_536)
    return data


OLLAMA_BUSY = "server busy, please try again.  maximum pending requests exceeded"


@pytest.mark.parametrize(
    ("dialect", "key", "fields", "status", "path", "value"),
    [
        ("openrouter", "", {}, 401, "error.code", 401),
        ("openrouter", "sk-bad", {}, 401, "error.message", "User not found."),
        ("openai", "", {}, 401, "error.code", "invalid_api_key"),
        ("openai", "sk-bad-1", {}, 401, "error.type", "invalid_request_error"),
        ("openrouter", "k", {"model": "no-such/m"}, 400, "error.availability.code", "model_not_found"),
        ("openrouter", "k", {"model": "a/no-such"}, 400, "error.metadata.error_type", "invalid_request"),
        ("openrouter", "k", {"models": ["a", "b", "c", "d"]}, 400, "error.code", 400),
        ("openai", "k", {"model": "no-such"}, 404, "error.code", "model_not_found"),
        ("ollama", "", {"model": "no-such"}, 404, "error", "model 'no-such' not found"),
        ("ollama", "", {"model": ""}, 400, "error", "model is required"),
        ("openai", "k", {"messages": []}, 400, "error.type", "invalid_request_error"),
        (
            "openrouter",
            "k",
            {"model": "fault:status=429"},
            429,
            "error.metadata.error_type",
            "rate_limit_exceeded",
        ),
        ("openai", "k", {"model": "fault:status=429"}, 429, "error.code", "rate_limit_exceeded"),
        ("ollama", "", {"model": "fault:status=503", "stream": True}, 503, "error", OLLAMA_BUSY),
        ("openai", "k", {"model": "fault:status=x"}, 400, "error.type", "invalid_request_error"),
    ],
)
def test_errors_have_each_service_shape(
    sim: Simulator, dialect: str, key: str, fields: dict[str, Any], status: int, path: str, value: object
) -> None:
    """An error has the status and the body that the real service gives it."""
    response = post(sim, dialect, key, **fields)
    found = json.loads(response.body)
    for step in path.split("."):
        found = found[step]
    assert (response.status, found) == (status, value)
    assert sim.bill == []


BOOM = {"code": 502, "message": "boom"}
BOOM_DETAIL = {"error_type": "provider_unavailable", "provider_name": "Simulated"}
ODD = {"code": "odd", "message": None}


@pytest.mark.parametrize(("error", "inner"), [("boom", {**BOOM, "metadata": BOOM_DETAIL}), (ODD, ODD)])
def test_a_scripted_error_is_a_message_or_the_whole_object(sim: Simulator, error: Any, inner: object) -> None:
    """A text becomes the message of the usual error; a mapping is the error object as it is."""
    sim.script(Reply(status=502, error=error, headers={"Retry-After": "3"}))
    response = post(sim, "openrouter")
    assert (response.status, response.headers["retry-after"]) == (502, "3")
    assert json.loads(response.body)["error"] == inner


def test_an_error_inside_a_plain_answer(sim: Simulator) -> None:
    """With status 200 the error sits in the choice or alone, and is billed only on demand."""
    sim.script(Reply(error="boom"), Reply(error="boom", error_form="bare"), Reply(error="boom", billed=True))
    bodies = [json.loads(post(sim, "openrouter").body) for _ in range(3)]
    assert (bodies[0]["choices"][0]["finish_reason"], bodies[0]["choices"][0]["error"]["message"]) == (
        "error",
        "boom",
    )
    assert (bodies[1]["error"]["message"], "choices" in bodies[1]) == ("boom", False)
    assert [(charge.billed, charge.cost) for charge in sim.bill] == [
        (False, 0), (False, 0), (True, Decimal("0.000015")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "code", "choices", "keys"),
    [
        ("documented", 502, 1, {"id", "error", "provider"}),
        ("bare", 502, None, {"error", "user_id"}),
        ("choices-empty", 502, 0, {"id", "error"}),
        ("error-usage", 502, 1, {"error", "usage"}),
        ("string-code", "server_error", 1, {"error", "id"}),
    ],
)
def test_an_error_inside_a_stream(
    sim: Simulator, form: Any, code: object, choices: int | None, keys: set[str]
) -> None:
    """The error event comes after so many pieces, in the form asked for, and nothing follows it."""
    sim.script(Reply(text="a b c", error_after=2, error="boom", error_form=form))
    data = post(sim, "openrouter", stream=True).body.decode()
    events = [json.loads(line[6:]) for line in data.split("\n") if line]
    assert [event["choices"][0]["delta"]["content"] for event in events[:2]] == ["a ", "b "]
    assert (len(events), events[2]["error"]["code"], keys <= set(events[2])) == (3, code, True)
    assert (len(events[2]["choices"]) if "choices" in events[2] else None) == choices
    charge = sim.bill[0]
    assert (charge.completion_tokens, charge.complete, charge.billed) == (1, False, form == "error-usage")


def test_an_error_line_of_ollama(sim: Simulator) -> None:
    """An error inside a stream of Ollama is a line with a text, the last one."""
    sim.script(Reply(text="a b", error_after=1, error="boom"))
    lines = post(sim, "ollama", stream=True).body.splitlines()
    assert (len(lines), json.loads(lines[-1])) == (2, {"error": "boom"})


def test_the_openai_sdk_raises_on_an_error_event(sim: Simulator) -> None:
    """The OpenAI SDK sees the error event of both chat-completions dialects."""
    for base in (sim.openrouter_url, sim.openai_url):
        with openai.OpenAI(base_url=base, api_key="sk-1", max_retries=0) as sdk:
            stream = sdk.chat.completions.create(model="fault:error@1", messages=HELLO, stream=True)
            with pytest.raises(openai.APIError):
                list(stream)


def test_a_clean_cut_ends_the_body_and_keeps_the_connection(sim: Simulator) -> None:
    """After a clean cut there is no finish reason and no `[DONE]`, yet the HTTP body is complete."""
    response = post(sim, "openrouter", model="fault:cut@2", stream=True)
    data = response.body
    assert (data.count(b"data: "), b"[DONE]" in data, b'"finish_reason":"stop"' in data) == (2, False, False)
    assert "connection" not in response.headers
    assert (sim.bill[0].completion_tokens, sim.bill[0].complete, sim.bill[0].billed) == (3, False, True)


def test_a_reset_comes_after_the_pieces(sim: Simulator) -> None:
    """The pieces before a reset can be read, then the connection breaks."""
    reads, was_reset = read_all(raw(sim, model="fault:rst@2"))
    assert (b"".join(reads).count(b"data: "), was_reset) == (2, True)
    assert sim.bill[0].completion_tokens == 3


@pytest.mark.parametrize(("model", "was_reset"), [("fault:rst", True), ("fault:cut", False)])
def test_a_break_before_the_status_line(sim: Simulator, model: str, was_reset: bool) -> None:
    """Without a place, a cut or a reset comes before the first byte, and nothing is charged."""
    assert read_all(raw(sim, model=model)) == ([], was_reset)
    assert sim.bill == []


def test_a_stall_is_silent_until_the_client_leaves(sim: Simulator) -> None:
    """After the pieces of a stall nothing comes; the charge for them stands already."""
    sock = raw(sim, model="fault:stall@1")
    read_until(sock, b"data: ")
    sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    assert (sim.bill[0].completion_tokens, sim.open_connections) == (1, 1)
    sock.close()
    assert sim.wait_idle()


def test_a_plain_body_can_break_off(sim: Simulator) -> None:
    """A plain body is cut under its content-length, after the bytes or in its middle."""
    sim.script(Reply(cut_bytes=10), Reply(cut_after=3))
    after_ten, halved = post(sim, "openrouter"), post(sim, "openrouter")
    assert (len(after_ten.body), after_ten.whole, halved.whole) == (10, False, False)
    assert len(halved.body) == int(halved.headers["content-length"]) // 2


def test_a_client_that_leaves_is_charged_what_was_sent(sim: Simulator) -> None:
    """When the client goes away, the charge counts the pieces that were sent to it."""
    sim.script(Reply(text="aaaa bbbb cccc", gated=True))
    sock = raw(sim, model="openai/gpt-4o-mini")
    sim.release(2)
    read_until(sock, b"bbbb")
    assert sim.bill == []
    sock.close()
    assert sim.wait_idle()
    charge = sim.bill[0]
    assert (charge.prompt_tokens, charge.completion_tokens, charge.complete) == (3, 3, False)
    assert charge.cost == Decimal("0.00000225")


@pytest.mark.parametrize(("stream", "tokens", "billed"), [(True, 0, False), (False, 6, True)])
def test_a_client_that_leaves_early(sim: Simulator, stream: bool, tokens: int, billed: bool) -> None:
    """A stream of OpenRouter is free before its first piece; a plain answer is charged all the same."""
    sim.script(Reply(delay=5))
    sock = raw(sim, stream=stream)
    while not sim.requests:
        time.sleep(0.001)
    sock.close()
    assert sim.wait_idle()
    assert [(charge.completion_tokens, charge.billed, charge.complete) for charge in sim.bill] == [
        (tokens, billed, False)
    ]


def test_gated_pieces_wait_for_release(sim: Simulator) -> None:
    """A gated piece is sent when it is released, not before."""
    sim.script(Reply(text="one two", gated=True))
    sock = raw(sim)
    read_until(sock, b"\r\n\r\n")
    sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    sock.settimeout(5)
    sim.release()
    assert b"two" not in read_until(sock, b"one ")
    sim.release()
    read_until(sock, b"[DONE]")
    sock.close()


def test_raw_chunks_arrive_as_they_are_written(sim: Simulator) -> None:
    """Each raw chunk is one network read, whatever line or character it splits."""
    pieces = [b": OPENROUTER PROC", b"ESSING\n\nda", b'ta: {"a":"\xc3', b'\xa9"}\n', b"\n"]
    sim.script(Reply(raw_chunks=pieces, chunk_delay=0.05))
    reads, _ = read_all(raw(sim))
    frames = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    assert b"content-type: text/event-stream\r\n" in b"".join(reads)
    assert b"".join(reads).endswith(b"".join(frames) + b"0\r\n\r\n")
    assert [read for read in reads if read in frames[1:-1]] == frames[1:-1]


@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        (Reply(framing="none", body=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"), b"\r\n\r\nshort"),
        (Reply(framing="close", body=b"to the end"), b"connection: close\r\n\r\nto the end"),
        (Reply(framing="chunked", body=b"abc"), b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        (Reply(body=b"<html>", content_type="text/html", status=502), b"\r\n\r\n<html>"),
        (Reply(body=b""), b"content-length: 0\r\nconnection: close\r\n\r\n"),
    ],
)
def test_raw_bodies_are_framed_as_told(sim: Simulator, reply: Reply, wire: bytes) -> None:
    """The bytes of a raw body are sent unchanged, with the framing that was asked for."""
    sim.script(reply)
    reads, was_reset = read_all(raw(sim))
    assert b"".join(reads).endswith(wire)
    assert not was_reset


def test_raw_chunks_can_break_off(sim: Simulator) -> None:
    """A cut counts raw writes, and "reset" breaks the connection after them."""
    sim.script(Reply(raw_chunks=[b"one", b"two", b"three"], cut="reset", cut_after=2))
    reads, was_reset = read_all(raw(sim))
    assert b"".join(reads).endswith(b"3\r\none\r\n3\r\ntwo\r\n")
    assert was_reset


def test_headers_replace_and_repeat(sim: Simulator) -> None:
    """Scripted headers replace the simulator's own of that name, and a name may come twice."""
    twice = [("Retry-After", "1"), ("Retry-After", "2"), ("content-type", "text/odd")]
    sim.script(Reply(headers=twice), Reply(status=307, headers={"Location": "http://127.0.0.1:9/x"}))
    headers = post(sim, "openai").headers
    assert (headers.get_all("retry-after"), headers.get_all("content-type")) == (["1", "2"], ["text/odd"])
    redirect = post(sim, "openai")
    assert (redirect.status, redirect.headers["location"], redirect.body) == (
        307,
        "http://127.0.0.1:9/x",
        b"",
    )


def test_keep_alives_come_before_the_answer(sim: Simulator) -> None:
    """Comments precede the first event of a stream, blank lines a plain body."""
    sim.script(Reply(comments=3, comment_delay=0), Reply(padding=3, comment_delay=0))
    assert post(sim, "openrouter", stream=True).body.startswith(
        b": OPENROUTER PROCESSING\n\n" * 3 + b"data: "
    )
    padded = post(sim, "openrouter").body
    assert padded.startswith(b"\n         \n" * 3 + b"{")
    assert json.loads(padded)["object"] == "chat.completion"


def test_comments_for_ever_hold_no_content(sim: Simulator) -> None:
    """Endless comments go on until the client leaves."""
    sim.script(Reply(comment_forever=True, comment_delay=0.001))
    sock = raw(sim)
    data = b""
    while data.count(b": OPENROUTER") < 20:
        data += sock.recv(1024)
    sock.close()
    assert b"data:" not in data
    assert sim.wait_idle()


@pytest.mark.parametrize(
    ("reply", "least"),
    [
        (Reply(text="a b c d", delay=0.1), 0.1),
        (Reply(text="a b c d", first_delay=0.1), 0.1),
        (Reply(text="a b c d", chunk_delay=0.04), 0.12),
        (Reply(text="a b c d", hold_after_done=0.1), 0.1),
        (Reply(text="a b c d", trickle=400, trickle_delay=0.02), 0.06),
    ],
)
def test_waits_take_their_time(sim: Simulator, reply: Reply, least: float) -> None:
    """Each wait holds the answer back for as long as it says, and no word of it is lost."""
    sim.script(reply)
    start = time.monotonic()
    assert post(sim, "openrouter", stream=True).body.endswith(b"data: [DONE]\n\n")
    assert least <= time.monotonic() - start < least + 1


def test_done_can_be_missing(sim: Simulator) -> None:
    """Without `done` OpenRouter's stream lacks `[DONE]`, and Ollama's the line that says done."""
    assert b"[DONE]" not in post(sim, "openrouter", model="fault:nodone", stream=True).body
    assert b'"done":true' not in post(sim, "ollama", model="fault:nodone", stream=True).body


def test_a_fault_can_end_after_some_times(sim: Simulator) -> None:
    """`times` makes a fault hit the first requests only."""
    statuses = [post(sim, "openai", model="fault:status=503,times=2").status for _ in range(4)]
    assert statuses == [503, 503, 200, 200]
