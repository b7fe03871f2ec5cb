"""Has Ollama cut the prompt? It does so in silence; only its count of prompt tokens shows it. Pure.

The text is measured in characters, as a tokenizer sees them: a run of blanks or of one sign counts little, a Chinese,
Japanese or Korean character as much as three Latin ones. Of such characters ordinary text has 3 to 5 to a token. More
than that says that tokens are missing. Media are not counted: they only add tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import cast

from llmkit.provider import Call
from llmkit.wire.chat_reply import as_mapping
from llmkit.wire.numbers import as_count
from llmkit_ollama.host import is_cloud
from llmkit_ollama.names import is_cloud_model
from llmkit_ollama.options import OllamaOptions

#: Characters to a token: what is usual, what is more than usual, and what no text has.
USUAL, MANY, TOO_MANY = 4, 6, 8
#: Servers of 2024 and before counted only the tokens that they had not cached: a small count says nothing.
LEAST = 256

# Texts, not compiled patterns: most programs never need them.
_BLANKS = r"\s+"
_RUNS = r"([^\w\s])\1{3,}"
#: Most templates leave the thinking of earlier turns out.
_THOUGHT = r"(?s)<think>.*?</think>"
_WIDE = "[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"


def cut_warning(call: Call, counted: int | None) -> tuple[str, ...]:
    """One sentence if the server seems to have cut the prompt, else nothing.

    Args:
        call: what was sent.
        counted: the prompt tokens that the server counted; `None` where it did not say.
    """
    if not counted or _never_cuts(call):
        return ()
    context = _context(call)
    texts = list(_texts(call))
    most = sum(len(text) if text.isascii() else 3 * len(text) for text in texts)
    if most <= TOO_MANY * counted and (context is None or most <= USUAL * context):
        return ()  # The usual case, without a look at the text.
    size = sum(map(_size, texts))
    if not _is_cut(size, counted, context):
        return ()
    own = f"{context} tokens" if context is not None else "often 4096 tokens"
    said = (
        f"Ollama counted {counted} prompt tokens for {size} characters of text (some {size // USUAL} tokens): it may "
        f"have cut the prompt to its context ({own}); set a larger one with OllamaOptions(num_ctx=...), or "
        "truncate=False there to get an error instead"
    )
    return (said,)


def _is_cut(size: int, counted: int, context: int | None) -> bool:
    if counted >= LEAST and size > TOO_MANY * counted:
        return True
    if context is None or counted > context or size <= USUAL * context:
        return False
    # It is likely too long for the context. Either the context is full, or far too few tokens came of the text, or
    # no text of this length fits.
    full = counted * 100 >= context * 99
    half_empty = counted * 2 >= context and size > MANY * counted
    return full or half_empty or size > TOO_MANY * context


def _never_cuts(call: Call) -> bool:
    """A server that was told not to, and the cloud, which gives a model its whole context."""
    own = isinstance(call.options, OllamaOptions) and call.options.truncate is False
    told = call.extra_body.get("truncate", None if not own else False) is False
    return told or is_cloud_model(call.model) or is_cloud(call.base_url)


def _context(call: Call) -> int | None:
    """The context that the call asked for."""
    if "options" in call.extra_body:
        return as_count(as_mapping(call.extra_body["options"]).get("num_ctx")) or None
    return call.options.num_ctx if isinstance(call.options, OllamaOptions) else None


def _texts(call: Call) -> Iterator[str]:
    for turn in call.messages:
        said = turn.text
        yield re.sub(_THOUGHT, "", said) if turn.role == "assistant" and "<think>" in said else said
        for made in turn.tool_calls:
            yield made.function.arguments
    if tools := cast("Sequence[object]", call.settings.get("tools") or ()):
        yield json.dumps(list(tools), ensure_ascii=False, separators=(",", ":"), default=str)


def _size(text: str) -> int:
    """The length of a text, as the top of this module says."""
    text = re.sub(_RUNS, r"\1\1\1", re.sub(_BLANKS, " ", text))
    wide = 0 if text.isascii() else len(re.findall(_WIDE, text))
    return len(text) + 2 * wide
