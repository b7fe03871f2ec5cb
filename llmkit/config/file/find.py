"""Finding and reading `llmkit.toml`.

The first of these is used, alone: the file that `LLMKIT_CONFIG` names; `llmkit.toml` in the working directory or the
nearest folder above it; the user's own file.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmkit.config.file.problem import ConfigFileError
from llmkit.config.folders import config_folder
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from llmkit.config.file.schema import ConfigFile

NAME = "llmkit.toml"
LONGEST = 1024 * 1024
#: The parser takes time with the square of a dotted key's length; what a line's dots may cost in all.
_MOST_DOTS = 4_000_000
_FEW_DOTS = 16
_LINE = re.compile(r"(.*?) ?\(at line (\d+), column (\d+)\)\Z", re.DOTALL)
_cache: dict[Path, tuple[tuple[object, ...], ConfigFile]] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """A configuration file that is there: named by the variable, in the project, or the user's own."""

    path: Path
    kind: Literal["named", "project", "user"]
    state: os.stat_result


def current(environ: Mapping[str, str] = os.environ) -> ConfigFile | None:
    """The configuration file that applies here, checked; `None` where there is none.

    Raises:
        ConfigFileError: it is wrong, cannot be read, or is somebody else's.
    """
    found = find(environ)
    if found is None:
        return None
    state = found.state
    key = (found.kind, state.st_mtime_ns, state.st_size, state.st_ino, state.st_dev, state.st_uid)
    known = _cache.get(found.path)
    if known is not None and known[0] == key:
        return known[1]
    from llmkit.config.file.schema import check_document  # only here: most programs have no file

    file = check_document(_read(found), str(found.path), project=found.kind == "project")
    if len(_cache) >= 16:
        _cache.clear()
    _cache[found.path] = (key, file)
    return file


def find(environ: Mapping[str, str] = os.environ) -> Found | None:
    """The configuration file that applies here, unread; `None` where there is none.

    Raises:
        ConfigFileError: `LLMKIT_CONFIG` names a file that is not there.
    """
    if named := environ.get("LLMKIT_CONFIG", "").strip():
        if named == os.devnull:
            return None
        try:
            path = Path(named).expanduser().absolute()
            return Found(path, "named", path.stat())
        except OSError as error:
            raise _unreadable(named, error, "LLMKIT_CONFIG names it") from None
        except (ValueError, RuntimeError):  # a zero byte; a home that is not known
            raise ConfigFileError("it is no path", path="LLMKIT_CONFIG") from None
    own = user_file()
    for path in _above():
        if path != own and (state := _stat(path)):
            return Found(path, "project", state)
    state = _stat(own)
    return Found(own, "user", state) if state else None


def user_file() -> Path:
    """Where the user's own file is or would be."""
    return config_folder() / NAME


def _above() -> Iterator[Path]:
    try:
        folder = Path.cwd()
    except OSError:  # It has been removed.
        return
    yield folder / NAME
    for parent in folder.parents:
        yield parent / NAME


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):
        return None


def _read(found: Found) -> dict[str, object]:
    path, state = str(found.path), found.state
    if stat.S_ISDIR(state.st_mode):
        raise ConfigFileError("it is a folder", path=path, hint="It is a TOML file")
    if not stat.S_ISREG(state.st_mode):
        raise ConfigFileError("it is no regular file", path=path)
    if found.kind == "project" and hasattr(os, "geteuid"):
        check_owner(path, state.st_uid, os.geteuid())
    try:
        with found.path.open("rb") as opened:
            data = opened.read(LONGEST + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(data) > LONGEST:
        raise ConfigFileError("it is larger than 1 MiB", path=path, hint="Aliases and profiles need a few kB")
    return parse(data, path)


def check_owner(path: str, owner: int, user: int) -> None:
    """A file that was found, not named, is the user's own or the administrator's.

    Raises:
        ConfigFileError: it belongs to somebody else, who could choose for this program whom it calls.
    """
    if owner not in (user, 0):
        raise ConfigFileError(
            f"it belongs to another user (uid {owner})",
            path=path,
            hint="If you trust it, name it in LLMKIT_CONFIG; LLMKIT_CONFIG=/dev/null uses no file",
        )


def parse(data: bytes, path: str) -> dict[str, object]:
    """The document in a file's bytes.

    Raises:
        ConfigFileError: they are no TOML, with the line.
    """
    import tomllib

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigFileError("it is not UTF-8 text", path=path, line=line, hint="Save it as UTF-8") from None
    dots = (line.count(".") for line in text.split("\n"))
    if sum(count * count for count in dots if count > _FEW_DOTS) > _MOST_DOTS:
        raise ConfigFileError("it has keys of too many parts", path=path, hint="At most 8 levels")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigFileError("it is nested too deeply", path=path, hint="At most 8 levels") from None
    except ValueError as error:
        said = scrub(str(error))
        match = _LINE.match(said)
        row = int(match[2]) if match else None
        hint = _quotes(text, row) if row else None
        raise ConfigFileError(f"it is no TOML: {match[1] if match else said}", path=path, line=row, hint=hint) from None


def _quotes(text: str, line: int) -> str | None:
    """The usual mistake: a text without quotes."""
    row = text.split("\n")[line - 1] if line <= text.count("\n") + 1 else ""
    return "Put texts into quotes" if re.match(r"\s*[\w.-]+\s*=\s*[A-Za-z$/~]", row) else None


def _unreadable(path: str, error: OSError, note: str = "") -> ConfigFileError:
    if isinstance(error, FileNotFoundError):
        return ConfigFileError("there is no such file", path=path, hint=note or None)
    if isinstance(error, IsADirectoryError):
        return ConfigFileError("it is a folder", path=path, hint="It is a TOML file")
    return ConfigFileError(f"it cannot be read: {error.strerror}", path=path, hint="Check its permissions")


def default_profile() -> str | None:
    """Name of the configuration file's `default_profile`; `None` where there is no file or it names none.

    Raises:
        ConfigFileError: the file is wrong or cannot be read.
    """
    file = current()
    return file.default_profile if file else None


def profile_names() -> list[str]:
    """Names of the configuration file's profiles, as they stand there.

    Raises:
        ConfigFileError: the file is wrong or cannot be read.
    """
    file = current()
    return list(file.profiles) if file else []
