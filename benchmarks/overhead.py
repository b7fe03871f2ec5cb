"""What a call through llmkit costs in CPU, compared with the bare OpenAI SDK in the same run.

    python benchmarks/overhead.py            the table; exit status 1 if a bound is missed
    python benchmarks/overhead.py --json     the same as JSON
    python benchmarks/overhead.py --peers    with LiteLLM, any-llm and langchain-openai, those that are installed

Everything goes over loopback to a stub in a process of its own that answers from bytes made beforehand. Each figure
is the CPU time of this process per operation, the least of several rounds; the contestants take turns within a round,
so that a drift of the machine's speed hits all alike. Ratios are worth quoting, microseconds are not.

llmkit runs as a user runs it: retry, accounting and fallback on, the answer's text read.
"""

import argparse
import asyncio
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from stub import CHUNKS

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
ROUNDS = 7
CONCURRENT_CALLS = 64
#: Bounds on the ratio to the bare SDK (on its default HTTP backend).
BOUNDS = {
    "sync call": 0.75,
    "call with a tool": 0.80,
    "structured call": 0.75,
    "async call, same backend": 0.90,
    "async call, aiohttp": 0.40,
    "streamed chunk": 0.08,
}
#: Bounds in milliseconds: whole process for the import, one call for the rest.
BOUNDS_MILLISECONDS = {
    "import llmkit": 40.0,
    "create_language, first": 60.0,
    "create_language, again": 1.0,
    "known model, first": 20.0,
}
HAS_AIOHTTP = importlib.util.find_spec("aiohttp") is not None


