"""The routes besides chat: which path, which method, with or without a key, and which document."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from llmkit.testing.simulator import catalogue
from llmkit.testing.simulator.jsonvalue import Object, as_text
from llmkit.testing.simulator.records import Charge
from llmkit.testing.simulator.reply import Reply

OPENROUTER_PATH = "/api/v1"
OPENAI_PATH = "/v1"
_UNKNOWN = "no-such"


class RefusedError(Exception):
    """The request gets an error response."""

    def __init__(self, status: int, message: str | None = None, *, model: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.message = message
        """None = the usual message of the status."""
        self.model = model
        """The model that does not exist, if that is why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page may look at."""

    path: str
    query: Mapping[str, str]
    data: Object
    """The request's body, if it is an object."""
    charges: Sequence[Charge]
    served: Mapping[str, bytes] = field(default_factory=dict)
    """Path to the document that a test put there."""
    key: Object = field(default_factory=dict)
    """What a test says of the key, over the usual answer of `GET /key`."""
    has_key: bool = False

    @property
    def model(self) -> str:
        """The model in the body, by its new name or its old one."""
        return as_text(self.data.get("model")) or as_text(self.data.get("name"))


Page: TypeAlias = Callable[[Asked], "Object | Reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one path is served."""

    page: Page
    method: str = "GET"
    needs_key: bool = False


def is_unknown(model: str) -> bool:
    """True for a model that does not exist: its name, or its slug after the author, begins with "no-such"."""
    return model.startswith(_UNKNOWN) or model.rsplit("/", 1)[-1].startswith(_UNKNOWN)


def find_route(path: str) -> Route | None:
    """The route of `path`; None if there is none."""
    if path.startswith(f"{OPENROUTER_PATH}/models/") and path.endswith("/endpoints"):
        return Route(page=_endpoints)
    return _ROUTES.get(path)


def _generation(asked: Asked) -> Object:
    number = asked.query.get("id", "")
    found = catalogue.openrouter_generation(asked.charges, number)
    if found is None:
        raise RefusedError(404, f"Generation {number} not found")
    return found


def _endpoints(asked: Asked) -> Object:
    name = asked.path.removeprefix(f"{OPENROUTER_PATH}/models/").removesuffix("/endpoints")
    listed = asked.served.get(f"{OPENROUTER_PATH}/models")
    found = catalogue.openrouter_endpoints(name, listed, measured=asked.has_key)
    if found is None:
        raise RefusedError(404, f"Model {name} not found")
    return found


def _credits(asked: Asked) -> Object:
    if not asked.key.get("is_management_key"):
        raise RefusedError(403, "Only management keys can perform this operation")
    return catalogue.openrouter_credits(asked.charges)


def _show(asked: Asked) -> Object:
    if not asked.model:
        raise RefusedError(400, "model is required")
    if is_unknown(asked.model):
        raise RefusedError(404, model=asked.model)
    return catalogue.ollama_show(asked.model)


def _pull(asked: Asked) -> Object | Reply:
    if not asked.model:
        raise RefusedError(400, "model is required")
    fails = is_unknown(asked.model)
    if asked.data.get("stream") is not False:
        return Reply(raw_chunks=catalogue.ollama_pull(fails=fails), content_type="application/x-ndjson")
    if fails:
        raise RefusedError(500, "pull model manifest: file does not exist")
    return {"status": "success"}


def _running(_: Asked) -> Reply:
    return Reply(body=b"Ollama is running", content_type="text/plain; charset=utf-8")


def _fixed(document: Callable[[], Object]) -> Page:
    return lambda _: document()


_ROUTES = {
    f"{OPENROUTER_PATH}/models": Route(page=_fixed(catalogue.openrouter_models)),
    f"{OPENROUTER_PATH}/key": Route(
        page=lambda asked: catalogue.openrouter_key(asked.charges, asked.key), needs_key=True
    ),
    f"{OPENROUTER_PATH}/credits": Route(page=_credits, needs_key=True),
    f"{OPENROUTER_PATH}/generation": Route(page=_generation, needs_key=True),
    f"{OPENAI_PATH}/models": Route(page=_fixed(catalogue.openai_models), needs_key=True),
    "/": Route(page=_running),
    "/api/version": Route(page=_fixed(catalogue.ollama_version)),
    "/api/tags": Route(page=_fixed(catalogue.ollama_tags)),
    "/api/ps": Route(page=_fixed(catalogue.ollama_running)),
    "/api/show": Route(page=_show, method="POST"),
    "/api/pull": Route(page=_pull, method="POST"),
}
