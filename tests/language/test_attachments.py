"""`attach`: which part a file, an address or bytes become, and what is refused before it is read."""

from __future__ import annotations

import base64
import os
import socket
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import (
    AudioPart,
    BadRequest,
    ConfigError,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    PayloadTooLarge,
    TextPart,
)
from llmkit.language.attachments import MAX_BYTES, attach
from llmkit.types.messages import to_messages

PNG: Final = b"\x89PNG\r\n\x1a\n\x00\x00"
BOX: Final = b"\x00\x00\x00\x20ftyp"
OFFICE: Final = "application/vnd.openxmlformats-officedocument"


def url(media_type: str, data: bytes) -> str:
    """A data URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def text(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode()


#: Bytes, name, and the part that they become.
KINDS: Final = [
    (PNG, None, ImagePart(url("image/png", PNG))),
    (PNG, "photo.JPG", ImagePart(url("image/png", PNG))),  # the bytes know better
    (b"\xff\xd8\xff\xe0\x00", None, ImagePart(url("image/jpeg", b"\xff\xd8\xff\xe0\x00"))),
    (b"GIF89a\x01\x00", None, ImagePart(url("image/gif", b"GIF89a\x01\x00"))),
    (b"RIFF\x00\x00\x00\x00WEBP", None, ImagePart(url("image/webp", b"RIFF\x00\x00\x00\x00WEBP"))),
    (b"\xfe\x01", "x.heic", ImagePart(url("image/heic", b"\xfe\x01"))),
    (BOX + b"avif\x00", None, ImagePart(url("image/avif", BOX + b"avif\x00"))),
    (b"RIFF\x00\x00\x00\x00WAVE", None, AudioPart(text(b"RIFF\x00\x00\x00\x00WAVE"), "wav")),
    (b"ID3\x04\x00", None, AudioPart(text(b"ID3\x04\x00"), "mp3")),
    (b"\xff\xfb\x90\x00", None, AudioPart(text(b"\xff\xfb\x90\x00"), "mp3")),
    (b"\xff\xf1\x50\x80", None, AudioPart(text(b"\xff\xf1\x50\x80"), "aac")),
    (b"OggS\x00", None, AudioPart(text(b"OggS\x00"), "ogg")),
    (b"fLaC\x00", None, AudioPart(text(b"fLaC\x00"), "flac")),
    (b"FORM\x00\x00\x00\x00AIFF", None, AudioPart(text(b"FORM\x00\x00\x00\x00AIFF"), "aiff")),
    (BOX + b"M4A \x00", None, AudioPart(text(BOX + b"M4A \x00"), "m4a")),
    (BOX + b"isom\x00", None, OtherPart({"type": "video_url", "video_url": {"url": url("video/mp4", BOX + b"isom\x00")}})),
    (b"%PDF-1.7 ...", None, FilePart(url("application/pdf", b"%PDF-1.7 ..."), "attachment.pdf")),
    (b"%PDF-1.7\x00\xff", "a.pdf", FilePart(url("application/pdf", b"%PDF-1.7\x00\xff"), "a.pdf")),
    (b"PK\x03\x04\x00\xff", "a.docx",
     FilePart(url(f"{OFFICE}.wordprocessingml.document", b"PK\x03\x04\x00\xff"), "a.docx")),
    (b"PK\x03\x04\x00\xff", "a.unknown", FilePart(url("application/zip", b"PK\x03\x04\x00\xff"), "a.unknown")),
    (b"# Hi\n", "a.md", TextPart('<file name="a.md">\n# Hi\n</file>')),
    (b"\xef\xbb\xbfa;b", "a.csv", TextPart('<file name="a.csv">\na;b\n</file>')),
    (b'{"a": 1}', "a.json", TextPart('<file name="a.json">\n{"a": 1}\n</file>')),
    (b"x = 1", "a.py", TextPart('<file name="a.py">\nx = 1\n</file>')),
    (b"\x1b[31mred", "log", TextPart('<file name="log">\n\x1b[31mred\n</file>')),
    (b"<svg/>", "a.svg", TextPart('<file name="a.svg">\n<svg/>\n</file>')),
    (b"GIF89a is a format", "a.txt", TextPart('<file name="a.txt">\nGIF89a is a format\n</file>')),
    (b"plain", None, TextPart("<file>\nplain\n</file>")),
    (b"x", 'a"\n>.txt', TextPart("<file name=\"a' >.txt\">\nx\n</file>")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "name", "part"), KINDS, ids=[f"{type(p).__name__}-{n}-{d[:5]!r}" for d, n, p in KINDS]
)
def test_bytes_become_a_part(data: bytes, name: str | None, part: Any) -> None:
    """The type is that of the first bytes, else of the name's extension, else text; any form of bytes is taken."""
    assert attach(data, name=name) == part
    assert attach(bytearray(data), name=name) == part
    assert to_messages([Message("user", ("look", attach(data, name=name)))])[0].content == (TextPart("look"), part)  # type: ignore[arg-type]


