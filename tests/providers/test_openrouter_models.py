"""OpenRouter's catalogue, endpoints and key: whole, exact, and lenient about single fields."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import AuthFailed, KeyInfo, LLMError, MalformedResponse, ModelInfo
from llmkit.provider.operations import SupportsKeyCheck, SupportsModels
from llmkit.testing.simulator import Reply, Simulator
from llmkit_openrouter import OpenRouterProvider

from .asking import answered, asked

if TYPE_CHECKING:
    from tests.conftest import Drive

SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or Path(__file__).parents[3] / "shared")
FOLDER: Final = SHARED / "openrouter"
CATALOGUES: Final = {"models-2025.json": 321, "models-2026-08.json": 414}
PROVIDER: Final = OpenRouterProvider("openrouter")


def recorded(name: str) -> bytes:
    """A recorded answer, or a skip."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"OpenRouter's recorded answers are not here: no file {path} (LLMKIT_SHARED names another folder)")
    return path.read_bytes()


def one(row: dict[str, Any]) -> ModelInfo:
    """The model of one row, beside `id`."""
    made, _ = answered(PROVIDER.list_models(), {"data": [{"id": "a/b", **row}]})
    return made[0]


def worth(written: str) -> Decimal | None:
    """A price, by a way of its own: digits and a point."""
    if written.startswith("-"):
        return None
    whole, _, part = written.partition(".")
    return Decimal(int(whole + part)) / (10 ** len(part))


def test_the_provider_declares_what_it_can() -> None:
    """Models without a key, and a check of the key."""
    assert isinstance(PROVIDER, SupportsModels)
    assert isinstance(PROVIDER, SupportsKeyCheck)
    assert PROVIDER.models_need_key is False


@pytest.mark.parametrize(("name", "count"), CATALOGUES.items())
def test_a_recorded_catalogue_parses_whole(sim: Simulator, drive: Drive, name: str, count: int) -> None:
    """Every model of the real answers is there, in order, with every price to its last digit."""
    body = recorded(name)
    sim.serve("/api/v1/models", body)
    made = asked(drive, PROVIDER, sim.openrouter_url, PROVIDER.list_models)
    rows = json.loads(body)["data"]
    assert [model.id for model in made] == [row["id"] for row in rows]
    assert len(made) == count
    assert len(sim.requests) == 1
    for row, model in zip(rows, made, strict=True):
        raw = row["pricing"]
        overrides = raw.pop("overrides", [])
        assert dict(model.pricing) == {key: worth(price) for key, price in raw.items()}, model.id
        assert len(model.pricing.overrides) == len(overrides)
        for written, override in zip(overrides, model.pricing.overrides, strict=True):
            prices = {key: worth(price) for key, price in written.items() if isinstance(price, str)}
            assert dict(override.components) == prices
            for condition in ("min_prompt_tokens", "utc_start", "utc_end"):
                assert getattr(override, condition) == written.get(condition)


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_field_of_a_recorded_row_is_read(name: str) -> None:
    """Names, limits, modalities, parameters, dates and figures of each row are those of the answer."""
    body = recorded(name)
    made, paths = answered(PROVIDER.list_models(), body)
    assert paths == ["/models"]
    for row, model in zip(json.loads(body)["data"], made, strict=True):
        kinds, top = row["architecture"], row["top_provider"]
        assert (model.provider, model.name, model.description) == (
            "openrouter",
            row["name"],
            row["description"] or None,
        )
        assert model.context_length == row["context_length"]
        assert model.max_output == top["max_completion_tokens"]
        assert model.input_modalities == set(kinds["input_modalities"])
        assert model.output_modalities == set(kinds["output_modalities"])
        assert model.supported_parameters == set(row["supported_parameters"])
        assert model.supports_tools is ("tools" in row["supported_parameters"])
        assert model.supports_vision is ("image" in kinds["input_modalities"])
        assert model.created == datetime.fromtimestamp(row["created"], UTC).date()
        assert str(model.expires) == str(row.get("expiration_date"))
        assert model.replaced_by == (row.get("alias_target") or {}).get("slug")
        assert model.knowledge_cutoff == row.get("knowledge_cutoff")
        scores = (row.get("benchmarks") or {}).get("artificial_analysis") or {}
        assert {key: value for key, value in model.benchmarks.items() if key != "design_arena"} == {
            key.removesuffix("_index"): value for key, value in scores.items() if value is not None
        }
        elos = [item["elo"] for item in (row.get("benchmarks") or {}).get("design_arena") or []]
        assert model.benchmarks.get("design_arena") == max(elos, default=None)
        assert ModelInfo.from_dict(json.loads(json.dumps(model.to_dict()))) == model


