"""Recordings of real calls: made once, replayed for ever, without a key in them.

    from llmkit import create_language
    from llmkit.testing.cassette import use_cassette

    with use_cassette("cassettes/capital.yaml"):
        model = create_language("openrouter", "openai/gpt-4o-mini")
        assert "Paris" in model.chat_complete("Capital of France?").content

In pytest the fixture `llm_cassette` does that (`llmkit.testing.pytest_plugin`). vcrpy records and replays; what is
llmkit's own is that everything written is scrubbed, that what is compared depends neither on sync or async nor on the
version of the OpenAI SDK, and that a replay never reaches the network.
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
from llmkit.testing.network import no_network
from llmkit.testing.scrubber import Scrubber

Mode: TypeAlias = Literal["once", "none"]
#: What stands for a key of the environment while a recording is replayed without one.
PLACEHOLDER = "placeholder-for-the-recorded-key-0"
_AGAIN = "To record again, delete the file and run with the key and the network at hand"


class NoRecording(ConfigError):
    """A request that the recording does not hold, while it is replayed."""


@dataclass(slots=True)
class Recording:
    """The recording in use.

    Attributes:
        path: its file.
        replaying: are answers taken from the file? Otherwise they come from the network and are written to it.
        missed: requests that the recording does not hold, and why.
    """

    path: Path
    replaying: bool
    missed: list[str] = field(default_factory=list)
    discarded: bool = False

    def discard(self) -> None:
        """Do not write what was recorded, and do not check that all of it was played: the test has failed."""
        self.discarded = True

    def refuse(self, why: str) -> NoRecording:
        """The error for a request that must not go out. It is remembered, should the program swallow it."""
        self.missed.append(why)
        missing = "" if self.path.exists() else "; the file does not exist, and nothing is recorded in CI"
        return NoRecording(f"{why} ({self.path}{missing})", hint=_AGAIN)


class _DiscardError(Exception):
    """Takes the tape down without writing it."""


@contextmanager
def use_cassette(path: str | os.PathLike[str], mode: Mode | None = None) -> Iterator[Recording]:
    """Record the calls within the block into a file, or replay them from it if it is there.

    Args:
        path: of the file.
        mode: "once" records where there is no file, "none" never records. `None` is "none" if the environment
            variable CI is set, else "once".

    A block that raises records nothing. Where the file is replayed and a key was in the environment at the time of the
    recording, a placeholder stands for it, so that a model can be made without the key.

    Raises:
        NoRecording: within the block, by a call that the file does not hold.
        AssertionError: at the end, if a recorded request was not sent, or one was missed and nobody noticed.
        ConfigError: vcrpy is not installed.
    """
    try:
        from llmkit.testing import tape
    except ModuleNotFoundError as error:
        raise ConfigError(f"recordings need {error.name}", hint="pip install 'llmkit[testing]'") from None
    chosen = mode or default_mode()
    file = Path(path)
    recording = Recording(file, replaying=file.exists() or chosen == "none")
    with ExitStack() as stack:
        stack.enter_context(_quiet("vcr"))
        if file.exists():
            stack.enter_context(_placeholders(tape.variables_of(file)))
        scrubber = Scrubber(os.environ)
        try:
            use = tape.Tape.use(**tape.options(file, chosen, scrubber, recording.refuse))
            with use as played, no_network(recording.refuse) if recording.replaying else nullcontext():
                yield recording
                if recording.discarded:
                    raise _DiscardError
        except _DiscardError:
            return
        if recording.replaying:
            check(recording, played.unplayed)


def default_mode() -> Mode:
    """What is done where nothing is said: nothing is recorded in CI."""
    return "once" if os.environ.get("CI", "").lower() in ("", "0", "false", "no") else "none"


def check(recording: Recording, unplayed: list[str]) -> None:
    """Fail if the block did not ask what the recording holds."""
    if recording.missed:
        raise AssertionError(f"{recording.path} does not hold: {'; '.join(recording.missed)}. {_AGAIN}")
    if unplayed:
        raise AssertionError(f"{recording.path} holds requests that were not sent: {', '.join(unplayed)}. {_AGAIN}")


@contextmanager
def _placeholders(names: list[str]) -> Iterator[None]:
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
def _quiet(name: str) -> Iterator[None]:
    """Keep a library's log of whole requests and answers out of the program's log."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
