"""Model lists of OpenAI and compatible services, and the table of limits and prices with a date."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from llmkit import AuthFailed, MalformedResponse, ModelInfo
from llmkit.provider.operations import SupportsKeyCheck, SupportsModels
from llmkit.provider.registry import get_provider
from llmkit.testing.simulator import Simulator
from llmkit_openai import OpenAIProvider, snapshot
from llmkit_openai.services import SERVICES

from .asking import answered, asked

if TYPE_CHECKING:
    from tests.conftest import Drive

ROOT: Final = Path(__file__).parents[2]
SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or ROOT.parent / "shared")
SOURCE: Final = SHARED / "prices" / "models-dev-2026-07-02.json"
PROVIDER: Final = OpenAIProvider("openai")
#: models.dev's price to the component of `Pricing`; each is said here anew, not taken from the script.
PRICES: Final = {
    "input": "prompt", "output": "completion", "cache_read": "input_cache_read", "cache_input": "input_cache_read",
    "cached_input": "input_cache_read", "cache_write": "input_cache_write", "cached_write": "input_cache_write",
    "input_audio": "audio", "output_audio": "audio_output", "reasoning": "internal_reasoning",
}  # fmt: skip
#: Every day that a model can have come on; the source has months and slips among its dates.
DAYS: Final = {str(date(2020, 1, 1) + timedelta(number)) for number in range(366 * 7)}


@lru_cache
def source() -> dict[str, dict[str, Any]]:
    """The table that the snapshot was made of."""
    if not SOURCE.exists():
        pytest.skip(f"the source of the snapshot is not here: no file {SOURCE} (LLMKIT_SHARED names another folder)")
    table: dict[str, dict[str, Any]] = json.loads(SOURCE.read_text("utf-8"), parse_float=Decimal)["providers"]
    return {name: table[name] for name in ("openai", *SERVICES) if name in table}


def one(row: dict[str, Any], name: str = "openai") -> ModelInfo:
    """The model of one row."""
    made, _ = answered(get_provider(name).list_models(), {"data": [{"id": "m", **row}]})  # type: ignore[attr-defined]
    return made[0]


# Lists


def test_openai_lists_its_models(sim: Simulator, drive: Drive) -> None:
    """The list is the service's own, ids in its order; nothing is made up."""
    made = asked(drive, PROVIDER, sim.openai_url, PROVIDER.list_models)
    assert sim.requests[0].path == "/v1/models"
    assert [model.id for model in made][:2] == ["gpt-4o", "gpt-4o-2024-08-06"]
    first = made[0]
    assert (first.provider, first.created, first.source) == ("openai", date(2026, 1, 1), "service")
    assert (first.context_length, first.pricing.is_known, first.supports_tools) == (None, False, None)


@pytest.mark.parametrize("key", [None, "sk-bad-0123456789"])
def test_the_list_needs_a_key(sim: Simulator, drive: Drive, key: str | None) -> None:
    """The provider says so, and the service refuses."""
    assert PROVIDER.models_need_key is True
    with pytest.raises(AuthFailed):
        asked(drive, PROVIDER, sim.openai_url, PROVIDER.list_models, key=key)


@pytest.mark.parametrize("name", ["openai", "groq", "vllm", "togetherai"])
def test_every_chat_provider_lists_models(name: str) -> None:
    """The list belongs to the dialect; there is no check of a key in it."""
    made = get_provider(name)
    assert isinstance(made, SupportsModels)
    assert not isinstance(made, SupportsKeyCheck)


def test_the_list_says_all() -> None:
    """There is nothing more to ask about one model."""
    row = ModelInfo("m")
    assert answered(PROVIDER.model_details(row)) == (row, [])


