"""Which settings apply, and where each came from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Protocol, Unpack, runtime_checkable

from llmkit.config.address import resolve_address
from llmkit.config.backend_settings import DEFAULT_TIMEOUT_SECONDS, list_options
from llmkit.config.fallbacks import select_fallbacks
from llmkit.config.file.content import is_credential_name
from llmkit.config.file.find import load_file
from llmkit.config.file.references import find_variables
from llmkit.config.key import resolve_key
from llmkit.config.layers import Layers, layer_settings
from llmkit.config.selection import Selection, select
from llmkit.config.setting_checks import check_settings
from llmkit.errors import ConfigError
from llmkit.provider.registry import get_provider
from llmkit.types.redaction import find_credentials
from llmkit.types.settings import CallSettings, Settings


@runtime_checkable
class _ModelObject(Protocol):
    """What is read of a model object that stands among the fallbacks."""

    provider: str
    target: str


_MASK = "***"
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
        """The row as JSON has it."""
        shown = {"name": self.name, "value": _to_json(self.value), "origin": self.origin}
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
        file = load_file(environ)
        provider = file.default_profile if file else None
        if provider is None:
            raise ConfigError("no profile is named", hint="Name one, or set default_profile in llmkit.toml")
    given = check_settings(settings, call=False)
    of_call = check_settings(call or {}, call=True)
    selection = select(provider, model, environ)
    fallbacks = select_fallbacks(
        selection, given.get("fallbacks"), environ, is_model=lambda item: isinstance(item, _ModelObject)
    )
    chain = [fallback.provider.name if isinstance(fallback, Selection) else fallback.provider for fallback in fallbacks]
    layers = layer_settings(selection, given, environ, fallback_providers=chain)
    rows = _explain_target(selection, layers, environ)
    if fallbacks:
        profile = selection.profile if "fallbacks" not in given else None
        names = [fallback.name if isinstance(fallback, Selection) else fallback.target for fallback in fallbacks]
        rows.append(ResolvedSetting("fallbacks", names, profile.origin if profile else "create_language"))
    return rows + _explain_settings(selection, layers, of_call, environ, chain)


def _explain_target(selection: Selection, layers: Layers, environ: Mapping[str, str]) -> list[ResolvedSetting]:
    """The rows of profile, provider, model, address and key."""
    provider, profile = selection.provider, selection.profile
    rows = [ResolvedSetting("profile", profile.key.partition(".")[2], profile.path)] if profile else []
    rows.append(ResolvedSetting("provider", provider.name, profile.origin if profile else "create_language"))
    if model := selection.resolve_model(environ):
        requested = model.requested if model.requested != model.id else None
        rows.append(ResolvedSetting("model", model.id, model.origin, requested))
    else:
        rows.append(ResolvedSetting("model", None, "default"))
    address = resolve_address(provider, layers.all, environ, layers.places)
    raw = address.place.section.settings.get("base_url") if address.place else None
    shown = raw if find_variables(raw) else _QUERY.sub("?***", address.url)
    rows.append(ResolvedSetting("base_url", shown, address.origin))
    try:
        key = resolve_key(provider, layers.given.get("api_key"), environ, address, layers.places)
    except ConfigError as error:
        return [*rows, ResolvedSetting("key", "missing", error.message)]
    state = "not needed" if key.value is None else f"set ({key.variable})" if key.variable else "set"
    return [*rows, ResolvedSetting("key", state, key.origin)]


def _explain_settings(
    selection: Selection,
    layers: Layers,
    of_call: Mapping[str, object],
    environ: Mapping[str, str],
    chain: Sequence[str],
) -> list[ResolvedSetting]:
    """The rows of all other settings, by name."""
    variables = {
        name: variable for variable, name in selection.provider.setting_env.items() if environ.get(variable, "").strip()
    }
    by_name = {"timeout": ResolvedSetting("timeout", DEFAULT_TIMEOUT_SECONDS, "default")}
    for values, section, source in (
        (layers.file, selection.defaults, ""),
        (layers.environment, None, "environment"),
        (layers.profile, selection.profile, ""),
        (layers.given, None, "create_language"),
        (of_call, None, "call"),
    ):
        for name, value in values.items():
            if name in ("api_key", "base_url", "fallbacks"):
                continue
            origin = section.origin if section else source
            if source == "environment":
                origin = f"environment {variables[name]}"
            raw = section.settings.get(name) if section else None
            # A reference is shown as it is written: what the variable holds may be a secret.
            by_name[name] = ResolvedSetting(name, mask(name, raw if find_variables(raw) else value), origin)
    options = by_name.pop("options", None)
    rows = [by_name[name] for name in sorted(by_name)]
    if options:
        objects = list_options(of_call.get("options", layers.all.get("options")))
        rows += _explain_options(selection, objects, [selection.provider.name, *chain], options.origin)
    return rows


def _explain_options(
    selection: Selection, objects: Sequence[object], providers: Sequence[str], origin: str
) -> list[ResolvedSetting]:
    """The rows of the options objects, a field each."""
    rows = []
    for item in objects:
        name = next(
            (known for known in providers if isinstance(item, get_provider(known).options_type or ())),
            type(item).__name__,
        )
        of_profile = selection.profile.options.get(name, {}) if selection.profile else {}
        defaults = selection.file.providers.get(name) if selection.file else None
        of_defaults = defaults.options.get(name, {}) if defaults else {}
        for field in fields(item) if is_dataclass(item) and not isinstance(item, type) else ():
            value = getattr(item, field.name)
            if value is None:
                continue
            is_default = field.name not in of_profile and field.name in of_defaults and origin.startswith("profile")
            raw = of_profile.get(field.name, of_defaults.get(field.name))
            shown = mask(field.name, raw if find_variables(raw) else value)
            source = defaults.origin if defaults and is_default else origin
            rows.append(ResolvedSetting(f"options.{name}.{field.name}", shown, source))
    return rows


def mask(name: str, value: object) -> object:
    """A value with `***` for what may be a secret in it: credentials by name or look, user names in addresses."""
    if isinstance(value, str):
        if find_variables(value):
            return value
        if is_credential_name(name) or find_credentials(value):
            return _MASK
        return _USER.sub("://***@", value)
    if isinstance(value, Mapping):
        return _MASK if is_credential_name(name) else {key: mask(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask(name, item) for item in value]
    return value


def _to_json(value: object) -> object:
    """A value as JSON has it; of an object that is not data, the name of its type."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _to_json(getattr(value, field.name)) for field in fields(value)}
    return getattr(value, "__name__", type(value).__name__)
