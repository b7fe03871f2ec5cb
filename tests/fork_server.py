"""Starts Python programs fast: each is a process of its own, forked off one that has loaded the libraries.

A new interpreter takes a second to load what a call of llmkit needs; a fork takes some hundredths of one. It is as much
alone as a new interpreter: arguments, environment, folder, streams, terminal, signals and exit code are its own. What
differs is that modules are loaded before the program runs. A test of what is loaded when, or of how an interpreter is
set up, starts a new one.

Run as a module (`python -m tests.fork_server FD`) this is the process that forks. It has no thread, so that a fork of
it is safe; the process of the tests has many.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
#: Seconds that a program may take; far more than it needs, because the machine may be busy.
PATIENCE = 60.0
#: What programs load beside llmkit; the last ones belong to the HTTP libraries under the OpenAI SDK, which load them late.
PRELOADED = (
    "asyncio", "concurrent.futures.thread", "dotenv", "importlib_metadata", "jsonschema", "openai",
    "openai.resources.chat.completions", "pydantic", "rich.live", "rich.progress", "rich.table", "tenacity",
    "anyio.abc", "anyio.streams.tls", "h11", "httpcore", "httpcore2", "truststore",
)  # fmt: skip


# The side of the tests


class Program:
    """A program that was forked: to be waited for, and to be killed."""

    def __init__(self, report: int) -> None:
        self._report = report
        self._told = b""

    def wait(self, timeout: float) -> int:
        """The exit code; below zero it is the signal that ended the program.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        code = self._line(1, timeout)
        if code is None:
            raise subprocess.TimeoutExpired("program", timeout)
        return code

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._line(1, 0)

    def kill(self) -> None:
        """End it at once."""
        pid = self._line(0, PATIENCE)
        if pid is not None and self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Give back what it holds; the program has ended."""
        os.close(self._report)

    def _line(self, number: int, timeout: float) -> int | None:
        """A line of the report: the process's id, then its exit code."""
        end = time.monotonic() + timeout
        while self._told.count(b"\n") <= number:
            ready, _, _ = select.select([self._report], [], [], max(end - time.monotonic(), 0))
            if not ready:
                return None
            data = os.read(self._report, 100)
            assert data, "the fork server has ended"
            self._told += data
        return int(self._told.split(b"\n")[number])


class ForkServer:
    """Runs `[sys.executable, ...]` by forks; where a system has none, by new interpreters."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(
        self, command: Sequence[str], environ: Mapping[str, str], folder: Path, streams: Sequence[int], *, terminal: bool
    ) -> Program:
        """Start a program. `streams` are its stdin, stdout and stderr; with `terminal` they are one, and become its own."""
        assert command[0] == sys.executable, "only Python is forked"
        ours, theirs = os.pipe()
        request = {"command": command[1:], "environ": dict(environ), "folder": str(folder), "terminal": terminal}
        data = json.dumps(request).encode("ascii")
        try:
            control = self._server()
            socket.send_fds(control, [struct.pack("!I", len(data))], [*streams, theirs])
            control.sendall(data)
        finally:
            os.close(theirs)
        return Program(ours)

    def run(
        self, command: Sequence[str], environ: Mapping[str, str], folder: Path, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end, and give its exit code and what it wrote."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            if hasattr(os, "fork"):
                streams = [file.fileno() for file in (given, out, err)]
                with contextlib.closing(self.start(command, environ, folder, streams, terminal=False)) as program:
                    try:
                        code = program.wait(PATIENCE)
                    finally:
                        program.kill()
            else:
                code = subprocess.run(
                    command, env=environ, cwd=folder, stdin=given, stdout=out, stderr=err, timeout=PATIENCE, check=False
                ).returncode
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(command, code, out.read(), err.read())

    def close(self) -> None:
        """End the server; programs that run go on."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait(PATIENCE)

    def _server(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL, env=environ, cwd=ROOT, pass_fds=[theirs.fileno()],
                )  # fmt: skip
            self._control = ours
        return self._control


# The side of the server


