"""A conversation on the terminal: a prompt, a history, and answers that can be stopped.

Ctrl-C means two things, by where it is pressed:

- At the prompt it clears the line, and the prompt comes again.
- While an answer comes it stops that answer. Closing the stream ends the request. The text so far stays on the screen
  and enters the history as the answer, so that the next question can refer to it. If no text came, the question
  does not enter the history either, and its attachments wait for the next question.

A second Ctrl-C while the first one is handled is ignored; the session goes on. Ctrl-D at the prompt, or the end of
stdin, ends the session with exit code 0. A call that fails is reported and the session goes on. With `--history` the
file is written after each turn, so nothing is lost if the terminal closes.

Lines are edited with readline where Python has it. Its own history is not written to a file.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from threading import Thread
from typing import TYPE_CHECKING

from llmkit.cli.answer import Answer, format_stopped_line
from llmkit.cli.chat_options import ChatOptions, make_attachment
from llmkit.cli.failure import DONE, report_error
from llmkit.cli.summary import format_answer_line, format_totals_line
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


def run_session(conversation: Conversation, options: ChatOptions, parts: Sequence[Part]) -> int:
    """Run a session until the user ends it, and return its exit code. A failed call is reported.

    Args:
        conversation: the turns so far, and the model that answers.
        options: the options of the command line.
        parts: their attachments, which go with the first question.
    """
    note(f"{conversation.model.target}. {_describe_earlier(conversation)}/help lists the commands, Ctrl-D ends.")
    read = _choose_reader()
    loading = Thread(target=_load_http_library, daemon=True)
    loading.start()
    attachments = list(zip(options.attach, parts, strict=True))
    _note_attachments(attachments)
    while (text := _read_entry(read)) is not None:
        command, _, rest = text.strip().partition(" ")
        if not command:
            continue
        if command in ("/exit", "/quit", "/bye") and not rest:
            break
        if command == "/attach":
            _attach_source(attachments, rest.strip())
        elif command == "/clear" and not rest:
            conversation.clear()
            attachments.clear()
            note("cleared")
        elif command in ("/help", "/?") and not rest:
            note(HELP)
        elif _COMMAND.fullmatch(command) and not rest:
            note(f"there is no command {command}; /help lists them")
        elif _ask_once(conversation, options, text, [part for _, part in attachments], loading):
            attachments.clear()
            _save_history(conversation, options)
    totals = conversation.model.totals()
    if totals.attempts > 1:
        note(format_totals_line(totals))
    return DONE


def _describe_earlier(conversation: Conversation) -> str:
    return f"{len(conversation)} turns from before. " if len(conversation) else ""


def _attach_source(attachments: list[tuple[str, Part]], source: str) -> None:
    """Attach a file or an address to the next question. Without a name, list what is attached."""
    if not source:
        note("/attach FILE puts a file or an address into the next question; /clear drops it")
    else:
        if len(source) > 1 and source[0] == source[-1] and source[0] in "'\"":
            source = source[1:-1]  # as a file manager or a habit of the shell writes it
        try:
            attachments.append((source, make_attachment(source)))
        except LLMError as error:
            report_error(error)
            return
    _note_attachments(attachments)


def _note_attachments(attachments: Sequence[tuple[str, Part]]) -> None:
    if attachments:
        note("with the next question: " + ", ".join(source for source, _ in attachments))


def _save_history(conversation: Conversation, options: ChatOptions) -> None:
    """Write the history after each turn, so that nothing is lost however the session ends."""
    if options.history is not None:
        try:
            conversation.save(options.history)
        except LLMError as error:
            report_error(error)


def _load_http_library() -> None:
    """Load the HTTP library while the user types; it takes half a second."""
    from llmkit.provider.exchange import Endpoint
    from llmkit.transport.sdk.clients import sync_client

    sync_client(Endpoint("http://127.0.0.1", local=True)).close()


def _ask_once(
    conversation: Conversation, options: ChatOptions, text: str, parts: Sequence[Part], loading: Thread
) -> bool:
    """Ask one question. Return whether it entered the history, which it does if any text came."""
    answer = Answer(options)
    before = len(conversation)
    try:
        try:
            loading.join()
            response = answer.get(conversation, text, parts)
        except KeyboardInterrupt:
            note(format_stopped_line(conversation.model))
        except LLMError as error:
            report_error(error)
        else:
            note(format_answer_line(response))
    except KeyboardInterrupt:
        pass  # Ctrl-C was pressed again while the first one was handled.
    if len(conversation) == before and answer.text:
        question = Message("user", (TextPart(text), *parts) if parts else text)
        conversation.add(question, Message("assistant", answer.text))
    return len(conversation) > before


def _read_entry(read: Callable[[str], str]) -> str | None:
    """Return what the user enters next; `None` at the end of the input."""
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


def _choose_reader() -> Callable[[str], str]:
    """Return the function that reads a line after a prompt.

    That is `input`, with line editing. Where stdout is not a terminal, the prompt goes to stderr, without editing.
    """
    if not sys.stdout.isatty():
        return _read_plain_line
    try:
        import readline
    except ImportError:  # Windows
        return input
    if "libedit" not in (readline.__doc__ or "") and os.environ.get("TERM", "dumb") != "dumb":
        # A pasted text of several lines is one entry, not one question a line.
        readline.parse_and_bind("set enable-bracketed-paste on")
    return input


def _read_plain_line(prompt: str) -> str:
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")
