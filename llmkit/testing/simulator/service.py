"""Decides what to answer: a request becomes a `Turn`. No I/O, and no wire shape of a chat answer."""

import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

from llmkit.testing.simulator.answer import Answer
from llmkit.testing.simulator.bill import Bill
from llmkit.testing.simulator.chat import ChatRequest, UnreadableError
from llmkit.testing.simulator.dialect import Dialect
from llmkit.testing.simulator.faults import fault_of
from llmkit.testing.simulator.http import RawRequest
from llmkit.testing.simulator.jsonvalue import JSON, Object, as_object, as_text, read
from llmkit.testing.simulator.ollama import Ollama
from llmkit.testing.simulator.openai import OpenAI
from llmkit.testing.simulator.openrouter import OpenRouter
from llmkit.testing.simulator.pages import (
    OPENAI_PATH,
    OPENROUTER_PATH,
    Asked,
    RefusedError,
    Route,
    find_route,
    is_unknown,
)
from llmkit.testing.simulator.player import Turn
from llmkit.testing.simulator.records import DialectName, RecordedRequest
from llmkit.testing.simulator.reply import Reply
from llmkit.testing.simulator.script import Script

_CHAT = {f"{OPENROUTER_PATH}/chat/completions", f"{OPENAI_PATH}/chat/completions", "/api/chat"}
_MOST_FALLBACKS = 3


class Service:
    """The three services behind one address, their script, their bill and the requests they got."""

    def __init__(self) -> None:
        self.script = Script()
        self.bill = Bill()
        self.requests: list[RecordedRequest] = []
        self.served: dict[str, bytes] = {}
        self.key: Object = {}
        self._answers = 0
        self._dialects: dict[DialectName, Dialect] = {
            "openrouter": OpenRouter(),
            "openai": OpenAI(),
            "ollama": Ollama(),
        }

    def turn(self, raw: RawRequest, connection: int) -> Turn:
        """Record the request and say what to answer."""
        target = urlsplit(raw.target)
        path, query = unquote(target.path), dict(parse_qsl(target.query, keep_blank_values=True))
        body = _json_or_none(raw.body)
        name = _dialect_of(path)
        self.requests.append(_record(raw, connection, path=path, query=query, dialect=name, body=body))
        scripted = self.script.take_for(path)
        turn = Turn(
            dialect=self._dialects[name or "openai"],
            reply=scripted or Reply(),
            number=len(self.requests),
            head_only=raw.method == "HEAD",
            keep_alive=raw.keep_alive,
        )
        try:
            if path in _CHAT and raw.method == "POST":
                return self._chat(turn, raw, body, scripted=scripted is not None)
            if scripted is not None and (scripted.is_raw or not scripted.is_success):
                return turn
            return self._page(turn, raw, self._asked(raw, path, query, body))
        except RefusedError as refused:
            document = turn.dialect.error(refused.status, refused.message, model=refused.model)
            return replace(turn, reply=Reply(status=refused.status), document=document)

    def _chat(self, turn: Turn, raw: RawRequest, body: JSON, *, scripted: bool) -> Turn:
        dialect = turn.dialect
        if not scripted:
            _check_key(dialect.name, raw)
        try:
            request = dialect.read(body)
        except UnreadableError as problem:
            if scripted:
                return turn
            raise RefusedError(400, str(problem)) from problem
        reply, asked = (turn.reply, request.model) if scripted else self._choose(request)
        self._answers += 1
        answer = Answer(number=self._answers, request=request, reply=reply, asked=asked)
        return replace(turn, reply=reply, answer=answer)

    def _choose(self, request: ChatRequest) -> tuple[Reply, str]:
        """The reply, and the model that gives it: OpenRouter goes on to the next of `models` on an error."""
        if len(request.fallbacks) > _MOST_FALLBACKS:
            raise RefusedError(400, f"'models' array must have {_MOST_FALLBACKS} items or fewer.")
        model, reply = request.model, self._reply_of(request.model, is_first=True)
        for name in request.fallbacks:
            if reply is not None and reply.is_success:
                break
            if name != model:
                model, reply = name, self._reply_of(name, is_first=False)
        if reply is None:
            raise RefusedError(400 if request.dialect == "openrouter" else 404, model=model)
        return reply, model

    def _reply_of(self, model: str, *, is_first: bool) -> Reply | None:
        """The reply of one model; None if it does not exist. Only the first takes from the general queue."""
        reply = self.script.take_for(model)
        if reply is not None or is_unknown(model):
            return reply
        try:
            return self.script.take(model) if is_first or fault_of(model) else Reply()
        except ValueError as problem:
            raise RefusedError(400, str(problem)) from problem

    def _asked(self, raw: RawRequest, path: str, query: Mapping[str, str], body: JSON) -> Asked:
        return Asked(
            path=path,
            query=query,
            data=as_object(body),
            charges=self.bill.charges,
            served=self.served,
            key=self.key,
            has_key="authorization" in raw.headers,
        )

    def _page(self, turn: Turn, raw: RawRequest, asked: Asked) -> Turn:
        served = self.served.get(asked.path)
        route = find_route(asked.path) or (None if served is None else Route(page=lambda _: {}))
        if route is None:
            raise RefusedError(405 if asked.path in _CHAT else 404)
        if route.method != ("GET" if raw.method == "HEAD" else raw.method):
            raise RefusedError(405)
        if route.needs_key:
            _check_key(turn.dialect.name, raw)
        if served is not None:
            return replace(turn, document=served)
        made = route.page(asked)
        return replace(turn, reply=made) if isinstance(made, Reply) else replace(turn, document=made)


def _dialect_of(path: str) -> DialectName | None:
    if path.startswith(f"{OPENROUTER_PATH}/"):
        return "openrouter"
    if path.startswith(f"{OPENAI_PATH}/"):
        return "openai"
    return "ollama" if path == "/" or path.startswith("/api/") else None


def _json_or_none(body: bytes) -> JSON:
    try:
        return read(body)
    except (ValueError, RecursionError):
        return None


def _check_key(dialect: DialectName, raw: RawRequest) -> None:
    if dialect == "ollama":  # a local server asks for none
        return
    scheme, _, key = raw.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip() or key.strip().startswith("sk-bad"):
        raise RefusedError(401, "User not found." if dialect == "openrouter" and key.strip() else None)


def _record(
    raw: RawRequest,
    connection: int,
    *,
    path: str,
    query: Mapping[str, str],
    dialect: DialectName | None,
    body: JSON,
) -> RecordedRequest:
    data = as_object(body)
    wish = data.get("stream")
    streams = wish is not False if dialect == "ollama" else wish is True
    return RecordedRequest(
        method=raw.method,
        path=path,
        query=query,
        headers=raw.headers,
        body=raw.body,
        dialect=dialect,
        model=as_text(data.get("model")) or None,
        stream=path in _CHAT and streams,
        time=time.monotonic(),
        connection=connection,
    )
