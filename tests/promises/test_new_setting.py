"""A setting that is added to llmkit: two lines declare it, and it goes out nowhere until a provider names it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What the new setting does, seen from outside.
SCRIPT = """
import json
from llmkit import ConfigError, Unsupported, create_language
from llmkit.config.backend_settings import read_environment
from llmkit.testing.contract.requests import VALUES
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider, registry
from llmkit.wire.chat import ChatProvider

def fails(error, name, **settings):
    try:
        create_language(name, "m", api_key="sk-x", base_url="http://127.0.0.1:9", **settings)
    except error as raised:
        return str(raised)
    raise SystemExit(f"{name} takes {settings}")

everyone = [*registry.names(), *registry.services()]
assert len(everyone) > 100
for name in everyone:
    assert "typical_p" not in get_provider(name).supported, name
for name in ("openrouter", "openai", "ollama", "groq", "deepseek"):
    assert "has no setting typical_p" in fails(Unsupported, name, typical_p=0.5)

class Has(ChatProvider):
    title = "Has"
    setting_env = {"HAS_TYPICAL_P": "typical_p"}
    supported = ChatProvider.supported | {"typical_p"}

registry.register("has", Has, replace=False)
has = get_provider("has")
sent = json.loads(has.build(Call("m", (), settings={"typical_p": 0.5})).body)
assert sent["typical_p"] == 0.5
create_language("has", "m", api_key="sk-x", base_url="http://127.0.0.1:9", typical_p=0.5).close()
assert "typical_p must be a number from 0 to 1, not 2" in fails(ConfigError, "has", typical_p=2)
assert "Did you mean typical_p?" in fails(ConfigError, "has", tipical_p=1)
assert read_environment(has, {"HAS_TYPICAL_P": "0.25"}) == {"typical_p": 0.25}
assert VALUES["typical_p"] == 0.5
print("done")
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the library in which one more sampling setting is declared, and nothing else changed."""
    for name in ("llmkit", "providers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "llmkit" / "types" / "settings.py"
    text = path.read_text("utf-8")
    for before, line in (
        ("    top_a: float | None\n", "    typical_p: float | None\n"),
        ('    "top_a": Rule(', '    "typical_p": Rule(number(0, 1), 0.5),\n'),
    ):
        assert text.count(before) == 1
        text = text.replace(before, line + before)
    path.write_text(text, "utf-8")
    return tmp_path


def test_a_new_setting_is_two_lines_and_goes_out_nowhere(tree: Path) -> None:
    """It is checked, suggested, read from the environment and has its example; each provider refuses it as unknown
    to the service, until one names it in `supported`: then it is sent.
    """
    path = os.pathsep.join([str(tree), str(tree / "providers"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
