"""Bytes to values and back: SSE, NDJSON, JSON, and the chat-completions dialect as a base class. No I/O here."""
