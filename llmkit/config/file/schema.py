"""What a configuration file may hold: a parsed document to checked values.

The whole file is checked when it is read, so that a mistake in it is found at its first use and not at its last. What
needs the world around the file (a variable, an installed provider) is looked at when a profile is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from llmkit.config.file.aliases import check_aliases, follow
from llmkit.config.file.content import check_values
from llmkit.config.file.problem import ConfigFileError, dotted, quoted, wrong
from llmkit.config.file.references import VARIABLE, one_variable
from llmkit.config.file.setting_values import KNOWN, check_setting
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import describe

_TOP = ("default_profile", "profiles", "providers", "aliases")
_IN_PROFILE = (KNOWN - {"options"}) | {"provider", "model", "key_env"}
_IN_PROVIDER = (KNOWN - {"fallbacks"}) | {"model", "key_env"}
#: What could lead the traffic of another's program elsewhere.
_NOT_IN_PROJECT = frozenset({"proxy", "ca_bundle", "client_cert", "allow_insecure"})
MOST_PROFILES = 200


@dataclass(frozen=True, slots=True)
class Section:
    """One `[profiles.NAME]` or `[providers.NAME]`. References are not replaced yet.

    Attributes:
        path: the file; `project`: was it found in the working directory or above?
        key: of the section, such as `profiles.smart`.
        provider, model: as the file has them.
        variable: the environment variable that holds the key.
        settings: checked settings, without key and fallbacks.
        fallbacks: profiles or targets; `None` where the section does not name any.
        options: a provider's name to the fields of its options object.
    """

    path: str
    project: bool
    key: str
    provider: str
    model: str | None
    variable: str | None
    settings: Mapping[str, object]
    fallbacks: tuple[str, ...] | None
    options: Mapping[str, Mapping[str, object]]

    def error(self, message: str, *names: str, hint: str | None = None) -> ConfigFileError:
        """An error at a key of the section."""
        key = ".".join((self.key, *([dotted(*names)] if names else [])))
        return ConfigFileError(f"{key} {message}", path=self.path, key=key, hint=hint)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A checked configuration file.

    Attributes:
        path: where it is; `project`: was it found in the working directory or above?
        default_profile: name of a profile.
        profiles, providers: by name.
        aliases: short names of models; `provider_aliases`: those of one provider.
    """

    path: str
    project: bool
    default_profile: str | None
    profiles: Mapping[str, Section]
    providers: Mapping[str, Section]
    aliases: Mapping[str, str]
    provider_aliases: Mapping[str, Mapping[str, str]]

    def profile(self, name: str) -> Section | None:
        """The profile of a name, in whatever case that is written."""
        return self.profiles.get(name) or next(
            (section for known, section in self.profiles.items() if known.lower() == name.lower()), None
        )

    def alias(self, name: str, provider: str = "") -> str:
        """What a name of a model stands for; a name that is no alias stands for itself.

        Raises:
            ConfigFileError: the aliases lead in a circle, or over too many steps.
        """
        own = self.provider_aliases.get(provider)
        return follow(name, {**self.aliases, **own} if own else self.aliases, self.path, provider)


def check_document(document: Mapping[str, object], path: str, *, project: bool = False) -> ConfigFile:
    """A parsed file as checked values.

    Raises:
        ConfigFileError: an unknown key, a wrong type, a value out of range, a secret, a limit.
    """
    check_values(document, path)
    for name in document:
        if name not in _TOP:
            hint = "A setting belongs in [profiles.NAME] or [providers.NAME]" if name in _IN_PROFILE else None
            raise _unknown(path, (name,), _TOP, hint)
    sections = {
        kind: {
            name: _section(_table(path, body, kind, name), (kind, name), path, project)
            for name, body in _table(path, document.get(kind, {}), kind).items()
        }
        for kind in ("profiles", "providers")
    }
    profiles = sections["profiles"]
    if len(profiles) > MOST_PROFILES:
        raise ConfigFileError(f"it has {len(profiles)} profiles", path=path, key="profiles", hint="At most 200")
    if len({name.lower() for name in profiles}) < len(profiles):
        raise ConfigFileError("two profiles differ only in upper and lower case", path=path, key="profiles")
    for name in profiles:
        if not name.strip() or ":" in name or name != name.strip():
            raise ConfigFileError(
                f"{quoted(name)} is no name of a profile", path=path, key="profiles", hint="A name holds no colon"
            )
    aliases, of_provider = check_aliases(_table(path, document.get("aliases", {}), "aliases"), path)
    file = ConfigFile(
        path, project, _default(document, profiles, path), profiles, sections["providers"], aliases, of_provider
    )
    for section in profiles.values():
        _check_fallbacks(file, section)
    return file


def _default(document: Mapping[str, object], profiles: Mapping[str, Section], path: str) -> str | None:
    name = document.get("default_profile")
    if name is None:
        return None
    key = "default_profile"
    if not isinstance(name, str):
        raise wrong(path, (key,), f"is {describe(name)}", "It is the name of a profile")
    if name not in profiles:
        raise ConfigFileError(
            f"{key}: there is no profile {quoted(name)}", path=path, key=key, hint=_near(name, profiles)
        )
    return name


