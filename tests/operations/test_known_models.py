"""The cache of model lists: whole or not there, for its owner only, without keys and addresses, and never in the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import time
from dataclasses import fields
from datetime import date
from decimal import Decimal
from math import isfinite
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmkit import ModelEndpoint, ModelInfo, PriceOverride, Pricing, UnknownProvider
from llmkit.operations import known_models as catalogue
from llmkit.operations.known_models import known_model, list_path, load_list, store_list
from llmkit.operations.lists import known_models
from llmkit.operations.selection import Wanted, select
from llmkit.provider.registry import get_provider
from tests.acme import TABLE, Acme, Detailed, registered

URL = "https://api.acme.example/v1"
PRICES = Pricing(
    {"prompt": Decimal("0.0000001"), "request": Decimal(0)}, [PriceOverride({"prompt": Decimal("1E-6")}, 200)]
)
FULL = ModelInfo(
    "acme/full",
    "acme",
    name="Füll 漢",
    context_length=128_000,
    max_output=0,
    input_modalities=frozenset({"text", "image"}),
    output_modalities=frozenset(),
    supported_parameters=frozenset({"tools"}),
    capabilities={"tools": True, "vision": False},
    pricing=PRICES,
    created=date(2026, 1, 2),
    expires=date(2027, 1, 2),
    replaced_by="acme/next",
    description="two\nlines \ud800",
    knowledge_cutoff="2025",
    benchmarks={"coding": 51.5},
    endpoints=(ModelEndpoint("Up", "up/1", 1000, 10, PRICES, "fp8", frozenset({"tools"}), True, 99.5, 0.25, 80.0),),
    size=5,
    running_context=4096,
    source="service",
    extra={"deep": {"list": [1, None, "x"]}},
)  # fmt: skip
BARE = ModelInfo("acme/bare", "acme")


def rewrite(path: Path, **changes: Any) -> None:
    """Change fields of a kept file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_is_kept_comes_back() -> None:
    """A list comes back as it was, every field of every row, and unknown stays unknown."""
    store_list("acme", URL, [FULL, BARE], 1234.5)
    catalogue._loaded.clear()
    kept = load_list("acme", URL)
    assert kept is not None
    assert (kept.models, kept.fetched_at) == ((FULL, BARE), 1234.5)
    unset = [item.name for item in fields(FULL) if getattr(FULL, item.name) == getattr(BARE, item.name)]
    assert set(unset) == {"provider", "source"}, "the full row tries every field"


def test_every_kind_of_field_has_a_check() -> None:
    """A field that a row gets in a later version is checked too when a file is read."""
    for row, checks in catalogue._FIELDS.items():
        assert [name for name, _, _ in checks] == [item.name for item in fields(row)]


def test_a_number_of_money_in_a_field_without_a_name_does_not_hinder() -> None:
    """What JSON has no form for is kept in a plain one."""
    store_list("acme", URL, [ModelInfo("x", extra={"price": Decimal("0.5"), "when": date(2026, 1, 2)})], 1.0)
    kept = load_list("acme", URL)
    assert kept is not None
    assert kept.models[0].extra == {"price": 0.5, "when": "2026-01-02"}


def test_each_provider_and_address_has_its_own_file() -> None:
    """Lists do not mix; names that differ in letters that a file name cannot have do not either."""
    places = [("acme", URL), ("acme", f"{URL}/x"), ("other", URL), ("a/b", URL), ("a b", URL), ("..", URL)]
    for index, (name, url) in enumerate(places):
        store_list(name, url, [ModelInfo(f"m{index}")], 1.0)
    assert [load_list(name, url).models[0].id for name, url in places] == [f"m{i}" for i in range(len(places))]  # type: ignore[union-attr]
    assert len({list_path(name, url).parent for name, url in places}) == 1


def test_the_file_is_the_owners_and_names_no_address() -> None:
    """Folder 0700, file 0600, nothing left beside it; user, password and query of an address stand nowhere."""
    secret = "https://user:canary-password@host.example/v1?token=canary-token"
    store_list("acme", secret, [FULL], time.time())
    path = list_path("acme", secret)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    for text in (path.name, path.read_text()):
        assert not any(part in text for part in ("canary", "host.example", "user:"))


