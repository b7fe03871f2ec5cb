"""The content of an answer: a request and a `Reply` become choices, pieces and token counts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal, TypeAlias

from llmkit.testing.simulator import models
from llmkit.testing.simulator.chat import ChatRequest, get_message_text
from llmkit.testing.simulator.jsonvalue import JSON, as_int, trust_object, write
from llmkit.testing.simulator.reply import Reply
from llmkit.testing.simulator.sample import make_sample

PieceKind: TypeAlias = Literal["reasoning", "text", "refusal", "tool"]

_QUOTED_CHARACTERS = 120
"""The default answer repeats so many characters of a message."""
_FRAGMENT_CHARACTERS = 12
"""Characters of tool arguments in one fragment of a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that the answer makes."""

    id: str
    name: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the `n` choices of an answer."""

    reasoning: str
    text: str
    refusal: str | None
    calls: tuple[ToolCall, ...]
    finish: str | None

    @property
    def tokens(self) -> int:
        """Completion tokens, reasoning included."""
        calls = sum(models.count_tokens(call.name + call.arguments) for call in self.calls)
        return models.count_tokens(self.reasoning) + models.count_tokens(self.text + (self.refusal or "")) + calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One step of a stream."""

    choice: int
    kind: PieceKind
    text: str
    call: ToolCall | None = None
    call_index: int = 0
    first: bool = False
    """The piece is the first of its reasoning, text or call."""
    last: bool = False
    """The piece is the last of its reasoning, text or call."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One whole answer. Its ids are made of `number`, which counts chat answers from 1."""

    number: int
    request: ChatRequest
    reply: Reply
    asked: str
    """The model that answers, by the name under which it is priced."""

    @cached_property
    def model(self) -> str:
        """The `model` that the answer bears."""
        return self.reply.model or models.find_answer_name(self.asked)

    @cached_property
    def provider(self) -> str:
        """OpenRouter's display name of the provider."""
        return self.reply.provider or models.find_provider_name(self.asked)

    @cached_property
    def id(self) -> str:
        """Generation id; empty on Ollama."""
        heads = {"openrouter": "gen-sim-", "openai": "chatcmpl-sim-", "ollama": None}
        head = heads[self.request.dialect]
        return "" if head is None else f"{head}{self.number:06d}"

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The `n` choices."""
        return tuple(_make_choice(self, index) for index in range(self.request.n))

    @cached_property
    def annotations(self) -> list[JSON]:
        """The scripted annotations."""
        return [trust_object(annotation) for annotation in self.reply.annotations]

    @cached_property
    def price(self) -> models.Price:
        """USD for a token."""
        return models.find_price(self.asked)

    @cached_property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, as the usage states them; Ollama cuts off what is too long for its context."""
        counted = models.count_tokens(self.request.prompt_text)
        if self.request.context is not None:
            counted = min(counted, self.request.context)
        return self._get_stated("prompt_tokens", "prompt_eval_count", counted)

    @cached_property
    def completion_tokens(self) -> int:
        """Tokens of the whole answer, as the usage states them."""
        return self._get_stated("completion_tokens", "eval_count", sum(choice.tokens for choice in self.choices))

    @cached_property
    def reasoning_tokens(self) -> int:
        """The part of `completion_tokens` that is reasoning."""
        return sum(models.count_tokens(choice.reasoning) for choice in self.choices)

    @cached_property
    def cost(self) -> Decimal:
        """USD for the whole answer."""
        if self.reply.cost is not None:
            return self.reply.cost
        usage = self.reply.usage
        stated = None if usage is None or isinstance(usage, str) else usage.get("cost")
        if isinstance(stated, Decimal | int | float):
            return Decimal(str(stated))
        return self.price.cost(self.prompt_tokens, self.completion_tokens)

    def _get_stated(self, name: str, ollama_name: str, counted: int) -> int:
        usage = self.reply.usage
        if usage is None or isinstance(usage, str):
            return counted
        return as_int(trust_object(usage).get(name), as_int(trust_object(usage).get(ollama_name), counted))

    def iterate_pieces(self, *, whole_calls: bool, shows_reasoning: bool) -> Iterator[Piece]:
        """Yield the pieces of a stream: choice after choice, in each first reasoning, then text, refusal, calls."""
        for index, choice in enumerate(self.choices):
            if shows_reasoning:
                yield from _make_run(index, "reasoning", split_words(choice.reasoning))
            scripted = self.reply.chunks
            parts = split_words(choice.text) if scripted is None else [part for part in scripted if part]
            yield from _make_run(index, "text", parts)
            yield from _make_run(index, "refusal", split_words(choice.refusal or ""))
            for position, call in enumerate(choice.calls):
                yield from _split_call(index, position, call, whole=whole_calls)