def _check_fallbacks(file: ConfigFile, section: Section) -> None:
    """A fallback without a colon is a profile, or an alias of a whole target."""
    for index, name in enumerate(section.fallbacks or ()):
        if ":" not in name and name not in file.profiles and name not in file.aliases and "${" not in name:
            known = [*file.profiles, *file.aliases]
            raise section.error(
                f"names no profile {quoted(name)}",
                "fallbacks",
                str(index),
                hint=did_you_mean(name, known) or 'Name a profile of this file, or "provider:model"',
            )


def _section(body: Mapping[str, object], names: tuple[str, str], path: str, project: bool) -> Section:
    profile = names[0] == "profiles"
    known = _IN_PROFILE if profile else _IN_PROVIDER
    settings: dict[str, object] = {}
    options: dict[str, Mapping[str, object]] = {}
    for name, value in body.items():
        where = (*names, name)
        if not profile and name == "options":
            options[names[1].lower()] = _table(path, value, *where)
        elif name not in known:
            if name == "options" or (not isinstance(value, Mapping)) or not profile:
                raise _unknown(path, where, known, _placed(names, name))
            options[name] = value  # A provider's own table; whether it is one is seen when the profile is used.
        elif project and name in _NOT_IN_PROJECT:
            raise wrong(
                path,
                where,
                "may not stand in a project's file",
                "It could lead your traffic elsewhere. Put it into your own file (llmkit config shows where), "
                "or name this file in LLMKIT_CONFIG",
            )
        elif name not in ("provider", "model", "key_env", "api_key", "fallbacks"):
            settings[name] = check_setting(name, value, path, where)
    return Section(
        path=path,
        project=project,
        key=dotted(*names),
        provider=(_word(body, "provider", names, path, required=True) if profile else None) or names[1].lower(),
        model=_word(body, "model", names, path),
        variable=_variable(body, names, path),
        settings=settings,
        fallbacks=_fallbacks(body, names, path) if profile else None,
        options=options,
    )


def _placed(names: tuple[str, str], name: str) -> str | None:
    if name == "options":
        return f"Options of a provider stand in a table with its name: [{dotted(*names)}.openrouter]"
    if name == "fallbacks":
        return "Fallbacks belong in a profile"
    if name == "provider":
        return "The name of the table is the provider"
    return 'Name the variable of the key: key_env = "NAME"' if name in ("key", "token", "api-key", "apikey") else None


def _word(
    body: Mapping[str, object], name: str, names: tuple[str, str], path: str, *, required: bool = False
) -> str | None:
    value = body.get(name)
    if value is None and required:
        key, hint = dotted(*names, name), 'Add one, such as provider = "openrouter"'
        raise ConfigFileError(f"{dotted(*names)} names no provider", path=path, key=key, hint=hint)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        said = "empty" if value == "" else describe(value)
        raise wrong(path, (*names, name), f"is {said}", f"{name} is a name, in quotes")
    return value.strip() if isinstance(value, str) else None


def _variable(body: Mapping[str, object], names: tuple[str, str], path: str) -> str | None:
    """The variable of the key, from `key_env = "NAME"` or `api_key = "${NAME}"`."""
    if "key_env" in body and "api_key" in body:
        key = dotted(*names, "api_key")
        raise ConfigFileError(f"{dotted(*names)} has both api_key and key_env", path=path, key=key, hint="Keep one")
    if "key_env" in body:
        value = body["key_env"]
        if not isinstance(value, str) or not VARIABLE.match(value):
            raise wrong(path, (*names, "key_env"), "is no name of an environment variable", 'Shape: key_env = "NAME"')
        return value
    value = body.get("api_key")
    return one_variable(value) if isinstance(value, str) else None


def _fallbacks(body: Mapping[str, object], names: tuple[str, str], path: str) -> tuple[str, ...] | None:
    value = body.get("fallbacks")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        said = "holds what is no text" if isinstance(value, list) else f"is {describe(value)}"
        raise wrong(path, (*names, "fallbacks"), said, 'Shape: fallbacks = ["profile", "provider:model"]')
    return tuple(cast("str", item).strip() for item in value)


def _table(path: str, value: object, *names: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise wrong(path, names, f"is {describe(value)}", f"It is a table: [{dotted(*names)}]")
    return value


def _unknown(path: str, where: tuple[str, ...], known: Iterable[str], hint: str | None = None) -> ConfigFileError:
    key = dotted(*where)
    near = hint or did_you_mean(where[-1], known) or f"There are: {', '.join(sorted(known))}"
    return ConfigFileError(f"there is no setting {key}", path=path, key=key, hint=near)


def _near(name: str, profiles: Iterable[str]) -> str:
    names = list(profiles)
    return did_you_mean(name, names) or (
        f"There are: {', '.join(names)}" if names else "The file has no [profiles.NAME]"
    )
