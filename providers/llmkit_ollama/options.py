"""Ollama's own options. Sources: the API documents and the source of the server, August 2026."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from llmkit.types import Check, flag, name_of, number, one_of, whole, wrong

_DURATION = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+\Z")
THINK = ("low", "medium", "high", "max")


def _check_keep_alive(name: str, value: object) -> None:
    if isinstance(value, str):
        if not _DURATION.match(value):
            raise wrong(name, value, 'seconds as a number, or text such as "10m"', say=name_of)
    else:
        number()(name, value)


def _check_think(name: str, value: object) -> None:
    if not isinstance(value, bool):
        one_of(*THINK)(name, value)


_CHECKS: Mapping[str, Check] = {
    "num_ctx": whole(1),
    "keep_alive": _check_keep_alive,
    "think": _check_think,
    "truncate": flag,
    "shift": flag,
    "num_keep": whole(-1),
    "repeat_last_n": whole(-1),
    "repeat_penalty": number(),
    "typical_p": number(),
    "mirostat": whole(0, 2),
    "mirostat_eta": number(),
    "mirostat_tau": number(),
    "num_batch": whole(1),
    "num_gpu": whole(-1),
    "main_gpu": whole(0),
    "num_thread": whole(0),
    "use_mmap": flag,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaOptions:
    """The options that only Ollama has; pass them as `options=`. A field that is `None` is not sent.

    Changing `num_ctx`, `num_batch`, `num_gpu`, `main_gpu`, `num_thread` or `use_mmap` makes the server load the model
    again, which takes seconds to minutes: keep them constant for a model.

    Attributes:
        num_ctx: context size in tokens; the server's own default is often 4096, and it cuts longer prompts silently.
        keep_alive: how long the model stays loaded after the call: seconds, or text such as "10m"; a negative
            number is for ever, 0 unloads the model.
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
        """Check the values.

        Raises:
            BadRequest: a value is out of its bounds.
        """
        for name, check in _CHECKS.items():
            if (value := getattr(self, name)) is not None:
                check(name, value)

    def top_level(self) -> dict[str, object]:
        """The fields of the request body itself."""
        return self._pick_set(("keep_alive", "think", "truncate", "shift"))

    def model_options(self) -> dict[str, object]:
        """The fields of the body's `options`."""
        outside = ("keep_alive", "think", "truncate", "shift")
        return self._pick_set(tuple(name for name in self.__dataclass_fields__ if name not in outside))

    def _pick_set(self, names: tuple[str, ...]) -> dict[str, object]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}
