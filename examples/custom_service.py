"""A service that speaks OpenAI's chat completions, under a name of its own.

Acme does not exist; take the address and the variable of a service of yours. For use in more than one program, put
the class into a package: see docs/write-a-provider.md.

For real use: set ACME_API_KEY, and ACME_BASE_URL if the address differs.
Without a key: python examples/with_simulator.py examples/custom_service.py
"""

from llmkit import create_language, register_provider
from llmkit.wire.chat import ChatProvider


class AcmeProvider(ChatProvider):
    title = "Acme"
    default_base_url = "https://api.acme.example/v1"
    base_url_env = ("ACME_BASE_URL",)
    key_env = ("ACME_API_KEY",)
    key_page = "https://acme.example/keys"


def main() -> None:
    register_provider("acme", AcmeProvider)
    with create_language("acme", "acme-large", temperature=0) as model:
        response = model.chat_complete("Who are you?")
        print(f"{response.provider} ({response.model}): {response.content}")
        for chunk in model.chat_complete("Who are you?", stream=True):
            print(chunk.content, end="")
        print()


if __name__ == "__main__":
    main()
