"""Which settings apply, and where each came from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Protocol, Unpack, cast, runtime_checkable

from llmkit.config.address import resolve_address
from llmkit.config.backend_settings import DEFAULT_TIMEOUT, listed
from llmkit.config.choice import Choice, chain, choose, choose_in, fallbacks_of, origin_of
from llmkit.config.file.find import current
from llmkit.config.file.references import variables
from llmkit.config.file.secrets import names_credential
from llmkit.config.key import resolve_key
from llmkit.config.layers import Layers, layered_settings
from llmkit.config.setting_checks import check_settings
from llmkit.errors import ConfigError
from llmkit.provider.registry import get_provider
from llmkit.types.redaction import credentials
from llmkit.types.settings import CallSettings, Settings

if TYPE_CHECKING:
    from llmkit.config.file.schema import Section
    from llmkit.language.model import LanguageModel


@runtime_checkable
class _Target(Protocol):
    """What is read of a model object that stands among the fallbacks."""

    provider: str
    target: str


_HIDDEN = "***"
_USER = re.compile(r"://[^\s/@]*@")
_QUERY = re.compile(r"\?.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ResolvedSetting:
    """One setting as it applies. What may be a secret is masked in `value`.

    Attributes:
        name: of the setting; also `profile`, `provider`, `model`, `key`, and `options.PROVIDER.FIELD`. Of a text out
            of the file that refers to variables, the value is the text as it stands there.
        value: what applies.
        origin: "call", "create_language", "profile NAME (PATH)", "environment VARIABLE", "file providers.NAME (PATH)"
            or "default"; of a key that is missing, why.
        requested: the model's name as it was asked for, where an alias stands between.
    """

    name: str
    value: object
    origin: str
    requested: str | None = None

    def to_dict(self) -> dict[str, object]:
        """As JSON has it."""
        shown = {"name": self.name, "value": _plain(self.value), "origin": self.origin}
        return {**shown, **({"requested": self.requested} if self.requested else {})}


def explain_settings(
    provider: str | None = None,
    model: str | None = None,
    *,
    call: CallSettings | None = None,
    **settings: Unpack[Settings],
) -> list[ResolvedSetting]:
    """What `create_language` with the same arguments would use, and where each setting comes from. Nothing is sent.

    Args:
        provider: name of a provider or a profile, or both names in one string. `None`: the default profile.
        model: as `create_language` takes it.
        call: settings of a call.
        settings: as `create_language` takes them.

    Returns:
        A row for each setting that applies, provider, model, address and key first. No row holds a key. The row of the
        key says "set", "missing" or "not needed", and with which variable.

    Raises:
        ConfigError: as `create_language` raises it, but not for a missing key or model.
    """
    environ = os.environ
    if provider is None:
        file = current(environ)
        provider = file.default_profile if file else None
        if provider is None:
            raise ConfigError("no profile is named", hint="Name one, or set default_profile in llmkit.toml")
    given = check_settings(settings, call=False)
    asked = check_settings(call or {}, call=True)
    choice = choose(provider, model, environ)
    spares = _fallbacks(choice, given, environ)
    others = [
        choose_in(choice.file, item, None, environ).provider.name if isinstance(item, str) else item.provider
        for item in spares
    ]
    made = layered_settings(choice, given, environ, others=others)
    rows = _target(choice, made, environ)
    if spares:
        words = "create_language" if "fallbacks" in given else origin_of(cast("Section", choice.profile))
        rows.append(
            ResolvedSetting("fallbacks", [item if isinstance(item, str) else item.target for item in spares], words)
        )
    return rows + _settings(choice, made, asked, environ, others)


def _fallbacks(choice: Choice, given: Mapping[str, object], environ: Mapping[str, str]) -> list[str | LanguageModel]:
    own = choice.profile
    items = given.get("fallbacks", fallbacks_of(own, environ) if own else ())
    return chain(
        choice.file,
        cast("Sequence[object]", items),
        environ,
        (own.key,) if own else (),
        is_model=lambda item: isinstance(item, _Target),
    )


def _target(choice: Choice, made: Layers, environ: Mapping[str, str]) -> list[ResolvedSetting]:
    profile = choice.profile
    rows = [ResolvedSetting("profile", profile.key.partition(".")[2], profile.path)] if profile else []
    where = origin_of(profile) if profile else "create_language"
    rows.append(ResolvedSetting("provider", choice.provider.name, where))
    named, words = choice.name_of_model(environ)
    resolved = choice.model_id(named) if named else None
    rows.append(ResolvedSetting("model", resolved, words, named if named != resolved else None))
    at = resolve_address(choice.provider, made.all, environ, made.places)
    raw = at.place.section.settings.get("base_url") if at.place else None
    rows.append(ResolvedSetting("base_url", raw if variables(raw) else _QUERY.sub("?***", at.url), at.origin))
    try:
        key, words, variable = resolve_key(choice.provider, made.given.get("api_key"), environ, at, made.places)
    except ConfigError as error:
        return [*rows, ResolvedSetting("key", "missing", error.message)]
    if key is None:
        return [*rows, ResolvedSetting("key", "not needed", words)]
    return [*rows, ResolvedSetting("key", f"set ({variable})" if variable else "set", words)]


def _settings(
    choice: Choice,
    made: Layers,
    asked: Mapping[str, object],
    environ: Mapping[str, str],
    others: Sequence[str],
) -> list[ResolvedSetting]:
    """The rows of all other settings, by name."""
    variables_of = {
        name: variable for variable, name in choice.provider.setting_env.items() if environ.get(variable, "").strip()
    }
    found: dict[str, ResolvedSetting] = {"timeout": ResolvedSetting("timeout", DEFAULT_TIMEOUT, "default")}
    for layer, section, words in (
        (made.file, choice.defaults, ""),
        (made.environment, None, "environment"),
        (made.profile, choice.profile, ""),
        (made.given, None, "create_language"),
        (asked, None, "call"),
    ):
        for name, value in layer.items():
            if name in ("api_key", "base_url", "fallbacks"):
                continue
            origin = origin_of(section) if section else words
            if words == "environment":
                origin = f"environment {variables_of[name]}"
            raw = section.settings.get(name) if section else None
            # A reference is shown as it is written: what the variable holds may be a secret.
            found[name] = ResolvedSetting(name, masked(name, raw if variables(raw) else value), origin)
    options = found.pop("options", None)
    rows = [found[name] for name in sorted(found)]
    if options:
        objects = listed(asked.get("options", made.all.get("options")))
        rows += _options(choice, objects, [choice.provider.name, *others], options.origin)
    return rows


def _options(choice: Choice, objects: Sequence[object], providers: Sequence[str], origin: str) -> list[ResolvedSetting]:
    """The rows of the options objects, a field each."""
    rows = []
    for item in objects:
        name = next(
            (known for known in providers if isinstance(item, get_provider(known).options_type or ())),
            type(item).__name__,
        )
        own = choice.profile.options.get(name, {}) if choice.profile else {}
        weaker = choice.file.providers.get(name) if choice.file else None
        for field in fields(item) if is_dataclass(item) and not isinstance(item, type) else ():
            value = getattr(item, field.name)
            if value is None:
                continue
            from_table = weaker and field.name not in own and field.name in weaker.options.get(name, {})
            words = origin_of(weaker) if weaker and from_table and origin.startswith("profile") else origin
            raw = own.get(field.name, weaker.options.get(name, {}).get(field.name) if weaker else None)
            shown = masked(field.name, raw if variables(raw) else value)
            rows.append(ResolvedSetting(f"options.{name}.{field.name}", shown, words))
    return rows


def masked(name: str, value: object) -> object:
    """A value without what may be a secret in it: credentials by name or look, user names in addresses."""
    if isinstance(value, str):
        if variables(value):
            return value
        if names_credential(name) or credentials(value):
            return _HIDDEN
        return _USER.sub("://***@", value)
    if isinstance(value, Mapping):
        return _HIDDEN if names_credential(name) else {key: masked(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(name, item) for item in value]
    return value


def _plain(value: object) -> object:
    """As JSON has it; of an object that is no data, its type."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return getattr(value, "__name__", type(value).__name__)