def measure_in_turns(contestants: dict[str, Callable[[int], None]], count: int) -> dict[str, float]:
    """Return microseconds of CPU per operation; the contestants take turns within each round."""
    best = dict.fromkeys(contestants, float("inf"))
    for run in contestants.values():
        run(max(count // 5, 2))
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            start = time.process_time()
            run(count)
            best[name] = min(best[name], (time.process_time() - start) / count * 1e6)
    return best


def make_sync_calls(url: str) -> dict[str, Callable[[int], None]]:
    from openai import OpenAI

    from llmkit import create_language

    client = OpenAI(api_key="sk-stub", base_url=url, max_retries=0)
    model = create_language("openai", "stub", base_url=url, api_key="sk-stub")

    def sdk(count: int) -> None:
        for _ in range(count):
            assert client.chat.completions.create(model="stub", messages=MESSAGES).choices[0].message.content

    def kit(count: int) -> None:
        for _ in range(count):
            assert model.chat_complete(MESSAGES).choices[0].message.content

    return {"sdk": sdk, "llmkit": kit}


def weather(city: str, days: int = 1) -> str:
    """The weather in a city.

    Args:
        city: its name.
        days: how many days ahead.
    """
    return f"sunny in {city} for {days} days"


def make_tool_calls(url: str) -> dict[str, Callable[[int], None]]:
    """Return calls with a tool whose arguments are read. With the SDK, schema and parsing are the user's own."""
    from openai import OpenAI

    from llmkit import Tool, create_language

    client = OpenAI(api_key="sk-stub", base_url=url, max_retries=0)
    model = create_language("openai", "stub", base_url=url, api_key="sk-stub")
    spec = Tool.from_function(weather).to_dict()

    def sdk(count: int) -> None:
        for _ in range(count):
            completion = client.chat.completions.create(model="stub", messages=MESSAGES, tools=[spec])
            assert json.loads(completion.choices[0].message.tool_calls[0].function.arguments)["days"] == 2

    def kit(count: int) -> None:
        for _ in range(count):
            response = model.chat_complete(MESSAGES, tools=[weather])
            assert response.tool_calls[0].arguments["days"] == 2

    return {"sdk": sdk, "llmkit": kit}


def make_structured_calls(url: str) -> dict[str, Callable[[int], None]]:
    """Return calls for the value of a pydantic class; the SDK's own `parse` does the same."""
    from openai import OpenAI
    from pydantic import BaseModel

    from llmkit import create_language

    class City(BaseModel):
        name: str
        country: str
        inhabitants: int

    client = OpenAI(api_key="sk-stub", base_url=url, max_retries=0)
    model = create_language("openai", "stub", base_url=url, api_key="sk-stub")

    def sdk(count: int) -> None:
        for _ in range(count):
            completion = client.chat.completions.parse(model="stub", messages=MESSAGES, response_format=City)
            assert completion.choices[0].message.parsed.inhabitants == 2_100_000

    def kit(count: int) -> None:
        for _ in range(count):
            assert model.chat_complete(MESSAGES, structured=City).parsed.inhabitants == 2_100_000

    return {"sdk": sdk, "llmkit": kit}


def make_streamed_calls(url: str) -> dict[str, Callable[[int], None]]:
    from openai import OpenAI

    from llmkit import create_language

    client = OpenAI(api_key="sk-stub", base_url=url, max_retries=0)
    model = create_language("openai", "stub", base_url=url, api_key="sk-stub")

    def sdk(count: int) -> None:
        for _ in range(count):
            text = [c.choices[0].delta.content for c in client.chat.completions.create(
                model="stub", messages=MESSAGES, stream=True)]  # fmt: skip
            assert len(text) == CHUNKS + 1

    def kit(count: int) -> None:
        for _ in range(count):
            text = [c.choices[0].delta.content for c in model.chat_complete(MESSAGES, stream=True)]
            assert len(text) == CHUNKS + 1

    return {"sdk": sdk, "llmkit": kit}


async def _measure_gathered(one: Callable[[], Awaitable[object]], count: int) -> float:
    async def worker(times: int) -> None:
        for _ in range(times):
            await one()

    start = time.process_time()
    await asyncio.gather(*[worker(count) for _ in range(CONCURRENT_CALLS)])
    return (time.process_time() - start) / count / CONCURRENT_CALLS * 1e6


async def _measure_async_calls(url: str, *, with_sdk_aiohttp: bool) -> dict[str, float]:
    import openai

    from llmkit import create_language

    client = openai.AsyncOpenAI(api_key="sk-stub", base_url=url, max_retries=0)
    model = create_language("openai", "stub", base_url=url, api_key="sk-stub")

    async def sdk() -> None:
        assert (await client.chat.completions.create(model="stub", messages=MESSAGES)).choices[0].message.content

    async def kit() -> None:
        assert (await model.achat_complete(MESSAGES)).choices[0].message.content

    contestants = {"sdk": sdk, "llmkit": kit}
    if with_sdk_aiohttp:
        other = openai.AsyncOpenAI(
            api_key="sk-stub", base_url=url, max_retries=0, http_client=openai.DefaultAioHttpClient()
        )

        async def sdk_aiohttp() -> None:
            assert (await other.chat.completions.create(model="stub", messages=MESSAGES)).choices[0].message.content

        contestants["sdk on aiohttp"] = sdk_aiohttp
    best = dict.fromkeys(contestants, float("inf"))
    for one in contestants.values():
        await _measure_gathered(one, 2)
    for _ in range(ROUNDS):
        for name, one in contestants.items():
            best[name] = min(best[name], await _measure_gathered(one, 6))
    await client.close()
    await model.aclose()
    if with_sdk_aiohttp:
        await other.close()
    return best


def make_peer_calls(url: str) -> dict[str, Callable[[int], None]]:
    """Return sync calls of other libraries, of those that are installed."""
    libraries: dict[str, Callable[[int], None]] = {}
    if importlib.util.find_spec("litellm"):
        import litellm

        def lite(count: int) -> None:
            for _ in range(count):
                assert (
                    litellm.completion(
                        model="openai/stub", messages=MESSAGES, api_base=url, api_key="sk-stub", num_retries=0
                    )
                    .choices[0]
                    .message.content
                )

        libraries["litellm"] = lite
    if importlib.util.find_spec("any_llm"):
        import any_llm

        def any_call(count: int) -> None:
            for _ in range(count):
                assert (
                    any_llm.completion(
                        model="stub", provider="openai", messages=MESSAGES, api_base=url, api_key="sk-stub"
                    )
                    .choices[0]
                    .message.content
                )

        libraries["any-llm"] = any_call
    if importlib.util.find_spec("langchain_openai"):
        from langchain_openai import ChatOpenAI

        chain = ChatOpenAI(model="stub", base_url=url, api_key="sk-stub", max_retries=0)

        def lang(count: int) -> None:
            for _ in range(count):
                assert chain.invoke([("system", "Be brief."), ("user", "Say hello.")]).content

        libraries["langchain-openai"] = lang
    return libraries


def run_in_child(code: str, *, hide_aiohttp: bool = False) -> str:
    """Run code in a fresh interpreter, and return what it prints."""
    hidden = "import sys; sys.modules['aiohttp'] = None\n" if hide_aiohttp else ""
    path = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    return subprocess.run(
        [sys.executable, "-c", hidden + path + code], check=True, capture_output=True, text=True
    ).stdout.strip()


def measure_milliseconds() -> dict[str, float]:
    """Return the times that a user waits, in milliseconds; each is the least of several fresh processes."""
    imports, firsts, agains, knowns = [], [], [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run_in_child("import llmkit")
        imports.append((time.perf_counter() - start) * 1000)
        output = run_in_child(
            "import time; from llmkit import create_language as c; t=time.perf_counter();"
            "c('openrouter','m',api_key='k');"
            "u=time.perf_counter(); [c('openrouter','m',api_key='k') for _ in range(50)]; v=time.perf_counter();"
            "print((u-t)*1000, (v-u)*20)"
        )
        first, again = map(float, output.split())
        known = run_in_child(
            "import time, llmkit.types.model_info; from llmkit.provider.registry import get_provider;"
            "p=get_provider('openai');"
            "t=time.perf_counter(); assert p.known_model('gpt-4o'); print((time.perf_counter()-t)*1000)"
        )
        knowns.append(float(known))
        firsts.append(first)
        agains.append(again)
    return {
        "import llmkit": min(imports),
        "create_language, first": min(firsts),
        "create_language, again": min(agains),
        "known model, first": min(knowns),
    }


def measure(url: str, *, with_peers: bool) -> dict[str, dict[str, float]]:
    """Return all figures: microseconds per operation by contestant."""
    contestants = {**make_sync_calls(url), **(make_peer_calls(url) if with_peers else {})}
    figures = {"sync call": measure_in_turns(contestants, 150)}
    figures["call with a tool"] = measure_in_turns(make_tool_calls(url), 100)
    figures["structured call"] = measure_in_turns(make_structured_calls(url), 100)
    chunk = measure_in_turns(make_streamed_calls(url), 4)
    figures["streamed chunk"] = {name: value / (CHUNKS + 1) for name, value in chunk.items()}
    run = (
        "import asyncio, json, overhead;"
        "print(json.dumps(asyncio.run(overhead._measure_async_calls({!r}, with_sdk_aiohttp={}))))"
    )
    figures["async call, same backend"] = json.loads(run_in_child(run.format(url, False), hide_aiohttp=True))
    if HAS_AIOHTTP:
        figures["async call, aiohttp"] = json.loads(run_in_child(run.format(url, True)))
    return figures


def main() -> int:
    """Measure, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peers", action="store_true")
    arguments = parser.parse_args()
    stub = Path(__file__).with_name("stub.py")
    with subprocess.Popen([sys.executable, str(stub)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            figures = measure(url, with_peers=arguments.peers)
        finally:
            server.kill()
    times = measure_milliseconds()
    if arguments.json:
        print(json.dumps({"microseconds": figures, "milliseconds": times}, indent=1))
        return 0
    import openai

    print(f"CPU per operation, Python {sys.version.split()[0]}, openai {openai.__version__}")
    missed = 0
    for name, by_contestant in figures.items():
        base = by_contestant["sdk"]
        for contestant, value in by_contestant.items():
            bound = BOUNDS[name] if contestant == "llmkit" else None
            verdict = "" if bound is None else f"  bound {bound:.2f}  {'ok' if value / base <= bound else 'MISSED'}"
            missed += verdict.endswith("MISSED")
            print(f"  {name:26} {contestant:18} {value:9.1f} us  {value / base:5.2f}x{verdict}")
    for name, value in times.items():
        verdict = "ok" if value <= BOUNDS_MILLISECONDS[name] else "MISSED"
        missed += verdict == "MISSED"
        print(f"  {name:45} {value:9.2f} ms          bound {BOUNDS_MILLISECONDS[name]:g}  {verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
