"""The command `llmkit`, which comes with the extra `cli`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command of `sys.argv`, and return its exit code or exit with it (see `llmkit.cli.failure`)."""
    try:
        from llmkit.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("typer", "rich", "click"):
            raise
        print('The command line is an extra: pip install "llmkit[cli]"', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    app(prog_name="llmkit")
    return 0
