"""What is added to llmkit is added in one place. Each test adds a toy from outside the tree, and runs it.

A service is one row of a table. A provider is one small package. An operation is one dialect file, one file of the
operation, and one method of a model.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmkit import AllTargetsFailed, create_language
from llmkit.testing.simulator import Reply, Simulator
from tests.conftest import FAST, KEY, Drive

ROOT = Path(__file__).resolve().parents[2]
DIALECT = '''
"""The dialect of the toy operation: counting the tokens of a text."""

import json
from dataclasses import dataclass
from decimal import Decimal

from llmkit.provider import HTTPRequest, Operation
from llmkit.types import Cost, Usage
from llmkit.wire.chat import ChatProvider


@dataclass(frozen=True)
class Count:
    tokens: int
    cost: Cost
    usage: Usage


class CountingProvider(ChatProvider):
    def count_tokens(self, model: str, text: str) -> Operation[Count]:
        body = json.dumps({"model": model, "text": text}).encode()
        reply = yield HTTPRequest("/count", body)
        value = json.loads(reply.body)
        return Count(value["tokens"], Cost(Decimal(value["cost"]), "reported"), Usage(prompt_tokens=value["tokens"]))
'''
OPERATION = '''
"""The toy operation over a model and its fallbacks."""

from llmkit.operations.service_model import aask, ask


def count(model, text, settings):
    return ask(model, lambda provider, name: provider.count_tokens(name, text), settings)


async def acount(model, text, settings):
    return await aask(model, lambda provider, name: provider.count_tokens(name, text), settings)
'''
MODEL = '''
"""The toy model: one method, sync and async."""

from llmkit import LanguageModel
from toy_operation import acount, count


class CountingModel(LanguageModel):
    def count_tokens(self, text, **settings):
        return count(self, text, settings)

    async def acount_tokens(self, text, **settings):
        return await acount(self, text, settings)
'''


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The three files of the toy operation, imported."""
    for name, text in (("toy_dialect", DIALECT), ("toy_operation", OPERATION), ("toy_model", MODEL)):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    import toy_dialect  # type: ignore[import-not-found]
    import toy_model  # type: ignore[import-not-found]

    @dataclass
    class Toys:
        provider: Any = toy_dialect.CountingProvider
        model: Any = toy_model.CountingModel

        def at(self, sim: Simulator, *, spare: bool = False, **settings: Any) -> Any:
            """A counting model at the simulator, with a second target if `spare`."""
            from llmkit.operations.setup import Setup
            from llmkit.provider import Endpoint
            from llmkit.transport.connection import Connection
            from llmkit.types import Secret

            provider = self.provider("toy")
            endpoint = Endpoint(sim.openai_url, api_key=Secret(KEY), local=True)
            fallbacks = [self.at(sim)] if spare else []
            given = {"retry": FAST, **settings}
            model = self.model(Setup(provider, "counter", given, Connection(provider, endpoint)), fallbacks=fallbacks)
            model.own(fallbacks)
            return model

    yield Toys()
    for name in ("toy_dialect", "toy_operation", "toy_model"):
        sys.modules.pop(name)


def counted(drive: Drive, model: Any, text: str, **settings: Any) -> Any:
    """The count, by the half of the model that `drive` uses."""
    if drive.is_async:
        return drive.await_(model.acount_tokens(text, **settings))
    return model.count_tokens(text, **settings)


def body(tokens: int) -> bytes:
    return json.dumps({"tokens": tokens, "cost": "0.000125"}).encode()


def test_an_operation_is_retried_booked_and_signed_like_chat(toys: Any, sim: Simulator, drive: Drive) -> None:
    """A toy operation has retries, totals and the user's headers without a line of its own for them."""
    sim.script_for("/v1/count", Reply(status=503), Reply(body=body(7)))
    model = toys.at(sim, extra_headers=lambda request: {"X-Signed": str(len(request.body))})
    assert counted(drive, model, "one two").tokens == 7
    totals = model.totals()
    assert (totals.calls, totals.attempts, totals.priced, totals.prompt_tokens) == (1, 2, 1, 7)
    assert str(totals.amount) == "0.000125"
    assert [asked.headers["x-signed"] for asked in sim.requests] == [str(len(asked.body)) for asked in sim.requests]
    drive.close(model)


def test_an_operation_falls_back_at_once(toys: Any, sim: Simulator, drive: Drive) -> None:
    """A toy operation goes down the chain, and a chain that is used up names every attempt."""
    sim.script_for("/v1/count", Reply(status=500), Reply(body=body(3)))
    model = toys.at(sim, spare=True)
    assert counted(drive, model, "x").tokens == 3
    sim.script_for("/v1/count", *[Reply(status=500)] * 4)
    with pytest.raises(AllTargetsFailed) as caught:
        counted(drive, model, "x")
    assert len(caught.value.attempts) == len(caught.value.errors) == 4
    drive.close(model)


def test_an_operation_keeps_its_deadline(toys: Any, sim: Simulator, drive: Drive) -> None:
    """A toy operation ends at the deadline of its call, whatever the service does."""
    from llmkit import DeadlineExceeded

    sim.script_for("/v1/count", *[Reply(body=body(1), delay=30)] * 3)
    model = toys.at(sim)
    with pytest.raises(DeadlineExceeded):
        counted(drive, model, "x", deadline=0.3)
    drive.close(model)


def test_a_provider_is_one_small_package(toys: Any, sim: Simulator, drive: Drive) -> None:
    """A class of three lines that is registered is a provider that can be created by name."""
    from llmkit import register_provider, unregister_provider
    from llmkit.wire.chat import ChatProvider

    class Toy(ChatProvider):
        title = "Toy"

    register_provider("toy-provider", Toy)
    try:
        model = create_language("toy-provider", "m", base_url=sim.openai_url, api_key=KEY)
        assert drive.ask(model, "hello").content
        drive.close(model)
    finally:
        unregister_provider("toy-provider")


def test_a_service_is_one_row(sim: Simulator, tmp_path: Path) -> None:
    """A service that speaks the dialect is one row of the table, and nothing else."""
    copy = tmp_path / "llmkit_openai"
    shutil.copytree(ROOT / "providers" / "llmkit_openai", copy, ignore=shutil.ignore_patterns("__pycache__"))
    table = json.loads((copy / "services.json").read_text("utf-8"))
    table["services"]["toy-service"] = {"title": "Toy", "default_base_url": sim.openai_url, "key_env": ["TOY_KEY"]}
    (copy / "services.json").write_text(json.dumps(table), "utf-8")
    program = (
        "from llmkit import create_language\n"
        "with create_language('toy-service', 'm') as model:\n"
        "    response = model.chat_complete('hello')\n"
        "print(response.provider, bool(response.content))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}", "TOY_KEY": KEY}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout.split(), done.stderr) == (["toy-service", "True"], "")
    assert sim.requests[-1].headers["authorization"] == f"Bearer {KEY}"
