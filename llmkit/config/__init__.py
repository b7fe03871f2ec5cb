"""The configuration file `llmkit.toml`: where it is, what it may hold, and what it holds.

It is read and checked whole when a model is made, and again only when it has changed. `llmkit.profiles` makes models
out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmkit.config.file import current, find
from llmkit.config.problem import ConfigFileError

if TYPE_CHECKING:
    from llmkit.config.schema import ConfigFile, Section

__all__ = ["ConfigFile", "ConfigFileError", "Section", "current", "default_profile", "find", "profile_names"]


def __getattr__(name: str) -> object:
    if name in ("ConfigFile", "Section"):
        from llmkit.config import schema  # loaded where there is a file

        return getattr(schema, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
