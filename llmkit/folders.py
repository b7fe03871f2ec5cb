"""Where a system keeps a user's configuration and caches.

platformdirs knows the same and more. It takes 10 ms to load, and every first `create_language` would pay for it, since
it looks for the user's configuration file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "llmkit"


def config_folder() -> Path:
    """The user's folder for llmkit's configuration; it need not exist.

    `%LOCALAPPDATA%` on Windows, `~/Library/Application Support` on macOS, else `$XDG_CONFIG_HOME` or `~/.config`.
    """
    return _folder("XDG_CONFIG_HOME", ".config", "Library/Application Support")


def cache_folder() -> Path:
    """The user's folder for what llmkit can fetch again; it need not exist.

    `%LOCALAPPDATA%` (in a folder `Cache`) on Windows, `~/Library/Caches` on macOS, else `$XDG_CACHE_HOME` or
    `~/.cache`.
    """
    folder = _folder("XDG_CACHE_HOME", ".cache", "Library/Caches")
    return folder / "Cache" if sys.platform == "win32" else folder


def _folder(variable: str, usual: str, mac: str) -> Path:
    if sys.platform == "win32":
        named = os.environ.get("LOCALAPPDATA", "")
        return (Path(named) if named else _home() / "AppData" / "Local") / NAME
    named = os.environ.get(variable, "")
    # The XDG specification takes absolute paths only.
    if os.path.isabs(named):  # noqa: PTH117 - no Path is made for it
        return Path(named) / NAME
    return _home() / (mac if sys.platform == "darwin" else usual) / NAME


def _home() -> Path:
    # Path.home() raises where no home is known, as in some containers; nothing is found there then.
    return Path(os.path.expanduser("~"))  # noqa: PTH111
