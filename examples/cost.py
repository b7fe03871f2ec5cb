"""What a call cost, and what a program has spent.

OpenRouter says what it charges, a model on this machine is free, and OpenAI says nothing: that is unknown, not 0.

For real use: set OPENROUTER_API_KEY and OPENAI_API_KEY, and run Ollama with llama3.2.
Without a key: python examples/with_simulator.py examples/cost.py
"""

from contextlib import ExitStack

from llmkit import create_language

TARGETS = ["openrouter:openai/gpt-4o-mini", "ollama:llama3.2", "openai:gpt-4o-mini"]

with ExitStack() as stack:
    models = [stack.enter_context(create_language(target)) for target in TARGETS]
    for model in models:
        for question in ("What is the capital of France?", "And of Japan?"):
            response = model.chat_complete(question)
            print(f"{model.target:32} {response.cost!s:12} ({response.cost.basis})")
    print()
    for model in models:
        totals = model.totals()
        known = f"${totals.amount:f}" if totals.priced else "nothing known"
        print(f"{model.target:32} {totals.calls} calls, {known}, {totals.unknown} of unknown cost")
