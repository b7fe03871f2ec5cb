"""Finding a provider by name: entry points of installed distributions, and what a program registers itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fork_server import PATIENCE, ForkServer

PROVIDER = """
from llmkit.wire.chat import ChatProvider

class {name}(ChatProvider):
    title = "{name}"
    default_base_url = "https://api.{module}.example/v1"
    key_required = False
"""
TELL = """
import json, sys
import llmkit
from llmkit import *

def outcome(action):
    try:
        return ["ok", repr(action())]
    except LLMError as error:
        return [type(error).__name__, str(error)]

def told(value):
    print(json.dumps(value))
"""


class Place:
    """A folder on `sys.path` with made-up installed distributions."""

    def __init__(self, folder: Path, fork_server: ForkServer):
        self.folder = folder
        self.fork_server = fork_server

    def install(self, distribution, points, version="1.0", group="llmkit.providers", **modules):
        """A distribution with entry points (name to reference) and the source of its modules."""
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", "utf-8")
        lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
        for module, source in modules.items():
            (self.folder / f"{module}.py").write_text(source, "utf-8")

    def run(self, code, *, process=False):
        """What a program that is started there tells; what is loaded when, a new interpreter tells."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        command = [sys.executable, "-W", "error", "-c", TELL + code]
        if process:
            done = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE)
        else:
            done = self.fork_server.run(command, environment, self.folder.parent)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


@pytest.fixture
def place(tmp_path, fork_server):
    return Place(tmp_path / "site", fork_server)


def acme(name="Acme", module="acme_llm"):
    return PROVIDER.format(name=name, module=module)


def test_found_by_name(place):
    """A distribution that names a provider is found without a line in the program, and listed."""
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, version="2.1", acme_llm=acme())
    model, listed, loaded = place.run("""
listed = [[i.name, i.distribution, i.version, i.value] for i in installed_providers()]
loaded = [name for name in ("acme_llm", "llmkit_openai", "llmkit_ollama", "llmkit_openrouter") if name in sys.modules]
model = outcome(lambda: create_language("acme", "m1"))
told([model, listed, loaded])
""", process=True)
    assert model == ["ok", "LanguageModel(acme:m1)"]
    assert ["acme", "acme-llm", "2.1", "acme_llm:Acme"] in listed
    assert loaded == [], "listing must import nothing"


def test_imports_only_what_is_asked_for(place):
    """A model of one provider imports that provider alone."""
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=acme())
    place.install("other-llm", {"other": "other_llm:Other"}, other_llm=acme("Other", "other_llm"))
    loaded = place.run("""
create_language("acme", "m")
told([name for name in ("acme_llm", "other_llm", "llmkit_openai", "llmkit_ollama") if name in sys.modules])
""", process=True)
    assert loaded == ["acme_llm"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("raise RuntimeError('licence expired')", "RuntimeError: licence expired"),
        ("def broken(:", "SyntaxError"),
        ("Wrong = 1", "AttributeError"),
        ("import sys; sys.exit(3)", "SystemExit"),
    ],
)
def test_plugin_that_fails_to_import(place, source, why):
    """A plugin that cannot be imported says which distribution and why, and disturbs no other."""
    place.install("broken-llm", {"broken": "broken_llm:Broken"}, broken_llm=source)
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=acme())
    broken, good, ours, listed, unknown = place.run("""
told([
    outcome(lambda: create_language("broken", "m")),
    outcome(lambda: create_language("acme", "m")),
    outcome(lambda: create_language("ollama", "m")),
    [i.name for i in installed_providers()],
    outcome(lambda: create_language("nobody", "m")),
])
""")
    kind, text = broken
    assert kind == "ProviderLoadError"
    assert "broken-llm" in text
    assert "broken_llm:Broken" in text
    assert why in text
    assert (good, ours) == (["ok", "LanguageModel(acme:m)"], ["ok", "LanguageModel(ollama:m)"])
    assert "broken" in listed
    assert unknown[0] == "UnknownProvider"


def test_failed_plugin_works_once_it_is_mended(place):
    """A failure is not remembered: the next use tries again."""
    place.install("broken-llm", {"late": "late_llm:Acme"})
    first, second = place.run(f"""
first = outcome(lambda: create_language("late", "m"))
open({str(place.folder / "late_llm.py")!r}, "w").write({acme(module="late_llm")!r})
import importlib; importlib.invalidate_caches()
told([first[0], outcome(lambda: create_language("late", "m"))[0]])
""")
    assert (first, second) == ("ProviderLoadError", "ok")


