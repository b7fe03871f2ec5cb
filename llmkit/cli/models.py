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
from llmkit.cli.table import Column, align_points, open_console, show_table
from llmkit.cli.terminal import note, replace_controls
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
#: Columns that are left out of a table that is too wide, the highest rank first. The column that is sorted by stays.
_RANKS: Mapping[str, int] = {"can": 1, "since": 2, "coding": 3, "intelligence": 4, "tokens/s": 5, "size": 6}
#: A size above this is a mistake of the list: no file is that large.
_MAX_SIZE_BYTES = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsOptions:
    """The options of `llmkit models`. Prices are US dollars per million tokens."""

    provider: str | None = None
    filters: Mapping[str, object] = field(default_factory=dict)
    sort: str | None = None
    limit: int | None = None
    refresh: bool = False
    json: bool = False


def _get_mixed_price(info: ModelInfo) -> Decimal | None:
    """Return what 3 tokens of prompt and one of answer cost, a common mix; `None` if that is unknown."""
    prompt, completion = info.pricing["prompt"], info.pricing["completion"]
    return None if prompt is None or completion is None else 3 * prompt + completion


def _get_age_key(info: ModelInfo) -> int | None:
    return None if info.created is None else -info.created.toordinal()


def _make_benchmark_key(name: str) -> Callable[[ModelInfo], float | None]:
    def figure(info: ModelInfo) -> float | None:
        value = info.benchmarks.get(name)
        return None if value is None else -value

    return figure


#: What a table can be sorted by: the smallest key comes first, `None` (unknown) last.
SORT_KEYS: Mapping[str, Callable[[ModelInfo], Any]] = {
    "price": _get_mixed_price,
    "context": lambda info: None if info.context_length is None else -info.context_length,
    "age": _get_age_key,
    "name": lambda info: info.id.lower(),
    "size": lambda info: info.size,
    "throughput": lambda info: None if info.throughput is None else -info.throughput,
    "intelligence": _make_benchmark_key("intelligence"),
    "coding": _make_benchmark_key("coding"),
    "agentic": _make_benchmark_key("agentic"),
}


def show_models(options: ModelsOptions) -> int:
    """List the models that the options select, and return the exit code."""
    from llmkit.operations.lists import list_models

    if options.sort is not None and options.sort not in SORT_KEYS:
        raise ConfigError(f"--sort is {options.sort!r}", hint=f"One of {', '.join(SORT_KEYS)}")
    provider = options.provider or _choose_default_provider()
    catalogue = list_models(provider, refresh=options.refresh, **options.filters)  # type: ignore[arg-type]
    rows = sort_models(catalogue, options.sort)[: options.limit]
    if options.json:
        print(json.dumps([row.to_dict() for row in rows], indent=2, default=str))
        return DONE
    if rows:
        columns = _make_columns(rows, options.sort)
        _print_legend(columns, show_table(columns))
    note(_format_footer(catalogue, len(rows)))
    for remark in _find_remarks(options, catalogue):
        note(remark)
    return DONE


def _find_remarks(options: ModelsOptions, catalogue: ModelList) -> Iterator[str]:
    """Yield remarks on options that did not do what a reader may expect."""
    if options.sort is not None and catalogue and all(SORT_KEYS[options.sort](row) is None for row in catalogue):
        endpoints_hint = "; -m MODEL shows that of its endpoints" if options.sort == "throughput" else ""
        yield f"the list has no figure for {options.sort}, so it is not sorted by that{endpoints_hint}"
    word = str(options.filters.get("query") or "")
    if options.provider is None and registry.is_known(word.lower()):
        yield f"{word} was taken as a word to look for; -p {word} lists the models of that provider"


def show_model(target: str, *, as_json: bool, refresh: bool) -> int:
    """Show one model with the endpoints behind it, and return the exit code."""
    from llmkit.operations.lists import get_model_info

    provider, name = _split_target(target)
    info = get_model_info(provider, name, refresh=refresh)
    if as_json:
        print(json.dumps(info.to_dict(), indent=2, default=str))
        return DONE
    _print_facts(_collect_facts(info))
    if info.endpoints:
        print()
        _print_endpoints(info)
    return DONE


def _split_target(target: str) -> tuple[str, str]:
    """Return provider and model. A colon may also stand in a model's own name, as in `google/gemma-3-27b-it:free`."""
    provider, colon, name = target.partition(":")
    return (provider, name) if colon and "/" not in provider else (_choose_default_provider(), target)


def _choose_default_provider() -> str:
    from llmkit.language.quick import default_target

    return default_target()[0]


def sort_models(rows: Sequence[ModelInfo], sort: str | None) -> list[ModelInfo]:
    """Return the rows sorted by a key. Those whose figure is unknown come last, in the order of the list."""
    if sort is None:
        return list(rows)
    key = SORT_KEYS[sort]
    known = [row for row in rows if key(row) is not None]
    return [*sorted(known, key=key), *(row for row in rows if key(row) is None)]