def count_sent_tokens(pieces: list[Piece]) -> int:
    """Return the completion tokens of the pieces that were sent."""
    texts: dict[tuple[int, str, int], str] = {}
    for piece in pieces:
        key = (piece.choice, piece.kind, piece.call_index)
        name = piece.call.name if piece.call is not None and piece.first else ""
        texts[key] = texts.get(key, "") + name + piece.text
    return sum(models.count_tokens(text) for text in texts.values())


def split_words(text: str) -> list[str]:
    """Return `text` split after each run of blanks. The parts joined are `text` again."""
    return re.findall(r"\s*\S+\s*|\s+", text)


def _make_run(choice: int, kind: PieceKind, parts: list[str]) -> Iterator[Piece]:
    end = len(parts) - 1
    for place, part in enumerate(parts):
        yield Piece(choice=choice, kind=kind, text=part, first=place == 0, last=place == end)


def _split_call(choice: int, position: int, call: ToolCall, *, whole: bool) -> Iterator[Piece]:
    size = len(call.arguments) if whole else _FRAGMENT_CHARACTERS
    parts = [call.arguments[start : start + size] for start in range(0, len(call.arguments), max(size, 1))]
    if not whole:
        parts.insert(0, "")  # the wire names the call first and sends its arguments in later fragments
    parts = parts or [""]
    for place, part in enumerate(parts):
        yield Piece(
            choice=choice, kind="tool", text=part, call=call, call_index=position,
            first=place == 0, last=place == len(parts) - 1,
        )  # fmt: skip


def _make_choice(answer: Answer, index: int) -> Choice:
    reply, request = answer.reply, answer.request
    calls = tuple(
        ToolCall(
            id=item[2] if len(item) == 3 else f"call_sim_{answer.number:06d}_{index}_{place}",
            name=item[0],
            arguments=item[1],
        )
        for place, item in enumerate(reply.tool_calls or _make_default_calls(answer))
    )
    text, text_finish = _make_text(answer, index, has_calls=bool(calls))
    finish: str | None = text_finish
    reasoning = reply.reasoning
    if reasoning is None:
        reasoning = f"The user wrote: {_quote_question(request)}" if request.thinks else ""
    if reply.finish_reason != "auto":
        finish = reply.finish_reason
    elif calls and request.dialect != "ollama":  # Ollama ends a turn that calls tools with "stop"
        finish = "tool_calls"
    return Choice(reasoning=reasoning, text=text, refusal=reply.refusal, calls=calls, finish=finish)


def _make_text(answer: Answer, index: int, *, has_calls: bool) -> tuple[str, str]:
    reply, request = answer.reply, answer.request
    if reply.text is not None:
        return reply.text, "stop"
    if reply.chunks is not None:
        return "".join(reply.chunks), "stop"
    if has_calls or reply.refusal is not None:
        return "", "stop"
    text = _make_default_text(request) + (f" ({index + 1})" if index and not request.wants_json else "")
    for mark in request.stop:
        text = text.split(mark, 1)[0]
    if request.max_tokens is not None and models.count_tokens(text) > request.max_tokens:
        return text[: request.max_tokens * models.CHARACTERS_PER_TOKEN], "length"
    return text, "stop"


def _make_default_calls(answer: Answer) -> tuple[tuple[str, str], ...]:
    request, reply = answer.request, answer.reply
    scripted = reply.text is not None or reply.chunks is not None or reply.refusal is not None
    if request.must_call is None or not request.tools or scripted:
        return ()
    matching = [tool for tool in request.tools if tool.name == request.must_call]
    tool = (matching or list(request.tools))[0]
    return ((tool.name, write(make_sample(tool.parameters))),)


def _make_default_text(request: ChatRequest) -> str:
    if not request.messages:  # Ollama: a request that only loads the model
        return ""
    if request.schema is not None:
        return write(make_sample(request.schema))
    opening = "The tool said" if request.messages and request.messages[-1].get("role") == "tool" else "You said"
    sentence = f"{opening}: {_quote_question(request)}"
    return write({"answer": sentence}) if request.wants_json else sentence


def _quote_question(request: ChatRequest) -> str:
    last = request.messages[-1:] if request.messages and request.messages[-1].get("role") == "tool" else ()
    spoken = last or [message for message in request.messages if message.get("role") == "user"][-1:]
    text = " ".join(get_message_text(spoken[0]).split()) if spoken else ""
    return text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "..."
