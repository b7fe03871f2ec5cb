"""A plain reader of recorded chat exchanges: bytes in, the answer that they spell out.

This is the yardstick that the library is held against, so it shares nothing with it: standard library only,
whole bodies at once, one rule a function. Where speed and obviousness collide, obviousness wins.
What must not go in here: anything that imports llmkit, and any error class. The reader says *that* the bytes
report a failure and how (`Expected.fault`); which class that is stands in the table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

Dialect = Literal["openrouter", "openai", "ollama", "ollama-v1"]

Fault = Literal["status", "not-json", "error-object", "finish-error", "no-finish", "nothing"]
"""How the bytes say "failed": the status line; a body that is no JSON; an error object (anywhere); the finish
reason `error`; a stream that just ends; an answer without choices, or a null finish and nothing delivered."""

JSONValue = Any
"""What `json.loads` gives. The bytes are a stranger's, so every look inside checks the type first."""

BOM: Final = b"\xef\xbb\xbf"
DONE: Final = "[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One tool call. `arguments`: the raw text of the wire, or the object where it carries one (Ollama)."""

    id: str | None
    name: str | None
    arguments: str | dict[str, JSONValue]
    type: str = "function"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice, all its deltas joined. Text that never came is "" here, which equals null."""

    index: int
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The last usage block that was not null; a count that it does not carry is None."""

    prompt: int | None = None
    completion: int | None = None
    total: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one recorded exchange says.

    `reported_cost` is `usage.cost` to the last digit; `billed_cost` adds the upstream part where `is_byok` is
    true. After a fault `choices` holds what was delivered before it, and `error` the error object, if any.
    """

    fault: Fault | None
    status: int
    choices: tuple[Choice, ...] = ()
    usage: Usage = field(default_factory=Usage)
    reported_cost: Decimal | None = None
    billed_cost: Decimal | None = None
    model: str | None = None
    id: str | None = None
    error: JSONValue = None

    @property
    def partial_text(self) -> str:
        """The text of the first choice, as far as it came."""
        return self.choices[0].text if self.choices else ""


# --- from bytes to JSON values ------------------------------------------------------------------------------


def read_json(text: str) -> JSONValue:
    """One JSON value, padding ignored, money kept to its digits; `ValueError` if it is none."""
    return json.loads(text.strip(), parse_float=Decimal)


def split_sse(body: bytes) -> list[tuple[str, str]]:
    """Every SSE event as (name, data), by the WHATWG algorithm; "message" where it has no name.

    Lines end with CRLF, LF or CR and with nothing else; a block that no blank line closes is no event.
    """
    text = body.removeprefix(BOM).decode("utf-8", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    events: list[tuple[str, str]] = []
    kind, data = "", list[str]()
    for line in lines[:-1]:  # what follows the last line end is an unfinished line
        if line == "":
            if data:
                events.append((kind or "message", "\n".join(data)))
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif name == "event":
            kind = value.removeprefix(" ")
    return events


def split_ndjson(body: bytes) -> list[str]:
    """Every line that is not blank; only LF ends a line, and the last one may lack it."""
    text = body.decode("utf-8", errors="replace")
    return [line for line in text.split("\n") if line.strip()]


# --- small looks into a stranger's JSON ---------------------------------------------------------------------


def text_of(value: JSONValue) -> str:
    """A text: a string as it is, the text parts of a list of parts, "" for anything else (null above all)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(text_of(part.get("text")) for part in value if isinstance(part, dict))
    return ""


def name_of(value: JSONValue) -> str | None:
    """A non-empty string, or None."""
    return value if isinstance(value, str) and value else None


def object_of(value: JSONValue) -> dict[str, JSONValue]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def objects_of(value: JSONValue) -> list[dict[str, JSONValue]]:
    """The objects of a list, or nothing."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count_of(value: JSONValue) -> int | None:
    """A whole number, also one that is written `3.0`; None where there is none."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def money_of(value: JSONValue) -> Decimal | None:
    """An amount of money, exactly as it was written, or None."""
    if isinstance(value, Decimal):
        return value
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else None