def serve(control: socket.socket) -> None:
    """Fork a program for each request, until the tests close their end."""
    for name in (*PRELOADED, *_modules("llmkit"), "llmkit_ollama", "llmkit_openai", "llmkit_openrouter"):
        with contextlib.suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a fork leaves alone, and shared, what is there by now
    while (request := _receive(control)) is not None:
        asked, descriptors = request
        if os.fork() == 0:
            control.close()
            _watch(asked, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # a watcher that has ended


def _modules(package: str) -> list[str]:
    """All modules of a package, but for what runs as a program."""
    path = importlib.import_module(package).__path__
    return [found.name for found in pkgutil.walk_packages(path, f"{package}.") if not found.name.endswith("__main__")]


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    size = array.array("i").itemsize
    head, ancillary, _, _ = control.recvmsg(4, socket.CMSG_LEN(4 * size))
    if not head:
        return None
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data[: len(data) - len(data) % size])
    (length,) = struct.unpack("!I", head)
    body = b""
    while len(body) < length:
        body += control.recv(length - len(body))
    return json.loads(body), list(descriptors)


def _watch(asked: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Fork once more, report the program's id, wait for its end and report its exit code."""
    *streams, report = descriptors
    pid = os.fork()
    if pid == 0:
        os.close(report)
        _run(asked, streams)
    for stream in streams:
        os.close(stream)
    os.write(report, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run(asked: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Set the process up as an interpreter does, run the program, and end as an interpreter does."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if asked["terminal"]:
            _take_terminal(streams[0])
        _open_streams(streams)
        os.environ.clear()
        os.environ.update(asked["environ"])
        os.chdir(asked["folder"])
        code = _exit_code(asked["command"])
        code = _end(code)
    except BaseException:  # as an interpreter does: it is told, and the exit code is 1
        traceback.print_exc()
    finally:
        os._exit(code)


def _take_terminal(terminal: int) -> None:
    """Make the terminal the process's own, so that Ctrl-C reaches it as a signal."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def _open_streams(streams: Sequence[int]) -> None:
    encoding, errors = sys.stdout.encoding, sys.stdout.errors
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in {*streams} - {0, 1, 2}:
        os.close(stream)
    lines = os.isatty(1)
    sys.stdin = sys.__stdin__ = open(0, encoding=encoding, errors=errors, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(  # noqa: SIM115
        1, "w", encoding=encoding, errors=errors, buffering=1 if lines else -1, closefd=False
    )
    sys.stderr = sys.__stderr__ = open(  # noqa: SIM115
        2, "w", encoding=encoding, errors="backslashreplace", buffering=1, closefd=False
    )


def _exit_code(command: Sequence[str]) -> int:
    """Run what the words after `python` say: `-W error`, then `-m MODULE`, `-c CODE` or a path, then its arguments."""
    words = list(command)
    while words[:1] == ["-W"]:
        warnings.simplefilter(words[1])  # type: ignore[arg-type]
        del words[:2]
    added = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    own = [path for path in sys.path[1:] if path not in added]
    try:
        if words[0] == "-m":
            sys.path[:] = [str(Path.cwd()), *added, *own]
            sys.argv[:] = words[1:]
            importlib.invalidate_caches()
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        elif words[0] == "-c":
            sys.path[:] = ["", *added, *own]
            sys.argv[:] = ["-c", *words[2:]]
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(words[1], "<string>", "exec", dont_inherit=True), vars(main))
        else:
            sys.path[:] = [str(Path(words[0]).resolve().parent), *added, *own]
            sys.argv[:] = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)
        return 1
    except BaseException:  # as an interpreter does: it is told, and the exit code is 1
        traceback.print_exc()
        return 1
    return 0


def _end(code: int) -> int:
    """What an interpreter does at its end: wait for threads, call what was registered, free and flush."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()
    try:
        sys.stdout.flush()
    except OSError:
        return 120
    return code


def main(arguments: Iterable[str]) -> None:
    """Serve at the socket whose number is the argument."""
    (descriptor,) = arguments
    with socket.socket(fileno=int(descriptor)) as control:
        os.set_inheritable(control.fileno(), False)
        serve(control)


if __name__ == "__main__":
    main(sys.argv[1:])
