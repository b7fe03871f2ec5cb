"""How a command ends: exit codes, and one readable message for whatever went wrong.

| code | meaning |
|---|---|
| 0 | done; also when the reader of a pipe has had enough (`| head`) |
| 1 | a call failed, a check found something wrong, or a file could not be read or the output be written |
| 2 | the command line, the environment or a setting is wrong; nothing was sent |
| 130 | stopped by Ctrl-C |
"""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable

from llmkit.cli.terminal import complain, note, prepare
from llmkit.errors import ConfigError, LLMError
from llmkit.types.redaction import scrub

DONE, FAILED, USAGE, STOPPED = 0, 1, 2, 130

# The library's advice names its keywords; here the same is said in options.
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


def in_options(text: str) -> str:
    """An error's text with the library's keywords as options of the command line."""
    for pattern, words in _PHRASES:
        text = pattern.sub(words, text)
    return text


def report(error: LLMError) -> None:
    """Show an error of the library."""
    complain(told(error))


def told(error: LLMError) -> str:
    """An error in the words of the command line; one of the configuration file keeps the words of the file."""
    from llmkit.config.file.problem import ConfigFileError

    return str(error) if isinstance(error, ConfigFileError) else in_options(str(error))


def guarded(work: Callable[[], int], *, verbose: bool = False) -> int:
    """Run a command and give its exit code. No exception leaves this.

    Args:
        verbose: show the traceback of an error that is a fault of llmkit.
    """
    prepare()
    try:
        code = work()
        sys.stdout.flush()
    except LLMError as error:
        report(error)
        return USAGE if isinstance(error, ConfigError) else FAILED
    except KeyboardInterrupt:
        deaf()
        note("stopped")
        return STOPPED
    except BrokenPipeError:
        _drop_stdout()
        return DONE
    except OSError as error:
        _drop_stdout()
        complain(f"cannot read or write: {error}")
        return FAILED
    except Exception as error:  # a fault of ours; a user gets a line, not a traceback
        if verbose:
            traceback.print_exc()
        more = "" if verbose else "; --verbose shows where"
        complain(f"llmkit itself failed: {type(error).__name__}: {scrub(str(error))}{more}")
        return FAILED
    return code


def deaf() -> None:
    """Hear no further Ctrl-C: the first one ends the command, and a second must not end that with a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _drop_stdout() -> None:
    """Let the flush at exit go nowhere: what stdout still holds can no longer be written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