def _make_columns(rows: Sequence[ModelInfo], sort: str | None) -> list[Column]:
    prices = [(part, word, [_format_price(row.pricing[part]) for row in rows]) for part, word in _PRICES]
    columns = [
        Column(head="model", cells=[row.id for row in rows], number=False),
        Column(head="context", cells=[_format_count(row.context_length) for row in rows]),
        *(
            Column(head=f"{word} $/M", cells=align_points(cells), short=(word, align_points(cells)))
            for _, word, cells in prices
        ),
        Column(head="since", cells=[row.created.isoformat() if row.created else "-" for row in rows], number=False),
        Column(
            head="can",
            cells=[_format_abilities(row) for row in rows],
            number=False,
            short=(
                "can",
                ["".join(_ABILITIES[word] if row.supports(word) else "-" for word in _ABILITIES) for row in rows],
            ),
        ),
    ]
    figures = [name for name in ("intelligence", "coding", "agentic") if _is_benchmark_shown(name, rows, sort)]
    columns += [_make_figure_column(name, [row.benchmarks.get(name) for row in rows]) for name in figures]
    if any(row.throughput is not None for row in rows):
        columns.append(_make_figure_column("tokens/s", [row.throughput for row in rows]))
    if any(row.size is not None for row in rows):
        columns.append(Column(head="size", cells=[_format_size(row.size) for row in rows]))
    sorted_by = {"age": "since", "throughput": "tokens/s"}.get(sort or "", sort)
    return [replace(one, rank=0 if one.head == sorted_by else _RANKS.get(one.head, 0)) for one in columns]


def _is_benchmark_shown(benchmark: str, rows: Sequence[ModelInfo], sort: str | None) -> bool:
    """Return whether a benchmark has a column. `agentic` has one only if the table is sorted by it."""
    return any(benchmark in row.benchmarks for row in rows) and (benchmark != "agentic" or sort == benchmark)


def _make_figure_column(head: str, values: Sequence[float | None]) -> Column:
    return Column(head=head, cells=align_points([_format_number(value) for value in values]))


def _print_endpoints(info: ModelInfo) -> None:
    endpoints = info.endpoints
    show_table([
        Column(head="endpoint", cells=[item.provider for item in endpoints], number=False),
        Column(head="context", cells=[_format_count(item.context_length) for item in endpoints]),
        *(
            Column(head=f"{word} $/M", cells=align_points([_format_price(item.pricing[part]) for item in endpoints]))
            for part, word in _PRICES
        ),
        _make_figure_column("tokens/s", [item.throughput for item in endpoints]),
        Column(head="latency", cells=[_format_number(item.latency, " s") for item in endpoints], rank=1),
        Column(head="uptime", cells=[_format_number(item.uptime, " %") for item in endpoints], rank=2),
    ])  # fmt: skip


def _print_legend(columns: Sequence[Column], shown: Sequence[Column]) -> None:
    """Print what a narrow table leaves out or abbreviates."""
    if any(one.head == "can" and one.short is None for one in shown):
        note("can: " + ", ".join(f"{letter} {word}" for word, letter in _ABILITIES.items()))
    heads = {one.head for one in shown}
    if left_out := [one.head for one in columns if one.rank and one.head not in heads]:
        note(f"a wider terminal shows more: {', '.join(left_out)}")


def _print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print one fact on each line. On a terminal a long one is wrapped between words and indented."""
    wide = open_console().width
    for label, value in facts:
        lines = wrap(replace_controls(value), max(wide - 16, 20), break_long_words=False, break_on_hyphens=False)
        print(f"{label:<16}" + ("\n" + " " * 16).join(lines or [""]))


def _collect_facts(info: ModelInfo) -> list[tuple[str, str]]:
    expires = (
        f"{info.expires}{' (over)' if info.expires and info.expires < _get_today() else ''}" if info.expires else None
    )
    facts = {
        "model": info.target,
        "name": info.name,
        "context": _format_count(info.context_length),
        "runs with": None if info.running_context is None else _format_count(info.running_context),
        "longest answer": _format_count(info.max_output),
        "prompt": _format_component(info, "prompt"),
        "answer": _format_component(info, "completion"),
        "cached prompt": _format_component(info, "input_cache_read"),
        "can": _format_abilities(info),
        "since": None if info.created is None else info.created.isoformat(),
        "expires": expires,
        "stands for": info.replaced_by,
        "benchmarks": ", ".join(f"{name} {value:g}" for name, value in info.benchmarks.items()) or None,
        "size": None if info.size is None else _format_size(info.size),
        "source": info.source,
        "about": info.description,
    }
    return [(label, value) for label, value in facts.items() if value]


def _format_component(info: ModelInfo, component: str) -> str | None:
    if component not in info.pricing:
        return None
    price = _format_price(info.pricing[component])
    changes = f", {len(info.pricing.overrides)} prices under conditions" if info.pricing.overrides else ""
    return f"{'price unknown' if price == '?' else f'${price} per million tokens'}{changes}"


def _format_abilities(info: ModelInfo) -> str:
    return " ".join(word for word in _ABILITIES if info.supports(word))


def _format_footer(catalogue: ModelList, shown: int) -> str:
    ago = _format_age(catalogue.age)
    text = f"{shown} of {len(catalogue)} models as of {ago}; US dollars per million tokens; ? unknown"
    text = text if shown else f"no model has all of that, as of {ago}; leave a word or an option out"
    return f"{text}. The service could not be asked: {catalogue.problem}" if catalogue.stale else text


def _format_age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now" if seconds < 2 else f"{seconds:.0f} seconds ago"


def _format_price(price: Decimal | None) -> str:
    if price is None:
        return "?"
    return f"{(price * MILLION).normalize():f}"


def _format_count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _format_number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:g}{unit}"


def _format_size(size: int | None) -> str:
    if not size:
        return "-"
    scale, unit = next((step for step in ((10**9, "GB"), (10**6, "MB")) if size >= step[0] // 10), (10**3, "kB"))
    return f"{size // (scale // 10) / 10:.1f} {unit}" if size < _MAX_SIZE_BYTES else "?"


def _get_today() -> date:
    return datetime.now(UTC).date()
