"""Shell completion: names of providers and profiles, and models that are known without asking a service."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from llmkit.errors import LLMError


def complete_providers(incomplete: str) -> list[str]:
    """Return the providers, services and profiles whose name begins with `incomplete`."""
    return sorted({name for name in _find_names() if name.startswith(incomplete)})


def complete_models(context: typer.Context, incomplete: str) -> list[str]:
    """Return the models of the provider on the command line, from the last list that was fetched."""
    from llmkit.operations.lists import known_models

    provider = str(context.params.get("provider") or "").partition(":")[0]
    try:
        return [row.id for row in known_models(provider) if row.id.startswith(incomplete)] if provider else []
    except LLMError:
        return []


def _find_names() -> Iterator[str]:
    from llmkit.config.file.find import profile_names
    from llmkit.provider.registry import installed_providers, known_services

    yield from (item.name for item in installed_providers())
    yield from known_services()
    try:
        yield from profile_names()
    except LLMError:
        return  # The command itself reports a file that cannot be read.
