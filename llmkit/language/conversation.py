"""`Conversation`: a model with a history.

    from llmkit import Conversation, create_language

    chat = Conversation(create_language("openrouter", "openai/gpt-4o-mini"), system="Be brief.")
    print(chat.send("What is the capital of France?").content)
    print(chat.send("And of Spain?").content)

What is kept is everything; what is sent may be less.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack, cast, overload

from llmkit.config.setting_checks import describe
from llmkit.errors import BadRequest, ConfigError
from llmkit.language.history import HistoryError, read_file, read_history, write_file, write_history
from llmkit.language.stream import AsyncChatStream, ChatStream
from llmkit.language.trim import check_limits, trim_messages
from llmkit.types.messages import Message, MessageLike, MessagesLike, to_messages
from llmkit.types.parts import AudioPart, FilePart, ImagePart, OtherPart, Part, TextPart
from llmkit.types.settings import CallSettings

if TYPE_CHECKING:
    from llmkit.language.model import LanguageModel
    from llmkit.types.responses import Response

#: What `send` attaches: a part, or what `attach` takes.
Attachment: TypeAlias = Part | str | os.PathLike[str] | bytes


class _Exchange:
    """A question on its way. Whoever works for the answer holds it; when nobody does any more, it is over."""

    __slots__ = ("__weakref__", "answer", "asked", "waiter")

    def __init__(self, asked: tuple[Message, ...]) -> None:
        self.asked = asked
        self.answer: Coroutine[Any, Any, Response] | None = None
        self.waiter: weakref.ref[Coroutine[Any, Any, Response]] | None = None

    @property
    def is_over(self) -> bool:
        """Has the task that waits for the answer ended? One cancelled before it began may still hold this."""
        if self.waiter is None:
            return False
        waiter = self.waiter()
        return waiter is None or getattr(waiter, "cr_frame", None) is None

    def __del__(self) -> None:
        if self.answer is not None:
            self.answer.close()  # a task that was cancelled before it began has not begun this one either


class Conversation:
    """A model with a history of turns.

    A question and its answer enter the history together, when the answer is complete. A call that fails or a stream
    that is left early changes nothing; the error, or `stream.partial`, has what came. One question at a time: a second
    one before the answer to the first is complete is a `ConfigError`; `fork()` gives a conversation of its own.

    The whole history is kept. What is sent is trimmed to the limits by `trim_messages`.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        system: str | None = None,
        messages: MessagesLike = (),
        max_messages: int | None = None,
        max_tokens: int | None = None,
        count_tokens: Callable[[Message], int] | None = None,
    ) -> None:
        """Begin a conversation. It does not close the model.

        Args:
            model: who answers. It may be replaced at any time: `conversation.model = other`.
            system: the system message. It is no part of `messages` and is sent first, always.
            messages: earlier turns.
            max_messages: most turns to send, system turns not counted. Default: the model's `max_context_messages`
                (for OpenRouter also `OPENROUTER_MAX_CONTEXT_MESSAGES`), else all.
            max_tokens: most tokens to send; see `trim_messages`. Default: no limit.
            count_tokens: tokens of one turn. Default: `estimate_tokens`, an estimate.

        Raises:
            BadRequest: the messages are not messages.
            ConfigError: a limit is not a whole number of 1 or more, or `system` is not text.
        """
        check_limits(max_messages, max_tokens)
        if system is not None and not isinstance(cast("object", system), str):
            raise ConfigError(f"system is {type(system).__name__}", hint="Pass text; parts go into messages")
        if not hasattr(model, "achat_complete"):
            raise ConfigError(f"the model is {describe(model)}", hint="Pass what create_language() gives")
        self.model = model
        self.system = system
        self._limits = (max_messages, max_tokens, count_tokens)
        self._history = list(to_messages(messages)) if messages else []
        self._current: weakref.ref[_Exchange] | None = None
        self._lock = RLock()  # a stream that the garbage collector closes ends in here, wherever that happens

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole history, oldest first, without `system`."""
        return tuple(self._history)

    def __len__(self) -> int:
        return len(self._history)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Conversation({self.model.target}, {len(self)} messages)"

    @overload
    def send(
        self,
        text: str | None = None,
        *,
        attachments: Attachment | Iterable[Attachment] = (),
        stream: Literal[False] | None = None,
        **settings: Unpack[CallSettings],
    ) -> Response: ...
    @overload
    def send(
        self,
        text: str | None = None,
        *,
        attachments: Attachment | Iterable[Attachment] = (),
        stream: Literal[True],
        **settings: Unpack[CallSettings],
    ) -> ChatStream: ...
    @overload
    def send(
        self,
        text: str | None = None,
        *,
        attachments: Attachment | Iterable[Attachment] = (),
        stream: bool | None = None,
        **settings: Unpack[CallSettings],
    ) -> Response | ChatStream: ...
    def send(
        self,
        text: str | None = None,
        *,
        attachments: Attachment | Iterable[Attachment] = (),
        stream: bool | None = None,
        **settings: Unpack[CallSettings],
    ) -> Response | ChatStream:
        """Ask, and keep question and answer. Of several answers (`n`) the first one is kept.

        Args:
            text: the question. Without it and without attachments the history is sent as it stands: after the results
                of tools were added.
            attachments: parts, or what `attach` takes (paths, URLs, bytes); one, or several.
            stream: as for `chat_complete`.
            settings: as for `chat_complete`; `max_tokens` here is that of the answer.

        Raises:
            ConfigError: the answer before is not complete yet.
            BadRequest: there is nothing to send, an attachment cannot be used, or not even the last turns fit.
            LLMError: as `chat_complete`.
        """
        exchange, turns = self._begin(text, attachments)
        try:
            answer = self.model.chat_complete(turns, stream, **settings)
        except BaseException:
            self._end(exchange, None)
            raise
        if isinstance(answer, ChatStream):
            answer.when_over(partial(self._end, exchange))
        else:
            self._end(exchange, answer)
        return answer

    @overload
    def asend(
        self,
        text: str | None = None,
        *,
        attachments: Attachment | Iterable[Attachment] = (),
        stream: Literal[False] | None = None,
        **settings: Unpack[CallSettings],
    ) -> Coroutine[Any, Any, Response]: ...
    @overload
    def asend(
        self,
        text: str | None = None,
        *,
        attachments: Attachment | Iterable[Attachment] = (),
        stream: Literal[True],
        **settings: Unpack[CallSettings],
    ) -> AsyncChatStream: ...
    @overload
    def asend(
        self,
        text: str | None = None,
        *,
        attachments: Attachment | Iterable[Attachment] = (),
        stream: bool | None = None,
        **settings: Unpack[CallSettings],
    ) -> Coroutine[Any, Any, Response] | AsyncChatStream: ...
    def asend(
        self,
        text: str | None = None,
        *,
        attachments: Attachment | Iterable[Attachment] = (),
        stream: bool | None = None,
        **settings: Unpack[CallSettings],
    ) -> Coroutine[Any, Any, Response] | AsyncChatStream:
        """As `send`, on an event loop, with the forms of `achat_complete`. The conversation waits from this call on."""
        exchange, turns = self._begin(text, attachments)
        try:
            answer = self.model.achat_complete(turns, stream, **settings)
        except BaseException:
            self._end(exchange, None)
            raise
        if isinstance(answer, AsyncChatStream):
            answer.when_over(partial(self._end, exchange))
            return answer
        exchange.answer = answer
        waiter = self._awaited(exchange)
        exchange.waiter = weakref.ref(waiter)
        return waiter

    async def _awaited(self, exchange: _Exchange) -> Response:
        assert exchange.answer is not None
        try:
            response = await exchange.answer
        except BaseException:
            self._end(exchange, None)
            raise
        self._end(exchange, response)
        return response

    def _begin(
        self, text: str | None, attachments: Attachment | Iterable[Attachment]
    ) -> tuple[_Exchange, tuple[Message, ...]]:
        exchange = _Exchange(_question(text, attachments))
        with self._lock:
            self._check_free()
            last = (*self._history, *exchange.asked)[-1:]
            if not last or (last[0].role == "assistant" and not exchange.asked):
                raise BadRequest("there is nothing to answer", hint="Pass a text, or add() the results of tools first")
            turns = self._sent(exchange.asked)
            self._current = weakref.ref(exchange)
        return exchange, turns

    def _end(self, exchange: _Exchange, response: Response | None) -> None:
        with self._lock:
            if self._current is None or self._current() is not exchange:
                return
            self._current = None
            if response is not None and response.choices:
                self._history += [*exchange.asked, response.message]

    def _check_free(self) -> None:
        exchange = None if self._current is None else self._current()
        if exchange is not None and not exchange.is_over:
            raise ConfigError(
                "the last question of this conversation has no complete answer yet",
                hint="Await it, read its stream to the end or close it; or fork() the conversation",
            )

    def _sent(self, asked: tuple[Message, ...]) -> tuple[Message, ...]:
        system = () if self.system is None else (Message("system", self.system),)
        most, tokens, count = self._limits
        if most is None:
            most = self.model.max_context_messages
        turns = (*system, *self._history, *asked)
        return trim_messages(turns, max_messages=most, max_tokens=tokens, count_tokens=count)

    def add(self, *messages: MessageLike) -> None:
        """Append turns without asking: results of tools, or turns from elsewhere.

        Raises:
            BadRequest: they are not messages.
            ConfigError: an answer is on its way.
        """
        turns = to_messages(messages) if messages else ()
        with self._lock:
            self._check_free()
            self._history += turns

    def clear(self) -> None:
        """Forget all turns; `system` stays.

        Raises:
            ConfigError: an answer is on its way.
        """
        with self._lock:
            self._check_free()
            self._history.clear()

    def fork(self) -> Conversation:
        """A conversation with the same past and a future of its own. It shares the model."""
        most, tokens, count = self._limits
        return Conversation(
            self.model,
            system=self.system,
            messages=self.messages,
            max_messages=most,
            max_tokens=tokens,
            count_tokens=count,
        )

    def to_json(self) -> str:
        """The system message and the whole history as JSON text: no key, no setting, no model.

        Raises:
            HistoryError: a turn holds something that is not JSON.
        """
        return write_history(self.system, self._history)

    @classmethod
    def from_json(
        cls,
        text: str,
        model: LanguageModel,
        *,
        max_messages: int | None = None,
        max_tokens: int | None = None,
        count_tokens: Callable[[Message], int] | None = None,
    ) -> Conversation:
        """The conversation of a `to_json` text, with a model and limits, which the text does not hold.

        Raises:
            HistoryError: the text is damaged, is something else, or a newer llmkit wrote it.
        """
        system, messages = read_history(text)
        return cls(
            model,
            system=system,
            messages=messages,
            max_messages=max_messages,
            max_tokens=max_tokens,
            count_tokens=count_tokens,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_json` to a file. The file is whole at any time; a new one can be read by its owner only.

        Raises:
            HistoryError: it cannot be written.
        """
        write_file(path, self.to_json())

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        model: LanguageModel,
        *,
        max_messages: int | None = None,
        max_tokens: int | None = None,
        count_tokens: Callable[[Message], int] | None = None,
    ) -> Conversation:
        """The conversation of a file that `save` wrote; see `from_json`.

        Raises:
            HistoryError: the file cannot be read, or `from_json` refuses it; the text names the file.
        """
        text = read_file(path)
        try:
            return cls.from_json(
                text, model, max_messages=max_messages, max_tokens=max_tokens, count_tokens=count_tokens
            )
        except HistoryError as error:
            raise HistoryError(f"{os.fspath(path)}: {error.message}", hint=error.hint) from None


def _question(text: str | None, attachments: Attachment | Iterable[Attachment]) -> tuple[Message, ...]:
    """The user turn of a text and attachments; none without both."""
    if text is not None and not isinstance(cast("object", text), str):
        raise BadRequest(f"the text is {type(text).__name__}", hint="Pass text; files go into attachments=")
    one = isinstance(attachments, (str, bytes, bytearray, os.PathLike, *_PARTS))
    items = [cast("Attachment", attachments)] if one else list(cast("Iterable[Attachment]", attachments))
    if text is None and not items:
        return ()
    if not items:
        if not text:
            raise BadRequest("the text is empty", hint="Pass a question; None continues after the results of tools")
        return (Message("user", text),)
    from llmkit.language.attachments import attach

    parts = [item if isinstance(item, _PARTS) else attach(item) for item in items]
    return (Message("user", (*([TextPart(text)] if text else []), *parts)),)


_PARTS = (TextPart, ImagePart, AudioPart, FilePart, OtherPart)

__all__ = ["Attachment", "Conversation"]
