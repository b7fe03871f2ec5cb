"""Runs the probe: one process for all providers; if that dies or hangs, one for each provider that it left out."""

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
TIMEOUT_SECONDS = 20.0
_MAX_PROCESSES = 4


def run_probe(items: Sequence[str], timeout: float = TIMEOUT_SECONDS) -> dict[str, Row]:
    """Return a row for each item, by item, and one for each service if `services` is among the items.

    An item whose process died or hung has `loads` False and a `problem`.
    """
    rows, problem = _run_process(items, timeout)
    left = [item for item in items if item not in rows]
    if len(items) == 1:
        rows.update({item: _make_failed_row(item, problem) for item in left})
    elif left:
        with ThreadPoolExecutor(_MAX_PROCESSES) as pool:
            for answered in pool.map(lambda item: run_probe([item], timeout), left):
                rows.update(answered)
    return rows


def _make_failed_row(item: str, problem: str) -> Row:
    return {"item": item, "service": None, "loads": False, "problem": problem}


def _run_process(items: Sequence[str], timeout: float) -> tuple[dict[str, Row], str]:
    """Return the rows that the process wrote, and why it wrote no more of them."""
    # The path of this process, so that the probe finds what this one would; -P keeps the current folder out.
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-m", "llmkit.cli.probe", *items]
    try:
        process = subprocess.run(  # noqa: S603 - our own module
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
        out, problem = process.stdout, _explain_exit(process.stderr, process.returncode)
    except subprocess.TimeoutExpired as expired:
        out, problem = expired.stdout or b"", f"loading it took longer than {timeout:g} s"
    rows: dict[str, Row] = {}
    for line in out.decode("utf-8", "replace").splitlines():
        try:
            row: Row = json.loads(line)
        except ValueError:
            continue  # The process died within a line.
        rows[str(row["item"])] = row
    return rows, problem


def _explain_exit(stderr: bytes, status: int) -> str:
    """Return why a process ended: the last line of its traceback, else its exit status."""
    lines = stderr.decode("utf-8", "replace").split("\n")
    words = [line for line in lines if line.strip()]
    if "Traceback (most recent call last):" in stderr.decode("utf-8", "replace") and words:
        return scrub(words[-1])
    how = f"was killed by signal {-status}" if status < 0 else f"ended the process with exit status {status}"
    return f"it {how} while it was loaded"
