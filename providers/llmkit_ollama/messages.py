"""Messages as Ollama takes them: text is a plain string, media are raw base64, tool arguments are objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmkit.errors import BadRequest, Unsupported
from llmkit.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart, data_url


def with_tool_names(messages: Sequence[Message]) -> Sequence[Message]:
    """The conversation with the tool's name in each tool turn, which most model templates need.

    Others name only the id of the call; the assistant turn before it has id and name.
    """
    names: dict[str | None, str] = {}
    made: list[Message] = []
    for turn in messages:
        names.update({call.id: call.name for call in turn.tool_calls})
        known = names.get(turn.tool_call_id) if turn.role == "tool" and not turn.name else None
        made.append(replace(turn, name=known) if known else turn)
    return made


def message_to_dict(message: Message) -> dict[str, object]:
    """One turn in Ollama's shape. A developer turn becomes a system turn, since few model templates know the former.

    Raises:
        Unsupported: a part that Ollama cannot carry.
        BadRequest: tool arguments that are no JSON object.
    """
    out: dict[str, object] = {
        "role": "system" if message.role == "developer" else message.role,
        "content": message.text,
    }
    if not isinstance(message.content, str):
        media = _all_media(message.content or ())
        if media:
            out["images"] = media
    if message.role == "assistant" and message.reasoning:
        out["thinking"] = message.reasoning
    if message.tool_calls:
        out["tool_calls"] = [_tool_call(message, index) for index in range(len(message.tool_calls))]
    if message.role == "tool":
        if message.name:
            out["tool_name"] = message.name
        if message.tool_call_id:
            out["tool_call_id"] = message.tool_call_id
    return out


def _tool_call(message: Message, index: int) -> dict[str, object]:
    # Arguments that do not fit the tool's schema go back as they came: the model is told, and may ask anew.
    call = replace(message.tool_calls[index], mismatch=None)
    arguments = call.arguments
    if arguments is None:
        raise BadRequest(f"tool call {call.name!r} cannot go back to Ollama: {call.problem}")
    made: dict[str, object] = {"function": {"index": index, "name": call.name, "arguments": arguments}}
    return made if call.id is None else {"id": call.id, **made}


def _all_media(parts: Sequence[Part]) -> list[str]:
    media: list[str] = []
    for index, part in enumerate(parts):
        try:
            data = _media(part)
        except (BadRequest, Unsupported) as error:
            error.message = f"content[{index}]: {error.message}"
            error.args = (error.message,)
            raise
        if data is not None:
            media.append(data)
    return media


def _media(part: Part) -> str | None:
    """The base64 text of a medium; `None` for text."""
    if isinstance(part, TextPart):
        return None
    if isinstance(part, AudioPart):
        return part.data
    if isinstance(part, ImagePart):
        data = data_url(part.url)
        if data is None:
            raise Unsupported("Ollama takes an image as data, not as an address", hint="Use ImagePart.from_bytes(...)")
        return data[1]
    if isinstance(part, FilePart):
        data = data_url(part.file_data or "")
        if data is not None and data[0].startswith("image/"):
            return data[1]
        raise Unsupported("Ollama takes no files", hint="Send the file's text, or pages as images")
    raise Unsupported(f"a part of type {part.type} cannot be sent to Ollama", hint="It takes text, images and audio")
