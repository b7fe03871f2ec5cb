"""Ollama's lists of models, as operations without I/O.

`/api/tags` says which models there are, `/api/show` what one of them can do, `/api/ps` which ones are loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from llmkit.errors import AuthFailed, ConnectionFailed, LLMError, LLMTimeout, MalformedResponse
from llmkit.provider import HTTPRequest, Operation
from llmkit.types import ModelInfo, Pricing
from llmkit.wire.chat_reply import as_mapping, as_objects, as_text
from llmkit.wire.jsonbytes import decode_object, encode
from llmkit.wire.numbers import as_count
from llmkit_ollama.names import is_cloud_model, normalise_name

JSON = Mapping[str, object]
_FREE = Pricing({"prompt": Decimal(0), "completion": Decimal(0)})
#: Ollama's word for a capability -> llmkit's word.
_WORDS = {
    "completion": "completion",
    "tools": "tools",
    "vision": "vision",
    "audio": "audio",
    "thinking": "reasoning",
    "embedding": "embedding",
    "insert": "insert",
}
#: Key of `extra` -> key in the `details` of a row.
_DETAILS = {
    "format": "format",
    "family": "family",
    "parameter_size": "parameter_size",
    "quantization": "quantization_level",
}
_ROW = ("digest", "remote_host", "remote_model")
_LOADED = ("size_vram", "expires_at")
_NUM_CTX = re.compile(r"(?m)^\s*num_ctx\s+\"?([0-9]{1,12})\b")


def list_models(provider: str) -> Operation[Sequence[ModelInfo]]:
    """The models that the server lists, with the context of those that are loaded.

    It takes two requests, and one more for each model on the machine whose capabilities or context length the list does
    not say; where that request fails, they stay unknown.
    """
    reply = yield HTTPRequest("/api/tags", method="GET")
    rows = decode_object(reply.body, "the list of models").get("models", "")
    if rows is not None and not isinstance(rows, list):
        raise MalformedResponse("the list of models is not a list")
    infos = [info for row in as_objects(rows) if (info := _parse_row(provider, row)) is not None]
    if any(_is_here(info) for info in infos):
        running = yield from _ask_running()
        infos = [_add_running(info, running) for info in infos]
    for index, info in enumerate(infos):
        if info.capabilities and (info.context_length is not None or not _is_here(info)):
            continue
        try:
            infos[index] = yield from _ask_details(info)
        except (ConnectionFailed, LLMTimeout, AuthFailed):
            break  # The next request would take as long and fail as well.
        except LLMError:
            continue
    return infos


def model_details(listed: ModelInfo) -> Operation[ModelInfo]:
    """One model of the list with its trained context, its capabilities, and the context that it runs with."""
    info = yield from _ask_details(listed)
    if not _is_here(info):
        return info
    return _add_running(info, (yield from _ask_running()))


def server_version() -> Operation[str | None]:
    """The version of the server; `None` where it does not say."""
    reply = yield HTTPRequest("/api/version", method="GET")
    return as_text(decode_object(reply.body, "the version").get("version")) or None


def _ask_details(info: ModelInfo) -> Operation[ModelInfo]:
    reply = yield HTTPRequest("/api/show", encode({"model": info.id}))
    return _add_details(info, decode_object(reply.body, "the model's description"))


def _ask_running() -> Operation[Mapping[str, JSON]]:
    """The rows of the loaded models by normalised name; empty where the server does not say."""
    try:
        reply = yield HTTPRequest("/api/ps", method="GET")
        rows = as_objects(decode_object(reply.body, "the list of loaded models").get("models"))
    except LLMError:
        return {}
    return {normalise_name(name): row for row in rows if (name := _find_name(row)) is not None}


def _find_name(row: JSON) -> str | None:
    return as_text(row.get("name")) or as_text(row.get("model")) or None


def _parse_row(provider: str, row: JSON) -> ModelInfo | None:
    name = _find_name(row)
    if name is None:
        return None
    details = as_mapping(row.get("details"))
    info = ModelInfo(
        name,
        provider,
        context_length=as_count(details.get("context_length")) or None,
        created=_parse_day(row.get("modified_at")),
        size=as_count(row.get("size")),
        extra=_pick_extra(row),
    )
    return _add_capabilities(_add_price(info), row.get("capabilities"))


def _add_details(info: ModelInfo, shown: JSON) -> ModelInfo:
    """`info` with the details that `/api/show` gives."""
    extra = {**info.extra, **_pick_extra(shown)}
    if match := _NUM_CTX.search(as_text(shown.get("parameters")) or ""):
        extra["num_ctx"] = int(match[1])
    described = replace(
        info,
        context_length=_find_trained_context(as_mapping(shown.get("model_info"))) or info.context_length,
        created=info.created or _parse_day(shown.get("modified_at")),
        extra=extra,
    )
    return _add_capabilities(described if _is_here(described) else _add_price(described), shown.get("capabilities"))


def _add_running(info: ModelInfo, running: Mapping[str, JSON]) -> ModelInfo:
    """`info` with the context that it runs with, if it is loaded."""
    row = running.get(normalise_name(info.id), {})
    extra = {key: value for key, value in info.extra.items() if key not in _LOADED}
    if (size_vram := as_count(row.get("size_vram"))) is not None:
        extra["size_vram"] = size_vram
    if expires := as_text(row.get("expires_at")):
        extra["expires_at"] = expires
    return replace(info, running_context=as_count(row.get("context_length")) or None, extra=extra)


def _add_capabilities(info: ModelInfo, listed: object) -> ModelInfo:
    """`info` with the capabilities that a list of Ollama's words means; unchanged where there is no such list."""
    if not isinstance(listed, list):
        return info
    words = {word for word in listed if isinstance(word, str)}
    capabilities = {ours: word in words for word, ours in _WORDS.items()}
    # JSON schemas and log probabilities are features of the server, and work for each model that writes text. The cloud
    # takes no schemas, and does not say whether it has log probabilities.
    writes_text = "completion" in words
    capabilities |= {"json": writes_text and _is_here(info), "json_schema": writes_text and _is_here(info)}
    if _is_here(info):
        capabilities["logprobs"] = writes_text
    outputs = {"text"} if writes_text else set()
    outputs |= {kind for word, kind in (("embedding", "embeddings"), ("image", "image")) if word in words}
    inputs = {"text", *(kind for word, kind in (("vision", "image"), ("audio", "audio")) if word in words)}
    return replace(
        info,
        capabilities=capabilities,
        input_modalities=frozenset(inputs),
        output_modalities=frozenset(outputs) or None,
    )


