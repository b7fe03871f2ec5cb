"""`llmkit models`: a catalogue as a table that a person can read, sort and filter."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from llmkit.cli.failure import DONE
from llmkit.cli.table import Column, aligned, screen, show
from llmkit.cli.terminal import neutral, note
from llmkit.errors import ConfigError
from llmkit.provider.registry import registry
from llmkit.types.pricing import MILLION

if TYPE_CHECKING:
    from llmkit.operations.selection import ModelList
    from llmkit.types.model_info import ModelInfo

_PRICES = (("prompt", "prompt"), ("completion", "answer"))
#: What a model can do, and the letter for it where there is no room for the word.
_ABILITIES: Mapping[str, str] = {
    "tools": "T",
    "json_schema": "J",
    "reasoning": "R",
    "vision": "V",
    "audio": "A",
    "files": "F",
}
#: What is left out of a table that is too wide, unless it is sorted by: the highest first.
_RANKS: Mapping[str, int] = {"can": 1, "since": 2, "coding": 3, "intelligence": 4, "tokens/s": 5, "size": 6}
#: Bytes; no file is as large.
_LARGEST = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line said. Prices are US dollars per million tokens."""

    provider: str | None = None
    filters: Mapping[str, object] = field(default_factory=dict)
    sort: str | None = None
    limit: int | None = None
    refresh: bool = False
    json: bool = False


def _price(info: ModelInfo) -> Decimal | None:
    """What 3 tokens of prompt and one of answer cost: a common mix."""
    prompt, completion = info.pricing["prompt"], info.pricing["completion"]
    return None if prompt is None or completion is None else 3 * prompt + completion


def _age(info: ModelInfo) -> int | None:
    return None if info.created is None else -info.created.toordinal()


def _benchmark(name: str) -> Callable[[ModelInfo], float | None]:
    def figure(info: ModelInfo) -> float | None:
        value = info.benchmarks.get(name)
        return None if value is None else -value

    return figure


#: What a table can be sorted by: the smallest comes first, what is not known last.
SORTS: Mapping[str, Callable[[ModelInfo], Any]] = {
    "price": _price,
    "context": lambda info: None if info.context_length is None else -info.context_length,
    "age": _age,
    "name": lambda info: info.id.lower(),
    "size": lambda info: info.size,
    "throughput": lambda info: None if info.throughput is None else -info.throughput,
    "intelligence": _benchmark("intelligence"),
    "coding": _benchmark("coding"),
    "agentic": _benchmark("agentic"),
}


def models(wanted: Wanted) -> int:
    """List them."""
    from llmkit.operations.lists import list_models

    if wanted.sort is not None and wanted.sort not in SORTS:
        raise ConfigError(f"--sort is {wanted.sort!r}", hint=f"One of {', '.join(SORTS)}")
    provider = wanted.provider or _default_provider()
    found = list_models(provider, refresh=wanted.refresh, **wanted.filters)  # type: ignore[arg-type]
    rows = arranged(found, wanted.sort)[: wanted.limit]
    if wanted.json:
        print(json.dumps([row.to_dict() for row in rows], indent=2, default=str))
        return DONE
    if rows:
        columns = _columns(rows, wanted.sort)
        _legend(columns, show(columns))
    note(_foot(found, len(rows)))
    for remark in _remarks(wanted, found):
        note(remark)
    return DONE


def _remarks(wanted: Wanted, found: ModelList) -> Iterator[str]:
    """What a reader may have meant otherwise."""
    if wanted.sort is not None and found and all(SORTS[wanted.sort](row) is None for row in found):
        own = "; -m MODEL shows that of its endpoints" if wanted.sort == "throughput" else ""
        yield f"the list has no figure for {wanted.sort}, so it is not sorted by that{own}"
    word = str(wanted.filters.get("query") or "")
    if wanted.provider is None and registry.known(word.lower()):
        yield f"{word} was taken as a word to look for; -p {word} lists the models of that provider"


def model(target: str, *, as_json: bool, refresh: bool) -> int:
    """Show one model, with the endpoints behind it."""
    from llmkit.operations.lists import get_model_info

    provider, name = _split(target)
    info = get_model_info(provider, name, refresh=refresh)
    if as_json:
        print(json.dumps(info.to_dict(), indent=2, default=str))
        return DONE
    _print_facts(_facts(info))
    if info.endpoints:
        print()
        _endpoints(info)
    return DONE


def _split(target: str) -> tuple[str, str]:
    """Provider and model. A colon may also stand in a model's own name, as in `google/gemma-3-27b-it:free`."""
    provider, colon, name = target.partition(":")
    return (provider, name) if colon and "/" not in provider else (_default_provider(), target)


def _default_provider() -> str:
    from llmkit.language.quick import default_target

    return default_target()[0]


def arranged(rows: Sequence[ModelInfo], sort: str | None) -> list[ModelInfo]:
    """The rows by a sort key; those whose figure is not known stand last, in the order of the list."""
    if sort is None:
        return list(rows)
    key = SORTS[sort]
    known = [row for row in rows if key(row) is not None]
    return [*sorted(known, key=key), *(row for row in rows if key(row) is None)]


