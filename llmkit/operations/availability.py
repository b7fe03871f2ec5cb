"""Could a call succeed now? `check_available` says so before the first one; `check_key` tells what a key may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from llmkit import errors
from llmkit.config.locate import resolve_target
from llmkit.config.selection import split_target
from llmkit.config.setting_checks import describe
from llmkit.errors import (
    AuthFailed,
    CannotConnect,
    ConfigError,
    ConnectTimeout,
    InsufficientCredit,
    LLMError,
    PermissionDenied,
    QuotaExhausted,
    Unsupported,
)
from llmkit.operations.asking import (
    OUT_OF_REACH,
    Question,
    Service,
    ServiceSettings,
    check_service_settings,
    fetch_details,
    fetch_list,
    find_model,
    find_service,
)
from llmkit.operations.known_models import is_vendor_address
from llmkit.operations.selection import check_words, date_row, read_words
from llmkit.provider.operations import Operation, SupportsKeyCheck, SupportsModels
from llmkit.types.model_info import KeyInfo, ModelInfo

if TYPE_CHECKING:
    from llmkit.engine.effects import Flow
    from llmkit.operations.selection import ModelList

Subject = Literal["provider", "key", "service", "model", "capability"]


@dataclass(frozen=True, slots=True)
class AvailabilityCheck:
    """One thing that was looked at.

    Attributes:
        name: what: `provider` (installed and set up), `key`, `service` (it answers), `model`, `capability`.
        ok: is it as it must be? `None`: nobody can say before the call.
        message: what was found, one sentence.
        hint: what to do, "" where nothing is to be done.
    """

    name: Subject
    ok: bool | None
    message: str
    hint: str = ""

    def to_dict(self) -> dict[str, object]:
        """JSON values only."""
        return {"name": self.name, "ok": self.ok, "message": self.message, "hint": self.hint}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> AvailabilityCheck:
        """Read what `to_dict` gives."""
        return cls(value["name"], value["ok"], value["message"], value.get("hint") or "")


@dataclass(frozen=True, slots=True)
class Availability:
    """What was found, in the order in which it was looked at. After what makes a call impossible nothing more is asked.

    Attributes:
        checks: what was looked at.
        model: what is known of the model, where it was found.
        key: what the service says about the key, where it says so.
    """

    checks: tuple[AvailabilityCheck, ...]
    model: ModelInfo | None = field(default=None, repr=False)
    key: KeyInfo | None = field(default=None, repr=False)
    _error: LLMError | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Did nothing fail? What nobody can say does not count as failed."""
        return all(check.ok is not False for check in self.checks)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def problem(self) -> str | None:
        """What the first failed check found, with what to do; `None` where none failed."""
        for check in self.checks:
            if check.ok is False:
                return f"{check.message}. {check.hint}".rstrip(". ") if check.hint else check.message
        return None

    def require(self) -> None:
        """Raise the typed error of the first failed check, if one failed."""
        if self._error is not None:
            raise self._error

    def to_dict(self) -> dict[str, object]:
        """JSON values only; of the error its class, text and hint are in it."""
        return {
            "ok": self.ok,
            "problem": self.problem,
            "checks": [check.to_dict() for check in self.checks],
            "model": None if self.model is None else self.model.to_dict(),
            "key": None if self.key is None else self.key.to_dict(),
            "error": None if self._error is None else type(self._error).__name__,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Availability:
        """Read what `to_dict` gives. `require` raises an error of the same class."""
        checks = tuple(AvailabilityCheck.from_dict(item) for item in value["checks"])
        model, key = value.get("model"), value.get("key")
        failed = next((check for check in checks if check.ok is False), None)
        error = None
        if failed is not None:
            kind = getattr(errors, str(value.get("error")), LLMError)
            kind = kind if isinstance(kind, type) and issubclass(kind, LLMError) else LLMError
            error = kind(failed.message, hint=failed.hint)
        return cls(checks, model and ModelInfo.from_dict(model), key and KeyInfo.from_dict(key), error)


def check_available(
    provider: str,
    model: str | None = None,
    *,
    supports: str | Sequence[str] = (),
    **settings: Unpack[ServiceSettings],
) -> Availability:
    """Could a call succeed now? Asks for the key and the list of models, never for an answer of a model.

    Args:
        provider: name of a provider, a service or a profile; or "provider:model".
        model: `None` takes the provider's default model; where there is none, only the service is looked at.
        supports: what the model must have, as in `list_models`.
        settings: see `ServiceSettings`.

    Returns:
        What was found; `bool()` of it is `.ok`. A failed check is told, not raised.

    Raises:
        ConfigError, BadRequest: an argument that cannot be meant: an unknown setting, an unknown capability.
    """
    prepared = _prepare(provider, model, supports, settings)
    return prepared.run() if isinstance(prepared, Question) else prepared


async def acheck_available(
    provider: str,
    model: str | None = None,
    *,
    supports: str | Sequence[str] = (),
    **settings: Unpack[ServiceSettings],
) -> Availability:
    """As `check_available`, on an event loop."""
    prepared = _prepare(provider, model, supports, settings)
    return await prepared.arun() if isinstance(prepared, Question) else prepared


def check_key(provider: str, **settings: Unpack[ServiceSettings]) -> KeyInfo:
    """What the service says about the key: what it may spend, what is left of that.

    Raises:
        Unsupported: the backend tells nothing about keys.
        AuthFailed: it is not valid.
        ConfigError, LLMError: there is no key, or the service cannot be asked.
    """
    return _key_question(provider, settings).run()


async def acheck_key(provider: str, **settings: Unpack[ServiceSettings]) -> KeyInfo:
    """As `check_key`, on an event loop."""
    return await _key_question(provider, settings).arun()


def _key_question(provider: str, settings: Mapping[str, object]) -> Question[KeyInfo]:
    service = find_service(provider, settings, lambda _: True)
    backend = service.provider
    if not isinstance(backend, SupportsKeyCheck):
        raise Unsupported(
            f"{service.title} tells nothing about keys",
            provider=backend.name,
            hint="check_available() asks what it can",
        )
    return Question(service, lambda: service.ask(lambda: _key_of(backend)))


def _key_of(backend: SupportsKeyCheck) -> Operation[KeyInfo]:
    """What a backend says of the key; in an operation, so that what a plugin does wrong becomes a `ProviderBug`."""
    said = yield from backend.check_key()
    if not isinstance(cast("object", said), KeyInfo):
        raise TypeError(f"check_key() gave {describe(said)}, not a KeyInfo")
    return said


# The checks


class _Findings:
    """What was found so far."""

    def __init__(self) -> None:
        self._checks: list[AvailabilityCheck] = []
        self._error: LLMError | None = None
        self.model: ModelInfo | None = None
        self.key: KeyInfo | None = None
        self.unlisted = False

    def add(self, name: Subject, ok: bool | None, message: str) -> None:
        self._checks.append(AvailabilityCheck(name, ok, message))

    def fail(self, name: Subject, error: LLMError) -> Availability:
        """A failed check, and what is known by then."""
        self._checks.append(AvailabilityCheck(name, False, error.message, error.hint))
        self._error = self._error or error
        return self.result()

    def result(self) -> Availability:
        return Availability(tuple(self._checks), self.model, self.key, self._error)


def _prepare(
    provider: str, model: str | None, supports: object, settings: Mapping[str, object]
) -> Availability | Question[Availability]:
    """What is wrong before anything is sent, or what to ask."""
    split_target(provider, model)  # names that are none are misuse
    words = read_words(supports)
    check_service_settings(settings)
    found = _Findings()
    try:
        service = find_service(provider, settings, lambda _: False)
        _, named = resolve_target(provider, model)
    except ConfigError as error:
        return found.fail("provider", error)
    found.add("provider", True, f"{service.title} is installed and set up")
    try:
        service = find_service(provider, settings, lambda _: True)
    except ConfigError as error:
        return found.fail("key", error)
    return Question(service, lambda: _look(service, named, words, found))


def _look(service: Service, model: str | None, supports: Sequence[str], found: _Findings) -> Flow[Availability]:
    try:
        listed = yield from _reach_service(service, found)
    except _BLAMED_ON_KEY as error:
        found.add("service", True, f"{service.title} answers at {service.endpoint.base_url}")
        return found.fail("key", error)
    except LLMError as error:
        return found.fail("service", _unreachable(service, error))
    if model is not None:
        try:
            listed = yield from _model(service, model, listed, found)
        except OUT_OF_REACH as error:
            found.add("model", None, f"the list of models could not be asked for: {error.message}")
        except LLMError as error:
            return found.fail("model", error)
    check_words(supports, [*(listed or ()), *([found.model] if found.model else ())])
    yield from _capabilities(service, supports, found)
    return found.result()


def _reach_service(service: Service, found: _Findings) -> Flow[ModelList | None]:
    """Ask the service the one thing that proves that it answers and takes the key."""
    backend, listed = service.provider, None
    where = f"{service.title} answers at {service.endpoint.base_url}"
    if isinstance(backend, SupportsKeyCheck) and service.endpoint.api_key is not None:
        found.key = yield from service.ask(lambda: _key_of(backend))
        if (spent := _spent(service, found.key)) is not None:
            raise spent
        found.add("service", True, where)
        found.add("key", True, _key_text(found.key))
    elif isinstance(backend, SupportsModels):
        try:
            listed = yield from fetch_list(service, refresh=True, stale=False)
        except PermissionDenied as error:
            # A key can be good for answers and not for the list.
            found.unlisted = True
            found.add("service", True, where)
            found.add("key", None, f"the key may not ask for the list of models: {error.message}")
            return None
        found.add("service", True, where)
        if service.endpoint.api_key is None:
            found.add("key", True, "no key is needed")
        elif backend.models_need_key:
            found.add("key", True, "the key is valid: the list of models was given for it")
        else:
            found.add("key", None, f"{service.title} tells nothing about the key")
    else:
        found.add("service", None, f"{service.title} has nothing to ask for but answers")
    return listed


def _model(service: Service, model: str, listed: ModelList | None, found: _Findings) -> Flow[ModelList | None]:
    if isinstance(service.provider, SupportsModels) and not found.unlisted:
        row, listed = yield from find_model(service, model, listed=listed)
        found.model = date_row(row, listed)
    elif is_vendor_address(service.provider, service.endpoint.base_url):
        found.model = service.provider.known_model(model)
    if found.model is None:
        found.add("model", None, f"there is no list of models to look for {model!r} in")
    else:
        ends = found.model.expires
        then = f"; it may be gone after {ends.isoformat()}" if ends else ""
        found.add("model", True, f"{found.model.id} is there, says the {found.model.source}{then}")
    return listed


def _capabilities(service: Service, supports: Sequence[str], found: _Findings) -> Flow[None]:
    if supports and found.model is not None and any(found.model.supports(word) is None for word in supports):
        found.model = yield from fetch_details(service, found.model)
    for word in supports:
        has = None if found.model is None else found.model.supports(word)
        if has is False and found.model is not None:
            found.fail("capability", _lacking(service, found.model, word))
        elif has is None:
            found.add("capability", None, f"nothing is known about {word}")
        else:
            found.add("capability", True, f"the model has {word}")


def _lacking(service: Service, model: ModelInfo, word: str) -> Unsupported:
    return Unsupported(
        f"the model has no {word}, says the {model.source}",
        provider=service.provider.name,
        model=model.id,
        hint=f'Choose one that has: list_models("{service.provider.name}", supports="{word}")',
    )


_BLAMED_ON_KEY = (AuthFailed, PermissionDenied, InsufficientCredit)


def _unreachable(service: Service, error: LLMError) -> LLMError:
    """The error, in the words for a server of one's own that is not running."""
    if service.endpoint.local and isinstance(error, (CannotConnect, ConnectTimeout)):
        start = service.provider.start_command
        error.message = f"no {service.title} answers at {service.endpoint.base_url}"
        error.args = (error.message,)
        error.hint = f"Start it with `{start}`, or say where it is with base_url=" if start else error.hint
    return error


def _spent(service: Service, key: KeyInfo) -> QuotaExhausted | None:
    """The error of a key that has nothing left of its limit."""
    if key.remaining is None or key.remaining > 0:
        return None
    limit = "" if key.limit is None else f" of ${key.limit:f}"
    reset = f", or wait for its {key.limit_reset} reset" if key.limit_reset else ""
    page = f" at {service.provider.key_page}" if service.provider.key_page else ""
    return QuotaExhausted(
        f"the key has nothing left of its limit{limit}",
        provider=service.provider.name,
        hint=f"Raise the key's limit{page}{reset}",
    )


def _key_text(key: KeyInfo) -> str:
    if key.remaining is None:
        return "the key is valid"
    return f"the key is valid, ${key.remaining:f} of its limit left"
