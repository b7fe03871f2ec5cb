"""The child process of `llmkit providers`: loads providers and writes the state of each as a JSON line.

    python -m llmkit.cli.probe provider=NAME ... services

A provider's import is foreign code. It may raise, print, hang or end the process; the parent process then has the lines
that were written before. `services` gives a line for each service, then one with their number.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TextIO

from llmkit.cli.readiness import find_readiness
from llmkit.errors import ConfigError
from llmkit.provider.registry import get_provider, known_services, registry

SERVICES = "services"


def main(items: list[str], out: TextIO) -> None:
    """Write the state of each item; `out` is flushed after every line."""
    for item in items:
        if item == SERVICES:
            names = known_services()
            for name in names:
                owner = registry.services()[name][1].dist
                _write_state(out, name, service=[owner.name, owner.version] if owner else ["unknown", ""])
            _write_line(out, {"item": SERVICES, "count": len(names)})
        else:
            _write_state(out, item.partition("=")[2])


def _write_state(out: TextIO, name: str, service: list[str] | None = None) -> None:
    row: dict[str, object] = {"item": f"provider={name}", "service": service}
    try:
        row.update(asdict(find_readiness(get_provider(name))), loads=True)
    except ConfigError as error:
        row.update(loads=False, problem=error.message)
    _write_line(out, row)


def _write_line(out: TextIO, row: dict[str, object]) -> None:
    print(json.dumps(row), file=out, flush=True)


if __name__ == "__main__":
    # What a plugin prints must not stand between the lines: stdout is kept for them, and prints go to stderr.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(sys.argv[1:], lines)
    lines.close()
