"""What is loaded when. The milliseconds are in the benchmark; here are the module names, which do not flake."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("openai", "pydantic", "pydantic_core", "tenacity", "importlib_metadata", "httpx", "httpx2", "aiohttp")


def loaded_after(code: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter after `code`."""
    program = f"{code}\nimport sys\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_llmkit_loads_no_third_party_module() -> None:
    """`import llmkit` loads the standard library only, and not asyncio."""
    before = loaded_after("pass")  # What the interpreter itself loads, such as an editable install's hook.
    new = loaded_after("import llmkit") - before
    strangers = {name for name in new if name not in sys.stdlib_module_names and not name.startswith("llmkit")}
    assert not strangers
    assert "asyncio" not in new


@pytest.mark.parametrize("provider", ["openrouter", "openai", "ollama", "groq"])
def test_create_language_loads_neither_openai_nor_pydantic(provider: str) -> None:
    """Making a model loads no HTTP library, no SDK and no pydantic."""
    loaded = loaded_after(f"from llmkit import create_language; create_language({provider!r}, 'm', api_key='k')")
    assert not loaded & (set(HEAVY) - {"importlib_metadata"})


def test_a_successful_call_does_not_load_tenacity() -> None:
    """The retry library is loaded by the first failure, not before."""
    code = (
        "from llmkit import create_language\n"
        "from llmkit.testing.simulator import Simulator\n"
        "with Simulator() as sim:\n"
        "    m = create_language('openai', 'gpt-4o-mini', base_url=sim.openai_url, api_key='k')\n"
        "    assert m.chat_complete('hi').content\n"
        "    m.close()"
    )
    assert "tenacity" not in loaded_after(code)


def test_one_tls_context_serves_the_process() -> None:
    """All endpoints that trust the same authorities share one TLS context; plain http loads none."""
    code = (
        "from llmkit.provider.exchange import Endpoint\n"
        "from llmkit.transport.sdk.clients import tls_context as t\n"
        "a, b = t(Endpoint('https://a.example')), t(Endpoint('https://b.example'))\n"
        "assert a is b and a.cert_store_stats()['x509_ca'] > 0\n"
        "c = t(Endpoint('http://127.0.0.1:1'))\n"
        "assert c is not a and c.cert_store_stats()['x509_ca'] == 0\n"
    )
    loaded_after(code)
