"""What a backend implements, and the registry in which it is found by its name.

This is the door for authors: `from llmkit.provider import BaseProvider, Call`. Each name is loaded at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmkit.types.door import open_door

if TYPE_CHECKING:
    from llmkit.provider.exchange import AsyncBody, Body, Endpoint, HTTPReply, HTTPRequest, Transport
    from llmkit.provider.interface import INTERFACE_VERSION, BaseProvider, Call, Decoder, Review
    from llmkit.provider.operations import (
        Operation,
        OperationDecoder,
        SupportsKeyCheck,
        SupportsModels,
        SupportsPull,
        SupportsVersion,
    )
    from llmkit.provider.registry import (
        InstalledProvider,
        get_provider,
        installed_providers,
        known_services,
        register_provider,
        unregister_provider,
    )

_HOMES = {
    "exchange": "AsyncBody Body Endpoint HTTPReply HTTPRequest Transport",
    "interface": "BaseProvider Call Decoder INTERFACE_VERSION Review",
    "operations": "Operation OperationDecoder SupportsKeyCheck SupportsModels SupportsPull SupportsVersion",
    "registry": (
        "InstalledProvider get_provider installed_providers known_services register_provider unregister_provider"
    ),
}

__all__ = [
    "INTERFACE_VERSION", "AsyncBody", "BaseProvider", "Body", "Call", "Decoder", "Endpoint", "HTTPReply",
    "HTTPRequest", "InstalledProvider", "Operation", "OperationDecoder", "Review", "SupportsKeyCheck", "SupportsModels",
    "SupportsPull", "SupportsVersion", "Transport", "get_provider", "installed_providers", "known_services",
    "register_provider", "unregister_provider",
]  # fmt: skip

if not TYPE_CHECKING:  # A type checker that saw it would accept every name.
    __getattr__, __dir__ = open_door(__name__, _HOMES)
