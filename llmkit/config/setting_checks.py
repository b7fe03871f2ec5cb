"""What a setting may be: names, types, ranges, and what stands inside. Pure; an error names the setting."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from llmkit.errors import ConfigError
from llmkit.resilience.retry import RetryPolicy
from llmkit.types.settings import EFFORTS, KINDS, RANGES, CallSettings, Settings

_CALL = frozenset(CallSettings.__annotations__)
_ALL = frozenset(Settings.__annotations__)
#: What a header's name is made of (RFC 9110, token).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_REASONING = f"one of {', '.join(sorted(EFFORTS))}, a number of tokens, or True / False"


def check_settings(settings: Mapping[str, object], *, call: bool) -> dict[str, object]:
    """Names, types and ranges of settings; those that are `None` are left out, except `retry`.

    Args:
        call: are these the settings of one call, and not of a model?

    Raises:
        ConfigError: an unknown name (with the nearest known one), a wrong type, a value out of range.
    """
    known = _CALL if call else _ALL
    checked: dict[str, object] = {}
    for name, value in settings.items():
        if name not in known:
            raise _unknown(name, known)
        if value is None:
            if name == "retry":
                checked[name] = None
            continue
        if name in KINDS:
            _kind(name, value)
        if inside := _INSIDE.get(name):
            inside(name, value)
        checked[name] = _number(name, value) if name in RANGES else value
    return checked


def _unknown(name: object, known: frozenset[str]) -> ConfigError:
    if not isinstance(name, str):
        return ConfigError(f"a setting is named {describe(name)}", hint="Names of settings are text")
    if name in _ALL:
        return ConfigError(f"{name} belongs to the model, not to one call", hint="Pass it to create_language()")
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return ConfigError(
        f"there is no setting {name!r}",
        hint=f"Did you mean {near[0]}?" if near else "A field of the service's own goes in extra_body={...}",
    )


def _number(name: str, value: object) -> float | int:
    kind, low, high, inclusive = RANGES[name]
    whole = kind is int
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (whole and not isinstance(value, int)):
        raise ConfigError(f"{name} is {value!r}", hint=f"{name} is a {'whole number' if whole else 'number'}")
    below = low is not None and (value < low or (value == low and not inclusive))
    if below or (high is not None and value > high) or not math.isfinite(value):
        start = "" if low is None else f"from {low}" if inclusive else f"above {low}"
        raise ConfigError(f"{name} is {value}", hint=f"{name} goes {start}{'' if high is None else f' to {high}'}")
    return value


def _kind(name: str, value: object) -> None:
    kinds, text = KINDS[name]
    wrong = not isinstance(value, kinds)
    if Sequence in kinds and isinstance(value, (str, bytes, bytearray)):
        wrong = not (isinstance(value, str) and str in kinds)
    if wrong:
        raise ConfigError(f"{name} is {describe(value)}", hint=f"{name} is {text}")


def describe(value: object) -> str:
    """A wrong value for an error text: short, and without what it holds."""
    return (
        repr(value) if isinstance(value, (bool, int, float)) else "text" if isinstance(value, str) else _article(value)
    )


def _article(value: object) -> str:
    name = value.__name__ if isinstance(value, type) else type(value).__name__
    return f"a {'class, ' if isinstance(value, type) else ''}{name}"


def _wrong(name: str, what: str, hint: str) -> ConfigError:
    return ConfigError(f"{name} {what}", hint=hint)


def _reasoning(name: str, value: object) -> None:
    word = isinstance(value, str) and value in EFFORTS
    budget = isinstance(value, int) and (isinstance(value, bool) or value >= 1)
    if not (word or budget):
        own = "; a provider's own form goes in its options" if isinstance(value, Mapping) else ""
        shown = repr(value) if isinstance(value, str) else describe(value)
        raise _wrong(name, f"is {shown}", f"{name} is {_REASONING}{own}")


def _retry(name: str, value: object) -> None:
    if not isinstance(value, RetryPolicy):
        raise _wrong(name, f"is {describe(value)}", "Pass RetryPolicy(...), or None to turn retrying off")


def _unsupported(name: str, value: object) -> None:
    if value not in ("error", "drop"):
        raise _wrong(name, f"is {value!r}", f"{name} is 'error' or 'drop'")


def _texts(name: str, value: object) -> None:
    for index, item in enumerate(() if isinstance(value, str) else _each(value)):
        if not isinstance(item, str):
            raise _wrong(f"{name}[{index}]", f"is {describe(item)}", f"{name} holds texts")


def _each(value: object) -> Iterator[object]:
    yield from value if isinstance(value, Sequence) else ()


def _tools(name: str, value: object) -> None:
    shape = 'Pass a function, a Tool, or {"type": "function", "function": {"name": ..., "parameters": {...}}}'
    for index, tool in enumerate(_each(value)):
        where = f"{name}[{index}]"
        if callable(tool) or hasattr(tool, "to_dict"):
            continue  # A function or a `Tool`; `llmkit.language.tools` reads it.
        if isinstance(tool, Mapping) and "type" not in tool and "name" in tool and "parameters" in tool:
            tool = {"type": "function", "function": tool}  # noqa: PLW2901 - the flat form is the inner part alone
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if not isinstance(tool, Mapping) or not isinstance(kind, str):
            raise _wrong(where, "has no type" if isinstance(tool, Mapping) else f"is {describe(tool)}", shape)
        if kind != "function":
            continue  # A service's own tool: its shape is the service's affair.
        function = tool.get("function")
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"]:
            raise _wrong(where, "has no function.name", shape)
        if not isinstance(function.get("parameters", {}), Mapping):
            raise _wrong(where, "has parameters that are no JSON schema", shape)


def _metadata(name: str, value: object) -> None:
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if not isinstance(key, str) or not isinstance(item, str):
            raise _wrong(name, "holds what is no text", f"{name} is a dict of text to text")


def _bias(name: str, value: object) -> None:
    for token, weight in value.items() if isinstance(value, Mapping) else ():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not -100 <= weight <= 100:
            raise _wrong(f"{name}[{token!r}]", f"is {describe(weight)}", "It is a number from -100 to 100")


def _structured(name: str, value: object) -> None:
    hint = 'Pass {"type": "json"}, a JSON schema, or a type such as a pydantic class'
    if isinstance(value, Mapping) and not value:
        raise _wrong(name, "is empty", hint)
    if isinstance(value, (bool, int, float, str, bytes, list, tuple, set)):
        raise _wrong(name, f"is {describe(value)}", hint)


def _structured_by(name: str, value: object) -> None:
    if value not in ("native", "instruction"):
        raise _wrong(name, f"is {value!r}", f"{name} is 'native' or 'instruction'")


def _extra_headers(name: str, value: object) -> None:
    if not callable(value):
        check_headers(value, name)


def check_headers(headers: object, source: str) -> None:
    """Raise `ConfigError` unless `headers` is a dict that can go out: token names, printable Latin-1 values."""
    if not isinstance(headers, Mapping):
        raise _wrong(
            source, f"gives {describe(headers)}", "It is a dict of header to text, or a callable that gives one"
        )
    for key, value in headers.items():
        if not isinstance(key, str) or not _TOKEN.match(key):
            raise _wrong(source, "has a name that no header has", "A name is letters, digits and dashes")
        if not isinstance(value, str) or not value.isascii() or any(char < " " or char == "\x7f" for char in value):
            raise _wrong(
                f"{source} {key}", "is no printable ASCII text", "Encode other letters, for instance as URL escapes"
            )


def _api_key(name: str, value: object) -> None:
    if callable(value) or (isinstance(value, str) and value.strip()):
        return
    from llmkit.types.secret import Secret

    if not isinstance(value, Secret):
        said = "empty" if isinstance(value, str) else describe(value)
        raise _wrong(name, f"is {said}", "Pass the key as text, or a callable that gives it")


def _proxy(name: str, value: object) -> None:
    parts = urlsplit(str(value))
    if parts.scheme not in ("http", "https", "socks5", "socks5h") or not parts.hostname:
        raise _wrong(name, "is not an address of a proxy", "Shape: http://host:port")


def _cert(name: str, value: object) -> None:
    pair = isinstance(value, tuple) and len(value) == 2 and all(isinstance(item, str) for item in value)
    if not isinstance(value, str) and not pair:
        raise _wrong(name, f"is {describe(value)}", "Pass a path, or (certificate path, key path)")


def _fallbacks(name: str, value: object) -> None:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise _wrong(name, f"is {describe(value)}", 'Pass a list: ["provider:model", ...]')


_INSIDE: Mapping[str, Callable[[str, object], None]] = {
    "api_key": _api_key,
    "client_cert": _cert,
    "extra_headers": _extra_headers,
    "fallbacks": _fallbacks,
    "logit_bias": _bias,
    "metadata": _metadata,
    "modalities": _texts,
    "on_unsupported": _unsupported,
    "proxy": _proxy,
    "reasoning": _reasoning,
    "retry": _retry,
    "stop": _texts,
    "structured": _structured,
    "structured_by": _structured_by,
    "tools": _tools,
}
