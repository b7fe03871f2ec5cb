"""The services that are rows of data: each is created by name, sends to its own address, and names its key."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from llmkit import ConfigError, create_language, known_services
from llmkit.config.endpoint import resolve_endpoint
from llmkit.provider.interface import Call
from llmkit.provider.registry import get_provider
from llmkit.types.messages import Message
from llmkit.types.secret import Secret
from llmkit.wire.chat import ChatProvider
from llmkit_openai.services import SERVICES

ROOT: Final = Path(__file__).parents[2]
SHARED: Final = Path(os.environ.get("LLMKIT_SHARED") or ROOT.parent / "shared")
SOURCE: Final = SHARED / "services" / "openai-compatible.json"
ABSENT: Final = f"the list of services is not here: no file {SOURCE} (LLMKIT_SHARED names another folder)"
ROWS: Final[dict[str, dict[str, Any]]] = json.loads(SOURCE.read_text("utf-8"))["services"] if SOURCE.exists() else {}
#: Names that have a package of their own, and may differ from their row.
OWN: Final = {"openai", "openrouter", "ollama"}
VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
#: A variable of the list that names an address, not a key.
ADDRESSES: Final = {"PRIVATEMODE_ENDPOINT"}
#: What stands for each variable in an address.
ENVIRON: Final = {
    "CLOUDFLARE_ACCOUNT_ID": "abc123",
    "DATABRICKS_HOST": "dbc-1.cloud.databricks.example",
    "NEON_AI_GATEWAY_BASE_URL": "https://gateway.neon.example",
    "SNOWFLAKE_ACCOUNT": "acme-1",
}
KEY: Final = "sk-env-0123456789abcdef"


def address(row: dict[str, Any]) -> str:
    """The address of a row, with what its variables stand for; one row of the list names the operation too."""
    url = VARIABLE.sub(lambda match: ENVIRON[match[1]], row["base_url"])
    return url.rstrip("/").removesuffix("/chat/completions")


def keys_of(row: dict[str, Any]) -> list[str]:
    """The variables of a row that hold a key."""
    return [name for name in row["key_env"] if name not in VARIABLE.findall(row["base_url"]) and name not in ADDRESSES]


def is_local(row: dict[str, Any]) -> bool:
    """Does the service run on this machine?"""
    return re.match(r"http://(127\.0\.0\.1|localhost)[:/]", row["base_url"]) is not None


def rows(*, own: bool = False) -> list[Any]:
    """The rows, one parameter each; one that skips where the list is not there."""
    if not ROWS:
        return [pytest.param("absent", {}, marks=pytest.mark.skip(reason=ABSENT))]
    return [pytest.param(name, row, id=name) for name, row in ROWS.items() if own or name not in OWN]


def test_the_list_is_whole() -> None:
    """Each of the 128 services of the list is known by name, and no other."""
    if not ROWS:
        pytest.skip(ABSENT)
    assert len(ROWS) == 128
    assert set(ROWS) - OWN == set(SERVICES) == set(known_services())


@pytest.mark.parametrize(("name", "row"), rows(own=True))
def test_a_service_is_created_by_its_name(name: str, row: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """`create_language(name, model, api_key=...)` makes a model that sends to the service's own address."""
    for variable, value in ENVIRON.items():
        monkeypatch.setenv(variable, value)
    with create_language(name, "some/model:tag", api_key=KEY) as model:
        assert (model.provider, model.model, model.target) == (name, "some/model:tag", f"{name}:some/model:tag")
        assert model._setup.base_url == (address(row).removesuffix("/v1") if name == "ollama" else address(row))
    with create_language(f"{name}:some/model:tag", api_key=KEY) as model:
        assert model.target == f"{name}:some/model:tag"


@pytest.mark.parametrize(("name", "row"), rows())
def test_the_key_of_the_environment_goes_to_the_service(name: str, row: dict[str, Any]) -> None:
    """Each variable of a row gives its key, to the row's own address and to no other."""
    provider = get_provider(name)
    for variable in keys_of(row):
        environ = {**ENVIRON, variable: KEY}
        made = resolve_endpoint(provider, {}, environ)
        assert made.base_url == address(row)
        assert isinstance(made.api_key, Secret)
        assert made.api_key.reveal() == KEY
        for url in ("https://evil.example/v1", "http://127.0.0.1:9/v1"):
            try:
                other = resolve_endpoint(provider, {"base_url": url}, environ)
            except ConfigError as error:
                assert KEY not in str(error)  # noqa: PT017 - what may be raised is not what is tested
            else:
                assert other.api_key is None


@pytest.mark.parametrize(("name", "row"), rows())
def test_a_missing_key_names_the_variable(name: str, row: dict[str, Any]) -> None:
    """Without a key the error names the service's variable and page; a server on this machine needs none."""
    provider = get_provider(name)
    if is_local(row) or not keys_of(row):
        assert resolve_endpoint(provider, {}, ENVIRON).api_key is None
        return
    with pytest.raises(ConfigError) as caught:
        resolve_endpoint(provider, {}, ENVIRON)
    text = str(caught.value)
    for said in (row["name"], keys_of(row)[0], "api_key=", row["doc"]):
        assert said in text
    assert caught.value.provider == name


