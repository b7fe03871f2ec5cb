"""What is built: the wheel holds the library and its providers, nothing else."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built by hatchling from the working tree."""
    target = tmp_path_factory.mktemp("wheel")
    program = f"from hatchling.build import build_wheel; build_wheel({str(target)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_the_wheel_holds_only_our_packages(wheel: zipfile.ZipFile) -> None:
    """Top level: llmkit, the three providers, the metadata; no .pth, no tests."""
    names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "llmkit",
        "llmkit_ollama",
        "llmkit_openai",
        "llmkit_openrouter",
    }
    assert not [name for name in names if name.endswith((".pth", ".pyc")) or "/tests/" in name]


@pytest.mark.parametrize(
    "name",
    [
        "llmkit/py.typed",
        "llmkit_openai/services.json",
        "llmkit_openai/models.json",
        "llmkit_openrouter/aliases.json",
        "llmkit/testing/simulator/server.py",
        "llmkit/cli/__init__.py",
    ],
)
def test_the_wheel_holds_what_is_needed_at_run_time(wheel: zipfile.ZipFile, name: str) -> None:
    """Data files, the simulator and the command line are part of the distribution."""
    assert name in wheel.namelist()


def size(wheel: zipfile.ZipFile, *endings: str) -> int:
    """Bytes, unpacked, of the files of a kind."""
    return sum(item.file_size for item in wheel.infolist() if item.filename.endswith(endings))


def test_the_wheel_is_small(wheel: zipfile.ZipFile) -> None:
    """Code is less than 1,200 kB unpacked, a fifth of it the testing kit."""
    assert size(wheel, ".py") < 1_200_000


def test_the_tables_are_small(wheel: zipfile.ZipFile) -> None:
    """Tables are less than 600 kB: most is limits and prices of 3,840 models, for services whose lists have none."""
    assert size(wheel, ".json") < 600_000
    assert size(wheel, "") - size(wheel, ".py", ".json") < 50_000


def test_installed_entry_points_are_those_of_pyproject() -> None:
    """Entry points are frozen at install: what is installed is what the project file says."""
    from importlib.metadata import distribution

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        (group, name, value)
        for group, points in {**project["entry-points"], "console_scripts": project["scripts"]}.items()
        for name, value in points.items()
    }
    installed = {(point.group, point.name, point.value) for point in distribution("llmkit").entry_points}
    assert installed == declared
