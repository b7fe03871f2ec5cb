"""`python -m llmkit.testing.simulator [--port N]`: the simulator in the foreground, until Ctrl-C."""

import argparse
import sys
import threading

from llmkit.testing.simulator.server import Simulator

DEFAULT_PORT = 11999


def main(arguments: list[str] | None = None) -> int:
    """Run the simulator until Ctrl-C. Returns the exit status: 0, or 1 if the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m llmkit.testing.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"0 = any free one; default {DEFAULT_PORT}")
    port: int = parser.parse_args(arguments).port
    try:
        simulator = Simulator(port).start()
    except OSError as problem:
        print(f"cannot listen on port {port}: {problem}", file=sys.stderr)
        return 1
    with simulator:
        try:
            print("A stand-in for the remote services: answers are simulated, no model is behind them.")
            print(f"OpenRouter  {simulator.openrouter_url}")
            print(f"OpenAI      {simulator.openai_url}")
            print(f"Ollama      {simulator.ollama_url}", flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
