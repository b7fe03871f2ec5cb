"""The `.env` file of the command line: variables for this run that the environment does not have already.

python-dotenv reads the first `.env` in the working directory or above. A folder that was checked out must not become a
trap, so some variables are left out, and a note says which:

- proxies, certificate files, LLMKIT_CONFIG, the folders of the user's own files, and whatever steers Python itself or
  the libraries under it;
- the address of a service whose key is in the environment itself, because that key would go to whoever wrote the file.

`${NAME}` in a value is plain text. Replaced, it would put what the environment holds, a key too, into an address or a
name that the author of the file reads.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from llmkit.cli.terminal import note
from llmkit.config.file.find import load_file
from llmkit.config.file.references import find_variables
from llmkit.errors import ConfigError
from llmkit.provider.registry import get_provider, known_services, registry

FILE_NAME = ".env"
MAX_FILE_BYTES = 1024 * 1024
_REFUSED = re.compile(
    r"(?i).*_proxy|llmkit_config|python.*|path"
    # certificates, and the file that OpenSSL writes the keys of connections to
    r"|ssl_.*|sslkeylogfile|openssl_.*|requests_ca_bundle|curl_ca_bundle"
    # what the loader, the C library and readline take from files
    r"|ld_.*|dyld_.*|glibc_.*|gconv_path|locpath|hostaliases|localdomain|res_options|inputrc|terminfo.*|termcap|netrc"
    # where the user's own files are
    r"|home|homedrive|homepath|userprofile|xdg_.*|appdata|localappdata|programdata|win_pd_.*|tmp|temp|tmpdir"
)
#: Names of the variables that were loaded from a file.
loaded_names: set[str] = set()
#: Scheme and host of an address that may hold `${NAME}`.
_HOST = re.compile(r"(?:\w+://)?[^/]*")


def load_env_file(path: Path | None = None) -> Path | None:
    """Put the variables of a `.env` file into this process's environment; those that are set already stay.

    Args:
        path: the file; `None` takes the first `.env` in the working directory or above.

    Returns:
        The file that was read, if there was one.

    Raises:
        ConfigError: the file cannot be read; one that was found, not named, belongs to another user.
    """
    file = path if path is not None else find_env_file()
    if file is None:
        return None
    if path is None and hasattr(os, "geteuid"):
        check_owner(file, file.stat().st_uid, os.geteuid())
    values = _read(file)
    destinations = _map_destinations() if values else {}
    left_out = sorted(
        name
        for name in values
        if _REFUSED.fullmatch(name) or _has_another_key(destinations.get(name.upper(), ()), values)
    )
    for name in left_out:
        note(f"{file}: {name} is left out; set it in the environment itself")
    for name, value in values.items():
        if name not in left_out and value and name not in os.environ:
            os.environ[name] = value
            loaded_names.add(name)
    return file


def list_loaded_addresses() -> list[str]:
    """Return the variables from the file that say where a service is."""
    return sorted(name for name in loaded_names if name.upper() in _map_destinations()) if loaded_names else []


def find_env_file() -> Path | None:
    """Return the first `.env` in the working directory or above, `None` if there is none."""
    here = Path.cwd()
    return next((file for folder in (here, *here.parents) if (file := folder / FILE_NAME).is_file()), None)


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
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
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


def _has_another_key(keys: Iterable[str], values: Mapping[str, str]) -> bool:
    """Return whether the environment itself holds one of the keys, with another value than the file has."""
    return any((value := os.environ.get(key)) and value != values.get(key) for key in keys)


def _map_destinations() -> dict[str, set[str]]:
    """Return the variables that say where a service is, in upper case, each with the variables of its keys."""
    destinations: dict[str, set[str]] = {}
    for name in (*registry.names(), *known_services()):
        for variable in _find_address_variables(name):
            destinations.setdefault(variable.upper(), set()).update(get_provider(name).key_env)
    for address, keys in _read_config_destinations():
        destinations.setdefault(address.upper(), set()).update(keys)
    return destinations


def _find_address_variables(name: str) -> set[str]:
    """Return the variables that say where a provider's service is."""
    try:
        provider = get_provider(name)
    except ConfigError:
        return set()  # The command that uses a broken provider reports it.
    return {*provider.base_url_env, *_find_host_variables(provider.default_base_url or "")}


def _find_host_variables(url: str) -> list[str]:
    match = _HOST.match(url)
    return find_variables(match[0]) if match else []


def _read_config_destinations() -> Iterator[tuple[str, set[str]]]:
    """Yield variables of addresses and of their keys in the user's own configuration file.

    A project's file is left out: it names both the address and the key.
    """
    try:
        file = load_file()
    except ConfigError:
        return  # The command that reads the file reports the error.
    if file is None or file.project:
        return
    for section in (*file.profiles.values(), *file.providers.values()):
        other_settings = {name: value for name, value in section.settings.items() if name != "base_url"}
        keys = {*find_variables(other_settings), *([section.key_variable] if section.key_variable else [])}
        base_url = section.settings.get("base_url")
        for address in (
            _find_host_variables(str(base_url)) if base_url else _find_address_variables(section.provider.lower())
        ):
            yield address, keys
