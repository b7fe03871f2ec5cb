"""Make `providers/llmkit_openai/models.json`, the limits and prices of the known services, from the list of models.dev.

    python scripts/make_models.py [PATH OF models-dev-DATE.json]

Default path: `prices/models-dev-2026-07-02.json` under `LLMKIT_SHARED` (default: `shared` beside the repository).
A row is `id: [name, context, output, flags, modalities, released, prices...]`; `columns` in the file says more. Numbers
are copied as they are written.
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
#: Prices that are not per token, or whose unit the source does not say. They are written as null.
UNCLEAR_COMPONENTS = ("request", "citation", "image")
STATUS_FLAGS = {"deprecated": "d", "alpha": "a", "beta": "b"}
MODALITY_NAMES = {"pdf": "file"}


def rename_components(cost: dict) -> dict:
    """Return prices under OpenRouter's names."""
    prices = {COMPONENTS[key]: value for key, value in cost.items() if key in COMPONENTS}
    prices |= dict.fromkeys(key for key in cost if key in UNCLEAR_COMPONENTS)
    if unknown := set(cost) - set(COMPONENTS) - set(UNCLEAR_COMPONENTS) - {"tiers"}:
        raise SystemExit(f"the source has prices of a new kind: {unknown}")
    return prices


def build_tiers(cost: dict) -> list:
    """Return the prices of long prompts: [[more than so many tokens, components], ...]."""
    tier_list = []
    for tier in cost.get("tiers") or []:
        if tier["tier"].get("type", "context") != "context":
            raise SystemExit(f"the source has tiers of a new kind: {tier}")
        tier_list.append(
            [tier["tier"]["size"], rename_components({key: value for key, value in tier.items() if key != "tier"})]
        )
    return tier_list


def parse_day(text: str) -> str:
    """Return a whole date, or '' for anything else: a month, a typing error, the beginning of the epoch."""
    try:
        return text if date.fromisoformat(text).year > 1970 else ""
    except ValueError:
        return ""


def shorten_id(identity: str) -> str:
    """Return the part of an id that services share for the same model: without its maker and its variant."""
    return identity.lower().partition(":")[0].rpartition("/")[2]


def build_row(identity: str, model: dict, modalities: list, with_tools: set) -> list:
    """Return the columns of one model. `with_tools` are the short names of models that have tools with some service."""
    limit, model_modalities = model.get("limit", {}), model.get("modalities", {})
    # A "no" is often a field that nobody filled in, and a wrong "no" would refuse a call that works.
    flags = "t" if model["tool_call"] else "u" * (shorten_id(identity) in with_tools)
    flags += "r" * model["reasoning"]
    flags += {True: "s", False: "n"}.get(model.get("structured_output"), "") + STATUS_FLAGS.get(model.get("status"), "")
    kinds = "->".join(
        " ".join(sorted(MODALITY_NAMES.get(item, item) for item in model_modalities.get(side, [])))
        for side in ("input", "output")
    )
    if kinds != "->" and kinds not in modalities:
        modalities.append(kinds)
    columns = [
        "" if model["name"] == identity else model["name"],
        limit.get("context") or 0,
        limit.get("output") or 0,
        flags,
        modalities.index(kinds) if kinds != "->" else -1,
        parse_day(model.get("release_date", "")),
    ]
    if cost := model.get("cost"):
        prices = rename_components(cost)
        columns += [prices.pop("prompt", None), prices.pop("completion", None), prices, build_tiers(cost)]
        while columns[-1] in ({}, []):
            columns.pop()
    return columns


def to_compact_json(value: object) -> str:
    """Return JSON on one line."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{to_compact_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_compact_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write the file."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "prices" / "models-dev-2026-07-02.json"
    data = json.loads(source.read_text("utf-8"), parse_float=Decimal)
    names = {"openai", *json.loads((FOLDER / "services.json").read_text("utf-8"))["services"]}
    with_tools = {
        shorten_id(key) for models in data["providers"].values() for key, model in models.items() if model["tool_call"]
    }
    modalities: list = []
    services = []
    count = 0
    for name in sorted(names & set(data["providers"])):
        models = data["providers"][name]
        lines = [
            f"{json.dumps(key)}:{to_compact_json(build_row(key, model, modalities, with_tools))}"
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
