"""A model on this machine, by Ollama: free, with its own options and timings.

For real use: run Ollama (https://ollama.com) and `ollama pull llama3.2`. OLLAMA_HOST says where it is, if not here.
Without Ollama: python examples/with_simulator.py examples/local_model.py
"""

from llmkit import create_language
from llmkit_ollama import OllamaOptions

# A prompt longer than num_ctx is cut by the server without a word; truncate=False makes that an error.
options = OllamaOptions(num_ctx=8192, keep_alive="10m", truncate=False)

with create_language("ollama", "llama3.2", options=options, seed=1) as model:
    response = model.chat_complete("Why is the sky blue? One sentence.")

print(response.content)
print(f"cost: {response.cost} ({response.cost.basis})")
if response.timings and response.timings.total:
    print(f"took {response.timings.total:.2f} s, of it {response.timings.load or 0:.2f} s to load the model")
