"""Runs the real command as a process of its own: with files, through pipes, and on a pseudo-terminal.

Where a test does not say `process=True` the process is forked off one that has the libraries loaded.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmkit.testing.simulator import Simulator
from tests.fork_server import PATIENCE, ForkServer, Program

KEY = "sk-test-0123456789abcdef"
COMMAND = (sys.executable, "-m", "llmkit.cli")


@dataclass(frozen=True)
class Done:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


@dataclass
class Shell:
    """Runs the command against a simulator, with a clean environment. What it writes never holds the key."""

    sim: Simulator
    folder: Path
    fork_server: ForkServer
    extra: dict[str, str] = field(default_factory=dict)

    def environ(self, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """The environment of the command; `None` takes a variable out."""
        services: dict[str, str | None] = {
            "OPENROUTER_API_KEY": KEY,
            "OPENROUTER_BASE_URL": self.sim.openrouter_url,
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.sim.openai_url,
            "OLLAMA_HOST": self.sim.ollama_url,
            "TERM": "dumb",
            "INPUTRC": os.devnull,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        both = {**os.environ, **services, **self.extra, **(more or {})}
        return {name: text for name, text in both.items() if text is not None}

    def start(
        self, *words: str, more: Mapping[str, str | None] | None = None, **streams: int | None
    ) -> subprocess.Popen[bytes]:
        """Start it in a new interpreter; stdin, stdout and stderr are pipes unless given."""
        pipes: dict[str, int | None] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen([*COMMAND, *words], env=self.environ(more), cwd=self.folder, **{**pipes, **streams})

    def run(
        self,
        *words: str,
        stdin: str | bytes = b"",
        more: Mapping[str, str | None] | None = None,
        process: bool = False,
    ) -> Done:
        """Run it to its end, with files as its streams; with `process` in a new interpreter and through pipes."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        if process:
            with self.start(*words, more=more) as started:
                out, err = started.communicate(given, timeout=PATIENCE)
            code = started.returncode
        else:
            ended = self.fork_server.run([*COMMAND, *words], self.environ(more), self.folder, given)
            code, out, err = ended.returncode, ended.stdout, ended.stderr
        done = Done(code, out.decode(), err.decode())
        assert KEY not in done.out + done.err
        assert "Traceback" not in done.err, done.err
        return done


@pytest.fixture
def shell(sim: Simulator, tmp_path: Path, fork_server: ForkServer) -> Shell:
    """The command, with the simulator as all three services."""
    return Shell(sim, tmp_path, fork_server)


class Screen:
    """A command on a pseudo-terminal, driven as a person would: type, look, press Ctrl-C.

    Without a fork server it is a new interpreter.
    """

    # The child makes the terminal its own, so that Ctrl-C reaches it as a signal.
    _OWN = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
    )

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], folder: Path, fork_server: ForkServer | None
    ) -> None:
        import pty

        self._master, slave = pty.openpty()
        self._process: subprocess.Popen[bytes] | Program
        if fork_server is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self._OWN, *command],
                stdin=slave, stdout=slave, stderr=slave, env=environ, cwd=folder, start_new_session=True,
            )  # fmt: skip
        else:
            self._process = fork_server.start(command, environ, folder, [slave] * 3, terminal=True)
        os.close(slave)
        self.seen = b""
        self._from = 0

    def see(self, pattern: str) -> str:
        """Wait until what came since the last look matches; gives that text."""
        end = time.monotonic() + PATIENCE
        while (match := re.search(pattern, self._new())) is None:
            assert time.monotonic() < end, f"did not see {pattern!r} in {self._new()!r}"
            assert self._read(end), f"ended without {pattern!r}: {self._new()!r}"
        text = self._new()[: match.end()]
        self._from += len(text.encode("utf-8", "replace"))
        return text

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def stop(self, pattern: str) -> str:
        """Press Ctrl-C, and again each second until the pattern is seen.

        A single one may be lost: Python's readline does not notice a signal that comes just before it waits for keys.
        """
        end = time.monotonic() + PATIENCE
        while re.search(pattern, self._new()) is None:
            assert time.monotonic() < end, f"did not see {pattern!r} in {self._new()!r}"
            self.type("\x03")
            again = time.monotonic() + 1
            while time.monotonic() < again and re.search(pattern, self._new()) is None:
                self._read(again)
        return self.see(pattern)

    def pause(self) -> None:
        """Let the command run a moment, and read what it writes."""
        self._read(time.monotonic() + 0.01)

    def end(self) -> int:
        """Wait for the end; gives the exit code."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        code = self._process.wait(PATIENCE)
        text = self.seen.decode("utf-8", "replace")
        assert KEY not in text
        assert "Traceback" not in text, text
        return code

    def close(self) -> None:
        """End it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        os.close(self._master)
        if isinstance(self._process, Program):
            self._process.close()

    def _new(self) -> str:
        return self.seen[self._from :].decode("utf-8", "replace")

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(end - time.monotonic(), 0))
        data = b""
        if ready:
            with suppress(OSError):  # the last process has left the terminal
                data = os.read(self._master, 65536)
        self.seen += data
        return bool(data)


@pytest.fixture
def terminal(shell: Shell) -> Iterator[Callable[..., Screen]]:
    """Starts the command on a pseudo-terminal."""
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are for POSIX")
    screens: list[Screen] = []

    def start(*words: str, more: Mapping[str, str | None] | None = None, process: bool = False) -> Screen:
        server = None if process else shell.fork_server
        screens.append(Screen([*COMMAND, *words], shell.environ(more), shell.folder, server))
        return screens[-1]

    yield start
    for screen in screens:
        screen.close()
