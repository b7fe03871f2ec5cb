"""Builds the documents besides chat: model lists, endpoints, key, generation, and Ollama's small calls."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypedDict

from llmkit.testing.simulator.jsonvalue import EMPTY, JSON, Object, as_list, as_object, as_text, read, write
from llmkit.testing.simulator.models import (
    CREATED,
    CREATED_AT,
    OLLAMA_CONTEXT,
    OLLAMA_MODELS,
    OPENAI_MODELS,
    OPENROUTER_MODELS,
    CatalogueModel,
    find_catalogue_row,
    find_provider_name,
    price_to_json,
)
from llmkit.testing.simulator.records import Charge

_SIZE_BYTES = 2_000_000_000
_OLLAMA_VERSION = "0.33.0"


def build_openrouter_models() -> Object:
    """`GET /models`."""
    rows: list[JSON] = [_build_row(model) for model in OPENROUTER_MODELS]
    return {"data": rows, "total_count": len(rows), "links": {"next": None}}


def build_openrouter_endpoints(name: str, served: bytes | None = None, *, measured: bool = False) -> Object | None:
    """`GET /models/{author}/{slug}/endpoints`: one endpoint; None for a model that the catalogue lacks.

    Args:
        name: the id of the model, or its canonical slug.
        served: the catalogue that a test serves; None = the simulator's own.
        measured: with latency and throughput, which only a request with a key gets.
    """
    row, provider = _find_row(name, served)
    if row is None:
        return None
    top = as_object(row.get("top_provider"))
    endpoint: dict[str, JSON] = {
        "name": f"{provider} | {as_text(row.get('canonical_slug'))}",
        "model_id": row.get("canonical_slug"),
        "model_name": row.get("name"),
        "provider_name": provider,
        "tag": provider.lower(),
        "context_length": row.get("context_length"),
        "max_prompt_tokens": None,
        "max_completion_tokens": top.get("max_completion_tokens"),
        "pricing": row.get("pricing"),
        "quantization": None,
        "supported_parameters": row.get("supported_parameters"),
        "status": 0,
        "uptime_last_30m": 100,
        "latency_last_30m": {"p50": 420, "p75": 600, "p90": 900, "p99": 2000} if measured else None,
        "throughput_last_30m": {"p50": 80.5, "p75": 70, "p90": 50, "p99": 20} if measured else None,
        "supports_implicit_caching": False,
    }
    kept: dict[str, JSON] = {key: row.get(key) for key in ("id", "name", "created", "description", "architecture")}
    return {"data": {**kept, "endpoints": [endpoint]}}


def _find_row(name: str, served: bytes | None) -> tuple[Object | None, str]:
    """Return the row of a model (None = not listed), and the name of its provider."""
    if served is None:
        model = find_catalogue_row(name)
        return (None, "") if model is None else (_build_row(model), model.provider)
    rows = map(as_object, as_list(as_object(read(served)).get("data")))
    matching = next((row for row in rows if name in (row.get("id"), row.get("canonical_slug"))), None)
    return matching, name.lstrip("~").partition("/")[0].title()


def build_openrouter_credits(charges: Sequence[Charge]) -> Object:
    """`GET /credits`: 100 dollars, less the bill."""
    return {"data": {"total_credits": 100, "total_usage": _sum_charges(charges)}}


def _sum_charges(charges: Sequence[Charge]) -> Decimal:
    return sum((charge.cost or Decimal(0) for charge in charges if charge.dialect == "openrouter"), Decimal(0))


class KeyFields(TypedDict, total=False):
    """What OpenRouter says of a key (`GET /key`). Money is US dollars; `None` means that there is no limit."""

    label: str
    limit: float | Decimal | str | None
    limit_remaining: float | Decimal | str | None
    limit_reset: str | None
    usage: float | Decimal | str
    usage_daily: float | Decimal | str
    usage_weekly: float | Decimal | str
    usage_monthly: float | Decimal | str
    byok_usage: float | Decimal | str
    include_byok_in_limit: bool
    is_free_tier: bool
    is_management_key: bool
    expires_at: str | None


def build_openrouter_key(charges: Sequence[Charge], changes: Object = EMPTY) -> Object:
    """`GET /key`: no limit, and the sum of the bill as usage; `changes` replace fields."""
    spent = _sum_charges(charges)
    return {
        "data": {
            "label": "sk-or-v1-sim...",
            "limit": None,
            "limit_remaining": None,
            "limit_reset": None,
            "include_byok_in_limit": False,
            "usage": spent,
            "usage_daily": spent,
            "usage_weekly": spent,
            "usage_monthly": spent,
            "byok_usage": 0,
            "is_free_tier": False,
            "is_management_key": False,
            "expires_at": None,
            **changes,
        }
    }


def build_openrouter_generation(charges: Sequence[Charge], number: str) -> Object | None:
    """`GET /generation?id=`; None for an id that is not on the bill."""
    matching = [charge for charge in charges if charge.id == number and charge.dialect == "openrouter"]
    if not matching:
        return None
    charge = matching[-1]
    return {
        "data": {
            "id": charge.id,
            "upstream_id": f"upstream-{charge.id}",
            "api_type": "completions",
            "created_at": CREATED_AT,
            "model": charge.model,
            "provider_name": find_provider_name(charge.model),
            "streamed": charge.streamed,
            "cancelled": charge.streamed and not charge.complete,
            "finish_reason": "stop" if charge.complete else None,
            "native_finish_reason": "stop" if charge.complete else None,
            "total_cost": charge.cost,
            "usage": charge.cost,
            "upstream_inference_cost": None,
            "cache_discount": None,
            "is_byok": False,
            "tokens_prompt": charge.prompt_tokens,
            "tokens_completion": charge.completion_tokens,
            "native_tokens_prompt": charge.prompt_tokens,
            "native_tokens_completion": charge.completion_tokens,
            "native_tokens_reasoning": 0,
            "native_tokens_cached": 0,
            "latency": 10,
            "generation_time": 20,
        }
    }


def build_openai_models() -> Object:
    """`GET /models` of OpenAI."""
    names = [name for plain, (dated, _) in OPENAI_MODELS.items() for name in (plain, dated)]
    rows: list[JSON] = [{"id": name, "object": "model", "created": CREATED, "owned_by": "system"} for name in names]
    return {"object": "list", "data": rows}


def build_ollama_version() -> Object:
    """`GET /api/version`."""
    return {"version": _OLLAMA_VERSION}


def build_ollama_tags() -> Object:
    """`GET /api/tags`."""
    rows: list[JSON] = [
        {**_build_local(name), "modified_at": CREATED_AT, "capabilities": list(capabilities)}
        for name, (_, _, _, capabilities) in OLLAMA_MODELS.items()
    ]
    return {"models": rows}


def build_ollama_running() -> Object:
    """`GET /api/ps`: the first model, loaded."""
    name = next(iter(OLLAMA_MODELS))
    running: dict[str, JSON] = {"expires_at": CREATED_AT, "size_vram": _SIZE_BYTES, "context_length": OLLAMA_CONTEXT}
    return {"models": [{**_build_local(name), **running}]}


def build_ollama_show(name: str) -> Object:
    """`POST /api/show`; a name that is not listed is described like the first one, or as one that embeds."""
    known = name if name in OLLAMA_MODELS else f"{name}:latest"
    other = OLLAMA_MODELS["all-minilm:latest"] if "embed" in name else next(iter(OLLAMA_MODELS.values()))
    family, size, context, capabilities = OLLAMA_MODELS.get(known, other)
    return {
        "modelfile": f"FROM {name}",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": _build_details(name, family, size),
        **_build_remote(name),
        "model_info": {"general.architecture": family, f"{family}.context_length": context},
        "capabilities": list(capabilities),
        "modified_at": CREATED_AT,
    }


def build_ollama_pull(*, fails: bool) -> list[bytes]:
    """The lines of a streamed `POST /api/pull`."""
    lines: list[Object] = [{"status": "pulling manifest"}]
    if fails:
        lines.append({"error": "pull model manifest: file does not exist"})
    else:
        weights, template = _build_layer("0", _SIZE_BYTES), _build_layer("1", 1_000)  # layers come side by side
        lines += [weights, template, {**weights, "completed": _SIZE_BYTES // 2}, {**template, "completed": 1_000}]
        lines.append({**weights, "completed": _SIZE_BYTES})
        lines += [{"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")]
    return [f"{write(line)}\n".encode() for line in lines]


def _build_row(model: CatalogueModel) -> dict[str, JSON]:
    return {
        "id": model.id,
        "canonical_slug": model.answers_as,
        "name": model.name,
        "created": CREATED,
        "description": "A simulated model.",
        "context_length": model.context_length,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": price_to_json(model.price),
        "top_provider": {
            "context_length": model.context_length,
            "max_completion_tokens": model.max_completion_tokens,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": list(model.parameters),
        "default_parameters": None,
        "expiration_date": None,
    }


def _build_layer(digit: str, size: int) -> dict[str, JSON]:
    return {"status": f"pulling {digit * 12}", "digest": f"sha256:{digit * 64}", "total": size}


def _build_local(name: str) -> dict[str, JSON]:
    family, size, _, _ = OLLAMA_MODELS[name]
    remote = _build_remote(name)
    return {
        "name": name,
        "model": name,
        **remote,
        "size": 384 if remote else _SIZE_BYTES,
        "digest": "0" * 64,
        "details": _build_details(name, family, size),
    }


def _build_remote(name: str) -> dict[str, JSON]:
    """Return the extra fields of a model that runs in Ollama's cloud."""
    if not name.endswith("-cloud"):
        return {}
    return {"remote_model": name.removesuffix("-cloud"), "remote_host": "https://ollama.com:443"}


def _build_details(name: str, family: str, size: str) -> Object:
    return {
        "parent_model": "",
        "format": "" if _build_remote(name) else "gguf",
        "family": family,
        "families": [family],
        "parameter_size": size,
        "quantization_level": "Q4_K_M",
    }
