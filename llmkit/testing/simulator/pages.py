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
_UNKNOWN_PREFIX = "no-such"


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
class PageRequest:
    """A request for a page, with what the page may look at."""

    path: str
    query: Mapping[str, str]
    data: Object
    """The request's body, if it is an object."""
    charges: Sequence[Charge]
    served: Mapping[str, bytes] = field(default_factory=dict)
    """Path to the document that a test put there."""
    key: Object = field(default_factory=dict)
    """Fields of `GET /key` that a test has set."""
    has_key: bool = False

    @property
    def model(self) -> str:
        """The model in the body, by its new name or its old one."""
        return as_text(self.data.get("model")) or as_text(self.data.get("name"))


Page: TypeAlias = Callable[[PageRequest], "Object | Reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one path is served."""

    page: Page
    method: str = "GET"
    needs_key: bool = False


def is_unknown(model: str) -> bool:
    """Return whether a model does not exist: its name, or its slug after the author, begins with "no-such"."""
    return model.startswith(_UNKNOWN_PREFIX) or model.rsplit("/", 1)[-1].startswith(_UNKNOWN_PREFIX)


def find_route(path: str) -> Route | None:
    """Return the route of `path`; None if there is none."""
    if path.startswith(f"{OPENROUTER_PATH}/models/") and path.endswith("/endpoints"):
        return Route(page=_show_endpoints)
    return _ROUTES.get(path)


def _show_generation(request: PageRequest) -> Object:
    number = request.query.get("id", "")
    document = catalogue.build_openrouter_generation(request.charges, number)
    if document is None:
        raise RefusedError(404, f"Generation {number} not found")
    return document


def _show_endpoints(request: PageRequest) -> Object:
    name = request.path.removeprefix(f"{OPENROUTER_PATH}/models/").removesuffix("/endpoints")
    served = request.served.get(f"{OPENROUTER_PATH}/models")
    document = catalogue.build_openrouter_endpoints(name, served, measured=request.has_key)
    if document is None:
        raise RefusedError(404, f"Model {name} not found")
    return document


def _show_credits(request: PageRequest) -> Object:
    if not request.key.get("is_management_key"):
        raise RefusedError(403, "Only management keys can perform this operation")
    return catalogue.build_openrouter_credits(request.charges)


def _show_model(request: PageRequest) -> Object:
    if not request.model:
        raise RefusedError(400, "model is required")
    if is_unknown(request.model):
        raise RefusedError(404, model=request.model)
    return catalogue.build_ollama_show(request.model)


def _show_pull(request: PageRequest) -> Object | Reply:
    if not request.model:
        raise RefusedError(400, "model is required")
    fails = is_unknown(request.model)
    if request.data.get("stream") is not False:
        return Reply(raw_chunks=catalogue.build_ollama_pull(fails=fails), content_type="application/x-ndjson")
    if fails:
        raise RefusedError(500, "pull model manifest: file does not exist")
    return {"status": "success"}


def _show_running(_: PageRequest) -> Reply:
    return Reply(body=b"Ollama is running", content_type="text/plain; charset=utf-8")


def _make_fixed_page(document: Callable[[], Object]) -> Page:
    return lambda _: document()


_ROUTES = {
    f"{OPENROUTER_PATH}/models": Route(page=_make_fixed_page(catalogue.build_openrouter_models)),
    f"{OPENROUTER_PATH}/key": Route(
        page=lambda asked: catalogue.build_openrouter_key(asked.charges, asked.key), needs_key=True
    ),
    f"{OPENROUTER_PATH}/credits": Route(page=_show_credits, needs_key=True),
    f"{OPENROUTER_PATH}/generation": Route(page=_show_generation, needs_key=True),
    f"{OPENAI_PATH}/models": Route(page=_make_fixed_page(catalogue.build_openai_models), needs_key=True),
    "/": Route(page=_show_running),
    "/api/version": Route(page=_make_fixed_page(catalogue.build_ollama_version)),
    "/api/tags": Route(page=_make_fixed_page(catalogue.build_ollama_tags)),
    "/api/ps": Route(page=_make_fixed_page(catalogue.build_ollama_running)),
    "/api/show": Route(page=_show_model, method="POST"),
    "/api/pull": Route(page=_show_pull, method="POST"),
}
