"""A stranger's provider: built, installed beside llmkit into a fresh environment, and used by name."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "llmkit-echo"

USE = """
import asyncio, json, sys
import llmkit, llmkit_echo
from llmkit import create_language, installed_providers

assert "site-packages" in llmkit.__file__ and llmkit.__file__.startswith(sys.prefix), llmkit.__file__
assert llmkit_echo.__file__.startswith(sys.prefix), llmkit_echo.__file__

async def main():
    async with create_language("echo", "any") as model:
        awaited = await model.achat_complete("awaited words")
        streamed = [chunk.content async for chunk in model.achat_complete("streamed async words", stream=True)]
        return awaited.content, streamed

with create_language("echo:any") as model:
    plain = model.chat_complete("Hello there")
    stream = model.chat_complete("one two three", stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream]
awaited, async_pieces = asyncio.run(main())
chain = create_language("echo", fallbacks=["ollama:llama3.2"])
print(json.dumps({
    "plain": [plain.content, plain.finish_reason, plain.provider, plain.target, str(plain.cost.amount)],
    "pieces": [piece for piece in pieces if piece],
    "response": stream.response.content,
    "awaited": awaited,
    "async pieces": [piece for piece in async_pieces if piece],
    "installed": [[item.name, item.distribution, item.version, item.value] for item in installed_providers()],
    "loaded": sorted({"openai", "llmkit_openai", "httpx", "httpx2"} & set(sys.modules)),
}))
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def wheel(project, target):
    """The wheel of a project, built by its build backend."""
    run(sys.executable, "-c", f"from hatchling.build import build_wheel; build_wheel({str(target)!r})", cwd=project)
    (made,) = target.glob(f"{'llmkit_echo' if project == PLUGIN else 'llmkit'}-*.whl")
    return made


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a fresh environment with both wheels. What llmkit depends on is lent by this environment."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home / "venv", with_pip=False)
    bin_dir = "Scripts" if os.name == "nt" else "bin"
    python = home / "venv" / bin_dir / "python"
    wheels = [str(wheel(project, home / "wheels")) for project in (ROOT, PLUGIN)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "--python", str(python)]
    run(*pip, "install", "--no-deps", "--no-index", *wheels)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    lenders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "lent.pth").write_text("\n".join(sorted(lenders)), "utf-8")
    return python


@pytest.fixture(scope="module")
def used(python, tmp_path_factory):
    """What a program in that environment saw."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return json.loads(run(python, "-W", "error", "-c", USE, cwd=elsewhere, env=environment))


def test_plain(used):
    """The plugin answers by its name, under its own name and at the cost that it states."""
    assert used["plain"] == ["Hello there", "stop", "echo", "echo:any", "0"]


def test_streamed(used):
    """A stream of the plugin comes word by word, and is whole at its end."""
    assert used["pieces"] == ["one", " two", " three"]
    assert used["response"] == "one two three"


def test_async(used):
    """The same works on an event loop."""
    assert used["awaited"] == "awaited words"
    assert used["async pieces"] == ["streamed", " async", " words"]


def test_installed(used):
    """The plugin is listed with its distribution, beside ours."""
    assert ["echo", "llmkit-echo", "1.0.0", "llmkit_echo:EchoProvider"] in used["installed"]
    assert {"openai", "openrouter", "ollama"} <= {name for name, *_ in used["installed"]}


def test_light(used):
    """A call to the plugin loads neither the SDK, nor an HTTP library, nor another provider."""
    assert used["loaded"] == []


def test_own_tests(python, tmp_path):
    """The plugin's own tests, with the inherited contract, pass in that environment."""
    (tmp_path / "test_echo.py").write_text((PLUGIN / "tests" / "test_echo.py").read_text("utf-8"), "utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_echo.py"]
    said = run(*command, cwd=tmp_path, env=environment)
    assert "passed" in said
    assert "failed" not in said
