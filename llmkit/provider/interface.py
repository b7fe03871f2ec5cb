"""What a backend implements: `BaseProvider`, pure functions over values. It opens nothing and keeps no state.

A provider is five functions: `endpoint`, `build`, `parse`, `parse_error`, `decoder`. For a service that speaks the
chat-completions dialect they exist already (`llmkit.wire.chat.ChatProvider`), and three class attributes are enough.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from llmkit.errors import LLMError
from llmkit.provider.exchange import Endpoint, HTTPReply, HTTPRequest, Transport
from llmkit.types.messages import Message
from llmkit.types.responses import Chunk, Response
from llmkit.types.settings import Settings

if TYPE_CHECKING:
    from llmkit.types.model_info import ModelInfo

INTERFACE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Call:
    """What the user asked for, in a form that does not depend on the provider.

    Attributes:
        model: the service's id of the model.
        messages: the conversation.
        stream: whether the answer is handed out as it comes.
        settings: those of `llmkit.types.settings.SAMPLING` that were set and that the provider supports.
        options: the provider's own options object.
        extra_body: fields that are set in the body last, as they are.
        base_url: the address that the call is sent to.
        local: whether that is a loopback address.
        review: looks at the answer before the caller gets it.
    """

    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)
    options: object | None = None
    extra_body: Mapping[str, object] = field(default_factory=dict)
    base_url: str = ""
    local: bool = False
    review: Review | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"Call({self.model!r}, {len(self.messages)} messages, stream={self.stream})"


class Review(Protocol):
    """Checks an answer before it is handed out: its tool calls and its structure must be what was asked for."""

    def accept(self, response: Response) -> Response:
        """The answer, with the findings in it. Raises `InvalidStructure` if it is not what was asked for."""
        ...

    def again(self, call: Call, error: LLMError) -> Call | None:
        """The call that asks once more after `error`; `None` to give up."""
        ...

    def partial(self, response: Response) -> Response:
        """An answer that is not complete, with what can be read of it so far."""
        ...


class Decoder(Protocol):
    """Turns the bytes of one streamed reply into chunks. One object serves one reply."""

    @property
    def done(self) -> bool:
        """Has the stream said that it is over (`[DONE]`, `done: true`, an error)? What follows is not read."""
        ...

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """The chunks that the next bytes complete. The bytes are split anywhere; b"" says that the body has ended."""
        ...

    def finish(self) -> Response:
        """The whole answer. Raises the typed error if the stream was cut off, failed or held nothing."""
        ...

    def partial(self) -> Response:
        """The part of the answer that has come so far."""
        ...


class BaseProvider(ABC):
    """A service, and how to speak to it. A subclass sets the class attributes and implements the five functions.

    Attributes:
        title: the service's name for people.
        default_base_url: the address of the service where the user sets none.
        base_url_env: environment variables that may hold another address; the first one that is set wins.
        key_env: environment variables that may hold the key; the first one that is set wins.
        key_origins: further origins (`https://host`) of the same vendor that a key of the environment may be sent to.
        key_follows_url: whether a key of the environment may also be sent to the default address and to the one that
            `base_url_env` names.
        header_env: environment variable -> header that holds its value, wherever the key of the environment may go.
        key_required: whether a key is needed where the endpoint is not a loopback address.
        key_page: the page on which a user gets a key.
        default_model: the model when none is named; `None` means that one must be named.
        model_env: environment variable that may name the default model.
        setting_env: environment variable -> setting whose default it holds.
        aliases: short name of a model -> the service's id.
        start_command: the command that starts a server of the user's own, or `None`.
        pull_command: the command that fetches a model, without the model's name, or `None`.
        supported: the names of `llmkit.types.settings.SAMPLING` (and `site_url`, `app_name`) that the backend has.
            Without "structured", an instruction in the prompt asks for the structure.
        options_type: the class of the provider's own options object, or `None`.
        interface_version: the version of this interface that the provider was written for.
    """

    title: str = ""
    default_base_url: str | None = None
    base_url_env: Sequence[str] = ()
    key_env: Sequence[str] = ()
    key_origins: Sequence[str] = ()
    key_follows_url: bool = True
    header_env: Mapping[str, str] = {}
    key_required: bool = True
    key_page: str | None = None
    default_model: str | None = None
    model_env: str | None = None
    setting_env: Mapping[str, str] = {}
    aliases: Mapping[str, str] = {}
    start_command: str | None = None
    pull_command: str | None = None
    supported: frozenset[str] = frozenset()
    options_type: type | None = None
    interface_version: int = INTERFACE_VERSION

    def __init__(self, name: str) -> None:
        """`name` is the name by which the user chose the provider; it stands in responses and errors."""
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @abstractmethod
    def endpoint(self, settings: Settings) -> Endpoint:
        """The endpoint to send to. `settings` are resolved: `base_url` is set, `api_key` may be sent there."""

    @abstractmethod
    def build(self, call: Call) -> HTTPRequest:
        """The request to send. Raises `Unsupported` or `BadRequest` for what the backend cannot carry."""

    @abstractmethod
    def parse(self, call: Call, reply: HTTPReply) -> Response:
        """The answer in a plain reply with a 2xx status. Raises the typed error if the body reports one."""

    @abstractmethod
    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        """The error of a reply with any other status. It must not raise."""

    @abstractmethod
    def decoder(self, call: Call) -> Decoder:
        """A decoder for one streamed reply with a 2xx status."""

    def transport(self, endpoint: Endpoint) -> Transport | None:
        """A transport of the provider's own; `None` for the default, the HTTP client of the OpenAI SDK."""
        return None

    def check(self, call: Call) -> None:
        """Raise `BadRequest` or `Unsupported` for a call that the backend would refuse, before anything is sent."""

    def salvage(self, call: Call, data: bytes) -> Response | None:
        """The answer in a plain reply that was cut off; `None` where nothing can be read. It must not raise."""
        return None

    def normalise_base_url(self, url: str) -> str:
        """The URL of an address that is written as users of the backend write it."""
        return url.strip().rstrip("/")

    def resolve_model(self, model: str) -> str:
        """The service's id of the model that a name stands for."""
        return self.aliases.get(model, model)

    def successors(self, model: str) -> Sequence[str]:
        """The models to use in place of one that has left the service; empty where none is known."""
        return ()

    def known_model(self, model: str) -> ModelInfo | None:
        """What the package itself knows about a model, from a table with a date. Nothing is sent."""
        return None

    def same_model(self, one: str, other: str) -> bool:
        """Do two model ids mean the same model? A backend whose names have short forms overrides this."""
        return one == other