def test_a_bare_list_is_a_list() -> None:
    """Together answers without `data`."""
    made, _ = answered(PROVIDER.list_models(), [{"id": "a"}, {"id": "b"}])
    assert [model.id for model in made] == ["a", "b"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"context_window": 131072, "max_completion_tokens": 8192}, {"context_length": 131072, "max_output": 8192}),
        ({"max_model_len": 32768, "root": "x", "permission": []}, {"context_length": 32768, "extra": {"root": "x"}}),
        ({"display_name": "M", "context_length": 4096, "type": "chat"}, {"name": "M", "context_length": 4096}),
        (
            {"metadata": {"context_length": 9, "max_tokens": 5, "description": "d"}},
            {"context_length": 9, "max_output": 5, "description": "d"},
        ),
        (
            {"max_context_length": 7, "capabilities": {"function_calling": True, "vision": False}},
            {"context_length": 7, "supports_tools": True, "supports_vision": False},
        ),
        ({"supports_tools": True, "supports_image_input": True}, {"supports_tools": True, "supports_vision": True}),
        (
            {"deprecation": "2026-11-30T12:00:00Z", "deprecation_replacement_model": "n"},
            {"expires": date(2026, 11, 30), "replaced_by": "n"},
        ),
        ({"created": 0, "context_length": None}, {"created": None, "context_length": None}),
    ],
)
def test_the_rows_of_services_are_read(row: dict[str, Any], expected: dict[str, object]) -> None:
    """Each service has words of its own for the same things."""
    made = one(row, "groq")
    assert {name: getattr(made, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("pricing", "prompt"),
    [
        ({"prompt": "0.0000003", "completion": "0.0000006"}, Decimal("0.0000003")),
        ({"prompt": "0", "completion": "0"}, Decimal(0)),
        ({"prompt": "0.3", "completion": "0.6"}, None),
        ({"prompt": "0.0000003", "completion": "600"}, None),
        ({"prompt": 0.3, "completion": 0.6}, None),
        ({"input": 0.3, "output": 0.6}, None),
        ({"prompt": "0.0000003"}, None),
        (None, None),
    ],
)
def test_a_price_counts_only_in_openrouters_form(pricing: object, prompt: Decimal | None) -> None:
    """What may be USD per million, or anything else, is not taken for USD per token."""
    assert one({"pricing": pricing}).pricing["prompt"] == prompt


@pytest.mark.parametrize("body", [{}, {"data": 5}, {"object": "list"}, b"<html>", b"null"])
def test_an_answer_without_a_list_is_malformed(body: object) -> None:
    """A reply without a list of models is an error, never an empty list."""
    with pytest.raises(MalformedResponse):
        answered(PROVIDER.list_models(), body)


# The table


def test_the_snapshot_holds_every_model_of_its_source() -> None:
    """Every model, limit, flag and price of the services that have a name here, checked one by one."""
    count = 0
    able = able_somewhere()
    for service, models in source().items():
        for name, raw in models.items():
            made = snapshot.known_model(service, name)
            assert made is not None, (service, name)
            count += 1
            limit, kinds = raw["limit"], raw["modalities"]
            assert (made.id, made.provider, made.name) == (name, service, raw["name"])
            assert made.source == "snapshot 2026-07-02"
            assert made.context_length == (limit.get("context") or None)
            assert made.max_output == (limit.get("output") or None)
            for side in ("input", "output"):
                said = {"file" if kind == "pdf" else kind for kind in kinds.get(side, ())}
                assert getattr(made, f"{side}_modalities") == (said or None)
            doubted = name.lower().split(":")[0].split("/")[-1] in able
            assert made.supports_tools is (True if raw["tool_call"] else None if doubted else False)
            assert made.supports_reasoning is raw["reasoning"]
            assert made.supports_json_schema is raw.get("structured_output")
            assert made.extra.get("status") == raw.get("status")
            assert str(made.created) == (raw["release_date"] if raw["release_date"] in DAYS else "None")
            check_prices(made, raw.get("cost", {}))
    assert count == 3840


@lru_cache
def able_somewhere() -> frozenset[str]:
    """Models, by the last part of their name, of which at least one service says that they have tools."""
    source()
    table = json.loads(SOURCE.read_text("utf-8"))["providers"]
    rows = [(name, raw) for models in table.values() for name, raw in models.items()]
    return frozenset(name.lower().split(":")[0].split("/")[-1] for name, raw in rows if raw["tool_call"])


def test_a_no_that_others_contradict_is_not_known() -> None:
    """Tools that one service is said not to have, of a model that has them elsewhere, are not denied."""
    doubted = [get_provider("nano-gpt").known_model("openai/gpt-4o"), PROVIDER.known_model("gpt-3.5-turbo")]
    assert [made.supports_tools for made in doubted if made] == [None, None]
    denied = PROVIDER.known_model("text-embedding-3-small")
    assert denied is not None
    assert denied.supports_tools is False


def check_prices(made: ModelInfo, cost: dict[str, Any]) -> None:
    """Each price of the source is there per token, and no other."""
    known = {PRICES[key]: value for key, value in cost.items() if key in PRICES}
    unclear = {key: None for key in cost if key not in PRICES and key != "tiers"}
    assert {key: made.pricing.per_million(key) for key in made.pricing} == {
        "prompt": None, "completion": None, **known, **unclear,
    }, made  # fmt: skip
    tiers = cost.get("tiers") or []
    assert [override.min_prompt_tokens for override in made.pricing.overrides] == [
        tier["tier"]["size"] for tier in tiers
    ]
    for tier, override in zip(tiers, made.pricing.overrides, strict=True):
        prices = {PRICES[key]: value / Decimal(1_000_000) for key, value in tier.items() if key != "tier"}
        assert dict(override.components) == prices


def test_the_snapshot_is_what_the_script_makes(tmp_path: Path) -> None:
    """The file in the package is the script's own, byte for byte; it says where it is from."""
    source()
    target = ROOT / "providers" / "llmkit_openai" / "models.json"
    script = (ROOT / "scripts" / "make_models.py").read_text("utf-8")
    made = tmp_path / "scripts" / "make_models.py"
    made.parent.mkdir()
    made.write_text(script, "utf-8")
    folder = tmp_path / "providers" / "llmkit_openai"
    folder.mkdir(parents=True)
    (folder / "services.json").write_bytes((target.parent / "services.json").read_bytes())
    subprocess.run([sys.executable, str(made), str(SOURCE)], check=True, capture_output=True)
    assert (folder / "models.json").read_bytes() == target.read_bytes()
    head = json.loads(target.read_text("utf-8"))
    assert (head["date"], head["licence"]) == ("2026-07-02", "models.dev, MIT licence, Copyright (c) 2025 models.dev")


def test_providers_know_their_own_models() -> None:
    """OpenAI and each service answer from their part of the table; a name that is not there is not known."""
    known = PROVIDER.known_model("gpt-4o")
    assert known is not None
    assert (known.context_length, known.pricing["prompt"]) == (128_000, Decimal("0.0000025"))
    assert PROVIDER.known_model("gpt-nothing") is None
    groq = get_provider("groq").known_model("llama-3.3-70b-versatile")
    assert groq is not None
    assert groq.target == "groq:llama-3.3-70b-versatile"
    assert get_provider("vllm").known_model("gpt-4o") is None


def test_what_the_table_leaves_open_stays_open() -> None:
    """Where the source says nothing of structured output, nobody knows; single parameters are not known either."""
    source()
    groq = get_provider("groq").known_model("llama-3.1-8b-instant")
    assert groq is not None
    assert groq.supported_parameters is None
    assert groq.supports("temperature") is None
    silent = next(
        made
        for name, raw in source()["groq"].items()
        if "structured_output" not in raw and (made := snapshot.known_model("groq", name))
    )
    assert (silent.supports_json_schema, silent.supports_json) == (None, None)


def test_a_listed_model_is_joined_with_the_table(sim: Simulator, drive: Drive) -> None:
    """What the service says stands, the table fills what it leaves open, and the source names both."""
    listed = asked(drive, PROVIDER, sim.openai_url, PROVIDER.list_models)[0]
    made = listed.joined(PROVIDER.known_model(listed.id))
    assert made.source == "service, snapshot 2026-07-02"
    assert made.created == date(2026, 1, 1)
    assert (made.context_length, made.supports_tools) == (128_000, True)
    assert made.pricing["completion"] == Decimal("0.00001")
    assert listed.joined(None) is listed


def test_the_services_word_outranks_the_table() -> None:
    """A capability, a limit and prices that the service states are not replaced."""
    known = ModelInfo("m", context_length=5, capabilities={"tools": True, "reasoning": True}, source="snapshot")
    listed = ModelInfo("m", context_length=7, supported_parameters=frozenset({"temperature"}))
    made = listed.joined(known)
    assert (made.context_length, made.supports_tools, made.supports_reasoning) == (7, False, False)


def test_the_table_is_read_once() -> None:
    """Every look-up of a model gives the same row."""
    assert snapshot.known_model("openai", "gpt-4o") is snapshot.known_model("openai", "gpt-4o")


def test_creating_a_provider_reads_no_table() -> None:
    """The table is for those who ask."""
    program = """if True:
        import sys
        from llmkit import create_language
        create_language("openai", "gpt-4o", api_key="k"), create_language("groq", "m", api_key="k")
        create_language("openrouter", "a/b", api_key="k")
        names = {"llmkit_openai.snapshot", "llmkit_openrouter.catalogue", "llmkit.wire.model_rows", "llmkit.wire.prices"}
        print(sorted(names & set(sys.modules)))
        from llmkit_openrouter import names
        print(names._load_tables.cache_info().misses)"""
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert said.split("\n")[:2] == ["[]", "0"]
