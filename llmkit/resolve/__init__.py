"""Which settings apply: joins their sources, and decides which key may go where. No I/O.

Strongest first: the call, `create_language(...)`, the profile that was named, environment variables, the provider's
table in the configuration file, built-in defaults. The environment is read when a model is made, not at import.
"""

from __future__ import annotations

from llmkit.resolve.address import (
    Address,
    Place,
    Places,
    check_url,
    is_loopback,
    origin,
    plain_case,
    resolve_address,
)
from llmkit.resolve.endpoint import resolve_endpoint
from llmkit.resolve.key import resolve_key
from llmkit.resolve.settings import DEFAULT_TIMEOUT, from_environment, listed, options_for, supported

__all__ = [
    "DEFAULT_TIMEOUT",
    "Address",
    "Place",
    "Places",
    "check_url",
    "from_environment",
    "is_loopback",
    "listed",
    "options_for",
    "origin",
    "plain_case",
    "resolve_address",
    "resolve_endpoint",
    "resolve_key",
    "supported",
]
