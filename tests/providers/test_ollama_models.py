"""Ollama's models: what the list, the description and the list of loaded models become, and how names compare."""

from __future__ import annotations

import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from llmkit import ConnectionLost, LLMError, MalformedResponse, ModelNotFound
from llmkit.provider.exchange import HTTPReply
from llmkit.provider.interface import BaseProvider, Call
from llmkit.provider.operations import Operation, SupportsKeyCheck, SupportsModels, SupportsPull, SupportsVersion
from llmkit.provider.registry import get_provider
from llmkit.testing.simulator import Reply, Simulator
from llmkit.types.model_info import ModelInfo
from llmkit.types.pricing import Pricing
from llmkit_ollama.names import ALIASES, is_cloud_model, normalise_name

from .asking import asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Drive

T = TypeVar("T")
SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
RECORDED: Final = SHARED / "wire" / "ollama.jsonl"
PROVIDER: Final[Any] = get_provider("ollama")
FREE: Final = Pricing({"prompt": Decimal(0), "completion": Decimal(0)})
UNKNOWN: Final = Pricing()


def carried_out(drive: Drive, sim: Simulator, operation: Callable[[], Operation[T]]) -> T:
    """The result of an operation against the simulator."""
    return asked(drive, PROVIDER, sim.ollama_url, operation, key=None)


def answered(operation: Any, **replies: Any) -> Any:
    """The result of an operation to which each path is answered by a document, or by an error."""
    try:
        request = next(operation)
        while True:
            answer = replies[request.path.rpartition("/")[2]]
            if isinstance(answer, LLMError):
                request = operation.throw(answer)
            else:
                request = operation.send(HTTPReply(200, {}, json.dumps(answer).encode()))
    except StopIteration as stop:
        return stop.value


def row(name: str, **more: Any) -> dict[str, Any]:
    """A row of the list, as a server of 2026 gives it."""
    details = {"format": "gguf", "family": "llama", "parameter_size": "8.0B", "quantization_level": "Q4_K_M"}
    return {"name": name, "model": name, "size": 5, "details": details, "capabilities": ["completion"], **more}


def listed(*rows: dict[str, Any], **replies: Any) -> Any:
    """What becomes of a list of models of which none is loaded."""
    own = {"tags": {"models": list(rows)}, "ps": {"models": []}, "show": LLMError("no such page", status=404)}
    return answered(PROVIDER.list_models(), **{**own, **replies})


def test_the_provider_declares_what_it_can() -> None:
    """Ollama lists and fetches models and tells its version; there is no key to check, and none is needed to list."""
    for protocol in (SupportsModels, SupportsPull, SupportsVersion):
        assert isinstance(PROVIDER, protocol)
    assert not isinstance(PROVIDER, SupportsKeyCheck)
    assert PROVIDER.models_need_key is False


# --- The list


def test_the_list_is_asked_once_and_each_model_for_its_context(sim: Simulator, drive: Drive) -> None:
    """One request lists, one says what is loaded; each model on the machine is asked for its context, a stub is not."""
    found = {info.id: info for info in carried_out(drive, sim, lambda: PROVIDER.list_models())}
    paths = [(request.method, request.path) for request in sim.requests]
    here = [info for info in found.values() if info.is_free]
    assert paths == [("GET", "/api/tags"), ("GET", "/api/ps"), *[("POST", "/api/show")] * len(here)]
    assert len(here) == len(found) - 1
    first = found["llama3.1:latest"]
    assert first.context_length == 131_072
    assert (first.provider, first.created, first.size) == ("ollama", date(2026, 1, 1), 2_000_000_000)
    assert (first.running_context, found["qwen3:4b"].running_context) == (4096, None)
    assert first.extra["quantization"] == "Q4_K_M"
    assert first.extra["parameter_size"] == "8.0B"
    assert (first.pricing, first.is_free) == (FREE, True)


def test_an_older_server_is_asked_about_each_model(sim: Simulator, drive: Drive) -> None:
    """Where the list lacks the capabilities, each model's description has them; one that fails stays unknown."""
    rows = [
        {key: value for key, value in row(name).items() if key != "capabilities"}
        for name in ("llama3.1:latest", "no-such:latest", "qwen3:4b")
    ]
    sim.serve("/api/tags", {"models": rows})
    first, second, third = carried_out(drive, sim, lambda: PROVIDER.list_models())
    assert [request.path for request in sim.requests] == ["/api/tags", "/api/ps", *["/api/show"] * 3]
    assert (first.supports_tools, first.context_length) == (True, 131_072)
    assert (second.supports_tools, second.context_length, second.capabilities) == (None, None, {})
    assert (third.supports_reasoning, third.context_length) == (True, 40_960)


