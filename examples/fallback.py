"""A chain of targets: when one cannot answer, the next is asked at once.

The first model does not exist, at OpenRouter or in the simulator; it stands for a target that is down.

For real use: set OPENROUTER_API_KEY and OPENAI_API_KEY, or run Ollama.
Without a key: python examples/with_simulator.py examples/fallback.py
"""

from llmkit import AllTargetsFailed, create_language

model = create_language(
    "openrouter",
    "no-such-vendor/no-such-model",
    fallbacks=["openai:gpt-4o-mini", "ollama:llama3.2"],
)
with model:
    try:
        response = model.chat_complete("What is the capital of France?")
    except AllTargetsFailed as failure:
        raise SystemExit(str(failure)) from None

print(response.content)
for attempt in response.attempts:
    print(f"{attempt.target:45} {attempt.outcome:14} {attempt.elapsed:.3f} s")
