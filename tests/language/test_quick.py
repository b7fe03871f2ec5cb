"""`quick_chat`: the text of one answer, and whom it asks when nobody is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmkit import ConfigError, EmptyResponse, UnknownProvider
from llmkit.language.quick import adefault_target, aquick_chat, default_target, quick_chat
from llmkit.testing.simulator import Reply, Simulator

KEYS = ("OPENROUTER_API_KEY", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def services(sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All three services are simulated, and have keys; the cache is a folder of the test."""
    values = {
        "OPENROUTER_BASE_URL": sim.openrouter_url,
        "OPENROUTER_API_KEY": "sk-or-simulated",
        "OPENAI_BASE_URL": sim.openai_url,
        "OPENAI_API_KEY": "sk-simulated",
        "OLLAMA_HOST": sim.ollama_url,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["sync", "async"])
def quick(request: pytest.FixtureRequest) -> Callable[..., str]:
    """`quick_chat`, and its async half."""
    if request.param == "sync":
        return quick_chat
    return lambda *given, **named: asyncio.run(aquick_chat(*given, **named))


def test_one_answer(quick: Callable[..., str], sim: Simulator) -> None:
    """The prompt, behind the system message if there is one, gives the text; settings go along."""
    assert quick("hi", model="openrouter:openai/gpt-4o-mini", system="Be brief.", temperature=0) == "You said: hi"
    body = sim.requests[-1].json
    assert [turn["content"] for turn in body["messages"]] == ["Be brief.", "hi"]
    assert body["temperature"] == 0
    assert sim.wait_idle(10)


def test_a_model_that_streams_by_default(quick: Callable[..., str]) -> None:
    """The setting `streaming` does not change what comes back."""
    assert quick("hi", model="openrouter:openai/gpt-4o-mini", streaming=True) == "You said: hi"


@pytest.mark.parametrize(
    ("gone", "target", "asked"),
    [
        ((), ("openrouter", None), ("openrouter", "openrouter/free")),
        (KEYS[:1], ("openai", "gpt-4o-mini"), ("openai", "gpt-4o-mini")),
        (KEYS, ("ollama", "llama3.1:latest"), ("ollama", "llama3.1:latest")),
    ],
)
def test_whom_it_asks(
    quick: Callable[..., str],
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    gone: tuple[str, ...],
    target: tuple[str, str | None],
    asked: tuple[str, str],
) -> None:
    """The first of OpenRouter and OpenAI whose key is set, else an Ollama that answers with its first chat model."""
    for name in gone:
        monkeypatch.delenv(name)
    assert default_target() == asyncio.run(adefault_target()) == target
    assert quick("hi") == "You said: hi"
    assert (sim.requests[-1].dialect, sim.requests[-1].model) == asked
    assert default_target("own") == asyncio.run(adefault_target("own")) == (target[0], "own")


@pytest.mark.parametrize(
    ("file", "target", "asked"),
    [
        ('default_profile = "own"\n[profiles.own]\nprovider = "ollama"\nmodel = "llama3.2"', ("own", None), "llama3.2"),
        ('[providers.openai]\nmodel = "gpt-4o"', ("openai", None), "gpt-4o"),
    ],
)
def test_the_configuration_file_decides(
    quick: Callable[..., str],
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    file: str,
    target: tuple[str, str | None],
    asked: str,
) -> None:
    """The default profile comes first of all; the model that the file names for a provider is that provider's default."""
    (tmp_path / "llmkit.toml").write_text(file)
    monkeypatch.delenv("OPENROUTER_API_KEY")
    assert default_target() == asyncio.run(adefault_target()) == target
    assert quick("hi") == "You said: hi"
    assert sim.requests[-1].model == asked


def test_a_profile_by_name(quick: Callable[..., str], sim: Simulator, tmp_path: Path) -> None:
    """`model` may be the name of a profile."""
    (tmp_path / "llmkit.toml").write_text('[profiles.fast]\nprovider = "ollama"\nmodel = "llama3.2"\ntemperature = 0')
    assert quick("hi", model="fast") == "You said: hi"
    assert sim.requests[-1].json["options"] == {"temperature": 0}


def test_a_model_without_its_provider(quick: Callable[..., str]) -> None:
    """The name of a model alone is no target; the hint has the whole form."""
    with pytest.raises(UnknownProvider) as caught:
        quick("hi", model="gpt-4o-mini")
    assert '"openrouter:gpt-4o-mini"' in caught.value.hint


@pytest.mark.parametrize("find", [default_target, lambda: asyncio.run(adefault_target())], ids=["sync", "async"])
def test_nobody_is_ready(find: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    """The error says what is missing and where to get it."""
    for name in (*KEYS, "OPENROUTER_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{closed_port}")
    with pytest.raises(ConfigError) as caught:
        find()
    text = str(caught.value)
    assert "OPENROUTER_API_KEY and OPENAI_API_KEY are not set" in text
    assert f"no Ollama answers at http://127.0.0.1:{closed_port}" in text
    assert "https://openrouter.ai" in text


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(refusal="I will not."), "the model refused: I will not."),
        (Reply(text="", finish_reason="length"), "finish_reason length"),
        (Reply(text="", finish_reason="content_filter"), "finish_reason content_filter"),
    ],
)
def test_an_answer_without_text(quick: Callable[..., str], sim: Simulator, reply: Reply, why: str) -> None:
    """No text is made up: the error says why there is none, and has the response."""
    sim.script(reply)
    with pytest.raises(EmptyResponse) as caught:
        quick("hi", model="openrouter:openai/gpt-4o-mini")
    assert why in str(caught.value)
    assert caught.value.partial is not None
    assert len(sim.requests) == 1
    assert sim.wait_idle(10)
