"""`attach`: a file, an address or bytes as a part of a message.

    from llmkit import Message, attach

    photo = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
    question = Message("user", ("What is in this picture?", attach(photo)))

What a model cannot read at all is refused here; which kinds a service takes is for the service to say.
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
from llmkit.language.filetypes import AUDIO_FORMATS, PDF, extension_type, is_text_type, magic_type, read_text, readable
from llmkit.types.parts import AudioPart, FilePart, ImagePart, OtherPart, Part, TextPart

MAX_BYTES = 20 * 1024 * 1024


def attach(
    source: str | os.PathLike[str] | bytes,
    *,
    media_type: str | None = None,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Part:
    """Make a part of a file, an address or bytes.

    Args:
        source: a path; an "https://" or "http://" address, which is handed on and never fetched; a "data:" URL; bytes.
        media_type: such as "image/png". Default: by the first bytes, else by the extension of the name; of an address
            by its extension alone.
        name: the file's name, as the model sees it. Default: that of the path or address.
        max_bytes: a larger file is refused before it is read.

    Returns:
        An `ImagePart`, an `AudioPart`, a `TextPart` (text of any kind that is UTF-8, between lines that name the file),
        an `OtherPart` of type `video_url` for a video, or a `FilePart` (PDF and everything else; every address that is
        no image or video).

    Raises:
        PayloadTooLarge: it has more than `max_bytes`.
        BadRequest: there is no such file, it is a folder or no regular file, empty or unreadable, or its type is not
            known.
        ConfigError: `max_bytes` or `media_type` is wrong.
    """
    if type(max_bytes) is not int or max_bytes < 1:
        raise ConfigError(f"max_bytes is {max_bytes!r}", hint="Pass a number of bytes, 1 or more")
    given = _checked_type(media_type)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _part(bytes(source), given, name, max_bytes)
    if isinstance(source, str):
        scheme, colon, rest = source.partition(":")
        scheme = scheme.lower()
        if colon and scheme == "data":
            return _of_data_url(rest, given, name, max_bytes)
        if colon and scheme in ("http", "https"):
            return _of_address(source, given, name)
        if "://" in source:
            raise BadRequest(
                f"an address that begins with {scheme}:// cannot be attached",
                hint="Pass a path, an https:// address or bytes",
            )
        if "\n" in source or "\0" in source:
            raise BadRequest("this text is no path", hint="Pass a path, an address or bytes; text is a part as it is")
    elif not isinstance(cast("object", source), os.PathLike):
        raise BadRequest(f"an attachment is {type(source).__name__}", hint="Pass a path, an address or bytes")
    path = Path(source)
    return _part(_read(path, max_bytes), given, name or path.name, max_bytes)


def _checked_type(media_type: str | None) -> str | None:
    if media_type is None:
        return None
    kind, _, rest = str(media_type).partition(";")[0].strip().lower().partition("/")
    if not kind or not rest:
        raise ConfigError(f"media_type is {media_type!r}", hint='Shape: "image/png"')
    return f"{kind}/{rest}"


def _read(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file. What is none is not even opened: a pipe would wait, a device would act."""
    try:
        _check_file(path, path.stat(), max_bytes)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - opened so that no pipe put in its place waits
            _check_file(path, os.fstat(file.fileno()), max_bytes)
            return file.read(max_bytes + 1)
    except FileNotFoundError:
        raise BadRequest(f"there is no file {str(path)!r}", hint=f"Looked for {_absolute(path)}") from None
    except PermissionError:
        raise BadRequest(f"{str(path)!r} may not be read", hint="Check its permissions") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadRequest(f"{str(path)!r} cannot be read: {reason}") from None