def test_free_dynamic_and_paid_models_are_told_apart() -> None:
    """Of the recorded models a `:free` one costs nothing, a router's price is not known, others cost something."""
    made, _ = answered(PROVIDER.list_models(), recorded("models-2026-08.json"))
    by_id = {model.id: model for model in made}
    assert by_id["openrouter/auto"].is_free is None
    assert by_id["openrouter/free"].is_free is True
    assert by_id["openai/gpt-4o"].is_free is False
    assert {model.id for model in made if model.id.endswith(":free") and model.is_free is not True} == set()


@pytest.mark.parametrize(
    "written", ["-1", "-0.5", "nan", "inf", "-Infinity", "1e400", "1e-400", "", "free", True, [], {}]
)
def test_what_is_no_price_is_unknown(written: object) -> None:
    """A negative, non-finite or unreadable price is `None`, never a number."""
    assert one({"pricing": {"prompt": written, "completion": "0"}}).pricing["prompt"] is None


@given(st.decimals(0, 1000, allow_nan=False, places=15))
def test_a_price_keeps_every_digit(amount: Decimal) -> None:
    """Text in the catalogue is the price, to the last digit."""
    assert one({"pricing": {"prompt": f"{amount:f}", "completion": "0"}}).pricing["prompt"] == amount


@pytest.mark.parametrize(("discount", "price"), [(0, "0.5"), (0.25, "0.375"), (1, "0"), (None, "0.5"), (2, "0.5")])
def test_a_discount_is_taken_off(discount: object, price: str) -> None:
    """`discount` is a share of the price, of the conditional ones too; it is no component."""
    raw = {"prompt": "0.5", "completion": "0.5", "discount": discount, "overrides": [{"utc_start": 1, "prompt": "0.5"}]}
    made = one({"pricing": raw}).pricing
    assert made["prompt"] == made.overrides[0].components["prompt"] == Decimal(price)
    assert "discount" not in made


@pytest.mark.parametrize("strange", [{"min_output_tokens": 5}, {"days": ["mon"]}, {"utc_start": "soon"}])
def test_prices_under_a_condition_that_is_not_known_are_unknown(strange: dict[str, object]) -> None:
    """Nobody can say when such an override holds, so its prices are `None`."""
    made = one({"pricing": {"prompt": "1", "completion": "1", "overrides": [{"prompt": "9", **strange}]}}).pricing
    assert made.overrides[0].components["prompt"] is None


@pytest.mark.parametrize(
    ("field", "value", "attribute"),
    [
        ("context_length", "many", "context_length"),
        ("context_length", -1, "context_length"),
        ("name", 5, "name"),
        ("architecture", "text", "input_modalities"),
        ("architecture", {"input_modalities": "text"}, "input_modalities"),
        ("top_provider", [], "max_output"),
        ("supported_parameters", "tools", "supported_parameters"),
        ("created", "yesterday", "created"),
        ("created", 10**30, "created"),
        ("created", 0, "created"),
        ("expiration_date", "soon", "expires"),
        ("alias_target", "x", "replaced_by"),
        ("knowledge_cutoff", 2024, "knowledge_cutoff"),
        ("description", None, "description"),
    ],
)
def test_a_field_of_another_type_is_not_known(field: str, value: object, attribute: str) -> None:
    """A row is read as far as it can be."""
    made = one({field: value})
    assert made.id == "a/b"
    assert getattr(made, attribute) is None


def test_an_old_form_of_modalities_is_read() -> None:
    """`text+image->text` says what goes in and what comes out."""
    made = one({"architecture": {"modality": "text+image->text"}})
    assert (made.input_modalities, made.output_modalities) == ({"text", "image"}, {"text"})


def test_rows_that_are_no_models_are_skipped() -> None:
    """What is not an object or has no id is left out; the rest stays."""
    made, _ = answered(PROVIDER.list_models(), {"data": [None, "x", {}, {"id": 5}, {"id": ""}, {"id": "a/b"}]})
    assert [model.id for model in made] == ["a/b"]


@pytest.mark.parametrize(
    "body", [{}, {"data": {}}, {"data": None}, 5, "x", b"", b"<html><title>502</title>", b"{", b"\xff\xfe"]
)
def test_an_answer_without_a_list_is_malformed(body: object) -> None:
    """A reply without a list of models is an error, never an empty list."""
    with pytest.raises(MalformedResponse):
        answered(PROVIDER.list_models(), body)


