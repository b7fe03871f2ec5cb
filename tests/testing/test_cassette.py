"""Recordings: made once, replayed in both colours and under every SDK, without a key in them and without a network."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("vcr", reason="recordings need vcrpy")

from llmkit import ConfigError, RateLimited, RetryPolicy, create_language
from llmkit.testing.cassette import PLACEHOLDER, NoRecording, default_mode, use_cassette
from llmkit.testing.scrubber import Scrubber
from llmkit.testing.simulator import Reply, Simulator

KEY = "sk-or-v1-51a9f00d51a9f00d51a9f00d51a9f00d"
QUESTION = "How far is the moon?"
COMMITTED = Path(__file__).parents[1] / "cassettes"
#: Provider, model, and the simulator's address for it.
TARGETS = {
    "openrouter": ("openai/gpt-4o-mini", "openrouter_url"),
    "openai": ("gpt-4o-mini", "openai_url"),
    "ollama": ("llama3.2", "ollama_url"),
}


async def _aask(model, stream, settings):
    async with model:
        if not stream:
            return await model.achat_complete(QUESTION, **settings)
        opened = model.achat_complete(QUESTION, stream=True, **settings)
        assert [chunk async for chunk in opened]
        return opened.response


def ask(colour, provider, url, *, stream=False, key=KEY, retry=None, **settings):
    """One call in one colour."""
    model = create_language(provider, TARGETS[provider][0], base_url=url, api_key=key, retry=retry)
    if colour == "async":
        return asyncio.run(_aask(model, stream, settings))
    with model:
        if not stream:
            return model.chat_complete(QUESTION, **settings)
        opened = model.chat_complete(QUESTION, stream=True, **settings)
        assert list(opened)
        return opened.response


@pytest.fixture(autouse=True)
def no_ci(monkeypatch):
    """What the tests say counts, not where they run."""
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture
def sim():
    with Simulator() as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def colour(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "down" / "tape.yaml"


# Recording and replaying


@pytest.mark.parametrize("provider", TARGETS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_replays_in_both_colours(sim, path, colour, provider, stream):
    """What was recorded in one colour replays in both, equal in every field, without a request."""
    url = getattr(sim, TARGETS[provider][1])
    with use_cassette(path) as recording:
        assert not recording.replaying
        live = ask(colour, provider, url, stream=stream)
    assert live.content
    assert len(sim.requests) == 1
    for other in ("sync", "async"):
        with use_cassette(path) as recording:
            assert recording.replaying
            again = ask(other, provider, url, stream=stream, key="another-key-0")
        assert again.to_dict() == live.to_dict()
    assert len(sim.requests) == 1


def test_replays_without_the_server(path, colour):
    """A replay needs no server, and no port either."""
    with Simulator() as sim, use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
    with use_cassette(path):
        assert ask(colour, "openrouter", "http://127.0.0.1:9/api/v1").content == f"You said: {QUESTION}"


@pytest.mark.parametrize("name", sorted(file.stem for file in COMMITTED.glob("*.yaml")))
def test_committed_recording(colour, name):
    """A recording that was made with another version of the SDK replays here, in both colours.

    The recordings are of the simulator, made sync under openai 3.52.
    """
    with use_cassette(COMMITTED / f"{name}.yaml", "none"):
        plain = ask(colour, name, "http://127.0.0.1:9/" + {"openrouter": "api/v1", "openai": "v1", "ollama": ""}[name])
        streamed = ask(
            colour,
            name,
            "http://127.0.0.1:9/" + {"openrouter": "api/v1", "openai": "v1", "ollama": ""}[name],
            stream=True,
            temperature=0.5,
        )
    assert plain.content == streamed.content == f"You said: {QUESTION}"
    assert plain.usage.total_tokens == streamed.usage.total_tokens or name == "openai"
    assert (plain.cost.amount is not None) == (name != "openai")


def test_there_are_committed_recordings():
    """The recordings that the test above looks for are there."""
    assert {file.stem for file in COMMITTED.glob("*.yaml")} == set(TARGETS)


WITHOUT_AIOHTTP = """
import sys
sys.modules["aiohttp"] = None
sys.path.insert(0, {here!r})
import test_cassette as tests
from llmkit.testing.cassette import use_cassette
from llmkit.testing.simulator import Simulator
from pathlib import Path
path = Path({path!r})
with Simulator() as sim:
    with use_cassette(path):
        tests.ask("async", "openrouter", sim.openrouter_url, stream=True)
    for colour in ("sync", "async"):
        with use_cassette(path):
            assert tests.ask(colour, "openrouter", sim.openrouter_url, stream=True).content
    assert len(sim.requests) == 1
