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

#: Providers in the order in which one is chosen when none is named, with a model where the service has no default.
HOSTED_PROVIDERS = {"openrouter": None, "openai": "gpt-4o-mini"}
LOCAL_PROVIDER = "ollama"
#: What a server on this machine may take to list its models.
LIST_TIMEOUT_SECONDS = 2.0

#: A provider or profile, and a model; `None` is the default model of that provider or profile.
ProviderAndModel: TypeAlias = "tuple[str, str | None]"


def quick_chat(
    prompt: str, *, model: str | None = None, system: str | None = None, **settings: Unpack[Settings]
) -> str:
    """Ask once and give the text of the answer. The connection is closed afterwards.

    Args:
        prompt: the question.
        model: name of a profile, or "provider:model". Default: the configuration file's `default_profile`, else the
            first of OpenRouter, OpenAI and a local Ollama that is ready.
        system: a system message. Default: none.
        settings: as for `create_language`.

    Raises:
        ConfigError: no model is named and none is ready, or a setting is wrong.
        EmptyResponse: the answer holds no text: a refusal, tool calls, or nothing. `error.partial` has the response.
        LLMError: as `chat_complete`.
    """
    name, default_model = (model, None) if model is not None else default_target()
    with _create_model(name, default_model, settings) as language_model:
        return _require_text(language_model.chat_complete(_make_messages(prompt, system), stream=False))


async def aquick_chat(
    prompt: str, *, model: str | None = None, system: str | None = None, **settings: Unpack[Settings]
) -> str:
    """As `quick_chat`, on an event loop."""
    name, default_model = (model, None) if model is not None else await adefault_target()
    async with _create_model(name, default_model, settings) as language_model:
        return _require_text(await language_model.achat_complete(_make_messages(prompt, system), stream=False))


def default_target(model: str | None = None) -> ProviderAndModel:
    """Provider (or profile) and model to ask where no provider is named.

    The first of these is taken: the configuration file's `default_profile`; OpenRouter, if its key is set; OpenAI, if
    its key is set, with gpt-4o-mini; Ollama, if it answers, with the first chat model of its list. A model that is
    named is kept.

    Args:
        model: the name of a model, as its provider knows it. Default: chosen with the provider.

    Returns:
        A provider or profile, and a model; `None` is the default model of that provider or profile.

    Raises:
        ConfigError: no provider is ready; or Ollama answers and has no chat model.
    """
    decision = _decide_target(model)
    try:
        next(decision)
        decision.send(list_local_models())
    except StopIteration as stop:
        return cast("ProviderAndModel", stop.value)
    raise AssertionError("the decision asks once")


async def adefault_target(model: str | None = None) -> ProviderAndModel:
    """As `default_target`, on an event loop."""
    decision = _decide_target(model)
    try:
        next(decision)
        decision.send(await alist_local_models())
    except StopIteration as stop:
        return cast("ProviderAndModel", stop.value)
    raise AssertionError("the decision asks once")


def list_local_models() -> list[str] | None:
    """Names of the chat models of the Ollama on this machine, in its order; `None` if no Ollama answers."""
    from llmkit.operations.lists import list_models

    try:
        models = list_models(LOCAL_PROVIDER, refresh=True, timeout=LIST_TIMEOUT_SECONDS)
    except LLMError:
        return None
    return None if models.stale else _select_chat_models(models)


async def alist_local_models() -> list[str] | None:
    """As `list_local_models`, on an event loop."""
    from llmkit.operations.lists import alist_models

    try:
        models = await alist_models(LOCAL_PROVIDER, refresh=True, timeout=LIST_TIMEOUT_SECONDS)
    except LLMError:
        return None
    return None if models.stale else _select_chat_models(models)


def _decide_target(model: str | None) -> Generator[None, list[str] | None, ProviderAndModel]:
    """Decide where a question goes, for both colours; see `default_target`.

    It yields at most once, where it must know the models of the Ollama here, and is sent what `list_local_models` gave.
    """
    if profile := default_profile():
        return profile, model
    missing = []
    for name, usual_model in HOSTED_PROVIDERS.items():
        location = locate(name, {}, need_key=False)
        provider = location.provider
        if location.endpoint.api_key is not None:
            return name, model or (None if resolve_target(name)[1] else usual_model)
        missing.append((next(iter(provider.key_env), name), provider.key_page))
    local_models = yield
    address = locate(LOCAL_PROVIDER, {}, need_key=False).endpoint.base_url
    if local_models is None:
        raise ConfigError(
            f"no provider is named, and none is ready: {' and '.join(name for name, _ in missing)} are not set, and no "
            f"Ollama answers at {address}",
            hint=f"Name one, set a key ({missing[0][1]}), or start Ollama",
        )
    if model is None and not local_models:
        raise ConfigError(
            f"no model is named, and the Ollama at {address} has no chat model", hint="Run: llmkit pull llama3.2"
        )
    return LOCAL_PROVIDER, model or local_models[0]


def _select_chat_models(models: Sequence[ModelInfo]) -> list[str]:
    return [model.id for model in models if _is_chat_model(model)]


def _is_chat_model(model: ModelInfo) -> bool:
    """Can one talk to it? Where the server does not say, embedding models are known by name or family."""
    completes = model.capabilities.get("completion")
    if completes is not None:
        return completes
    return "embed" not in model.id and "bert" not in str(model.extra.get("family") or "")


def _create_model(name: str, model: str | None, settings: Settings) -> LanguageModel:
    try:
        return create_language(name, model, config=settings)
    except UnknownProvider as error:
        if isinstance(cast("object", name), str) and ":" not in name:  # the name of a model alone, perhaps
            error.hint = f'model= takes a profile or "provider:model", such as "openrouter:{name}". {error.hint}'
        raise


def _make_messages(prompt: str, system: str | None) -> list[Message]:
    return [*([] if system is None else [Message("system", system)]), Message("user", prompt)]


def _require_text(response: Response) -> str:
    """The text of an answer. Raises `EmptyResponse` where there is none, with the reason."""
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
