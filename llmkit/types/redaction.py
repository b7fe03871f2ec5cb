"""Foreign text made safe to show: what a service or library said, in an error, a log or a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# What looks like a credential in text that came from elsewhere: `sk-...` style keys and `Bearer ...` values.
_SECRETS = re.compile(
    r"(?i)\b(?:bearer\s+[\w.~+/=-]{6,}"
    r"|(?:sk|pk|rk|key|gsk|xai|hf|pplx|nvapi|r8|csk|fw|dapi|ghp|glpat|tgp|api)[-_][\w-]{8,}"
    r"|AIza[\w-]{20,}|eyJ[\w-]{8,}(?:\.[\w-]+)*|dapi[0-9a-f]{16,}"
    r"|(?<=key provided: )\S{8,}|(?<=api_key=)\S{8,}|(?<=apikey=)\S{8,}|(?<=key=)\S{8,})"
)
_LONGEST = 300


def scrub(text: str, limit: int = _LONGEST) -> str:
    """Make foreign text safe to show: no credentials, no control characters, at most `limit` characters."""
    clean = _CONTROL.sub(" ", _SECRETS.sub("[key removed]", text)).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def credentials(text: str) -> list[str]:
    """The parts of a text that look like credentials."""
    return [match[0] for match in _SECRETS.finditer(text)]