def test_two_distributions_with_one_name(place):
    """Two distributions that claim one name are an error that names both; neither wins, others go on."""
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=acme())
    place.install("acme-fork", {"acme": "acme_fork:Acme"}, acme_fork=acme(module="acme_fork"))
    clash, other, chosen, listed = place.run("""
clash = outcome(lambda: create_language("acme", "m"))
loaded = [name for name in ("acme_llm", "acme_fork") if name in sys.modules]
assert not loaded, loaded
other = outcome(lambda: create_language("openai", "m", api_key="sk-test"))
from acme_fork import Acme
register_provider("acme", Acme, replace=True)
chosen = outcome(lambda: create_language("acme", "m"))
told([clash, other, chosen, [[i.name, i.distribution] for i in installed_providers()]])
""")
    assert clash[0] == "ProviderConflict"
    for name in ("acme-llm", "acme-fork", "acme_llm:Acme", "acme_fork:Acme", "register_provider("):
        assert name in clash[1]
    assert other[0] == "ok"
    assert chosen[0] == "ok"
    assert [item for item in listed if item[0] == "acme"] == [["acme", "acme-fork"], ["acme", "acme-llm"]]


def test_a_stranger_cannot_take_our_name(place):
    """A distribution that claims one of our names is the same conflict, not a replacement."""
    place.install("evil-llm", {"openai": "evil_llm:Acme"}, evil_llm=acme())
    kind, text = place.run("""told(outcome(lambda: create_language("openai", "m", api_key="sk-test")))""")
    assert kind == "ProviderConflict"
    assert "evil-llm" in text
    assert "llmkit " in text


def test_one_distribution_twice_on_the_path(place, tmp_path):
    """One distribution that is on the path twice, as in a development tree, is no conflict."""
    for folder in ("site", "again"):
        Place(tmp_path / folder, place.fork_server).install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=acme())
    model = place.run(f"""
sys.path.append({str(tmp_path / "again")!r})
told(outcome(lambda: create_language("acme", "m")))
""")
    assert model[0] == "ok"


@pytest.mark.parametrize(
    ("source", "reference", "says"),
    [
        ("class Acme: pass", "odd_llm:Acme", "not a BaseProvider"),
        ("Acme = 'text'", "odd_llm:Acme", "not a BaseProvider"),
        ("def Acme(name): return 3", "odd_llm:Acme", "not a BaseProvider"),
        ("from llmkit import BaseProvider\nclass Acme(BaseProvider): pass", "odd_llm:Acme", "cannot be made"),
        (acme() + "    interface_version = 99\n", "odd_llm:Acme", "99"),
        (acme() + "    def __init__(self): pass\n", "odd_llm:Acme", "cannot be made"),
        (acme() + "    def __init__(self, name): raise ValueError('no licence')\n", "odd_llm:Acme", "no licence"),
        (acme(), "odd_llm", "not a BaseProvider"),
    ],
    ids=["plain class", "text", "function", "abstract", "newer interface", "no name", "raising", "module"],
)
def test_entry_point_that_is_no_provider(place, source, reference, says):
    """An entry point that is not a provider, or cannot be made, says so and names its distribution."""
    place.install("odd-llm", {"odd": reference}, odd_llm=source)
    kind, text = place.run("""told(outcome(lambda: create_language("odd", "m")))""")
    assert kind == "ProviderLoadError", text
    assert "odd-llm" in text
    assert says in text


def test_unknown_name(place):
    """An unknown name lists what is installed and suggests the nearest, services among them."""
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=acme())
    near, service, far, empty = place.run("""
told([outcome(lambda: create_language(name, "m")) for name in ("akme", "grok-cloud", "zzzzzz", "  ")])
""")
    assert near[0] == "UnknownProvider"
    assert "acme, ollama, openai, openrouter" in near[1]
    assert "Did you mean acme?" in near[1]
    assert service[0] == far[0] == "UnknownProvider"
    assert "base_url" in far[1]
    assert empty[0] == "ConfigError"


def test_names_are_not_case_sensitive(place):
    """A provider is found however its name is spelled in the call."""
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=acme())
    assert (
        place.run("""told([outcome(lambda: create_language(name, "m"))[0] for name in ("Acme", " ACME ")])""")
        == ["ok"] * 2
    )


def test_register_outranks(place):
    """What a program registers outranks what is installed, if it says that it means to."""
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=acme())
    refused, kept, replaced, other, service = place.run("""
from llmkit.wire.chat import ChatProvider

class Mine(ChatProvider):
    title = "Mine"
    default_base_url = "https://mine.example/v1"
    key_required = False

refused = outcome(lambda: register_provider("acme", Mine))
kept = type(create_language("acme", "m")._setup.provider).__name__
register_provider("acme", Mine, replace=True)
replaced = type(create_language("acme", "m")._setup.provider).__name__
register_provider("mine", Mine)
other = outcome(lambda: create_language("mine", "m"))
service = outcome(lambda: register_provider("groq", Mine))
told([refused, kept, replaced, other, service])
""")
    assert refused[0] == "ConfigError"
    assert "replace=True" in refused[1]
    assert (kept, replaced) == ("Acme", "Mine")
    assert other == ["ok", "LanguageModel(mine:m)"]
    assert service[0] == "ConfigError", "a service's name is taken too"


