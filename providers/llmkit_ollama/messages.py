"""Messages in Ollama's form: text is a plain string, media are raw base64, tool arguments are objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmkit.errors import BadRequest, Unsupported
from llmkit.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart, data_url


def fill_tool_names(messages: Sequence[Message]) -> Sequence[Message]:
    """The conversation with the name of the tool in each tool turn, which most model templates need.

    A turn may have only the id of the call. The assistant turn before it has both id and name.
    """
    names: dict[str | None, str] = {}
    filled: list[Message] = []
    for turn in messages:
        names.update({call.id: call.name for call in turn.tool_calls})
        name = names.get(turn.tool_call_id) if turn.role == "tool" and not turn.name else None
        filled.append(replace(turn, name=name) if name else turn)
    return filled


def message_to_dict(message: Message) -> dict[str, object]:
    """One turn in Ollama's shape. A developer turn becomes a system turn, because few model templates know the former.

    Raises:
        Unsupported: the turn has a part that Ollama cannot carry.
        BadRequest: the arguments of a tool call are not a JSON object.
    """
    sent: dict[str, object] = {
        "role": "system" if message.role == "developer" else message.role,
        "content": message.text,
    }
    if not isinstance(message.content, str):
        media = _collect_media(message.content or ())
        if media:
            sent["images"] = media
    if message.role == "assistant" and message.reasoning:
        sent["thinking"] = message.reasoning
    if message.tool_calls:
        sent["tool_calls"] = [_tool_call_to_dict(message, index) for index in range(len(message.tool_calls))]
    if message.role == "tool":
        if message.name:
            sent["tool_name"] = message.name
        if message.tool_call_id:
            sent["tool_call_id"] = message.tool_call_id
    return sent


def _tool_call_to_dict(message: Message, index: int) -> dict[str, object]:
    # Arguments that do not fit the tool's schema are sent back unchanged: the model is told, and may call again.
    call = replace(message.tool_calls[index], mismatch=None)
    arguments = call.arguments
    if arguments is None:
        raise BadRequest(f"tool call {call.name!r} cannot go back to Ollama: {call.problem}")
    sent: dict[str, object] = {"function": {"index": index, "name": call.name, "arguments": arguments}}
    return sent if call.id is None else {"id": call.id, **sent}


def _collect_media(parts: Sequence[Part]) -> list[str]:
    media: list[str] = []
    for index, part in enumerate(parts):
        try:
            data = _media_to_base64(part)
        except (BadRequest, Unsupported) as error:
            error.message = f"content[{index}]: {error.message}"
            error.args = (error.message,)
            raise
        if data is not None:
            media.append(data)
    return media


def _media_to_base64(part: Part) -> str | None:
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
