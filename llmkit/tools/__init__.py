"""Tools: Python functions that a model may call, their schemas, and running the calls."""

from __future__ import annotations

from llmkit.tools.calls import with_mismatches
from llmkit.tools.invoke import ainvoke_tools, invoke_tools
from llmkit.tools.results import ToolResultError
from llmkit.tools.tool import Tool, to_tools

__all__ = ["Tool", "ToolResultError", "ainvoke_tools", "invoke_tools", "to_tools", "with_mismatches"]
