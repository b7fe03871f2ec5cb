"""Addresses of servers: `OLLAMA_HOST`, read as Ollama itself reads it."""

from __future__ import annotations

from urllib.parse import urlsplit

DEFAULT_PORT = 11434


def parse_host(text: str) -> str:
    """The base URL that a value of `OLLAMA_HOST` means.

    Blanks and quotes around it are dropped. Without a scheme the port is 11434, with `http://` 80, with `https://`
    443. `:1234` is this machine. `ollama.com` is https. A path is kept. `0.0.0.0` and `::` are addresses to listen
    on; a client connects to loopback. A port that is not a valid one is replaced by the default.
    """
    host = text.strip().strip("\"'").strip()
    scheme, mark, rest = host.partition("://")
    if not mark:
        scheme, rest = "http", host
        port = DEFAULT_PORT
    else:
        scheme = scheme.lower()
        port = 443 if scheme == "https" else 80
    address, slash, path = rest.partition("/")
    if address.lower() == "ollama.com" and not mark:
        scheme, port = "https", 443
    name, port = _split_port(address, port)
    if name in ("", "0.0.0.0", "::", "[::]"):  # noqa: S104 - recognised, to be replaced
        name = "127.0.0.1" if name in ("", "0.0.0.0") else "[::1]"  # noqa: S104
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    default = 443 if scheme == "https" else 80
    shown = "" if port == default else f":{port}"
    return f"{scheme}://{name}{shown}{slash}{path}".rstrip("/")


def _split_port(address: str, port: int) -> tuple[str, int]:
    if address.startswith("["):
        name, _, tail = address.partition("]")
        name, tail = f"{name}]", tail.removeprefix(":")
    elif address.count(":") > 1:
        return address, port  # A bare IPv6 address has no port.
    else:
        name, _, tail = address.partition(":")
    if tail.isascii() and tail.isdigit() and len(tail) <= 5 and int(tail) <= 65535:
        return name, int(tail)
    return name, port


def is_cloud(base_url: str) -> bool:
    """Is it Ollama's own cloud?"""
    host = urlsplit(base_url).hostname or ""
    return host == "ollama.com" or host.endswith(".ollama.com")
