"""An answer as JSON that fits a schema.

For real use: set OPENROUTER_API_KEY.
Without a key: python examples/with_simulator.py examples/structured_output.py
"""

import json

from llmkit import create_language

SCHEMA = {
    "title": "city",
    "type": "object",
    "properties": {
        "name": {"type": "string", "examples": ["Paris"]},
        "country": {"type": "string", "examples": ["France"]},
        "population": {"type": "integer", "minimum": 2000000},
    },
    "required": ["name", "country", "population"],
    "additionalProperties": False,
}

with create_language("openrouter", "openai/gpt-4o-mini") as model:
    response = model.chat_complete("Tell me about Paris.", structured=SCHEMA)

if response.truncated or response.refusal:
    raise SystemExit(f"no whole answer: {response.refusal or 'cut at the token limit'}")
city = json.loads(response.content or "")
print(f"{city['name']} is in {city['country']} and has {city['population']:,} inhabitants")
