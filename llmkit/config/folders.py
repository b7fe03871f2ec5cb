"""Where a system keeps a user's configuration and caches, and how a file is written there: whole, or not at all.

platformdirs knows the same and more. It takes 10 ms to load, and every first `create_language` would pay for it, since
it looks for the user's configuration file.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

_FOLDER_NAME = "llmkit"


def config_folder() -> Path:
    """The user's folder for llmkit's configuration; it need not exist.

    `%LOCALAPPDATA%` on Windows, `~/Library/Application Support` on macOS, else `$XDG_CONFIG_HOME` or `~/.config`.
    """
    return _user_folder("XDG_CONFIG_HOME", ".config", "Library/Application Support")


def cache_folder() -> Path:
    """The user's folder for what llmkit can fetch again; it need not exist.

    `%LOCALAPPDATA%` (in a folder `Cache`) on Windows, `~/Library/Caches` on macOS, else `$XDG_CACHE_HOME` or
    `~/.cache`.
    """
    folder = _user_folder("XDG_CACHE_HOME", ".cache", "Library/Caches")
    return folder / "Cache" if sys.platform == "win32" else folder


def _user_folder(variable: str, usual: str, mac: str) -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", "")
        return (Path(local) if local else _home() / "AppData" / "Local") / _FOLDER_NAME
    folder = os.environ.get(variable, "")
    # The XDG specification takes absolute paths only.
    if os.path.isabs(folder):  # noqa: PTH117 - a Path would be made for nothing
        return Path(folder) / _FOLDER_NAME
    return _home() / (mac if sys.platform == "darwin" else usual) / _FOLDER_NAME


def _home() -> Path:
    # Path.home() raises where no home is known, as in some containers; nothing is found there then.
    return Path(os.path.expanduser("~"))  # noqa: PTH111


def write_whole(path: Path, data: bytes, *, synced: bool = False) -> None:
    """Write a file so that readers see the old one or the new one, whole. A new file is private to its owner.

    Args:
        path: the file; its folder must be there. A file that is there keeps its permissions.
        data: what it is to hold.
        synced: wait until it is on the disk, for what cannot be fetched again.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    import tempfile

    handle, name = tempfile.mkstemp(prefix=".llmkit-", suffix=".tmp", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            draft.chmod(path.stat().st_mode & 0o7777)
        draft.replace(path)
    except BaseException:  # Ctrl-C too must leave no draft behind.
        with suppress(OSError):
            draft.unlink()
        raise
