"""`Conversation`: a model with a history.

    from llmkit import Conversation, create_language

    chat = Conversation(create_language("openrouter", "openai/gpt-4o-mini"), system="Be brief.")
    print(chat.send("What is the capital of France?").content)
    print(chat.send("And of Spain?").content)

The whole history is kept. What is sent is trimmed to the limits by `trim_messages`.

What happens to the history. A question is pending from the call of `send` or `asend` until its answer is complete, and
enters the history together with the answer, or not at all:

- The answer is complete: question and answer are appended. Of an answer without choices nothing is.
- The call raises (an error, Ctrl-C, cancellation), or the stream fails: nothing is appended. The error has what came,
  as `partial`, and the same question can be sent again.
- The stream is left early: nothing is appended; `stream.partial` has what came. It counts as left when it is closed,
  when its loop is left, and when it is collected as garbage.
- The coroutine of `asend` is never awaited, or its task is cancelled before it began: nothing is sent or appended.

While a question is pending, another one, `add` and `clear` are a `ConfigError`, so an answer never comes into a history
that has changed. `llmkit.language.pending` says how the conversation learns that nobody waits any more.
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
from llmkit.language.pending import PendingQuestion
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
_PARTS = (TextPart, ImagePart, AudioPart, FilePart, OtherPart)


class Conversation:
    """A model with a history of turns.

    A question and its answer enter the history together, when the answer is complete. A call that fails or a stream
    that is left early changes nothing; the error, or `stream.partial`, has what came. One question at a time: a second
    one before the answer to the first is complete is a `ConfigError`; `fork()` gives a conversation of its own.
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
            system: the system message. It is not a part of `messages`, and is always sent first. Default: none.
            messages: earlier turns. Default: none.
            max_messages: most turns to send, system turns not counted. Default: the model's `max_context_messages`
                (for OpenRouter also `OPENROUTER_MAX_CONTEXT_MESSAGES`), else all.
            max_tokens: most tokens to send; see `trim_messages`. Default: no limit.
            count_tokens: gives the number of tokens of one turn. Default: `estimate_tokens`.

        Raises:
            BadRequest: the messages are not messages.
            ConfigError: a limit is not a whole number of 1 or more, `system` is not text, or `model` is not a model.
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
        self._pending: weakref.ref[PendingQuestion] | None = None
        # Re-entrant: the garbage collector may close a stream, which ends here, while this thread holds the lock.
        self._lock = RLock()

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
        question, turns = self._begin(text, attachments)
        try:
            answer = self.model.chat_complete(turns, stream, **settings)
        except BaseException:  # whatever ended the call, also Ctrl-C: nobody waits for its answer any more
            self._end(question, None)
            raise
        if isinstance(answer, ChatStream):
            answer.when_over(partial(self._end, question))
        else:
            self._end(question, answer)
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
        question, turns = self._begin(text, attachments)
        try:
            answer = self.model.achat_complete(turns, stream, **settings)
        except BaseException:  # as in `send`: nobody waits for the answer
            self._end(question, None)
            raise
        if isinstance(answer, AsyncChatStream):
            answer.when_over(partial(self._end, question))
            return answer
        question.call = answer
        waiter = self._await_answer(question)
        question.waiter = weakref.ref(waiter)
        return waiter

    async def _await_answer(self, question: PendingQuestion) -> Response:
        assert question.call is not None
        response: Response | None = None
        try:
            response = await question.call
            return response
        finally:
            self._end(question, response)

    def _begin(
        self, text: str | None, attachments: Attachment | Iterable[Attachment]
    ) -> tuple[PendingQuestion, tuple[Message, ...]]:
        """Make a question pending, and give what is sent for it."""
        question = PendingQuestion(_make_question(text, attachments))
        with self._lock:
            self._check_free()
            last = (*self._history, *question.messages)[-1:]
            if not last or (last[0].role == "assistant" and not question.messages):
                raise BadRequest("there is nothing to answer", hint="Pass a text, or add() the results of tools first")
            turns = self._select_turns(question.messages)
            self._pending = weakref.ref(question)
        return question, turns

    def _end(self, question: PendingQuestion, response: Response | None) -> None:
        """End a pending question, with its answer or without one. For one that is not pending it does nothing."""
        with self._lock:
            if self._pending is None or self._pending() is not question:
                return
            self._pending = None
            if response is not None and response.choices:
                self._history += [*question.messages, response.message]

    def _check_free(self) -> None:
        question = None if self._pending is None else self._pending()
        if question is not None and not question.is_over:
            raise ConfigError(
                "the last question of this conversation has no complete answer yet",
                hint="Await it, read its stream to the end or close it; or fork() the conversation",
            )

    def _select_turns(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        system = () if self.system is None else (Message("system", self.system),)
        most, tokens, count = self._limits
        if most is None:
            most = self.model.max_context_messages
        turns = (*system, *self._history, *messages)
        return trim_messages(turns, max_messages=most, max_tokens=tokens, count_tokens=count)

    def add(self, *messages: MessageLike) -> None:
        """Append turns without asking: results of tools, or turns from elsewhere.

        Args:
            messages: dicts or `Message`s, in their order.

        Raises:
            BadRequest: one of them is not a message; none is appended.
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
        """Give a conversation with the same history, system message and limits, which goes on by itself.

        It shares the model. A question that is pending here is not pending there.
        """
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
        """Make the conversation of a `to_json` text, with a model and limits, which the text does not hold.

        Args:
            text: the JSON text.
            model, max_messages, max_tokens, count_tokens: as for `Conversation`.

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
            HistoryError: the file cannot be written, or a turn holds something that is not JSON.
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
        """Make the conversation of a file that `save` wrote; see `from_json`.

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


def _make_question(text: str | None, attachments: Attachment | Iterable[Attachment]) -> tuple[Message, ...]:
    """Make the user turn of a text and attachments; no turn where there is neither."""
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
