"""The rules that every provider keeps, and what is the echo's own."""

import pytest
from llmkit_echo import EchoProvider

from llmkit import LanguageModel, Unsupported, create_language, register_provider
from llmkit.testing.contract import ProviderContract, Sample

REPLY = b'{"text": "Hello "}\n{"text": "there"}\n{"done": "stop"}\n'


class TestEcho(ProviderContract):
    """The contract. The echo is not HTTP, so the rules of HTTP do not ask it anything."""

    provider = EchoProvider("echo")
    http = False
    plain = (Sample(body=REPLY, text="Hello there"),)
    streamed = (Sample(body=REPLY, text="Hello there", mark=b'"done"'),)

    def make_model(self) -> LanguageModel:
        register_provider("echo", EchoProvider, replace=True)  # Not needed where the distribution is installed.
        return create_language("echo")


def test_max_tokens() -> None:
    """A word is a token, and an answer that was cut says so."""
    register_provider("echo", EchoProvider, replace=True)
    response = create_language("echo").chat_complete("one two three", max_tokens=2)
    assert (response.content, response.finish_reason, response.truncated) == ("one two", "length", True)


def test_pictures() -> None:
    """What the echo cannot repeat it refuses."""
    register_provider("echo", EchoProvider, replace=True)
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    with pytest.raises(Unsupported, match="text only"):
        create_language("echo").chat_complete([{"role": "user", "content": [picture]}])
