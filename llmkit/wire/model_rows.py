"""Model lists of the chat-completions dialect: OpenAI's `{"data": [{"id": ...}]}`, and what services add to a row.

Only the id is required. A field of an unexpected type counts as not known, a row without an id is skipped. Numbers are
read exactly, because some are prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from llmkit.errors import MalformedResponse
from llmkit.provider.exchange import HTTPReply
from llmkit.types.model_info import ModelInfo
from llmkit.types.pricing import Pricing
from llmkit.wire.chat_reply import JSON, as_mapping, as_objects, as_text
from llmkit.wire.jsonbytes import decode_exact, decode_object
from llmkit.wire.numbers import as_count, as_real

#: The last second of the year 9999, the last that a `date` holds.
_LAST_EPOCH_SECONDS = 253_402_300_799
#: A time stamp above this is in milliseconds.
_MAX_EPOCH_SECONDS = 10**11
_MAX_DEPTH_LEVELS = 16
_CONTEXTS = ("context_length", "context_window", "max_model_len", "max_context_length", "context_size")
_OUTPUTS = ("max_completion_tokens", "max_output_tokens", "max_output_length")
#: A service's flag for what a model can do -> llmkit's word for it.
_FLAGS = {
    "function_calling": "tools",
    "vision": "vision",
    "audio": "audio",
    "reasoning": "reasoning",
    "supports_tools": "tools",
    "supports_image_input": "vision",
}
#: Fields of a row that have a place in `ModelInfo`, or are of no use to a user.
_READ = frozenset(
    """id object name display_name title description created pricing architecture top_provider supported_parameters
    knowledge_cutoff expiration_date deprecation alias_target deprecation_replacement_model benchmarks links permission
    capabilities""".split()  # noqa: SIM905 - a word a field, and no line for each
).union(_CONTEXTS, _OUTPUTS)


def decode_document(reply: HTTPReply, what: str) -> object:
    """The JSON value of a whole reply, numbers exact.

    Raises:
        MalformedResponse: the reply is not JSON; the text says what came instead.
    """
    try:
        return decode_exact(reply.body)
    except (ValueError, RecursionError):
        pass
    decode_object(reply.body, what)  # It raises, with the text that all such errors have.
    raise MalformedResponse(f"{what} cannot be read exactly")


def parse_rows(reply: HTTPReply, what: str = "the list of models") -> tuple[JSON, ...]:
    """The rows of a list that have an id: those of `{"data": [...]}`, or a bare list.

    Raises:
        MalformedResponse: the reply holds no such list.
    """
    return pick_rows(decode_document(reply, what), what)


def pick_rows(value: object, what: str) -> tuple[JSON, ...]:
    """As `parse_rows`, out of a decoded document."""
    listed = value.get("data") if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise MalformedResponse(f"{what} has no `data` that is a list")
    return tuple(row for row in as_objects(listed) if as_text(row.get("id")))


def parse_model_info(row: JSON, provider: str, pricing: Pricing) -> ModelInfo:
    """The model that a row describes.

    A row may hold as little as OpenAI's or as much as OpenRouter's. Where services name a field differently, the first
    name that is there counts.
    """
    architecture, top, metadata = (as_mapping(row.get(key)) for key in ("architecture", "top_provider", "metadata"))
    inputs, outputs = _parse_modalities(architecture)
    return ModelInfo(
        id=str(row["id"]),
        provider=provider,
        name=_find_text(row, "name", "display_name", "title"),
        context_length=_find_count((row, _CONTEXTS), (top, _CONTEXTS), (metadata, _CONTEXTS)),
        max_output=_find_count((top, _OUTPUTS), (row, _OUTPUTS), (metadata, (*_OUTPUTS, "max_tokens"))),
        input_modalities=inputs,
        output_modalities=outputs,
        supported_parameters=as_words(row.get("supported_parameters")),
        capabilities=_parse_capabilities(row),
        pricing=pricing,
        created=parse_epoch_day(row.get("created")),
        expires=parse_day(row.get("expiration_date")) or parse_day(row.get("deprecation")),
        replaced_by=_find_successor(row),
        description=_find_text(row, "description") or as_text(metadata.get("description")),
        knowledge_cutoff=as_text(row.get("knowledge_cutoff")),
        extra={key: to_plain_json(item) for key, item in row.items() if key not in _READ and item is not None},
    )


def as_words(value: object) -> frozenset[str] | None:
    """The texts in a list; `None` for a value that is not a list."""
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else None


def parse_day(value: object) -> date | None:
    """The day of an ISO date or time; `None` for anything else."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def parse_epoch_day(value: object) -> date | None:
    """The day, in UTC, of epoch seconds or milliseconds; 0 stands for "not known"."""
    seconds = as_count(value) or 0
    seconds = seconds // 1000 if seconds > _MAX_EPOCH_SECONDS else seconds
    return datetime.fromtimestamp(seconds, UTC).date() if 0 < seconds <= _LAST_EPOCH_SECONDS else None


def as_number(value: object) -> float | None:
    """A finite number; `None` for text or anything else."""
    return None if isinstance(value, str) else as_real(value)


def to_plain_json(value: object, depth: int = 0) -> object:
    """A value of an exact document with floats for decimals. What is nested too deeply to be of use becomes `None`."""
    if isinstance(value, Decimal):
        return as_number(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth > _MAX_DEPTH_LEVELS:
        return None
    if isinstance(value, dict):
        return {key: to_plain_json(item, depth + 1) for key, item in value.items()}
    return [to_plain_json(item, depth + 1) for item in value]


def _find_text(row: JSON, *names: str) -> str | None:
    return next((value for name in names if (value := as_text(row.get(name)))), None)


def _find_count(*sources: tuple[JSON, tuple[str, ...]]) -> int | None:
    return next((value for row, names in sources for name in names if (value := as_count(row.get(name)))), None)


def _find_successor(row: JSON) -> str | None:
    return as_text(as_mapping(row.get("alias_target")).get("slug")) or as_text(row.get("deprecation_replacement_model"))


def _parse_modalities(architecture: JSON) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    inputs, outputs = as_words(architecture.get("input_modalities")), as_words(architecture.get("output_modalities"))
    sides = (as_text(architecture.get("modality")) or "").split("->")
    if len(sides) == 2 and all(sides):
        inputs = frozenset(sides[0].split("+")) if inputs is None else inputs
        outputs = frozenset(sides[1].split("+")) if outputs is None else outputs
    return inputs, outputs


def _parse_capabilities(row: Mapping[str, object]) -> dict[str, bool]:
    flags = {**row, **as_mapping(row.get("capabilities"))}
    return {word: flag for name, word in _FLAGS.items() if isinstance(flag := flags.get(name), bool)}
