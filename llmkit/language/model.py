"""`LanguageModel`: what a user holds. Its methods say what they take; `llmkit.language.planning` makes the plan."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, overload

from llmkit.errors import LLMError
from llmkit.language.planning import ChatSetup, chat_setup, plan_chat
from llmkit.language.stream import AsyncChatStream, ChatStream
from llmkit.operations.service_model import ServiceModel
from llmkit.types.messages import MessagesLike
from llmkit.types.settings import CallSettings

if TYPE_CHECKING:
    from decimal import Decimal

    from llmkit.types.responses import Response


class LanguageModel(ServiceModel):
    """One model of one provider, with retry, fallbacks and totals. Made by `create_language`.

    It is safe to use from several threads, and from several event loops. `with` and `async with` close it.
    """

    _fallbacks: tuple[LanguageModel, ...]
    _chat: ChatSetup

    def _configure(self) -> None:
        self._chat = chat_setup(self._setup, [spare._setup.provider for spare in self._fallbacks])
        self._spares = [spare._chat for spare in self._fallbacks]

    @property
    def max_context_messages(self) -> int | None:
        """Most messages that a `Conversation` sends; `None`: all."""
        return cast("int | None", self._setup.settings.get("max_context_messages"))

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
        self._check_open()
        run, chat = plan_chat(self._chat, self._spares, messages, stream, settings, self._tally)
        if chat.stream:
            return ChatStream(run, chat)
        from llmkit.transport import drivers

        return drivers.run(run)

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
        self._check_open()
        run, chat = plan_chat(self._chat, self._spares, messages, stream, settings, self._tally)
        if chat.stream:
            return AsyncChatStream(run, chat)
        from llmkit.transport import drivers

        return drivers.AsyncRun(run).run()

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

    def _check_call(self, **settings: Unpack[CallSettings]) -> None:
        """Raise for settings of a call that would be refused, as `chat_complete` does. Nothing is sent.

        Raises:
            ConfigError: a setting is unknown, wrong or not of this backend.
            ModelClosed: the model is closed.
        """
        self._check_open()
        plan_chat(self._chat, self._spares, "?", False, settings, self._tally)