def _columns(rows: Sequence[ModelInfo], sort: str | None) -> list[Column]:
    prices = [(part, word, [_million(row.pricing[part]) for row in rows]) for part, word in _PRICES]
    columns = [
        Column(head="model", cells=[row.id for row in rows], number=False),
        Column(head="context", cells=[_count(row.context_length) for row in rows]),
        *(Column(head=f"{word} $/M", cells=aligned(cells), short=(word, aligned(cells))) for _, word, cells in prices),
        Column(head="since", cells=[row.created.isoformat() if row.created else "-" for row in rows], number=False),
        Column(
            head="can",
            cells=[_abilities(row) for row in rows],
            number=False,
            short=(
                "can",
                ["".join(_ABILITIES[word] if row.supports(word) else "-" for word in _ABILITIES) for row in rows],
            ),
        ),
    ]
    figures = [name for name in ("intelligence", "coding", "agentic") if _wanted(name, rows, sort)]
    columns += [_figures(name, [row.benchmarks.get(name) for row in rows]) for name in figures]
    if any(row.throughput is not None for row in rows):
        columns.append(_figures("tokens/s", [row.throughput for row in rows]))
    if any(row.size is not None for row in rows):
        columns.append(Column(head="size", cells=[_bytes(row.size) for row in rows]))
    sorted_by = {"age": "since", "throughput": "tokens/s"}.get(sort or "", sort)
    return [replace(one, rank=0 if one.head == sorted_by else _RANKS.get(one.head, 0)) for one in columns]


def _wanted(benchmark: str, rows: Sequence[ModelInfo], sort: str | None) -> bool:
    """Is it shown? The third one only to those who sort by it."""
    return any(benchmark in row.benchmarks for row in rows) and (benchmark != "agentic" or sort == benchmark)


def _figures(head: str, values: Sequence[float | None]) -> Column:
    return Column(head=head, cells=aligned([_number(value) for value in values]))


def _endpoints(info: ModelInfo) -> None:
    found = info.endpoints
    show([
        Column(head="endpoint", cells=[item.provider for item in found], number=False),
        Column(head="context", cells=[_count(item.context_length) for item in found]),
        *(
            Column(head=f"{word} $/M", cells=aligned([_million(item.pricing[part]) for item in found]))
            for part, word in _PRICES
        ),
        _figures("tokens/s", [item.throughput for item in found]),
        Column(head="latency", cells=[_number(item.latency, " s") for item in found], rank=1),
        Column(head="uptime", cells=[_number(item.uptime, " %") for item in found], rank=2),
    ])  # fmt: skip


def _legend(columns: Sequence[Column], shown: Sequence[Column]) -> None:
    """What a narrow table does not say itself."""
    if any(one.head == "can" and one.short is None for one in shown):
        note("can: " + ", ".join(f"{letter} {word}" for word, letter in _ABILITIES.items()))
    heads = {one.head for one in shown}
    if left_out := [one.head for one in columns if one.rank and one.head not in heads]:
        note(f"a wider terminal shows more: {', '.join(left_out)}")


def _print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """A fact a line; on a terminal a long one is broken between words, below itself."""
    wide = screen().width
    for label, value in facts:
        lines = wrap(neutral(value), max(wide - 16, 20), break_long_words=False, break_on_hyphens=False)
        print(f"{label:<16}" + ("\n" + " " * 16).join(lines or [""]))


def _facts(info: ModelInfo) -> list[tuple[str, str]]:
    expires = f"{info.expires}{' (over)' if info.expires and info.expires < _today() else ''}" if info.expires else None
    facts = {
        "model": info.target,
        "name": info.name,
        "context": _count(info.context_length),
        "runs with": None if info.running_context is None else _count(info.running_context),
        "longest answer": _count(info.max_output),
        "prompt": _per_million(info, "prompt"),
        "answer": _per_million(info, "completion"),
        "cached prompt": _per_million(info, "input_cache_read"),
        "can": _abilities(info),
        "since": None if info.created is None else info.created.isoformat(),
        "expires": expires,
        "stands for": info.replaced_by,
        "benchmarks": ", ".join(f"{name} {value:g}" for name, value in info.benchmarks.items()) or None,
        "size": None if info.size is None else _bytes(info.size),
        "source": info.source,
        "about": info.description,
    }
    return [(label, value) for label, value in facts.items() if value]


def _per_million(info: ModelInfo, component: str) -> str | None:
    if component not in info.pricing:
        return None
    price = _million(info.pricing[component])
    changes = f", {len(info.pricing.overrides)} prices under conditions" if info.pricing.overrides else ""
    return f"{'price unknown' if price == '?' else f'${price} per million tokens'}{changes}"


def _abilities(info: ModelInfo) -> str:
    return " ".join(word for word in _ABILITIES if info.supports(word))


def _foot(found: ModelList, shown: int) -> str:
    ago = _ago(found.age)
    text = f"{shown} of {len(found)} models as of {ago}; US dollars per million tokens; ? unknown"
    text = text if shown else f"no model has all of that, as of {ago}; leave a word or an option out"
    return f"{text}. The service could not be asked: {found.problem}" if found.stale else text


def _ago(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now" if seconds < 2 else f"{seconds:.0f} seconds ago"


def _million(price: Decimal | None) -> str:
    if price is None:
        return "?"
    return f"{(price * MILLION).normalize():f}"


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:g}{unit}"


def _bytes(size: int | None) -> str:
    if not size:
        return "-"
    scale, unit = next((step for step in ((10**9, "GB"), (10**6, "MB")) if size >= step[0] // 10), (10**3, "kB"))
    return f"{size // (scale // 10) / 10:.1f} {unit}" if size < _LARGEST else "?"


def _today() -> date:
    return datetime.now(UTC).date()