def test_unregister_takes_back_what_was_registered(place):
    """`unregister_provider` takes back what was registered and nothing else; a model that was made keeps its provider."""
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=acme())
    before, after, gone, kept, free = place.run("""
from llmkit.wire.chat import ChatProvider

class Mine(ChatProvider):
    title = "Mine"
    default_base_url = "https://mine.example/v1"
    key_required = False

register_provider("acme", Mine, replace=True)
register_provider("mine", Mine)
model = create_language("mine", "m")
before = type(create_language("acme", "m")._setup.provider).__name__
for name in ("acme", "mine", "mine", "openai", "never"):
    llmkit.unregister_provider(name)
after = type(create_language("acme", "m")._setup.provider).__name__
gone = outcome(lambda: create_language("mine", "m"))[0]
free = outcome(lambda: register_provider("mine", Mine))[0]
told([before, after, gone, [type(model._setup.provider).__name__, repr(model)], free])
""")
    assert (before, after, gone) == ("Mine", "Acme", "UnknownProvider")
    assert kept == ["Mine", "LanguageModel(mine:m)"]
    assert free == "ok"


def test_register_may_mend_a_conflict_and_a_broken_plugin(place):
    """`register_provider(..., replace=True)` goes over a name that two claim, and over one that cannot be loaded."""
    place.install("broken-llm", {"broken": "broken_llm:Broken"}, broken_llm="1/0")
    outcomes = place.run("""
from llmkit.wire.chat import ChatProvider

class Mine(ChatProvider):
    default_base_url = "https://mine.example/v1"
    key_required = False

before = outcome(lambda: create_language("broken", "m"))
refused = outcome(lambda: register_provider("broken", Mine))
register_provider("broken", Mine, replace=True)
told([before[0], refused[0], outcome(lambda: create_language("broken", "m"))[0]])
""")
    assert outcomes == ["ProviderLoadError", "ConfigError", "ok"]


def test_services(place):
    """A distribution may bring services as rows of data; a provider of the same name outranks a row."""
    table = acme() + "\nTABLE = {'acme-eu': Acme, 'groq': Acme}\n"
    place.install("acme-llm", {"rows": "acme_llm:TABLE"}, group="llmkit.services", acme_llm=table)
    model, known, listed = place.run("""
told([outcome(lambda: create_language("acme-eu", "m")), "acme-eu" in known_services(),
      "acme-eu" in [i.name for i in installed_providers()]])
""")
    assert model == ["ok", "LanguageModel(acme-eu:m)"]
    assert known
    assert not listed


def test_broken_table_of_services_disturbs_no_other(place):
    """A table of services that cannot be loaded leaves all other names as they were."""
    place.install("rows-llm", {"rows": "rows_llm:TABLE"}, group="llmkit.services", rows_llm="1/0")
    outcomes = place.run("""
told([outcome(lambda: create_language(name, "m", api_key="sk-test")) for name in ("openai", "groq", "zzzzzz")])
""")
    assert [kind for kind, _ in outcomes] == ["ok", "ok", "UnknownProvider"], outcomes


def test_installed_is_read_once_and_in_order(place):
    """The list is sorted by name."""
    place.install("zeta-llm", {"zeta": "zeta_llm:Acme", "alpha": "zeta_llm:Acme"}, zeta_llm=acme())
    names = place.run("""told([i.name for i in installed_providers()])""")
    assert names == ["alpha", "ollama", "openai", "openrouter", "zeta"]


def test_threads_share_one_provider(place):
    """Many threads that ask at once import the plugin once and get one provider."""
    counted = "import pathlib\nopen(__file__ + '.count', 'a').write('x')\n" + acme()
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=counted)
    same, times = place.run(f"""
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(16) as pool:
    made = list(pool.map(lambda _: create_language("acme", "m")._setup.provider, range(64)))
told([len(set(map(id, made))), len(open({str(place.folder / "acme_llm.py.count")!r}).read())])
""")
    assert (same, times) == (1, 1)


def test_a_plugin_may_use_the_registry_itself(place):
    """A plugin may register another name while it is imported, and a factory may build on another provider."""
    source = acme() + "\nimport llmkit\nllmkit.register_provider('acme-alias', Acme)\n"
    place.install("acme-llm", {"acme": "acme_llm:Acme"}, acme_llm=source)
    outcomes = place.run("""
import faulthandler
faulthandler.dump_traceback_later(10, exit=True)
from llmkit.provider.registry import get_provider
acme = outcome(lambda: create_language("acme", "m"))
alias = outcome(lambda: create_language("acme-alias", "m"))
register_provider("built-on", lambda name: type(get_provider("ollama"))(name))
told([acme, alias, outcome(lambda: create_language("built-on", "m"))])
""")
    assert [kind for kind, _ in outcomes] == ["ok", "ok", "ok"], outcomes
