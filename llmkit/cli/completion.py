"""What the shell completes: names of providers and profiles, and models that are known without asking anybody."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from llmkit.errors import LLMError


def providers(incomplete: str) -> list[str]:
    """Providers, services and profiles that begin so."""
    return sorted({name for name in _names() if name.startswith(incomplete)})


def models(context: typer.Context, incomplete: str) -> list[str]:
    """Models of the provider that stands on the command line, out of the last list that was fetched."""
    from llmkit.operations.lists import known_models

    provider = str(context.params.get("provider") or "").partition(":")[0]
    try:
        return [row.id for row in known_models(provider) if row.id.startswith(incomplete)] if provider else []
    except LLMError:
        return []


def _names() -> Iterator[str]:
    from llmkit.config.file.find import profile_names
    from llmkit.provider.registry import installed_providers, known_services

    yield from (item.name for item in installed_providers())
    yield from known_services()
    try:
        yield from profile_names()
    except LLMError:
        return  # A file that cannot be read is told of by the command itself.
