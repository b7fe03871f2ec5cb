"""`quick_chat`: one question, one answer as text; and which target it goes to where none is named."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, TypeAlias, Unpack, cast

from llmkit.config.file.find import default_profile
from llmkit.config.locate import locate, resolve_target
from llmkit.errors import ConfigError, EmptyResponse, LLMError, UnknownProvider
from llmkit.language.create import create_language
from llmkit.types.messages import Message
from llmkit.types.settings import Settings

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.types.model_info import ModelInfo
    from llmkit.types.responses import Response

#: In the order in which one is chosen when none is named, with the model where the service has no default.
HOSTED = {"openrouter": None, "openai": "gpt-4o-mini"}
LOCAL = "ollama"
#: Seconds that a server on this machine may take to list its models.
PATIENCE = 2.0

Target: TypeAlias = "tuple[str, str | None]"


def quick_chat(
    prompt: str, *, model: str | None = None, system: str | None = None, **settings: Unpack[Settings]
) -> str:
    """Ask once and give the text of the answer. The connection is closed after it.

    Args:
        prompt: the question.
        model: name of a profile, or "provider:model". Default: see `default_target`.
        system: a system message.
        settings: as for `create_language`.

    Raises:
        ConfigError: no model is named and none is ready, or a setting is wrong.
        EmptyResponse: the answer holds no text: a refusal, tool calls, or nothing. `error.partial` has the response.
        LLMError: as `chat_complete`.
    """
    name, chosen = (model, None) if model is not None else default_target()
    with _made(name, chosen, settings) as made:
        return _text(made.chat_complete(_turns(prompt, system), stream=False))


async def aquick_chat(
    prompt: str, *, model: str | None = None, system: str | None = None, **settings: Unpack[Settings]
) -> str:
    """As `quick_chat`, on an event loop."""
    name, chosen = (model, None) if model is not None else await adefault_target()
    async with _made(name, chosen, settings) as made:
        return _text(await made.achat_complete(_turns(prompt, system), stream=False))


def default_target(model: str | None = None) -> Target:
    """Provider (or profile) and model where no provider is named.

    It is the configuration file's `default_profile`, else the first of: OpenRouter, if its key is set; OpenAI, if its
    key is set, with gpt-4o-mini; Ollama, if it answers, with the first chat model of its list. A model that is named
    is kept; `None` in the answer is the default of the provider or profile.

    Raises:
        ConfigError: there is none; or Ollama answers and has no chat model.
    """
    choice = _choice(model)
    try:
        next(choice)
        choice.send(local_models())
    except StopIteration as stop:
        return cast("Target", stop.value)
    raise AssertionError("the choice asks once")


async def adefault_target(model: str | None = None) -> Target:
    """As `default_target`, on an event loop."""
    choice = _choice(model)
    try:
        next(choice)
        choice.send(await alocal_models())
    except StopIteration as stop:
        return cast("Target", stop.value)
    raise AssertionError("the choice asks once")


def local_models() -> list[str] | None:
    """The chat models of an Ollama, as it lists them; `None` if none answers there."""
    from llmkit.operations.lists import list_models

    try:
        listed = list_models(LOCAL, refresh=True, timeout=PATIENCE)
    except LLMError:
        return None
    return None if listed.stale else _chat_models(listed)


async def alocal_models() -> list[str] | None:
    """As `local_models`, on an event loop."""
    from llmkit.operations.lists import alist_models

    try:
        listed = await alist_models(LOCAL, refresh=True, timeout=PATIENCE)
    except LLMError:
        return None
    return None if listed.stale else _chat_models(listed)


def _choice(model: str | None) -> Generator[None, list[str] | None, Target]:
    """The decision. It yields where it must know the models of the Ollama here, and is sent them."""
    if profile := default_profile():
        return profile, model
    missing = []
    for name, usual in HOSTED.items():
        location = locate(name, {}, need_key=False)
        backend = location.provider
        if location.endpoint.api_key is not None:
            return name, model or (None if resolve_target(name)[1] else usual)
        missing.append((next(iter(backend.key_env), name), backend.key_page))
    found = yield
    address = locate(LOCAL, {}, need_key=False).endpoint.base_url
    if found is None:
        raise ConfigError(
            f"no provider is named, and none is ready: {' and '.join(name for name, _ in missing)} are not set, and no "
            f"Ollama answers at {address}",
            hint=f"Name one, set a key ({missing[0][1]}), or start Ollama",
        )
    if model is None and not found:
        raise ConfigError(
            f"no model is named, and the Ollama at {address} has no chat model", hint="Run: llmkit pull llama3.2"
        )
    return LOCAL, model or found[0]


def _chat_models(listed: Sequence[ModelInfo]) -> list[str]:
    return [item.id for item in listed if _chats(item)]


def _chats(item: ModelInfo) -> bool:
    """Is it a model to talk to? Where the server does not say, embedding models are known by name or family."""
    said = item.capabilities.get("completion")
    if said is not None:
        return said
    return "embed" not in item.id and "bert" not in str(item.extra.get("family") or "")


def _made(name: str, model: str | None, settings: Settings) -> LanguageModel:
    try:
        return create_language(name, model, config=settings)
    except UnknownProvider as error:
        if isinstance(cast("object", name), str) and ":" not in name:  # the name of a model alone, perhaps
            error.hint = f'model= takes a profile or "provider:model", such as "openrouter:{name}". {error.hint}'
        raise


def _turns(prompt: str, system: str | None) -> list[Message]:
    return [*([] if system is None else [Message("system", system)]), Message("user", prompt)]


def _text(response: Response) -> str:
    if response.content:
        return response.content
    why = f"finish_reason {response.finish_reason}" if response.finish_reason else "no finish_reason"
    if response.refusal:
        why = f"the model refused: {response.refusal}"
    elif response.tool_calls:
        why = "the model calls tools"
    provider, _, model = response.target.partition(":")
    error = EmptyResponse(
        f"the answer holds no text ({why})",
        hint="chat_complete gives the whole response",
        provider=provider,
        model=model,
    )
    error.partial, error.attempts = response, response.attempts
    raise error
