"""`llmkit models`: a catalogue as a table that a person can read, sort and filter."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmkit.cli.failure import DONE
from llmkit.cli.terminal import neutral, note
from llmkit.errors import ConfigError

if TYPE_CHECKING:
    from llmkit.discovery.selection import ModelList
    from llmkit.models import ModelInfo


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
    from llmkit.discovery.lists import list_models

    if wanted.sort is not None and wanted.sort not in SORTS:
        raise ConfigError(f"--sort is {wanted.sort!r}", hint=f"One of {', '.join(SORTS)}")
    provider = wanted.provider or _default_provider()
    found = list_models(provider, refresh=wanted.refresh, **wanted.filters)  # type: ignore[arg-type]
    rows = arranged(found, wanted.sort)[: wanted.limit]
    if wanted.json:
        print(json.dumps([row.to_dict() for row in rows], indent=2, default=str))
        return DONE
    _table(rows)
    note(_foot(found, len(rows)))
    return DONE


def model(target: str, *, as_json: bool, refresh: bool) -> int:
    """Show one model, with the endpoints behind it."""
    from llmkit.discovery.lists import get_model_info

    provider, colon, name = target.partition(":")
    info = get_model_info(provider, name, refresh=refresh) if colon else get_model_info(_default_provider(), target)
    if as_json:
        print(json.dumps(info.to_dict(), indent=2, default=str))
        return DONE
    for label, value in _facts(info):
        print(f"{label:<16}{neutral(value)}")
    if info.endpoints:
        print()
        _print_table(("endpoint", "context", "prompt $/M", "answer $/M", "tokens/s", "latency", "uptime"), [
            (item.provider, _count(item.context_length), _million(item.pricing["prompt"]),
             _million(item.pricing["completion"]), _number(item.throughput), _number(item.latency, " s"),
             _number(item.uptime, " %"))
            for item in info.endpoints
        ])  # fmt: skip
    return DONE


def _default_provider() -> str:
    from llmkit.quick import default_target

    return default_target()[0]


def arranged(rows: Sequence[ModelInfo], sort: str | None) -> list[ModelInfo]:
    """The rows by a sort key; those whose figure is not known stand last, in the order of the list."""
    if sort is None:
        return list(rows)
    key = SORTS[sort]
    known = [row for row in rows if key(row) is not None]
    return [*sorted(known, key=key), *(row for row in rows if key(row) is None)]


def _table(rows: Sequence[ModelInfo]) -> None:
    figures = [name for name in ("intelligence", "coding") if any(name in row.benchmarks for row in rows)]
    speeds = any(row.throughput is not None for row in rows)
    sizes = any(row.size is not None for row in rows)
    heads = ["model", "context", "prompt $/M", "answer $/M", "since", "can"]
    heads += [*figures, *(["tokens/s"] if speeds else []), *(["size"] if sizes else [])]
    cells = [
        (
            row.id,
            _count(row.context_length),
            _million(row.pricing["prompt"]),
            _million(row.pricing["completion"]),
            row.created.isoformat() if row.created else "-",
            _abilities(row),
            *(_number(row.benchmarks.get(name)) for name in figures),
            *([_number(row.throughput)] if speeds else []),
            *([_bytes(row.size)] if sizes else []),
        )
        for row in rows
    ]
    _print_table(heads, cells)


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        words = head in ("model", "endpoint", "can", "since")
        table.add_column(head, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for row in rows:
        table.add_row(*(Text(neutral(cell), "bold" if not place else "") for place, cell in enumerate(row)))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 1000, highlight=False)
    with console.capture() as held:
        console.print(table)
    print("\n".join(line.rstrip() for line in held.get().splitlines()))


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
    words = ("tools", "json_schema", "reasoning", "vision", "audio", "files")
    return " ".join(word for word in words if info.supports(word))


def _foot(found: ModelList, shown: int) -> str:
    fetched = _ago(found.age)
    text = f"{shown} of {len(found)} models; US dollars per million tokens; ? is not known; as of {fetched}"
    return f"{text}. The service could not be asked: {found.problem}" if found.stale else text


def _ago(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now" if seconds < 2 else f"{seconds:.0f} seconds ago"


def _million(price: Decimal | None) -> str:
    if price is None:
        return "?"
    return f"{(price * 1_000_000).normalize():f}"


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:g}{unit}"


def _bytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e9:.1f} GB"


def _today() -> date:
    return datetime.now(UTC).date()