def test_a_server_that_goes_away_is_not_asked_again_and_again() -> None:
    """When the connection breaks, the models that are left stay undescribed: each request would take as long."""
    rows = [{key: value for key, value in row(f"m{n}").items() if key != "capabilities"} for n in range(3)]
    found = listed(*rows, show=ConnectionLost("gone"))
    assert [info.capabilities for info in found] == [{}, {}, {}]


@pytest.mark.parametrize("answer", [LLMError("no such page", status=404), {"models": None}, {"models": "x"}, {}])
def test_the_list_does_not_need_the_loaded_ones(answer: Any) -> None:
    """A server that does not say what is loaded has a list all the same."""
    (info,) = listed(row("m:latest"), ps=answer)
    assert info.running_context is None


def test_an_empty_list_asks_no_more(sim: Simulator, drive: Drive) -> None:
    """A server without models is asked once."""
    sim.serve("/api/tags", {"models": None})
    assert carried_out(drive, sim, lambda: PROVIDER.list_models()) == []
    assert len(sim.requests) == 1


@pytest.mark.parametrize("body", [b"<html>hello</html>", b'{"models": 7}', b"[]", b"{}"])
def test_what_is_no_list_is_an_error(sim: Simulator, drive: Drive, body: bytes) -> None:
    """Another server at the address is not taken for one without models."""
    sim.serve("/api/tags", body)
    with pytest.raises(MalformedResponse):
        carried_out(drive, sim, lambda: PROVIDER.list_models())


CAPABLE: Final[list[tuple[list[Any], dict[str, bool | None]]]] = [
    (["completion"], {"completion": True, "tools": False, "vision": False, "reasoning": False, "json": True}),
    (["completion"], {"json_schema": True, "logprobs": True, "audio": False, "files": False, "video": False}),
    (["completion", "tools"], {"tools": True, "embedding": False, "insert": False}),
    (["completion", "vision", "audio"], {"vision": True, "audio": True, "files": False}),
    (["completion", "thinking", "insert"], {"reasoning": True, "insert": True}),
    (["embedding"], {"embedding": True, "completion": False, "json": False, "json_schema": False, "logprobs": False}),
    ([7, None, "completion", "telepathy"], {"completion": True, "tools": False, "seed": None}),
]


@pytest.mark.parametrize(("words", "wanted"), CAPABLE, ids=lambda value: str(value)[:40])
def test_capabilities_are_ollamas_own(words: list[Any], wanted: dict[str, bool | None]) -> None:
    """What the list says is yes or no; JSON, schemas and log probabilities are the server's, for every model that talks."""
    (info,) = listed(row("m:latest", capabilities=words))
    assert {name: info.supports(name) for name in wanted} == wanted


def test_modalities_follow_the_capabilities() -> None:
    """What goes in and what comes out is read from the capabilities."""
    seeing, embedding, drawing = listed(
        row("a", capabilities=["completion", "vision"]),
        row("b", capabilities=["embedding"]),
        row("c", capabilities=["image"]),
    )
    assert (seeing.input_modalities, seeing.output_modalities) == ({"text", "image"}, {"text"})
    assert (embedding.output_modalities, drawing.output_modalities) == ({"embeddings"}, {"image"})


CLOUD: Final[list[dict[str, Any]]] = [
    row("gpt-oss:120b-cloud"),
    row("glm-4.6:cloud"),
    row("mine:latest", remote_host="https://ollama.com:443", remote_model="gpt-oss:120b"),
    row("gpt-oss:120b", details={"format": "", "family": "", "parameter_size": ""}),
]


@pytest.mark.parametrize("given", CLOUD, ids=lambda given: given["name"])
def test_a_cloud_model_has_no_known_price(given: dict[str, Any]) -> None:
    """A model of the cloud is not free, its price is not known; it takes no form, and of logprobs nothing is said."""
    (info,) = listed(given)
    assert (info.pricing, info.is_free) == (UNKNOWN, None)
    assert (info.supports_json, info.supports_json_schema, info.supports_logprobs) == (False, False, None)


@pytest.mark.parametrize(
    ("given", "day"),
    [
        ("2026-06-19T17:15:40.188240254-07:00", date(2026, 6, 19)),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        (None, None),
        (12, None),
    ],
)
def test_the_day_of_a_model(given: object, day: date | None) -> None:
    """The day when the model was changed, or nothing."""
    (info,) = listed(row("m", modified_at=given))
    assert info.created == day


JUNK: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ROWS: Final = st.dictionaries(
    st.sampled_from(["name", "model", "size", "details", "capabilities", "modified_at", "digest", "remote_host"]), JUNK
)