def test_a_list_in_pages_is_fetched_whole() -> None:
    """`links.next` is followed, always under the address that was asked, and an endless one comes to an end."""
    pages = [
        {"data": [{"id": "a/1"}], "links": {"next": "https://elsewhere.example/api/v1/models?offset=1&limit=1"}},
        {"data": [{"id": "a/2"}], "links": {"next": None}},
    ]
    made, paths = answered(PROVIDER.list_models(), *pages)
    assert [model.id for model in made] == ["a/1", "a/2"]
    assert paths == ["/models", "/models?offset=1&limit=1"]
    endless = [{"data": [{"id": "a/1"}], "links": {"next": f"/x?offset={number}"}} for number in range(1000)]
    assert len(answered(PROVIDER.list_models(), *endless)[1]) <= 50


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a/b", "-1", "0.1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS: Final = (
    "id", "name", "created", "context_length", "architecture", "pricing", "top_provider", "supported_parameters",
    "expiration_date", "alias_target", "benchmarks", "description", "metadata", "capabilities",
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), json_values), max_size=4))
def test_any_row_is_read_or_skipped(rows: list[dict[str, Any]]) -> None:
    """Whatever stands in the rows: a list of models comes out, each can go to a file and back."""
    made, _ = answered(PROVIDER.list_models(), {"data": rows})
    for model in made:
        assert ModelInfo.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False))) == model


# Endpoints


def test_endpoints_of_a_model(sim: Simulator, drive: Drive) -> None:
    """The row comes back with the services behind it; latency is in seconds."""
    row = ModelInfo("openai/gpt-4o", "openrouter")
    made = asked(drive, PROVIDER, sim.openrouter_url, lambda: PROVIDER.model_details(row))
    assert sim.requests[0].path == "/api/v1/models/openai/gpt-4o/endpoints"
    (endpoint,) = made.endpoints
    assert (endpoint.provider, endpoint.tag, endpoint.healthy, endpoint.uptime) == ("OpenAI", "openai", True, 100)
    assert (endpoint.latency, endpoint.throughput) == (0.42, 80.5)
    assert endpoint.pricing["completion"] == Decimal("0.00001")
    assert made.throughput == 80.5


def test_endpoints_of_every_recorded_model_have_an_address(sim: Simulator, drive: Drive) -> None:
    """Ids with a tilde or a variant are asked for as they are; without a key there is no latency."""
    sim.serve("/api/v1/models", recorded("models-2026-08.json"))
    for name in ("~anthropic/claude-sonnet-latest", "openai/gpt-oss-20b:free", "openrouter/auto"):
        row = ModelInfo(name, "openrouter")
        made = asked(drive, PROVIDER, sim.openrouter_url, partial(PROVIDER.model_details, row), key=None)
        assert len(made.endpoints) == 1
        assert made.endpoints[0].latency is None


def test_the_recorded_endpoints() -> None:
    """The recorded answer of 2025 parses whole; its plain prices are the listed ones."""
    body = recorded("endpoints-2025-gemini-2.5-pro-preview.json")
    row = ModelInfo("google/gemini-2.5-pro-preview", "openrouter")
    made, paths = answered(PROVIDER.model_details(row), body)
    assert paths == ["/models/google/gemini-2.5-pro-preview/endpoints"]
    assert [item.tag for item in made.endpoints] == ["google-vertex", "google-ai-studio"]
    assert made.endpoints[0].pricing["input_cache_read"] == Decimal("0.00000031")
    assert all(item.healthy for item in made.endpoints)


@pytest.mark.parametrize(("status", "healthy"), [(0, True), (-1, False), (-10, False), (None, None), ("ok", None)])
def test_the_status_of_an_endpoint(status: object, healthy: bool | None) -> None:
    """0 is in order, another number is not, anything else says nothing."""
    reply = {"data": {"endpoints": [{"provider_name": "P", "status": status, "latency_last_30m": 1500}, {}, 5]}}
    made, _ = answered(PROVIDER.model_details(ModelInfo("a/b")), reply)
    (endpoint,) = made.endpoints
    assert endpoint.healthy is healthy
    assert endpoint.latency == 1.5


def test_a_model_without_endpoints_stays_as_it_is(sim: Simulator, drive: Drive) -> None:
    """A 404 there is no failure, another status is one."""
    row = ModelInfo("nobody/nothing", "openrouter", name="kept")
    assert asked(drive, PROVIDER, sim.openrouter_url, lambda: PROVIDER.model_details(row)) == row
    sim.script_for("/api/v1/models/nobody/nothing/endpoints", Reply(status=500))
    with pytest.raises(LLMError) as caught:
        asked(drive, PROVIDER, sim.openrouter_url, lambda: PROVIDER.model_details(row))
    assert caught.value.status == 500


def test_a_name_without_a_vendor_has_no_endpoints() -> None:
    """Nothing is asked for it."""
    row = ModelInfo("short")
    assert answered(PROVIDER.model_details(row)) == (row, [])


# The key


