"""What a request says of itself goes out as it says: method, content type, body, key; and how long its reply may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmkit import LLMError, ServerError
from llmkit.errors import ResponseTooLarge
from llmkit.provider.exchange import METHODS, Endpoint, HTTPRequest
from llmkit.provider.operations import Operation
from llmkit.resilience.retry import RetryPolicy
from llmkit.testing.simulator import Reply, Simulator
from llmkit.transport.sdk.transport import SDKTransport
from llmkit.types.secret import Secret
from llmkit.wire.chat import ChatProvider
from tests.carry_out import ask
from tests.conftest import FAST, KEY, Drive

FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\x00\xff\r\n--x--\r\n'
OK = Reply(body=b'{"ok": true}')


def sent(drive: Drive, sim: Simulator, request: HTTPRequest, policy: RetryPolicy | None = None, **endpoint: Any) -> Any:
    """The body of the reply to one request."""
    where = Endpoint(sim.openrouter_url, api_key=Secret(KEY), local=True, **endpoint)

    def once() -> Operation[bytes]:
        return (yield request).body

    return ask(drive, ChatProvider("sample"), SDKTransport(where), once, policy=policy)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_goes_out_as_itself(sim: Simulator, drive: Drive, method: str) -> None:
    """A request's method is the one on the wire; none is sent as another."""
    sim.script_for("/api/v1/files/f1", OK)
    assert sent(drive, sim, HTTPRequest("/files/f1", method=method)) == b'{"ok": true}'
    assert [(asked.method, asked.path) for asked in sim.requests] == [(method, "/api/v1/files/f1")]


@pytest.mark.parametrize("method", ["post", "HEAD", "TRACE", "", "GET /x HTTP/1.1\r\nX: y"])
def test_another_method_is_refused(method: str) -> None:
    """What no transport carries out is refused when the request is made."""
    with pytest.raises(ValueError, match="there are POST, GET"):
        HTTPRequest("/x", method=method)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(FORM, "multipart/form-data; boundary=x"), (b"\x00\x01\xff", "application/octet-stream"), (b"", "text/plain")],
)
@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_a_body_goes_out_byte_for_byte(sim: Simulator, drive: Drive, name: str, body: bytes, kind: str) -> None:
    """A body that is not JSON goes out as it is, under the content type that the request names, once."""
    sim.script_for("/api/v1/files", OK)
    sent(drive, sim, HTTPRequest("/files", body, {name: kind}))
    (asked,) = sim.requests
    assert (asked.body, asked.headers["content-type"]) == (body, kind)


def test_the_content_type_is_json_where_nothing_is_said(sim: Simulator, drive: Drive) -> None:
    """A request that names no content type carries JSON."""
    sim.script_for("/api/v1/files", OK)
    sent(drive, sim, HTTPRequest("/files", b'{"a": 1}'))
    assert sim.requests[-1].headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize(
    ("header", "shown"),
    [("Authorization", {"authorization": f"Bearer {KEY}"}), ("x-api-key", {"x-api-key": KEY}), ("", {})],
)
def test_the_key_goes_into_the_header_of_the_endpoint(
    sim: Simulator, drive: Drive, method: str, header: str, shown: dict[str, str]
) -> None:
    """The key stands in one header, the endpoint's, and in no other."""
    sim.script_for("/api/v1/files", OK)
    sent(drive, sim, HTTPRequest("/files", method=method), key_header=header)
    headers = sim.requests[-1].headers
    assert {name: text for name, text in headers.items() if KEY in text} == shown


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_failure_of_any_method_is_typed(sim: Simulator, drive: Drive, method: str) -> None:
    """An error status is a typed error with the service's text, whatever the method."""
    sim.script_for("/api/v1/files", Reply(status=500, body=b'{"error": {"message": "broken inside"}}'))
    with pytest.raises(ServerError, match="broken inside"):
        sent(drive, sim, HTTPRequest("/files", method=method))


def test_a_reply_may_be_as_long_as_its_request_allows(sim: Simulator, drive: Drive) -> None:
    """The bound is the request's own: a longer reply is an error, one of just that length is none."""
    for _ in range(2):
        sim.script_for("/api/v1/files", Reply(body=b"x" * 1000))
        assert sent(drive, sim, HTTPRequest("/files", max_reply_bytes=1000)) == b"x" * 1000
        sim.script_for("/api/v1/files", Reply(body=b"x" * 1001))
        with pytest.raises(ResponseTooLarge, match="1000 bytes"):
            sent(drive, sim, HTTPRequest("/files", max_reply_bytes=1000))


#: What happens to a request, and may one that makes a new thing be sent again then?
FAILURES: list[tuple[str, Reply, bool]] = [
    ("refused: too many", Reply(status=429), True),
    ("failed inside", Reply(status=500), False),
    ("no capacity", Reply(status=503), True),
    ("cut in the reply", Reply(body=b'{"ok": true}', cut="reset", cut_bytes=3), False),
]


@pytest.mark.parametrize(("name", "reply", "again"), FAILURES, ids=[name for name, *_ in FAILURES])
@pytest.mark.parametrize("repeatable", [True, False])
def test_what_may_have_been_carried_out_is_not_repeated(
    sim: Simulator, drive: Drive, name: str, reply: Reply, again: bool, repeatable: bool
) -> None:
    """A request that may not be repeated goes out again only where the service said that it did nothing."""
    sim.script_for("/api/v1/files", reply, OK)
    call: Callable[[], Any] = lambda: sent(drive, sim, HTTPRequest("/files", repeatable=repeatable), FAST)  # noqa: E731
    if again or repeatable:
        assert call() == b'{"ok": true}'
    else:
        with pytest.raises(LLMError) as caught:
            call()
        assert "may have been carried out" in caught.value.hint
    assert len(sim.requests) == (2 if again or repeatable else 1)
