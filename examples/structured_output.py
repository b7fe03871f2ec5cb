"""Get an answer as a value of a class, ask again if it does not validate, and watch a value grow in a stream.

For real use: set OPENROUTER_API_KEY.
Without a key: python examples/with_simulator.py examples/structured_output.py
"""

from typing import Literal

from pydantic import BaseModel, Field

from llmkit import InvalidStructure, create_language


class City(BaseModel):
    """What is asked for: the names, types and descriptions go to the model."""

    name: Literal["Paris", "London", "Rome", "Tokyo"]
    country: Literal["France", "Great Britain", "Italy", "Japan"]
    population: int = Field(ge=2_000_000, description="inhabitants of the city proper")


with create_language("openrouter", "openai/gpt-4o-mini") as model:
    try:
        response = model.chat_complete("Tell me about Paris.", structured=City, structured_retries=2)
    except InvalidStructure as error:
        raise SystemExit(f"no valid answer: {error.problem}\n{error.text}") from None
    city: City | None = response.parsed
    if city is None:
        raise SystemExit(f"no answer: {response.refusal or response.finish_reason}")
    print(f"{city.name} is in {city.country} and has {city.population:,} inhabitants")

    stream = model.chat_complete("Name some big cities.", stream=True, structured=list[City])
    for so_far in stream.partial_values():
        print(f"{len(so_far)} so far ...")
    print(", ".join(each.name for each in stream.response.parsed))
