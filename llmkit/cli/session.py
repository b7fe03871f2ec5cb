"""A conversation on the terminal: a prompt, a history, and answers that can be stopped.

Ctrl-C in an answer stops that answer; what came of it stays in the history. Ctrl-C at the prompt clears the line.
Ctrl-D ends. Lines are edited with readline where Python has it; nothing is written to a file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from threading import Thread
from typing import TYPE_CHECKING

from llmkit.cli.answer import Answer, stopped_line
from llmkit.cli.ask import Ask, attached
from llmkit.cli.failure import DONE, report
from llmkit.cli.summary import answer_line, totals_line
from llmkit.cli.terminal import note
from llmkit.errors import LLMError
from llmkit.types.messages import Message
from llmkit.types.parts import TextPart

if TYPE_CHECKING:
    from llmkit.language.conversation import Conversation
    from llmkit.types.parts import Part

PROMPT, MORE = "> ", ". "
QUOTE = '"""'
HELP = """\
/attach FILE  put a file, or the address of one, into the next question
/clear        forget the conversation
/exit         end; so does Ctrl-D
/help         this list
Ctrl-C        stop an answer, or clear the line
\"\"\"           begins and ends a text of several lines"""
_COMMAND = re.compile(r"/[a-z?]+")


def session(talk: Conversation, ask: Ask, parts: Sequence[Part]) -> int:
    """Talk until the user ends it. A failed call is reported and the talk goes on.

    Args:
        talk: what was said before, and who answers.
        ask: what the command line said.
        parts: its attachments, which go with the first question.
    """
    note(f"{talk.model.target}. {_before(talk)}/help lists the commands, Ctrl-D ends.")
    read = _reader()
    loading = Thread(target=_load, daemon=True)
    loading.start()
    waiting = list(zip(ask.attach, parts, strict=True))
    _tell(waiting)
    while (text := _next(read)) is not None:
        command, _, rest = text.strip().partition(" ")
        if not command:
            continue
        if command in ("/exit", "/quit", "/bye") and not rest:
            break
        if command == "/attach":
            _attach(waiting, rest.strip())
        elif command == "/clear" and not rest:
            talk.clear()
            waiting.clear()
            note("cleared")
        elif command in ("/help", "/?") and not rest:
            note(HELP)
        elif _COMMAND.fullmatch(command) and not rest:
            note(f"there is no command {command}; /help lists them")
        elif _turn(talk, ask, text, [part for _, part in waiting], loading):
            waiting.clear()
            _keep(talk, ask)
    totals = talk.model.totals()
    if totals.attempts > 1:
        note(totals_line(totals))
    return DONE


def _before(talk: Conversation) -> str:
    return f"{len(talk)} turns from before. " if len(talk) else ""


def _attach(waiting: list[tuple[str, Part]], source: str) -> None:
    """Put a file or address into the next question; without a name, say what is in it."""
    if not source:
        note("/attach FILE puts a file or an address into the next question; /clear drops it")
    else:
        if len(source) > 1 and source[0] == source[-1] and source[0] in "'\"":
            source = source[1:-1]  # as a file manager or a habit of the shell writes it
        try:
            waiting.append((source, attached(source)))
        except LLMError as error:
            report(error)
            return
    _tell(waiting)


def _tell(waiting: Sequence[tuple[str, Part]]) -> None:
    if waiting:
        note("with the next question: " + ", ".join(source for source, _ in waiting))


def _keep(talk: Conversation, ask: Ask) -> None:
    """Write the history after each turn, so that nothing is lost however the session ends."""
    if ask.history is not None:
        try:
            talk.save(ask.history)
        except LLMError as error:
            report(error)


def _load() -> None:
    """Load the HTTP library while the user types; it takes half a second."""
    from llmkit.provider.exchange import Endpoint
    from llmkit.transport.sdk.clients import sync_client

    sync_client(Endpoint("http://127.0.0.1", local=True)).close()


def _turn(talk: Conversation, ask: Ask, text: str, parts: Sequence[Part], loading: Thread) -> bool:
    """Ask once. Is the question in the history? One to which nothing came is not."""
    answer = Answer(ask)
    before = len(talk)
    try:
        try:
            loading.join()
            response = answer.get(talk, text, parts)
        except KeyboardInterrupt:
            note(stopped_line(talk.model))
        except LLMError as error:
            report(error)
        else:
            note(answer_line(response))
    except KeyboardInterrupt:
        pass  # pressed once more, in the middle of the above
    if len(talk) == before and answer.text:
        question = Message("user", (TextPart(text), *parts) if parts else text)
        talk.add(question, Message("assistant", answer.text))
    return len(talk) > before


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
