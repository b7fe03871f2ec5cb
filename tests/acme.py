"""Backends of the tests' own for the operations beside chat, and calls of a function and of its async twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from llmkit import KeyInfo, ModelInfo, Pricing, register_provider, unregister_provider
from llmkit.errors import LLMError
from llmkit.provider.exchange import Endpoint, HTTPReply, HTTPRequest
from llmkit.provider.interface import BaseProvider, Call, Decoder
from llmkit.provider.operations import Operation
from llmkit.types.responses import Response
from llmkit.types.settings import Settings
from llmkit.wire.chat import ChatProvider
from llmkit.wire.jsonbytes import decode_object
from tests.conftest import Drive

#: What the package of the backend knows by itself.
TABLE = {
    name: ModelInfo(
        name,
        "acme",
        context_length=1000,
        supported_parameters=frozenset({"tools"}),
        pricing=Pricing({"prompt": Decimal("0.000001"), "completion": Decimal("0.000002")}),
        source="snapshot 2026-07-02",
    )
    for name in ("gpt-4o", "table-only")
}


class Acme(ChatProvider):
    """A service in OpenAI's dialect with a list of models, details of one, and a table of its own."""

    title = "Acme"
    default_base_url = "https://api.acme.example/v1"
    key_env = ("ACME_API_KEY",)
    base_url_env = ("ACME_BASE_URL",)
    aliases: Mapping[str, str] = {"short": "gpt-4o"}
    models_need_key = True

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        reply = yield HTTPRequest("/models", method="GET")
        return [ModelInfo(str(row["id"]), self.name) for row in decode_object(reply.body, "the list")["data"]]  # type: ignore[attr-defined]

    def model_details(self, listed: ModelInfo) -> Operation[ModelInfo]:
        yield from ()
        return listed

    def known_model(self, model: str) -> ModelInfo | None:
        return TABLE.get(model)


class Detailed(Acme):
    """Asks once more for one model, and compares names without their tag."""

    def model_details(self, listed: ModelInfo) -> Operation[ModelInfo]:
        yield HTTPRequest("/details", b"{}")
        return ModelInfo(listed.id, listed.provider, capabilities={"tools": True, "vision": False})

    def same_model(self, one: str, other: str) -> bool:
        return one.removesuffix(":latest") == other.removesuffix(":latest")


class KeyChecking(Acme):
    """Tells what a key may do."""

    models_need_key = False

    def check_key(self) -> Operation[KeyInfo]:
        reply = yield HTTPRequest("/key", method="GET")
        said = decode_object(reply.body, "the key")
        left = said.get("left")
        return KeyInfo(limit=Decimal(10), remaining=None if left is None else Decimal(str(left)), limit_reset="daily")


class Listless(BaseProvider):
    """A backend without any operation beside chat; nothing is ever sent to it here."""

    title = "Listless"
    default_base_url = "https://api.listless.example"
    key_required = False

    def endpoint(self, settings: Settings) -> Endpoint:
        return Endpoint(str(settings.get("base_url")))

    def build(self, call: Call) -> HTTPRequest:
        raise NotImplementedError

    def parse(self, call: Call, reply: HTTPReply) -> Response:
        raise NotImplementedError

    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        raise NotImplementedError

    def decoder(self, call: Call) -> Decoder:
        raise NotImplementedError

    def known_model(self, model: str) -> ModelInfo | None:
        return TABLE.get(model)


@contextmanager
def registered(cls: type[BaseProvider], **attributes: Any) -> Iterator[None]:
    """Within the block "acme" is a provider of `cls`, with some class attributes changed."""
    register_provider("acme", type("Acme", (cls,), attributes), replace=True)
    try:
        yield
    finally:
        unregister_provider("acme")


def do(drive: Drive, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """What a function of llmkit gives, or what its async twin gives on the drive's loop."""
    if not drive.is_async:
        return function(*arguments, **settings)
    twin = getattr(__import__(function.__module__, fromlist=["_"]), f"a{function.__name__}")
    return drive.await_(twin(*arguments, **settings))
