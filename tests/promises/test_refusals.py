"""What is refused before it is sent, because a catalogue says so; and the way round a catalogue that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmkit import ModelNotFound, Unsupported, get_model_info, list_models
from llmkit.operations.known_models import is_vendor_address
from llmkit.provider.registry import get_provider
from llmkit.testing.simulator import Simulator
from tests.conftest import KEY, Drive, model_at, url_of

#: A model without tools in each kept list of the simulator.
WITHOUT = {"openrouter": "meta-llama/llama-3.1-8b-instruct:free", "ollama": "gemma3:4b"}
SPEC = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def weather(city: str) -> str:
    """The weather in a city."""
    return city


def asked(sim: Simulator) -> list[dict[str, Any]]:
    """The bodies of the chat requests."""
    return [json.loads(request.body) for request in sim.requests if "chat" in request.path]


@pytest.mark.parametrize("provider", WITHOUT)
@pytest.mark.parametrize("tools", [[weather], [SPEC]], ids=["function", "dict"])
def test_tools_are_refused_where_the_list_says_that_there_are_none(
    sim: Simulator, drive: Drive, provider: str, tools: list[Any]
) -> None:
    """Once the list is known, the call is refused and nothing is sent; the error says what else can be done."""
    list_models(provider, base_url=url_of(sim, provider), api_key=KEY)
    model = drive.make(sim, provider, WITHOUT[provider])
    with pytest.raises(Unsupported, match="has no tools") as caught:
        drive.ask(model, tools=tools)
    assert caught.value.model == WITHOUT[provider]
    for way in ("supports=", "refresh=True", "extra_body"):
        assert way in caught.value.hint
    assert not asked(sim)


@pytest.mark.parametrize("provider", WITHOUT)
def test_a_wrong_list_can_be_got_round(sim: Simulator, drive: Drive, provider: str) -> None:
    """Tools in `extra_body` go out unchecked."""
    list_models(provider, base_url=url_of(sim, provider), api_key=KEY)
    drive.ask(drive.make(sim, provider, WITHOUT[provider]), extra_body={"tools": [SPEC]})
    assert asked(sim)[0]["tools"] == [SPEC]


@pytest.mark.parametrize("provider", WITHOUT)
def test_what_is_not_known_is_not_refused(sim: Simulator, drive: Drive, provider: str) -> None:
    """Without a list nothing is known, and the service decides."""
    drive.ask(drive.make(sim, provider, WITHOUT[provider]), tools=[weather])
    assert asked(sim)[0]["tools"][0]["function"]["name"] == "weather"


def test_the_snapshot_refuses_at_the_vendors_own_addresses() -> None:
    """The dated table speaks of the vendor's default address and its other ones, and of no other server."""
    openai = get_provider("openai")
    for url in ("https://api.openai.com/v1", "https://eu.api.openai.com/v1", "https://us.api.openai.com/v1"):
        assert is_vendor_address(openai, url)
    for url in ("http://localhost:8000/v1", "https://api.openai.com.evil.example/v1", "https://eu.api.openai.com/v2", ""):
        assert not is_vendor_address(openai, url)


@pytest.mark.parametrize("provider", WITHOUT)
def test_a_model_tells_what_is_known_of_it(sim: Simulator, provider: str) -> None:
    """Nothing before a list was fetched; then the row of the list. Asking costs no request."""
    with model_at(sim, provider, WITHOUT[provider]) as model:
        assert model.info is None
        list_models(provider, base_url=url_of(sim, provider), api_key=KEY)
        count = len(sim.requests)
        assert model.info is not None
        assert (model.info.id, model.info.supports_tools) == (WITHOUT[provider], False)
        assert len(sim.requests) == count


def test_a_retired_model_names_its_successors(sim: Simulator) -> None:
    """An id that has left the catalogue is answered with what to take instead, as far as that is in the list."""
    heirs = get_provider("openrouter").successors("anthropic/claude-2")
    assert heirs
    row = {"id": heirs[0], "pricing": {"prompt": "0", "completion": "0"}}
    sim.serve("/api/v1/models", {"data": [row, {"id": "anthropic/claude-22"}]})
    with pytest.raises(ModelNotFound) as caught:
        get_model_info("openrouter", "anthropic/claude-2", base_url=sim.openrouter_url, api_key=KEY)
    assert caught.value.hint == f"It has left the catalogue; take {heirs[0]}"
