"""The simulated models, their prices, and the rule that counts tokens.

A model that is not listed is served all the same, at `OTHER_PRICE`; a name that ends in ":free" costs
nothing. The prices are this simulator's own. They are data for tests and say nothing about what a vendor
charges.

One token is four characters, rounded up, counted over a whole text. A prompt counts the text of its messages.
"""

from dataclasses import dataclass
from decimal import Decimal

from llmkit.testing.simulator.jsonvalue import JSON

CHARACTERS_PER_TOKEN = 4
CREATED = 1767225600
"""The `created` of everything: 2026-01-01T00:00:00Z, in epoch seconds."""
CREATED_AT = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD for one token."""

    prompt: Decimal
    completion: Decimal

    def prompt_cost(self, tokens: int) -> Decimal:
        """Return the cost of prompt tokens in USD, without trailing zeros."""
        return (self.prompt * tokens).normalize()

    def completion_cost(self, tokens: int) -> Decimal:
        """Return the cost of completion tokens in USD, without trailing zeros."""
        return (self.completion * tokens).normalize()

    def cost(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """Return the cost of all tokens in USD, without trailing zeros."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens).normalize()


def _make_price(prompt: str, completion: str) -> Price:
    million = Decimal(1_000_000)
    return Price(prompt=Decimal(prompt) / million, completion=Decimal(completion) / million)


FREE = _make_price("0", "0")
OTHER_PRICE = _make_price("1", "2")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """One row of OpenRouter's catalogue."""

    id: str
    name: str
    answers_as: str
    """The `model` of its answers, and its canonical slug."""
    provider: str
    context_length: int
    max_completion_tokens: int | None
    price: Price | None
    """None = the router's unknown price, "-1" in the catalogue."""
    parameters: tuple[str, ...]


_SAMPLING = ("max_tokens", "temperature", "stop")
_TOOLS = (*_SAMPLING, "tools", "tool_choice", "response_format", "structured_outputs")
_REASONING = (*_TOOLS, "reasoning", "include_reasoning")

OPENROUTER_MODELS = (
    CatalogueModel(
        id="openai/gpt-4o-mini",
        name="OpenAI: GPT-4o-mini",
        answers_as="openai/gpt-4o-mini",
        provider="OpenAI",
        context_length=128_000,
        max_completion_tokens=16_384,
        price=_make_price("0.15", "0.6"),
        parameters=_TOOLS,
    ),
    CatalogueModel(
        id="openai/gpt-4o",
        name="OpenAI: GPT-4o",
        answers_as="openai/gpt-4o",
        provider="OpenAI",
        context_length=128_000,
        max_completion_tokens=16_384,
        price=_make_price("2.5", "10"),
        parameters=_TOOLS,
    ),
    CatalogueModel(
        id="anthropic/claude-3.5-sonnet",
        name="Anthropic: Claude 3.5 Sonnet",
        answers_as="anthropic/claude-3.5-sonnet",
        provider="Anthropic",
        context_length=200_000,
        max_completion_tokens=8_192,
        price=_make_price("3", "15"),
        parameters=_TOOLS,
    ),
    CatalogueModel(
        id="anthropic/claude-sonnet-4.5",
        name="Anthropic: Claude Sonnet 4.5",
        answers_as="anthropic/claude-4.5-sonnet-20250929",
        provider="Anthropic",
        context_length=1_000_000,
        max_completion_tokens=64_000,
        price=_make_price("3", "15"),
        parameters=_REASONING,
    ),
    CatalogueModel(
        id="google/gemini-2.5-flash",
        name="Google: Gemini 2.5 Flash",
        answers_as="google/gemini-2.5-flash",
        provider="Google",
        context_length=1_048_576,
        max_completion_tokens=65_535,
        price=_make_price("0.3", "2.5"),
        parameters=_REASONING,
    ),
    CatalogueModel(
        id="meta-llama/llama-3.1-8b-instruct:free",
        name="Meta: Llama 3.1 8B Instruct (free)",
        answers_as="meta-llama/llama-3.1-8b-instruct:free",
        provider="DeepInfra",
        context_length=131_072,
        max_completion_tokens=None,
        price=FREE,
        parameters=_SAMPLING,
    ),
    CatalogueModel(
        id="openrouter/auto",
        name="Auto Router",
        answers_as="openrouter/auto",
        provider="OpenRouter",
        context_length=2_000_000,
        max_completion_tokens=None,
        price=None,
        parameters=(),
    ),
)

OPENAI_MODELS = {
    "gpt-4o": ("gpt-4o-2024-08-06", _make_price("2.5", "10")),
    "gpt-4o-mini": ("gpt-4o-mini-2024-07-18", _make_price("0.15", "0.6")),
    "gpt-4.1-mini": ("gpt-4.1-mini-2025-04-14", _make_price("0.4", "1.6")),
    "gpt-5-mini": ("gpt-5-mini-2025-08-07", _make_price("0.25", "2")),
}
"""Name to the name in its answers and its price."""

OLLAMA_MODELS = {
    "llama3.1:latest": ("llama", "8.0B", 131_072, ("completion", "tools")),
    "llama3.2:latest": ("llama", "3.2B", 131_072, ("completion", "tools")),
    "qwen3:4b": ("qwen3", "4.0B", 40_960, ("completion", "tools", "thinking")),
    "gemma3:4b": ("gemma3", "4.3B", 131_072, ("completion", "vision")),
    "all-minilm:latest": ("bert", "23M", 512, ("embedding",)),
    "gpt-oss:120b-cloud": ("gptoss", "116.8B", 131_072, ("completion", "tools", "thinking")),
}
"""Name to family, size, trained context length and capabilities. A name in "-cloud" runs in Ollama's cloud."""
OLLAMA_CONTEXT = 4096
"""Tokens that Ollama gives a model where a request does not say `num_ctx`."""

_BY_ID = {row.id: row for row in OPENROUTER_MODELS}


def count_tokens(text: str) -> int:
    """Return how many tokens `text` has by the simulator's rule; 0 for an empty text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def find_catalogue_row(name: str) -> CatalogueModel | None:
    """Return the row of the catalogue for `name`; None if it has none."""
    return _BY_ID.get(name)


def find_price(name: str) -> Price:
    """Return the price of a model of OpenRouter or OpenAI."""
    row = _BY_ID.get(name)
    if row is not None and row.price is not None:
        return row.price
    if name in OPENAI_MODELS:
        return OPENAI_MODELS[name][1]
    return FREE if name.endswith((":free", "/free")) else OTHER_PRICE


def find_answer_name(name: str) -> str:
    """Return the `model` in the answers of `name`."""
    row = _BY_ID.get(name)
    if row is not None:
        return row.answers_as
    return OPENAI_MODELS[name][0] if name in OPENAI_MODELS else name


def find_provider_name(name: str) -> str:
    """Return OpenRouter's display name of the provider that serves `name`."""
    row = _BY_ID.get(name)
    return row.provider if row is not None else "Simulated"


def price_to_json(price: Price | None) -> dict[str, JSON]:
    """Return the `pricing` of a row: USD for one token, as decimal strings."""
    if price is None:
        return {"prompt": "-1", "completion": "-1"}
    texts = {
        "prompt": format(price.prompt.normalize(), "f"),
        "completion": format(price.completion.normalize(), "f"),
    }
    return {**texts, "request": "0", "image": "0"}
