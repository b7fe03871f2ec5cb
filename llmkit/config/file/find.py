"""Finding, trusting and reading `llmkit.toml`.

**Found.** One file applies, alone; files are not joined, so that what applies can be read in one place. The first of
these is used:

1. the file that `LLMKIT_CONFIG` names ("named"). It must be there. The null device stands for no file at all;
2. `llmkit.toml` in the working directory or the nearest folder above it ("project");
3. `llmkit.toml` in the user's own folder for configuration ("user").

**Trusted.** A file says to whom a program sends its questions. The user chose the named file and the user's own; a
project's file is only there, in a folder that may have been unpacked or cloned from anybody. So it must belong to the
user or the administrator (`check_owner`), it may not set a proxy, certificates or `allow_insecure`
(`llmkit.config.file.schema`), and no key of the program goes to an address that it names (`llmkit.config.key`). Of
every file, what is not a regular file is refused before it is opened: opening a pipe would wait for a writer.

**Cached.** Every `create_language` asks for the file, and it must cost next to nothing. So the checked file is kept by
its path, together with what `stat` gave for it: time of change, size, inode, device, owner. The search, a `stat` at
each place, is done each time; while its result is the same, the file is not opened. A change of the file, another
working directory and another `LLMKIT_CONFIG` therefore count from the next call on. What can go wrong: a file that is
rewritten in place with the same size, within one tick of the file system's clock, is not seen to have changed. A model
that has been made keeps the settings that it was made with.
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
MAX_FILE_BYTES = 1024 * 1024
_MAX_CACHED_FILES = 16
#: The parser takes time with the square of a dotted key's length. So the dots of each line are squared, and the sum is
#: bounded; lines of few dots, as all honest ones are, do not count.
_MAX_SQUARED_DOTS = 4_000_000
_MAX_FREE_DOTS = 16
_ERROR_LINE = re.compile(r"(.*?) ?\(at line (\d+), column (\d+)\)\Z", re.DOTALL)
_cache: dict[Path, tuple[tuple[object, ...], ConfigFile]] = {}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A configuration file that is there: named by the variable, in the project, or the user's own."""

    path: Path
    kind: Literal["named", "project", "user"]
    state: os.stat_result


def load_file(environ: Mapping[str, str] = os.environ) -> ConfigFile | None:
    """The configuration file that applies here, checked; `None` where there is none.

    Raises:
        ConfigFileError: it is wrong, cannot be read, or belongs to another user.
    """
    found = find_file(environ)
    if found is None:
        return None
    state = found.state
    version = (found.kind, state.st_mtime_ns, state.st_size, state.st_ino, state.st_dev, state.st_uid)
    cached = _cache.get(found.path)
    if cached is not None and cached[0] == version:
        return cached[1]
    from llmkit.config.file.schema import read_document  # only here: most programs have no file

    file = read_document(_read_toml(found), str(found.path), project=found.kind == "project")
    if len(_cache) >= _MAX_CACHED_FILES:
        _cache.clear()
    _cache[found.path] = (version, file)
    return file


def find_file(environ: Mapping[str, str] = os.environ) -> FoundFile | None:
    """The configuration file that applies here, unread; `None` where there is none.

    Raises:
        ConfigFileError: `LLMKIT_CONFIG` names a file that is not there.
    """
    if named := environ.get("LLMKIT_CONFIG", "").strip():
        if named == os.devnull:
            return None
        try:
            path = Path(named).expanduser().absolute()
            return FoundFile(path, "named", path.stat())
        except OSError as error:
            raise _reading_error(named, error, "LLMKIT_CONFIG names it") from None
        except (ValueError, RuntimeError):  # A zero byte, or a home that is not known.
            raise ConfigFileError("it is not a path", path="LLMKIT_CONFIG") from None
    users = user_file()
    for path in _project_paths():
        if path != users and (state := _stat(path)):
            return FoundFile(path, "project", state)
    state = _stat(users)
    return FoundFile(users, "user", state) if state else None


def user_file() -> Path:
    """Where the user's own file is or would be."""
    return config_folder() / NAME


def _project_paths() -> Iterator[Path]:
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


def _read_toml(found: FoundFile) -> dict[str, object]:
    path, state = str(found.path), found.state
    if stat.S_ISDIR(state.st_mode):
        raise ConfigFileError("it is a folder", path=path, hint="It is a TOML file")
    if not stat.S_ISREG(state.st_mode):
        raise ConfigFileError("it is not a regular file", path=path)
    if found.kind == "project" and hasattr(os, "geteuid"):
        check_owner(path, state.st_uid, os.geteuid())
    try:
        with found.path.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _reading_error(path, error) from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigFileError("it is larger than 1 MiB", path=path, hint="Aliases and profiles need a few kB")
    return parse_toml(data, path)


def check_owner(path: str, owner: int, user: int) -> None:
    """Raise `ConfigFileError` if a file that was found, not named, is neither the user's nor the administrator's.

    Its owner could choose for this program whom it calls.
    """
    if owner not in (user, 0):
        raise ConfigFileError(
            f"it belongs to another user (uid {owner})",
            path=path,
            hint="If you trust it, name it in LLMKIT_CONFIG; LLMKIT_CONFIG=/dev/null uses no file",
        )


def parse_toml(data: bytes, path: str) -> dict[str, object]:
    """The document in a file's bytes.

    Raises:
        ConfigFileError: they are not valid TOML; it has the line.
    """
    import tomllib

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigFileError("it is not UTF-8 text", path=path, line=line, hint="Save it as UTF-8") from None
    dots_of_lines = (line.count(".") for line in text.split("\n"))
    if sum(count * count for count in dots_of_lines if count > _MAX_FREE_DOTS) > _MAX_SQUARED_DOTS:
        raise ConfigFileError("it has keys of too many parts", path=path, hint="At most 8 levels")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigFileError("it is nested too deeply", path=path, hint="At most 8 levels") from None
    except ValueError as error:
        reason = scrub(str(error))
        match = _ERROR_LINE.match(reason)
        row = int(match[2]) if match else None
        reason = match[1] if match else reason
        hint = _suggest_quotes(text, row) if row else None
        raise ConfigFileError(f"it is not valid TOML: {reason}", path=path, line=row, hint=hint) from None


def _suggest_quotes(text: str, line: int) -> str | None:
    """The advice for the usual mistake, a text without quotes; `None` where the line does not look like it."""
    row = text.split("\n")[line - 1] if line <= text.count("\n") + 1 else ""
    return "Put texts into quotes" if re.match(r"\s*[\w.-]+\s*=\s*[A-Za-z$/~]", row) else None


def _reading_error(path: str, error: OSError, advice: str = "") -> ConfigFileError:
    if isinstance(error, FileNotFoundError):
        return ConfigFileError("there is no such file", path=path, hint=advice or None)
    if isinstance(error, IsADirectoryError):
        return ConfigFileError("it is a folder", path=path, hint="It is a TOML file")
    return ConfigFileError(f"it cannot be read: {error.strerror}", path=path, hint="Check its permissions")


def default_profile() -> str | None:
    """The name of the configuration file's `default_profile`; `None` where there is no file or no such line in it.

    Raises:
        ConfigFileError: the file is wrong or cannot be read.
    """
    file = load_file()
    return file.default_profile if file else None


def profile_names() -> list[str]:
    """The names of the configuration file's profiles, as they stand there.

    Raises:
        ConfigFileError: the file is wrong or cannot be read.
    """
    file = load_file()
    return list(file.profiles) if file else []