# --- one choice, piece by piece -----------------------------------------------------------------------------


@dataclass(slots=True)
class _CallInProgress:
    index: int | None
    id: str | None = None
    name: str | None = None
    type: str = "function"
    arguments: list[str] = field(default_factory=list)
    object: dict[str, JSONValue] | None = None

    def is_whole(self) -> bool:
        """Whether the arguments so far are one complete JSON value: nothing can be missing."""
        if self.object is not None:
            return True
        try:
            json.loads("".join(self.arguments))
        except ValueError:
            return False
        return True

    def finished(self) -> ToolCall:
        arguments = "".join(self.arguments) if self.object is None else self.object
        return ToolCall(id=self.id, name=self.name, arguments=arguments, type=self.type)


@dataclass(slots=True)
class _ChoiceInProgress:
    index: int
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: list[_CallInProgress] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, piece: dict[str, JSONValue]) -> None:
        """A delta, or a whole message: the fields have the same names."""
        self.text.append(text_of(piece.get("content")))
        self.refusal.append(text_of(piece.get("refusal")))
        self.reasoning.append(text_of(piece.get("reasoning")) or text_of(piece.get("reasoning_content")))
        for item in objects_of(piece.get("reasoning_details")):
            if item.get("type") == "reasoning.text":
                self.details.append(text_of(item.get("text")))
            elif item.get("type") == "reasoning.summary":
                self.details.append(text_of(item.get("summary")))
        for fragment in objects_of(piece.get("tool_calls")):
            self.add_call(fragment)

    def add_call(self, fragment: dict[str, JSONValue]) -> None:
        """A fragment of a tool call, or a whole one."""
        index, id_ = count_of(fragment.get("index")), name_of(fragment.get("id"))
        custom = isinstance(fragment.get("custom"), dict)
        body = object_of(fragment.get("custom" if custom else "function"))
        name, arguments = name_of(body.get("name")), body.get("input" if custom else "arguments")
        call = self.call_that_goes_on(index, id_, name)
        if call is None:
            call = _CallInProgress(index)
            self.calls.append(call)
        call.id = call.id or id_
        call.name = call.name or name
        if custom:
            call.type = "custom"
        if isinstance(arguments, dict):
            call.object = arguments
        else:
            call.arguments.append(text_of(arguments))

    def call_that_goes_on(self, index: int | None, id_: str | None, name: str | None) -> _CallInProgress | None:
        """The call that a fragment belongs to; None where a new one begins.

        A fragment belongs to the last call of its index; without an index to the call of its id; without both
        to the last call. Where it brings a name it may begin a new call all the same, because upstreams leave
        the index out, give one index to several whole calls, or repeat id and name in every fragment.
        """
        if index is not None:
            found = [call for call in self.calls if call.index == index]
        elif id_ is not None and any(call.id == id_ for call in self.calls):
            found = [call for call in self.calls if call.id == id_]
        else:
            found = self.calls
        if not found:
            return None
        last = found[-1]
        if name is None or last.name is None:
            return last
        if id_ is not None and last.id is not None:
            return last if id_ == last.id else None
        return None if name != last.name or last.is_whole() else last

    def finished(self) -> Choice:
        return Choice(
            index=self.index,
            text="".join(self.text),
            reasoning="".join(self.reasoning) or "".join(self.details),
            refusal="".join(self.refusal),
            tool_calls=tuple(call.finished() for call in self.calls),
            finish_reason=self.finish_reason,
        )


