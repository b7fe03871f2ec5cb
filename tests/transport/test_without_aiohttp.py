"""The async half has two backends: aiohttp where it is installed, else the HTTP library under the OpenAI SDK.

The suite runs on the one that is found. Where that is aiohttp, this runs the async tests again without it, in a process
of its own. `LLMKIT_TEST_WITHOUT_AIOHTTP=1 pytest` does the same for any test.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What depends on the backend. One wire format is enough for it.
FILES = [
    "engine/test_streams.py",
    "promises/test_broken_streams.py",
    "transport/test_connections.py",
    "transport/test_tls.py",
    "transport/test_timeouts.py",
    "promises/test_load.py",
]
CHOSEN = "(async or loop or cancelled) and not ollama and not openai"
HIDDEN = "LLMKIT_TEST_WITHOUT_AIOHTTP"


def both_backends() -> bool:
    """Is there a choice?"""
    import openai

    return importlib.util.find_spec("aiohttp") is not None and hasattr(openai, "DefaultAioHttpClient")


@pytest.mark.skipif(bool(os.environ.get(HIDDEN)), reason="this is the run without aiohttp")
def test_the_async_half_works_without_aiohttp() -> None:
    """Streams, broken streams, connections, TLS, time-outs and load pass on the SDK's other backend too."""
    if not both_backends():
        pytest.skip("aiohttp is not installed, so the suite itself runs without it")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", CHOSEN]
    done = subprocess.run(
        [*command, *(str(ROOT / "tests" / name) for name in FILES)],
        env={**os.environ, HIDDEN: "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_the_backend_is_the_one_that_is_meant() -> None:
    """In the run without aiohttp nothing can import it."""
    if os.environ.get(HIDDEN):
        with pytest.raises(ImportError):
            importlib.import_module("aiohttp")
    elif importlib.util.find_spec("aiohttp") is None:
        pytest.skip("aiohttp is not installed")
    else:
        importlib.import_module("aiohttp")
