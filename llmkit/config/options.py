"""The options objects of providers that the tables of a configuration file describe."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from llmkit.config.file.problem import ConfigFileError
from llmkit.config.file.setting_values import SETTING_NAMES
from llmkit.config.selection import suggest_provider
from llmkit.config.substitution import restore_references, substitute
from llmkit.errors import LLMError
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import get_provider, registry
from llmkit.types.nearest import did_you_mean

if TYPE_CHECKING:
    from llmkit.config.file.schema import ConfigFile, Section


def build_profile_options(
    file: ConfigFile | None, profile: Section, chain: Collection[str], environ: Mapping[str, str]
) -> list[object]:
    """The options objects of a profile for the providers of its chain; the tables of others are only checked.

    A field that the profile does not set is taken from the provider's own table.

    Raises:
        ConfigFileError: a table is not of a provider, or a reference or an option is wrong.
    """
    built: list[object] = []
    for name, table in profile.options.items():
        provider = name.lower()
        if not registry.is_known(provider):
            hint = suggest_provider(name, sorted(SETTING_NAMES))
            raise profile.error("is neither a setting nor a provider", name, hint=hint)
        defaults = file.providers.get(provider) if file else None
        joined = {**(defaults.options.get(provider, {}) if defaults else {}), **table}
        options = build_options(profile, name, get_provider(provider), joined, environ)
        if provider in chain and type(options) not in {type(known) for known in built}:
            built.append(options)
    return built


def build_options(
    section: Section, name: str, provider: BaseProvider, table: Mapping[str, object], environ: Mapping[str, str]
) -> object:
    """The options object of a provider, out of the table at the key `name` of a section.

    Raises:
        ConfigFileError: the provider has no options, or a reference or an option is wrong.
    """
    kind = provider.options_type
    if kind is None:
        raise section.error(f"is for {provider.name}, which has no options", name, hint="A field goes in extra_body")
    known = [item.name for item in fields(kind)] if is_dataclass(kind) else list(inspect.signature(kind).parameters)
    for field in table:
        if field not in known:
            hint = did_you_mean(field, known) or _suggest_table(kind, field)
            hint = hint or f"{kind.__name__} has {', '.join(known)}"
            raise section.error(f"is not an option of {provider.name}", name, field, hint=hint)
    values = substitute(section, name, table, environ)
    try:
        return kind(**values)  # type: ignore[arg-type]
    except ConfigFileError:
        raise
    except LLMError as error:
        reason = restore_references(error.message, table, environ)
        raise section.error(f"is wrong: {reason}", name, hint=error.hint) from None
    except (TypeError, ValueError) as error:
        raise section.error(f"is wrong: {restore_references(str(error), table, environ)}", name) from None


def _suggest_table(kind: type, field: str) -> str | None:
    """The advice where a field of an options class is a table that has the name; `None` where there is no such."""
    for name, hint in typing.get_type_hints(kind).items():
        for part in (hint, *typing.get_args(hint)):
            if typing.is_typeddict(part) and field in part.__annotations__:
                return f"It belongs in {name}: {name} = {{ {field} = ... }}"
    return None
