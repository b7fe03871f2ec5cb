"""The fixture `llm_cassette`, in pytest runs of its own."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("vcr", reason="recordings need vcrpy")

import llmkit.testing.tape
from llmkit import create_language
from llmkit.testing.simulator import Reply, Simulator

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "record_and_replay"
KEY = "sk-or-v1-51a9f00d51a9f00d51a9f00d51a9f00d"
CONFTEST = """
import asyncio, os, pytest
pytest_plugins = ["llmkit.testing.pytest_plugin"]

@pytest.fixture
def ask():
    from llmkit import create_language
    def ask(question, **settings):
        with create_language("openrouter", "openai/gpt-4o-mini") as model:
            return model.chat_complete(question, **settings).content
    return ask

@pytest.fixture
def aask():
    from llmkit import create_language
    async def aask(question, **settings):
        async with create_language("openrouter", "openai/gpt-4o-mini") as model:
            return (await model.achat_complete(question, **settings)).content
    return lambda question, **settings: asyncio.run(aask(question, **settings))
"""


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """What the inner runs load is loaded here, once: each of them forgets what it has loaded itself."""
    assert llmkit.testing.tape.Tape
    with Simulator() as sim, create_language("ollama", "llama3.2", base_url=sim.ollama_url) as model:
        model.chat_complete("x")
        asyncio.run(model.achat_complete("x"))


class Project:
    """A user's project with tests."""

    def __init__(self, pytester, monkeypatch, sim):
        self.folder = pytester.path
        self.sim = sim
        self._pytester = pytester
        self._monkeypatch = monkeypatch
        pytester.makeconftest(CONFTEST)
        monkeypatch.setenv("OPENROUTER_BASE_URL", sim.openrouter_url)
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # They take a second to load and do nothing here.

    def write(self, code):
        (self.folder / "test_it.py").write_text(code, "utf-8")

    def run(self, *options, ci=False, key=True):
        """Counts of outcomes, and what pytest said."""
        for name, value in (("CI", "true" if ci else None), ("OPENROUTER_API_KEY", KEY if key else None)):
            if value is None:
                self._monkeypatch.delenv(name, raising=False)
            else:
                self._monkeypatch.setenv(name, value)
        # The plugin may have been imported by a test before this one, in the same process.
        known = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        command = ["-q", "-W", "error", *known, "--strict-markers", "-p", "no:cacheprovider", *options]
        result = self._pytester.runpytest_inprocess(*command)
        counts = {
            word: count for word, count in result.parseoutcomes().items() if word in {"passed", "failed", "errors"}
        }
        return counts, str(result.stdout) + str(result.stderr)

    def files(self):
        return sorted(str(file.relative_to(self.folder)) for file in self.folder.rglob("*.yaml"))


@pytest.fixture
def project(pytester, monkeypatch):
    with Simulator() as sim:
        yield Project(pytester, monkeypatch, sim)


def test_record_then_replay(project):
    """The first run records one file for each test; later runs need neither key nor network, in CI neither."""
    project.write("""
import pytest
def test_one(llm_cassette, ask):
    assert ask("one") == "You said: one"
class TestGroup:
    @pytest.mark.parametrize("word", ["a/b", "c"])
    def test_two(self, llm_cassette, ask, aask, word):
        assert ask(word) == aask(word) == f"You said: {word}"
""")
    assert project.run()[0] == {"passed": 3}
    assert project.files() == [
        f"cassettes/test_it/{name}.yaml" for name in ("TestGroup_test_two_a_b", "TestGroup_test_two_c", "test_one")
    ]
    assert len(project.sim.requests) == 5
    for options in ({}, {"ci": True}, {"key": False}, {"ci": True, "key": False}):
        counts, said = project.run(**options)
        assert counts == {"passed": 3}, said
    assert len(project.sim.requests) == 5
    assert not any(KEY in (project.folder / file).read_text("utf-8") for file in project.files())


def test_ci_does_not_record(project):
    """In CI a test without a recording fails, says why, and sends nothing; the option says it anywhere."""
    project.write("def test_one(llm_cassette, ask):\n    ask('one')\n")
    for arguments in (((), {"ci": True}), (("--llm-record=none",), {})):
        counts, said = project.run(*arguments[0], **arguments[1])
        assert counts["failed"] == 1
        assert "nothing is recorded in CI" in said
    assert project.sim.requests == []
    assert project.files() == []
    assert project.run("--llm-record=once", ci=True)[0] == {"passed": 1}


