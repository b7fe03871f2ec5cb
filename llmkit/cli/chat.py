"""`llmkit chat`: one question and its answer, or a session."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmkit.cli.answer import Answer, format_stopped_line
from llmkit.cli.chat_options import ChatOptions, make_attachment, make_model, read_question, read_system_text
from llmkit.cli.failure import DONE, STOPPED, ignore_interrupts
from llmkit.cli.summary import format_answer_line
from llmkit.cli.terminal import note
from llmkit.errors import ConfigError
from llmkit.language.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmkit.language.model import LanguageModel
    from llmkit.types.parts import Part
    from llmkit.types.responses import Response


def run_chat(options: ChatOptions) -> int:
    """Run `llmkit chat` and return its exit code. Raises as the library does."""
    _show_log(verbose=options.verbose)
    question = read_question(options.prompt)
    if question is None and options.json:
        raise ConfigError("--json needs a prompt", hint='Write: llmkit chat "..." --json')
    parts = [make_attachment(source) for source in options.attach]
    with make_model(options) as model:
        conversation = open_conversation(model, options)
        if question is None:
            from llmkit.cli.session import run_session

            return run_session(conversation, options, parts)
        return _ask_once(conversation, options, question, parts)


def open_conversation(model: LanguageModel, options: ChatOptions) -> Conversation:
    """Return the conversation of `--history`, or a new one. `--system` replaces the system message of the file."""
    system = read_system_text(options)
    if options.history is None or not Path(options.history).exists():
        return Conversation(model, system=system)
    conversation = Conversation.load(options.history, model)
    conversation.system = conversation.system if system is None else system
    return conversation


def _ask_once(conversation: Conversation, options: ChatOptions, question: str, parts: Sequence[Part]) -> int:
    answer = Answer(options)
    try:
        response = answer.get(conversation, question, parts)
    except KeyboardInterrupt:
        ignore_interrupts()
        note(format_stopped_line(conversation.model))
        return STOPPED
    if options.history is not None:
        conversation.save(options.history)
    if options.json:
        print(json.dumps(_to_json(response), indent=2, default=str))
    note(format_answer_line(response))
    return DONE


def _to_json(response: Response) -> dict[str, object]:
    attempts = [{"target": attempt.target, **attempt.to_dict()} for attempt in response.attempts]
    return {**response.to_dict(), "attempts": attempts}


def _show_log(*, verbose: bool) -> None:
    """Show the library's log on stderr: retries and fallbacks where stderr is a terminal, all of it with --verbose."""
    if not verbose and not sys.stderr.isatty():
        return
    log = logging.getLogger("llmkit")
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    log.addHandler(_NoteHandler())


class _NoteHandler(logging.Handler):
    """Writes log records as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`. Tracebacks are left out: a plugin's may hold anything."""
        note(record.getMessage())
