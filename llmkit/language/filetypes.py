"""Media types of files: by their first bytes, by the extension of a name, by being readable text. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument"
#: Media types by extension. A file with another extension is text where it reads as text.
_EXTENSIONS: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "heic": "image/heic",
    "avif": "image/avif",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
    "m4a": "audio/mp4",
    "aif": "audio/aiff",
    "aiff": "audio/aiff",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "pdf": PDF,
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "epub": "application/epub+zip",
    "zip": "application/zip",
    # Extensions of text, so that the type of an address is known without fetching it.
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "svg": "text/xml",
    "ts": "text/plain",
}
#: First bytes; the longer prefix stands first where two begin alike.
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", PDF),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
)
#: The first word of a RIFF or AIFF file's content.
_CHUNKED = {
    b"RIFF": {b"WAVE": "audio/wav", b"WEBP": "image/webp"},
    b"FORM": dict.fromkeys((b"AIFF", b"AIFC"), "audio/aiff"),
}
#: Brands of an ISO media file that is not an MP4 video.
_BRANDS = {
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
}
#: The wire's words for audio, where they are not the subtype.
AUDIO_FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/mp4": "m4a", "audio/vnd.wave": "wav"}

#: Subtypes of `application/` that are text.
_TEXT_SUBTYPES = frozenset({
    "json", "xml", "yaml", "toml", "csv", "javascript", "typescript", "sql", "x-sh", "x-python", "x-ndjson",
})  # fmt: skip
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # ESC stays: logs have colours


def detect_by_magic(data: bytes) -> str | None:
    """The media type that the first bytes tell; `None` where they tell none."""
    for prefix, media_type in _MAGIC:
        if data.startswith(prefix):
            return media_type
    if types := _CHUNKED.get(data[:4]):
        return types.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video/mp4")
    if len(data) > 1 and data[0] == 0xFF:  # the frame mark of MPEG audio, with its layer
        if data[1] & 0xF6 == 0xF0:
            return "audio/aac"
        if data[1] & 0xE6 == 0xE2:
            return "audio/mpeg"
    return None


def detect_by_extension(name: str | None) -> str | None:
    """The media type of a name's extension; `None` where there is no extension, or none that is known here."""
    _, dot, extension = (name or "").rpartition(".")
    return _EXTENSIONS.get(extension.lower()) if dot else None


def is_text_type(media_type: str) -> bool:
    """Is this media type one of text, which the model reads as it is?"""
    group, _, subtype = media_type.partition("/")
    return group == "text" or (
        group == "application" and (subtype in _TEXT_SUBTYPES or subtype.endswith(("+json", "+xml")))
    )


def decode_text(data: bytes) -> str | None:
    """The text that the bytes are in UTF-8, without a byte-order mark; `None` where they are not."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def is_readable_text(data: bytes) -> bool:
    """Are the bytes UTF-8 text, without control characters that text does not have?"""
    text = decode_text(data)
    return text is not None and _CONTROL.search(text) is None
