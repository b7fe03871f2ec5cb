"""What a configuration file may hold: a parsed document turned into checked values.

The whole file is checked when it is read, so that a mistake in it is found at its first use and not at its last. What
depends on the world around the file (a variable, an installed provider) is looked at when a profile is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from llmkit.config.file.aliases import follow_alias, read_aliases
from llmkit.config.file.content import check_values
from llmkit.config.file.problem import ConfigFileError, error_at, join_key, quote_name
from llmkit.config.file.references import VARIABLE_NAME, read_reference
from llmkit.config.file.setting_values import SETTING_NAMES, read_setting
from llmkit.types.nearest import did_you_mean
from llmkit.types.redaction import describe

_TOP = ("default_profile", "profiles", "providers", "aliases")
_IN_PROFILE = (SETTING_NAMES - {"options"}) | {"provider", "model", "key_env"}
_IN_PROVIDER = (SETTING_NAMES - {"fallbacks"}) | {"model", "key_env"}
#: What could lead a program's traffic elsewhere; a project's file may come from anybody.
_NOT_IN_PROJECT = frozenset({"proxy", "ca_bundle", "client_cert", "allow_insecure"})
MAX_PROFILES = 200


@dataclass(frozen=True, slots=True)
class Section:
    """One `[profiles.NAME]` or `[providers.NAME]`. References are not replaced yet.

    Attributes:
        path: the file; `project`: was it found in the working directory or above?
        key: where the section is in the file, such as `profiles.smart`.
        provider, model: as the file has them; the provider of a `[providers.NAME]` is NAME.
        key_variable: the environment variable that holds the API key.
        settings: checked settings, without key and fallbacks.
        fallbacks: profiles or targets; `None` where the section does not name any.
        options: a provider's name to the fields of its options object.
    """

    path: str
    project: bool
    key: str
    provider: str
    model: str | None
    key_variable: str | None
    settings: Mapping[str, object]
    fallbacks: tuple[str, ...] | None
    options: Mapping[str, Mapping[str, object]]

    @property
    def origin(self) -> str:
        """The words for the section as the source of a setting."""
        kind, _, name = self.key.partition(".")
        return f"profile {name} ({self.path})" if kind == "profiles" else f"file {self.key} ({self.path})"

    def error(self, message: str, *names: str, hint: str | None = None) -> ConfigFileError:
        """The error of the section, or of a key in it; `message` goes on after the key."""
        key = ".".join((self.key, *([join_key(*names)] if names else [])))
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

    def find_profile(self, name: str) -> Section | None:
        """The profile with the name, whatever its case; `None` where there is none."""
        return self.profiles.get(name) or next(
            (section for known, section in self.profiles.items() if known.lower() == name.lower()), None
        )

    def resolve_alias(self, name: str, provider: str = "") -> str:
        """What the name of a model stands for; a name that is not an alias stands for itself.

        Raises:
            ConfigFileError: the aliases lead in a circle, or over too many steps.
        """
        stronger = self.provider_aliases.get(provider)
        return follow_alias(name, {**self.aliases, **stronger} if stronger else self.aliases, self.path, provider)


def read_document(document: Mapping[str, object], path: str, *, project: bool = False) -> ConfigFile:
    """The checked values of a parsed file.

    Raises:
        ConfigFileError: an unknown key, a wrong type, a value out of range, a secret, a limit.
    """
    check_values(document, path)
    for name in document:
        if name not in _TOP:
            hint = "A setting belongs in [profiles.NAME] or [providers.NAME]" if name in _IN_PROFILE else None
            raise _unknown_setting_error(path, (name,), _TOP, hint)
    sections = {
        kind: {
            name: _read_section(_read_table(path, body, kind, name), (kind, name), path, project)
            for name, body in _read_table(path, document.get(kind, {}), kind).items()
        }
        for kind in ("profiles", "providers")
    }
    profiles = sections["profiles"]
    if len(profiles) > MAX_PROFILES:
        raise ConfigFileError(f"it has {len(profiles)} profiles", path=path, key="profiles", hint="At most 200")
    if len({name.lower() for name in profiles}) < len(profiles):
        raise ConfigFileError("two profiles differ only in upper and lower case", path=path, key="profiles")
    for name in profiles:
        if not name.strip() or ":" in name or name != name.strip():
            raise ConfigFileError(
                f"{quote_name(name)} is not the name of a profile",
                path=path,
                key="profiles",
                hint="A name holds no colon",
            )
    aliases, provider_aliases = read_aliases(_read_table(path, document.get("aliases", {}), "aliases"), path)
    default = _read_default(document, profiles, path)
    file = ConfigFile(path, project, default, profiles, sections["providers"], aliases, provider_aliases)
    for section in profiles.values():
        _check_fallbacks(file, section)
    return file


def _read_default(document: Mapping[str, object], profiles: Mapping[str, Section], path: str) -> str | None:
    name = document.get("default_profile")
    if name is None:
        return None
    key = "default_profile"
    if not isinstance(name, str):
        raise error_at(path, (key,), f"is {describe(name)}", "It is the name of a profile")
    if name not in profiles:
        raise ConfigFileError(
            f"{key}: there is no profile {quote_name(name)}", path=path, key=key, hint=_suggest_profile(name, profiles)
        )
    return name


def _check_fallbacks(file: ConfigFile, section: Section) -> None:
    """Raise where a fallback without a colon is neither a profile nor an alias of a whole target."""
    for index, name in enumerate(section.fallbacks or ()):
        if ":" not in name and name not in file.profiles and name not in file.aliases and "${" not in name:
            known = [*file.profiles, *file.aliases]
            raise section.error(
                f"is {quote_name(name)}, which is not a profile",
                "fallbacks",
                str(index),
                hint=did_you_mean(name, known) or 'Name a profile of this file, or "provider:model"',
            )


def _read_section(body: Mapping[str, object], names: tuple[str, str], path: str, project: bool) -> Section:
    profile = names[0] == "profiles"
    known = _IN_PROFILE if profile else _IN_PROVIDER
    settings: dict[str, object] = {}
    options: dict[str, Mapping[str, object]] = {}
    for name, value in body.items():
        where = (*names, name)
        if not profile and name == "options":
            options[names[1].lower()] = _read_table(path, value, *where)
        elif name not in known:
            if name == "options" or (not isinstance(value, Mapping)) or not profile:
                raise _unknown_setting_error(path, where, known, _suggest_place(names, name))
            options[name] = value  # A provider's own table; whether there is such a provider is seen at its use.
        elif project and name in _NOT_IN_PROJECT:
            raise error_at(
                path,
                where,
                "is not allowed in a project's file",
                "It could lead your traffic elsewhere. Put it into your own file (llmkit config shows where), "
                "or name this file in LLMKIT_CONFIG",
            )
        elif name not in ("provider", "model", "key_env", "api_key", "fallbacks"):
            settings[name] = read_setting(name, value, path, where)
    return Section(
        path=path,
        project=project,
        key=join_key(*names),
        provider=(_read_name(body, "provider", names, path, required=True) if profile else None) or names[1].lower(),
        model=_read_name(body, "model", names, path),
        key_variable=_read_key_variable(body, names, path),
        settings=settings,
        fallbacks=_read_fallbacks(body, names, path) if profile else None,
        options=options,
    )


def _suggest_place(names: tuple[str, str], name: str) -> str | None:
    if name == "options":
        return f"Options of a provider go into a table with its name: [{join_key(*names)}.openrouter]"
    if name == "fallbacks":
        return "Fallbacks belong in a profile"
    if name == "provider":
        return "The name of the table is the provider"
    return 'Name the variable of the key: key_env = "NAME"' if name in ("key", "token", "api-key", "apikey") else None


def _read_name(
    body: Mapping[str, object], name: str, names: tuple[str, str], path: str, *, required: bool = False
) -> str | None:
    value = body.get(name)
    if value is None and required:
        raise error_at(path, (*names, name), "is missing", 'Add one, such as provider = "openrouter"')
    if value is not None and (not isinstance(value, str) or not value.strip()):
        problem = "is empty" if isinstance(value, str) else f"is {describe(value)}"
        raise error_at(path, (*names, name), problem, f"{name} is a name, in quotes")
    return value.strip() if isinstance(value, str) else None


def _read_key_variable(body: Mapping[str, object], names: tuple[str, str], path: str) -> str | None:
    """The name of the variable that holds the key, from `key_env = "NAME"` or `api_key = "${NAME}"`."""
    if "key_env" in body and "api_key" in body:
        key = join_key(*names, "api_key")
        raise ConfigFileError(f"{join_key(*names)} has both api_key and key_env", path=path, key=key, hint="Keep one")
    if "key_env" in body:
        value = body["key_env"]
        if not isinstance(value, str) or not VARIABLE_NAME.match(value):
            problem = "is not the name of an environment variable"
            raise error_at(path, (*names, "key_env"), problem, 'Shape: key_env = "NAME"')
        return value
    value = body.get("api_key")
    return read_reference(value) if isinstance(value, str) else None


def _read_fallbacks(body: Mapping[str, object], names: tuple[str, str], path: str) -> tuple[str, ...] | None:
    value = body.get("fallbacks")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        problem = "holds a value that is not text" if isinstance(value, list) else f"is {describe(value)}"
        raise error_at(path, (*names, "fallbacks"), problem, 'Shape: fallbacks = ["profile", "provider:model"]')
    return tuple(cast("str", item).strip() for item in value)


def _read_table(path: str, value: object, *names: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise error_at(path, names, f"is {describe(value)}", f"It is a table: [{join_key(*names)}]")
    return value


def _unknown_setting_error(
    path: str, where: tuple[str, ...], known: Iterable[str], hint: str | None = None
) -> ConfigFileError:
    key = join_key(*where)
    hint = hint or did_you_mean(where[-1], known) or f"There are: {', '.join(sorted(known))}"
    return ConfigFileError(f"there is no setting {key}", path=path, key=key, hint=hint)


def _suggest_profile(name: str, profiles: Iterable[str]) -> str:
    names = list(profiles)
    listed = f"There are: {', '.join(names)}" if names else "The file has no [profiles.NAME]"
    return did_you_mean(name, names) or listed
