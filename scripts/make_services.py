"""Make `providers/llmkit_openai/services.json` from the list of OpenAI-compatible services.

    python scripts/make_services.py [PATH OF openai-compatible.json]

Default path: `services/openai-compatible.json` under `LLMKIT_SHARED` (default: `shared` beside the repository).
"""

import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("LLMKIT_SHARED", ROOT.parent / "shared"))
TARGET = ROOT / "providers" / "llmkit_openai" / "services.json"
LICENCE = "models.dev, MIT licence, Copyright (c) 2025 models.dev"
#: Names that have a package of their own.
OWN_PACKAGES = {"openai", "openrouter", "ollama"}
#: Variables that name an address, not a key.
ADDRESS_VARIABLES = {"PRIVATEMODE_ENDPOINT"}
#: Short names to the service's ids. A test checks that `models.json` has these ids.
ALIASES = {
    "deepinfra": {"llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
    "groq": {"llama-3.1-8b": "llama-3.1-8b-instant", "llama-3.3-70b": "llama-3.3-70b-versatile"},
    "mistral": {
        "codestral": "codestral-latest",
        "mistral-large": "mistral-large-latest",
        "mistral-medium": "mistral-medium-latest",
        "mistral-small": "mistral-small-latest",
    },
    "togetherai": {"llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
}


def build_row(name: str, service: dict) -> dict:
    """Return one service as attributes of `ChatProvider`."""
    url = service["base_url"].rstrip("/").removesuffix("/chat/completions")
    in_url = set(re.findall(r"\$\{(\w+)\}", url))
    keys = [name for name in service["key_env"] if name not in in_url | ADDRESS_VARIABLES]
    attributes = {"title": service["name"], "default_base_url": url, "key_env": keys, "key_page": service["doc"]}
    if addresses := [name for name in service["key_env"] if name in ADDRESS_VARIABLES]:
        attributes["base_url_env"] = addresses
    if not keys:
        attributes["key_required"] = False
    if name in ALIASES:
        attributes["aliases"] = ALIASES[name]
    return attributes


def main() -> None:
    """Write the file."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "services" / "openai-compatible.json"
    data = json.loads(source.read_text("utf-8"))
    services = {
        name: build_row(name, service) for name, service in sorted(data["services"].items()) if name not in OWN_PACKAGES
    }
    head = {"source": data["source"], "licence": LICENCE}
    lines = [f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in services.items()]
    text = json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "services": {\n' + ",\n".join(lines) + "\n }\n}\n"
    TARGET.write_text(text, "utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {len(services)} services")


if __name__ == "__main__":
    main()
