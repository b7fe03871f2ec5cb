"""The simulator's documents that a test puts there: catalogues, keys, credits; and scripts over them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import pytest

from llmkit.testing.simulator import Reply

if TYPE_CHECKING:
    from llmkit.testing.simulator import Simulator

ROW: Final = {
    "id": "acme/one:free",
    "canonical_slug": "acme/one-20260101",
    "name": "One",
    "context_length": 5,
    "top_provider": {"max_completion_tokens": 3},
    "pricing": {"prompt": "0.5", "completion": "1"},
    "supported_parameters": ["tools"],
}
CATALOGUE: Final = {"data": [ROW]}


def get(sim: Simulator, path: str, key: str | None = "sk-any") -> tuple[int, Any]:
    """Status and document of a GET."""
    request = urllib.request.Request(sim.url + path)
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize("form", [CATALOGUE, json.dumps(CATALOGUE), json.dumps(CATALOGUE).encode()])
@pytest.mark.parametrize("path", ["/api/v1/models", "/v1/models", "/api/tags", "/somewhere/else"])
def test_a_document_is_served_as_it_is(sim: Simulator, path: str, form: Any) -> None:
    """From now on, at a path of the simulator's or at a new one; `reset` ends it."""
    before = get(sim, path)
    sim.serve(path, form)
    assert get(sim, path) == get(sim, path) == (200, CATALOGUE)
    sim.reset()
    assert get(sim, path) == before


def test_a_served_document_is_behind_the_same_key(sim: Simulator) -> None:
    """Where the usual page asks for a key, this one does; OpenRouter's catalogue needs none."""
    for path in ("/v1/models", "/api/v1/models"):
        sim.serve(path, CATALOGUE)
    assert get(sim, "/v1/models", None)[0] == get(sim, "/v1/models", "sk-bad-key")[0] == 401
    assert get(sim, "/api/v1/models", None)[0] == 200


def test_the_script_comes_first(sim: Simulator) -> None:
    """A scripted failure replaces the document once, a scripted success decorates it."""
    sim.serve("/api/v1/models", CATALOGUE)
    sim.script_for("/api/v1/models", Reply(status=503), Reply(headers={"x-mark": "yes"}, trickle=7, trickle_delay=0))
    assert get(sim, "/api/v1/models")[0] == 503
    assert get(sim, "/api/v1/models") == (200, CATALOGUE)
    assert len(sim.requests) == 2


@pytest.mark.parametrize("name", ["acme/one:free", "acme/one-20260101"])
def test_served_models_have_endpoints(sim: Simulator, name: str) -> None:
    """One for each model of the served catalogue; the simulator's own models are gone."""
    sim.serve("/api/v1/models", CATALOGUE)
    status, document = get(sim, f"/api/v1/models/{name}/endpoints")
    assert status == 200
    (endpoint,) = document["data"]["endpoints"]
    assert (endpoint["provider_name"], endpoint["tag"], endpoint["context_length"]) == ("Acme", "acme", 5)
    assert (endpoint["max_completion_tokens"], endpoint["pricing"]) == (3, ROW["pricing"])
    assert get(sim, "/api/v1/models/openai/gpt-4o/endpoints")[0] == 404


def test_only_a_key_sees_how_fast_an_endpoint_is(sim: Simulator) -> None:
    """As with OpenRouter: latency and throughput are null without a key."""
    path = "/api/v1/models/openai/gpt-4o/endpoints"
    with_key, without = (get(sim, path, key)[1]["data"]["endpoints"][0] for key in ("sk-any", None))
    assert with_key["latency_last_30m"]["p50"] == 420
    assert without["latency_last_30m"] is without["throughput_last_30m"] is None


def test_the_key_is_what_the_test_says(sim: Simulator) -> None:
    """Fields that are given go over the usual answer; a wrong key is refused all the same."""
    sim.set_key(limit=10, limit_remaining=2.5)
    made = get(sim, "/api/v1/key")[1]["data"]
    assert (made["limit"], made["limit_remaining"], made["is_free_tier"]) == (10, 2.5, False)
    assert get(sim, "/api/v1/key", "sk-bad-key")[0] == 401


def test_only_a_management_key_sees_credits(sim: Simulator) -> None:
    """403 for any other."""
    assert get(sim, "/api/v1/credits")[0] == 403
    sim.set_key(is_management_key=True)
    assert get(sim, "/api/v1/credits") == (200, {"data": {"total_credits": 100, "total_usage": 0}})
    assert get(sim, "/api/v1/credits", None)[0] == 401