print("aiohttp" in str(sys.modules.get("aiohttp")), "done")
"""


def test_without_aiohttp(path):
    """The SDK's other async backend, which it takes where aiohttp is not installed, records and replays too."""
    code = WITHOUT_AIOHTTP.format(here=str(Path(__file__).parent), path=str(path))
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "done"]


def test_errors_replay(sim, path, colour):
    """An error reply is recorded with what llmkit reads of it."""
    sim.script(Reply(status=429, headers={"Retry-After": "7"}))
    for _ in range(2):
        with use_cassette(path), pytest.raises(RateLimited) as caught:
            ask(colour, "openrouter", sim.openrouter_url)
        assert (caught.value.status, caught.value.retry_after) == (429, 7)
    assert len(sim.requests) == 1


def test_equal_requests_replay_in_order(sim, path, colour):
    """Requests that are equal get their answers in the order of the recording, a retry as well."""
    sim.script(Reply(status=500), Reply(text="second"), Reply(text="third"))
    for _ in range(2):
        with use_cassette(path):
            first = ask(colour, "openrouter", sim.openrouter_url, retry=RetryPolicy(backoff=0))
            second = ask(colour, "openrouter", sim.openrouter_url)
        assert [attempt.outcome for attempt in first.attempts] == ["ServerError", "ok"]
        assert (first.content, second.content) == ("second", "third")
    assert len(sim.requests) == 3


# What does not fit


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"temperature": 0.5}, "differs from the recorded one in temperature"),
        ({"seed": 1, "max_tokens": 5}, "in max_completion_tokens, seed"),
        ({"stream": True}, "in stream"),
        ({"provider": "ollama", "url": "http://127.0.0.1:9"}, "no request to that address is recorded"),
        ({"url": "http://localhost:9/api/v1"}, "no request to that address is recorded"),
    ],
)
def test_another_request_is_refused(sim, path, colour, change, says):
    """A request that the recording does not hold is an error at once that says what differs; nothing goes out."""
    with use_cassette(path):
        ask(colour, "openrouter", sim.openrouter_url)
    asked = {"provider": "openrouter", "url": sim.openrouter_url, **change}
    with pytest.raises(NoRecording, match=says) as caught, use_cassette(path):
        ask(colour, asked.pop("provider"), asked.pop("url"), retry=RetryPolicy(), **asked)
    assert str(path) in str(caught.value)
    assert QUESTION not in str(caught.value)
    assert len(caught.value.attempts) == 1
    assert len(sim.requests) == 1


def test_json_is_compared_by_value(sim, path, colour):
    """The order of keys does not matter, the type of a value does."""
    bodies = [{"a": {"x": 1, "y": [1, 2]}, "b": True}, {"b": True, "a": {"y": [1, 2], "x": 1}}]
    with use_cassette(path):
        ask(colour, "openrouter", sim.openrouter_url, extra_body=bodies[0])
    with use_cassette(path):
        ask(colour, "openrouter", sim.openrouter_url, extra_body=bodies[1])
    for other in ({"a": {"x": 1, "y": [2, 1]}, "b": True}, {"a": {"x": 1, "y": [1, 2]}, "b": 1}):
        with pytest.raises(NoRecording), use_cassette(path):
            ask(colour, "openrouter", sim.openrouter_url, extra_body=other)


