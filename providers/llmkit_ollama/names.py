"""Names of models, and when Ollama takes two of them for the same model."""

from __future__ import annotations

_REGISTRY = "registry.ollama.ai/"
_NAMESPACE = "library/"


def normalise_name(name: str) -> str:
    """The form that all names of one model have in common: lower case, with the tag, without the default registry.

    `llama3.2` becomes `llama3.2:latest`. `:local` at the end only says where to look, and is dropped; `120b:cloud`
    becomes `120b-cloud`. The default namespace is dropped too.
    """
    path, slash, last = name.strip().lower().rpartition("/")
    path = f"{path}{slash}".removeprefix(_REGISTRY).removeprefix(_NAMESPACE)
    model, _, tag = last.partition(":")
    if tag == "local" or tag.endswith(":local"):
        tag = tag[:-5].removesuffix(":")
    elif tag.endswith(":cloud"):
        tag = f"{tag.removesuffix(':cloud')}-cloud"
    return f"{path}{model}:{tag or 'latest'}"


def is_cloud_model(name: str) -> bool:
    """Does the name say that the model runs in Ollama's cloud, whichever server is asked?"""
    tag = name.lower().rpartition("/")[2].partition(":")[2]
    return tag == "cloud" or tag.endswith((":cloud", "-cloud"))


#: Short name in other systems -> Ollama's name, as its library had them in August 2026.
ALIASES = {
    "llama-3-8b": "llama3:8b",
    "llama-3-70b": "llama3:70b",
    "llama-3.1-8b": "llama3.1:8b",
    "llama-3.1-70b": "llama3.1:70b",
    "llama-3.1-405b": "llama3.1:405b",
    "llama-3.2-1b": "llama3.2:1b",
    "llama-3.2-3b": "llama3.2:3b",
    "llama-3.3-70b": "llama3.3:70b",
    "mistral-7b": "mistral:7b",
    "mixtral-8x7b": "mixtral:8x7b",
    "mixtral-8x22b": "mixtral:8x22b",
    "gemma-2-2b": "gemma2:2b",
    "gemma-2-9b": "gemma2:9b",
    "gemma-2-27b": "gemma2:27b",
    "gemma-3-4b": "gemma3:4b",
    "gemma-3-12b": "gemma3:12b",
    "gemma-3-27b": "gemma3:27b",
    "qwen-2-7b": "qwen2:7b",
    "qwen-2.5-7b": "qwen2.5:7b",
    "qwen-3-4b": "qwen3:4b",
    "qwen-3-8b": "qwen3:8b",
    "phi-4": "phi4:14b",
    "zephyr-7b": "zephyr:7b",
    "openchat-7b": "openchat:7b",
    "gpt-oss-20b": "gpt-oss:20b",
    "gpt-oss-120b": "gpt-oss:120b",
}
