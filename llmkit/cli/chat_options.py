"""The options of `llmkit chat`, and what is made of them: the question, its attachments, the settings, the model."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from llmkit.errors import BadRequest, ConfigError, PayloadTooLarge

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.types.parts import Part
    from llmkit.types.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """The options of `llmkit chat` as they stand on the command line.

    Attributes:
        settings: the settings that have an option of their own; `None` where the option is not given.
        assignments: the settings of `--set`, each NAME=VALUE.
    """

    prompt: str | None
    provider: str | None
    model: str | None
    system: str | None
    attach: Sequence[str]
    history: str | None
    settings: Mapping[str, object]
    assignments: Sequence[str]
    key_env: str | None
    stream: bool
    reasoning: bool
    json: bool
    verbose: bool


def read_system_text(options: ChatOptions) -> str | None:
    """Return the system message, `None` if there is none."""
    return None if options.system is None else check_utf8(options.system, "--system")


def make_attachment(source: str) -> Part:
    """Return a file or an address as a part of the question.

    Raises:
        ConfigError: the source cannot be attached; nothing was sent.
    """
    from llmkit.language.attachments import attach

    try:
        return attach(os.path.expanduser(check_utf8(source, "the attachment")))  # noqa: PTH111 - it may be an address
    except PayloadTooLarge as error:
        raise ConfigError(error.message, hint="Attach a smaller one, or its address") from None
    except BadRequest as error:
        hint = "Its name or its content must say what it is" if "media_type=" in error.hint else error.hint
        raise ConfigError(error.message, hint=hint) from None


def read_question(prompt: str | None) -> str | None:
    """Return the prompt, the piped text, or both; `None` if there is neither and stdin is a terminal."""
    piped = None
    if prompt == "-" or sys.stdin is None or not sys.stdin.isatty():
        piped = _read_stdin()
        prompt = None if prompt == "-" else prompt
    elif prompt is None:
        return None
    question = "\n\n".join(text for text in (prompt, piped) if text and text.strip())
    if not question:
        raise ConfigError("the prompt is empty", hint='Write: llmkit chat "..."')
    return check_utf8(question, "the prompt")


def check_utf8(value: str, name: str) -> str:
    """Return the text of an argument. Raises `ConfigError` if the bytes of the argument were not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{name} is not UTF-8 text") from None
    return value


def _read_stdin() -> str:
    if sys.stdin is None:  # closed by the caller (`<&-`)
        return ""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").rstrip("\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"the piped text is not UTF-8 (byte {error.start})") from None


def make_model(options: ChatOptions) -> LanguageModel:
    """Return the model that the options name. Raises as `create_language` does."""
    from llmkit.language.create import create_language

    settings = {
        **parse_settings(options.assignments),
        **{name: value for name, value in options.settings.items() if value is not None},
    }
    if options.key_env is not None:
        settings["api_key"] = os.environ.get(options.key_env, "").strip()
        if not settings["api_key"]:
            raise ConfigError(f"the environment variable {options.key_env} of --key-env is not set")
        _check_address(options.key_env, settings)
    if settings.get("n", 1) != 1 and not options.json:
        raise ConfigError("only one answer can be shown", hint="For n answers add --json")
    provider, model = options.provider, options.model and check_utf8(options.model, "--model")
    if provider is None:
        from llmkit.language.quick import default_target
        from llmkit.provider.registry import registry

        head, colon, rest = (model or "").partition(":")
        if colon and registry.is_known(head.lower()) and "base_url" not in settings:
            provider, model = head, rest  # the whole target stands in --model
        else:
            provider, model = ("openai", model) if "base_url" in settings else default_target(model)
    return create_language(provider, model, config=cast("Settings", settings))


def _check_address(variable: str, settings: Mapping[str, object]) -> None:
    """Raise `ConfigError` if the key of `--key-env` would go to an address that only a folder's `.env` names."""
    from llmkit.cli.environment import list_loaded_addresses, loaded_names

    if variable not in loaded_names and "base_url" not in settings and (addresses := list_loaded_addresses()):
        raise ConfigError(
            f"the .env file names an address ({', '.join(addresses)}), and --key-env a key that is not in it",
            hint="Say where the key goes with --base-url",
        )


def parse_settings(pairs: Sequence[str]) -> dict[str, object]:
    """Return the settings of `--set`.

    A value is JSON if it parses as JSON, else text. Python's True, False and None are read as JSON's.
    """
    settings: dict[str, object] = {}
    for pair in pairs:
        name, mark, text = pair.partition("=")
        name = name.strip()
        if not mark or not name:
            raise ConfigError(f"--set {pair!r} is not NAME=VALUE", hint="Shape: --set seed=1")
        if name == "api_key":
            raise ConfigError("a key does not belong on the command line", hint="Use --key-env VARIABLE")
        try:
            settings[name] = json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
        except ValueError:
            settings[name] = text
    return settings
