"""The README, the pages of `docs/` and the docstrings: their code runs, and what their tables say is so.

Every Python block of a page runs, in order, in one namespace, against the simulator: the variables that a user would
set name its address. An `output` block shows what the block before it prints ("..." stands for anything). A block in
an HTML comment (`invisible-code-block`) is not shown; it scripts the simulator or checks what the page says.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import doctest
import gc
import inspect
import io
import json
import re
import runpy
import shlex
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from sybil import Document, Example, Region
from sybil.parsers.myst import CodeBlockParser

import llmkit
import llmkit.provider
import llmkit.testing
import llmkit.types
from llmkit import LanguageModel, RetryPolicy, errors, known_services, unregister_provider
from llmkit.provider.interface import BaseProvider
from llmkit.provider.registry import get_provider
from llmkit.testing.simulator import Reply, Simulator, faults
from llmkit.types.settings import SAMPLING, CallSettings, Settings
from llmkit.wire.chat import ChatProvider

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"))]
PAGES += sorted((ROOT / "docs").glob("*.md"))
SOURCES = sorted(path for folder in ("llmkit", "providers") for path in (ROOT / folder).rglob("*.py"))
OWN = ("openrouter", "openai", "ollama")


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulator, and the environment of a user whose services are there."""
    with Simulator() as simulator:
        for name, value in simulated(simulator).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("CI", raising=False)  # where nothing is recorded
        yield simulator
    unregister_provider("acme")


def simulated(simulator: Simulator) -> dict[str, str]:
    """The variables that lead every provider to the simulator."""
    return {
        "OPENROUTER_BASE_URL": simulator.openrouter_url,
        "OPENROUTER_API_KEY": "sk-or-simulated",
        "OPENAI_BASE_URL": simulator.openai_url,
        "OPENAI_API_KEY": "sk-simulated",
        "OLLAMA_HOST": simulator.ollama_url,
        "ACME_BASE_URL": simulator.openai_url,
        "ACME_API_KEY": "sk-acme-simulated",
        "GROQ_API_KEY": "gsk-simulated",
    }


# The code of the pages


