"""The user's folders: where each system keeps them, and what the variables of XDG change."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llmkit.config.folders import cache_folder, config_folder

FOLDERS = [(config_folder, "XDG_CONFIG_HOME", ".config"), (cache_folder, "XDG_CACHE_HOME", ".cache")]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="XDG is not for this system")
@pytest.mark.parametrize(("folder", "variable", "usual"), FOLDERS, ids=["configuration", "cache"])
@pytest.mark.parametrize(("said", "taken"), [("/somewhere", True), ("", False), ("relative/path", False)])
def test_xdg_names_the_folder(
    folder: object, variable: str, usual: str, said: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An absolute path of the variable counts; an empty or relative one is as if it were not set."""
    monkeypatch.setenv(variable, said)
    monkeypatch.setenv("HOME", "/home/somebody")
    expected = Path(said) if taken else Path("/home/somebody", usual)
    assert folder() == expected / "llmkit"
