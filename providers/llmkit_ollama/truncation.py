"""Whether Ollama has cut the prompt. It does so silently; only its count of prompt tokens shows it. Pure.

Text is measured in characters, weighted as a tokenizer sees them: a run of blanks or of one sign counts little, and a
Chinese, Japanese or Korean character counts as three Latin ones. Ordinary text has 3 to 5 such characters to a token.
A larger ratio shows that tokens are missing. Media are not counted, because they only add tokens.
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

#: Characters to a token: a usual ratio, a ratio above the usual, and a ratio that no text has.
USUAL_CHARS_PER_TOKEN, MANY_CHARS_PER_TOKEN, TOO_MANY_CHARS_PER_TOKEN = 4, 6, 8
#: A smaller count tells nothing: servers of 2024 and before counted only the tokens that they had not cached.
MIN_TELLING_TOKENS = 256

# These are not compiled, because most programs never need them.
_BLANKS = r"\s+"
_RUNS = r"([^\w\s])\1{3,}"
#: The thinking of earlier turns, which most templates leave out.
_THOUGHT = r"(?s)<think>.*?</think>"
_WIDE = "[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"


def list_cut_warnings(call: Call, counted: int | None) -> tuple[str, ...]:
    """A warning, as a tuple of one sentence, if the server seems to have cut the prompt; else an empty tuple.

    Args:
        call: what was sent.
        counted: the prompt tokens that the server counted; `None` where it did not say.
    """
    if not counted or _is_never_cut(call):
        return ()
    context = _find_context(call)
    texts = list(_list_texts(call))
    upper_bound = sum(len(text) if text.isascii() else 3 * len(text) for text in texts)
    if upper_bound <= TOO_MANY_CHARS_PER_TOKEN * counted and (
        context is None or upper_bound <= USUAL_CHARS_PER_TOKEN * context
    ):
        return ()  # This is the usual case, and it needs no measuring.
    size = sum(map(_measure, texts))
    if not _is_cut(size, counted, context):
        return ()
    shown_context = f"{context} tokens" if context is not None else "often 4096 tokens"
    expected = size // USUAL_CHARS_PER_TOKEN
    warning = (
        f"Ollama counted {counted} prompt tokens for {size} characters of text (some {expected} tokens): it may "
        f"have cut the prompt to its context ({shown_context}); set a larger one with OllamaOptions(num_ctx=...), or "
        "truncate=False there to get an error instead"
    )
    return (warning,)


def _is_cut(size: int, counted: int, context: int | None) -> bool:
    if counted >= MIN_TELLING_TOKENS and size > TOO_MANY_CHARS_PER_TOKEN * counted:
        return True
    if context is None or counted > context or size <= USUAL_CHARS_PER_TOKEN * context:
        return False
    # The text is likely too long for the context. It was cut if the context is full, or if far too few tokens were
    # counted for the text, or if no text of this length fits.
    full = counted * 100 >= context * 99
    half_empty = counted * 2 >= context and size > MANY_CHARS_PER_TOKEN * counted
    return full or half_empty or size > TOO_MANY_CHARS_PER_TOKEN * context


def _is_never_cut(call: Call) -> bool:
    """Is the prompt never cut? The call may forbid it, and the cloud gives a model its whole context."""
    forbidden = isinstance(call.options, OllamaOptions) and call.options.truncate is False
    not_truncated = call.extra_body.get("truncate", None if not forbidden else False) is False
    return not_truncated or is_cloud_model(call.model) or is_cloud(call.base_url)


def _find_context(call: Call) -> int | None:
    """The context that the call asked for."""
    if "options" in call.extra_body:
        return as_count(as_mapping(call.extra_body["options"]).get("num_ctx")) or None
    return call.options.num_ctx if isinstance(call.options, OllamaOptions) else None


def _list_texts(call: Call) -> Iterator[str]:
    for turn in call.messages:
        text = turn.text
        yield re.sub(_THOUGHT, "", text) if turn.role == "assistant" and "<think>" in text else text
        for tool_call in turn.tool_calls:
            yield tool_call.function.arguments
    if tools := cast("Sequence[object]", call.settings.get("tools") or ()):
        yield json.dumps(list(tools), ensure_ascii=False, separators=(",", ":"), default=str)


def _measure(text: str) -> int:
    """The weighted length of a text; the top of this module explains the weights."""
    text = re.sub(_RUNS, r"\1\1\1", re.sub(_BLANKS, " ", text))
    wide = 0 if text.isascii() else len(re.findall(_WIDE, text))
    return len(text) + 2 * wide
