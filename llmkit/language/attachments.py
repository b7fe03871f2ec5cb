"""`attach` makes a part of a message out of a file, an address or bytes.

    from llmkit import Message, attach

    photo = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
    question = Message("user", ("What is in this picture?", attach(photo)))

What no model can read is refused here. Which kinds of file a service takes, the service says itself.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import cast
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from llmkit.errors import BadRequest, ConfigError, PayloadTooLarge
from llmkit.language.filetypes import (
    AUDIO_FORMATS,
    PDF,
    decode_text,
    detect_by_extension,
    detect_by_magic,
    is_readable_text,
    is_text_type,
)
from llmkit.types.parts import AudioPart, FilePart, ImagePart, OtherPart, Part, TextPart

#: Default limit of one attachment: 20 MiB.
MAX_BYTES = 20 * 1024 * 1024


def attach(
    source: str | os.PathLike[str] | bytes,
    *,
    media_type: str | None = None,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Part:
    """Make a part of a message out of a file, an address or bytes.

    Args:
        source: a path; an "https://" or "http://" address, which is handed on and never fetched; a "data:" URL; bytes.
        media_type: such as "image/png". Default: found by the first bytes, else by the extension of the name; for an
            address by its extension alone.
        name: the file's name, as the model sees it. Default: that of the path or address.
        max_bytes: most bytes of the file; a larger one is refused before it is read. Default: 20 MiB.

    Returns:
        An `ImagePart`, an `AudioPart`, a `TextPart` (text of any kind that is UTF-8, between lines that name the file),
        an `OtherPart` of type `video_url` for a video, or a `FilePart` (PDF and everything else; every address that is
        not that of an image or video).

    Raises:
        PayloadTooLarge: the file has more than `max_bytes`.
        BadRequest: the file does not exist, is a folder or not a regular file, is empty or unreadable, or its type is
            not known; or `source` is something else.
        ConfigError: `max_bytes` or `media_type` is wrong.
    """
    if type(max_bytes) is not int or max_bytes < 1:
        raise ConfigError(f"max_bytes is {max_bytes!r}", hint="Pass a number of bytes, 1 or more")
    declared_type = _normalize_type(media_type)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _make_part(bytes(source), declared_type, name, max_bytes)
    if isinstance(source, str):
        scheme, colon, rest = source.partition(":")
        scheme = scheme.lower()
        if colon and scheme == "data":
            return _data_url_to_part(rest, declared_type, name, max_bytes)
        if colon and scheme in ("http", "https"):
            return _address_to_part(source, declared_type, name)
        if "://" in source:
            raise BadRequest(
                f"an address that begins with {scheme}:// cannot be attached",
                hint="Pass a path, an https:// address or bytes",
            )
        if "\n" in source or "\0" in source:
            raise BadRequest(
                "this text is not a path", hint="Pass a path, an address or bytes; text is a part as it is"
            )
    elif not isinstance(cast("object", source), os.PathLike):
        raise BadRequest(f"an attachment is {type(source).__name__}", hint="Pass a path, an address or bytes")
    path = Path(source)
    return _make_part(_read_file(path, max_bytes), declared_type, name or path.name, max_bytes)


def _normalize_type(media_type: str | None) -> str | None:
    """A media type in small letters, without parameters such as a charset. Raises `ConfigError` if it is none."""
    if media_type is None:
        return None
    kind, _, rest = str(media_type).partition(";")[0].strip().lower().partition("/")
    if not kind or not rest:
        raise ConfigError(f"media_type is {media_type!r}", hint='Shape: "image/png"')
    return f"{kind}/{rest}"


def _read_file(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file. Anything else is not even opened: a pipe would wait, a device would act."""
    try:
        _check_file(path, path.stat(), max_bytes)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        # Between the look and the opening a pipe may have been put in its place: O_NONBLOCK keeps that from waiting.
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - of a descriptor
            _check_file(path, os.fstat(file.fileno()), max_bytes)
            return file.read(max_bytes + 1)
    except FileNotFoundError:
        raise BadRequest(f"there is no file {str(path)!r}", hint=f"Looked for {_absolute(path)}") from None
    except PermissionError:
        raise BadRequest(f"{str(path)!r} may not be read", hint="Check its permissions") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadRequest(f"{str(path)!r} cannot be read: {reason}") from None