@pytest.mark.parametrize(("data", "name", "part"), [row for row in KINDS if row[1] and "\n" not in row[1]])
def test_a_file_becomes_the_same_part(data: bytes, name: str, part: Any, tmp_path: Path) -> None:
    """A file, by path or text, under its own name; through a symbolic link too."""
    file, link = tmp_path / name, tmp_path / "link"
    file.write_bytes(data)
    link.symlink_to(file)
    assert attach(file) == attach(str(file)) == attach(link, name=name) == part


@given(st.binary(min_size=1, max_size=40), st.none() | st.sampled_from(["a.png", "a.txt", "a.mp3", "a.bin", "a"]))
def test_any_bytes_become_a_part_or_are_refused(data: bytes, name: str | None) -> None:
    """Nothing but a part or a `BadRequest` comes of bytes, and no byte is lost on the way."""
    try:
        part = attach(data, name=name)
    except BadRequest:
        return
    held = getattr(part, "url", None) or getattr(part, "data", None) or getattr(part, "file_data", None)
    if isinstance(part, TextPart):
        assert data.decode("utf-8-sig") in part.text
    elif held is not None:
        assert base64.b64decode(held.rpartition(",")[2]) == data


@pytest.mark.parametrize(
    ("media_type", "data", "part"),
    [
        ("image/x-new", b"\x00", ImagePart(url("image/x-new", b"\x00"))),
        ("IMAGE/PNG; a=b", b"text", ImagePart(url("image/png", b"text"))),
        ("audio/x-wav", b"\x00", AudioPart(text(b"\x00"), "wav")),
        ("audio/mpeg", b"\x00", AudioPart(text(b"\x00"), "mp3")),
        ("application/x-own", b"\x00", FilePart(url("application/x-own", b"\x00"), "attachment")),
        ("application/ld+json", b"{}", TextPart("<file>\n{}\n</file>")),
        ("text/plain", PNG[1:], TextPart("<file>\nPNG\r\n\x1a\n\x00\x00\n</file>")),
    ],
)
def test_a_given_type_outranks_all(media_type: str, data: bytes, part: Any) -> None:
    """`media_type` decides, whatever the bytes look like."""
    assert attach(data, media_type=media_type) == part