@dataclass(slots=True)
class _Answer:
    """What has been read so far."""

    choices: dict[int, _ChoiceInProgress] = field(default_factory=dict)
    usage: dict[str, JSONValue] = field(default_factory=dict)
    model: str | None = None
    id: str | None = None
    error: JSONValue = None
    finished_in_error: bool = False

    def choice(self, index: int) -> _ChoiceInProgress:
        return self.choices.setdefault(index, _ChoiceInProgress(index))

    def whole_choices(self) -> tuple[Choice, ...]:
        return tuple(self.choices[index].finished() for index in sorted(self.choices))

    def expected(self, status: int, fault: Fault | None, usage: Usage) -> Expected:
        cost = money_of(self.usage.get("cost"))
        upstream = money_of(object_of(self.usage.get("cost_details")).get("upstream_inference_cost"))
        byok = self.usage.get("is_byok") is True
        billed = cost + upstream if byok and cost is not None and upstream is not None else cost
        return Expected(
            fault=fault,
            status=status,
            choices=self.whole_choices(),
            usage=usage,
            reported_cost=cost,
            billed_cost=billed,
            model=self.model,
            id=self.id,
            error=self.error,
        )


def is_nothing(choice: Choice) -> bool:
    """A null finish and nothing delivered."""
    delivered = choice.text or choice.reasoning or choice.refusal or choice.tool_calls
    return choice.finish_reason is None and not delivered


# --- the chat-completions dialect (OpenRouter, OpenAI, Ollama's /v1) ----------------------------------------


def take_chat(answer: _Answer, value: dict[str, JSONValue], piece_name: Literal["message", "delta"]) -> None:
    """Add a whole reply, or one event of a stream, to the answer."""
    answer.id = answer.id or name_of(value.get("id"))
    answer.model = answer.model or name_of(value.get("model"))
    if object_of(value.get("usage")):
        answer.usage = object_of(value.get("usage"))
    if value.get("error"):
        answer.error = value["error"]
    for position, item in enumerate(objects_of(value.get("choices"))):
        index = count_of(item.get("index"))
        choice = answer.choice(position if index is None else index)
        choice.add(object_of(item.get(piece_name)))
        choice.finish_reason = choice.finish_reason or name_of(item.get("finish_reason"))
        answer.finished_in_error = answer.finished_in_error or item.get("finish_reason") == "error"
        if item.get("error"):
            answer.error = answer.error or item["error"]


def chat_usage(usage: dict[str, JSONValue]) -> Usage:
    prompt, completion = (
        object_of(usage.get("prompt_tokens_details")),
        object_of(usage.get("completion_tokens_details")),
    )
    return Usage(
        prompt=count_of(usage.get("prompt_tokens")),
        completion=count_of(usage.get("completion_tokens")),
        total=count_of(usage.get("total_tokens")),
        cached=count_of(prompt.get("cached_tokens")),
        cache_write=count_of(prompt.get("cache_write_tokens")),
        reasoning=count_of(completion.get("reasoning_tokens")),
    )


def read_chat_reply(status: int, body: bytes) -> Expected:
    """A reply that is one JSON object, however it was asked for."""
    answer = _Answer()
    fault: Fault | None = None
    try:
        value = read_json(body.decode("utf-8", errors="replace"))
    except ValueError:
        value = None
    if isinstance(value, dict):
        take_chat(answer, value, "message")
    choices = answer.whole_choices()
    if not 200 <= status < 300:
        fault = "status"
    elif not isinstance(value, dict):
        fault = "not-json"
    elif answer.error:
        fault = "error-object"
    elif answer.finished_in_error:
        fault = "finish-error"
    elif not choices or all(is_nothing(choice) for choice in choices):
        fault = "nothing"
    return answer.expected(status, fault, chat_usage(answer.usage))


