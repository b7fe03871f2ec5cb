"""Run an example against the simulator: no key, no cost, nothing leaves this machine.

    python examples/with_simulator.py examples/hello.py

It starts the simulator on a free port, sets the variables that a user would set for real services, and runs the
script. No model is behind the simulator: its answers repeat the question.
"""

import os
import runpy
import sys

from llmkit.testing.simulator import Simulator

if len(sys.argv) < 2:
    sys.exit("usage: python examples/with_simulator.py SCRIPT [ARGUMENTS]")
with Simulator() as simulator:
    os.environ.update(
        OPENROUTER_BASE_URL=simulator.openrouter_url,
        OPENROUTER_API_KEY="sk-or-simulated",
        OPENAI_BASE_URL=simulator.openai_url,
        OPENAI_API_KEY="sk-simulated",
        OLLAMA_HOST=simulator.ollama_url,
        ACME_BASE_URL=simulator.openai_url,
        ACME_API_KEY="sk-acme-simulated",
    )
    os.environ.pop("GROQ_API_KEY", None)
    print(f"(simulated answers, from {simulator.url})")
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
