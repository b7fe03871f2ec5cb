"""The documents besides chat: model lists, endpoints, key, generation, and Ollama's small calls."""

from collections.abc import Sequence
from decimal import Decimal

from llmkit.testing.simulator.jsonvalue import JSON, Object, write
from llmkit.testing.simulator.models import (
    CREATED,
    CREATED_AT,
    OLLAMA_MODELS,
    OPENAI_MODELS,
    OPENROUTER_MODELS,
    CatalogueModel,
    catalogue_row,
    price_json,
    provider_of,
)
from llmkit.testing.simulator.records import Charge

_SIZE = 2_000_000_000
_OLLAMA_VERSION = "0.33.0"


def openrouter_models() -> Object:
    """`GET /models`."""
    rows: list[JSON] = [_row(model) for model in OPENROUTER_MODELS]
    return {"data": rows, "total_count": len(rows), "links": {"next": None}}


def openrouter_endpoints(name: str) -> Object | None:
    """`GET /models/{author}/{slug}/endpoints`; None for a model that the catalogue lacks."""
    model = catalogue_row(name)
    if model is None:
        return None
    endpoint: dict[str, JSON] = {
        "name": f"{model.provider} | {model.answers_as}",
        "model_id": model.answers_as,
        "model_name": model.name,
        "provider_name": model.provider,
        "tag": model.provider.lower(),
        "context_length": model.context_length,
        "max_prompt_tokens": None,
        "max_completion_tokens": model.max_completion_tokens,
        "pricing": price_json(model.price),
        "quantization": None,
        "supported_parameters": list(model.parameters),
        "status": 0,
        "uptime_last_30m": 100,
        "latency_last_30m": None,
        "throughput_last_30m": None,
        "supports_implicit_caching": False,
    }
    row = _row(model)
    kept: dict[str, JSON] = {key: row[key] for key in ("id", "name", "created", "description", "architecture")}
    return {"data": {**kept, "endpoints": [endpoint]}}


def openrouter_key(charges: Sequence[Charge]) -> Object:
    """`GET /key`: no limit, and the sum of the bill as usage."""
    spent = sum((charge.cost or Decimal(0) for charge in charges if charge.dialect == "openrouter"), Decimal(0))
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
        }
    }


def openrouter_generation(charges: Sequence[Charge], number: str) -> Object | None:
    """`GET /generation?id=`; None for an id that is not on the bill."""
    found = [charge for charge in charges if charge.id == number and charge.dialect == "openrouter"]
    if not found:
        return None
    charge = found[-1]
    return {
        "data": {
            "id": charge.id,
            "upstream_id": f"upstream-{charge.id}",
            "api_type": "completions",
            "created_at": CREATED_AT,
            "model": charge.model,
            "provider_name": provider_of(charge.model),
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


def openai_models() -> Object:
    """`GET /models` of OpenAI."""
    names = [name for plain, (dated, _) in OPENAI_MODELS.items() for name in (plain, dated)]
    rows: list[JSON] = [{"id": name, "object": "model", "created": CREATED, "owned_by": "system"} for name in names]
    return {"object": "list", "data": rows}


def ollama_version() -> Object:
    """`GET /api/version`."""
    return {"version": _OLLAMA_VERSION}


def ollama_tags() -> Object:
    """`GET /api/tags`."""
    return {"models": [{**_local(name), "modified_at": CREATED_AT} for name in OLLAMA_MODELS]}


def ollama_running() -> Object:
    """`GET /api/ps`: the first model, loaded."""
    name = next(iter(OLLAMA_MODELS))
    running: dict[str, JSON] = {"expires_at": CREATED_AT, "size_vram": _SIZE, "context_length": 4096}
    return {"models": [{**_local(name), **running}]}


def ollama_show(name: str) -> Object:
    """`POST /api/show`; a name that is not listed is described like the first one."""
    known = name if name in OLLAMA_MODELS else f"{name}:latest"
    family, size, context, capabilities = OLLAMA_MODELS.get(known, next(iter(OLLAMA_MODELS.values())))
    return {
        "modelfile": f"FROM {name}",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": _details(family, size),
        "model_info": {"general.architecture": family, f"{family}.context_length": context},
        "capabilities": list(capabilities),
        "modified_at": CREATED_AT,
    }


def ollama_pull(*, fails: bool) -> list[bytes]:
    """The lines of a streamed `POST /api/pull`."""
    digest = "sha256:" + "0" * 64
    lines: list[Object] = [{"status": "pulling manifest"}]
    if fails:
        lines.append({"error": "pull model manifest: file does not exist"})
    else:
        layer: dict[str, JSON] = {"status": "pulling 000000000000", "digest": digest, "total": _SIZE}
        lines += [layer, {**layer, "completed": _SIZE // 2}, {**layer, "completed": _SIZE}]
        lines += [{"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")]
    return [f"{write(line)}\n".encode() for line in lines]


def _row(model: CatalogueModel) -> dict[str, JSON]:
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
        "pricing": price_json(model.price),
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


def _local(name: str) -> dict[str, JSON]:
    family, size, _, _ = OLLAMA_MODELS[name]
    return {"name": name, "model": name, "size": _SIZE, "digest": "0" * 64, "details": _details(family, size)}


def _details(family: str, size: str) -> Object:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": size,
        "quantization_level": "Q4_K_M",
    }
