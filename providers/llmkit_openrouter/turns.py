"""A check of the turns of a conversation, so that what OpenRouter's OpenAPI document forbids is never sent."""

from __future__ import annotations

from collections.abc import Mapping

from llmkit.errors import BadRequest, Unsupported
from llmkit.types import ImagePart, Message, OtherPart, TextPart

_DETAILS = (None, "auto", "low", "high", "original")


def check_turn(turn: Message) -> None:
    """Check one turn of a conversation.

    Raises:
        BadRequest: something is missing in the turn, or a word in it is unknown to OpenRouter.
        Unsupported: the turn has a part or a tool call that cannot be sent.
    """
    if turn.content is None and turn.role != "assistant":
        raise BadRequest(f"a {turn.role} turn has no content", hint="Pass text or parts")
    if turn.role == "tool" and not turn.tool_call_id:
        raise BadRequest("a tool turn has no tool_call_id", hint="It names the call that it answers")
    for part in () if isinstance(turn.content, str) else turn.content or ():
        if turn.role in ("system", "developer") and not isinstance(part, TextPart):
            raise Unsupported(f"a {turn.role} turn takes text only")
        if isinstance(part, ImagePart) and part.detail not in _DETAILS:
            raise BadRequest(f"detail is {part.detail!r}", hint="One of auto, low, high, original")
        if isinstance(part, OtherPart):
            _check_other_part(part)
    for call in turn.tool_calls:
        if call.type != "function":
            raise Unsupported(f"a tool call of type {call.type} cannot be sent to OpenRouter")
    for image in turn.images:
        url = image.get("image_url")
        if not isinstance(url, Mapping) or not isinstance(url.get("url"), str):
            raise BadRequest("an image of an assistant turn has no image_url.url")
    for detail in turn.reasoning_details:
        if not isinstance(detail.get("type"), str):
            raise BadRequest("a block of reasoning_details has no type", hint="Send the blocks back as they came")


def _check_other_part(part: OtherPart) -> None:
    video = part.body.get("video_url")
    if part.type != "video_url":
        raise Unsupported(f"a part of type {part.type} cannot be sent to OpenRouter")
    if not isinstance(video, Mapping) or not isinstance(video.get("url"), str):
        raise BadRequest("a part of type video_url has no video_url.url")
