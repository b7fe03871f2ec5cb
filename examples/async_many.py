"""Ask many questions at once on an event loop, with a bound on how many are open.

For real use: set OPENROUTER_API_KEY. It makes 18 calls.
Without a key: python examples/with_simulator.py examples/async_many.py
"""

import asyncio
import time

from llmkit import LLMError, create_language

COUNTRIES = "France Japan Kenya Peru Norway Egypt Chile India Cuba Ghana Italy Nepal Oman Qatar Spain Togo Mali Fiji"
AT_ONCE = 8


async def main() -> None:
    async with create_language("openrouter", "openai/gpt-4o-mini", max_tokens=50) as model:
        turnstile = asyncio.Semaphore(AT_ONCE)

        async def ask(country: str) -> str:
            async with turnstile:
                try:
                    response = await model.achat_complete(f"What is the capital of {country}?")
                except LLMError as error:  # one that fails does not take the others down
                    return f"failed: {error}"
                return response.content or "(no text)"

        start = time.perf_counter()
        answers = await asyncio.gather(*(ask(country) for country in COUNTRIES.split()))
        for answer in answers[:3]:
            print(answer)
        totals = model.totals()
        print(f"... {totals.calls} answers in {time.perf_counter() - start:.1f} s for ${totals.amount:f}")


asyncio.run(main())
