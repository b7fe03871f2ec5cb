"""How a command ends: exit codes, and one readable message for whatever went wrong.

| code | meaning |
|---|---|
| 0 | done; also when the reader of a pipe has had enough (`| head`) |
| 1 | a call failed, a check found something wrong, or a file could not be read or the output be written |
| 2 | the command line, the environment or a setting is wrong; nothing was sent |
| 130 | stopped by Ctrl-C |

`run_guarded` turns every exception of a command into one of these codes and one line on stderr; no traceback reaches a
user. Two ends need care, because Python writes what is left of stdout once more when the process exits:

- Ctrl-C raises `KeyboardInterrupt` wherever the command is. From then on SIGINT is ignored: a second Ctrl-C would
  otherwise hit the code that ends the command, or the interpreter's own exit, and print a traceback. (`llmkit chat`
  with a prompt handles its Ctrl-C itself in the same way, to add what is known of the stopped answer.)
- A reader that closes its end of the pipe (`| head`) shows as `BrokenPipeError` at some write. That is success, because
  the reader has what it wanted. But stdout may still hold text in its buffer, and the flush at exit would fail with a
  message and exit code 120. So the file descriptor of stdout is replaced by the null device before the process ends.
  The same is done after any other error of writing, such as a full disk, which is a failure.

stdout is flushed before the code is chosen, so that a full disk is noticed while it can still be reported.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable

from llmkit.cli.terminal import complain, note, prepare_streams
from llmkit.errors import ConfigError, LLMError
from llmkit.types.redaction import scrub

DONE, FAILED, USAGE, STOPPED = 0, 1, 2, 130

# The library's hints name its keywords; each pattern has the words that name the option instead.
_PHRASES = (
    (re.compile(r'create_language\("openai", model, base_url=\.\.\.\)'), "-p openai -m MODEL --base-url URL"),
    (re.compile(r'create_language\("[^"]*", "model-name"\)'), "-m MODEL"),
    (re.compile(r'create_language\("([^"]*)", "([^"]*)"\)'), r"-p \1 -m \2"),
    (re.compile(r"\bName one, set a key"), "Name one with -p, set a key"),
    (re.compile(r"(?i)\bpass api_key="), "name the variable that holds the key with --key-env"),
    (re.compile(r"\bapi_key="), "--key-env"),
    (re.compile(r"(?<!\.)\bbase_url\b=?"), "--base-url"),
    (re.compile(r"\bfallbacks="), "--fallback"),
    (re.compile(r"\b(timeout|temperature)="), r"--\1"),
    (re.compile(r"(?<!\.)\bmax_tokens\b=?"), "--max-tokens"),
    (re.compile(r'list_models\("([^"]*)"\)'), r"llmkit models -p \1"),
    (re.compile(r'list_models\("([^"]*)", supports="([^"]*)"\)'), r"llmkit models -p \1 --supports \2"),
    (re.compile(r"\bstructured_retries="), "--set structured_retries="),
    (re.compile(r"; partial_text holds what came"), "; what came is above"),
    (re.compile(r"\b(deadline|ca_bundle|allow_insecure|on_unsupported|logprobs|proxy)="), r"--set \1="),
)


def keywords_to_options(text: str) -> str:
    """Return the text of an error with the library's keywords replaced by options of the command line."""
    for pattern, words in _PHRASES:
        text = pattern.sub(words, text)
    return text


def report_error(error: LLMError) -> None:
    """Show an error of the library on stderr."""
    complain(describe_error(error))


def describe_error(error: LLMError) -> str:
    """Return an error in the words of the command line. One of the configuration file keeps the words of the file."""
    from llmkit.config.file.problem import ConfigFileError

    return str(error) if isinstance(error, ConfigFileError) else keywords_to_options(str(error))


def run_guarded(work: Callable[[], int], *, verbose: bool = False) -> int:
    """Run a command and return its exit code. It raises nothing.

    Args:
        work: the command, which returns an exit code.
        verbose: show the traceback of an error that is a fault of llmkit.
    """
    prepare_streams()
    try:
        code = work()
        sys.stdout.flush()
    except LLMError as error:
        report_error(error)
        return USAGE if isinstance(error, ConfigError) else FAILED
    except KeyboardInterrupt:
        ignore_interrupts()
        note("stopped")
        return STOPPED
    except BrokenPipeError:
        _discard_stdout()
        return DONE
    except OSError as error:
        _discard_stdout()
        complain(f"cannot read or write: {error}")
        return FAILED
    except Exception as error:  # a fault of llmkit itself: a user gets a line, not a traceback
        if verbose:
            traceback.print_exc()
        more = "" if verbose else "; --verbose shows where"
        complain(f"llmkit itself failed: {type(error).__name__}: {scrub(str(error))}{more}")
        return FAILED
    return code


def ignore_interrupts() -> None:
    """Ignore every further Ctrl-C: the first one ends the command, and a second must not break that off."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _discard_stdout() -> None:
    """Point stdout at the null device, so that the flush at exit of what can no longer be written succeeds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
