"""The settings of a model by source, weakest first, and the objects that a file can only describe."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmkit.config.address import Address, Place, Places, origin, resolve_address
from llmkit.config.backend_settings import from_environment, listed
from llmkit.config.choice import Choice, backend_hint, origin_of
from llmkit.config.file.problem import ConfigFileError
from llmkit.config.file.references import variables
from llmkit.config.file.setting_values import KNOWN, checked
from llmkit.config.substitution import hidden, replaced_value
from llmkit.errors import LLMError
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import get_provider, registry
from llmkit.types.nearest import did_you_mean

if TYPE_CHECKING:
    from llmkit.config.file.schema import Section

#: What may hold a credential beside the key.
_BOUND = ("extra_headers", "extra_body")


@dataclass(frozen=True, slots=True)
class Layers:
    """The settings of a model by source.

    Attributes:
        file, environment: the weaker ones, `profile` and `given` the stronger ones; references are replaced.
        places: what the file says of address and key.
    """

    file: Mapping[str, object]
    environment: Mapping[str, object]
    profile: Mapping[str, object]
    given: Mapping[str, object]
    places: Places

    @property
    def defaults(self) -> dict[str, object]:
        """What only stands for this provider: a fallback target does not inherit it."""
        return {**self.file, **self.environment}

    @property
    def chosen(self) -> dict[str, object]:
        """What was chosen for this model: its fallback targets inherit what they may."""
        return {**self.profile, **self.given}

    @property
    def all(self) -> dict[str, object]:
        """What applies."""
        return {**self.defaults, **self.chosen}


def layered_settings(
    choice: Choice,
    given: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    outranked: Iterable[str] = (),
    others: Iterable[str] = (),
) -> Layers:
    """The settings that apply to a choice.

    Args:
        given: checked settings of `create_language`.
        outranked: settings of the profile that do not count.
        others: providers of the fallback targets, whose options the profile may hold too.

    Raises:
        ConfigFileError: a reference, an option, or a value that a reference gives, is wrong.
    """
    profile, defaults = choice.profile, choice.defaults
    of_profile = _settings(profile, environ) if profile else {}
    of_file = _settings(defaults, environ) if defaults else {}
    for name in outranked:
        of_profile.pop(name, None)
    places = Places(
        Place(profile, origin_of(profile), _text(of_profile.pop("base_url", None))) if profile else None,
        Place(defaults, origin_of(defaults), _text(of_file.pop("base_url", None))) if defaults else None,
    )
    if defaults and (table := defaults.options.get(choice.provider.name)):
        of_file["options"] = _options(defaults, "options", choice.provider, table, environ)
    if profile and profile.options:
        own = _profile_options(choice, profile, environ, {choice.provider.name, *others})
        # What is given in code replaces the object of its own class only.
        coded = listed(given.get("options"))
        objects = [*coded, *(item for item in own if type(item) not in {type(known) for known in coded})]
        if "options" in given:
            given = {**given, "options": objects}
        else:
            of_profile["options"] = objects
    made = Layers(of_file, from_environment(choice.provider, environ), of_profile, given, places)
    _check_bound(choice, made, environ)
    return made


def _settings(section: Section, environ: Mapping[str, str]) -> dict[str, object]:
    made = dict(section.settings)
    where = tuple(section.key.split("."))
    for name, value in section.settings.items():
        if variables(value) or "$${" in str(value):
            given = replaced_value(section, name, value, environ)
            try:
                made[name] = checked(name, given, section.path, (*where, name))
            except ConfigFileError as error:
                error.message = hidden(error.message, value, environ)
                error.args = (error.message,)
                raise error from None
    return made


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _profile_options(choice: Choice, profile: Section, environ: Mapping[str, str], chain: set[str]) -> list[object]:
    """The options objects of a profile for the providers of its chain; the tables of others are only checked."""
    made: list[object] = []
    for name, table in profile.options.items():
        provider = name.lower()
        if not registry.known(provider):
            raise profile.error("is neither a setting nor a provider", name, hint=backend_hint(name, sorted(KNOWN)))
        weaker = choice.file.providers.get(provider) if choice.file else None
        joined = {**(weaker.options.get(provider, {}) if weaker else {}), **table}
        built = _options(profile, name, get_provider(provider), joined, environ)
        if provider in chain and type(built) not in {type(known) for known in made}:
            made.append(built)
    return made


def _options(
    section: Section, name: str, provider: BaseProvider, table: Mapping[str, object], environ: Mapping[str, str]
) -> object:
    """A provider's options object."""
    kind = provider.options_type
    if kind is None:
        raise section.error(f"is for {provider.name}, which has no options", name, hint="A field goes in extra_body")
    known = [item.name for item in fields(kind)] if is_dataclass(kind) else list(inspect.signature(kind).parameters)
    for field in table:
        if field not in known:
            hint = did_you_mean(field, known) or _within(kind, field) or f"{kind.__name__} has {', '.join(known)}"
            raise section.error(f"is no option of {provider.name}", name, field, hint=hint)
    values = replaced_value(section, name, table, environ)
    try:
        return kind(**values)  # type: ignore[arg-type]
    except ConfigFileError:
        raise
    except LLMError as error:
        raise section.error(f"is wrong: {hidden(error.message, table, environ)}", name, hint=error.hint) from None
    except (TypeError, ValueError) as error:
        raise section.error(f"is wrong: {hidden(str(error), table, environ)}", name) from None


def _within(kind: type, field: str) -> str | None:
    """The field of an options class whose own table has the name."""
    for name, hint in typing.get_type_hints(kind).items():
        for part in (hint, *typing.get_args(hint)):
            if typing.is_typeddict(part) and field in part.__annotations__:
                return f"It belongs in {name}: {name} = {{ {field} = ... }}"
    return None


def _check_bound(choice: Choice, made: Layers, environ: Mapping[str, str]) -> None:
    """A table's headers and fields that hold variables go where its key may go.

    Raises:
        ConfigFileError: the address is another one.
    """
    at: Address | None = None
    applies = made.all
    for place, values in ((made.places.profile, made.profile), (made.places.defaults, made.file)):
        for name in _BOUND:
            raw = place.section.settings.get(name) if place else None
            if place is None or not variables(raw) or applies.get(name) is not values.get(name):
                continue
            at = at or resolve_address(choice.provider, applies, environ, made.places)
            if not _belongs(place, at, choice.provider):
                raise place.section.error(
                    f"refers to variables, which are not sent to {urlsplit(at.url).hostname}",
                    name,
                    hint=f"They go to the address of [{place.section.key}] only; pass {name}= for another one",
                )


def _belongs(place: Place, at: Address, provider: BaseProvider) -> bool:
    if place.base_url:
        return origin(provider.normalise_base_url(place.base_url)) == origin(at.url)
    return at.own or (at.place is None and at.origin != "create_language")
