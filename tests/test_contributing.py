"""CONTRIBUTING.md, SECURITY.md and the hooks for git: the files and commands that they name are there."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from llmkit.testing.simulator import faults

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / name).read_text("utf-8") for name in ("CONTRIBUTING.md", "SECURITY.md")}
HOOKS = [
    hook
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    for hook in repo["hooks"]
]
#: Files of a user, which are not in this tree.
NOT_OURS = {"llmkit.toml"}
TOOLS = ("pytest", "ruff", "mypy", "sphinx-build")


def paths(text: str) -> set[str]:
    """What stands in backticks or behind a link and is written like a path of the tree."""
    named = {word for word in re.findall(r"`([^`\s]+)`", text) if re.search(r"/|\.(py|md|toml|lock|json|yaml)$", word)}
    named |= {target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target}
    return {word for word in named if not word.startswith("/") and "://" not in word} - NOT_OURS


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page: str) -> None:
    """A path leads to a file or folder; one with NAME in it to at least one; a bare test file stands below `tests`."""
    named = paths(PAGES[page])
    assert named
    for path in sorted(named):
        pattern = path.rstrip("/").replace("NAME", "*")
        bare = "/" not in pattern and pattern.startswith("test_")
        assert any(ROOT.joinpath("tests").rglob(pattern) if bare else ROOT.glob(pattern)), path


def commands() -> list[str]:
    """The command lines of the pages and the hooks that call a tool of ours."""
    blocks = [block for text in PAGES.values() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    lines = [line.partition(" # ")[0].strip() for block in blocks for line in block.splitlines()]
    lines += [code for text in PAGES.values() for code in re.findall(rf"`((?:{'|'.join(TOOLS)}) [^`\n]+)`", text)]
    lines += [hook["entry"] for hook in HOOKS]
    called = [shlex.split(part) for line in lines for part in line.split(" && ")]
    return [shlex.join(words) for words in called if tool_of(words)]


def tool_of(words: list[str]) -> str | None:
    """The tool that a command calls, as a program or as a module of Python; `None` if it is none of ours."""
    name = words[2] if Path(words[0]).name == "python" and words[1] == "-m" else Path(words[0]).name
    return name if name in TOOLS else None


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_the_tools_know_the_options_that_are_named(command: str) -> None:
    """pytest, ruff, mypy and Sphinx take the command as it stands; nothing is run."""
    words = shlex.split(command)
    tool = str(tool_of(words))
    given = words[words.index(tool) + 1 if tool in words else 1 :]
    # pytest reads all options before it collects; the others read as far as the question for help.
    more = ["--collect-only", "-n", "0", "tests/test_import.py"] if tool == "pytest" else ["--help"]
    module = {"sphinx-build": "sphinx"}.get(tool, tool)
    done = subprocess.run(
        [sys.executable, "-m", module, *given, *more], cwd=ROOT, capture_output=True, text=True, check=False
    )
    nothing_there = 5  # the quick set leaves that file out
    assert done.returncode in ((0, nothing_there) if tool == "pytest" else (0,)), done.stdout + done.stderr


def test_the_three_sets_of_tests_are_named() -> None:
    """The quick and the build set are those of the README and the build; the long one has its name."""
    text, readme, build = PAGES["CONTRIBUTING.md"], (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"^- \*\*(\w+)\*\*", text, re.MULTILINE) == ["quick", "build", "long"]
    of_quick, of_build = re.findall(r"^(\.venv/bin/python -m pytest .*?) +# (?:quick|build)$", text, re.MULTILINE)
    assert of_quick in readme
    assert of_build in readme
    assert of_build in build


def test_the_hooks_need_no_network() -> None:
    """Each hook is one of this tree that calls a program which is there."""
    assert {hook["language"] for hook in HOOKS} == {"system"}
    assert [hook["id"] for hook in HOOKS if shlex.split(hook["entry"])[0].partition("/")[0] not in (".venv", "git")] == []


def test_the_hooks_format_what_the_build_looks_at() -> None:
    """ruff gets the paths that it gets in the build."""
    build = (ROOT / ".ci" / "run").read_text("utf-8")
    for hook in HOOKS:
        if tool_of(shlex.split(hook["entry"])) == "ruff":
            assert hook["entry"].replace("ruff format ", "ruff format --check ") in build


def test_every_provider_of_the_tree_is_looked_at() -> None:
    """What stands in `providers` is declared, typed, measured, held to the rooms, and on the pages."""
    folders = {path.parent.name for path in (ROOT / "providers").glob("*/__init__.py")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    points = project["project"]["entry-points"]["llmkit.providers"]
    assert {value.partition(":")[0] for value in points.values()} == folders
    assert set(project["tool"]["mypy"]["packages"]) == {"llmkit", *folders}
    assert set(project["tool"]["coverage"]["run"]["source"]) == {"llmkit", *folders}
    assert set(runpy.run_path(str(ROOT / "tests" / "test_rooms.py"))["PROVIDERS"]) == folders
    for name in ("test_docs.py", "test_env_example.py"):
        assert set(runpy.run_path(str(ROOT / "tests" / name))["OWN"]) == set(points), name


def test_every_fault_is_in_the_table_of_its_module() -> None:
    """A fault that the code knows stands in the docstring, which the page of testing is held to."""
    table = re.findall(r"^\| (.*?) \|", str(faults.__doc__), re.MULTILINE)
    named = {re.split("[=@]", item)[0] for row in table for item in re.findall(r"`([^`]+)`", row)}
    assert named == {*faults._CHANGES_WITH_VALUE, *faults._CHANGES_BY_WORD, *faults._CUTS, "times"}
