"""The other process of `llmkit providers`: loads what it is asked to and tells its state, one JSON line each.

    python -m llmkit.cli.probe provider=NAME ... services

A provider's import is foreign code. It may raise, print, hang or end the process; the parent then has the lines before
it. `services` gives a line for each service, then one with their number.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TextIO

from llmkit.cli.readiness import readiness
from llmkit.errors import ConfigError
from llmkit.provider.registry import get_provider, known_services, registry

SERVICES = "services"


def main(items: list[str], out: TextIO) -> None:
    """Tell about each item; `out` is flushed after every line."""
    for item in items:
        if item == SERVICES:
            names = known_services()
            for name in names:
                owner = registry.services()[name][1].dist
                _tell(out, name, service=[owner.name, owner.version] if owner else ["unknown", ""])
            _line(out, {"item": SERVICES, "count": len(names)})
        else:
            _tell(out, item.partition("=")[2])


def _tell(out: TextIO, name: str, service: list[str] | None = None) -> None:
    row: dict[str, object] = {"item": f"provider={name}", "service": service}
    try:
        row.update(asdict(readiness(get_provider(name))), loads=True)
    except ConfigError as error:
        row.update(loads=False, problem=error.message)
    _line(out, row)


def _line(out: TextIO, row: dict[str, object]) -> None:
    print(json.dumps(row), file=out, flush=True)


if __name__ == "__main__":
    # What a plugin prints must not stand between the lines: stdout is kept for them, and prints go to stderr.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(sys.argv[1:], lines)
    lines.close()
