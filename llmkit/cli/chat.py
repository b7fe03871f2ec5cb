"""`llmkit chat`: one question and its answer, or a session."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

from llmkit.cli.answer import Answer, stopped_line
from llmkit.cli.ask import Ask, make_model, opening, read_question
from llmkit.cli.failure import DONE, STOPPED, deaf
from llmkit.cli.summary import answer_line
from llmkit.cli.terminal import note
from llmkit.errors import ConfigError
from llmkit.messages import Message

if TYPE_CHECKING:
    from llmkit.language import LanguageModel
    from llmkit.responses import Response


def chat(ask: Ask) -> int:
    """Run the command. Raises as the library does."""
    _log(verbose=ask.verbose)
    question = read_question(ask.prompt)
    if question is None and ask.json:
        raise ConfigError("--json needs a prompt", hint='llmkit chat "..." --json')
    with make_model(ask) as model:
        if question is None:
            from llmkit.cli.session import session

            return session(model, ask)
        return _once(model, ask, question)


def _once(model: LanguageModel, ask: Ask, question: str) -> int:
    answer = Answer(ask)
    try:
        response = answer.get(model, [*opening(ask), Message("user", question)])
    except KeyboardInterrupt:
        deaf()
        note(stopped_line(model))
        return STOPPED
    if ask.json:
        print(json.dumps(_as_json(response), indent=2, default=str))
    note(answer_line(response))
    return DONE


def _as_json(response: Response) -> dict[str, object]:
    attempts = [
        {
            "target": attempt.target,
            "outcome": attempt.outcome,
            "status": attempt.status,
            "elapsed": attempt.elapsed,
            "waited": attempt.waited,
            "request_id": attempt.request_id,
            "message": attempt.message,
            "cost": attempt.cost.to_dict(),
        }
        for attempt in response.attempts
    ]
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
