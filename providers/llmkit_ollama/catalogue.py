"""Ollama's lists as `ModelInfo`. Operations, without I/O.

`/api/tags` says which models there are, `/api/show` what one of them can do, `/api/ps` what is loaded.
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
from llmkit_ollama.names import full_name, is_cloud_model

JSON = Mapping[str, object]
_FREE = Pricing({"prompt": Decimal(0), "completion": Decimal(0)})
#: Ollama's word for a capability to llmkit's.
_WORDS = {
    "completion": "completion",
    "tools": "tools",
    "vision": "vision",
    "audio": "audio",
    "thinking": "reasoning",
    "embedding": "embedding",
    "insert": "insert",
}
#: Key of `extra` to where it stands in a row of the list.
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

    Two requests, and one more for each model on the machine of which the list does not say what it can do and how long
    its context is; where that one fails, both stay unknown.
    """
    reply = yield HTTPRequest("/api/tags", method="GET")
    rows = decode_object(reply.body, "the list of models").get("models", "")
    if rows is not None and not isinstance(rows, list):
        raise MalformedResponse("the list of models is no list")
    found = [made for row in as_objects(rows) if (made := _listed(provider, row)) is not None]
    if any(_is_here(info) for info in found):
        running = yield from _running()
        found = [_loaded(info, running) for info in found]
    for index, info in enumerate(found):
        if info.capabilities and (info.context_length is not None or not _is_here(info)):
            continue
        try:
            found[index] = yield from _shown(info)
        except (ConnectionFailed, LLMTimeout, AuthFailed):
            break  # The next one would take as long and fail as well.
        except LLMError:
            continue
    return found


def model_details(listed: ModelInfo) -> Operation[ModelInfo]:
    """One model of the list with its trained context, its capabilities, and what it really runs with."""
    made = yield from _shown(listed)
    if not _is_here(made):
        return made
    return _loaded(made, (yield from _running()))


def server_version() -> Operation[str | None]:
    """The version that the server says it has."""
    reply = yield HTTPRequest("/api/version", method="GET")
    return as_text(decode_object(reply.body, "the version").get("version")) or None


def _shown(info: ModelInfo) -> Operation[ModelInfo]:
    reply = yield HTTPRequest("/api/show", encode({"model": info.id}))
    return _described(info, decode_object(reply.body, "the model's description"))


def _running() -> Operation[Mapping[str, JSON]]:
    """The rows of the loaded models by full name; none where the server does not say."""
    try:
        reply = yield HTTPRequest("/api/ps", method="GET")
        rows = as_objects(decode_object(reply.body, "the list of loaded models").get("models"))
    except LLMError:
        return {}
    return {full_name(name): row for row in rows if (name := _name(row)) is not None}


def _name(row: JSON) -> str | None:
    return as_text(row.get("name")) or as_text(row.get("model")) or None


def _listed(provider: str, row: JSON) -> ModelInfo | None:
    name = _name(row)
    if name is None:
        return None
    details = as_mapping(row.get("details"))
    made = ModelInfo(
        name,
        provider,
        context_length=as_count(details.get("context_length")) or None,
        created=_day(row.get("modified_at")),
        size=as_count(row.get("size")),
        extra=_extra(row),
    )
    return _capable(_priced(made), row.get("capabilities"))


def _described(info: ModelInfo, shown: JSON) -> ModelInfo:
    """`info` with what `/api/show` says."""
    extra = {**info.extra, **_extra(shown)}
    if found := _NUM_CTX.search(as_text(shown.get("parameters")) or ""):
        extra["num_ctx"] = int(found[1])
    made = replace(
        info,
        context_length=_trained(as_mapping(shown.get("model_info"))) or info.context_length,
        created=info.created or _day(shown.get("modified_at")),
        extra=extra,
    )
    return _capable(made if _is_here(made) else _priced(made), shown.get("capabilities"))


def _loaded(info: ModelInfo, running: Mapping[str, JSON]) -> ModelInfo:
    """`info` with the context that it runs with, if it is loaded."""
    row = running.get(full_name(info.id), {})
    extra = {key: value for key, value in info.extra.items() if key not in _LOADED}
    if (used := as_count(row.get("size_vram"))) is not None:
        extra["size_vram"] = used
    if expires := as_text(row.get("expires_at")):
        extra["expires_at"] = expires
    return replace(info, running_context=as_count(row.get("context_length")) or None, extra=extra)


def _capable(info: ModelInfo, said: object) -> ModelInfo:
    """`info` with the capabilities of a list of Ollama's words; as it is where there is no such list."""
    if not isinstance(said, list):
        return info
    words = {word for word in said if isinstance(word, str)}
    able = {ours: word in words for word, ours in _WORDS.items()}
    # The grammar that holds an answer to a form, and log probabilities, are the server's, for each model that talks.
    # The cloud takes no form; of log probabilities it says nothing.
    talks = "completion" in words
    able |= {"json": talks and _is_here(info), "json_schema": talks and _is_here(info)}
    if _is_here(info):
        able["logprobs"] = talks
    outputs = {"text"} if talks else set()
    outputs |= {kind for word, kind in (("embedding", "embeddings"), ("image", "image")) if word in words}
    inputs = {"text", *(kind for word, kind in (("vision", "image"), ("audio", "audio")) if word in words)}
    return replace(
        info, capabilities=able, input_modalities=frozenset(inputs), output_modalities=frozenset(outputs) or None
    )


def _is_here(info: ModelInfo) -> bool:
    """Is it a model of the server's own machine, not of the cloud?"""
    remote = info.extra.get("remote_host") or info.extra.get("remote_model") or is_cloud_model(info.id)
    # The list of ollama.com itself has no file behind a row, and says so by an empty format.
    return not remote and info.extra.get("format") != ""


def _priced(info: ModelInfo) -> ModelInfo:
    return replace(info, pricing=_FREE if _is_here(info) else Pricing())


def _extra(row: JSON) -> dict[str, object]:
    details = as_mapping(row.get("details"))
    made = {key: details.get(name) for key, name in _DETAILS.items()} | {key: row.get(key) for key in _ROW}
    return {key: value for key, value in made.items() if isinstance(value, str) and (value or key == "format")}


def _trained(info: JSON) -> int | None:
    """The context that the model was trained with."""
    architecture = as_text(info.get("general.architecture"))
    return as_count(info.get(f"{architecture}.context_length")) or None


def _day(value: object) -> date | None:
    """The day of a time stamp; a cloud model has the year 1, which is no day."""
    try:
        day = date.fromisoformat((as_text(value) or "")[:10])
    except ValueError:
        return None
    return day if day.year > 1 else None
