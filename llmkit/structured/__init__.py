"""Structured output: what a user asks for as a schema or a type, and an answer as the value that it says."""

from llmkit.structured.schemas import mismatch
from llmkit.structured.shape import InvalidStructure, Shape, shape_of
from llmkit.wire.strict import strict_schema

__all__ = ["InvalidStructure", "Shape", "mismatch", "shape_of", "strict_schema"]
