"""The `.env` file of the command line: variables for this run that the environment does not have already.

The first `.env` in the working directory or above is read, by python-dotenv. What could turn a checked-out folder into
a trap is left out and said so: proxies, certificate files, LLMKIT_CONFIG, what steers Python itself; and an address of
a service whose key is in the environment proper, because that key would go to whoever wrote the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from llmkit.cli.terminal import note
from llmkit.errors import ConfigError

NAME = ".env"
_REFUSED = re.compile(
    r"(?i).*_proxy|ssl_cert_(file|dir)|requests_ca_bundle|llmkit_config|python.*|ld_.*|dyld_.*|path|home"
)


def load(path: Path | None = None) -> Path | None:
    """Put the variables of a `.env` file into this process's environment; those that are set already stay.

    Args:
        path: the file; `None` takes the first `.env` in the working directory or above.

    Returns:
        The file that was read, if there was one.

    Raises:
        ConfigError: the file cannot be read; one that was found, not named, belongs to another user.
    """
    found = path if path is not None else find()
    if found is None:
        return None
    if path is None and hasattr(os, "geteuid"):
        check_owner(found, found.stat().st_uid, os.geteuid())
    values = _read(found)
    left_out = sorted(name for name in values if _REFUSED.fullmatch(name) or _redirects(name, values))
    for name in left_out:
        note(f"{found}: {name} is left out; set it in the environment itself")
    for name, value in values.items():
        if name not in left_out and value:
            os.environ.setdefault(name, value)
    return found


def find() -> Path | None:
    """The first `.env` in the working directory or above."""
    here = Path.cwd()
    return next((file for folder in (here, *here.parents) if (file := folder / NAME).is_file()), None)


def check_owner(path: Path, owner: int, user: int) -> None:
    """Raise `ConfigError` unless the file is the user's own or the administrator's."""
    if owner not in (user, 0):
        raise ConfigError(
            f"{path} belongs to another user (uid {owner})",
            hint="If you trust it, name it with --env-file; --no-env-file reads none",
        )


def _read(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    try:
        path.open().close()  # dotenv takes a file that is not there for an empty one
        values = dotenv_values(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="Check the path and its permissions"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    return {name: value for name, value in values.items() if value is not None}


def _redirects(name: str, values: Mapping[str, str]) -> bool:
    """Would the variable send a key of the environment proper to an address of the file's?"""
    from llmkit.registry import get_provider, known_services, registry

    for provider_name in (*registry.names(), *(known_services() if name.endswith(("_ENDPOINT", "_URL")) else ())):
        try:
            provider = get_provider(provider_name)
        except ConfigError:
            continue  # A broken provider is told of by the command that uses it.
        if name in provider.base_url_env and any(os.environ.get(key) and key not in values for key in provider.key_env):
            return True
    return False
