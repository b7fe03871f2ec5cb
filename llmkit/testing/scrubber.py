"""Scrubs recordings: only headers of an allow-list, and no credential or account id anywhere. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

REMOVED = "REMOVED"
#: Shorter values are not taken for credentials; they would be found everywhere.
_MIN_SECRET_CHARACTERS = 6
#: Headers that are kept. Everything else is dropped, so that a new one cannot leak.
REQUEST_HEADERS = re.compile(r"accept|content-type", re.IGNORECASE)
RESPONSE_HEADERS = re.compile(
    r"content-type|retry-after(-ms)?|x-ratelimit-.+|x-request-id|request-id|x-generation-id|x-simulator", re.IGNORECASE
)
#: Names of variables, headers and query fields whose value is a credential or an account's id.
_SECRET_NAME_PATTERN = re.compile(
    r"(?i)(?:^|[_-])(?:api_?key|key|token|secret|password|passwd|credentials?|auth|authorization|cookie|signature|sig"
    r"|account_id|org_id|organization|project|project_id)(?:$|[_-])"
)
#: A value of such a variable is a credential if it is long, or has a digit. `POSTGRES_PASSWORD=postgres` is neither.
_SECRET_VALUE_PATTERN = re.compile(r"(?=.*\d).{8,}|.{20,}", re.DOTALL)
_KEY_PATTERN = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|r8|pplx|nvapi|fw|tgp|csk|ghp|glpat|dapi)[-_](?=[\w-]*\d)[\w-]{16,}"
    r"|\bAIza[\w-]{30,}|\bAKIA[A-Z0-9]{16}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+"
    r"|\b(?:org|proj|user|acct)[-_](?=[A-Za-z]*\d)[A-Za-z0-9]{16,}"
    r"|(?<=\bBearer )[\w.~+/=-]{8,}"
)
#: Fields of a body that hold a credential or name the account.
_SECRET_FIELD_PATTERN = re.compile(
    r'("(?:api_?key|access_token|refresh_token|client_secret|password|authorization'
    r"|user_id|creator_user_id|org_id|organization_id|organization|account_id)"
    r'"\s*:\s*)"(?:[^"\\]|\\.)*"',
    re.IGNORECASE,
)
#: Fields of a reply that hold text, which a stream sends in pieces.
_TEXT_FIELD_PATTERN = re.compile(
    r'"(?:content|text|reasoning|reasoning_content|thinking|refusal|arguments)"\s*:\s*"((?:[^"\\]|\\.)*)"'
)


class Scrubber:
    """Removes credentials, which it learns from the environment and from the headers that it drops.

    Attributes:
        used: names of the environment variables whose value was seen in the address or the headers of a request.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._variables = {
            name: value
            for name, value in environ.items()
            if _SECRET_NAME_PATTERN.search(name) and _SECRET_VALUE_PATTERN.match(value)
        }
        self._secrets: dict[str, None] = {}
        self._pattern = re.compile(r"(?!)")
        self.used: set[str] = set()
        self._learn(self._variables.values())

    def _learn(self, secrets: Iterable[str]) -> None:
        new = dict.fromkeys(secrets)
        if not new.keys() <= self._secrets.keys():
            self._secrets |= new
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join("".join(map(_make_pattern, secret)) for secret in longest_first))

    def learn(self, url: str, headers: Mapping[str, str]) -> None:
        """Learn the credentials in the address and the headers of a request."""
        for name, value in headers.items():
            if _SECRET_NAME_PATTERN.search(name):
                secrets = re.findall(r"=([^;]+)", value) if "cookie" in name.lower() else [value, *value.split()[-1:]]
                self._learn(word for word in secrets if len(word) >= _MIN_SECRET_CHARACTERS)
        sent = "\n".join((url, *headers.values()))
        self.used |= {name for name, value in self._variables.items() if value in sent}

    def scrub_text(self, text: str) -> str:
        """Return a text without credentials and account ids."""
        text = _KEY_PATTERN.sub(REMOVED, self._pattern.sub(REMOVED, text))
        return _SECRET_FIELD_PATTERN.sub(rf'\1"{REMOVED}"', text)

    def scrub_body(self, body: bytes) -> bytes:
        """Return a body without credentials and account ids. Bytes that are not UTF-8 stay as they are."""
        return self.scrub_text(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def scrub_url(self, url: str) -> str:
        """Return an address without user name, password, credentials and the fields that hold one."""
        parts = urlsplit(url)
        fields = parse_qsl(parts.query, keep_blank_values=True)
        query = [(key, REMOVED if _SECRET_NAME_PATTERN.search(key) else value) for key, value in fields]
        host = parts.netloc.rpartition("@")[2]
        return self.scrub_text(urlunsplit((parts.scheme, host, parts.path, urlencode(query), "")))

    def scrub_headers(self, headers: Mapping[str, list[str]], kept: re.Pattern[str]) -> dict[str, list[str]]:
        """Return the headers that match `kept`, with names in lower case."""
        return {
            name.lower(): [self.scrub_text(value) for value in values]
            for name, values in sorted(headers.items())
            if kept.fullmatch(name)
        }

    def is_spelled_out(self, body: bytes) -> bool:
        """Return whether a stream spells out a credential over several of its pieces."""
        text = "".join(_TEXT_FIELD_PATTERN.findall(body.decode("utf-8", "replace")))
        return self._pattern.search(text) is not None


def _make_pattern(char: str) -> str:
    """Return a pattern for one character of a credential: as it is, or escaped for an address or for JSON."""
    if char.isalnum() or char in "-_":
        return re.escape(char)
    return rf"(?:\\?{re.escape(char)}|(?i:%{ord(char):02x}|\\u{ord(char):04x}))"
