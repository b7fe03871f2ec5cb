"""What looks like a secret in a configuration file. Pure."""

from __future__ import annotations

import re

from llmkit.config.file.references import without
from llmkit.types.redaction import holds_key

#: Scheme and host of an address; hosts such as api-inference.example look like keys.
_HOST = re.compile(r"(?<![\w])[a-z][a-z0-9+]{1,9}://[^\s/?#@]*(?=[\s/?#]|\Z)")
_PASSWORD = re.compile(r"\w://[^\s/?#@]*:(?P<password>[^\s/?#@]+)@")
#: Names of headers and fields whose value is a credential.
_CREDENTIAL = re.compile(
    r"(?i)(?:(?:^|[-_.])(?:authorization|auth|api[-_]?key|password|passwd|passphrase|secret|credentials?|cookie"
    r"|(?:access|auth|bearer|session|refresh|id)[-_]?token|x[-_].*token"
    r"|(?:access|license|master|private|secret|signing|subscription|virtual)[-_]?key)|^token)\Z"
)


def names_credential(name: str) -> bool:
    """Is it the name of a header or field that holds a credential, such as `Authorization`?"""
    return _CREDENTIAL.search(name) is not None


def holds_secret(name: str, text: str) -> bool:
    """Is a secret written into `text`, the value of `name`, instead of referred to?"""
    rest = without(text)
    if names_credential(name) and rest.strip() and rest == text:
        return True
    if (match := _PASSWORD.search(text)) and without(match["password"]):
        return True
    return holds_key(_HOST.sub(" ", rest))
