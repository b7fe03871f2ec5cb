"""What a call gives: a `Response`, the `Chunk`s of a stream, and its `Attempt`s. They have OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

from llmkit.types.messages import FunctionCall, Message, ToolCall
from llmkit.types.usage import UNKNOWN_COST, Cost, Timings, Usage


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the `n` answers of a call.

    `finish_reason` is stop, length, tool_calls, content_filter or another word of the service; `None` where it sent
    none. `native_finish_reason` is the upstream's own word (OpenRouter). `logprobs` is verbatim.
    """

    message: Message
    index: int = 0
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One exchange with one target.

    Attributes:
        provider, model: the target.
        outcome: "ok", or the class name of the error.
        elapsed: seconds from sending to the outcome.
        waited: seconds of waiting before the request was sent.
        status: HTTP status, or the code that stood for one inside a reply; `None` where there was neither.
        request_id: the service's id of the exchange.
        message: what went wrong, `None` if nothing did.
        cost: what this attempt cost; a failed one that may have been billed is unknown, not free.
    """

    provider: str
    model: str
    outcome: str = "ok"
    elapsed: float = 0.0
    waited: float = 0.0
    status: int | None = None
    request_id: str | None = None
    message: str | None = None
    cost: Cost = UNKNOWN_COST

    @property
    def target(self) -> str:
        """`provider:model`."""
        return f"{self.provider}:{self.model}"

    def to_dict(self) -> dict[str, object]:
        """The attempt as a dict of JSON values."""
        entries: dict[str, object] = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**entries, "cost": self.cost.to_dict()}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Attempt:
        """Read what `to_dict` gives."""
        known = {item.name: value[item.name] for item in fields(cls) if item.name in value}
        return cls(**{**known, "cost": Cost.from_dict(value.get("cost") or {})})


@dataclass(frozen=True, slots=True)
class Response:
    """The finished answer of a call. `response.choices[0].message.content` works as with OpenAI's own library.

    Attributes:
        choices: the answers, by index.
        usage: token counts; each is `None` where the service did not report it.
        cost: what this answer cost (the attempt that succeeded; see `attempts` for the others).
        id: the service's id of the answer, `None` where none came.
        model: the model that answered, as the service names it.
        provider: llmkit's name of the backend.
        upstream_provider: OpenRouter's name of the service behind it ("Amazon Bedrock").
        target: the provider and model that the request was sent to, `provider:model`.
        created: epoch seconds, as the service reports them.
        attempts: every exchange of the call, oldest first.
        timings: how long a local model took, in seconds (Ollama).
        raw_response: the decoded reply, verbatim; `None` for a stream. Numbers of its `usage` are exact (`Decimal`).
        extra: top-level fields that llmkit has no name for (`system_fingerprint`, `service_tier`, ...).
        parsed: with `structured=`, the validated value of the first choice; `None` where there is none (a refusal, a
            tool call, an answer that a filter ended). While a stream goes on, what can be read so far.
        structured_by: with `structured=`, what made the answer structured: "native" (the service), or "instruction" (a
            text in the prompt).
        warnings: one sentence for each thing that is odd about the answer, such as a prompt that was cut.
    """

    choices: tuple[Choice, ...]
    usage: Usage = field(default_factory=Usage)
    cost: Cost = UNKNOWN_COST
    id: str | None = None
    model: str | None = None
    provider: str = ""
    upstream_provider: str | None = None
    target: str = ""
    created: int | None = None
    attempts: tuple[Attempt, ...] = ()
    timings: Timings | None = None
    raw_response: Mapping[str, object] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    parsed: Any = None
    structured_by: Literal["native", "instruction"] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> Message:
        """The message of the first choice; append it to `messages` for the next turn."""
        return self.choices[0].message

    @property
    def content(self) -> str | None:
        """The text of the first choice; `None` where the service sent none."""
        if not self.choices:
            return None
        content = self.choices[0].message.content
        return content if isinstance(content, str) or content is None else self.choices[0].message.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the first choice."""
        return self.choices[0].message.tool_calls if self.choices else ()

    @property
    def reasoning(self) -> str | None:
        """The reasoning text of the first choice."""
        return self.choices[0].message.reasoning if self.choices else None

    @property
    def refusal(self) -> str | None:
        """The refusal of the first choice, in the model's words."""
        return self.choices[0].message.refusal if self.choices else None

    @property
    def finish_reason(self) -> str | None:
        """The reason why the first choice ended."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def truncated(self) -> bool:
        """Did the first choice end because of a token limit?"""
        return self.finish_reason == "length"

    @property
    def filtered(self) -> bool:
        """Did a content filter end the first choice?"""
        return self.finish_reason == "content_filter"

    def __repr__(self) -> str:
        return (
            f"Response({self.target!r}, model={self.model!r}, finish_reason={self.finish_reason!r}, "
            f"choices={len(self.choices)}, tokens={self.usage.total_tokens}, cost={self.cost})"
        )

    def to_dict(self) -> dict[str, object]:
        """The response as a dict of JSON values: OpenAI's shape, and llmkit's own fields beside it."""
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "provider": self.provider,
            "upstream_provider": self.upstream_provider,
            "target": self.target,
            "choices": [
                {
                    "index": choice.index,
                    "message": choice.message.to_dict(),
                    "finish_reason": choice.finish_reason,
                    "native_finish_reason": choice.native_finish_reason,
                    "logprobs": choice.logprobs,
                }
                for choice in self.choices
            ],
            "usage": self.usage.to_dict(),
            "cost": self.cost.to_dict(),
            "timings": None if self.timings is None else self.timings.to_dict(),
            "structured_by": self.structured_by,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> Response:
        """Read what `to_dict` gives. It leaves out the attempts, the parsed value, the raw reply and `extra`."""
        timings = cast("Mapping[str, Any] | None", value.get("timings"))
        choices = cast("list[Mapping[str, object]]", value.get("choices") or [])
        return cls(
            choices=tuple(
                Choice(
                    message=Message.from_dict(cast("Mapping[str, object]", choice["message"])),
                    index=cast("int", choice.get("index") or 0),
                    finish_reason=cast("str | None", choice.get("finish_reason")),
                    native_finish_reason=cast("str | None", choice.get("native_finish_reason")),
                    logprobs=choice.get("logprobs"),
                )
                for choice in choices
            ),
            usage=Usage.from_dict(cast("Mapping[str, Any]", value.get("usage") or {})),
            cost=Cost.from_dict(cast("Mapping[str, Any]", value.get("cost") or {})),
            id=cast("str | None", value.get("id")),
            model=cast("str | None", value.get("model")),
            provider=str(value.get("provider") or ""),
            upstream_provider=cast("str | None", value.get("upstream_provider")),
            target=str(value.get("target") or ""),
            created=cast("int | None", value.get("created")),
            timings=None if timings is None else Timings.from_dict(timings),
            structured_by=cast("Literal['native', 'instruction'] | None", value.get("structured_by")),
            warnings=tuple(cast("Sequence[str]", value.get("warnings") or ())),
        )


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: `index` says of which; `id` and `function.name` come with its first piece."""

    index: int
    id: str | None
    function: FunctionCall
    type: str = "function"


@dataclass(frozen=True, slots=True)
class Delta:
    """What a chunk adds to one choice. `content` is "" where no text is added."""

    content: str = ""
    role: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()
    reasoning_details: tuple[Mapping[str, object], ...] = ()

    def __repr__(self) -> str:
        calls = f", tool_calls={len(self.tool_calls)}" if self.tool_calls else ""
        return f"Delta({len(self.content)} chars{calls})"


@dataclass(frozen=True, slots=True)
class ChunkChoice:
    """One choice in a chunk."""

    delta: Delta
    index: int = 0
    finish_reason: str | None = None
    logprobs: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a stream. It always has a choice, so `chunk.choices[0].delta.content` is always text."""

    choices: tuple[ChunkChoice, ...]
    id: str | None = None
    model: str | None = None

    @property
    def content(self) -> str:
        """The text that the chunk adds to its first choice; "" where it adds none."""
        return self.choices[0].delta.content

    def __repr__(self) -> str:
        return f"Chunk({len(self.content)} chars, finish_reason={self.choices[0].finish_reason!r})"
