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
    cost_doubts,
    delivered,
    extra_of,
    mapping,
    objects,
    parse_choice,
    parse_usage,
    reported_cost,
    text,
    usage_doubts,
)
from llmkit.wire.chat_stream import ChatDecoder
from llmkit.wire.jsonbytes import BOM, decode_cut, decode_object, encode
from llmkit.wire.numbers import count

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
        path: of the chat operation, under the base URL.
        max_tokens_field: the service's name of `max_tokens`.
        system_role: what the service calls a developer turn; "developer" sends it as it is.
        sends_usage_option: ask for usage in streams with `stream_options`?
        takes_back: fields of earlier answers that go back with the conversation.
        part_types: part types that the service takes; `None` takes all and lets the service judge.
        max_stop: most `stop` texts.
        takes_cache_control: does the service take prompt-cache breakpoints? Else they are left out of what is sent.
        bills_in_dollars: is a bare `usage.cost` known to be US dollars?
        models_path: of the list of models, under the base URL.
        models_need_key: does the list of models need a key?
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

    # Where

    def endpoint(self, settings: Settings) -> Endpoint:
        """See `BaseProvider`."""
        return Endpoint(
            base_url=str(settings.get("base_url")),
            headers=self.headers(settings),
            api_key=cast("Secret | None", settings.get("api_key")),
        )

    def headers(self, settings: Settings) -> Mapping[str, str]:
        """Headers of every request, beside the key."""
        return {}

    # Out

    def build(self, call: Call) -> HTTPRequest:
        """See `BaseProvider`."""
        return HTTPRequest(self.path, encode(self.body(call)), stream=call.stream)

    def body(self, call: Call) -> dict[str, object]:
        """The JSON body. `extra_body` goes over it last."""
        body: dict[str, object] = {
            "model": call.model,
            "messages": request.each_turn(request.with_call_ids(call.messages), lambda turn: self.message(turn, call)),
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
        """One turn as the service takes it."""
        out = request.message_dict(turn, takes_back=self.takes_back, parts=self.part_types)
        if turn.role == "developer":
            out["role"] = self.system_role
        if cache_marks.marks(turn):
            out = cache_marks.on_a_part(out) if self.takes_cache_control else cache_marks.left_out(out)
        return out

    def setting(self, name: str, value: object, call: Call) -> Mapping[str, object]:
        """The body fields of one setting."""
        if name == "max_tokens":
            return {self.max_tokens_name(call): value}
        if name == "structured":
            return {"response_format": request.response_format(cast("Mapping[str, object]", value))}
        if name == "reasoning":
            return self.reasoning(value)
        if name == "tool_choice":
            return {"tool_choice": request.tool_choice(value, call.settings.get("tools"))}
        if name == "tools" and not value:
            return {}  # No tools: an empty list is refused by some services.
        if name == "tools" and not self.takes_cache_control:
            return {"tools": cache_marks.tools_without(value)}
        return {name: value}

    def max_tokens_name(self, call: Call) -> str:
        """The service's name of `max_tokens`."""
        return self.max_tokens_field

    def reasoning(self, value: object) -> Mapping[str, object]:
        """The body fields of the `reasoning` setting; OpenAI knows effort words only."""
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

    # In

    def parse(self, call: Call, reply: HTTPReply) -> Response:
        """See `BaseProvider`."""
        start = reply.body.removeprefix(BOM).lstrip()[:6]
        if not start:
            raise EmptyResponse("the reply has no body", request_id=errors.request_id(reply.headers))
        if start.startswith((b"data:", b":", b"event:", b"id:", b"retry:")):
            return self._parse_events(call, reply)
        try:
            body = decode_object(reply.body, "the reply")
        except MalformedResponse as error:
            error.partial = self.salvage(call, reply.body)
            error.partial_text = error.partial.choices[0].message.text if error.partial else None
            raise
        raw_choices = objects(body.get("choices"))
        made = [parse_choice(raw, position) for position, raw in enumerate(raw_choices)]
        choices = tuple(sorted(made, key=lambda choice: choice.index))
        failed = next((raw for raw in raw_choices if raw.get("error") or raw.get("finish_reason") == "error"), None)
        if body.get("error") or failed is not None:
            failure = self.event_error(call, {**body, **(failed or {})}, reply.headers)
            raise self._with_partial(failure, call, body, choices)
        if not choices:
            raise EmptyResponse("the reply has no choices", request_id=text(body.get("id")))
        if all(choice.finish_reason is None and not delivered(choice.message) for choice in choices):
            nothing = EmptyResponse("the reply holds neither content nor a finish_reason")
            nothing.request_id = text(body.get("id"))
            raise self._with_partial(nothing, call, body, choices)
        return self.assemble(call, body, choices, extra_of(body), raw=body)

    def _parse_events(self, call: Call, reply: HTTPReply) -> Response:
        """Events in answer to a plain request: some gateways stream whatever was asked."""
        decoder = self.decoder(call)
        decoder.feed(reply.body)
        decoder.feed(b"")
        return decoder.finish()

    def salvage(self, call: Call, data: bytes) -> Response | None:
        """See `BaseProvider`."""
        body = mapping(decode_cut(data))
        choices = tuple(parse_choice(raw, position) for position, raw in enumerate(objects(body.get("choices"))))
        return self.assemble(call, body, choices, {}) if choices else None

    def _with_partial(self, error: LLMError, call: Call, body: JSON, choices: tuple[Choice, ...]) -> LLMError:
        if choices and any(delivered(choice.message) for choice in choices):
            error.partial = self.assemble(call, body, choices, {})
            error.partial_text = choices[0].message.text
        return error

    def assemble(
        self, call: Call, head: JSON, choices: tuple[Choice, ...], extra: JSON, raw: JSON | None = None
    ) -> Response:
        """The response out of its choices and the reply's (or first event's) top-level fields."""
        usage = parse_usage(head.get("usage"))
        cost = self.cost(call, usage)
        return Response(
            choices=choices,
            usage=usage,
            cost=cost,
            id=text(head.get("id")) or None,
            model=text(head.get("model")) or None,
            provider=self.name,
            upstream_provider=text(head.get("provider")) or None,
            target=f"{self.name}:{call.model}",
            created=count(head.get("created")),
            raw_response=raw,
            extra=extra,
            warnings=self._doubts(usage, cost) if usage.raw else (),
        )

    def cost(self, call: Call, usage: Usage) -> Cost:
        """What the answer cost; unknown where the service does not report it.

        A figure counts only in OpenRouter's form, which is known to be US dollars; a bare `cost` may be anything.
        """
        return reported_cost(usage) if self._states_dollars(usage) else UNKNOWN_COST

    def _states_dollars(self, usage: Usage) -> bool:
        return self.bills_in_dollars or "is_byok" in usage.raw or "cost_details" in usage.raw

    def _doubts(self, usage: Usage, cost: Cost) -> tuple[str, ...]:
        doubts = usage_doubts(usage)
        return cost_doubts(usage) + doubts if cost.amount is None and self._states_dollars(usage) else doubts

    def decoder(self, call: Call) -> Decoder:
        """See `BaseProvider`."""
        return ChatDecoder(self, call)

    # Models

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        """All models, as the service lists them."""
        from llmkit.wire.model_rows import rows

        reply = yield HTTPRequest(self.models_path, method="GET")
        return tuple(self.model_info(row) for row in rows(reply))

    def model_info(self, row: JSON) -> ModelInfo:
        """One row of the list; it has an id."""
        from llmkit.wire import model_rows as models
        from llmkit.wire import prices

        return models.model_info(row, self.name, prices.plausible_pricing(row.get("pricing")))

    def model_details(self, listed: ModelInfo) -> Operation[ModelInfo]:
        """The list says all."""
        yield from ()
        return listed

    # Wrong

    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        """See `BaseProvider`."""
        error = errors.error_body(reply)
        if error is None or 300 <= reply.status < 400:
            return errors.without_body(reply.status, reply)
        return self.make_error(call, error, reply.status, reply.headers)

    def event_error(self, call: Call, event: JSON, headers: Mapping[str, str] | None = None) -> LLMError:
        """The error of an event, or of a body under HTTP 200, that says that the call failed."""
        raw = event.get("error")
        error: JSON = mapping(raw) or {"message": raw if isinstance(raw, str) else text(event.get("message"))}
        made = self.make_error(call, error, errors.status_of(error.get("code")), headers or {})
        made.request_id = made.request_id or text(event.get("id"))
        made.billed = "unknown" if event.get("usage") else made.billed
        return made

    def make_error(self, call: Call, error: JSON, status: int | None, headers: Mapping[str, str]) -> LLMError:
        """The typed error of the service's error object."""
        if not error.get("message") and status is None and not error.get("code"):
            return ServerError("the service ended the answer with an error and gave no reason")
        codes = tuple(str(error[key]) for key in ("code", "type") if isinstance(error.get(key), str))
        cls = errors.classify(status, codes, str(error.get("message") or ""))
        made = errors.make(cls, error, status=status, headers=headers, hint=self.hint(cls, call))
        if cls is RateLimited and "too large" in made.message.lower():
            made.retryable = False  # One request is over the limit of a whole minute: waiting does not help.
        return made

    def hint(self, cls: type[LLMError], call: Call) -> str | None:
        """What a user of this service should do about a class of error; `None` takes the class's own advice."""
        if cls.__name__ == "AuthFailed" and self.key_env:
            page = f"; keys: {self.key_page}" if self.key_page else ""
            return f"Check the key in {self.key_env[0]} or api_key={page}"
        return None
