"""Reads a chat request in either shape: chat completions, or Ollama's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmkit.testing.simulator.jsonvalue import JSON, Object, as_int, as_list, as_object, as_text
from llmkit.testing.simulator.models import OLLAMA_CONTEXT, count_tokens
from llmkit.testing.simulator.records import DialectName


class UnreadableError(Exception):
    """The body is not a chat request. The text says why, and is sent with status 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOffer:
    """A tool that the model may call."""

    name: str
    parameters: Object


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What a chat request asks for, in one shape for all dialects."""

    dialect: DialectName
    model: str
    fallbacks: tuple[str, ...] = ()
    """OpenRouter's `models`."""
    messages: tuple[Object, ...]
    stream: bool
    n: int = 1
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    wants_json: bool = False
    schema: Object | None = None
    """The JSON schema that the answer must fit; None with `wants_json` = any object."""
    tools: tuple[ToolOffer, ...] = ()
    must_call: str | None = None
    """A tool's name; "" = the first tool; None = no call is demanded."""
    logprobs: bool = False
    top_logprobs: int = 0
    thinks: bool = False
    """Reasoning is wanted, and counted."""
    shows_thinking: bool = True
    """Reasoning is also sent."""
    include_usage: bool = False
    """A stream of OpenAI is to end with a usage chunk."""
    unloads: bool = False
    """Ollama: `keep_alive` is 0."""
    context: int | None = None
    """Ollama: tokens of a prompt that are read; the rest is cut off. None = all."""

    @property
    def prompt_text(self) -> str:
        """The text of all messages, joined."""
        return "".join(get_message_text(message) for message in self.messages)


def get_message_text(message: Object) -> str:
    """Return the text of one message: its content, or the text parts of it."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(as_text(as_object(part).get("text")) for part in as_list(content))


def read_completions(dialect: DialectName, body: JSON) -> ChatRequest:
    """Read a chat-completions body.

    Raises:
        UnreadableError: the body is not an object, or `model` or `messages` is missing.
    """
    data = _check_object(body)
    response_format = as_object(data.get("response_format"))
    limit = as_int(data.get("max_completion_tokens"), as_int(data.get("max_tokens"), -1))
    effort = as_text(data.get("reasoning_effort")) or as_text(as_object(data.get("reasoning")).get("effort"))
    reasoning = data.get("reasoning")
    is_wanted = bool(effort) or isinstance(reasoning, dict) or data.get("include_reasoning") is True
    is_off = effort == "none" or as_object(reasoning).get("enabled") is False
    model = as_text(data.get("model"))
    fallbacks = tuple(as_text(item) for item in as_list(data.get("models")))
    if not model and not fallbacks:
        raise UnreadableError("you must provide a model parameter")
    return ChatRequest(
        dialect=dialect,
        model=model or fallbacks[0],
        fallbacks=fallbacks,
        messages=_read_messages(data),
        stream=data.get("stream") is True,
        n=max(1, as_int(data.get("n"), 1)),
        stop=_read_texts(data.get("stop")),
        max_tokens=limit if limit >= 0 else None,
        wants_json=response_format.get("type") in {"json_object", "json_schema"},
        schema=_read_schema(as_object(response_format.get("json_schema")).get("schema")),
        tools=_read_tools(data.get("tools")),
        must_call=_read_tool_choice(data.get("tool_choice")),
        logprobs=data.get("logprobs") is True,
        top_logprobs=as_int(data.get("top_logprobs"), 0),
        thinks=is_wanted and not is_off,
        shows_thinking=as_object(reasoning).get("exclude") is not True and data.get("include_reasoning") is not False,
        include_usage=as_object(data.get("stream_options")).get("include_usage") is True,
    )


def read_ollama(body: JSON) -> ChatRequest:
    """Read the body of Ollama's `/api/chat`.

    Raises:
        UnreadableError: the body is not an object, `model` is missing, or the prompt is too long and must not be cut.
    """
    data = _check_object(body)
    options = as_object(data.get("options"))
    limit = as_int(options.get("num_predict"), -1)
    if not as_text(data.get("model")):
        raise UnreadableError("model is required")
    messages = tuple(as_object(message) for message in as_list(data.get("messages")))
    is_cloud = as_text(data.get("model")).endswith("cloud")
    context = None if is_cloud else as_int(options.get("num_ctx"), OLLAMA_CONTEXT)
    if context and data.get("truncate") is False and count_tokens("".join(map(get_message_text, messages))) > context:
        raise UnreadableError(f"the prompt is longer than the context length of {context} tokens")
    return ChatRequest(
        dialect="ollama",
        model=as_text(data.get("model")),
        messages=messages,
        stream=data.get("stream") is not False,
        stop=_read_texts(options.get("stop")),
        max_tokens=limit if limit >= 0 else None,
        wants_json=bool(data.get("format")),
        schema=_read_schema(data.get("format")),
        tools=_read_tools(data.get("tools")),
        logprobs=data.get("logprobs") is True,
        top_logprobs=as_int(data.get("top_logprobs"), 0),
        thinks=bool(data.get("think")),
        unloads=data.get("keep_alive") == 0,
        context=context,
    )


def _check_object(body: JSON) -> Object:
    if body is None:
        raise UnreadableError("invalid JSON in the request body")
    if not isinstance(body, dict):
        raise UnreadableError("the body is not a JSON object")
    return body


def _read_messages(data: Object) -> tuple[Object, ...]:
    messages = as_list(data.get("messages"))
    if not messages:
        raise UnreadableError("'messages' must be an array with at least one message")
    return tuple(as_object(message) for message in messages)


def _read_texts(value: JSON) -> tuple[str, ...]:
    items: Sequence[JSON] = (value,) if isinstance(value, str) else as_list(value)
    return tuple(as_text(item) for item in items if item)


def _read_schema(value: JSON) -> Object | None:
    return value if isinstance(value, dict) else None


def _read_tools(value: JSON) -> tuple[ToolOffer, ...]:
    functions = [as_object(as_object(item).get("function")) for item in as_list(value)]
    return tuple(
        ToolOffer(name=as_text(function.get("name")), parameters=as_object(function.get("parameters")))
        for function in functions
        if function.get("name")
    )


def _read_tool_choice(choice: JSON) -> str | None:
    if choice == "required":
        return ""
    return as_text(as_object(as_object(choice).get("function")).get("name")) or None
