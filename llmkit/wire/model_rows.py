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
from llmkit.wire.chat_reply import JSON, mapping, objects, text
from llmkit.wire.jsonbytes import decode_exact, decode_object
from llmkit.wire.numbers import count, real

_LAST_DAY = 253_402_300_799
_MILLISECONDS = 10**11
_DEEPEST = 16
_CONTEXTS = ("context_length", "context_window", "max_model_len", "max_context_length", "context_size")
_OUTPUTS = ("max_completion_tokens", "max_output_tokens", "max_output_length")
#: How services say what a model can do: their flag to llmkit's word.
_FLAGS = {
    "function_calling": "tools",
    "vision": "vision",
    "audio": "audio",
    "reasoning": "reasoning",
    "supports_tools": "tools",
    "supports_image_input": "vision",
}
_READ = frozenset(
    """id object name display_name title description created pricing architecture top_provider supported_parameters
    knowledge_cutoff expiration_date deprecation alias_target deprecation_replacement_model benchmarks links permission
    capabilities""".split()  # noqa: SIM905 - a word a field, and no line for each
).union(_CONTEXTS, _OUTPUTS)


def document(reply: HTTPReply, what: str) -> object:
    """The JSON value of a whole reply, numbers exact.

    Raises:
        MalformedResponse: not JSON; the text says what came instead.
    """
    try:
        return decode_exact(reply.body)
    except (ValueError, RecursionError):
        pass
    decode_object(reply.body, what)  # Raises with the text that all such errors have.
    raise MalformedResponse(f"{what} cannot be read exactly")


def rows(reply: HTTPReply, what: str = "the list of models") -> tuple[JSON, ...]:
    """The rows of a list that have an id: those of `{"data": [...]}`, or a bare list.

    Raises:
        MalformedResponse: no such list.
    """
    return rows_of(document(reply, what), what)


def rows_of(value: object, what: str) -> tuple[JSON, ...]:
    """As `rows`, out of a document that is read already."""
    listed = value.get("data") if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise MalformedResponse(f"{what} has no `data` that is a list")
    return tuple(row for row in objects(listed) if text(row.get("id")))


def model_info(row: JSON, provider: str, pricing: Pricing) -> ModelInfo:
    """One row. It may be as bare as OpenAI's or as rich as OpenRouter's; other services have names of their own."""
    architecture, top, metadata = (mapping(row.get(key)) for key in ("architecture", "top_provider", "metadata"))
    taken, given = _modalities(architecture)
    return ModelInfo(
        id=str(row["id"]),
        provider=provider,
        name=_first_text(row, "name", "display_name", "title"),
        context_length=_first_count((row, _CONTEXTS), (top, _CONTEXTS), (metadata, _CONTEXTS)),
        max_output=_first_count((top, _OUTPUTS), (row, _OUTPUTS), (metadata, (*_OUTPUTS, "max_tokens"))),
        input_modalities=taken,
        output_modalities=given,
        supported_parameters=words(row.get("supported_parameters")),
        capabilities=_capabilities(row),
        pricing=pricing,
        created=day_of(row.get("created")),
        expires=day(row.get("expiration_date")) or day(row.get("deprecation")),
        replaced_by=text(mapping(row.get("alias_target")).get("slug"))
        or text(row.get("deprecation_replacement_model")),
        description=_first_text(row, "description") or text(metadata.get("description")),
        knowledge_cutoff=text(row.get("knowledge_cutoff")),
        extra={key: plain(item) for key, item in row.items() if key not in _READ and item is not None},
    )


def words(value: object) -> frozenset[str] | None:
    """The texts of a list; `None` for anything else."""
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else None


def day(value: object) -> date | None:
    """The day of an ISO date or time."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def day_of(value: object) -> date | None:
    """The day, in UTC, of epoch seconds or milliseconds; 0 stands for "not known"."""
    seconds = count(value) or 0
    seconds = seconds // 1000 if seconds > _MILLISECONDS else seconds
    return datetime.fromtimestamp(seconds, UTC).date() if 0 < seconds <= _LAST_DAY else None


def number(value: object) -> float | None:
    """A finite number; text is none."""
    return None if isinstance(value, str) else real(value)


def plain(value: object, depth: int = 0) -> object:
    """A value of an exact document as JSON has it: decimals as floats. What is nested beyond any use is left out."""
    if isinstance(value, Decimal):
        return number(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {key: plain(item, depth + 1) for key, item in value.items()}
    return [plain(item, depth + 1) for item in value]


def _first_text(row: JSON, *names: str) -> str | None:
    return next((found for name in names if (found := text(row.get(name)))), None)


def _first_count(*places: tuple[JSON, tuple[str, ...]]) -> int | None:
    return next((found for row, names in places for name in names if (found := count(row.get(name)))), None)


def _successor(row: JSON) -> str | None:
    return text(mapping(row.get("alias_target")).get("slug")) or text(row.get("deprecation_replacement_model"))


def _modalities(architecture: JSON) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    taken, given = words(architecture.get("input_modalities")), words(architecture.get("output_modalities"))
    sides = (text(architecture.get("modality")) or "").split("->")
    if len(sides) == 2 and all(sides):
        taken = frozenset(sides[0].split("+")) if taken is None else taken
        given = frozenset(sides[1].split("+")) if given is None else given
    return taken, given


def _capabilities(row: Mapping[str, object]) -> dict[str, bool]:
    said = {**row, **mapping(row.get("capabilities"))}
    return {word: flag for name, word in _FLAGS.items() if isinstance(flag := said.get(name), bool)}