@given_by(st.lists(ROWS | JUNK, max_size=4), JUNK, JUNK)
def test_strange_rows_do_no_harm(rows: list[Any], show: Any, loaded: Any) -> None:
    """Whatever the rows hold, a row with a name is a model, another is none, and nothing else is raised."""
    found = listed(*rows, show={"model_info": show, "details": show, "parameters": show}, ps={"models": [loaded]})
    named = [item for item in rows if isinstance(item, dict)]
    assert len(found) == sum(
        any(isinstance(item.get(key), str) and item[key] for key in ("name", "model")) for item in named
    )
    for info in found:
        assert ModelInfo.from_dict(json.loads(json.dumps(info.to_dict()))) == info


# --- One model


def test_the_details_of_a_model(sim: Simulator, drive: Drive) -> None:
    """Description and loaded state together: the trained context, the one that it runs with, and what it can do."""
    info = carried_out(drive, sim, lambda: PROVIDER.model_details(ModelInfo("llama3.1:latest", "ollama")))
    assert [request.path for request in sim.requests] == ["/api/show", "/api/ps"]
    assert json.loads(sim.requests[0].body) == {"model": "llama3.1:latest"}
    assert (info.context_length, info.running_context) == (131_072, 4096)
    assert (info.extra["size_vram"], info.extra["expires_at"]) == (2_000_000_000, "2026-01-01T00:00:00Z")
    assert (info.supports_tools, info.supports_vision) == (True, False)


def test_a_model_that_is_no_longer_loaded_does_not_run() -> None:
    """What an earlier look said of the loaded model is not kept."""
    before = ModelInfo(
        "m:latest", "ollama", running_context=8192, extra={"size_vram": 5, "expires_at": "x", "family": "f"}
    )
    info = answered(PROVIDER.model_details(before), show={}, ps={"models": []})
    assert (info.running_context, info.extra) == (None, {"family": "f"})


def test_a_loaded_model_is_found_by_any_form_of_its_name() -> None:
    """The list of loaded models may name it in another form."""
    ps = {"models": [{"name": "LLAMA3.2:latest", "context_length": 8192}]}
    info = answered(PROVIDER.model_details(ModelInfo("llama3.2", "ollama")), show={}, ps=ps)
    assert info.running_context == 8192


@pytest.mark.parametrize(
    ("parameters", "num_ctx"),
    [
        ('stop                           "<|eot|>"\nnum_ctx                        8192', 8192),
        ('num_ctx "16384"', 16384),
        ('stop "num_ctx 5"', None),
        ("my_num_ctx 5", None),
        ("", None),
        (None, None),
        (8192, None),
    ],
)
def test_the_context_that_a_modelfile_sets(parameters: object, num_ctx: int | None) -> None:
    """The parameters of the description say the context that its maker chose."""
    info = answered(PROVIDER.model_details(ModelInfo("m", "ollama")), show={"parameters": parameters}, ps={})
    assert info.extra.get("num_ctx") == num_ctx


@pytest.mark.parametrize(
    ("told", "context"),
    [
        ({"general.architecture": "llama", "llama.context_length": 131072}, 131072),
        ({"general.architecture": "llama", "gemma.context_length": 131072}, None),
        ({"llama.context_length": 131072}, None),
        ({"general.architecture": "llama", "llama.context_length": "many"}, None),
        ({"general.architecture": "llama", "llama.context_length": 0}, None),
        (None, None),
    ],
)
def test_the_trained_context(told: object, context: int | None) -> None:
    """The context is that of the model's own architecture; where it is not said it is not known."""
    info = answered(PROVIDER.model_details(ModelInfo("m", "ollama")), show={"model_info": told}, ps={})
    assert info.context_length == context


def test_a_stub_of_the_cloud_is_seen_by_its_description(sim: Simulator, drive: Drive) -> None:
    """A cloud model is not free, and is not looked for among the loaded ones."""
    info = carried_out(drive, sim, lambda: PROVIDER.model_details(ModelInfo("gpt-oss:120b-cloud", "ollama")))
    assert (info.pricing, info.extra["remote_model"]) == (UNKNOWN, "gpt-oss:120b")
    assert [request.path for request in sim.requests] == ["/api/show"]


def test_a_model_that_is_not_there(sim: Simulator, drive: Drive) -> None:
    """An unknown model is an error of its own."""
    with pytest.raises(ModelNotFound):
        carried_out(drive, sim, lambda: PROVIDER.model_details(ModelInfo("no-such", "ollama")))


def test_the_version(sim: Simulator, drive: Drive) -> None:
    """The server's version, or nothing where it does not say one."""
    assert carried_out(drive, sim, lambda: PROVIDER.server_version()) == "0.33.0"
    sim.serve("/api/version", {})
    assert carried_out(drive, sim, lambda: PROVIDER.server_version()) is None


