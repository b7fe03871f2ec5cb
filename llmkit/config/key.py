"""Which key goes with a request, and which may go where.

A key that leaves for a wrong host is lost. So no key is "the key of the program": each is bound to an address by who
named it, and leaves only if that is the address that the model sends to (`llmkit.config.address`). Addresses are
compared by their web origin: scheme, host and port.

| the key | may go to |
|---|---|
| `api_key=` in code | any address, but not to one that only a project's file names, unless it is the vendor's own |
| of a profile or a provider's table: `key_env`, `api_key = "${NAME}"` | the `base_url` of the same table; without one, the vendor's own addresses |
| of the environment, the vendor's variable | the vendor's own addresses |

A vendor's own addresses are its default, the one that its variable names (`OPENAI_BASE_URL`), and `key_origins`. A
variable that holds the key of some vendor stays that vendor's, whatever table names it: otherwise a file could say
`base_url = "https://evil.example"` and `key_env = "OPENAI_API_KEY"`.

`resolve_key` goes through the sources from strong to weak: code, profile, environment, the provider's table. A key that
may not go to the address is passed over, and the next source has its turn; if none is left, the error names those that
were held back, and why. A profile or table whose variable is not set is an error and not passed over, because a weaker
key would go out silently under another account. A server on this machine, or a service that needs no key, gets none if
there is none.

The same binding holds for headers and body fields that refer to variables: `address._check_bound`.
"""  # noqa: E501 - rows of a table

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from llmkit.config.address import (
    NOWHERE,
    Address,
    Place,
    Places,
    is_address_of,
    read_first_variable,
    vendor_web_origins,
    web_origin,
)
from llmkit.errors import ConfigError
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import registry
from llmkit.types.secret import Secret, parse_key


@dataclass(frozen=True, slots=True, repr=False)
class ResolvedKey:
    """A key, or that there is none.

    Attributes:
        value: the key, or the callable that gives it; `None` where none goes out.
        origin: the words for where it comes from.
        variable: the environment variable that holds it, if one does.
    """

    value: Secret | Callable[[], str] | None
    origin: str = "default"
    variable: str | None = None


def resolve_key(
    provider: BaseProvider,
    given: object,
    environ: Mapping[str, str],
    address: Address,
    places: Places = NOWHERE,
    *,
    need_key: bool = True,
) -> ResolvedKey:
    """The strongest key that may go to an address.

    Raises:
        ConfigError: there is none where one is needed, or it cannot be a key.
    """
    if given:
        return ResolvedKey(_read_given(given, address), "create_language")
    held_back: list[str] = []
    for place in (places.profile, None, places.defaults):
        if place:
            variable, origin = place.section.key_variable, place.section.origin
            text = environ.get(variable or "", "").strip() or None
        else:
            variable, text = read_first_variable(provider.key_env, environ)
            origin = f"environment {variable}"
        if variable is None:
            continue
        if not (_may_go(place, variable, provider, address, environ) if place else address.is_vendors):
            held_back += [variable] if text else []
        elif text is not None:
            return ResolvedKey(parse_key(text, variable), origin, variable)
        elif place and need_key:
            raise place.section.error(
                f"takes its key from the environment variable {variable}, which is not set", hint=f"Set {variable}"
            )
    if address.local or not provider.key_required or not need_key:
        return ResolvedKey(None)
    raise _missing_key_error(provider, address, held_back)


def _read_given(given: object, address: Address) -> Secret | Callable[[], str]:
    """A key out of the program's code. An address that only a project's file names does not get it."""
    if address.place and address.place.section.project and not address.is_vendors:
        key = address.place.section.key
        raise ConfigError(
            f"api_key= is not sent to {urlsplit(address.url).hostname}, which is named by {address.place.label}",
            hint=f'Pass base_url= too, or name its variable there: key_env = "NAME" in [{key}]',
        )
    if callable(given):
        return cast("Callable[[], str]", given)
    if isinstance(given, Secret):
        return given
    if not isinstance(given, str):
        raise ConfigError(f"api_key is {type(given).__name__}", hint="Pass the key as text, or a callable")
    return parse_key(given, "api_key")


def _may_go(place: Place, variable: str, provider: BaseProvider, address: Address, environ: Mapping[str, str]) -> bool:
    """May the key of a table go to the address? A vendor's own variable goes to that vendor only."""
    holders = [provider] if variable in provider.key_env else registry.find_key_holders(variable)
    if not holders:
        return is_address_of(place, address, provider)
    return any(
        web_origin(address.url)
        in vendor_web_origins(holder, read_first_variable(holder.base_url_env, environ)[1], environ)
        for holder in holders
    )


def _missing_key_error(provider: BaseProvider, address: Address, held_back: Sequence[str]) -> ConfigError:
    host = urlsplit(address.url).hostname
    where = f" The key of {' and '.join(dict.fromkeys(held_back))} is not sent to {host}." if held_back else ""
    page = f"; get a key at {provider.key_page}" if provider.key_page else ""
    advice = (
        f"Set {provider.key_env[0]} or pass api_key=" if address.is_vendors and provider.key_env else "Pass api_key="
    )
    if address.place:
        key = address.place.section.key
        advice = f"Put the key of that address into a variable of its own and name it: key_env in [{key}]"
        page = ""
    return ConfigError(
        f"no API key for {provider.title or provider.name}.{where}", hint=f"{advice}{page}", provider=provider.name
    )