def read_chat_stream(status: int, body: bytes) -> Expected:
    """A stream of SSE events. It ends at `[DONE]`, at an error, or with the bytes."""
    answer = _Answer()
    fault: Fault | None = None
    for kind, data in split_sse(body):
        if data.strip() == DONE:
            break
        if not data.strip():
            continue
        try:
            value = read_json(data)
        except ValueError:
            fault = "not-json"
            break
        if not isinstance(value, dict):
            continue
        take_chat(answer, value, "delta")
        if kind == "error":
            answer.error = answer.error or value
        if answer.error:
            fault = "error-object"
            break
        if answer.finished_in_error:
            fault = "finish-error"
            break
    if fault is None and (not answer.choices or any(c.finish_reason is None for c in answer.choices.values())):
        fault = "no-finish"
    return answer.expected(status, fault, chat_usage(answer.usage))


# --- Ollama's own dialect -----------------------------------------------------------------------------------


def take_ollama(answer: _Answer, value: dict[str, JSONValue]) -> None:
    """Add a whole reply, or one line of a stream, to the answer; its tool calls are always whole."""
    answer.model = answer.model or name_of(value.get("model"))
    message = object_of(value.get("message"))
    choice = answer.choice(0)
    choice.text.append(text_of(message.get("content")))
    choice.reasoning.append(text_of(message.get("thinking")))
    for item in objects_of(message.get("tool_calls")):
        function = object_of(item.get("function"))
        call = _CallInProgress(None, name_of(item.get("id")), name_of(function.get("name")))
        if isinstance(function.get("arguments"), dict):
            call.object = function["arguments"]
        else:
            call.arguments.append(text_of(function.get("arguments")))
        choice.calls.append(call)
    for name in ("prompt_eval_count", "eval_count"):
        if count_of(value.get(name)) is not None:
            answer.usage[name] = value[name]
    choice.finish_reason = choice.finish_reason or name_of(value.get("done_reason"))


def read_ollama(status: int, body: bytes, *, stream: bool) -> Expected:
    """A reply of `/api/chat`: one object, or one object a line, the last of them `done`."""
    answer = _Answer()
    fault: Fault | None = None
    done = False
    for text in split_ndjson(body) if stream else [body.decode("utf-8", errors="replace")]:
        try:
            value = read_json(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            fault = "not-json"
            break
        if value.get("error"):
            answer.error = value["error"]
            fault = "error-object"
            break
        take_ollama(answer, value)
        done = done or value.get("done") is True
    for choice in answer.choices.values():
        if choice.finish_reason == "stop" and choice.calls:
            choice.finish_reason = "tool_calls"
    if not 200 <= status < 300:
        fault = "status"
    elif fault is None and stream and not done:
        fault = "no-finish"
    elif fault is None and all(is_nothing(choice) for choice in answer.whole_choices()):
        fault = "nothing"
    return answer.expected(status, fault, ollama_usage(answer.usage))


def ollama_usage(counts: dict[str, JSONValue]) -> Usage:
    prompt, completion = counts.get("prompt_eval_count"), counts.get("eval_count")
    total = None if prompt is None or completion is None else prompt + completion
    return Usage(prompt=prompt, completion=completion, total=total)


# --- the door -----------------------------------------------------------------------------------------------


def read(dialect: Dialect, *, status: int, body: bytes, stream: bool) -> Expected:
    """What the bytes say. The body's own form counts, not its content type: that may be missing or wrong.

    So a call for a stream that meets one JSON object, or a web page, reads it as the reply that it is (every
    error that comes before the first byte is one), and a plain call that meets events reads them. Of a failed
    status only the error object is of interest.
    """
    if dialect == "ollama":
        return read_ollama(status, body, stream=stream and 200 <= status < 300)
    if 200 <= status < 300 and split_sse(body) and (stream or looks_like_sse(body)):
        return read_chat_stream(status, body)
    return read_chat_reply(status, body)


def looks_like_sse(body: bytes) -> bool:
    """Whether a body that nobody asked to be a stream is one: it begins with a field or a comment."""
    return body.removeprefix(BOM).lstrip().startswith((b"data:", b"event:", b"id:", b"retry:", b":"))
