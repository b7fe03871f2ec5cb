"""`.env.example` names every variable that llmkit reads, and holds no value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmkit.provider.registry import get_provider

TEXT = (Path(__file__).resolve().parent.parent / ".env.example").read_text("utf-8")
OWN = ("openrouter", "openai", "ollama")


@pytest.mark.parametrize("name", OWN)
def test_every_variable_of_a_provider_is_named(name: str) -> None:
    """Keys, addresses, defaults and header variables of our own providers stand in the file."""
    provider = get_provider(name)
    variables = {*provider.key_env, *provider.base_url_env, *provider.setting_env, *provider.header_env}
    variables |= {provider.model_env} - {None}
    assert not [variable for variable in sorted(variables) if not re.search(rf"\b{variable}\b", TEXT)]
    assert provider.key_page
    assert provider.key_page in TEXT


def test_the_configuration_file_is_named() -> None:
    """So is the variable that names the configuration file."""
    assert "LLMKIT_CONFIG=" in TEXT


def test_no_variable_has_a_value() -> None:
    """A copy of the file changes nothing until somebody fills it in."""
    lines = [line.lstrip("#") for line in TEXT.splitlines() if re.match(r"#?[A-Z_]+=", line)]
    assert lines
    assert all(line.endswith("=") for line in lines)