@pytest.mark.parametrize(
    ("name", "row"), [value for value in rows() if not ROWS or VARIABLE.search(value.values[1]["base_url"])]
)
def test_a_missing_part_of_the_address_names_its_variable(name: str, row: dict[str, Any]) -> None:
    """An address that needs an account or host says which variable names it, and takes `base_url=` in its place."""
    (variable,) = VARIABLE.findall(row["base_url"])
    with pytest.raises(ConfigError, match=variable) as caught:
        resolve_endpoint(get_provider(name), {"api_key": KEY}, {})
    assert "base_url=" in str(caught.value)
    made = resolve_endpoint(get_provider(name), {"api_key": KEY, "base_url": "https://a.example/v1"}, {})
    assert made.base_url == "https://a.example/v1"


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("cloudflare-workers-ai", "CLOUDFLARE_ACCOUNT_ID", "x/../../../evil"),
        ("databricks", "DATABRICKS_HOST", "user:pw@evil.example"),
        ("snowflake-cortex", "SNOWFLAKE_ACCOUNT", "evil.example/?x="),
        ("snowflake-cortex", "SNOWFLAKE_ACCOUNT", "evil.example#"),
        ("neon", "NEON_AI_GATEWAY_BASE_URL", "ftp://evil.example"),
        ("neon", "NEON_AI_GATEWAY_BASE_URL", "http://gateway.example"),
    ],
)
def test_a_part_of_an_address_cannot_change_the_rest(name: str, variable: str, value: str) -> None:
    """What stands in a variable fills its place in the address: it cannot lead to another host, path or scheme."""
    keys = dict.fromkeys(get_provider(name).key_env, KEY)
    with pytest.raises(ConfigError):
        resolve_endpoint(get_provider(name), {}, {variable: value, **keys})


def test_a_host_may_be_written_with_its_scheme() -> None:
    """Databricks' own tools write `DATABRICKS_HOST` with https:// before it; it is the same host."""
    made = resolve_endpoint(get_provider("databricks"), {"api_key": KEY}, {"DATABRICKS_HOST": "https://dbc-1.example/"})
    assert made.base_url == "https://dbc-1.example/ai-gateway/mlflow/v1"


@pytest.mark.parametrize(("name", "row"), rows())
def test_a_service_sends_chat_completions(name: str, row: dict[str, Any]) -> None:
    """Each service gets the dialect's request, with the names that compatible servers know."""
    provider = get_provider(name)
    call = Call(
        "m", (Message("developer", "x"), Message("user", "y")), settings={"max_tokens": 5}, base_url=row["base_url"]
    )
    request = provider.build(call)
    body = json.loads(request.body)
    assert request.path == "/chat/completions"
    assert body["messages"][0]["role"] == "system"
    assert body == {"model": "m", "messages": body["messages"], "max_tokens": 5}


def test_a_row_holds_attributes_of_the_dialect_only() -> None:
    """Each field of a row is an attribute that the dialect's class has, with a value of its type."""
    table = json.loads((files("llmkit_openai") / "services.json").read_text("utf-8"))
    assert table["licence"]
    assert table["source"]
    for name, row in table["services"].items():
        assert name == name.lower()
        assert not set(name) & set(" :/")
        for attribute, value in row.items():
            assert hasattr(ChatProvider, attribute), (name, attribute)
            assert isinstance(value, (str, bool, list, dict)), (name, attribute)
        assert row["default_base_url"].startswith(("https://", "http://127.0.0.1", "http://localhost", "${"))
        assert all(re.fullmatch(r"\w+", variable) for variable in row["key_env"])


def test_no_two_services_share_a_key_by_mistake() -> None:
    """A variable of one service is not that of another vendor: its key would go to two vendors."""
    same_vendor = {
        "GITHUB_TOKEN": {"githubcopilot.com", "github.ai"},
        "MOONSHOT_API_KEY": {"moonshot.cn", "moonshot.ai"},
        "STEPFUN_API_KEY": {"stepfun.ai", "stepfun.com"},
        "ZHIPU_API_KEY": {"bigmodel.cn", "z.ai"},
    }
    vendors: dict[str, set[str]] = {}
    for row in (ROWS or pytest.skip(ABSENT)).values():
        for variable in keys_of(row):
            host = address(row).split("/")[2]
            vendors.setdefault(variable, set()).add(".".join(host.split(":")[0].split(".")[-2:]))
    assert {variable: hosts for variable, hosts in vendors.items() if len(hosts) > 1} == same_vendor


def test_the_table_is_what_the_script_makes(tmp_path: Path) -> None:
    """`services.json` equals, byte for byte, what `scripts/make_services.py` makes of the list today."""
    if not ROWS:
        pytest.skip(ABSENT)
    for folder in ("scripts", "providers/llmkit_openai"):
        (tmp_path / folder).mkdir(parents=True)
    script = tmp_path / "scripts" / "make_services.py"
    script.write_bytes((ROOT / "scripts" / "make_services.py").read_bytes())
    subprocess.run([sys.executable, str(script), str(SOURCE)], check=True, capture_output=True)
    made = (tmp_path / "providers" / "llmkit_openai" / "services.json").read_bytes()
    assert made == (ROOT / "providers" / "llmkit_openai" / "services.json").read_bytes()


def test_a_wrong_name_gives_the_nearest_service() -> None:
    """A misspelt service is found among the 128, not only among the packages."""
    with pytest.raises(ConfigError, match="mistral"):
        create_language("mistrall", "m", api_key=KEY)
