"""Functions as tools: the model asks for a function, the program runs it, the model answers with the result.

For real use: set OPENROUTER_API_KEY.
Without a key: python examples/with_simulator.py examples/tools.py
"""

from typing import Annotated, Literal

from pydantic import Field

from llmkit import Message, create_language, invoke_tools


def weather(
    city: Annotated[str, Field(examples=["Paris"])], unit: Literal["celsius", "kelvin"] = "celsius"
) -> dict[str, object]:
    """The weather in a city.

    Args:
        city: Name of the city.
        unit: Unit of the temperature.
    """
    return {"city": city, "sky": "clear", unit: 21 if unit == "celsius" else 294}


tools = [weather]
messages = [Message("user", "What is the weather in Paris?")]
with create_language("openrouter", "openai/gpt-4o-mini", tools=tools) as model:
    response = model.chat_complete(messages, tool_choice="weather")
    for _ in range(5):  # a model may want to call again when it has seen a result
        if not response.tool_calls:
            break
        for call in response.tool_calls:
            print(f"the model calls {call.name}({call.function.arguments})")
        # The answer goes back as it came, then a message for each of its calls.
        messages += [response.message, *invoke_tools(tools, response, timeout=10)]
        response = model.chat_complete(messages)
    print(response.content)