def test_an_error_of_the_list_does_not_name_a_pull(sim: Simulator, drive: Drive) -> None:
    """A server without the list says so, without advice about a model that nobody named."""
    sim.script_for("/api/tags", Reply(status=404, body=b'{"error": "model list not found"}'))
    with pytest.raises(LLMError) as caught:
        carried_out(drive, sim, lambda: PROVIDER.list_models())
    assert "ollama pull" not in str(caught.value)


# --- Names

SAME: Final = [
    ("llama3.2", "llama3.2:latest"),
    ("Llama3.2", "llama3.2:LATEST"),
    ("library/llama3.2", "llama3.2"),
    ("registry.ollama.ai/library/llama3.2:latest", "llama3.2"),
    ("someone/model", "someone/model:latest"),
    ("host:5000/model", "host:5000/model:latest"),
    ("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M", "hf.co/bartowski/llama-3.2-1b-instruct-gguf:q4_k_m"),
    ("llama3.2:local", "llama3.2"),
    ("gpt-oss:20b:local", "gpt-oss:20b"),
    ("gpt-oss:120b:cloud", "gpt-oss:120b-cloud"),
]
OTHER: Final = [
    ("qwen3", "qwen3:8b"),
    ("llama3.2", "llama3.1"),
    ("someone/llama3.2", "llama3.2"),
    ("gpt-oss:120b", "gpt-oss:120b-cloud"),
    ("host:5000/model", "host/model"),
]


@pytest.mark.parametrize(
    ("one", "other", "same"), [*((*pair, True) for pair in SAME), *((*pair, False) for pair in OTHER)]
)
def test_names_that_mean_the_same(one: str, other: str, same: bool) -> None:
    """Tag, registry, namespace and capitals are filled in as Ollama does it; a size is never guessed."""
    assert PROVIDER.same_model(one, other) is same
    assert PROVIDER.same_model(other, one) is same


@given_by(st.text("aB3.-_:/", max_size=20))
def test_the_normalise_name_of_a_normalise_name_is_itself(name: str) -> None:
    """Whatever is written, names compare by one form of them."""
    assert normalise_name(normalise_name(name)) == normalise_name(name)


def test_names_of_others_compare_as_they_are() -> None:
    """A backend that says nothing compares ids letter by letter."""
    assert BaseProvider.same_model(PROVIDER, "a", "a")
    assert not BaseProvider.same_model(PROVIDER, "a", "A")


@pytest.mark.parametrize(
    ("name", "cloud"),
    [
        ("gpt-oss:120b-cloud", True),
        ("glm-4.6:cloud", True),
        ("gpt-oss:120b:cloud", True),
        ("me/x:20b-CLOUD", True),
        ("gpt-oss:120b", False),
        ("my-cloud", False),
        ("cloud", False),
        ("my-cloud:latest", False),
    ],
)
def test_names_of_the_cloud(name: str, cloud: bool) -> None:
    """The tag says that a model runs in the cloud, and only the tag; its answers are not free."""
    assert is_cloud_model(name) is cloud
    assert PROVIDER.is_free(Call(name, (), local=True)) is not cloud


def test_aliases_lead_to_names_of_ollama() -> None:
    """A short name of another system becomes model and size; what it becomes is no alias itself."""
    assert PROVIDER.resolve_model("llama-3.1-8b") == "llama3.1:8b"
    assert PROVIDER.resolve_model("mixtral-8x7b") == "mixtral:8x7b"
    for short, name in ALIASES.items():
        assert ":" not in short
        model, _, size = name.partition(":")
        assert model
        assert size
        assert name not in ALIASES


# --- The recorded list


def test_the_recorded_list() -> None:
    """A list that a server really gave: every model, its size, its day and what its file is."""
    if not RECORDED.exists():
        pytest.skip(f"the recorded traffic is not here: no file {RECORDED} (LLMKIT_SHARED names another folder)")
    lines = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    (tags,) = [json.loads(line["response_body"]) for line in lines if line["url"].endswith("/api/tags")]
    found = answered(PROVIDER.list_models(), tags=tags, show=ModelNotFound("not here"), ps={"models": []})
    assert [(info.id, info.size) for info in found] == [
        ("all-minilm:latest", 45_960_996),
        ("qwen3:4b", 2_497_293_931),
        ("gemma3:4b", 3_338_801_804),
        ("llava:latest", 4_733_363_377),
        ("llama3.2:latest", 2_019_393_189),
    ]
    assert {info.is_free for info in found} == {True}
    assert found[0].created == date(2026, 6, 19)
    assert found[0].extra["quantization"] == "F16"
