"""Tools on the wire: the model asks for a function, the program runs it, the model answers with the result.

For real use: set OPENROUTER_API_KEY.
Without a key: python examples/with_simulator.py examples/tools.py
"""

import json

from llmkit import Message, create_language

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "examples": ["Paris"]}},
            "required": ["city"],
        },
    },
}


def weather(city: str) -> dict[str, object]:
    """A program's own function."""
    return {"city": city, "sky": "clear", "celsius": 21}


messages = [Message("user", "What is the weather in Paris?")]
with create_language("openrouter", "openai/gpt-4o-mini", tools=[TOOL]) as model:
    response = model.chat_complete(messages, tool_choice="weather")
    messages.append(response.message)  # the answer goes back as it came
    for call in response.tool_calls:
        print(f"the model calls {call.name}({call.function.arguments})")
        # The model wrote the arguments: `problem` says why they are no JSON object, if they are not.
        result = {"error": call.problem} if call.arguments is None else weather(str(call.arguments.get("city")))
        messages.append(Message("tool", json.dumps(result), tool_call_id=call.id, name=call.name))
    print(model.chat_complete(messages).content)
