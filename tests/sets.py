"""The three sets of tests: `--quick` while you edit, the build's without an option, and `--long`, which is everything.

What the build leaves out of the long set: most random values (`EXAMPLES`), most combinations of the parameters of a
test that is marked `covering`, the second half of each recorded exchange, and the size of the tests of load.

The functions named `pytest_...` are hooks; `conftest.py` imports them.
"""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
#: Where the result of the last long run stands.
RESULT = HERE / "LONG.md"
#: Random values that a test of the build, and of the long set, tries.
EXAMPLES = {"build": 50, "long": 400}

#: What `--quick` runs, but for the tests of random values: values, wire, configuration and engine. Folders and files
#: beside this one.
QUICK = (
    "test_errors.py",
    "types",
    "wire",
    "resilience",
    "config",
    "money",
    "engine",
    "language/test_attachments.py",
    "language/test_trim.py",
    "language/tools/test_tool.py",
    "operations/test_selection.py",
)
#: What it leaves out of them, because it takes long.
NOT_QUICK = ("wire/corpus",)

for _name, _examples in EXAMPLES.items():
    # How long an example takes says how busy the machine is.
    settings.register_profile(
        _name, max_examples=_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile("build")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--quick` and `--long`."""
    parser.addoption("--quick", action="store_true", help="values, wire, configuration, engine; no random values")
    parser.addoption("--long", action="store_true", help="all combinations and recordings, many random values")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many random values there are, before a test module is read; check the names of the quick set."""
    config.addinivalue_line(
        "markers",
        "covering(strength): the build takes so many of its combinations that each value (1) or pair of values (2) is "
        "in one; the long set takes all",
    )
    settings.load_profile("long" if config.getoption("long") else "build")
    # A name in the quick set that is no longer there must not make it smaller in silence.
    if gone := [name for name in (*QUICK, *NOT_QUICK) if not (HERE / name).exists()]:
        raise pytest.UsageError(f"the quick set of {__file__} names what is not there: {', '.join(gone)}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--quick` the rest is not even read."""
    if not config.getoption("quick") or not collection_path.is_relative_to(HERE):
        return None
    under = [*collection_path.parents, collection_path]
    quick = any(HERE / name in under or collection_path in (HERE / name).parents for name in QUICK)
    return None if quick and not any(HERE / name in under for name in NOT_QUICK) else True


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the set does without. Hypothesis has marked its tests by now."""
    if config.getoption("long"):
        return
    left_out = surplus(items)
    if config.getoption("quick"):  # random values take most of the time of these rooms
        left_out |= {item for item in items if item.get_closest_marker("hypothesis")}
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))


def surplus(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """The tests that the build does without: combinations that are not needed to cover what `covering` asks for."""
    groups: defaultdict[tuple[str, int], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if mark := item.get_closest_marker("covering"):
            groups[item.nodeid.partition("[")[0], mark.args[0]].append(item)
    unneeded: set[pytest.Item] = set()
    for (_, strength), group in groups.items():
        # A value is one object in all combinations; some cannot be compared or hashed. pytest's own indices do not
        # serve: where parameters are stacked they count the combinations.
        rows = [
            tuple((name, id(value)) for name, value in item.callspec.params.items())  # type: ignore[attr-defined]
            for item in group
        ]
        needed = cover(rows, strength)
        unneeded.update(item for number, item in enumerate(group) if number not in needed)
    return unneeded


def cover(rows: Sequence[tuple[tuple[str, int], ...]], strength: int) -> set[int]:
    """Numbers of rows that together hold every set of `strength` values that the rows hold (a covering array).

    Greedy: the next row is the one with most sets that are not covered, then the one whose values were used least.
    """
    sets = [set(combinations(row, min(strength, len(row)))) for row in rows]
    missing = set().union(*sets)
    used: Counter[tuple[str, int]] = Counter()
    chosen: set[int] = set()
    while missing:
        best = max(
            (number for number in range(len(rows)) if number not in chosen),
            key=lambda number: (len(sets[number] & missing), -sum(used[value] for value in rows[number]), -number),
        )
        chosen.add(best)
        missing -= sets[best]
        used.update(rows[best])
    return chosen


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """After a whole long run: its result, printed and kept."""
    if not config.getoption("long") or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    text = result(terminalreporter.stats)
    RESULT.write_text(text, "utf-8")
    terminalreporter.section(f"result, also in {RESULT.relative_to(HERE.parent)}")
    terminalreporter.write(text)


def result(stats: dict[str, list[pytest.TestReport]]) -> str:
    """A page that says what was run on what, and how it ended: a row for each folder."""
    ends: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seconds: Counter[str] = Counter()
    for outcome in ("passed", "failed", "error", "skipped", "xfailed"):
        for report in stats.get(outcome, []):
            path = report.nodeid.partition("::")[0].split("/")
            folder = path[1] if len(path) > 2 else "."
            ends[folder][outcome] += 1
            seconds[folder] += report.duration
    rows = [
        f"| {folder} | {', '.join(f'{count:,} {outcome}' for outcome, count in ends[folder].items())} "
        f"| {seconds[folder]:.0f} |"
        for folder in sorted(ends)
    ]
    total = sum(ends.values(), Counter[str]())
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in total.items())
    machine = f"Python {platform.python_version()} on {platform.system()}"
    return f"""# The last long run

Written by `python -m pytest -n auto --long`: all combinations, every recorded exchange sync and async,
{EXAMPLES["long"]:,} random values for each rule about any value, load at full size.

{counts}. {machine}; {", ".join(map(versioned, LIBRARIES))}.

| folder of tests/ | tests | seconds |
|---|---|---|
{chr(10).join(rows)}
"""


#: What the result depends on.
LIBRARIES = ("openai", "aiohttp", "pydantic", "tenacity", "hypothesis", "pytest")


def versioned(library: str) -> str:
    """A library and its version."""
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return f"no {library}"
