"""The parts that a message may hold in place of plain text: text, image, audio and file. They have OpenAI's shapes.

`extra` of a part holds, verbatim, what llmkit has no name for: fields beside its body, such as `cache_control`, and
under the part's own type the further fields of its body.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from llmkit.errors import BadRequest


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text."""

    text: str
    extra: Mapping[str, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"TextPart({len(self.text)} chars)"

    def to_dict(self) -> dict[str, object]:
        """The part in OpenAI's shape."""
        return {"type": "text", "text": self.text, **self.extra}


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image by `url`: an http(s) address or a data URL. `detail` is auto, low or high (`None`: not sent)."""

    url: str
    detail: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str = "image/png") -> ImagePart:
        """An image part with the bytes in it."""
        return cls(f"data:{media_type};base64,{base64.b64encode(data).decode()}")

    def to_dict(self) -> dict[str, object]:
        """The part in OpenAI's shape."""
        return _part_to_dict("image_url", {"url": self.url, "detail": self.detail}, self.extra)

    def __repr__(self) -> str:
        return f"ImagePart({'data' if self.url[:5].lower() == 'data:' else 'address'}, {len(self.url)} chars)"


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Audio as base64 text (`data`) with its `format`, such as wav or mp3."""

    data: str
    format: str
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, data: bytes, format: str) -> AudioPart:  # noqa: A002 - the wire's own word
        """An audio part with the bytes in it."""
        return cls(base64.b64encode(data).decode(), format)

    def to_dict(self) -> dict[str, object]:
        """The part in OpenAI's shape."""
        return _part_to_dict("input_audio", {"data": self.data, "format": self.format}, self.extra)

    def __repr__(self) -> str:
        return f"AudioPart({self.format}, {len(self.data)} chars)"


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file: `file_data` (a data URL, or an address where the service takes one) with `filename`, or a `file_id`."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, data: bytes, filename: str, media_type: str = "application/pdf") -> FilePart:
        """A file part with the bytes in it."""
        return cls(f"data:{media_type};base64,{base64.b64encode(data).decode()}", filename)

    def to_dict(self) -> dict[str, object]:
        """The part in OpenAI's shape."""
        fields = {"filename": self.filename, "file_data": self.file_data, "file_id": self.file_id}
        return _part_to_dict("file", fields, self.extra)

    def __repr__(self) -> str:
        return f"FilePart({self.filename!r}, {len(self.file_data or '')} chars)"


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

    def __repr__(self) -> str:
        return f"OtherPart({self.type!r})"


Part: TypeAlias = TextPart | ImagePart | AudioPart | FilePart | OtherPart


def _part_to_dict(kind: str, fields: Mapping[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    inner = extra.get(kind)
    body = {key: item for key, item in fields.items() if item is not None}
    siblings = {key: item for key, item in extra.items() if key != kind}
    return {"type": kind, kind: {**body, **(inner if isinstance(inner, Mapping) else {})}, **siblings}


def data_url(url: str) -> tuple[str, str] | None:
    """The media type and the base64 text of a data URL; `None` for any other address.

    Raises:
        BadRequest: the data URL is not base64.
    """
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        raise BadRequest("a data URL is not base64", hint="Shape: data:image/png;base64,AAAA")
    return head.removesuffix(";base64"), data


def part_from_dict(index: int, part: Mapping[str, object]) -> Part:
    """The part that a dict in OpenAI's shape describes. `index` is its place in the message, for the error text.

    Raises:
        BadRequest: the part has no type, or not what its type needs.
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
    if kind in _REQUIRED_FIELDS:
        if not isinstance(body, Mapping) or not any(isinstance(body.get(key), str) for key in _REQUIRED_FIELDS[kind]):
            needs = _REQUIRED_FIELDS[kind][0]
            raise BadRequest(
                f"content[{index}] of type {kind} has no {kind}.{needs}",
                hint=f'Shape: {{"type": "{kind}", "{kind}": {{"{needs}": ...}}}}',
            )
        if rest := {key: item for key, item in body.items() if key not in _KNOWN_FIELDS[kind]}:
            extra = {**extra, kind: rest}
        return _build_part(kind, body, extra)
    if kind == "text":
        raise BadRequest(f"content[{index}] of type text has no text", hint='Shape: {"type": "text", "text": ...}')
    return OtherPart(part)


_REQUIRED_FIELDS = {"image_url": ("url",), "input_audio": ("data",), "file": ("file_data", "file_id")}
_KNOWN_FIELDS = {
    "image_url": ("url", "detail"),
    "input_audio": ("data", "format"),
    "file": ("file_data", "filename", "file_id"),
}


def _build_part(kind: str, body: Mapping[str, object], extra: Mapping[str, object]) -> Part:
    def text(key: str) -> str | None:
        item = body.get(key)
        return None if item is None else str(item)

    if kind == "image_url":
        return ImagePart(str(body["url"]), text("detail"), extra)
    if kind == "input_audio":
        return AudioPart(str(body["data"]), text("format") or "wav", extra)
    return FilePart(text("file_data"), text("filename"), text("file_id"), extra)
