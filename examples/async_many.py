"""Ask many questions at once: answers in order, one that fails takes no other down, and a budget for the whole.

`model.map(...)` does the same without an event loop.

For real use: set OPENROUTER_API_KEY. It makes 18 calls.
Without a key: python examples/with_simulator.py examples/async_many.py
"""

import asyncio
import time

from llmkit import LLMError, create_language

COUNTRIES = "France Japan Kenya Peru Norway Egypt Chile India Cuba Ghana Italy Nepal Oman Qatar Spain Togo Mali Fiji"


async def main() -> None:
    questions = [f"What is the capital of {country}?" for country in COUNTRIES.split()]
    async with create_language("openrouter", "openai/gpt-4o-mini", max_tokens=50) as model:
        start = time.perf_counter()
        results = await model.amap(questions, concurrency=8, max_cost=0.05, max_errors=5)
        for question, result in list(zip(questions, results, strict=True))[:3]:
            print(question, "->", f"failed: {result}" if isinstance(result, LLMError) else result.content)
        totals = model.totals()
        print(f"... {totals.calls} answers in {time.perf_counter() - start:.1f} s for ${totals.amount:f}")


asyncio.run(main())
