"""Profiles to models: what a name stands for, which settings apply to it, and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmkit.profiles.choice import Choice, choose, split_target
from llmkit.profiles.layers import Layers, layered_settings

if TYPE_CHECKING:
    from llmkit.profiles.explain import ResolvedSetting, explain_settings

__all__ = ["Choice", "Layers", "ResolvedSetting", "choose", "explain_settings", "layered_settings", "split_target"]


def __getattr__(name: str) -> object:
    if name in ("ResolvedSetting", "explain_settings"):
        from llmkit.profiles import explain  # not on the way of a call

        return getattr(explain, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
