"""The `.env` file of the command line: variables for this run that the environment does not have already.

The first `.env` in the working directory or above is read, by python-dotenv. What could turn a checked-out folder into
a trap is left out and said so: proxies, certificate files, LLMKIT_CONFIG and the folders where the user's own files
are, what steers Python itself and the libraries under it; and an address of a service whose key is in the environment
proper, because that key would go to whoever wrote the file. `${NAME}` in a value stays as it stands: it would put what
the environment holds, a key too, into an address or a name that the file's author reads.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from llmkit.cli.terminal import note
from llmkit.config.file.find import current
from llmkit.config.file.references import variables
from llmkit.errors import ConfigError
from llmkit.provider.registry import get_provider, known_services, registry

NAME = ".env"
LONGEST = 1024 * 1024
_REFUSED = re.compile(
    r"(?i).*_proxy|llmkit_config|python.*|path"
    # certificates, and the file that OpenSSL writes the keys of connections to
    r"|ssl_.*|sslkeylogfile|openssl_.*|requests_ca_bundle|curl_ca_bundle"
    # what the loader, the C library and readline take from files
    r"|ld_.*|dyld_.*|glibc_.*|gconv_path|locpath|hostaliases|localdomain|res_options|inputrc|terminfo.*|termcap|netrc"
    # where the user's own files are
    r"|home|homedrive|homepath|userprofile|xdg_.*|appdata|localappdata|programdata|win_pd_.*|tmp|temp|tmpdir"
)
#: The variables that were taken from a file.
taken: set[str] = set()
#: Scheme and host of an address that may hold `${NAME}`.
_HOST = re.compile(r"(?:\w+://)?[^/]*")


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
    goes = _destinations() if values else {}
    left_out = sorted(
        name for name in values if _REFUSED.fullmatch(name) or _elsewhere(goes.get(name.upper(), ()), values)
    )
    for name in left_out:
        note(f"{found}: {name} is left out; set it in the environment itself")
    for name, value in values.items():
        if name not in left_out and value and name not in os.environ:
            os.environ[name] = value
            taken.add(name)
    return found


def addresses_taken() -> list[str]:
    """The variables of the file that say where a service is."""
    return sorted(name for name in taken if name.upper() in _destinations()) if taken else []


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
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise ConfigError(f"{path} is larger than 1 MiB", hint="Variables need a few kB")
        values = dotenv_values(stream=io.StringIO(data.decode("utf-8-sig")), interpolate=False)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="Check the path and its permissions"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    if any("\0" in f"{name}{value}" for name, value in values.items()):
        raise ConfigError(f"{path} holds a zero byte", hint="It is a text file")
    return {name: value for name, value in values.items() if value is not None}


def _elsewhere(keys: Iterable[str], values: Mapping[str, str]) -> bool:
    """Does the environment proper hold one of the keys, and not just what the file has?"""
    return any((held := os.environ.get(key)) and held != values.get(key) for key in keys)


def _destinations() -> dict[str, set[str]]:
    """The variables that say where a service is, in upper case, each with those whose content would go there."""
    found: dict[str, set[str]] = {}
    for name in (*registry.names(), *known_services()):
        for variable in _addresses(name):
            found.setdefault(variable.upper(), set()).update(get_provider(name).key_env)
    for address, keys in _of_file():
        found.setdefault(address.upper(), set()).update(keys)
    return found


def _addresses(name: str) -> set[str]:
    """The variables that say where a provider's service is."""
    try:
        provider = get_provider(name)
    except ConfigError:
        return set()  # A broken provider is told of by the command that uses it.
    return {*provider.base_url_env, *_in_host(provider.default_base_url or "")}


def _in_host(url: str) -> list[str]:
    match = _HOST.match(url)
    return variables(match[0]) if match else []


def _of_file() -> Iterator[tuple[str, set[str]]]:
    """The same of the user's own configuration file; a project's says itself where what goes."""
    try:
        file = current()
    except ConfigError:
        return  # The command that reads it says so.
    if file is None or file.project:
        return
    for section in (*file.profiles.values(), *file.providers.values()):
        held = {name: value for name, value in section.settings.items() if name != "base_url"}
        keys = {*variables(held), *([section.variable] if section.variable else [])}
        own = section.settings.get("base_url")
        for address in _in_host(str(own)) if own else _addresses(section.provider.lower()):
            yield address, keys
