"""The settings of a model, by the source that they come from.

There are five sources. From weak to strong:

| source | what it is | kept in |
|---|---|---|
| the file's table of the provider, `[providers.NAME]` | a default for every model of that provider | `Layers.file` |
| the environment, as in `OPENROUTER_TEMPERATURE` | the same, for one process | `Layers.environment` |
| the profile that was named, `[profiles.NAME]` | a choice for this model | `Layers.profile` |
| `config=` and the keywords of `create_language` | a choice for this model, in code | `Layers.given` |
| the keywords of a call | a choice for this call | not here: `llmkit.operations.setup` |

The strongest source that sets a name gives the whole value; values are not joined, but for options objects, of which a
model may have one for each provider of its chain.

**Why a profile outranks the environment**, though it is in the same file as the provider's table: a variable is set for
all models of a provider, often by somebody else, and so is the table. A profile was named for this very model. General
is weaker than particular. The two general sources are `defaults`, the two particular ones `chosen`, and the difference
has a second effect: a fallback target takes over what was chosen (as far as it may: `setup.INHERITED`), and never the
defaults, which stand for the one provider.

**What `outranked` is for.** A fallback target may be a profile, with settings chosen for itself, and these outrank what
it takes over. But what the program sets in code outranks profiles, that of the model and those of its fallbacks: with
`create_language("smart", temperature=0)` no target shall answer at another temperature. So the names that are set in
code are left out of the target's profile layer; then the value that it takes over is the strongest.

Address and key are not taken from the layers of the file: `Places` has them, because who named an address decides which
key may go there (`llmkit.config.key`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmkit.config.address import Place, Places
from llmkit.config.backend_settings import list_options, read_environment
from llmkit.config.file.problem import ConfigFileError
from llmkit.config.file.references import find_variables
from llmkit.config.file.setting_values import check_setting
from llmkit.config.options import build_options, build_profile_options
from llmkit.config.substitution import restore_references, substitute

if TYPE_CHECKING:
    from llmkit.config.file.schema import Section
    from llmkit.config.selection import Selection

#: Settings that may hold a credential beside the key; see `Place.bound`.
_BOUND = ("extra_headers", "extra_body")


@dataclass(frozen=True, slots=True, repr=False)
class Layers:
    """The settings of a model by source.

    Attributes:
        file, environment: the weaker sources; references are replaced.
        profile, given: the stronger ones.
        places: what the file says of address and key.
        defaults: what stands for this provider only: a fallback target does not take it over.
        chosen: what was chosen for this model: its fallback targets take over what they may.
        all: what applies, the strongest value of each name.
    """

    file: Mapping[str, object]
    environment: Mapping[str, object]
    profile: Mapping[str, object]
    given: Mapping[str, object]
    places: Places
    defaults: Mapping[str, object] = field(init=False)
    chosen: Mapping[str, object] = field(init=False)
    all: Mapping[str, object] = field(init=False)

    def __post_init__(self) -> None:
        """Join the sources, once."""
        object.__setattr__(self, "defaults", {**self.file, **self.environment})
        object.__setattr__(self, "chosen", {**self.profile, **self.given})
        object.__setattr__(self, "all", {**self.defaults, **self.chosen})


def layer_settings(
    selection: Selection,
    given: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    outranked: Iterable[str] = (),
    fallback_providers: Collection[str] = (),
) -> Layers:
    """The settings of a selection, by source.

    Args:
        given: checked settings of `create_language`.
        outranked: names of settings that the profile does not set, because code does; see above.
        fallback_providers: providers of the fallback targets, whose options the profile may hold too.

    Raises:
        ConfigFileError: a reference, an option, or a value that a reference gives, is wrong.
    """
    provider, profile, defaults = selection.provider, selection.profile, selection.defaults
    of_profile = _substitute_settings(profile, environ) if profile else {}
    of_file = _substitute_settings(defaults, environ) if defaults else {}
    for name in outranked:
        of_profile.pop(name, None)
    places = Places(
        _take_place(profile, of_profile) if profile else None, _take_place(defaults, of_file) if defaults else None
    )
    if defaults and (table := defaults.options.get(provider.name)):
        of_file["options"] = build_options(defaults, "options", provider, table, environ)
    if profile and profile.options:
        # An options object that is given in code replaces that of its own class, and no other.
        objects = list_options(given.get("options"))
        classes = {type(item) for item in objects}
        built = build_profile_options(selection.file, profile, {provider.name, *fallback_providers}, environ)
        objects += [item for item in built if type(item) not in classes]
        if "options" in given:
            given = {**given, "options": objects}
        else:
            of_profile["options"] = objects
    return Layers(of_file, read_environment(provider, environ), of_profile, given, places)


def _substitute_settings(section: Section, environ: Mapping[str, str]) -> dict[str, object]:
    """The settings of a table, references replaced; what comes out of a reference is checked only now."""
    settings = dict(section.settings)
    where = tuple(section.key.split("."))
    for name, value in section.settings.items():
        if find_variables(value) or "$${" in str(value):
            settings[name] = substitute(section, name, value, environ)
            try:
                check_setting(name, settings[name], section.path, (*where, name))
            except ConfigFileError as error:
                error.message = restore_references(error.message, value, environ)
                error.args = (error.message,)
                raise error from None
    return settings


def _take_place(section: Section, settings: dict[str, object]) -> Place:
    """What a table says of address and secrets; its address is taken out of its settings."""
    url = settings.pop("base_url", None)
    bound = {name: settings[name] for name in _BOUND if find_variables(section.settings.get(name))}
    return Place(section, None if url is None else str(url), bound)