def run_python(example: Example) -> None:
    """Run a block; keep what it prints for the `output` block after it, and its models, to be closed at the end."""
    printed, space = io.StringIO(), example.namespace
    code = compile("\n" * example.line + example.parsed, example.path, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(printed):
        exec(code, space)
    space["_printed"] = printed.getvalue()
    space["_models"] = {*space["_models"], *(value for value in space.values() if isinstance(value, LanguageModel))}


def check_output(example: Example) -> None:
    """Compare what the last block printed."""
    shown, printed = example.parsed.rstrip("\n"), example.namespace["_printed"].rstrip("\n")
    matches = doctest.OutputChecker().check_output(f"{shown}\n", f"{printed}\n", doctest.ELLIPSIS)
    assert matches, f"{example.path}, line {example.line}: shown\n{shown}\nprinted\n{printed}"


def check_json(example: Example) -> None:
    """It parses."""
    json.loads(example.parsed)


def check_toml(example: Example) -> None:
    """It parses."""
    tomllib.loads(example.parsed)


PARSERS = [
    CodeBlockParser("python", run_python),
    CodeBlockParser("output", check_output),
    CodeBlockParser("json", check_json),
    CodeBlockParser("toml", check_toml),
]
#: Blocks that nothing runs: commands (some are checked below), texts and drawings.
NOT_RUN = {"sh", "text", "console"}


def play(document: Document, simulator: Simulator) -> int:
    """Run the examples of a document in order. How many there were."""
    namespace = document.namespace
    namespace.update(__name__="docs", sim=simulator, Reply=Reply, _models=set())
    count = 0
    try:
        for example in document.examples():
            example.evaluate()
            count += 1
    finally:
        for model in namespace["_models"]:
            model.close()
        namespace.clear()
        with warnings.catch_warnings():
            # A page need not close a model that it does not name; its sockets end here and not in another test.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    return count


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of a page runs and prints what the page shows; JSON and TOML blocks parse."""
    monkeypatch.chdir(tmp_path)
    play(Document.parse(str(page), *PARSERS), sim)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_has_a_language_that_is_known(page: Path) -> None:
    """A fenced block names its language, and it is one that is run, parsed or listed as not run; none slips by."""
    text = re.sub(r"<!--.*?-->", "", page.read_text("utf-8"), flags=re.DOTALL)
    openings = re.findall(r"^ *(`{3,})(.*)$", text, re.MULTILINE)[::2]
    known = {parser.language for parser in PARSERS} | NOT_RUN
    unknown = {info for _, info in openings if info not in known and not info.startswith("{")}
    assert not unknown


def docstrings(path: Path) -> Iterator[Document]:
    """The docstrings of a file that hold code, each as a document.

    Code is an indented block that begins with an import, a class or a `with`. One with "..." in it, or with names that
    it does not import, is a sketch: it parses, and is not run.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        document = Document(f"{ast.get_docstring(node) or ''}\n", f"{path}, {getattr(node, 'name', 'module')}")
        for block in re.finditer(r"(?<=\n\n)(?: {4}.*\n|\n)+", document.text):
            source = dedent(block[0]).strip() + "\n"
            is_code = re.match(r"(from|import|class|with) ", source)
            if is_code and "..." not in source and not unknown_names(ast.parse(source)):
                document.add(Region(block.start(), block.end(), source, run_python))
        if list(document.examples()):
            yield document


def unknown_names(tree: ast.Module) -> set[str]:
    """Names that code reads and does not make."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | set(vars(builtins))
    made |= {node.asname or node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
    made |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    return {node.id for node in names} - made


WITH_EXAMPLES = [path for path in SOURCES if next(docstrings(path), None)]


def test_docstring_examples_are_found() -> None:
    """The examples of the package and of the testing kit are among those that run."""
    found = {path.relative_to(ROOT).as_posix() for path in WITH_EXAMPLES}
    assert found >= {"llmkit/__init__.py", "llmkit/testing/fake.py"}


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_code_of_a_docstring_runs(
    path: Path, sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python block of a docstring runs as it stands; who is asked for the capital of France knows it."""
    monkeypatch.chdir(tmp_path)
    for document in docstrings(path):
        sim.script(Reply(text="Paris"))
        assert play(document, sim)


# What the pages say


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def rows(text: str, first: str) -> dict[str, list[str]]:
    """The rows of the table whose head begins with `first`, by the code in their first cell."""
    lines = iter(text.splitlines())
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(f"| {first} |"):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    break
                cells = [cell.strip() for cell in row.strip("| ").split(" | ")]
                for name in re.findall(r"`([^`]+)`", cells[0]):
                    found[name] = cells[1:]
    return found


def error_classes() -> dict[str, type[errors.LLMError]]:
    """All of the tree that is public, by name."""
    exported = {name: getattr(llmkit, name) for name in llmkit.__all__}
    return {name: cls for name, cls in exported.items() if inspect.isclass(cls) and issubclass(cls, errors.LLMError)}


def test_every_error_is_public() -> None:
    """The classes of the tree, wherever they stand, are names of `llmkit`."""

    def below(cls: type[errors.LLMError]) -> Iterator[type[errors.LLMError]]:
        for sub in cls.__subclasses__():
            yield sub
            yield from below(sub)

    public = set(error_classes().values())
    ours = [cls for cls in below(errors.LLMError) if cls.__module__.startswith("llmkit.")]
    assert not [cls for cls in ours if cls not in public and not cls.__module__.startswith("llmkit.testing")]


def test_the_error_page_says_what_each_class_does() -> None:
    """The table of errors has every class, with `retryable` and `fallback` as the class has them."""
    table = rows(page("errors"), "error")
    classes = {name: cls for name, cls in error_classes().items() if name not in ("LLMError", "AllTargetsFailed")}
    assert set(table) == set(classes)
    for name, cls in classes.items():
        said = [cell.split()[0].strip(",.") for cell in table[name][-2:]]
        assert said == [_yes(cls.retryable), _yes(cls.fallback)], name


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def test_the_error_page_draws_the_tree() -> None:
    """The tree of the page is the tree of the classes."""
    tree = re.search(r"```text\nLLMError.*?```", page("errors"), re.DOTALL)
    assert tree is not None
    stack: list[str] = []
    for line in tree[0].splitlines()[1:-1]:
        name = re.search(r"\w+", line)
        assert name is not None
        depth = name.start() // 4
        stack[depth:] = [name[0]]
        parent = errors.LLMError.__mro__[1] if depth == 0 else getattr(llmkit, stack[depth - 1])
        assert getattr(llmkit, name[0]).__bases__[0] is parent, line
    assert set(re.findall(r"[A-Z]\w+", tree[0])) - {"ValueError", "TimeoutError"} == set(error_classes())


def test_the_settings_page_names_every_setting() -> None:
    """The tables of settings are those of `CallSettings` and `Settings`, no more and no less."""
    text = page("settings")
    assert set(rows(text, "setting of a call")) == set(CallSettings.__annotations__)
    assert set(rows(text, "setting of a model")) == set(Settings.__annotations__) - set(CallSettings.__annotations__)


def test_the_settings_page_says_which_provider_has_what() -> None:
    """The table of support says `yes` where the provider takes the setting."""
    table = rows(page("settings"), "sampling setting")
    assert set(table) == set(SAMPLING)
    for name, cells in table.items():
        assert cells == [_yes(name in get_provider(provider).supported) for provider in OWN], name


def test_the_provider_page_names_every_variable() -> None:
    """Every environment variable that a provider of ours reads is on the page of providers."""
    text = page("providers")
    for name in OWN:
        provider = get_provider(name)
        variables = [*provider.key_env, *provider.base_url_env, *provider.header_env, *provider.setting_env]
        for variable in [*variables, *([provider.model_env] if provider.model_env else [])]:
            assert f"`{variable}`" in text, variable
        assert provider.default_base_url
        assert f"`{provider.default_base_url}`" in text


@pytest.mark.parametrize("name", OWN)
def test_the_provider_page_names_every_option(name: str) -> None:
    """Every field of an options class is on the page of providers, and every name in its table is a field."""
    options = get_provider(name).options_type
    if options is not None:
        head = f"field of {options.__name__}"
        assert set(rows(page("providers"), head)) == {item.name for item in fields(options)}


def test_the_number_of_services_is_right() -> None:
    """Where a page counts the known services, it counts right."""
    counts = {
        int(said) for path in PAGES for said in re.findall(r"\b(\d+) (?:more )?services", path.read_text("utf-8"))
    }
    assert counts == {len(known_services())}


def test_the_retry_page_says_the_defaults() -> None:
    """The table of `RetryPolicy` has every field with its default."""
    table = rows(page("retries"), "field of RetryPolicy")
    said = {name: None if cells[0] == "None" else float(cells[0]) for name, cells in table.items()}
    assert said == {item.name: item.default for item in fields(RetryPolicy)}


def test_the_testing_page_lists_every_fault() -> None:
    """The table of faults is the simulator's own."""
    own = set(rows(str(faults.__doc__), "item"))
    assert own
    assert set(rows(page("testing"), "item")) == own


def test_the_design_page_draws_the_rooms() -> None:
    """The tree of the page has the rooms that the test of the imports holds, in its order, a sentence each."""
    rooms = runpy.run_path(str(ROOT / "tests" / "test_rooms.py"))["ROOMS"]
    tree = page("design").partition("## Rooms")[2].partition("```text")[2].partition("\nproviders/")[0]
    drawn = re.findall(r"^    (\w+)(?:/|\.py) +(\w.*)$", tree, re.MULTILINE)
    assert tuple(name for name, _ in drawn) == rooms
    assert all(len(sentence.split()) > 2 for _, sentence in drawn)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("compare", llmkit.Comparison), ("models", llmkit.ModelInfo), ("costs", llmkit.Totals)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_page_of_a_value_names_its_attributes(name: str, kind: type) -> None:
    """Every field and property of a value is on its page; of `supports_...`, some stand for all."""
    names = {item.name for item in fields(kind)} | {
        item for item, value in vars(kind).items() if isinstance(value, property)
    }
    stands_for_all = {name for name in names if name.startswith("supports_")} - {"supports_tools"}
    text = page(name)
    assert [item for item in sorted(names - stands_for_all) if not re.search(rf"`{item}\b", text)] == []


def test_the_page_of_the_provider_names_every_attribute() -> None:
    """What a provider of OpenAI's dialect may set stands on the page, in its table or its code."""
    text = page("write-a-provider")
    names = {*BaseProvider.__annotations__, *ChatProvider.__annotations__}
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []


def test_the_command_line_page_names_every_option() -> None:
    """Every command of `llmkit` and every one of its options is on the page of the command line."""
    import typer.main

    from llmkit.cli.app import app

    text = page("command-line")
    for name, command in typer.main.get_command(app).commands.items():
        assert f"## llmkit {name}" in text
        for option in (option for item in command.params for option in item.opts if option.startswith("--")):
            assert option == "--help" or f"`{option}`" in text, f"{name} {option}"


@pytest.mark.parametrize("door", [llmkit, llmkit.types, llmkit.provider, llmkit.testing], ids=lambda door: door.__name__)
def test_every_public_name_is_in_the_reference(door: Any) -> None:
    """The reference page has each name of each door."""
    text = page("reference")
    missing = [name for name in door.__all__ if not re.search(rf"(?:llmkit[.\w]*\.|`){name}\b", text)]
    assert not missing


def test_the_commands_of_the_readme_are_those_of_the_build() -> None:
    """The README's command for the tests stands word for word in what the build runs, and so does the demo."""
    demo, tests = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    build = (ROOT / ".ci" / "run").read_text("utf-8")
    assert tests in build
    assert demo.rpartition("&& ")[2] in build


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("coming-from-*.md")), ids=lambda path: path.stem)
def test_every_line_of_a_comparison_runs(path: Path) -> None:
    """What stands on the right of a "Coming from" table is a line of the page's code, which runs."""
    text = path.read_text("utf-8")
    code = {line.strip() for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) for line in block.splitlines()}
    right = [re.findall(r"`([^`]+)`", line.strip("| ").split(" | ")[-1]) for line in text.splitlines() if line[:1] == "|"]
    shown = [said for cell in right[2:] for said in cell]
    assert len(shown) >= len(right) - 2, "each row shows a line of llmkit"
    assert not [said for said in shown if said not in code]


@pytest.mark.parametrize("page_path", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page_path: Path) -> None:
    """A relative link of a page names a file of the tree."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page_path.read_text("utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page_path.parent / target).exists(), target


@pytest.mark.parametrize("page_path", PAGES, ids=lambda page: page.stem)
def test_commands_are_ones_that_exist(page_path: Path) -> None:
    """A page that shows `llmkit ...` or `python -m llmkit...` names a command or module that is there."""
    from importlib.util import find_spec

    for block in re.findall(r"```sh\n(.*?)```", page_path.read_text("utf-8"), re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if "-m" in words and words[0].startswith("python") and (name := words[words.index("-m") + 1]) != "venv":
                assert find_spec(name) is not None, line
