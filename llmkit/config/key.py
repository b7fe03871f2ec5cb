"""Which key goes with a request, and which may go where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

from llmkit.config.address import NOWHERE, Address, Place, Places, first, origin, own_origins, url_of
from llmkit.errors import ConfigError
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import registry
from llmkit.types.secret import Secret, sound_key


def resolve_key(
    provider: BaseProvider,
    given: object,
    environ: Mapping[str, str],
    at: Address,
    places: Places = NOWHERE,
    *,
    need_key: bool = True,
) -> tuple[Secret | Callable[[], str] | None, str, str | None]:
    """The key that may go to an address, the words for where it comes from, and the variable that holds it.

    Raises:
        ConfigError: there is none where one is needed, or it is no key.
    """
    if given:
        return _given_key(given, at), "create_language", None
    optional = at.local or not provider.key_required or not need_key
    held_back: list[str] = []
    for place in (places.profile, None, places.defaults):
        variable, text = (
            (place.section.variable, environ.get(place.section.variable or "", "").strip() or None)
            if place
            else first(provider.key_env, environ)
        )
        if variable is None:
            continue
        if not (_may_go(place, variable, provider, at, environ) if place else at.own):
            held_back += [variable] if text else []
        elif text is not None:
            return sound_key(text, variable), place.origin if place else f"environment {variable}", variable
        elif place and need_key:
            raise place.section.error(
                f"takes its key from the environment variable {variable}, which is not set", hint=f"Set {variable}"
            )
    if optional:
        return None, "default", None
    raise _no_key(provider, at, held_back)


def _given_key(given: object, at: Address) -> Secret | Callable[[], str]:
    """A key out of the program's code. An address that only a folder's file names does not get it."""
    if at.place and at.place.section.project and not at.own:
        raise ConfigError(
            f"api_key= is not sent to {urlsplit(at.url).hostname}, which is named by {url_of(at.place)}",
            hint=f'Pass base_url= too, or name its variable there: key_env = "NAME" in [{at.place.section.key}]',
        )
    if callable(given):
        return cast("Callable[[], str]", given)
    if isinstance(given, Secret):
        return given
    if not isinstance(given, str):
        raise ConfigError(f"api_key is {type(given).__name__}", hint="Pass the key as text, or a callable")
    return sound_key(given, "api_key")


def _may_go(place: Place, variable: str, provider: BaseProvider, at: Address, environ: Mapping[str, str]) -> bool:
    """May the key of a table go to the address? A vendor's own variable goes to that vendor only."""
    holders = [provider] if variable in provider.key_env else registry.holders(variable)
    if holders:
        return any(
            origin(at.url) in own_origins(holder, first(holder.base_url_env, environ)[1], environ) for holder in holders
        )
    if place.base_url:
        return origin(provider.normalise_base_url(place.base_url)) == origin(at.url)
    return at.own


def _no_key(provider: BaseProvider, at: Address, held_back: Sequence[str]) -> ConfigError:
    host = urlsplit(at.url).hostname
    where = f" The key of {' and '.join(dict.fromkeys(held_back))} is not sent to {host}." if held_back else ""
    page = f"; get a key at {provider.key_page}" if provider.key_page else ""
    set_it = f"Set {provider.key_env[0]} or pass api_key=" if at.own and provider.key_env else "Pass api_key="
    if at.place:
        set_it = (
            f"Put the key of that address into a variable of its own and name it: key_env in [{at.place.section.key}]"
        )
        page = ""
    return ConfigError(
        f"no API key for {provider.title or provider.name}.{where}", hint=f"{set_it}{page}", provider=provider.name
    )
