"""Tools: Python functions that a model may call, their schemas, and running the calls."""