def test_an_unlimited_key(sim: Simulator, drive: Drive) -> None:
    """Without a limit the key says so, and is not asked for credits that it may not see."""
    made = asked(drive, PROVIDER, sim.openrouter_url, PROVIDER.check_key)
    assert made == KeyInfo(label="sk-or-v1-sim...", unlimited=True, usage=Decimal(0), is_free_tier=False)
    assert [request.path for request in sim.requests] == ["/api/v1/key"]


def test_a_limited_key_keeps_every_digit(sim: Simulator, drive: Drive) -> None:
    """Money is exact, and what is left may be below zero."""
    sim.set_key(limit=0.01, limit_remaining=Decimal("-18.016186499"), usage=Decimal("18.026186499"), is_free_tier=True)
    made = asked(drive, PROVIDER, sim.openrouter_url, PROVIDER.check_key)
    assert (made.limit, made.remaining) == (Decimal("0.01"), Decimal("-18.016186499"))
    assert (made.usage, made.is_free_tier, made.unlimited) == (Decimal("18.026186499"), True, False)


def test_a_management_key_sees_the_balance(sim: Simulator, drive: Drive) -> None:
    """Balance is what was bought less what was spent."""
    sim.set_key(is_management_key=True, expires_at="2027-01-01T00:00:00Z")
    sim.serve("/api/v1/credits", '{"data": {"total_credits": 100.5, "total_usage": 25.7500000001}}')
    made = asked(drive, PROVIDER, sim.openrouter_url, PROVIDER.check_key)
    assert made.balance == Decimal("74.7499999999")
    assert (made.may_see_credits, made.expires) == (True, "2027-01-01T00:00:00Z")


def test_credits_that_are_refused_leave_the_balance_open(sim: Simulator, drive: Drive) -> None:
    """A 403 there is no failure."""
    sim.set_key(is_management_key=True)
    sim.script_for("/api/v1/credits", Reply(status=403))
    assert asked(drive, PROVIDER, sim.openrouter_url, PROVIDER.check_key).balance is None


@pytest.mark.parametrize("key", ["sk-bad-0123456789", None])
def test_a_wrong_key_is_refused(sim: Simulator, drive: Drive, key: str | None) -> None:
    """The error is the typed one, with the page of keys."""
    with pytest.raises(AuthFailed) as caught:
        asked(drive, PROVIDER, sim.openrouter_url, PROVIDER.check_key, key=key)
    assert "openrouter.ai/keys" in caught.value.hint


@pytest.mark.parametrize("body", [{}, {"data": []}, [], b"<html>"])
def test_an_answer_about_no_key_is_malformed(body: object) -> None:
    """A reply without the object is an error."""
    with pytest.raises(MalformedResponse):
        answered(PROVIDER.check_key(), body)


def test_a_key_that_says_little() -> None:
    """What is not said is not known: no limit is not the same as a limit that is missing."""
    made, _ = answered(PROVIDER.check_key(), {"data": {"usage": "5.5", "is_free_tier": 1}})
    assert made == KeyInfo(usage=Decimal("5.5"))


def test_dates_are_those_of_utc() -> None:
    """One second before midnight UTC is still that day, wherever the program runs."""
    last = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) - 1
    assert one({"created": last}).created == date(2025, 12, 31)
    assert one({"created": last * 1000}).created == date(2025, 12, 31)


ENDPOINT: Final = (
    "provider_name", "tag", "context_length", "pricing", "status", "uptime_last_30m", "latency_last_30m",
    "throughput_last_30m", "supported_parameters", "quantization", "max_completion_tokens",
)  # fmt: skip
KEY_FIELDS: Final = ("label", "limit", "limit_remaining", "usage", "is_free_tier", "expires_at", "limit_reset")


@given(st.lists(st.dictionaries(st.sampled_from(ENDPOINT), json_values), max_size=3) | json_values)
def test_any_endpoints_are_read_or_left_out(rows: Any) -> None:
    """Whatever stands there: the model comes back, and it can go to a file and back."""
    made, _ = answered(PROVIDER.model_details(ModelInfo("a/b")), {"data": {"endpoints": rows}})
    assert ModelInfo.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False))) == made


@given(st.dictionaries(st.sampled_from(KEY_FIELDS), json_values))
def test_any_answer_about_a_key_is_read(fields: dict[str, Any]) -> None:
    """Every amount is finite money or not known."""
    made, _ = answered(PROVIDER.check_key(), {"data": fields})
    for amount in (made.limit, made.remaining, made.usage):
        assert amount is None or amount.is_finite()


@given(json_values, json_values)
def test_any_links_are_read(links: Any, after: Any) -> None:
    """The list does not depend on what stands beside it."""
    page = {"data": [{"id": "a/b"}], "links": links if links is None else {"next": after}}
    made, _ = answered(PROVIDER.list_models(), *[page] * 60)
    assert {model.id for model in made} == {"a/b"}
