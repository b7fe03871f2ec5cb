"""Decides what to answer: a request becomes a `ResponsePlan`. No I/O but the clock, and no wire format."""

import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

from llmkit.testing.simulator.answer import Answer
from llmkit.testing.simulator.bill import Bill
from llmkit.testing.simulator.chat import ChatRequest, UnreadableError
from llmkit.testing.simulator.dialect import Dialect
from llmkit.testing.simulator.faults import parse_fault
from llmkit.testing.simulator.http import RawRequest
from llmkit.testing.simulator.jsonvalue import JSON, Object, as_object, as_text, read
from llmkit.testing.simulator.ollama import Ollama
from llmkit.testing.simulator.openai import OpenAI
from llmkit.testing.simulator.openrouter import OpenRouter
from llmkit.testing.simulator.pages import (
    OPENAI_PATH,
    OPENROUTER_PATH,
    PageRequest,
    RefusedError,
    Route,
    find_route,
    is_unknown,
)
from llmkit.testing.simulator.player import ResponsePlan
from llmkit.testing.simulator.records import DialectName, RecordedRequest
from llmkit.testing.simulator.reply import Reply
from llmkit.testing.simulator.script import Script

_CHAT_PATHS = {f"{OPENROUTER_PATH}/chat/completions", f"{OPENAI_PATH}/chat/completions", "/api/chat"}
_MAX_FALLBACK_MODELS = 3


class Service:
    """The three services behind one address, with their script, their bill and the requests that they got."""

    def __init__(self) -> None:
        self.script = Script()
        self.bill = Bill()
        self.requests: list[RecordedRequest] = []
        self.served: dict[str, bytes] = {}
        self.key: Object = {}
        self._answer_count = 0
        self._dialects: dict[DialectName, Dialect] = {
            "openrouter": OpenRouter(),
            "openai": OpenAI(),
            "ollama": Ollama(),
        }

    def plan_response(self, raw: RawRequest, connection: int) -> ResponsePlan:
        """Record the request and return what to answer."""
        target = urlsplit(raw.target)
        path, query = unquote(target.path), dict(parse_qsl(target.query, keep_blank_values=True))
        body = _parse_json(raw.body)
        name = _find_dialect(path)
        self.requests.append(_make_record(raw, connection, path=path, query=query, dialect=name, body=body))
        scripted = self.script.take_for(path)
        plan = ResponsePlan(
            dialect=self._dialects[name or "openai"],
            reply=scripted or Reply(),
            number=len(self.requests),
            head_only=raw.method == "HEAD",
            keep_alive=raw.keep_alive,
        )
        try:
            if path in _CHAT_PATHS and raw.method == "POST":
                return self._plan_chat(plan, raw, body, scripted=scripted is not None)
            if scripted is not None and (scripted.is_raw or not scripted.is_success):
                return plan
            return self._plan_page(plan, raw, self._make_page_request(raw, path, query, body))
        except RefusedError as refused:
            document = plan.dialect.build_error(refused.status, refused.message, model=refused.model)
            return replace(plan, reply=Reply(status=refused.status), document=document)

    def _plan_chat(self, plan: ResponsePlan, raw: RawRequest, body: JSON, *, scripted: bool) -> ResponsePlan:
        dialect = plan.dialect
        if not scripted:
            _check_key(dialect.name, raw)
        try:
            request = dialect.read_request(body)
        except UnreadableError as problem:
            if scripted:
                return plan
            raise RefusedError(400, str(problem)) from problem
        reply, asked = (plan.reply, request.model) if scripted else self._choose_reply(request)
        self._answer_count += 1
        answer = Answer(number=self._answer_count, request=request, reply=reply, asked=asked)
        return replace(plan, reply=reply, answer=answer)

    def _choose_reply(self, request: ChatRequest) -> tuple[Reply, str]:
        """Return the reply and the model that gives it. On an error OpenRouter goes on to the next of `models`."""
        if len(request.fallbacks) > _MAX_FALLBACK_MODELS:
            raise RefusedError(400, f"'models' array must have {_MAX_FALLBACK_MODELS} items or fewer.")
        model, reply = request.model, self._find_reply(request.model, is_first=True)
        for name in request.fallbacks:
            if reply is not None and reply.is_success:
                break
            if name != model:
                model, reply = name, self._find_reply(name, is_first=False)
        if reply is None:
            raise RefusedError(400 if request.dialect == "openrouter" else 404, model=model)
        return reply, model

    def _find_reply(self, model: str, *, is_first: bool) -> Reply | None:
        """Return the reply of one model; None if it does not exist. Only the first one takes from the general queue."""
        reply = self.script.take_for(model)
        if reply is not None or is_unknown(model):
            return reply
        try:
            return self.script.take(model) if is_first or parse_fault(model) else Reply()
        except ValueError as problem:
            raise RefusedError(400, str(problem)) from problem

    def _make_page_request(self, raw: RawRequest, path: str, query: Mapping[str, str], body: JSON) -> PageRequest:
        return PageRequest(
            path=path,
            query=query,
            data=as_object(body),
            charges=self.bill.charges,
            served=self.served,
            key=self.key,
            has_key="authorization" in raw.headers,
        )

    def _plan_page(self, plan: ResponsePlan, raw: RawRequest, request: PageRequest) -> ResponsePlan:
        served = self.served.get(request.path)
        route = find_route(request.path) or (None if served is None else Route(page=lambda _: {}))
        if route is None:
            raise RefusedError(405 if request.path in _CHAT_PATHS else 404)
        if route.method != ("GET" if raw.method == "HEAD" else raw.method):
            raise RefusedError(405)
        if route.needs_key:
            _check_key(plan.dialect.name, raw)
        if served is not None:
            return replace(plan, document=served)
        result = route.page(request)
        return replace(plan, reply=result) if isinstance(result, Reply) else replace(plan, document=result)


def _find_dialect(path: str) -> DialectName | None:
    if path.startswith(f"{OPENROUTER_PATH}/"):
        return "openrouter"
    if path.startswith(f"{OPENAI_PATH}/"):
        return "openai"
    return "ollama" if path == "/" or path.startswith("/api/") else None


def _parse_json(body: bytes) -> JSON:
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


def _make_record(
    raw: RawRequest,
    connection: int,
    *,
    path: str,
    query: Mapping[str, str],
    dialect: DialectName | None,
    body: JSON,
) -> RecordedRequest:
    data = as_object(body)
    stream_field = data.get("stream")
    streams = stream_field is not False if dialect == "ollama" else stream_field is True
    return RecordedRequest(
        method=raw.method,
        path=path,
        query=query,
        headers=raw.headers,
        body=raw.body,
        dialect=dialect,
        model=as_text(data.get("model")) or None,
        stream=path in _CHAT_PATHS and streams,
        time=time.monotonic(),
        connection=connection,
    )
