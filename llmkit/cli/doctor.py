"""`llmkit doctor`: what is set up, what is wrong, and what to do about it."""

from __future__ import annotations

import json
import os
import platform
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from llmkit.cli.failure import DONE, FAILED, in_options
from llmkit.cli.readiness import HOSTED, LOCAL, state
from llmkit.cli.summary import dollars
from llmkit.cli.table import plain_table, print_table
from llmkit.cli.terminal import neutral
from llmkit.errors import AuthFailed, LLMError

if TYPE_CHECKING:
    from llmkit.config.file.schema import ConfigFile
    from llmkit.types.model_info import KeyInfo

Mark = Literal["ok", "warning", "problem", "info"]
_COLOURS: dict[Mark, str] = {"ok": "green", "warning": "yellow", "problem": "red", "info": ""}
_PACKAGES = ("llmkit", "openai", "pydantic", "tenacity", "aiohttp")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
RAISE_CONTEXT = "Longer prompts are cut; num_ctx in [providers.ollama.options] of llmkit.toml raises it"
#: Seconds that one service may take to answer.
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `hint` says what to do."""

    subject: str
    mark: Mark
    text: str
    hint: str | None = None


def doctor(*, offline: bool, env_file: Path | None, as_json: bool) -> int:
    """Look at everything. The exit code is 1 if something is wrong.

    Args:
        offline: ask no service.
        env_file: the `.env` file that was read, if there was one.
    """
    found = [*versions(), *files(env_file), *proxies(), *services(offline=offline)]
    if as_json:
        print(json.dumps([asdict(item) for item in found], indent=2))
    else:
        _show(found)
    return FAILED if any(item.mark == "problem" for item in found) else DONE


def versions() -> Iterator[Finding]:
    """What runs here."""
    known = []
    for package in _PACKAGES:
        try:
            known.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            known.append(f"no {package}")
    yield Finding("versions", "info", f"Python {platform.python_version()}, {', '.join(known)}, {platform.system()}")
    if "no aiohttp" in known:
        yield Finding("aiohttp", "info", "many async calls at once are faster with it", 'pip install "llmkit[aiohttp]"')


def files(env_file: Path | None) -> Iterator[Finding]:
    """The files that settings and keys come from: found, sound, and readable by their owner alone."""
    from llmkit.config.file.find import current

    if env_file is not None:
        yield _private("env file", env_file)
    try:
        file = current()
    except LLMError as error:
        yield Finding("config file", "problem", error.message, error.hint)
    else:
        where = "none; see `llmkit config`" if file is None else str(file.path)
        yield Finding("config file", "info" if file is None else "ok", where)
        if file is not None:
            yield from _unguarded(Path(file.path))
            yield from _tables(file)


def _tables(file: ConfigFile) -> Iterator[Finding]:
    """What is wrong with the tables of the configuration file."""
    from llmkit.cli.config import profile_problem, strays

    for problem in strays(file):
        yield Finding("config file", "problem", problem)
    for name in file.profiles:
        if flaw := profile_problem(name):
            yield Finding(f"profile {name}", "problem", flaw)


def _unguarded(path: Path) -> Iterator[Finding]:
    """Whoever can write the configuration file says where calls go."""
    if os.name == "posix" and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Finding("config file", "warning", f"{path} can be written by other users", f"chmod go-w {path}")


def _private(subject: str, path: Path) -> Finding:
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(subject, "warning", f"{path} can be read by other users", f"chmod 600 {path}")
    return Finding(subject, "ok", str(path))


def proxies() -> Iterator[Finding]:
    """Proxies of the environment, without their passwords."""
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if not value:
            continue
        parts = urlsplit(value if "://" in value else f"//{value}")
        shown = value if name == "NO_PROXY" else f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        yield Finding("proxy", "info", f"{name}: {shown}; servers on this machine are asked without it")


def services(*, offline: bool) -> Iterator[Finding]:
    """The services that are set up: is the key good, what is left, does Ollama run?"""
    checks: list[tuple[str, Callable[[], Sequence[Finding]]]] = []
    for name in (*HOSTED, *_with_keys()):
        found = state(name)
        if found.configured and found.key == "set":
            checks.append((name, partial(_hosted, name)))
        elif name in HOSTED:
            no_key = found.key != "set"
            hint = f"Set {found.variable}; keys: {found.key_page}" if no_key else None
            yield Finding(name, "info" if no_key else "problem", found.problem or "no key is set", hint)
    checks.append((LOCAL, _local))
    if offline:
        yield from (Finding(name, "info", "not asked (--offline)") for name, _ in checks)
        return
    with ThreadPoolExecutor(8) as pool:
        for findings in pool.map(lambda check: check[1](), checks):
            yield from findings


def _with_keys() -> list[str]:
    """Known services whose key is set."""
    from llmkit.provider.registry import get_provider, known_services

    def has_key(name: str) -> bool:
        return any(os.environ.get(variable, "").strip() for variable in get_provider(name).key_env)

    return [name for name in known_services() if has_key(name)]


def _hosted(name: str) -> Sequence[Finding]:
    from llmkit.errors import Unsupported
    from llmkit.operations.availability import check_available, check_key

    try:
        return _key(name, check_key(name, timeout=PATIENCE))
    except Unsupported:
        pass  # The service says nothing of keys; whether it takes this one can be seen.
    except LLMError as error:
        refused = "the key is refused: " if isinstance(error, AuthFailed) else ""
        return [Finding(name, "problem", refused + error.message, _advice(name, error.hint))]
    availability = check_available(name, timeout=PATIENCE)
    failed = next((check for check in availability.checks if check.ok is False), None)
    if failed is None:
        return [Finding(name, "ok", "the key is valid")]
    refused = "the key is refused: " if failed.name == "key" else ""
    return [Finding(name, "problem", refused + failed.message, _advice(name, failed.hint))]


def _advice(name: str, hint: str | None) -> str | None:
    """A hint without what is not there to change: keywords become variables of the environment."""
    from llmkit.provider.registry import get_provider

    if not hint:
        return None
    addresses = get_provider(name).base_url_env
    hint = hint.replace(" or api_key=", "")
    return in_options(hint.replace("base_url", addresses[0]) if addresses else hint)


def _key(name: str, info: KeyInfo) -> Sequence[Finding]:
    said = ["the key is valid"]
    if info.unlimited:
        said.append("no limit of its own")
    elif info.limit is not None:
        reset = f", {info.limit_reset}" if info.limit_reset else ""
        left = "unknown" if info.remaining is None else dollars(info.remaining)
        said.append(f"{left} left of {dollars(info.limit)}{reset}")
    if info.usage is not None:
        said.append(f"{dollars(info.usage)} used")
    if info.balance is not None:
        said.append(f"balance {dollars(info.balance)}")
    if info.expires:
        said.append(f"expires {info.expires}")
    found = [Finding(name, "ok", "; ".join(said))]
    if info.remaining is not None and info.remaining <= 0:
        found = [Finding(name, "problem", "; ".join(said), "Raise the key's limit, or wait until it resets")]
    elif info.balance is not None and info.balance <= 0:
        found = [Finding(name, "problem", "; ".join(said), "Add credit: https://openrouter.ai/credits")]
    if info.is_free_tier:
        text = "the account has bought no credits: free models are limited to 50 requests a day"
        found.append(Finding(name, "warning", text, "Credits: https://openrouter.ai/credits"))
    return found


def _local() -> Sequence[Finding]:
    from llmkit.operations.lists import list_models

    found = state(LOCAL)
    if not found.configured:
        return [Finding(LOCAL, "problem", found.problem or "not configured")]
    try:
        rows = list_models(LOCAL, refresh=True, timeout=PATIENCE)
    except LLMError:
        rows = None
    if rows is None or rows.stale:
        mark: Mark = "problem" if os.environ.get("OLLAMA_HOST") else "info"
        return [Finding(LOCAL, mark, f"no Ollama answers at {found.base_url}", "Start it with: ollama serve")]
    if not rows:
        return [Finding(LOCAL, "warning", f"runs at {found.base_url}, with no model", "llmkit pull llama3.2")]
    made = [Finding(LOCAL, "ok", f"runs at {found.base_url}, {len(rows)} models")]
    for row in rows:
        if row.running_context is not None and row.context_length and row.running_context < row.context_length:
            text = f"{row.id} runs with {row.running_context:,} of its {row.context_length:,} tokens of context"
            made.append(Finding(LOCAL, "info", text, RAISE_CONTEXT))
    return made


def _show(found: Sequence[Finding]) -> None:
    from rich.text import Text

    table = plain_table(heads=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for item in found:
        text = Text(neutral(item.text))
        if item.hint:
            text.append(f"\n-> {neutral(item.hint)}", "bold" if item.mark == "problem" else "")
        table.add_row(Text(neutral(item.subject), "bold"), Text(item.mark, _COLOURS[item.mark]), text)
    print_table(table)
