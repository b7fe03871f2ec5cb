"""The configuration file `llmkit.toml`: where it is, what it may hold, and what it holds."""
