"""Checks of single settings whose shape takes more than the validators: tools, headers, keys, structures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from llmkit.errors import BadRequest
from llmkit.types.redaction import describe, measure, name_of
from llmkit.types.secret import Secret
from llmkit.types.validators import Check, many, one_of, wrong

#: What a header's name is made of (RFC 9110, token).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_TOOL = 'Pass a function, a Tool, or {"type": "function", "function": {"name": ..., "parameters": {...}}}'
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


def reasoning(efforts: tuple[str, ...]) -> Check:
    """An effort word, a budget of tokens, or a bool."""
    word = one_of(*efforts)
    kind = f"an effort ({', '.join(efforts)}), a number of tokens from 1, or True / False"

    def check(name: str, value: object) -> None:
        if isinstance(value, str):
            word(name, value)
        elif not isinstance(value, int) or (not isinstance(value, bool) and value < 1):
            hint = "A provider's own form goes in its options" if isinstance(value, Mapping) else None
            raise wrong(name, value, kind, hint)

    return check


def _tool(name: str, value: object) -> None:
    """A function, a `Tool`, which `llmkit.language.tools` reads, or OpenAI's dict, also in its flat form."""
    if callable(value) or hasattr(value, "to_dict"):
        return
    if isinstance(value, Mapping) and "type" not in value and "name" in value and "parameters" in value:
        value = {"type": "function", "function": value}  # the flat form is the inner part alone
    if not isinstance(value, Mapping):
        raise wrong(name, value, "a function, a Tool or OpenAI's dict")
    kind = value.get("type")
    if not isinstance(kind, str):
        raise BadRequest(f"{name} has no type", hint=_TOOL)
    if kind != "function":
        return  # A service's own tool, whose shape only the service knows.
    function = value.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"]:
        raise BadRequest(f"{name} has no function.name", hint=_TOOL)
    if not isinstance(function.get("parameters", {}), Mapping):
        raise wrong(f"{name}: function.parameters", function["parameters"], "a JSON schema")


tools: Check = many(_tool, what="a list of functions, Tools or OpenAI tool dicts")


def tool_choice(name: str, value: object) -> None:
    """A word, a tool's name, or OpenAI's dict."""
    if not isinstance(value, (str, Mapping)):
        raise wrong(name, value, "'none', 'auto', 'required', a tool's name or OpenAI's dict")


def structured(name: str, value: object) -> None:
    """A type, or a dict that is not empty."""
    kind = 'a type such as a pydantic class, a JSON schema or {"type": "json"}'
    if isinstance(value, (bool, int, float, str, bytes, list, tuple, set)):
        raise wrong(name, value, kind)
    if isinstance(value, Mapping) and not value:
        raise wrong(name, value, kind, say=lambda _: "an empty dict")


def extra_headers(name: str, value: object) -> None:
    """Headers, or a callable of the request that gives them."""
    if not callable(value):
        headers(name, value, "a dict of header to text, or a callable that gives one")


def headers(name: str, value: object, kind: str = "a dict of header to text") -> None:
    """Headers that can go out: token names, printable ASCII values. `name` says whose they are."""
    if not isinstance(value, Mapping):
        raise wrong(name, value, kind)
    for key, item in value.items():
        if not isinstance(key, str) or not _TOKEN.match(key):
            raise BadRequest(f"{name} has a name that no header can have", hint="A name is letters, digits and dashes")
        if not isinstance(item, str):
            raise wrong(f"{name} {name_of(key)}", item, "text")
        if not item.isascii() or any(char < " " or char == "\x7f" for char in item):
            hint = "Encode other letters, for instance as URL escapes"
            raise wrong(f"{name} {name_of(key)}", item, "printable ASCII text", hint, say=measure)


def api_key(name: str, value: object) -> None:
    """The key, or a callable that gives it. Nothing of it is shown, not even its length."""
    if callable(value) or isinstance(value, Secret) or (isinstance(value, str) and value.strip()):
        return
    say = (lambda _: "empty text") if isinstance(value, str) else describe
    raise wrong(name, value, "the key as text, or a callable that gives it", say=say)


def proxy(name: str, value: object) -> None:
    """The address of a proxy."""
    kind = "the address of a proxy, as in http://host:port"
    if not isinstance(value, str):
        raise wrong(name, value, kind)
    try:
        parts = urlsplit(value)
        is_address = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname)
    except ValueError:  # Brackets without an IPv6 address in them.
        is_address = False
    if not is_address:
        raise wrong(name, value, kind, say=measure)


def client_cert(name: str, value: object) -> None:
    """One path, or those of certificate and key."""
    pair = isinstance(value, tuple) and len(value) == 2 and all(isinstance(item, str) for item in value)
    if not isinstance(value, str) and not pair:
        raise wrong(name, value, "a path, or a pair of paths: certificate and key")
