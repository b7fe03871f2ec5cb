"""Ollama's own knobs. Facts: Ollama's API documents and server source of August 2026."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from llmkit.errors import BadRequest

_DURATION = re.compile(r"-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+\Z")
THINK = ("low", "medium", "high", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaOptions:
    """What only Ollama has; pass it as `options=`. Every field that is `None` is not sent.

    Changing `num_ctx`, `num_batch`, `num_gpu`, `main_gpu`, `num_thread` or `use_mmap` makes the server load the model
    again, which takes seconds to minutes: keep them constant for a model.

    Attributes:
        num_ctx: context size in tokens; the server's own default is often 4096, and it cuts longer prompts silently.
        keep_alive: how long the model stays loaded after the call: seconds, or text such as "10m"; negative is for
            ever, 0 unloads it.
        think: True, False, or low, medium, high, max. Thinking models think unless told not to.
        truncate: False: fail instead of dropping the oldest messages when the prompt is too long.
        shift: False: stop at the end of the context instead of dropping old tokens.
        num_keep, repeat_last_n, typical_p, mirostat, mirostat_eta, mirostat_tau, repeat_penalty: sampling.
        num_batch, num_gpu, main_gpu, num_thread, use_mmap: loading.
    """

    num_ctx: int | None = None
    keep_alive: float | str | None = None
    think: bool | Literal["low", "medium", "high", "max"] | None = None
    truncate: bool | None = None
    shift: bool | None = None
    num_keep: int | None = None
    repeat_last_n: int | None = None
    repeat_penalty: float | None = None
    typical_p: float | None = None
    mirostat: int | None = None
    mirostat_eta: float | None = None
    mirostat_tau: float | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    num_thread: int | None = None
    use_mmap: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what the server would refuse.

        Raises:
            BadRequest: a value out of its bounds.
        """
        if self.num_ctx is not None and (isinstance(self.num_ctx, bool) or self.num_ctx < 1):
            raise BadRequest(f"num_ctx is {self.num_ctx}", hint="It is a number of tokens, 1 or more")
        if isinstance(self.keep_alive, str) and not _DURATION.match(self.keep_alive):
            raise BadRequest(
                f"keep_alive is {self.keep_alive!r}", hint='Pass seconds as a number, or text such as "10m"'
            )
        if isinstance(self.think, str) and self.think not in THINK:
            raise BadRequest(f"think is {self.think!r}", hint=f"True, False or one of {', '.join(THINK)}")

    def top_level(self) -> dict[str, object]:
        """The fields of the request body itself."""
        return self._set(("keep_alive", "think", "truncate", "shift"))

    def model_options(self) -> dict[str, object]:
        """The fields of the body's `options`."""
        outside = ("keep_alive", "think", "truncate", "shift")
        return self._set(tuple(name for name in self.__dataclass_fields__ if name not in outside))

    def _set(self, names: tuple[str, ...]) -> dict[str, object]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}
