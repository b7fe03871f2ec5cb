"""The live suite is right although it is never run here: the simulator answers it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from llmkit.testing.simulator import Simulator

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("OPENROUTER_", "OPENAI_", "OLLAMA_"))}


def run_live(environ: dict[str, str]) -> str:
    command = [sys.executable, "-m", "pytest", "-m", "live", "tests/live", "-q", "-rs", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_live_suite_passes_against_the_simulator() -> None:
    """With keys and addresses of the simulator every live test runs; only Ollama's key test is skipped."""
    with Simulator() as sim:
        stands_in = {
            "OPENROUTER_API_KEY": "sk-simulated",
            "OPENROUTER_BASE_URL": sim.openrouter_url,
            "OPENAI_API_KEY": "sk-simulated",
            "OPENAI_BASE_URL": sim.openai_url,
            "OLLAMA_HOST": sim.ollama_url,
        }
        out = run_live({**CLEAN, **stands_in})
        assert len(sim.requests) >= 18
    assert "20 passed, 1 skipped" in out


def test_the_live_suite_says_what_is_missing() -> None:
    """Without keys and without Ollama it skips, and names the variables and the command."""
    out = run_live({**CLEAN, "OLLAMA_HOST": "127.0.0.1:1"})
    assert "21 skipped" in out
    assert [word for word in ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "ollama pull") if word not in out] == []
