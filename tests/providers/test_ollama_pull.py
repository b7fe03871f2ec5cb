"""Fetching a model with Ollama: lines become progress, however the bytes are split, and every failure has its type."""

from __future__ import annotations

import json
import os
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from llmkit import (
    AuthFailed,
    BadRequest,
    CannotConnect,
    ConnectionLost,
    EmptyResponse,
    LLMError,
    MalformedResponse,
    ModelNotFound,
    ServerError,
    StreamInterrupted,
)
from llmkit.operations.pull import pull_model
from llmkit.provider.exchange import Endpoint
from llmkit.provider.registry import get_provider
from llmkit.testing.simulator import Reply, Simulator
from llmkit.transport.sdk.transport import SDKTransport
from llmkit.types.model_info import PullProgress
from tests.carry_out import pull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Drive

SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
RECORDED: Final = SHARED / "wire" / "ollama.jsonl"
PROVIDER: Final[Any] = get_provider("ollama")
LAYER: Final = "sha256:" + "7" * 64
BODY: Final = b"""{"status":"pulling manifest"}
{"status":"pulling 777777777777","digest":"%(digest)s","total":1000}

{"status":"pulling 777777777777","digest":"%(digest)s","total":1000,"completed":400}
{"status":"pulling 777777777777","digest":"%(digest)s","total":1000,"completed":1000}
{"status":"verifying sha256 digest"}
{"status":"writing manifest","note":"Gr\xc3\xbc\xc3\x9fe"}
{"status":"success"}
""" % {b"digest": LAYER.encode()}  # fmt: skip
STEPS: Final = [
    PullProgress("pulling manifest"),
    PullProgress("pulling 777777777777", LAYER, None, 1000),
    PullProgress("pulling 777777777777", LAYER, 400, 1000),
    PullProgress("pulling 777777777777", LAYER, 1000, 1000),
    PullProgress("verifying sha256 digest"),
    PullProgress("writing manifest"),
    PullProgress("success"),
]


def progress(reads: Sequence[bytes]) -> list[PullProgress]:
    """The steps of a body that comes in `reads`; raises what the pull raises."""
    decoder = PROVIDER.pull_decoder("m")
    steps = [step for read in [*reads, b""] for step in decoder.feed(read)]
    decoder.finish()
    return steps


def pulled(drive: Drive, sim: Simulator, model: str = "llama3.2", url: str | None = None) -> list[PullProgress]:
    """The steps of a pull from the simulator, by the driver of `drive`."""
    transport = SDKTransport(Endpoint(url or sim.ollama_url, local=True))
    return pull(drive, PROVIDER, transport, lambda: (PROVIDER.pull(model), PROVIDER.pull_decoder(model)), model)


def test_the_request() -> None:
    """The pull is streamed, and says so: without it the server would be silent for hours."""
    request = PROVIDER.pull("llama3.2:1b")
    assert (request.method, request.path, request.stream) == ("POST", "/api/pull", True)
    assert json.loads(request.body) == {"model": "llama3.2:1b", "stream": True}


def test_a_pull_tells_its_progress(sim: Simulator, drive: Drive) -> None:
    """Layers come side by side, each with its digest; what has no number has none."""
    steps = pulled(drive, sim)
    assert (steps[0], steps[-1]) == (PullProgress("pulling manifest"), PullProgress("success"))
    layers = {step.digest: step for step in steps if step.digest}
    assert [(step.completed, step.total) for step in layers.values()] == [(2_000_000_000,) * 2, (1_000, 1_000)]
    assert [step.completed for step in steps if step.digest in layers][:2] == [None, None]