@pytest.mark.parametrize(
    ("address", "given", "part"),
    [
        ("https://example.org/a/b.PNG?x=1#y", {}, ImagePart("https://example.org/a/b.PNG?x=1#y")),
        ("HTTPS://example.org/x", {"media_type": "image/png"}, ImagePart("HTTPS://example.org/x")),
        ("https://example.org/my%20file.pdf", {}, FilePart("https://example.org/my%20file.pdf", "my file.pdf")),
        ("http://example.org/x.pdf", {"name": "y.pdf"}, FilePart("http://example.org/x.pdf", "y.pdf")),
        ("https://example.org/notes.txt", {}, FilePart("https://example.org/notes.txt", "notes.txt")),
        ("https://example.org", {}, FilePart("https://example.org", None)),
        ("https://example.org/v.mp4", {}, OtherPart({"type": "video_url", "video_url": {"url": "https://example.org/v.mp4"}})),
    ],
)  # fmt: skip
def test_an_address_is_handed_on(address: str, given: dict[str, str], part: Any) -> None:
    """An address is not fetched; its extension or the given type says what it is."""
    assert attach(address, **given) == part  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "part"),
    [
        (url("image/png", PNG), ImagePart(url("image/png", PNG))),
        ("DATA:audio/wav;base64,AAAA", AudioPart("AAAA", "wav")),
        ("data:text/plain;charset=utf-8,a%20b", TextPart("<file>\na b\n</file>")),
        ("data:,x", TextPart("<file>\nx\n</file>")),
        ("data:application/pdf;base64,AAAA", FilePart("data:application/pdf;base64,AAAA", "attachment.pdf")),
    ],
)
def test_a_data_url_is_read(address: str, part: Any) -> None:
    """A data URL is as its bytes with its type."""
    assert attach(address) == part


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (b"", "the attachment is empty"),
        (b"\x00\x01\xfe\xff", "type of the attachment is not known, and it is not UTF-8 text"),
        ("data:image/png", "no comma"),
        ("data:image/png;base64,A!", "not base64"),
        ("data:image/png;base64,", "is empty"),
        ("https://", "no host"),
        ("http:///x.png", "no host"),
        ("https://[::1/x.png", "no host"),
        ("ftp://example.org/x.png", "begins with ftp://"),
        ("s3://bucket/x.png", "begins with s3://"),
        ("What is\nin the picture?", "not a path"),
        ("nul\0.png", "not a path"),
        ("gone.png", "there is no file 'gone.png'.*Looked for /"),
        ("x" * 5000, "cannot be read"),
        (5, "an attachment is int"),
        (None, "an attachment is NoneType"),
    ],
)
def test_what_cannot_be_attached(source: Any, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reason has its own words."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadRequest, match=f"(?s){what}"):
        attach(source)


def test_files_that_cannot_be_attached(tmp_path: Path) -> None:
    """Folders, pipes, sockets, devices, dangling links, empty, unreadable and misnamed files; none is waited for."""
    folder, pipe, loop, empty, fake = (tmp_path / name for name in ("folder", "pipe", "loop", "empty.txt", "fake.png"))
    folder.mkdir()
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    empty.touch()
    fake.write_text("version https://git-lfs.github.com/spec/v1\n")
    cases = [
        (folder, "is a folder"),
        (pipe, "is not a regular file"),
        (Path("/dev/zero"), "is not a regular file"),
        (loop, "cannot be read"),
        (empty, "'empty.txt' is empty"),
        (fake, "named as image/png, but holds text"),
        (fake / "below", "cannot be read"),
    ]
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{short}/s")  # a socket's path must be short
        cases.append((Path(short) / "s", "is not a regular file"))
        for path, what in cases:
            with pytest.raises(BadRequest, match=what):
                attach(path)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """Permissions are said as such."""
    file = tmp_path / "a.png"
    file.write_bytes(PNG)
    file.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may read every file
        with pytest.raises(BadRequest, match="may not be read"):
            attach(file)
    finally:
        os.seteuid(user)


def test_100_mb_are_refused_unread(tmp_path: Path) -> None:
    """A file above the limit is refused by its size: name, size, limit, and what to do."""
    file = tmp_path / "big.png"
    with file.open("wb") as big:
        big.truncate(100 * 1024 * 1024)
    before = file.stat().st_atime_ns
    with pytest.raises(PayloadTooLarge) as caught:
        attach(file)
    assert file.stat().st_atime_ns == before
    assert str(caught.value).startswith(
        "'big.png' has 104,857,600 bytes (100.0 MiB); the limit is 20,971,520 (20.0 MiB). Attach a smaller one"
    )


@pytest.mark.parametrize("form", ["path", "bytes", "data", "escaped data", "plain data"])
def test_the_limit_is_exact(form: str, tmp_path: Path) -> None:
    """A file of just the limit is taken, one byte more is not."""
    for size, fits in ((10, True), (11, False)):
        data = b"a" * size
        file = tmp_path / "a.txt"
        file.write_bytes(data)
        sources = {
            "path": file,
            "bytes": data,
            "data": url("text/plain", data),
            "escaped data": "data:text/plain;base64," + "".join(f"%{ord(c):02X}" for c in base64.b64encode(data).decode()),
            "plain data": f"data:,{data.decode()}",
        }
        if fits:
            assert isinstance(attach(sources[form], max_bytes=10), TextPart)
        else:
            with pytest.raises(PayloadTooLarge, match=r"has \d+ bytes"):
                attach(sources[form], max_bytes=10)
    assert MAX_BYTES == 20 * 1024 * 1024


@pytest.mark.parametrize(
    "wrong", [{"max_bytes": 0}, {"max_bytes": 1.5}, {"media_type": "png"}, {"media_type": "/png"}, {"media_type": ""}]
)
def test_wrong_settings(wrong: Any) -> None:
    """A limit or type that is none is refused by its name."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        attach(PNG, **wrong)


def test_text_of_a_given_type_must_be_text() -> None:
    """Bytes that are said to be text and are not UTF-8 are refused."""
    with pytest.raises(BadRequest, match="text/csv, but not UTF-8 text"):
        attach(b"caf\xe9", media_type="text/csv")