def test_shared_recording(project):
    """Tests may share a recording by name, a sync and an async one say."""
    project.write("""
import pytest
@pytest.mark.llm_cassette("greeting")
def test_sync(llm_cassette, ask):
    assert ask("hello") == "You said: hello"
@pytest.mark.llm_cassette("greeting")
def test_async(llm_cassette, aask):
    assert llm_cassette.replaying
    assert aask("hello") == "You said: hello"
""")
    counts, said = project.run()
    assert counts == {"passed": 2}, said
    assert project.files() == ["cassettes/test_it/greeting.yaml"]
    assert len(project.sim.requests) == 1


@pytest.mark.parametrize(
    "end", ["assert False", "raise KeyError('x')", "import pytest; pytest.skip()", "import pytest; pytest.xfail()"]
)
def test_a_test_that_does_not_pass_records_nothing(project, end):
    """What a failed or skipped test asked is not kept, and nothing is said beside its own failure."""
    project.write(f"def test_one(llm_cassette, ask):\n    ask('one')\n    {end}\n")
    counts, said = project.run()
    assert "errors" not in counts, said
    assert "passed" not in counts
    assert project.files() == []


def test_failed_test_with_a_recording(project):
    """A test that fails while its recording is replayed is not blamed for what it did not send."""
    project.write("def test_one(llm_cassette, ask):\n    ask('one')\n    ask('two')\n")
    project.run()
    project.write("def test_one(llm_cassette, ask):\n    ask('one')\n    assert False\n")
    counts, said = project.run()
    assert counts == {"failed": 1}, said


def test_unplayed(project):
    """A test that passes and leaves recorded requests unsent is an error."""
    project.write("def test_one(llm_cassette, ask):\n    ask('one')\n    ask('two')\n")
    project.run()
    project.write("def test_one(llm_cassette, ask):\n    ask('one')\n")
    counts, said = project.run()
    assert counts == {"passed": 1, "errors": 1}
    assert "holds requests that were not sent: POST 127.0.0.1/api/v1/chat/completions" in said


def test_changed_question(project):
    """A changed question fails, says which field differs, and does not show the key."""
    project.write("def test_one(llm_cassette, ask):\n    ask('one')\n")
    project.run()
    project.write("def test_one(llm_cassette, ask):\n    ask('one', temperature=0.5)\n")
    counts, said = project.run()
    assert counts["failed"] == 1
    assert "differs from the recorded one in temperature" in said
    assert "delete the file" in said
    assert KEY not in said
    assert len(project.sim.requests) == 1


def test_missing_key_at_the_first_run(project):
    """The first run of a real service without a key fails with the error that says which key."""
    project.write("""
from llmkit import create_language
def test_one(llm_cassette):
    create_language("openrouter", "openai/gpt-4o-mini", base_url="https://openrouter.ai/api/v1")
""")
    counts, said = project.run(key=False)
    assert counts == {"failed": 1}
    assert "OPENROUTER_API_KEY" in said


def test_no_network_in_a_replay(project):
    """A test that goes round the recording while it is replayed is refused."""
    project.write("def test_one(llm_cassette, ask):\n    ask('one')\n")
    project.run()
    project.write(
        "import socket\ndef test_one(llm_cassette, ask):\n    ask('one')\n"
        f"    socket.create_connection(('127.0.0.1', {project.sim.port}))\n"
    )
    counts, said = project.run()
    assert counts["failed"] == 1
    assert "a connection to 127.0.0.1" in said


def test_a_test_without_calls(project):
    """A test that asks for the fixture and calls nothing leaves no file, and passes in CI."""
    project.write("def test_one(llm_cassette):\n    assert llm_cassette.path.name == 'test_one.yaml'\n")
    assert project.run()[0] == {"passed": 1}
    assert project.files() == []
    assert project.run(ci=True)[0] == {"passed": 1}


def test_the_answer_in_the_test_is_the_recorded_one(project):
    """What a replay gives is what the service said then, whatever it would say now."""
    project.write("def test_one(llm_cassette, ask):\n    assert ask('one') == 'then'\n")
    project.sim.script(Reply(text="then"), Reply(text="now"))
    assert project.run()[0] == {"passed": 1}
    assert project.run()[0] == {"passed": 1}


def test_plugin_loads_nothing_heavy():
    """The plugin itself costs a test session neither vcrpy nor the SDK."""
    code = "import sys, llmkit.testing.pytest_plugin; print(sorted({'vcr', 'openai', 'yaml', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_example():
    """The example replays its recordings of the simulator without key, network or simulator, to the last request."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENROUTER_")}
    environment |= {"CI": "true", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    recordings = list((EXAMPLE / "cassettes").rglob("*.yaml"))
    assert len(recordings) == 3
    for file in recordings:
        text = file.read_text("utf-8")
        assert "x-simulator" in text
        assert "authorization" not in text.lower()
