"""`LanguageModel`: what a user holds. Signatures, defaults and the making of plans; the decisions are in the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast, overload

from llmkit.config.backend_settings import DEFAULT_TIMEOUT, listed, options_for, supported
from llmkit.config.setting_checks import check_settings
from llmkit.engine.run import Plan, Target
from llmkit.errors import ConfigError, LLMError, ModelClosed
from llmkit.language.stream import AsyncChatStream, ChatStream
from llmkit.money.totals import Tally, Totals
from llmkit.provider.interface import BaseProvider, Call
from llmkit.resilience.retry import RetryPolicy
from llmkit.types.messages import Message, MessagesLike, to_messages
from llmkit.types.settings import SAMPLING, CallSettings, ExtraHeaders

if TYPE_CHECKING:
    from decimal import Decimal

    from llmkit.provider.exchange import Transport
    from llmkit.transport.connection import Connection
    from llmkit.types.model_info import ModelInfo
    from llmkit.types.responses import Response

DEFAULT_POLICY = RetryPolicy()


class LanguageModel:
    """One model of one provider, with retry, fallbacks and totals. Made by `create_language`.

    It is safe to use from several threads, and from several event loops. `with` and `async with` close it.
    """

    def __init__(
        self,
        provider: BaseProvider,
        model: str,
        settings: Mapping[str, object],
        connection: Connection,
        *,
        defaults: Mapping[str, object] | None = None,
        base_url: str = "",
        local: bool = False,
        fallbacks: Sequence[LanguageModel] = (),
        tally: Tally | None = None,
        requested: str | None = None,
    ) -> None:
        """Used by `create_language`; `settings` are checked, `defaults` come from the environment and the file."""
        self._provider = provider
        self._given = settings
        self._defaults = defaults or {}
        self._settings = {**self._defaults, **settings}
        self._connection = connection
        self._base_url = base_url
        self._local = local
        self._fallbacks = tuple(fallbacks)
        self._owned: tuple[LanguageModel, ...] = ()
        self._tally = tally or Tally()
        self._closed = False
        self.model = model
        #: The model as it was asked for; `model` is what that resolved to.
        self.requested = requested or model
        drop = self._settings.get("on_unsupported") == "drop"
        self._sampling = supported(provider, self._settings, drop=drop)
        self._options = self._own_options(settings.get("options")) or options_for(
            provider, self._defaults.get("options")
        )

    @property
    def provider(self) -> str:
        """Llmkit's name of the backend."""
        return self._provider.name

    @property
    def target(self) -> str:
        """`provider:model`."""
        return f"{self._provider.name}:{self.model}"

    @property
    def info(self) -> ModelInfo | None:
        """What is known of the model without asking, such as `model.info.supports_tools`; `None` where nothing is.

        It comes from a list that was fetched before, or from a table with a date; `info.source` says which.
        `get_model_info(model.provider, model.model)` asks the service.
        """
        from llmkit.operations.known_models import known_model

        return known_model(self._provider, self._base_url, self.model)

    @property
    def max_context_messages(self) -> int | None:
        """Most messages that a `Conversation` sends; `None`: all."""
        return cast("int | None", self._settings.get("max_context_messages"))

    def __repr__(self) -> str:
        chain = "".join(f" -> {item.target}" for item in self._fallbacks)
        return f"LanguageModel({self.target}{chain})"

    @overload
    def chat_complete(
        self, messages: MessagesLike, stream: Literal[False] | None = None, **settings: Unpack[CallSettings]
    ) -> Response: ...
    @overload
    def chat_complete(
        self, messages: MessagesLike, stream: Literal[True], **settings: Unpack[CallSettings]
    ) -> ChatStream: ...
    @overload
    def chat_complete(
        self, messages: MessagesLike, stream: bool | None = None, **settings: Unpack[CallSettings]
    ) -> Response | ChatStream: ...
    def chat_complete(
        self, messages: MessagesLike, stream: bool | None = None, **settings: Unpack[CallSettings]
    ) -> Response | ChatStream:
        """Ask the model.

        Args:
            messages: a list of dicts or `Message`s, one of them, or a string (one user turn).
            stream: give a `ChatStream` instead of waiting for the whole answer. `None` takes the setting `streaming`.
            settings: see `CallSettings`; they outrank those of the model.

        Raises:
            ConfigError: a setting is unknown, wrong or not of this backend.
            InvalidStructure: with `structured=`, the answer does not have the structure.
            BadRequest: the messages are not messages, or the service refuses the request.
            LLMError: what else went wrong; see the tree in `llmkit.errors`. With one target it is that target's last
                error, with several `AllTargetsFailed`.
        """
        plan = self._plan(messages, stream, settings)
        if plan.stream:
            return ChatStream(plan)
        from llmkit.transport.drivers import run

        return run(plan)

    @overload
    def achat_complete(
        self, messages: MessagesLike, stream: Literal[False] | None = None, **settings: Unpack[CallSettings]
    ) -> Coroutine[Any, Any, Response]: ...
    @overload
    def achat_complete(
        self, messages: MessagesLike, stream: Literal[True], **settings: Unpack[CallSettings]
    ) -> AsyncChatStream: ...
    @overload
    def achat_complete(
        self, messages: MessagesLike, stream: bool | None = None, **settings: Unpack[CallSettings]
    ) -> Coroutine[Any, Any, Response] | AsyncChatStream: ...
    def achat_complete(
        self, messages: MessagesLike, stream: bool | None = None, **settings: Unpack[CallSettings]
    ) -> Coroutine[Any, Any, Response] | AsyncChatStream:
        """As `chat_complete`, on an event loop: `await model.achat_complete(...)`.

        With `stream=True` the result can be iterated at once (`async for chunk in model.achat_complete(...)`) or
        awaited first. Settings and messages are checked when this is called, before anything is awaited.
        """
        plan = self._plan(messages, stream, settings)
        if plan.stream:
            return AsyncChatStream(lambda: plan)
        from llmkit.transport.drivers import AsyncRun

        return AsyncRun(plan).run()

    def map(
        self,
        inputs: Iterable[MessagesLike],
        *,
        concurrency: int = 16,
        progress: bool | None = None,
        max_cost: Decimal | float | str | None = None,
        max_errors: int | None = None,
        **settings: Unpack[CallSettings],
    ) -> list[Response | LLMError]:
        """Ask for many inputs, several at once; see `llmkit.language.many`.

        Args:
            inputs: what `chat_complete` takes as `messages`, one for each call.
            concurrency: most calls open at once.
            progress: show a progress bar on stderr. `None` shows one on a terminal, if the extra `cli` is installed.
            max_cost: US dollars; when the known costs have reached it, no further input is asked.
            max_errors: when so many inputs have failed, no further one is asked.
            settings: as for `chat_complete`.

        Returns:
            For each input, in order, its `Response` or its typed error; `BatchStopped` for one that was not asked. Of
            an iterable without a length one `BatchStopped` stands for all that is left.

        Raises:
            ConfigError: a setting or a bound is wrong, or `inputs` is no iterable of inputs. Nothing was sent.
            ModelClosed: the model is closed.
        """
        from llmkit.language.many import ask_all

        return ask_all(self, inputs, concurrency, progress, max_cost, max_errors, settings)

    async def amap(
        self,
        inputs: Iterable[MessagesLike],
        *,
        concurrency: int = 16,
        progress: bool | None = None,
        max_cost: Decimal | float | str | None = None,
        max_errors: int | None = None,
        **settings: Unpack[CallSettings],
    ) -> list[Response | LLMError]:
        """As `map`, on an event loop."""
        from llmkit.language.many import aask_all

        return await aask_all(self, inputs, concurrency, progress, max_cost, max_errors, settings)

    def _plan(self, messages: MessagesLike, stream: bool | None, given: Mapping[str, object]) -> Plan:
        if self._closed:
            raise ModelClosed("the model is closed", provider=self._provider.name, model=self.model)
        try:
            settings = check_settings(given, call=True) if given else {}
            streamed = bool(self._setting(settings, "streaming", False)) if stream is None else stream
            turns = to_messages(messages)
            call = self._call(turns, streamed, settings)
            # What is wrong with the question itself is said before anything is sent.
            self._provider.check(call)
        except LLMError as error:
            error.provider, error.model = self._provider.name, self.model
            raise
        target = self._target(lambda: call, settings, _both(self._settings, settings, "extra_headers"))
        spares = [self._spare(spare, turns, streamed, settings) for spare in self._fallbacks]
        return Plan(
            [target, *spares],
            policy=cast("RetryPolicy | None", self._setting(settings, "retry", DEFAULT_POLICY)),
            deadline=cast("float | None", self._setting(settings, "deadline", None)),
            clock=time.monotonic,
            tally=self._tally,
            stream=streamed,
        )

    def _own_options(self, options: object) -> object | None:
        """The options object for this model itself. One that no target can take is a mistake."""
        providers = [self._provider, *(spare._provider for spare in self._fallbacks)]
        for item in listed(options):
            taken = any(isinstance(item, provider.options_type) for provider in providers if provider.options_type)
            if not taken and options_for(self._provider, [item]) is None:
                raise ConfigError(
                    f"{type(item).__name__} is for another provider than {', '.join(p.name for p in providers)}",
                    hint="Leave it out, or add a fallback of its provider",
                )
        return options_for(self._provider, options)

    def _setting(self, settings: Mapping[str, object], name: str, default: object) -> object:
        return settings[name] if name in settings else self._settings.get(name, default)

    def _call(self, turns: tuple[Message, ...], stream: bool, settings: Mapping[str, object]) -> Call:
        sampling, options = self._sampling, self._options
        if settings:
            drop = self._setting(settings, "on_unsupported", None) == "drop"
            sampling = {**sampling, **supported(self._provider, settings, drop=drop)}
            options = self._own_options(settings.get("options")) or options
        body: dict[str, object] = {}
        for fields in _both(self._settings, settings, "extra_body"):
            body.update(cast("Mapping[str, object]", fields))
        call = Call(self.model, turns, stream, sampling, options, body, self._base_url, self._local)
        if "tools" in sampling or "structured" in sampling:
            from llmkit.language.review import reviewed

            by = cast("Literal['native', 'instruction'] | None", self._setting(settings, "structured_by", None))
            retries = cast("int", self._setting(settings, "structured_retries", 0))
            call = reviewed(self._provider, call, by=by, retries=retries)
        return call

    def _target(self, make_call: Callable[[], Call], settings: Mapping[str, object], extra: Sequence[object]) -> Target:
        timeout = cast("float", self._setting(settings, "timeout", DEFAULT_TIMEOUT))
        return Target(
            self._provider,
            self.model,
            self._connection.transport(),
            timeout,
            make_call,
            tuple(cast("Sequence[ExtraHeaders]", extra)),
            self._connection.redact,
        )

    def _spare(
        self, spare: LanguageModel, turns: tuple[Message, ...], stream: bool, settings: Mapping[str, object]
    ) -> Target:
        """A fallback target. It inherits what was asked and how patiently, nothing that belongs to a service."""
        asked = {**_shared(self._given), **_shared(spare._given), **_shared(settings)}
        kind = spare._provider.options_type or ()
        for source in (self._given, spare._given, settings):
            if own := [item for item in listed(source.get("options")) if isinstance(item, kind)]:
                asked["options"] = own

        def make_call() -> Call:
            call = spare._call(turns, stream, asked)
            spare._provider.check(call)
            return call

        return spare._target(make_call, asked, _both(spare._settings, {}, "extra_headers"))

    def with_settings(self, **settings: Unpack[CallSettings]) -> LanguageModel:
        """A copy with other settings. It shares the connections and the totals."""
        joined = {**self._given, **check_settings(settings, call=True)}
        copy = LanguageModel(
            self._provider,
            self.model,
            joined,
            self._connection.share(),
            defaults=self._defaults,
            base_url=self._base_url,
            local=self._local,
            fallbacks=[spare.with_settings() for spare in self._fallbacks],
            tally=self._tally,
            requested=self.requested,
        )
        copy.own(copy._fallbacks)
        return copy

    def own(self, spares: Iterable[LanguageModel]) -> None:
        """Close these with the model."""
        self._owned = tuple(spares)

    def totals(self) -> Totals:
        """What this model, its copies and its fallbacks have used and cost so far. See `Totals`."""
        return self._tally.snapshot()

    def close(self) -> None:
        """Close the connections, if no copy uses them any more. A later call raises `ModelClosed`."""
        for transport in self._leave():
            transport.close()

    async def aclose(self) -> None:
        """As `close`, for use on an event loop."""
        for transport in self._leave():
            await transport.aclose()

    def _leave(self) -> list[Transport]:
        if self._closed:
            return []
        self._closed = True
        last = self._connection.leave()
        left = [] if last is None else [last]
        for spare in self._owned:
            left += spare._leave()
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()


#: What a fallback target takes over from the model that it stands in for.
INHERITED = SAMPLING | {"timeout", "on_unsupported", "structured_retries"}


def _shared(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if name in INHERITED}


def _both(first: Mapping[str, object], second: Mapping[str, object], name: str) -> list[object]:
    return [value for value in (first.get(name), second.get(name)) if value is not None]
