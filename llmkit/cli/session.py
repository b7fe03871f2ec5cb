"""A conversation on the terminal: a prompt, a history, and answers that can be stopped.

Ctrl-C in an answer stops that answer; what came of it stays in the history. Ctrl-C at the prompt clears the line.
Ctrl-D ends. Lines are edited with readline where Python has it; nothing is written to a file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING

from llmkit.cli.answer import Answer, stopped_line
from llmkit.cli.ask import Ask, opening
from llmkit.cli.failure import DONE, report
from llmkit.cli.summary import answer_line, totals_line
from llmkit.cli.terminal import note
from llmkit.errors import LLMError
from llmkit.messages import Message

if TYPE_CHECKING:
    from llmkit.language import LanguageModel

PROMPT, MORE = "> ", ". "
QUOTE = '"""'
HELP = """\
/clear   forget the conversation
/exit    end; so does Ctrl-D
/help    this list
Ctrl-C   stop an answer, or clear the line
\"\"\"      begins and ends a text of several lines"""
_COMMAND = re.compile(r"/[a-z?]+")


def session(model: LanguageModel, ask: Ask) -> int:
    """Talk until the user ends it. A failed call is reported and the talk goes on."""
    note(f"{model.target}. /help lists the commands, Ctrl-D ends.")
    read = _reader()
    loading = Thread(target=_load, daemon=True)
    loading.start()
    turns = opening(ask)
    while (text := _next(read)) is not None:
        command = text.strip()
        if not command:
            continue
        if command in ("/exit", "/quit", "/bye"):
            break
        if command == "/clear":
            turns = opening(ask)
            note("cleared")
        elif command in ("/help", "/?"):
            note(HELP)
        elif _COMMAND.fullmatch(command):
            note(f"there is no command {command}; /help lists them")
        else:
            turns = _turn(model, ask, turns, text, loading)
    totals = model.totals()
    if totals.attempts > 1:
        note(totals_line(totals))
    return DONE


def _load() -> None:
    """Load the HTTP library while the user types; it takes half a second."""
    from llmkit.exchange import Endpoint
    from llmkit.transport.clients import sync_client

    sync_client(Endpoint("http://127.0.0.1", local=True)).close()


def _turn(model: LanguageModel, ask: Ask, turns: list[Message], text: str, loading: Thread) -> list[Message]:
    """Ask once and give the history as it is then. A question to which nothing came is not in it."""
    asked = [*turns, Message("user", text)]
    answer = Answer(ask)
    try:
        try:
            loading.join()
            response = answer.get(model, asked)
        except KeyboardInterrupt:
            note(stopped_line(model))
        except LLMError as error:
            report(error)
        else:
            note(answer_line(response))
            return [*asked, response.message] if response.choices else turns
    except KeyboardInterrupt:
        pass  # pressed once more, in the middle of the above
    return [*asked, Message("assistant", answer.text)] if answer.text else turns


def _next(read: Callable[[str], str]) -> str | None:
    """What the user enters next; `None` at the end."""
    while True:
        try:
            text = read(PROMPT)
            if not text.lstrip().startswith(QUOTE):
                return text
            text = text.lstrip().removeprefix(QUOTE)
            while QUOTE not in text:
                text += "\n" + read(MORE)
            return text.partition(QUOTE)[0].strip("\n")
        except EOFError:
            print(file=sys.stderr)
            return None
        except KeyboardInterrupt:
            print(file=sys.stderr)
        except UnicodeDecodeError:
            note("that is not UTF-8 text")


def _reader() -> Callable[[str], str]:
    """`input` with line editing; where stdout is no terminal, the prompt goes to stderr and lines come bare."""
    if not sys.stdout.isatty():
        return _bare
    try:
        import readline
    except ImportError:  # Windows
        return input
    if "libedit" not in (readline.__doc__ or "") and os.environ.get("TERM", "dumb") != "dumb":
        # A pasted text of several lines is one entry, not one question a line.
        readline.parse_and_bind("set enable-bracketed-paste on")
    return input


def _bare(prompt: str) -> str:
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")
