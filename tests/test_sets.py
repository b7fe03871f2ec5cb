"""The tools of the tests themselves: what a set leaves out, and what a forked program has of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fork_server import ROOT, ForkServer
from tests.sets import cover

TABLES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(
    lambda sizes: [tuple(enumerate(values)) for values in product(*map(range, sizes))]
)


@given(TABLES, st.integers(1, 2))
def test_a_covering_loses_no_value_and_no_pair(table: list[Any], strength: int) -> None:
    """Whatever `strength` values stand together in a row stand together in a row that is kept."""
    kept = cover(table, strength)
    strength = min(strength, len(table[0]))

    def held(rows: list[Any]) -> set[Any]:
        return {part for row in rows for part in combinations(row, strength)}

    assert held([table[number] for number in kept]) == held(table)


def test_a_covering_is_small_and_even() -> None:
    """Of 144 combinations of four parameters a quarter is kept; of cases sync and async half, in turn."""
    table = [tuple(enumerate(values)) for values in product(range(12), range(3), range(2), range(2))]
    assert len(cover(table, 2)) == 36
    table = [tuple(enumerate(values)) for values in product(range(20), range(2))]
    kept = [table[number] for number in sorted(cover(table, 1))]
    assert len(kept) == 20
    assert sum(half for _, (_, half) in kept) == 10


STACKED = """
import pytest

@pytest.fixture(params=["sync", "async"])
def half(request):
    return request.param

@pytest.mark.covering(2)
@pytest.mark.parametrize("status", [400, 401, 402, 403])
@pytest.mark.parametrize(("provider", "model"), [("a", "b"), ("c", "d"), ("e", "f")])
def test_it(half, status, provider, model):
    pass
"""


@pytest.mark.parametrize(("options", "count"), [((), 12), (("--long",), 24)], ids=["build", "long"])
def test_the_build_takes_a_covering_of_what_the_long_set_takes(
    fork_server: ForkServer, tmp_path: Path, options: tuple[str, ...], count: int
) -> None:
    """Stacked parameters and those of fixtures are thinned by their values."""
    (tmp_path / "test_it.py").write_text(STACKED, "utf-8")
    words = ("-m", "pytest", "-p", "tests.sets", "-p", "no:cacheprovider", "-q", "--rootdir", ".", *options)
    done = run(fork_server, tmp_path, *words, PYTHONPATH=str(ROOT), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert f"{count} passed" in done.stdout.decode(), done.stdout + done.stderr


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def run(fork_server: ForkServer, folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return fork_server.run([sys.executable, *words], {**os.environ, **environ}, folder)


@forks
@pytest.mark.parametrize(
    ("code", "ended", "out", "err"),
    [
        ("print('out')", 0, b"out\n", b""),
        ("import sys; sys.exit(7)", 7, b"", b""),
        ("import sys; sys.exit('why')", 1, b"", b"why\n"),
        ("1 / 0", 1, b"", b"ZeroDivisionError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, b"", b""),
        ("import atexit; atexit.register(print, 'late')", 0, b"late\n", b""),
        ("import threading; threading.Thread(target=print, args=['thread']).start()", 0, b"thread\n", b""),
        ("import warnings; warnings.warn('careful')", 1, b"", b"UserWarning: careful"),
        ("import os, sys; print(sys.argv, os.environ['OWN'])", 0, b"['-c', 'word'] own\n", b""),
    ],
)
def test_a_forked_program_ends_as_one_of_its_own(
    fork_server: ForkServer, tmp_path: Path, code: str, ended: int, out: bytes, err: bytes
) -> None:
    """Exit code, signals, threads, what was registered, warnings, arguments and environment are as ever."""
    done = run(fork_server, tmp_path, "-W", "error", "-c", code, "word", OWN="own")
    assert (done.returncode, done.stdout) == (ended, out), done.stderr
    assert err in done.stderr


@forks
def test_forked_programs_do_not_see_each_other(fork_server: ForkServer, tmp_path: Path) -> None:
    """What one changes in its modules, its environment or its folder, the next one does not find."""
    change = "import llmkit, os; llmkit.mark = os.environ['MARK'] = 'here'; os.chdir('/')"
    assert run(fork_server, tmp_path, "-c", change).returncode == 0
    look = "import llmkit, os; print(hasattr(llmkit, 'mark'), 'MARK' in os.environ, os.getcwd())"
    assert run(fork_server, tmp_path, "-c", look).stdout.decode().split() == ["False", "False", str(tmp_path)]


@forks
def test_a_program_that_does_not_end_is_killed(fork_server: ForkServer, tmp_path: Path) -> None:
    """`kill` ends it at once, and its exit code says so."""
    with open(os.devnull, "r+b") as nowhere:  # noqa: PTH123
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        program = fork_server.start(command, os.environ, tmp_path, [nowhere.fileno()] * 3, terminal=False)
    started = time.monotonic()
    assert program.poll() is None
    program.kill()
    assert program.wait(10) == -signal.SIGKILL
    assert time.monotonic() - started < 10
    program.close()
