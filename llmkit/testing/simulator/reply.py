"""`Reply`: one scripted answer. It holds values only; the dialects write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Literal, TypeAlias

ToolCallText: TypeAlias = "tuple[str, str] | tuple[str, str, str]"
"""Name, arguments as JSON text, and optionally the id."""
ErrorForm: TypeAlias = Literal["documented", "bare", "choices-empty", "error-usage", "string-code"]
UsageForm: TypeAlias = Literal["repeat", "empty-choices", "null-finish"]
CutKind: TypeAlias = Literal["clean", "reset", "stall"]
Framing: TypeAlias = Literal["auto", "length", "chunked", "close", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, for every dialect; `Reply()` is the default answer. Times are seconds.

    A stream is made of *pieces*: first reasoning, then text, refusal and fragments of tool calls.
    `cut_after`, `error_after`, `gated` and `chunk_delay` count them. Scripted text is sent as it is:
    `max_tokens` and `stop` of the request shorten only the default answer.

    Raises:
        ValueError: two fields contradict each other, or a number is negative.
    """

    # Content.
    text: str | None = None
    """The answer; None = the default one, or no text where `chunks`, `tool_calls` or `refusal` is given."""
    chunks: Sequence[str] | None = None
    """How a stream splits the text; None = after each word. Without `text`, these joined are the text."""
    reasoning: str | None = None
    """Reasoning text; None = a default text if the request asks for one. OpenAI counts it and does not send it."""
    tool_calls: Sequence[ToolCallText] = ()
    refusal: str | None = None
    annotations: Sequence[Mapping[str, object]] = ()
    finish_reason: str | None = "auto"
    """`done_reason` on Ollama. "auto" = as the service would; None = null."""
    native_finish_reason: str | None = "auto"
    """OpenRouter only."""

    # Model, usage and cost.
    model: str | None = None
    """The model that answers; None = the one that was asked."""
    provider: str | None = None
    """OpenRouter's display name; None = by the model's author."""
    usage: Mapping[str, object] | Literal["missing"] | None = None
    """None = counted; a mapping is sent as it is, in the dialect's own names; "missing" = not sent."""
    cost: Decimal | None = None
    """USD; None = tokens times price. Sent by OpenRouter only, but on the bill of OpenAI too."""
    billed: bool | None = None
    """None = by rule: billed unless it ends in an error. In a stream the form "error-usage" is billed."""

    # Failure.
    status: int = 200
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    """Added to the response; one that the simulator also sets replaces it."""
    error: Mapping[str, object] | str | None = None
    """The message, or the whole inner error object. With status 2xx it is an error inside the answer."""
    error_after: int | None = None
    """A stream sends the error after so many pieces; None = before the first, if there is an `error`."""
    error_form: ErrorForm = "documented"
    """OpenRouter only. In a plain answer "bare" has no choices; the others put the error into the choice."""

    # Bytes as given.
    body: bytes | None = None
    raw_chunks: Sequence[bytes] | None = None
    """The body as separate network writes, with a pause of 2 ms between them."""
    content_type: str | None = None
    """Of the response; None = what the dialect sends."""
    framing: Framing = "auto"
    """"close": the body ends with the connection. "none": the bytes are the whole response, head included."""

    # Time.
    delay: float = 0.0
    """Before the status line."""
    first_delay: float = 0.0
    """After the head, before the body."""
    chunk_delay: float = 0.0
    """Between pieces."""
    padding: int = 0
    """Blank lines before a plain body, as OpenRouter sends to keep a connection open."""
    comments: int = 0
    """SSE comments before the first piece. Ollama has no comments and sends nothing."""
    comment_delay: float = 0.01
    """After each comment or blank line."""
    comment_forever: bool = False
    """Comments (blank lines in a plain body) until the client goes away; nothing else."""
    gated: bool = False
    """Each piece (in a plain answer, the body) waits for `Simulator.release`."""
    trickle: int = 0
    """Bytes for each write, head included; 0 = all at once."""
    trickle_delay: float = 0.01

    # The end.
    cut_after: int | None = None
    """Break off after so many pieces (or raw writes); a plain body breaks off in its middle."""
    cut_bytes: int | None = None
    """Break off after so many bytes of the body."""
    cut: CutKind = "clean"
    """How: "clean" ends a chunked body properly and closes under a length; "reset" is a TCP reset; "stall" is
    silence until the client goes away or the simulator closes.
    """
    usage_form: UsageForm = "repeat"
    """OpenRouter's usage chunk: repeats the finish reason, has no choices, or has a null finish reason."""
    done: bool = True
    """Send `[DONE]`, or Ollama's `done: true` line."""
    hold_after_done: float = 0.0
    """Keep the response open for so long after the last event."""

    def __post_init__(self) -> None:
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"Reply.{name} must not be negative, got {value}")
        if not 100 <= self.status <= 999:
            raise ValueError(f"Reply.status must have three digits, got {self.status}")
        if self.body is not None and self.raw_chunks is not None:
            raise ValueError("Reply takes body or raw_chunks, not both")
        if self.framing != "auto" and self.body is None and self.raw_chunks is None:
            raise ValueError("Reply.framing needs body or raw_chunks")
        if self.chunks is not None and self.text is not None and "".join(self.chunks) != self.text:
            raise ValueError("Reply.chunks joined must equal Reply.text")
        if self.cut_after is not None and self.error_after is not None:
            raise ValueError("Reply takes cut_after or error_after, not both")

    @property
    def is_raw(self) -> bool:
        """True if the bytes of the body are given."""
        return self.body is not None or self.raw_chunks is not None

    @property
    def is_success(self) -> bool:
        """True for a status 2xx."""
        return 200 <= self.status < 300

    @property
    def fails_inside(self) -> bool:
        """True if an error is sent inside an answer with status 2xx."""
        return self.is_success and (self.error is not None or self.error_after is not None)

    @property
    def header_pairs(self) -> tuple[tuple[str, str], ...]:
        """`headers` as pairs."""
        if isinstance(self.headers, Mapping):
            return tuple(self.headers.items())
        return tuple(self.headers)


_NOT_NEGATIVE = tuple(
    item.name
    for item in fields(Reply)
    if item.name.endswith(("delay", "_after", "_bytes", "_done")) or item.name in {"padding", "comments", "trickle"}
)