def _is_here(info: ModelInfo) -> bool:
    """Does the model run on the server's own machine, not in the cloud?"""
    remote = info.extra.get("remote_host") or info.extra.get("remote_model") or is_cloud_model(info.id)
    # The rows in the list of ollama.com have no file behind them, which their empty format shows.
    return not remote and info.extra.get("format") != ""


def _add_price(info: ModelInfo) -> ModelInfo:
    return replace(info, pricing=_FREE if _is_here(info) else Pricing())


def _pick_extra(row: JSON) -> dict[str, object]:
    details = as_mapping(row.get("details"))
    extra = {key: details.get(name) for key, name in _DETAILS.items()} | {key: row.get(key) for key in _ROW}
    return {key: value for key, value in extra.items() if isinstance(value, str) and (value or key == "format")}


def _find_trained_context(info: JSON) -> int | None:
    """The context length that the model was trained with."""
    architecture = as_text(info.get("general.architecture"))
    return as_count(info.get(f"{architecture}.context_length")) or None


def _parse_day(value: object) -> date | None:
    """The day of a time stamp; `None` for a cloud model, whose time stamp has the year 1."""
    try:
        day = date.fromisoformat((as_text(value) or "")[:10])
    except ValueError:
        return None
    return day if day.year > 1 else None
