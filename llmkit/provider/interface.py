"""What a backend implements: `BaseProvider`, pure functions over values. It opens nothing and keeps no state.

Five functions make a provider: `endpoint`, `build`, `parse`, `parse_error`, `decoder`. For a service that speaks the
chat-completions dialect they are written (`llmkit.wire.chat.ChatProvider`) and three class attributes are enough.
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
    """What the user asked, provider-neutral.

    `settings` holds what was set of `llmkit.types.settings.SAMPLING` and the provider supports; `options` the
    provider's own options object; `extra_body` fields that go over the body as they are; `base_url` where the call
    goes, `local` whether that is a loopback address. `review` looks at the answer before the caller gets it.
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
    """Looks at an answer before it is handed out: are its tool calls and its structure what was asked for?"""

    def accept(self, response: Response) -> Response:
        """The answer, with what was found. Raises `InvalidStructure` for one that is not what was asked for."""
        ...

    def again(self, call: Call, error: LLMError) -> Call | None:
        """The call that asks once more after `error`; `None`: not again."""
        ...

    def partial(self, response: Response) -> Response:
        """An answer in the making, with what can be read of it."""
        ...


class Decoder(Protocol):
    """Turns the bytes of one streamed reply into chunks. One object serves one reply."""

    @property
    def done(self) -> bool:
        """Has the stream said that it is over ([DONE], done:true, an error)? What follows is not read as answer."""
        ...

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes, split anywhere; give the chunks that are complete. b"" says that the body ended."""
        ...

    def finish(self) -> Response:
        """The whole answer. Raises the typed error if the stream was cut, failed or held nothing."""
        ...

    def partial(self) -> Response:
        """What has come so far."""
        ...


class BaseProvider(ABC):
    """A service and how to speak to it. Subclasses set the class attributes and write the five functions.

    Attributes:
        title: the service's name for people.
        default_base_url: where the service is when nobody says otherwise.
        base_url_env: environment variables that may name another address, first one set wins.
        key_env: environment variables that may hold the key, first one set wins.
        key_origins: further origins (`https://host`) of the same vendor that an environment key may go to.
        key_follows_url: does an environment key also go to the default address and the one that `base_url_env` names?
        header_env: environment variable to the header that it fills, where the environment key may go.
        key_required: is a key needed where the endpoint is not a loopback address?
        key_page: where a user gets a key.
        default_model: the model when none is named; `None` means that one must be named.
        model_env: environment variable that may name the default model.
        setting_env: environment variable to the setting that it gives a default for.
        aliases: short names of models to the service's ids.
        start_command: what a user runs to start a server of their own, or `None`.
        pull_command: what a user runs, before the model's name, to fetch a model, or `None`.
        supported: names of `llmkit.types.settings.SAMPLING` (and `site_url`, `app_name`) that the backend has. Without
            "structured", an instruction in the prompt asks for the structure.
        options_type: class of the provider's own options object, or `None`.
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
        """`name` is the name that the user chose it by; it stands in responses and errors."""
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @abstractmethod
    def endpoint(self, settings: Settings) -> Endpoint:
        """Where to send. `settings` are resolved: `base_url` is set, `api_key` is the key that may go there."""

    @abstractmethod
    def build(self, call: Call) -> HTTPRequest:
        """The bytes to send. Raises `Unsupported` or `BadRequest` for what the backend cannot carry."""

    @abstractmethod
    def parse(self, call: Call, reply: HTTPReply) -> Response:
        """The answer of a plain reply with a 2xx status. Raises the typed error that the body says."""

    @abstractmethod
    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        """The error of a reply with any other status. It never raises."""

    @abstractmethod
    def decoder(self, call: Call) -> Decoder:
        """A decoder for one streamed reply with a 2xx status."""

    def transport(self, endpoint: Endpoint) -> Transport | None:
        """A transport of the provider's own; `None` takes llmkit's default, the OpenAI SDK's HTTP client."""
        return None

    def check(self, call: Call) -> None:
        """Raise `BadRequest` or `Unsupported` for what the backend would refuse, before anything is sent."""

    def salvage(self, call: Call, data: bytes) -> Response | None:
        """What can be made out of a plain reply that was cut; `None` where nothing can. It never raises."""
        return None

    def normalise_base_url(self, url: str) -> str:
        """The address as the backend's users write it, as a URL."""
        return url.strip().rstrip("/")

    def resolve_model(self, model: str) -> str:
        """The service's id of a model name."""
        return self.aliases.get(model, model)

    def successors(self, model: str) -> Sequence[str]:
        """What to take instead of a model that has left the service; empty where none is known."""
        return ()

    def known_model(self, model: str) -> ModelInfo | None:
        """What the package itself knows of a model, from a table with a date. Nothing is asked."""
        return None

    def same_model(self, one: str, other: str) -> bool:
        """Do two model ids mean the same model? A backend whose names have short forms says how they compare."""
        return one == other
