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

from llmkit.cli.failure import DONE, FAILED, keywords_to_options
from llmkit.cli.readiness import HOSTED, LOCAL, get_readiness
from llmkit.cli.summary import format_dollars
from llmkit.cli.table import make_table, print_table
from llmkit.cli.terminal import replace_controls
from llmkit.errors import AuthFailed, LLMError

if TYPE_CHECKING:
    from llmkit.config.file.schema import ConfigFile
    from llmkit.types.model_info import KeyInfo

Mark = Literal["ok", "warning", "problem", "info"]
_COLOURS: dict[Mark, str] = {"ok": "green", "warning": "yellow", "problem": "red", "info": ""}
_PACKAGES = ("llmkit", "openai", "pydantic", "tenacity", "aiohttp")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CONTEXT_HINT = "Longer prompts are cut; num_ctx in [providers.ollama.options] of llmkit.toml raises it"
#: Seconds that one service may take to answer.
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one inspection.

    Attributes:
        subject: what was inspected.
        mark: how good or bad it is.
        text: what there is.
        hint: what to do about it.
    """

    subject: str
    mark: Mark
    text: str
    hint: str | None = None


def run_doctor(*, offline: bool, env_file: Path | None, as_json: bool) -> int:
    """Inspect everything and print the findings. Return the exit code: 1 if something is wrong.

    Args:
        offline: ask no service.
        env_file: the `.env` file that was read, if there was one.
    """
    findings = [*inspect_versions(), *inspect_files(env_file), *inspect_proxies(), *inspect_services(offline=offline)]
    if as_json:
        print(json.dumps([asdict(item) for item in findings], indent=2))
    else:
        _print_findings(findings)
    return FAILED if any(item.mark == "problem" for item in findings) else DONE


def inspect_versions() -> Iterator[Finding]:
    """Yield the versions of Python, llmkit and the libraries that it uses."""
    packages = []
    for package in _PACKAGES:
        try:
            packages.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            packages.append(f"no {package}")
    yield Finding("versions", "info", f"Python {platform.python_version()}, {', '.join(packages)}, {platform.system()}")
    if "no aiohttp" in packages:
        yield Finding("aiohttp", "info", "many async calls at once are faster with it", 'pip install "llmkit[aiohttp]"')


def inspect_files(env_file: Path | None) -> Iterator[Finding]:
    """Yield findings on the files that settings and keys come from: are they there, sound, and well protected?"""
    from llmkit.config.file.find import load_file

    if env_file is not None:
        yield _inspect_env_file("env file", env_file)
    try:
        file = load_file()
    except LLMError as error:
        yield Finding("config file", "problem", error.message, error.hint)
    else:
        where = "none; see `llmkit config`" if file is None else str(file.path)
        yield Finding("config file", "info" if file is None else "ok", where)
        if file is not None:
            yield from _inspect_config_access(Path(file.path))
            yield from _inspect_tables(file)


def _inspect_tables(file: ConfigFile) -> Iterator[Finding]:
    """Yield what is wrong with the tables of the configuration file."""
    from llmkit.cli.config import find_profile_problem, find_stray_tables

    for problem in find_stray_tables(file):
        yield Finding("config file", "problem", problem)
    for name in file.profiles:
        if flaw := find_profile_problem(name):
            yield Finding(f"profile {name}", "problem", flaw)


def _inspect_config_access(path: Path) -> Iterator[Finding]:
    """Yield a warning if others may write the configuration file, because it says where calls go."""
    if os.name == "posix" and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Finding("config file", "warning", f"{path} can be written by other users", f"chmod go-w {path}")


def _inspect_env_file(subject: str, path: Path) -> Finding:
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(subject, "warning", f"{path} can be read by other users", f"chmod 600 {path}")
    return Finding(subject, "ok", str(path))


def inspect_proxies() -> Iterator[Finding]:
    """Yield the proxies of the environment, without their passwords."""
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if not value:
            continue
        parts = urlsplit(value if "://" in value else f"//{value}")
        shown = value if name == "NO_PROXY" else f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        yield Finding("proxy", "info", f"{name}: {shown}; servers on this machine are asked without it")


def inspect_services(*, offline: bool) -> Iterator[Finding]:
    """Yield findings on the services that are set up: is the key good, what is left of it, does Ollama run?"""
    checks: list[tuple[str, Callable[[], Sequence[Finding]]]] = []
    for name in (*HOSTED, *_find_services_with_keys()):
        readiness = get_readiness(name)
        if readiness.configured and readiness.key == "set":
            checks.append((name, partial(_inspect_hosted, name)))
        elif name in HOSTED:
            no_key = readiness.key != "set"
            hint = f"Set {readiness.variable}; keys: {readiness.key_page}" if no_key else None
            yield Finding(name, "info" if no_key else "problem", readiness.problem or "no key is set", hint)
    checks.append((LOCAL, _inspect_local))
    if offline:
        yield from (Finding(name, "info", "not asked (--offline)") for name, _ in checks)
        return
    with ThreadPoolExecutor(8) as pool:
        for findings in pool.map(lambda check: check[1](), checks):
            yield from findings


def _find_services_with_keys() -> list[str]:
    """Return the known services whose key is set."""
    from llmkit.provider.registry import get_provider, known_services

    def has_key(name: str) -> bool:
        return any(os.environ.get(variable, "").strip() for variable in get_provider(name).key_env)

    return [name for name in known_services() if has_key(name)]


def _inspect_hosted(name: str) -> Sequence[Finding]:
    from llmkit.errors import Unsupported
    from llmkit.operations.availability import check_available, check_key

    try:
        return _describe_key(name, check_key(name, timeout=TIMEOUT_SECONDS))
    except Unsupported:
        pass  # The service does not describe keys; the check below shows whether it accepts this one.
    except LLMError as error:
        refused = "the key is refused: " if isinstance(error, AuthFailed) else ""
        return [Finding(name, "problem", refused + error.message, _reword_hint(name, error.hint))]
    availability = check_available(name, timeout=TIMEOUT_SECONDS)
    failed = next((check for check in availability.checks if check.ok is False), None)
    if failed is None:
        return [Finding(name, "ok", "the key is valid")]
    refused = "the key is refused: " if failed.name == "key" else ""
    return [Finding(name, "problem", refused + failed.message, _reword_hint(name, failed.hint))]


def _reword_hint(name: str, hint: str | None) -> str | None:
    """Return a hint for a person without a program: keywords become environment variables and options."""
    from llmkit.provider.registry import get_provider

    if not hint:
        return None
    addresses = get_provider(name).base_url_env
    hint = hint.replace(" or api_key=", "")
    return keywords_to_options(hint.replace("base_url", addresses[0]) if addresses else hint)


def _describe_key(name: str, info: KeyInfo) -> Sequence[Finding]:
    facts = ["the key is valid"]
    if info.unlimited:
        facts.append("no limit of its own")
    elif info.limit is not None:
        reset = f", {info.limit_reset}" if info.limit_reset else ""
        left = "unknown" if info.remaining is None else format_dollars(info.remaining)
        facts.append(f"{left} left of {format_dollars(info.limit)}{reset}")
    if info.usage is not None:
        facts.append(f"{format_dollars(info.usage)} used")
    if info.balance is not None:
        facts.append(f"balance {format_dollars(info.balance)}")
    if info.expires:
        facts.append(f"expires {info.expires}")
    findings = [Finding(name, "ok", "; ".join(facts))]
    if info.remaining is not None and info.remaining <= 0:
        findings = [Finding(name, "problem", "; ".join(facts), "Raise the key's limit, or wait until it resets")]
    elif info.balance is not None and info.balance <= 0:
        findings = [Finding(name, "problem", "; ".join(facts), "Add credit: https://openrouter.ai/credits")]
    if info.is_free_tier:
        text = "the account has bought no credits: free models are limited to 50 requests a day"
        findings.append(Finding(name, "warning", text, "Credits: https://openrouter.ai/credits"))
    return findings


def _inspect_local() -> Sequence[Finding]:
    from llmkit.operations.lists import list_models

    readiness = get_readiness(LOCAL)
    if not readiness.configured:
        return [Finding(LOCAL, "problem", readiness.problem or "not configured")]
    try:
        rows = list_models(LOCAL, refresh=True, timeout=TIMEOUT_SECONDS)
    except LLMError:
        rows = None
    if rows is None or rows.stale:
        mark: Mark = "problem" if os.environ.get("OLLAMA_HOST") else "info"
        return [Finding(LOCAL, mark, f"no Ollama answers at {readiness.base_url}", "Start it with: ollama serve")]
    if not rows:
        return [Finding(LOCAL, "warning", f"runs at {readiness.base_url}, with no model", "llmkit pull llama3.2")]
    findings = [Finding(LOCAL, "ok", f"runs at {readiness.base_url}, {len(rows)} models")]
    for row in rows:
        if row.running_context is not None and row.context_length and row.running_context < row.context_length:
            text = f"{row.id} runs with {row.running_context:,} of its {row.context_length:,} tokens of context"
            findings.append(Finding(LOCAL, "info", text, CONTEXT_HINT))
    return findings


def _print_findings(findings: Sequence[Finding]) -> None:
    from rich.text import Text

    table = make_table(heads=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for item in findings:
        text = Text(replace_controls(item.text))
        if item.hint:
            text.append(f"\n-> {replace_controls(item.hint)}", "bold" if item.mark == "problem" else "")
        table.add_row(Text(replace_controls(item.subject), "bold"), Text(item.mark, _COLOURS[item.mark]), text)
    print_table(table)
