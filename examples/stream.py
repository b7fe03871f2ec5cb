"""Show an answer while it is being written, and know its tokens and cost at the end.

For real use: set OPENROUTER_API_KEY.
Without a key: python examples/with_simulator.py examples/stream.py
"""

from llmkit import StreamInterrupted, create_language

model = create_language("openrouter", "openai/gpt-4o-mini")
with model, model.chat_complete("Count from one to five, in words.", stream=True) as stream:
    try:
        for chunk in stream:
            print(chunk.content, end="", flush=True)
    except StreamInterrupted as error:
        # What was printed stands; it is in error.partial_text too.
        raise SystemExit(f"\nthe answer is not complete: {error}") from None

response = stream.response
print()
print(f"{response.usage.completion_tokens} tokens, {response.cost}, ended because: {response.finish_reason}")
