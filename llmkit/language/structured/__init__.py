"""Structured output: what is asked for as a schema or a type, and an answer as the value that it says."""
