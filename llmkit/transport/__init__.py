"""The only rooms that open connections. The default transport is the OpenAI SDK's HTTP client."""
