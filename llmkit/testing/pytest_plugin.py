"""A pytest plugin with one fixture, `llm_cassette`: record a real call once, and replay it ever after.

In the `conftest.py` at the root of the tests:

    pytest_plugins = ["llmkit.testing.pytest_plugin"]

In a test:

    from llmkit import create_language

    def test_capital(llm_cassette):
        model = create_language("openrouter", "openai/gpt-4o-mini")
        assert "Paris" in model.chat_complete("Capital of France?").content

The first run needs the key and records into `cassettes/<module>/<test>.yaml` beside the test; later runs need neither
key nor network. `@pytest.mark.llm_cassette("name")` gives the file another name, so that several tests, a sync and an
async one say, share a recording. `--llm-record=none` never records; that is the default where CI is set.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from llmkit.testing.cassette import Recording

_passed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--llm-record`."""
    group = parser.getgroup("llmkit")
    group.addoption("--llm-record", choices=("once", "none"), help="record calls to models that have no file yet?")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker `llm_cassette`."""
    config.addinivalue_line("markers", "llm_cassette(name): the name of the file of the fixture llm_cassette")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test itself passed, because a failed test records nothing."""
    report = yield
    if report.when == "call":
        item.stash[_passed] = report.passed
    return report


@pytest.fixture
def llm_cassette(request: pytest.FixtureRequest) -> Iterator[Recording]:
    """Record the calls to models of a test once, and then replay them, without a key in the file."""
    from llmkit.testing.cassette import use_cassette

    marker = request.node.get_closest_marker("llm_cassette")
    name = marker.args[0] if marker else request.node.nodeid.partition("::")[2]
    file = re.sub(r"[^\w.-]+", "_", name).strip("_") + ".yaml"
    path = request.path.parent / "cassettes" / request.path.stem / file
    with use_cassette(path, request.config.getoption("--llm-record")) as recording:
        yield recording
        if not request.node.stash.get(_passed, False):
            recording.discard()