GOOD_ROW = {"id": "x", "context_length": 5}
DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"format":1,"fetched_at":1.0,"models":[{"id":"x"',
    "binary": bytes(range(256)),
    "another document": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "newer": json.dumps({"format": 2, "fetched_at": 1.0, "models": [GOOD_ROW]}).encode(),
    "no rows": json.dumps({"format": 1, "fetched_at": 1.0}).encode(),
    "no time": json.dumps({"format": 1, "models": [GOOD_ROW]}).encode(),
    "time is text": json.dumps({"format": 1, "fetched_at": "now", "models": [GOOD_ROW]}).encode(),
    "time is not a number": b'{"format":1,"fetched_at":NaN,"models":[{"id":"x"}]}',
    "from the future": json.dumps({"format": 1, "fetched_at": time.time() + 9999, "models": [GOOD_ROW]}).encode(),
    "a row without id": json.dumps({"format": 1, "fetched_at": 1.0, "models": [{}]}).encode(),
    "a row that is no row": json.dumps({"format": 1, "fetched_at": 1.0, "models": [5]}).encode(),
    "context is text": json.dumps({"format": 1, "fetched_at": 1.0, "models": [{"id": "x", "context_length": "5"}]}).encode(),
    "price is text": json.dumps({"format": 1, "fetched_at": 1.0, "models": [{"id": "x", "pricing": {"prompt": "?"}}]}).encode(),
    "price is NaN": json.dumps({"format": 1, "fetched_at": 1.0, "models": [{"id": "x", "pricing": {"prompt": "NaN"}}]}).encode(),
    "date is none": json.dumps({"format": 1, "fetched_at": 1.0, "models": [{"id": "x", "expires": "soon"}]}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_file_that_cannot_be_read_is_not_there(data: bytes) -> None:
    """A damaged, foreign or newer file is as if it was not there, and the next list takes its place."""
    store_list("acme", URL, [FULL], time.time())
    assert load_list("acme", URL) is not None
    list_path("acme", URL).write_bytes(data)
    assert load_list("acme", URL) is None
    store_list("acme", URL, [BARE], time.time())
    kept = load_list("acme", URL)
    assert kept is not None
    assert kept.models == (BARE,)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_value_in_a_file_reaches_a_user(data: st.DataObject) -> None:
    """Whatever stands in any one place of a file, it is read as if it was not there, or gives rows that work."""
    store_list("acme", URL, [FULL], 1.0)
    path = list_path("acme", URL)
    document = json.loads(path.read_text())
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(json_values)
            break
        place = place[key]
    path.write_text(json.dumps(document))
    kept = load_list("acme", URL)
    for model in kept.models if kept else ():
        select([model], Wanted.read(free=True, max_price=1, min_context=5, supports="tools", query="x"))
        assert ModelInfo.from_dict(model.to_dict()).id == model.id
        assert repr(model)
        assert model.throughput is None or isfinite(model.throughput)


@pytest.mark.parametrize("place", ["a file where the folder should be", "a folder that cannot be made"])
def test_a_list_that_cannot_be_kept_is_not_kept(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails raises nothing and leaves nothing behind."""
    folder = tmp_path / "cache"
    if place == "a file where the folder should be":
        folder.write_text("")
    else:
        folder = Path("/proc/nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    store_list("acme", URL, [FULL], time.time())
    assert load_list("acme", URL) is None
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".tmp"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of the size of a file to set")
def test_a_full_disk_leaves_the_old_list(tmp_path: Path) -> None:
    """A write that breaks off in its middle keeps what was there, whole, and no half file."""
    code = """
        import resource
        from llmkit import ModelInfo
        from llmkit.operations.known_models import load_list, store_list
        store_list("acme", "u", [ModelInfo("old")], 1.0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        store_list("acme", "u", [ModelInfo(f"new-{n}") for n in range(1000)], 2.0)
        print([item.id for item in load_list("acme", "u").models])
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['old']\n"
    assert len(list((tmp_path / "llmkit").iterdir())) == 1


def _write(folder: str, number: int, rounds: int) -> None:
    os.environ["XDG_CACHE_HOME"] = folder
    for _ in range(rounds):
        store_list("acme", URL, [ModelInfo(f"{number}-{row}", "acme") for row in range(300)], time.time())


def test_processes_that_write_at_once_leave_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While two processes write again and again, every reading finds the list of one of them, whole."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store_list("acme", URL, [ModelInfo(f"0-{row}", "acme") for row in range(300)], time.time())
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(tmp_path), number, 60)) for number in (1, 2)]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        kept = load_list("acme", URL)
        assert kept is not None
        numbers = {item.id.partition("-")[0] for item in kept.models}
        assert len(numbers) == 1
        assert len(kept.models) == 300
        seen |= numbers
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen & {"1", "2"}
    assert len(list((tmp_path / "llmkit").iterdir())) == 1


def test_a_file_is_read_once_until_it_changes() -> None:
    """A second look reads nothing anew; a list that another process wrote is seen at once."""
    store_list("acme", URL, [BARE], time.time())
    first = load_list("acme", URL)
    assert first is not None
    assert load_list("acme", URL) is first
    store_list("acme", URL, [FULL], time.time())
    second = load_list("acme", URL)
    assert second is not None
    assert second.models == (FULL,)
    list_path("acme", URL).unlink()
    assert load_list("acme", URL) is None


# What is known without asking


def test_what_is_known_comes_from_the_list_of_the_address() -> None:
    """A row of a kept list counts at its own address only, whatever address that is."""
    with registered(Acme):
        provider = get_provider("acme")
        store_list("acme", "https://elsewhere.example", [FULL], time.time())
        assert known_model(provider, "https://elsewhere.example", "acme/full") == FULL
        assert known_model(provider, "https://elsewhere.example", "acme/none") is None
        assert known_model(provider, URL, "acme/full") is None


def test_the_table_of_the_provider_speaks_of_its_own_address() -> None:
    """The provider's own table is asked for its default address and for no other."""
    with registered(Acme, default_base_url=f"{URL}/"):
        provider = get_provider("acme")
        assert known_model(provider, URL, "table-only") == TABLE["table-only"]
        assert known_model(provider, "https://elsewhere.example", "table-only") is None
        assert known_model(provider, "", "table-only") is None


def test_list_and_table_are_joined() -> None:
    """What the list leaves open comes from the table, and the source names both."""
    store_list("acme", URL, [ModelInfo("gpt-4o", "acme", context_length=5)], time.time())
    with registered(Acme):
        known = known_model(get_provider("acme"), URL, "gpt-4o")
    assert known is not None
    assert (known.context_length, known.supports_tools) == (5, True)
    assert known.source == "service, snapshot 2026-07-02"


@pytest.mark.parametrize(("days", "found"), [(0, True), (29, True), (31, False)])
def test_a_list_is_trusted_for_a_month(days: int, found: bool) -> None:
    """A list of up to 30 days counts; of an older one nothing is known."""
    store_list("acme", URL, [FULL], time.time())
    rewrite(list_path("acme", URL), fetched_at=time.time() - days * 86_400)
    with registered(Acme):
        assert (known_model(get_provider("acme"), URL, "acme/full") is not None) is found


def test_names_are_compared_as_the_provider_does() -> None:
    """Just that id first, then one that the provider takes to be the same."""
    rows = [
        ModelInfo("m:latest", "acme", size=1),
        ModelInfo("n:latest", "acme", size=2),
        ModelInfo("n", "acme", size=3),
    ]
    store_list("acme", URL, rows, time.time())
    with registered(Detailed):
        provider = get_provider("acme")
        sizes = [getattr(known_model(provider, URL, name), "size", None) for name in ("m", "m:latest", "n", "o")]
    assert sizes == [1, 1, 3, None]


def test_the_last_list_by_the_name_of_the_provider() -> None:
    """What was listed last where a name leads, without key and question; nothing where nothing was."""
    with registered(Acme):
        assert known_models("acme") == ()
        store_list("acme", URL, [FULL], 1.0)
        assert known_models("acme") == (FULL,)
    with pytest.raises(UnknownProvider):
        known_models("no-such-provider")


def test_looking_up_never_raises() -> None:
    """A provider that fails when it is asked, and a cache folder that is none, are nothing known."""

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of the provider")

    store_list("acme", URL, [FULL], time.time())
    for name in ("known_model", "same_model", "normalise_base_url"):
        with registered(Acme, **{name: broken}):
            assert known_model(get_provider("acme"), URL, "no-such") is None
    os.environ["XDG_CACHE_HOME"] = "/proc/self/mem"
    with registered(Acme):
        assert known_model(get_provider("acme"), URL, "table-only") == TABLE["table-only"]
