"""Recordings of real calls: recorded once, replayed ever after, without a key in them.

    from llmkit import create_language
    from llmkit.testing.cassette import use_cassette

    with use_cassette("cassettes/capital.yaml"):
        model = create_language("openrouter", "openai/gpt-4o-mini")
        assert "Paris" in model.chat_complete("Capital of France?").content

In pytest the fixture `llm_cassette` does that (`llmkit.testing.pytest_plugin`).

How it works: vcrpy replaces the function that sends a request in each HTTP library that it knows. llmkit sets its rules
(`llmkit.testing.tape`) and adds the three things that vcrpy leaves to its user: everything written is scrubbed
(`llmkit.testing.scrubber`), the comparison of requests depends neither on sync or async nor on the version of the
OpenAI SDK, and a replay never reaches the network (`llmkit.testing.network`).

- Recording. The request goes out. Its answer is read to the end, scrubbed, and kept; then the program gets it. A stream
  therefore arrives at once, after its last byte, while it is recorded. The file is written when the block ends without
  an exception, so a test that fails leaves no file.
- Replaying. A request is compared with the recorded ones by method, host, path, query and body; JSON bodies by value,
  and the port not at all. The first match that was not played yet is the answer: each recording is played once, in
  order, so that a retry gets the second answer. The body of a stream is given whole. The program's decoder splits it
  into the same events, so chunks, text, usage and cost are those of the recorded stream; only the pauses between chunks
  are gone.
- A request without a match raises `NoRecording`, which says which fields of the body differ. A program may swallow that
  error, so it is remembered, and the end of the block fails. A recording that was not asked for fails there, too:
  otherwise a test could pass on fewer calls than it makes.
- A connection past vcrpy, by an HTTP library that it does not know, is refused at the socket.

Where a key was needed for the recording, the file names its variable, and a placeholder is set while it is replayed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from llmkit.errors import ConfigError
from llmkit.testing.network import block_network
from llmkit.testing.scrubber import Scrubber

Mode: TypeAlias = Literal["once", "none"]
#: What stands for a key of the environment while a recording is replayed without one.
PLACEHOLDER = "placeholder-for-the-recorded-key-0"
_RECORD_AGAIN_HINT = "To record again, delete the file and run with the key and the network at hand"


class NoRecording(ConfigError):
    """A request was sent during a replay that the recording does not hold."""


@dataclass(slots=True)
class Recording:
    """The recording in use.

    Attributes:
        path: the file.
        replaying: are answers taken from the file? Otherwise they come from the network and are written to it.
        missed: requests that the recording does not hold, each with the reason.
        discarded: is the recording not to be written?
    """

    path: Path
    replaying: bool
    missed: list[str] = field(default_factory=list)
    discarded: bool = False

    def discard(self) -> None:
        """Write nothing and check nothing at the end of the block, because the test has failed."""
        self.discarded = True

    def refuse(self, why: str) -> NoRecording:
        """Return the error for a request that must not go out. It is remembered, in case the program swallows it."""
        self.missed.append(why)
        missing = "" if self.path.exists() else "; the file does not exist, and nothing is recorded in CI"
        return NoRecording(f"{why} ({self.path}{missing})", hint=_RECORD_AGAIN_HINT)


class _DiscardError(Exception):
    """Leaves vcrpy's block in a way that writes no file."""


@contextmanager
def use_cassette(path: str | os.PathLike[str], mode: Mode | None = None) -> Iterator[Recording]:
    """Record the calls within the block into a file, or replay them from it if it is there.

    Args:
        path: the path of the file.
        mode: "once" records where there is no file, "none" never records. `None` is "none" if the environment
            variable CI is set, else "once".

    A block that raises records nothing. Where the file is replayed and a key was in the environment at the time of the
    recording, a placeholder stands for it, so that a model can be made without the key.

    Raises:
        NoRecording: within the block, by a call that the file does not hold.
        AssertionError: at the end, if a recorded request was not sent, or if a request was missed.
        ConfigError: vcrpy is not installed.
    """
    try:
        from llmkit.testing import tape
    except ModuleNotFoundError as error:
        raise ConfigError(f"recordings need {error.name}", hint="Install it: pip install 'llmkit[testing]'") from None
    chosen = mode or default_mode()
    file = Path(path)
    recording = Recording(file, replaying=file.exists() or chosen == "none")
    with ExitStack() as stack:
        stack.enter_context(_silence_logger("vcr"))
        if file.exists():
            stack.enter_context(_set_placeholders(tape.read_variables(file)))
        scrubber = Scrubber(os.environ)
        try:
            use = tape.Tape.use(**tape.make_options(file, chosen, scrubber, recording.refuse))
            with use as played, block_network(recording.refuse) if recording.replaying else nullcontext():
                yield recording
                if recording.discarded:
                    raise _DiscardError
        except _DiscardError:
            return
        if recording.replaying:
            check_played(recording, played.unplayed_requests)


def default_mode() -> Mode:
    """Return the mode of a block that names none: in CI nothing is recorded."""
    return "once" if os.environ.get("CI", "").lower() in ("", "0", "false", "no") else "none"


def check_played(recording: Recording, unplayed: list[str]) -> None:
    """Raise `AssertionError` unless the block sent exactly the recorded requests."""
    if recording.missed:
        raise AssertionError(f"{recording.path} does not hold: {'; '.join(recording.missed)}. {_RECORD_AGAIN_HINT}")
    if unplayed:
        raise AssertionError(
            f"{recording.path} holds requests that were not sent: {', '.join(unplayed)}. {_RECORD_AGAIN_HINT}"
        )


@contextmanager
def _set_placeholders(names: list[str]) -> Iterator[None]:
    missing = [name for name in names if not os.environ.get(name, "").strip()]
    before = {name: os.environ.get(name) for name in missing}
    os.environ.update(dict.fromkeys(missing, PLACEHOLDER))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _silence_logger(name: str) -> Iterator[None]:
    """Silence a library that logs whole requests and answers."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
