"""What a message can hold beside plain text: text, image, audio and file parts. OpenAI's part shapes are the form."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from llmkit.errors import BadRequest


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text. `extra` holds siblings such as `cache_control`, verbatim."""

    text: str
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """OpenAI's shape."""
        return {"type": "text", "text": self.text, **self.extra}


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image by `url`: an http(s) address or a data URL. `detail` is auto, low or high (`None`: not sent)."""

    url: str
    detail: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str = "image/png") -> ImagePart:
        """An image from its bytes."""
        return cls(f"data:{media_type};base64,{base64.b64encode(data).decode()}")

    def to_dict(self) -> dict[str, object]:
        """OpenAI's shape."""
        image = {"url": self.url} if self.detail is None else {"url": self.url, "detail": self.detail}
        return {"type": "image_url", "image_url": image, **self.extra}


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Audio as base64 text (`data`) with its `format`, such as wav or mp3."""

    data: str
    format: str
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, data: bytes, format: str) -> AudioPart:  # noqa: A002 - the wire's own word
        """Audio from its bytes."""
        return cls(base64.b64encode(data).decode(), format)

    def to_dict(self) -> dict[str, object]:
        """OpenAI's shape."""
        return {"type": "input_audio", "input_audio": {"data": self.data, "format": self.format}, **self.extra}


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file: `file_data` (a data URL, or an address where the service takes one) with `filename`, or a `file_id`."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, data: bytes, filename: str, media_type: str = "application/pdf") -> FilePart:
        """A file from its bytes."""
        return cls(f"data:{media_type};base64,{base64.b64encode(data).decode()}", filename)

    def to_dict(self) -> dict[str, object]:
        """OpenAI's shape."""
        named = {"filename": self.filename, "file_data": self.file_data, "file_id": self.file_id}
        return {"type": "file", "file": {key: item for key, item in named.items() if item is not None}, **self.extra}


@dataclass(frozen=True, slots=True)
class OtherPart:
    """A part of a type that llmkit has no name for (such as `video_url`), kept verbatim in `body`."""

    body: Mapping[str, object]

    @property
    def type(self) -> str:
        """The part's type as the service names it."""
        return str(self.body.get("type"))

    def to_dict(self) -> dict[str, object]:
        """The part as it was given."""
        return dict(self.body)


Part: TypeAlias = TextPart | ImagePart | AudioPart | FilePart | OtherPart


def data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 text of a data URL; `None` for any other address.

    Raises:
        BadRequest: a data URL that is not base64.
    """
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        raise BadRequest("a data URL is not base64", hint="Shape: data:image/png;base64,AAAA")
    return head.removesuffix(";base64"), data


def part_from_dict(index: int, part: Mapping[str, object]) -> Part:
    """Read OpenAI's shape. `index` is the place in the message, for the error text.

    Raises:
        BadRequest: no type, or a part without what its type needs.
    """
    kind = part.get("type")
    if not isinstance(kind, str):
        raise BadRequest(f"content[{index}] has no type", hint='Shape: {"type": "text", "text": ...}')
    body = part.get(kind)
    extra = {key: item for key, item in part.items() if key not in ("type", kind)}
    if kind == "text" and isinstance(body, str):
        return TextPart(body, extra)
    if kind == "image_url" and isinstance(body, str):
        return ImagePart(body, None, extra)
    if kind in _NEEDS:
        if not isinstance(body, Mapping) or not any(isinstance(body.get(key), str) for key in _NEEDS[kind]):
            raise BadRequest(f"content[{index}] of type {kind} has no {kind}.{_NEEDS[kind][0]}")
        return _structured(kind, body, extra)
    if kind == "text":
        raise BadRequest(f"content[{index}] of type text has no text")
    return OtherPart(part)


_NEEDS = {"image_url": ("url",), "input_audio": ("data",), "file": ("file_data", "file_id")}


def _structured(kind: str, body: Mapping[str, object], extra: Mapping[str, object]) -> Part:
    def text(key: str) -> str | None:
        item = body.get(key)
        return None if item is None else str(item)

    if kind == "image_url":
        return ImagePart(str(body["url"]), text("detail"), extra)
    if kind == "input_audio":
        return AudioPart(str(body["data"]), text("format") or "wav", extra)
    return FilePart(text("file_data"), text("filename"), text("file_id"), extra)