@given_by(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_any_splitting_gives_the_same_progress(cuts: list[int]) -> None:
    """Where the network splits the bytes does not matter, not even inside a character."""
    places = [0, *sorted(cuts), len(BODY)]
    reads = [BODY[start:end] for start, end in pairwise(places)]
    assert progress([read for read in reads if read]) == STEPS


def test_byte_by_byte() -> None:
    """One byte at a time."""
    assert progress([BODY[place : place + 1] for place in range(len(BODY))]) == STEPS


@given_by(st.integers(0, len(BODY) - len(b'{"status":"success"}\n')))
def test_a_pull_that_is_cut_anywhere_fails(end: int) -> None:
    """Before the line that says success, no end is a good one; the steps before it are those of the whole."""
    decoder = PROVIDER.pull_decoder("m")
    steps = [*(decoder.feed(BODY[:end]) if end else ()), *decoder.feed(b"")]
    assert steps == STEPS[: len(steps)]
    with pytest.raises((StreamInterrupted, EmptyResponse)) as caught:
        decoder.finish()
    assert "goes on where it stopped" in str(caught.value)


def test_a_last_line_without_its_end_counts() -> None:
    """A server that does not end its last line has said success all the same; what comes after it is not read."""
    assert progress([BODY.rstrip()]) == STEPS
    assert progress([BODY + b'{"error":"late"}\n<html>']) == STEPS


FAILURES: Final[list[tuple[str, type[LLMError], str]]] = [
    ("pull model manifest: file does not exist", ModelNotFound, "https://ollama.com/library"),
    ("pull model manifest: 412: \n\nThe model you are attempting to pull requires a newer version of Ollama.",
     BadRequest, "Update Ollama"),
    ('pull model manifest: 401: {"error":"Invalid username or password."}', AuthFailed, "signin"),
    ('pull model manifest: Get "https://registry.ollama.ai/v2/x": dial tcp: lookup registry.ollama.ai: no such host',
     ServerError, "registry"),
    ("pull model manifest: something new", ServerError, "goes on where it stopped"),
    ("write /models/blobs/x: no space left on device", ServerError, "disk"),
    ("max retries exceeded: unexpected EOF", ServerError, ""),
]  # fmt: skip


@pytest.mark.parametrize("as_status", [False, True], ids=["line", "status"])
@pytest.mark.parametrize(("said", "kind", "hint"), FAILURES, ids=[said[20:50] for said, _, _ in FAILURES])
def test_a_failure_has_its_type(
    sim: Simulator, drive: Drive, said: str, kind: type[LLMError], hint: str, as_status: bool
) -> None:
    """What the server says, in a line of its stream or with status 500, becomes a typed error that says what to do."""
    body = json.dumps({"error": said}).encode()
    lines = [b'{"status":"pulling manifest"}\n', body + b"\n"]
    sim.script_for("/api/pull", Reply(status=500, body=body) if as_status else Reply(raw_chunks=lines))
    with pytest.raises(LLMError) as caught:
        pulled(drive, sim)
    assert type(caught.value) is kind
    assert hint in caught.value.hint
    assert caught.value.model == "llama3.2"
    assert "ollama pull" not in caught.value.hint
    assert len(sim.requests) == 1


def test_an_unknown_model(sim: Simulator, drive: Drive) -> None:
    """A name that the library does not have is `ModelNotFound`, after the steps before it."""
    with pytest.raises(ModelNotFound, match=r"ollama\.com/library"):
        pulled(drive, sim, "no-such-model")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(raw_chunks=BODY.splitlines(keepends=True)[:4]), StreamInterrupted),
        (Reply(raw_chunks=[BODY[:200]], cut_after=1, cut="reset"), ConnectionLost),
        (Reply(body=b"<html>Sign in to the hotel network</html>"), MalformedResponse),
        (Reply(raw_chunks=[b'{"status":"pulling manifest"}\nnot json\n']), MalformedResponse),
        (Reply(body=b""), EmptyResponse),
        (Reply(body=b"[1]\n7\n{}\n"), EmptyResponse),
    ],
    ids=["no-success", "reset", "html", "not-json", "empty", "nothing"],
)
def test_a_pull_that_breaks_off(sim: Simulator, drive: Drive, reply: Reply, kind: type[LLMError]) -> None:
    """Only the success line is a success: a clean end, a lost connection and another server's page are not."""
    sim.script_for("/api/pull", reply)
    with pytest.raises(kind):
        pulled(drive, sim)


def test_no_server(sim: Simulator, drive: Drive, closed_port: int) -> None:
    """Where nothing listens, the pull says so."""
    with pytest.raises(CannotConnect):
        pulled(drive, sim, url=f"http://127.0.0.1:{closed_port}")


def test_leaving_a_pull_closes_its_connection(sim: Simulator) -> None:
    """Who leaves in the middle closes the connection, which stops the server."""
    sim.script_for("/api/pull", Reply(raw_chunks=BODY.splitlines(keepends=True), gated=True))
    with closing(pull_model("m", base_url=sim.ollama_url)) as steps:
        sim.release()
        assert next(steps) == STEPS[0]
    assert sim.wait_idle()


def test_the_recorded_pull() -> None:
    """A pull that was recorded: each layer is complete, and it ends well."""
    if not RECORDED.exists():
        pytest.skip(f"the recorded traffic is not here: no file {RECORDED} (LLMKIT_SHARED names another folder)")
    lines = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    (body,) = [line["response_body"] for line in lines if line["url"].endswith("/api/pull") and line["status"] == 200]
    steps = progress([body.encode()])
    layers = {step.digest: step for step in steps if step.digest}
    assert len(layers) == 5
    assert all(step.completed == step.total for step in layers.values())
