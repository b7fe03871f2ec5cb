"""vcrpy's cassette with llmkit's rules: what is written, what is compared, and the error for a missing recording."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from vcr.cassette import Cassette  # type: ignore[import-untyped]
from vcr.filters import decode_response  # type: ignore[import-untyped]
from vcr.persisters.filesystem import CassetteNotFoundError  # type: ignore[import-untyped]
from vcr.request import Request  # type: ignore[import-untyped]
from vcr.serialize import deserialize, serialize  # type: ignore[import-untyped]

from llmkit.errors import ConfigError
from llmkit.testing.scrubber import REMOVED, REQUEST_HEADERS, RESPONSE_HEADERS, Scrubber


class Tape(Cassette):  # type: ignore[misc]  # vcrpy has no types
    """A cassette that raises an error for a request without a recording, and says why there is none."""

    def __init__(self, *arguments: Any, refuse: Callable[[str], Exception], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._refuse = refuse

    def can_play_response_for(self, request: Any) -> bool:
        """Return whether a recording is left for the request. A replay raises what `refuse` gives if none is."""
        playable = bool(super().can_play_response_for(request))
        if not playable and self.write_protected:
            raise self._refuse(self._explain_miss(self.filter_request(request)))
        return playable

    def _explain_miss(self, request: Any) -> str:
        what = f"{request.method} {request.host}{request.path}"
        there = [stored for stored in self.requests if has_same_address(stored, request)]
        if not there:
            return f"{what}: no request to that address is recorded"
        if any(has_same_body(stored, request) for stored in there):
            return f"{what}: its recording was played already"
        stored, now = _parse_body(there[0].body), _parse_body(request.body)
        if isinstance(stored, dict) and isinstance(now, dict):
            keys = sorted(key for key in {*stored, *now} if not _is_same(stored.get(key), now.get(key)))
            return f"{what}: its body differs from the recorded one in {', '.join(keys)}"
        return f"{what}: its body differs from the recorded one"

    @property
    def unplayed_requests(self) -> list[str]:
        """The recorded requests that were not sent."""
        return [f"{r.method} {r.host}{r.path}" for index, r in enumerate(self.requests) if not self.play_counts[index]]


def make_options(path: Path, mode: str, scrubber: Scrubber, refuse: Callable[[str], Exception]) -> dict[str, Any]:
    """Return the keyword arguments of `Tape.use`."""
    return {
        "path": str(path),
        "record_mode": _to_record_mode(mode),
        "match_on": (_is_match,),
        "serializer": _Serializer(scrubber),
        "persister": _FilePersister,
        "before_record_request": lambda request: _clean_request(request, scrubber),
        "before_record_response": lambda response: _clean_response(response, scrubber),
        "record_on_exception": False,
        "refuse": refuse,
    }


def read_variables(path: Path) -> list[str]:
    """Return the names of the environment variables that held a key when the file was recorded."""
    loaded = yaml.safe_load(path.read_text("utf-8"))
    return [str(name) for name in loaded.get("variables") or ()] if isinstance(loaded, dict) else []


def _to_record_mode(mode: str) -> Any:
    from vcr.record_mode import RecordMode  # type: ignore[import-untyped]

    return RecordMode(mode)


# What is written


def _clean_request(request: Any, scrubber: Scrubber) -> Any:
    scrubber.learn(request.uri, request.headers)
    body = request.body
    if not isinstance(body, bytes):
        body = b"" if body is None else json.dumps(body, default=str).encode()
    headers = scrubber.scrub_headers({name: [str(value)] for name, value in request.headers.items()}, REQUEST_HEADERS)
    return Request(request.method, scrubber.scrub_url(request.uri), scrubber.scrub_body(body), headers)


def _clean_response(response: dict[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    plain = cast("dict[str, Any]", decode_response(response))
    body = scrubber.scrub_body(plain["body"].get("string") or b"")
    if scrubber.is_spelled_out(body):
        raise ConfigError("the answer spells a key out over several pieces of its stream; it cannot be recorded")
    headers = scrubber.scrub_headers(plain["headers"], RESPONSE_HEADERS)
    return {"status": plain["status"], "headers": headers, "body": {"string": body}}


class _Serializer:
    """Writes YAML that a person can read: bodies line by line, nothing folded."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber

    def serialize(self, cassette: Mapping[str, Any]) -> str:
        head = {"recorded_by": "llmkit.testing", "variables": sorted(self._scrubber.used)}
        text: str = yaml.dump({**head, **cassette}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)
        return text

    def deserialize(self, text: str) -> Any:
        return yaml.safe_load(text)


class _Dumper(yaml.SafeDumper):
    pass


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


class _FilePersister:
    """Reads and writes files in UTF-8, whatever the system's encoding is."""

    @staticmethod
    def load_cassette(path: str, serializer: _Serializer) -> Any:
        if not Path(path).is_file():
            raise CassetteNotFoundError
        return deserialize(Path(path).read_text("utf-8"), serializer)

    @staticmethod
    def save_cassette(path: str, cassette: Mapping[str, Any], serializer: _Serializer) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(serialize(cassette, serializer), "utf-8", newline="\n")


# What is compared


def has_same_address(stored: Any, request: Any) -> bool:
    """Return whether method, host, path and query are the same. The port may differ, as that of a local server does."""
    first, second = ([r.method, r.host, r.path, [list(item) for item in r.query]] for r in (stored, request))
    return _is_same(first, second)


def has_same_body(stored: Any, request: Any) -> bool:
    """Return whether the bodies are the same; JSON is compared by its value."""
    return _is_same(_parse_body(stored.body), _parse_body(request.body))


def _is_match(request: Any, stored: Any) -> bool:
    return has_same_address(stored, request) and has_same_body(stored, request)


def _parse_body(body: bytes | None) -> object:
    try:
        return json.loads(body or b"null")
    except ValueError:
        return (body or b"").decode("utf-8", "surrogateescape")


def _is_same(stored: object, now: object) -> bool:
    """Return whether two values are the same, by value and type. What the recording lacks matches anything."""
    if isinstance(stored, str) and isinstance(now, str):
        if REMOVED not in stored:
            return stored == now
        return re.fullmatch(".+".join(map(re.escape, stored.split(REMOVED))), now, re.DOTALL) is not None
    if isinstance(stored, dict) and isinstance(now, dict):
        return stored.keys() == now.keys() and all(_is_same(value, now[key]) for key, value in stored.items())
    if isinstance(stored, list) and isinstance(now, list):
        return len(stored) == len(now) and all(map(_is_same, stored, now))
    return type(stored) is type(now) and stored == now