def _check_file(path: Path, status: os.stat_result, max_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise BadRequest(f"{str(path)!r} is a folder", hint="Attach its files one by one")
    if not stat.S_ISREG(status.st_mode):
        raise BadRequest(f"{str(path)!r} is not a regular file", hint="Only regular files are attached")
    _check_size(path.name, status.st_size, max_bytes)


def _check_size(name: str | None, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise PayloadTooLarge(
            f"{_describe_name(name)} has {size:,} bytes ({_format_mib(size)}); "
            f"the limit is {max_bytes:,} ({_format_mib(max_bytes)})",
            hint="Attach a smaller one, pass its address where the service takes one, or raise max_bytes=",
        )


def _format_mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def _describe_name(name: str | None) -> str:
    return f"{name!r}" if name else "the attachment"


def _absolute(path: Path) -> str:
    try:
        return str(path.absolute())
    except OSError:
        return str(path)  # The working directory is gone.


def _make_part(data: bytes, declared_type: str | None, name: str | None, max_bytes: int) -> Part:
    _check_size(name, len(data), max_bytes)
    if not data:
        raise BadRequest(f"{_describe_name(name)} is empty", hint="Attach a file that holds something")
    media_type = declared_type or _detect_type(data, name)
    if is_text_type(media_type):
        return _make_text_part(data, name, media_type)
    encoded = base64.b64encode(data).decode()
    group, _, subtype = media_type.partition("/")
    if group == "audio":
        return AudioPart(encoded, AUDIO_FORMATS.get(media_type, subtype.removeprefix("x-")))
    url = f"data:{media_type};base64,{encoded}"
    return _url_to_part(media_type, url, name or _default_name(subtype))


def _url_to_part(media_type: str | None, url: str, name: str | None) -> Part:
    group = (media_type or "").partition("/")[0]
    if group == "image":
        return ImagePart(url)
    if group == "video":
        return OtherPart({"type": "video_url", "video_url": {"url": url}})
    return FilePart(url, name)


def _default_name(subtype: str) -> str:
    return f"attachment.{subtype}" if subtype.isalnum() else "attachment"


def _detect_type(data: bytes, name: str | None) -> str:
    """The media type of bytes: by their first bytes, then by the extension of the name.

    Text comes before all first bytes but those of a PDF, because a text may begin with "BM" or "ID3" too. A ZIP with a
    known extension is what the extension says: the Office formats are ZIPs.

    Raises:
        BadRequest: neither is known, or the name promises a medium and the bytes are text.
    """
    by_magic, by_extension = detect_by_magic(data), detect_by_extension(name)
    if by_magic == PDF:
        return by_magic
    if is_readable_text(data):
        if by_extension is not None and not is_text_type(by_extension):
            raise BadRequest(
                f"{_describe_name(name)} is named as {by_extension}, but holds text",
                hint="A download that failed, or a Git LFS pointer? media_type= says what it is",
            )
        return by_extension or "text/plain"
    if by_magic is not None and not (by_magic == "application/zip" and by_extension is not None):
        return by_magic
    if by_extension is None or is_text_type(by_extension):
        raise BadRequest(
            f"the type of {_describe_name(name)} is not known, and it is not UTF-8 text",
            hint='Say what it is: media_type="application/..."; or save text as UTF-8',
        )
    return by_extension


def _make_text_part(data: bytes, name: str | None, media_type: str) -> TextPart:
    text = decode_text(data)
    if text is None:
        raise BadRequest(f"{_describe_name(name)} is {media_type}, but not UTF-8 text", hint="Save it as UTF-8")
    label = "".join(letter if letter.isprintable() else " " for letter in name or "").replace('"', "'")
    opening = f'<file name="{label}">' if label else "<file>"
    return TextPart(f"{opening}\n{text}{'' if text.endswith(chr(10)) else chr(10)}</file>")


def _address_to_part(url: str, declared_type: str | None, name: str | None) -> Part:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None or not parts.hostname:
        raise BadRequest("the address of an attachment has no host", hint="Shape: https://example.org/photo.png")
    file_name = unquote(parts.path.rpartition("/")[2]) or None
    return _url_to_part(declared_type or detect_by_extension(file_name), url, name or file_name)


def _data_url_to_part(rest: str, declared_type: str | None, name: str | None, max_bytes: int) -> Part:
    """The part of a data URL; `rest` is what follows "data:"."""
    head, comma, text = rest.partition(",")
    if not comma:
        raise BadRequest("a data URL has no comma", hint="Shape: data:image/png;base64,AAAA")
    media_type, *parameters = [part.strip().lower() for part in head.split(";")]
    if "base64" in parameters:
        encoded = unquote(text)
        _check_size(name, len(encoded) * 3 // 4 - 2, max_bytes)  # It has at least so many bytes.
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise BadRequest("the data of a data URL is not base64", hint="Shape: data:image/png;base64,AAAA") from None
    else:
        data = unquote_to_bytes(text)
    return _make_part(data, declared_type or _normalize_type(media_type or "text/plain"), name, max_bytes)
