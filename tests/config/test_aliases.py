"""Short names of models and the successors of retired ones: tables with a date, held to the recorded catalogue."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from llmkit import LLMError, ModelNotFound, create_language
from llmkit.provider.registry import get_provider
from llmkit.testing.simulator import Reply, Simulator
from llmkit_openai.services import SERVICES
from llmkit_openrouter import OpenRouterProvider, names
from tests.conftest import KEY, Drive

ROOT: Final = Path(__file__).parents[2]
SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or ROOT.parent / "shared")
CATALOGUE: Final = SHARED / "openrouter" / "models-2026-08.json"
RETIRED: Final = names.list_retired()
#: The short names that users of ai-mem know, and what they stand for there.
KNOWN: Final = {
    "gpt-4o": "openai/gpt-4o",
    "gpt-4o-mini": "openai/gpt-4o-mini",
    "gpt-4-turbo": "openai/gpt-4-turbo",
    "claude-3.5-sonnet": "anthropic/claude-3.5-sonnet",
    "claude-3-opus": "anthropic/claude-3-opus",
    "claude-3-haiku": "anthropic/claude-3-haiku",
    "gemini-pro": "google/gemini-pro",
    "gemini-1.5-pro": "google/gemini-pro-1.5",
    "gemini-1.5-flash": "google/gemini-flash-1.5",
    "llama-3.1-70b": "meta-llama/llama-3.1-70b-instruct",
    "llama-3.1-8b": "meta-llama/llama-3.1-8b-instruct",
    "mistral-large": "mistralai/mistral-large",
    "mixtral-8x7b": "mistralai/mixtral-8x7b-instruct",
}


@lru_cache
def catalogue() -> frozenset[str]:
    """The ids of the recorded catalogue."""
    if not CATALOGUE.exists():
        pytest.skip(f"OpenRouter's catalogue is not here: no file {CATALOGUE} (LLMKIT_SHARED names another folder)")
    return frozenset(row["id"] for row in json.loads(CATALOGUE.read_text("utf-8"))["data"])


def test_every_alias_stands_for_a_model_that_is_there_or_has_successors() -> None:
    """Each target is in the catalogue, or listed as retired."""
    assert {name for name, model in names.ALIASES.items() if model not in catalogue() | RETIRED.keys()} == set()


def test_every_retired_model_is_gone_and_its_successors_are_there() -> None:
    """The table of retired models says nothing that the catalogue does not."""
    assert catalogue().isdisjoint(RETIRED)
    assert {model for model, after in RETIRED.items() if not after or not catalogue().issuperset(after)} == set()


def test_the_default_model_is_there() -> None:
    """A program that names no model gets one that exists."""
    assert OpenRouterProvider.default_model in catalogue()


def test_models_of_the_replaced_systems_have_successors() -> None:
    """Every id in the documents of those systems that is gone is known as retired."""
    path = SHARED / "reference" / "five-systems.md"
    if not path.exists():
        pytest.skip(f"the reference is not here: no file {path} (LLMKIT_SHARED names another folder)")
    vendors = {model.split("/")[0] for model in (*catalogue(), *RETIRED)}
    found = {
        name
        for name in re.findall(
            r"(?<![\w/])[a-z0-9-]+/[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::free)?(?![\w/.-])", path.read_text("utf-8")
        )
        if name.split("/")[0] in vendors
    }
    assert "qwen/qwen-2-7b-instruct:free" in found
    assert {name for name in found if name not in catalogue() | RETIRED.keys()} == set()


@pytest.mark.parametrize(("name", "model"), KNOWN.items())
def test_a_short_name_goes_out_as_the_id(sim: Simulator, name: str, model: str) -> None:
    """The request bears the id, and the model that was made says it."""
    with create_language("openrouter", name, base_url=sim.openrouter_url, api_key=KEY) as language:
        language.chat_complete("hello")
    assert sim.requests[0].model == model


def test_an_id_is_no_alias() -> None:
    """What has a slash goes as it is, and so does a name that is not in the table."""
    provider = get_provider("openrouter")
    assert provider.resolve_model("openai/gpt-4o") == "openai/gpt-4o"
    assert provider.resolve_model("nothing") == "nothing"
    assert [name for name in names.ALIASES if "/" in name] == []
    assert [name for name, model in names.ALIASES.items() if "/" not in model or model in names.ALIASES] == []


@pytest.mark.parametrize("error", [{"code": 404, "message": "No endpoints found for it."}, None])
@pytest.mark.parametrize(
    "model", ["google/gemini-pro", "gemini-pro", "google/gemini-pro:nitro", "meta-llama/llama-3.2-3b-instruct:free"]
)
def test_the_error_of_a_retired_model_names_its_successors(
    sim: Simulator, drive: Drive, mode: str, model: str, error: dict[str, object] | None
) -> None:
    """Whichever words OpenRouter has for it."""
    resolved = names.ALIASES.get(model, model)
    retired = resolved.removesuffix(":nitro")
    sim.script_for(resolved, Reply(status=404, error=error))
    made = drive.failure(drive.make(sim, "openrouter", model), mode)
    assert isinstance(made, ModelNotFound)
    assert resolved in made.hint
    assert all(after in str(made) for after in RETIRED[retired])


def test_what_openrouter_suggests_is_said_too(sim: Simulator, drive: Drive) -> None:
    """Its own fallback models stand beside the successors."""
    availability = {"code": "model_deprecated", "fallback_models": ["x/y"]}
    sim.script(Reply(status=404, error={"code": 404, "message": "gone", "availability": availability}))
    made = drive.failure(drive.make(sim, "openrouter", "google/gemini-pro"))
    assert "Try x/y" in made.hint
    assert "~google/gemini-pro-latest" in made.hint


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a/b", "a/b:nitro", True),
        ("a/b:free", "a/b:free:online", True),
        ("a/b:floor", "a/b:exacto:nitro", True),
        ("a/b", "a/b:free", False),
        ("a/b:thinking", "a/b", False),
        ("a/b", "a/c:nitro", False),
    ],
)
def test_a_suffix_that_only_routes_is_not_part_of_the_model(one: str, other: str, same: bool) -> None:
    """Those that stand for a price or a mode of their own are."""
    provider = get_provider("openrouter")
    assert provider.same_model(one, other) is provider.same_model(other, one) is same


@pytest.mark.parametrize(("model", "status"), [("openai/gpt-4o", 404), ("google/gemini-pro", 429)])
def test_no_successors_where_they_do_not_help(sim: Simulator, drive: Drive, model: str, status: int) -> None:
    """A model that is not retired has none, and another failure is not about the name."""
    sim.script(*[Reply(status=status)] * 5)
    made: LLMError = drive.failure(drive.make(sim, "openrouter", model))
    assert "has left" not in str(made)


@pytest.mark.parametrize("service", [name for name in SERVICES if get_provider(name).aliases])
def test_aliases_of_services_are_models_of_theirs(service: str) -> None:
    """Each target is in the table of limits and prices, and no alias hides a model of that name."""
    provider = get_provider(service)
    for name, model in provider.aliases.items():
        assert provider.resolve_model(name) == model
        assert provider.known_model(model) is not None
        assert provider.known_model(name) is None


def test_a_service_has_aliases() -> None:
    """The rows of data may hold them."""
    assert get_provider("groq").resolve_model("llama-3.3-70b") == "llama-3.3-70b-versatile"
