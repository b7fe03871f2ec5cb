"""The chat-completions dialect as a base class. An OpenAI-compatible service is a subclass with three attributes:

class AcmeProvider(ChatProvider):
    title = "Acme"
    default_base_url = "https://api.acme.example/v1"
    key_env = ("ACME_API_KEY",)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from llmkit.errors import BadRequest, EmptyResponse, LLMError, MalformedResponse, RateLimited, ServerError, Unsupported
from llmkit.provider.exchange import Endpoint, HTTPReply, HTTPRequest
from llmkit.provider.interface import BaseProvider, Call, Decoder
from llmkit.provider.operations import Operation
from llmkit.types.messages import Message
from llmkit.types.responses import Choice, Response
from llmkit.types.secret import Secret
from llmkit.types.settings import EFFORTS, Settings
from llmkit.types.usage import UNKNOWN_COST, Cost, Usage
from llmkit.wire import cache_marks
from llmkit.wire import chat_errors as errors
from llmkit.wire import chat_request as request
from llmkit.wire.chat_reply import (
    JSON,
    as_mapping,
    as_objects,
    as_text,
    has_content,
    list_cost_doubts,
    list_usage_doubts,
    parse_choice,
    parse_usage,
    pick_extra,
    read_reported_cost,
)
from llmkit.wire.chat_stream import ChatDecoder
from llmkit.wire.jsonbytes import BOM, decode_cut, decode_object, encode
from llmkit.wire.numbers import as_count

if TYPE_CHECKING:
    from llmkit.types.model_info import ModelInfo

#: What OpenAI's chat completions have. A compatible service is taken to have the same.
OPENAI_SETTINGS = frozenset(
    {
        "temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty", "seed", "stop", "n", "logprobs",
        "top_logprobs", "logit_bias", "tools", "tool_choice", "parallel_tool_calls", "structured", "reasoning", "user",
        "metadata", "service_tier", "modalities", "audio", "prediction", "verbosity",
    }
)  # fmt: skip


class ChatProvider(BaseProvider):
    """A service that speaks OpenAI's chat completions.

    Attributes:
        path: the path of the chat operation, under the base URL.
        max_tokens_field: the service's name for `max_tokens`.
        system_role: the role that a developer turn is sent with; "developer" sends it as it is.
        sends_usage_option: whether `stream_options` asks for usage in streams.
        takes_back: fields of earlier answers that go back with the conversation.
        part_types: part types that the service takes; `None` sends all and lets the service judge.
        max_stop: the largest number of `stop` texts; `None` sets no limit.
        takes_cache_control: whether the service takes prompt-cache breakpoints. If not, they are not sent.
        bills_in_dollars: whether a bare `usage.cost` is known to be US dollars.
        models_path: the path of the list of models, under the base URL.
        models_need_key: whether the list of models needs a key.
    """

    path: str = "/chat/completions"
    max_tokens_field: str = "max_tokens"
    system_role: str = "system"
    sends_usage_option: bool = True
    takes_back: frozenset[str] = frozenset()
    part_types: frozenset[str] | None = None
    max_stop: int | None = None
    takes_cache_control: bool = False
    bills_in_dollars: bool = False
    models_path: str = "/models"
    models_need_key: bool = True
    supported: frozenset[str] = OPENAI_SETTINGS

    # The endpoint

    def endpoint(self, settings: Settings) -> Endpoint:
        """See `BaseProvider`."""
        return Endpoint(
            base_url=str(settings.get("base_url")),
            headers=self.headers(settings),
            api_key=cast("Secret | None", settings.get("api_key")),
        )

    def headers(self, settings: Settings) -> Mapping[str, str]:
        """The headers of every request, without the key."""
        return {}

    # Requests

    def build(self, call: Call) -> HTTPRequest:
        """See `BaseProvider`."""
        return HTTPRequest(self.path, encode(self.body(call)), stream=call.stream)

    def body(self, call: Call) -> dict[str, object]:
        """The JSON body of a call. The fields of `extra_body` are set last and replace what is there."""
        body: dict[str, object] = {
            "model": call.model,
            "messages": request.build_turns(
                request.fill_call_ids(call.messages), lambda turn: self.message(turn, call)
            ),
        }
        for name, value in call.settings.items():
            body.update(self.setting(name, value, call))
        if call.stream:
            body["stream"] = True
            if self.sends_usage_option:
                body["stream_options"] = {"include_usage": True}
        body.update(self.option_fields(call))
        body.update(call.extra_body)
        return body

    def message(self, turn: Message, call: Call) -> dict[str, object]:
        """One turn in the form that the service takes."""
        sent = request.message_to_dict(turn, takes_back=self.takes_back, parts=self.part_types)
        if turn.role == "developer":
            sent["role"] = self.system_role
        if cache_marks.list_marks(turn):
            sent = cache_marks.move_mark_to_part(sent) if self.takes_cache_control else cache_marks.remove_marks(sent)
        return sent

    def setting(self, name: str, value: object, call: Call) -> Mapping[str, object]:
        """The body fields of one setting."""
        if name == "max_tokens":
            return {self.max_tokens_name(call): value}
        if name == "structured":
            return {"response_format": request.build_response_format(cast("Mapping[str, object]", value))}
        if name == "reasoning":
            return self.reasoning(value)
        if name == "tool_choice":
            return {"tool_choice": request.build_tool_choice(value, call.settings.get("tools"))}
        if name == "tools" and not value:
            return {}  # No tools: an empty list is refused by some services.
        if name == "tools" and not self.takes_cache_control:
            return {"tools": cache_marks.remove_tool_marks(value)}
        return {name: value}

    def max_tokens_name(self, call: Call) -> str:
        """The service's name for `max_tokens`."""
        return self.max_tokens_field

    def reasoning(self, value: object) -> Mapping[str, object]:
        """The body fields of the `reasoning` setting. OpenAI takes effort words only."""
        if value is True:
            return {}
        if value is False:
            return {"reasoning_effort": "none"}
        if value in EFFORTS:
            return {"reasoning_effort": value}
        raise Unsupported(
            f"{self.title or self.name} takes reasoning as an effort word, not as a budget of tokens",
            hint=f"Use one of {', '.join(EFFORTS)}",
        )

    def option_fields(self, call: Call) -> Mapping[str, object]:
        """The body fields of the provider's own options object."""
        return {}

    def check(self, call: Call) -> None:
        """See `BaseProvider`."""
        stop = call.settings.get("stop")
        if (
            self.max_stop is not None
            and not isinstance(stop, str)
            and len(cast("Sequence[str]", stop or ())) > self.max_stop
        ):
            raise BadRequest(f"stop has {len(cast('Sequence[str]', stop))} texts", hint=f"At most {self.max_stop}")
        if call.settings.get("top_logprobs") is not None and not call.settings.get("logprobs"):
            raise BadRequest("top_logprobs is set without logprobs", hint="Set logprobs=True too")

    # Replies

    def parse(self, call: Call, reply: HTTPReply) -> Response:
        """See `BaseProvider`."""
        start = reply.body.removeprefix(BOM).lstrip()[:6]
        if not start:
            raise EmptyResponse("the reply has no body", request_id=errors.find_request_id(reply.headers))
        if start.startswith((b"data:", b":", b"event:", b"id:", b"retry:")):
            return self._parse_events(call, reply)
        try:
            body = decode_object(reply.body, "the reply")
        except MalformedResponse as error:
            error.partial = self.salvage(call, reply.body)
            error.partial_text = error.partial.choices[0].message.text if error.partial else None
            raise
        raw_choices = as_objects(body.get("choices"))
        unsorted = [parse_choice(raw, position) for position, raw in enumerate(raw_choices)]
        choices = tuple(sorted(unsorted, key=lambda choice: choice.index))
        failed = next((raw for raw in raw_choices if raw.get("error") or raw.get("finish_reason") == "error"), None)
        if body.get("error") or failed is not None:
            failure = self.event_error(call, {**body, **(failed or {})}, reply.headers)
            raise self._attach_partial(failure, call, body, choices)
        if not choices:
            raise EmptyResponse("the reply has no choices", request_id=as_text(body.get("id")))
        if all(choice.finish_reason is None and not has_content(choice.message) for choice in choices):
            empty = EmptyResponse("the reply holds neither content nor a finish_reason")
            empty.request_id = as_text(body.get("id"))
            raise self._attach_partial(empty, call, body, choices)
        return self.assemble(call, body, choices, pick_extra(body), raw=body)

    def _parse_events(self, call: Call, reply: HTTPReply) -> Response:
        """The response out of events that answer a plain request: some gateways stream whatever was asked for."""
        decoder = self.decoder(call)
        decoder.feed(reply.body)
        decoder.feed(b"")
        return decoder.finish()

    def salvage(self, call: Call, data: bytes) -> Response | None:
        """See `BaseProvider`."""
        body = as_mapping(decode_cut(data))
        choices = tuple(parse_choice(raw, position) for position, raw in enumerate(as_objects(body.get("choices"))))
        return self.assemble(call, body, choices, {}) if choices else None

    def _attach_partial(self, error: LLMError, call: Call, body: JSON, choices: tuple[Choice, ...]) -> LLMError:
        if choices and any(has_content(choice.message) for choice in choices):
            error.partial = self.assemble(call, body, choices, {})
            error.partial_text = choices[0].message.text
        return error

    def assemble(
        self, call: Call, head: JSON, choices: tuple[Choice, ...], extra: JSON, raw: JSON | None = None
    ) -> Response:
        """The response made of its choices and the top-level fields of the reply (of a stream: of its first event)."""
        usage = parse_usage(head.get("usage"))
        cost = self.cost(call, usage)
        return Response(
            choices=choices,
            usage=usage,
            cost=cost,
            id=as_text(head.get("id")) or None,
            model=as_text(head.get("model")) or None,
            provider=self.name,
            upstream_provider=as_text(head.get("provider")) or None,
            target=f"{self.name}:{call.model}",
            created=as_count(head.get("created")),
            raw_response=raw,
            extra=extra,
            warnings=self._list_doubts(usage, cost) if usage.raw else (),
        )

    def cost(self, call: Call, usage: Usage) -> Cost:
        """What the answer cost; unknown where the service does not report it.

        A bare `cost` may be in any currency or unit. It counts only where it is known to be US dollars: for a service
        that `bills_in_dollars`, and in OpenRouter's form, which has further fields beside it.
        """
        return read_reported_cost(usage) if self._is_cost_in_dollars(usage) else UNKNOWN_COST

    def _is_cost_in_dollars(self, usage: Usage) -> bool:
        return self.bills_in_dollars or "is_byok" in usage.raw or "cost_details" in usage.raw

    def _list_doubts(self, usage: Usage, cost: Cost) -> tuple[str, ...]:
        doubts = list_usage_doubts(usage)
        return list_cost_doubts(usage) + doubts if cost.amount is None and self._is_cost_in_dollars(usage) else doubts

    def decoder(self, call: Call) -> Decoder:
        """See `BaseProvider`."""
        return ChatDecoder(self, call)

    # Models

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        """All models that the service lists."""
        from llmkit.wire.model_rows import parse_rows

        reply = yield HTTPRequest(self.models_path, method="GET")
        return tuple(self.model_info(row) for row in parse_rows(reply))

    def model_info(self, row: JSON) -> ModelInfo:
        """The model that one row of the list describes; the row has an id."""
        from llmkit.wire import model_rows as models
        from llmkit.wire import prices

        return models.parse_model_info(row, self.name, prices.parse_plausible_pricing(row.get("pricing")))

    def model_details(self, listed: ModelInfo) -> Operation[ModelInfo]:
        """The model as it is listed: this dialect has no further details to ask for."""
        yield from ()
        return listed

    # Errors

    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        """See `BaseProvider`."""
        error = errors.parse_error_body(reply)
        if error is None or 300 <= reply.status < 400:
            return errors.make_bodyless_error(reply.status, reply)
        return self.make_error(call, error, reply.status, reply.headers)

    def event_error(self, call: Call, event: JSON, headers: Mapping[str, str] | None = None) -> LLMError:
        """The error of an event, or of a body under HTTP 200, that says that the call failed."""
        raw = event.get("error")
        error: JSON = as_mapping(raw) or {"message": raw if isinstance(raw, str) else as_text(event.get("message"))}
        typed = self.make_error(call, error, errors.as_status(error.get("code")), headers or {})
        typed.request_id = typed.request_id or as_text(event.get("id"))
        typed.billed = "unknown" if event.get("usage") else typed.billed
        return typed

    def make_error(self, call: Call, error: JSON, status: int | None, headers: Mapping[str, str]) -> LLMError:
        """The typed error of the service's error object."""
        if not error.get("message") and status is None and not error.get("code"):
            return ServerError("the service ended the answer with an error and gave no reason")
        codes = tuple(str(error[key]) for key in ("code", "type") if isinstance(error.get(key), str))
        cls = errors.classify(status, codes, str(error.get("message") or ""))
        typed = errors.make_error(cls, error, status=status, headers=headers, hint=self.hint(cls, call))
        if cls is RateLimited and "too large" in typed.message.lower():
            typed.retryable = False  # One request is over the limit of a whole minute: waiting does not help.
        return typed

    def hint(self, cls: type[LLMError], call: Call) -> str | None:
        """The advice to a user of this service for a class of error; `None` keeps the advice of the class itself."""
        if cls.__name__ == "AuthFailed" and self.key_env:
            page = f"; keys: {self.key_page}" if self.key_page else ""
            return f"Check the key in {self.key_env[0]} or api_key={page}"
        return None