def test_an_answer_is_played_once(sim, path, colour):
    """A recorded answer serves one request; the next one is refused."""
    with use_cassette(path):
        ask(colour, "openrouter", sim.openrouter_url)
    with pytest.raises(NoRecording, match="played already"), use_cassette(path):  # noqa: PT012
        ask(colour, "openrouter", sim.openrouter_url)
        ask(colour, "openrouter", sim.openrouter_url)


def test_unplayed_requests_fail(sim, path):
    """A recording that holds more than was asked fails at the end of the block."""
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
        ask("sync", "ollama", sim.ollama_url)
    with pytest.raises(AssertionError, match=r"not sent: POST 127\.0\.0\.1/api/chat\. "), use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)


def test_a_miss_that_was_swallowed_fails(sim, path):
    """A program that swallows the error of a missing recording does not pass."""
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
    with pytest.raises(AssertionError, match=r"does not hold: .*seed"), use_cassette(path):  # noqa: PT012
        ask("sync", "openrouter", sim.openrouter_url)
        with pytest.raises(NoRecording):
            ask("sync", "openrouter", sim.openrouter_url, seed=1)


def test_failure_records_nothing(sim, path):
    """A block that raises, or is discarded, leaves no file."""
    with pytest.raises(RuntimeError, match="mine"), use_cassette(path):  # noqa: PT012
        ask("sync", "openrouter", sim.openrouter_url)
        raise RuntimeError("mine")
    with use_cassette(path) as recording:
        ask("sync", "openrouter", sim.openrouter_url)
        recording.discard()
    assert not path.exists()


# When it records


@pytest.mark.parametrize(
    ("ci", "mode"), [(None, "once"), ("", "once"), ("0", "once"), ("false", "once"), ("1", "none"), ("true", "none")]
)
def test_ci_never_records(monkeypatch, sim, path, ci, mode):
    """Where CI is set nothing is recorded unless the caller says so."""
    if ci is not None:
        monkeypatch.setenv("CI", ci)
    assert default_mode() == mode
    if mode == "none":
        with pytest.raises(NoRecording, match="nothing is recorded in CI"), use_cassette(path):
            ask("sync", "openrouter", sim.openrouter_url)
        assert sim.requests == []
        assert not path.exists()
    else:
        with use_cassette(path):
            ask("sync", "openrouter", sim.openrouter_url)
        assert path.exists()


def test_a_recording_is_never_changed(sim, path):
    """A file that is there is replayed, and not a byte of it changes."""
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
    before = path.read_bytes()
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
    assert path.read_bytes() == before


# Nothing goes out


def test_no_network_in_replay(sim, path):
    """While a recording is replayed no connection by IP is made, by whatever means, and no name is looked up."""
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)

    async def by_asyncio():
        await asyncio.open_connection("127.0.0.1", sim.port)

    def by_datagram():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            datagram.sendto(b"x", ("127.0.0.1", sim.port))

    ways = [
        lambda: socket.create_connection(("127.0.0.1", sim.port)),
        lambda: socket.getaddrinfo("example.com", 443),
        lambda: asyncio.run(by_asyncio()),
        by_datagram,
        lambda: urllib.request.urlopen(f"http://127.0.0.1:{sim.port}/"),
    ]
    for way in ways:
        with pytest.raises(NoRecording), use_cassette(path):
            way()
    assert sim.connections == 1
    ask("sync", "openrouter", sim.openrouter_url)
    assert sim.connections == 2, "afterwards the network is back"


def test_inner_sockets_work_in_replay(sim, path):
    """Sockets within the machine and event loops go on working."""
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
    with use_cassette(path):
        first, second = socket.socketpair()
        with first, second:
            first.sendall(b"x")
            assert second.recv(1) == b"x"
        asyncio.run(asyncio.sleep(0))
        ask("async", "openrouter", sim.openrouter_url)