def _check_file(path: Path, found: os.stat_result, max_bytes: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise BadRequest(f"{str(path)!r} is a folder", hint="Attach its files one by one")
    if not stat.S_ISREG(found.st_mode):
        raise BadRequest(f"{str(path)!r} is no regular file", hint="Only regular files are attached")
    _check_size(path.name, found.st_size, max_bytes)


def _check_size(name: str | None, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise PayloadTooLarge(
            f"{_called(name)} has {size:,} bytes ({_mib(size)}); the limit is {max_bytes:,} ({_mib(max_bytes)})",
            hint="Attach a smaller one, pass its address where the service takes one, or raise max_bytes=",
        )


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def _called(name: str | None) -> str:
    return f"{name!r}" if name else "the attachment"


def _absolute(path: Path) -> str:
    try:
        return str(path.absolute())
    except OSError:  # the working directory is gone
        return str(path)


def _part(data: bytes, given: str | None, name: str | None, max_bytes: int) -> Part:
    _check_size(name, len(data), max_bytes)
    if not data:
        raise BadRequest(f"{_called(name)} is empty", hint="Attach a file that holds something")
    kind = given or _type_of(data, name)
    if is_text_type(kind):
        return _text_part(data, name, kind)
    encoded = base64.b64encode(data).decode()
    group, _, form = kind.partition("/")
    if group == "audio":
        return AudioPart(encoded, AUDIO_FORMATS.get(kind, form.removeprefix("x-")))
    url = f"data:{kind};base64,{encoded}"
    return _by_url(kind, url, name or _default_name(form))


def _by_url(kind: str | None, url: str, name: str | None) -> Part:
    group = (kind or "").partition("/")[0]
    if group == "image":
        return ImagePart(url)
    if group == "video":
        return OtherPart({"type": "video_url", "video_url": {"url": url}})
    return FilePart(url, name)


def _default_name(form: str) -> str:
    return f"attachment.{form}" if form.isalnum() else "attachment"


def _type_of(data: bytes, name: str | None) -> str:
    """The media type of bytes: what they say themselves, then what the name says.

    Raises:
        BadRequest: neither is known, or the name promises a medium and the bytes are text.
    """
    magic, named = magic_type(data), extension_type(name)
    if magic == PDF:
        return magic
    if readable(data):
        if named is not None and not is_text_type(named):
            raise BadRequest(
                f"{_called(name)} is named as {named}, but holds text",
                hint="A download that failed, or a Git LFS pointer? media_type= says what it is",
            )
        return named or "text/plain"
    if magic is not None and not (magic == "application/zip" and named is not None):
        return magic
    if named is None or is_text_type(named):
        raise BadRequest(
            f"the type of {_called(name)} is not known, and it is no UTF-8 text",
            hint='Say what it is: media_type="application/..."; or save text as UTF-8',
        )
    return named


def _text_part(data: bytes, name: str | None, kind: str) -> TextPart:
    text = read_text(data)
    if text is None:
        raise BadRequest(f"{_called(name)} is {kind}, but no UTF-8 text", hint="Save it as UTF-8")
    label = "".join(letter if letter.isprintable() else " " for letter in name or "").replace('"', "'")
    opening = f'<file name="{label}">' if label else "<file>"
    return TextPart(f"{opening}\n{text}{'' if text.endswith(chr(10)) else chr(10)}</file>")


def _of_address(url: str, given: str | None, name: str | None) -> Part:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None or not parts.hostname:
        raise BadRequest("the address of an attachment has no host", hint="Shape: https://example.org/photo.png")
    last = unquote(parts.path.rpartition("/")[2]) or None
    return _by_url(given or extension_type(last), url, name or last)


def _of_data_url(rest: str, given: str | None, name: str | None, max_bytes: int) -> Part:
    head, comma, text = rest.partition(",")
    if not comma:
        raise BadRequest("a data URL has no comma", hint="Shape: data:image/png;base64,AAAA")
    kind, *marks = [part.strip().lower() for part in head.split(";")]
    if "base64" in marks:
        _check_size(name, len(text) * 3 // 4 - 2, max_bytes)
        try:
            data = base64.b64decode(unquote(text), validate=True)
        except (binascii.Error, ValueError):
            raise BadRequest("the data of a data URL is not base64", hint="Shape: data:image/png;base64,AAAA") from None
    else:
        data = unquote_to_bytes(text)
    return _part(data, given or _checked_type(kind or "text/plain"), name, max_bytes)
