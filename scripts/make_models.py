"""Make `providers/llmkit_openai/models.json`: limits and prices of the services that have a row, out of models.dev.

    python scripts/make_models.py [PATH OF models-dev-DATE.json]

Default path: `prices/models-dev-2026-07-02.json` under `LLMKIT_SHARED` (default: `shared` beside the repository).
A row is `id: [name, context, output, flags, modalities, released, prices...]`; `columns` in the file says more. Numbers
go over as they were written.
"""

import json
import os
import re
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("LLMKIT_SHARED", ROOT.parent / "shared"))
FOLDER = ROOT / "providers" / "llmkit_openai"
TARGET = FOLDER / "models.json"
LICENCE = "models.dev, MIT licence, Copyright (c) 2025 models.dev"
COLUMNS = (
    "name ('' = as the id), context and most output in tokens (0 = not known), flags (t tools, "
    "u tools not known: said not to have them, while other services say it of the same model, r reasoning, "
    "s structured output, n none of it, d deprecated, a alpha, b beta), place in `modalities` (-1 = not known), "
    "day of release ('' = not known); where there are prices: prompt, completion, other components as an object, "
    "tiers as [[more than so many prompt tokens, components], ...]; USD per million tokens, null = not known"
)
#: models.dev's names of prices to those of OpenRouter's catalogue.
COMPONENTS = {
    "cache_read": "input_cache_read",
    "cache_input": "input_cache_read",
    "cached_input": "input_cache_read",
    "cache_write": "input_cache_write",
    "cached_write": "input_cache_write",
    "input_audio": "audio",
    "output_audio": "audio_output",
    "reasoning": "internal_reasoning",
    "input": "prompt",
    "output": "completion",
}
#: Not per token, or of a unit that the source does not say.
UNCLEAR = ("request", "citation", "image")
STATUS = {"deprecated": "d", "alpha": "a", "beta": "b"}
WORDS = {"pdf": "file"}


def components(cost: dict) -> dict:
    """Prices under OpenRouter's names."""
    made = {COMPONENTS[key]: value for key, value in cost.items() if key in COMPONENTS}
    made |= dict.fromkeys(key for key in cost if key in UNCLEAR)
    if unknown := set(cost) - set(COMPONENTS) - set(UNCLEAR) - {"tiers"}:
        raise SystemExit(f"the source has prices of a new kind: {unknown}")
    return made


def tiers(cost: dict) -> list:
    """Prices of long prompts: [[more than so many tokens, components], ...]."""
    made = []
    for tier in cost.get("tiers") or []:
        if tier["tier"].get("type", "context") != "context":
            raise SystemExit(f"the source has tiers of a new kind: {tier}")
        made.append([tier["tier"]["size"], components({key: value for key, value in tier.items() if key != "tier"})])
    return made


def day(text: str) -> str:
    """A whole date, or '' for what is none: a month, a slip, the beginning of the epoch."""
    try:
        return text if date.fromisoformat(text).year > 1970 else ""
    except ValueError:
        return ""


def short(identity: str) -> str:
    """What services call the same model: without its maker and its variant."""
    return identity.lower().partition(":")[0].rpartition("/")[2]


def row(identity: str, model: dict, modalities: list, with_tools: set) -> list:
    """One model. `with_tools` are the short names of models that have tools somewhere."""
    limit, said = model.get("limit", {}), model.get("modalities", {})
    # A service's "no" is often a field that nobody filled in, and a wrong one would refuse a call that works.
    flags = "t" if model["tool_call"] else "u" * (short(identity) in with_tools)
    flags += "r" * model["reasoning"]
    flags += {True: "s", False: "n"}.get(model.get("structured_output"), "") + STATUS.get(model.get("status"), "")
    kinds = "->".join(
        " ".join(sorted(WORDS.get(item, item) for item in said.get(side, []))) for side in ("input", "output")
    )
    if kinds != "->" and kinds not in modalities:
        modalities.append(kinds)
    made = [
        "" if model["name"] == identity else model["name"],
        limit.get("context") or 0,
        limit.get("output") or 0,
        flags,
        modalities.index(kinds) if kinds != "->" else -1,
        day(model.get("release_date", "")),
    ]
    if cost := model.get("cost"):
        prices = components(cost)
        made += [prices.pop("prompt", None), prices.pop("completion", None), prices, tiers(cost)]
        while made[-1] in ({}, []):
            made.pop()
    return made


def compact(value: object) -> str:
    """JSON on one line."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{compact(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write the file."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "prices" / "models-dev-2026-07-02.json"
    data = json.loads(source.read_text("utf-8"), parse_float=Decimal)
    names = {"openai", *json.loads((FOLDER / "services.json").read_text("utf-8"))["services"]}
    with_tools = {
        short(key) for models in data["providers"].values() for key, model in models.items() if model["tool_call"]
    }
    modalities: list = []
    services = []
    count = 0
    for name in sorted(names & set(data["providers"])):
        models = data["providers"][name]
        lines = [
            f"{json.dumps(key)}:{compact(row(key, model, modalities, with_tools))}"
            for key, model in sorted(models.items())
        ]
        count += len(lines)
        services.append(f"{json.dumps(name)}:{{\n" + ",\n".join(lines) + "\n}")
    head = {
        "source": data["source"],
        "licence": LICENCE,
        "date": re.search(r"\d{4}-\d\d-\d\d", data["source"]).group(),
        "columns": COLUMNS,
        "modalities": modalities,
    }
    text = (
        json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "services": {\n' + ",\n".join(services) + "\n }\n}\n"
    )
    TARGET.write_text(text, "utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {count} models of {len(services)} services, {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
