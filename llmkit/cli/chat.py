"""`llmkit chat`: one question and its answer, or a session."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmkit.cli.answer import Answer, stopped_line
from llmkit.cli.ask import Ask, attached, make_model, read_question, system_text
from llmkit.cli.failure import DONE, STOPPED, deaf
from llmkit.cli.summary import answer_line
from llmkit.cli.terminal import note
from llmkit.errors import ConfigError
from llmkit.language.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmkit.language.model import LanguageModel
    from llmkit.types.parts import Part
    from llmkit.types.responses import Response


def chat(ask: Ask) -> int:
    """Run the command. Raises as the library does."""
    _log(verbose=ask.verbose)
    question = read_question(ask.prompt)
    if question is None and ask.json:
        raise ConfigError("--json needs a prompt", hint='llmkit chat "..." --json')
    parts = [attached(source) for source in ask.attach]
    with make_model(ask) as model:
        talk = conversation(model, ask)
        if question is None:
            from llmkit.cli.session import session

            return session(talk, ask, parts)
        return _once(talk, ask, question, parts)


def conversation(model: LanguageModel, ask: Ask) -> Conversation:
    """The conversation of `--history`, or a new one. A system message of the command line outranks the kept one."""
    system = system_text(ask)
    if ask.history is None or not Path(ask.history).exists():
        return Conversation(model, system=system)
    talk = Conversation.load(ask.history, model)
    talk.system = talk.system if system is None else system
    return talk


def _once(talk: Conversation, ask: Ask, question: str, parts: Sequence[Part]) -> int:
    answer = Answer(ask)
    try:
        response = answer.get(talk, question, parts)
    except KeyboardInterrupt:
        deaf()
        note(stopped_line(talk.model))
        return STOPPED
    if ask.history is not None:
        talk.save(ask.history)
    if ask.json:
        print(json.dumps(_as_json(response), indent=2, default=str))
    note(answer_line(response))
    return DONE


def _as_json(response: Response) -> dict[str, object]:
    attempts = [{"target": attempt.target, **attempt.to_dict()} for attempt in response.attempts]
    return {**response.to_dict(), "attempts": attempts}


def _log(*, verbose: bool) -> None:
    """Show the library's log on stderr: retries and fallbacks to a person who waits, all of it with --verbose."""
    if not verbose and not sys.stderr.isatty():
        return
    log = logging.getLogger("llmkit")
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    log.addHandler(_Notes())


class _Notes(logging.Handler):
    """Log records as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`. Tracebacks are left out: a plugin's may hold anything."""
        note(record.getMessage())
