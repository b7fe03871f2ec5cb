"""Ask a model by name, and look at what comes back.

For real use: set OPENROUTER_API_KEY.
Without a key: python examples/with_simulator.py examples/hello.py
"""

from llmkit import create_language

with create_language("openrouter", "openai/gpt-4o-mini") as model:
    response = model.chat_complete("What is the capital of France?")

print(response.content)
print("answered by   ", response.model, "at", response.upstream_provider)
print("ended because ", response.finish_reason)
print("tokens        ", response.usage.prompt_tokens, "in,", response.usage.completion_tokens, "out")
print("cost          ", response.cost)

# The shape is OpenAI's, so this works too:
assert response.choices[0].message.content == response.content