# No key


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_no_key_in_the_file(monkeypatch, sim, path, colour, provider, stream):
    """A key is nowhere in the file: not of the header, nor where the question, the address or the answer repeats it."""
    other = "gsk_51a9f00d51a9f00d51a9f00d"
    vendor = "AIza" + "SyB-0123456789abcdefghijklmnopqrs"
    token = "opaque/value+with=signs/0123456789"
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("INTERNAL_TOKEN", token)
    echo = f"Your keys are {KEY} and {other} and {token.replace('/', '%2F')} and {vendor}."
    sim.script(Reply(text=echo, headers={"Set-Cookie": f"session={KEY}", "openai-organization": "org-acme"}))
    url = getattr(sim, TARGETS[provider][1])
    settings = {
        "extra_headers": {"X-Api-Key": other, "Cookie": "session=s3cr3t-cookie", "OpenAI-Organization": "org-acme"},
        "extra_body": {"note": f"{KEY} {other} {token} {vendor}", "api_key": "short", "user": "end-user"},
        "stream": stream,
    }
    with use_cassette(path):
        live = ask(colour, provider, url, **settings)
    assert KEY in live.content, "the program itself gets the answer as it is"
    text = path.read_text("utf-8")
    for secret in (KEY, other, vendor, token, token.replace("/", "%2F"), "s3cr3t-cookie", "org-acme", "short"):
        assert secret not in text
    for name in ("authorization", "cookie", "organization", "x-stainless", "user-agent", "host", "date"):
        assert f"\n      {name}" not in text.lower()
    assert "REMOVED" in text
    assert "end-user" in text
    with use_cassette(path):
        again = ask("sync" if colour == "async" else "async", provider, url, **settings)
    assert again.content == "Your keys are REMOVED and REMOVED and REMOVED and REMOVED."


def test_key_in_the_address(monkeypatch, sim, path, colour):
    """User names, passwords, keys and account ids of an address are not written, and a replay does without them."""
    scrubber = Scrubber({"CLOUD_ACCOUNT_ID": "acct0123456789"})
    clean = scrubber.scrub_url("https://user:pw@host/acct0123456789/v1?key=abc&api-version=2&sig=x%2Fy#frag")
    assert clean == "https://host/REMOVED/v1?key=REMOVED&api-version=2&sig=REMOVED"
    monkeypatch.setenv("CLOUD_ACCOUNT_ID", "acct0123456789")
    body = b'{"choices": [{"message": {"content": "here"}, "finish_reason": "stop"}]}'
    sim.script_for("/acct0123456789/v1/chat/completions", Reply(body=body))
    with use_cassette(path):
        assert ask(colour, "openai", f"{sim.url}/acct0123456789/v1").content == "here"
    assert "acct0123456789" not in path.read_text("utf-8")
    monkeypatch.delenv("CLOUD_ACCOUNT_ID")
    with use_cassette(path):
        assert ask(colour, "openai", f"{sim.url}/{os.environ['CLOUD_ACCOUNT_ID']}/v1").content == "here"


def test_key_in_pieces_is_not_recorded(sim, path, colour):
    """An answer that spells the key out over several pieces of a stream is refused, not written."""
    sim.script(Reply(chunks=["It is ", KEY[:12], KEY[12:20], KEY[20:]]))
    with pytest.raises(ConfigError, match="spells a key out"), use_cassette(path):
        ask(colour, "openrouter", sim.openrouter_url, stream=True)
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("sk-proj-abcdefghij0123456789", "REMOVED"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer REMOVED"),
        ("hf_0123456789abcdefghij", "REMOVED"),
        ("AKIAIOSFODNN7EXAMPLE", "REMOVED"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def_123", "REMOVED"),
        ("in org-AbCdEfGhIjKl0123456789 on", "in REMOVED on"),
        ('{"user_id": "user_2x", "n": 1}', '{"user_id": "REMOVED", "n": 1}'),
        ('{"password":"with \\" quote","a":"b"}', '{"password":"REMOVED","a":"b"}'),
        ("sk-learn-compatible-estimators are fine", None),
        ("a key-performance-indicator, max_tokens and tokens", None),
        ("user-friendly organisation-wide projects", None),
        ("the bearer of good news", None),
        ('{"role":"user","content":"password"}', None),
    ],
)
def test_what_looks_like_a_key(text, clean):
    """What looks like a key goes, whoever it belongs to; words stay."""
    assert Scrubber({}).scrub_text(text) == (text if clean is None else clean)


