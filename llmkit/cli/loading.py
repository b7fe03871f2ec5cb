"""Asks the probe: one process for all; if that dies or hangs, one for each provider that it had not told about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from llmkit.types.redaction import scrub

Row = dict[str, object]
#: Seconds that one process may take.
PATIENCE = 20.0
_AT_ONCE = 4


def probe(items: Sequence[str], patience: float = PATIENCE) -> dict[str, Row]:
    """A row for each item, by item, and for each service if they were asked for.

    An item whose process died or hung has `loads` False and `problem`.
    """
    rows, problem = _run(items, patience)
    left = [item for item in items if item not in rows]
    if len(items) == 1:
        rows.update({item: _failed(item, problem) for item in left})
    elif left:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for told in pool.map(lambda item: probe([item], patience), left):
                rows.update(told)
    return rows


def _failed(item: str, problem: str) -> Row:
    return {"item": item, "service": None, "loads": False, "problem": problem}


def _run(items: Sequence[str], patience: float) -> tuple[dict[str, Row], str]:
    """The rows that came, and what was wrong if they are not all."""
    # The path of this process, so that the probe finds what this one would; -P keeps the current folder out.
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-m", "llmkit.cli.probe", *items]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False
        )
        out, problem = done.stdout, _last_words(done.stderr, done.returncode)
    except subprocess.TimeoutExpired as over:
        out, problem = over.stdout or b"", f"loading it took longer than {patience:g} s"
    rows: dict[str, Row] = {}
    for line in out.decode("utf-8", "replace").splitlines():
        try:
            row: Row = json.loads(line)
        except ValueError:
            continue  # The process died in the middle of a line.
        rows[str(row["item"])] = row
    return rows, problem


def _last_words(stderr: bytes, status: int) -> str:
    """Why a process ended: the last line of its traceback, else its exit status."""
    lines = stderr.decode("utf-8", "replace").split("\n")
    said = [line for line in lines if line.strip()]
    if "Traceback (most recent call last):" in stderr.decode("utf-8", "replace") and said:
        return scrub(said[-1])
    how = f"was killed by signal {-status}" if status < 0 else f"ended the process with exit status {status}"
    return f"it {how} while it was loaded"
