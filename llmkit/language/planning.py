"""From messages and settings to a `Plan` of chat: what is asked of each target, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from llmkit.config.backend_settings import keep_supported, list_options, pick_options
from llmkit.config.setting_checks import check_settings
from llmkit.engine.chat import Chat
from llmkit.engine.run import Run
from llmkit.errors import ConfigError, LLMError
from llmkit.provider.interface import Call
from llmkit.types.messages import Message, MessagesLike, to_messages

if TYPE_CHECKING:
    from llmkit.money.totals import Tally
    from llmkit.operations.setup import Setup
    from llmkit.provider.interface import BaseProvider
    from llmkit.types.responses import Response


@dataclass(frozen=True, slots=True, repr=False)
class ChatSetup:
    """A model as chat needs it.

    Attributes:
        sampling: the settings of the model that go to the service with each question.
        options: the provider's own options object.
    """

    setup: Setup
    sampling: Mapping[str, object]
    options: object | None


def chat_setup(setup: Setup, spares: Sequence[BaseProvider]) -> ChatSetup:
    """What chat makes of a model's settings; `spares` are the providers of its fallbacks.

    Raises:
        Unsupported: the backend does not have a setting.
        ConfigError: an options object is for no provider of the chain.
    """
    settings, provider = setup.settings, setup.provider
    sampling = keep_supported(provider, settings, drop=settings.get("on_unsupported") == "drop")
    options = _own_options(provider, settings.get("options"), spares)
    return ChatSetup(setup, sampling, options or pick_options(provider, setup.defaults.get("options")))


def plan_chat(
    main: ChatSetup,
    spares: Sequence[ChatSetup],
    messages: MessagesLike,
    stream: bool | None,
    given: Mapping[str, object],
    tally: Tally,
) -> tuple[Run[Response], Chat]:
    """The run of a call that nobody has begun, and its procedure.

    Args:
        main: the model; `spares`: its fallbacks.
        stream: as `chat_complete` takes it.
        given: the settings of the call, unchecked.

    Raises:
        ConfigError: a setting is unknown, wrong or not of this backend.
        BadRequest: the messages are not messages, or the backend would refuse them.
    """
    setup = main.setup
    try:
        settings = check_settings(given, call=True) if given else {}
        streamed = bool(setup.setting(settings, "streaming", False)) if stream is None else stream
        turns = to_messages(messages)
        call = prepare(main, turns, streamed, settings, [spare.setup.provider for spare in spares])
    except LLMError as error:
        error.provider, error.model = setup.provider.name, setup.model
        raise
    targets = [setup.target(settings, lambda: call)]
    for spare in spares:
        inherited = _inherited(setup, spare.setup, settings)
        targets.append(spare.setup.target(inherited, partial(prepare, spare, turns, streamed, inherited), spare=True))
    chat = Chat(streamed)
    return Run(setup.plan(targets, settings, tally), chat), chat


def prepare(
    chat: ChatSetup,
    messages: tuple[Message, ...],
    stream: bool,
    settings: Mapping[str, object],
    spares: Sequence[BaseProvider] = (),
) -> Call:
    """What a target is asked, as its provider takes it, checked by the provider.

    Raises:
        Unsupported: the backend does not have a setting, or the model no tools.
        ConfigError: options for another provider; a tool or structure that cannot be described.
        BadRequest: the provider would refuse it.
    """
    setup, provider = chat.setup, chat.setup.provider
    sampling, options = chat.sampling, chat.options
    if settings:
        drop = setup.setting(settings, "on_unsupported") == "drop"
        sampling = {**sampling, **keep_supported(provider, settings, drop=drop)}
        options = _own_options(provider, settings.get("options"), spares) or options
    body: dict[str, object] = {}
    for fields in setup.both(settings, "extra_body"):
        body.update(cast("Mapping[str, object]", fields))
    call = Call(setup.model, messages, stream, sampling, options, body, setup.base_url, setup.local)
    if "tools" in sampling or "structured" in sampling:
        from llmkit.language.review import add_review

        by = cast("Literal['native', 'instruction'] | None", setup.setting(settings, "structured_by"))
        retries = cast("int", setup.setting(settings, "structured_retries", 0))
        call = add_review(provider, call, by=by, retries=retries)
    provider.check(call)
    return call


def _inherited(main: Setup, spare: Setup, settings: Mapping[str, object]) -> dict[str, object]:
    """What a fallback inherits, and the options objects that are its own provider's, wherever they were given."""
    inherited = main.inherited(spare, settings)
    kind = spare.provider.options_type or ()
    for source in (main.given, spare.given, settings):
        if own := [item for item in list_options(source.get("options")) if isinstance(item, kind)]:
            inherited["options"] = own
    return inherited


def _own_options(provider: BaseProvider, options: object, spares: Sequence[BaseProvider]) -> object | None:
    """The options object for this provider. One that no target of the chain can take is a mistake."""
    providers = [provider, *spares]
    for item in list_options(options):
        taken = any(isinstance(item, known.options_type) for known in providers if known.options_type)
        if not taken and pick_options(provider, [item]) is None:
            raise ConfigError(
                f"{type(item).__name__} is for another provider than {', '.join(known.name for known in providers)}",
                hint="Leave it out, or add a fallback of its provider",
            )
    return pick_options(provider, options)
