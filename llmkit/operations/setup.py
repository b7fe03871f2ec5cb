"""What a model object is made of, and the targets that come of it: settings, connection, what a fallback inherits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from llmkit.config.backend_settings import DEFAULT_TIMEOUT_SECONDS
from llmkit.engine.plan import Plan, Target
from llmkit.resilience.retry import RetryPolicy
from llmkit.types.settings import SAMPLING

if TYPE_CHECKING:
    from llmkit.money.totals import Tally
    from llmkit.provider.interface import BaseProvider
    from llmkit.transport.connection import Connection
    from llmkit.types.settings import ExtraHeaders

Q = TypeVar("Q")
#: How often and how patiently a call is tried again where `retry` does not say.
DEFAULT_POLICY = RetryPolicy()
#: What a fallback target takes over from the model that it stands in for: what was asked, and how patiently.
INHERITED = SAMPLING | {"timeout", "on_unsupported", "structured_retries"}


@dataclass(frozen=True, slots=True, repr=False)
class Setup:
    """One model of one provider, where it is, and its settings, checked.

    Attributes:
        model: the service's id; `requested`: the name that it was asked for by.
        given: settings that were chosen for this model; its fallbacks inherit what they may.
        defaults: weaker ones, of the environment and the file; they stand for this provider only.
        settings: both together.
        base_url, local: where it is, and whether that is on this machine.
    """

    provider: BaseProvider
    model: str
    given: Mapping[str, object]
    connection: Connection
    defaults: Mapping[str, object] = field(default_factory=dict)
    base_url: str = ""
    local: bool = False
    requested: str = ""
    settings: Mapping[str, object] = field(init=False)

    def __post_init__(self) -> None:
        """Join the settings, once."""
        object.__setattr__(self, "settings", {**self.defaults, **self.given})
        if not self.requested:
            object.__setattr__(self, "requested", self.model)

    def setting(self, call: Mapping[str, object], name: str, default: object = None) -> object:
        """What applies to a call: its own setting, else the model's, else `default`."""
        return call[name] if name in call else self.settings.get(name, default)

    def both(self, call: Mapping[str, object], name: str) -> list[object]:
        """A setting of which the call's adds to the model's: the values that are set, the model's first."""
        return [value for value in (self.settings.get(name), call.get(name)) if value is not None]

    def target(self, call: Mapping[str, object], prepare: Callable[[], Q], *, spare: bool = False) -> Target[Q]:
        """The model as a target; `call` are the settings that count for it. A spare one keeps its own headers only."""
        headers = self.both({} if spare else call, "extra_headers")
        return Target(
            self.provider,
            self.model,
            self.connection.transport(),
            cast("float", self.setting(call, "timeout", DEFAULT_TIMEOUT_SECONDS)),
            prepare,
            tuple(cast("Sequence[ExtraHeaders]", headers)),
            self.connection.redact,
        )

    def inherited(self, spare: Setup, call: Mapping[str, object]) -> dict[str, object]:
        """The settings that `spare` takes over for a call: from this model, over that its own, over these the call's.

        Nothing that belongs to a service is among them: no key, address, headers, body fields or options.
        """
        sources = (self.given, spare.given, call)
        return {name: value for source in sources for name, value in source.items() if name in INHERITED}

    def plan(self, targets: Sequence[Target[Q]], call: Mapping[str, object], tally: Tally | None) -> Plan[Q]:
        """A plan over targets, bounded as this model and the call say."""
        return Plan(
            targets,
            cast("RetryPolicy | None", self.setting(call, "retry", DEFAULT_POLICY)),
            cast("float | None", self.setting(call, "deadline")),
            time.monotonic,
            tally,
        )