def test_plain_words_of_the_environment_stay():
    """A variable that is named like a secret and holds a plain word does not cut that word out of every text."""
    scrubber = Scrubber(
        {"POSTGRES_PASSWORD": "postgres", "API_KEY": "x", "MY_TOKEN": "tok-4711-tok", "HOME": "/home/u1234567"}
    )
    assert scrubber.scrub_text("postgres x tok-4711-tok /home/u1234567") == "postgres x REMOVED /home/u1234567"


def test_the_environment_does_not_change_what_matches(monkeypatch, sim, path):
    """A recording fits on a machine that has other variables."""
    monkeypatch.setenv("DEPLOY_TOKEN", "moon-4711")
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url, extra_body={"note": "about moon-4711"})
    monkeypatch.delenv("DEPLOY_TOKEN")
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url, extra_body={"note": "about moon-4711"})


def test_placeholder_for_a_missing_key(monkeypatch, sim, path):
    """Who replays needs no key: a placeholder stands for the variable that held one, and goes again."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", sim.openrouter_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("UNUSED_API_KEY", "unused-0123456789")

    def call():
        with create_language("openrouter", "openai/gpt-4o-mini") as model:
            return model.chat_complete(QUESTION).content

    with use_cassette(path):
        live = call()
    assert sim.requests[0].headers.get("authorization") == f"Bearer {KEY}"
    monkeypatch.delenv("OPENROUTER_API_KEY")
    monkeypatch.delenv("UNUSED_API_KEY")
    with use_cassette(path):
        assert os.environ["OPENROUTER_API_KEY"] == PLACEHOLDER
        assert "UNUSED_API_KEY" not in os.environ
        assert call() == live
    assert "OPENROUTER_API_KEY" not in os.environ


def test_a_set_key_is_left_alone(monkeypatch, sim, path):
    """A key that is set when a recording is replayed stays as it is."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "another-0123456789")
    with use_cassette(path):
        assert os.environ["OPENROUTER_API_KEY"] == "another-0123456789"
        ask("sync", "openrouter", sim.openrouter_url)


def test_no_key_in_the_log(caplog, sim, path):
    """The library that records logs no request and no answer."""
    caplog.set_level("DEBUG")
    sim.script(Reply(text=f"The key is {KEY}."))
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
    assert KEY not in caplog.text


# The file


def test_the_file_is_for_people(sim, path):
    """A recording is UTF-8 and readable: text as text, a stream in its lines."""
    sim.script(Reply(text="Fünf 月"), Reply(chunks=["Fünf ", "月"]))
    with use_cassette(path):
        ask("sync", "openrouter", sim.openrouter_url)
        ask("sync", "openrouter", sim.openrouter_url, stream=True)
    text = path.read_text("utf-8")
    assert "Fünf 月" in text
    assert text.count("\n        data: {") > 2
    assert "x-simulator" in text, "a recording of the simulator says so"
    assert text.startswith("recorded_by: llmkit.testing\n")


def test_compressed_answers_are_written_plain(path):
    """An answer that a proxy compressed is written as text."""
    import gzip

    body = json.dumps({"choices": [{"message": {"content": "zipped"}, "finish_reason": "stop"}]}).encode()
    for _ in range(2):
        with Simulator() as sim:
            sim.script(Reply(body=gzip.compress(body), headers={"Content-Encoding": "gzip"}))
            with use_cassette(path):
                assert ask("sync", "openrouter", sim.openrouter_url).content == "zipped"
    assert "zipped" in path.read_text("utf-8")


def test_without_vcrpy(path):
    """Without vcrpy the error says what to install."""
    code = (
        "import sys; sys.modules['vcr'] = None; sys.modules['vcr.cassette'] = None\n"
        "from llmkit.testing.cassette import use_cassette\n"
        f"with use_cassette({str(path)!r}): pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "recordings need vcr" in done.stderr
    assert "llmkit[testing]" in done.stderr
