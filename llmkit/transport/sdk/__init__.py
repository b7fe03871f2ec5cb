"""The default transport: the HTTP client of the OpenAI SDK."""
