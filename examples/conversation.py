"""Hold a conversation: a history that is trimmed, forked, saved and taken up again with another model.

For real use: set OPENROUTER_API_KEY, and have an Ollama with llama3.2.
Without a key: python examples/with_simulator.py examples/conversation.py
"""

import tempfile
from pathlib import Path

from llmkit import Conversation, create_language

with (
    create_language("openrouter", "openai/gpt-4o-mini") as model,
    create_language("ollama", "llama3.2") as local,
    tempfile.TemporaryDirectory() as folder,
):
    # At most 4 turns are sent, and always the system message; all of them are kept.
    chat = Conversation(model, system="Be brief.", max_messages=4)
    for city in ("Paris", "Rome", "Oslo"):
        print(chat.send(f"In which country is {city}?").content)
    print(f"{len(chat)} turns are kept")

    # A fork goes its own way.
    fork = chat.fork()
    with fork.send("And Lima?", stream=True) as stream:
        for chunk in stream:
            print(chunk.content, end="", flush=True)
    print(f"\n{len(fork)} turns in the fork, {len(chat)} in the first")

    # The file holds turns only: no key, no setting. Any model can go on from it.
    file = Path(folder) / "chat.json"
    chat.save(file)
    again = Conversation.load(file, local)
    print(f"{again.send('Which of them did I ask about?').provider} goes on with {len(again)} turns")
