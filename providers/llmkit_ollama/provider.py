"""Ollama's native chat API: `/api/chat`, newline-delimited JSON, nanoseconds, arguments as objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from llmkit.errors import BadRequest, EmptyResponse, LLMError, MalformedResponse, ModelNotFound, Unsupported
from llmkit.provider import (
    BaseProvider,
    Call,
    Decoder,
    Endpoint,
    HTTPReply,
    HTTPRequest,
    Operation,
    OperationDecoder,
)
from llmkit.types import Response, Secret, Settings
from llmkit.wire import cache_marks
from llmkit.wire import chat_errors as errors
from llmkit.wire.chat_reply import has_content
from llmkit.wire.chat_request import build_response_format, build_turns, find_json_schema
from llmkit.wire.jsonbytes import decode_cut, decode_object, encode
from llmkit_ollama.answers import JSON, assemble, make_error
from llmkit_ollama.host import is_cloud, parse_host
from llmkit_ollama.messages import fill_tool_names, message_to_dict
from llmkit_ollama.names import ALIASES, is_cloud_model, normalise_name
from llmkit_ollama.options import THINK, OllamaOptions
from llmkit_ollama.schemas import inline
from llmkit_ollama.stream import OllamaDecoder
from llmkit_ollama.truncation import list_cut_warnings

if TYPE_CHECKING:
    from llmkit.types import ModelInfo, PullProgress

#: Common setting -> its name in the `options` of the body.
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "repetition_penalty": "repeat_penalty",
    "seed": "seed",
    "max_tokens": "num_predict",
}


class OllamaProvider(BaseProvider):
    """Ollama: `create_language("ollama", "llama3.1")`. `OLLAMA_HOST` is read as Ollama itself reads it."""

    title = "Ollama"
    default_base_url = "http://127.0.0.1:11434"
    base_url_env = ("OLLAMA_HOST", "OLLAMA_BASE_URL", "OLLAMA_API_BASE")
    key_env = ("OLLAMA_API_KEY",)
    key_origins = ("https://ollama.com",)
    key_follows_url = False  # A local server needs no key; the key in the variable is for the cloud.
    key_required = False
    key_page = "https://ollama.com/settings/keys"
    start_command = "ollama serve"
    pull_command = "ollama pull"
    supported = frozenset(_OPTIONS) | {"stop", "logprobs", "top_logprobs", "tools", "structured", "reasoning"}
    options_type = OllamaOptions
    aliases = ALIASES
    models_need_key = False

    def normalise_base_url(self, url: str) -> str:
        """See `BaseProvider`. The text may be any value of `OLLAMA_HOST`; `/v1` or `/api` at its end is dropped."""
        return parse_host(url).removesuffix("/v1").removesuffix("/api")

    def endpoint(self, settings: Settings) -> Endpoint:
        """See `BaseProvider`."""
        return Endpoint(str(settings.get("base_url")), api_key=cast("Secret | None", settings.get("api_key")))

    def build(self, call: Call) -> HTTPRequest:
        """See `BaseProvider`."""
        return HTTPRequest("/api/chat", encode(self.body(call)), stream=call.stream)

    def body(self, call: Call) -> dict[str, object]:
        """The JSON body of a call. `stream` is always sent, because Ollama streams by default."""
        settings = call.settings
        body: dict[str, object] = {
            "model": call.model,
            "messages": build_turns(fill_tool_names(call.messages), message_to_dict),
            "stream": call.stream,
        }
        options: dict[str, object] = {_OPTIONS[name]: value for name, value in settings.items() if name in _OPTIONS}
        if (stop := settings.get("stop")) is not None:
            options["stop"] = [stop] if isinstance(stop, str) else list(cast("Sequence[str]", stop))
        if tools := settings.get("tools"):
            body["tools"] = [inline(tool) for tool in cast("Sequence[JSON]", cache_marks.remove_tool_marks(tools))]
        if (structured := settings.get("structured")) is not None:
            schema = find_json_schema(cast("JSON", structured))
            body["format"] = "json" if schema is None else inline(schema)
        if (think := self._build_think(settings.get("reasoning"))) is not None:
            body["think"] = think
        for name in ("logprobs", "top_logprobs"):
            if name in settings:
                body[name] = settings[name]
        if isinstance(call.options, OllamaOptions):
            body.update(call.options.top_level())
            options.update(call.options.model_options())
        if options:
            body["options"] = options
        body.update(call.extra_body)
        return body

    def _build_think(self, reasoning: object) -> object:
        """Ollama's `think` for the `reasoning` setting. It has levels, but no budget."""
        if reasoning is None or isinstance(reasoning, bool):
            return reasoning
        words = {"none": False, "minimal": "low", "xhigh": "max"}
        think = words.get(str(reasoning), reasoning)
        if think is False or think in THINK:
            return think
        raise Unsupported("Ollama takes reasoning as True, False or an effort word, not as a budget of tokens")

    def check(self, call: Call) -> None:
        """See `BaseProvider`."""
        if (structured := call.settings.get("structured")) is not None:
            build_response_format(cast("JSON", structured))
        in_options = call.options.think if isinstance(call.options, OllamaOptions) else None
        think = self._build_think(call.settings.get("reasoning"))
        if in_options is not None and think is not None and in_options != think:
            raise BadRequest("reasoning= and OllamaOptions(think=...) differ", hint="Set one of them")
        penalty = call.settings.get("repetition_penalty")
        option_penalty = call.options.repeat_penalty if isinstance(call.options, OllamaOptions) else None
        if penalty is not None and option_penalty is not None and penalty != option_penalty:
            raise BadRequest("repetition_penalty= and OllamaOptions(repeat_penalty=...) differ", hint="Set one of them")
        if call.settings.get("top_logprobs") is not None and not call.settings.get("logprobs"):
            raise BadRequest("top_logprobs is set without logprobs", hint="Set logprobs=True too")

    def parse(self, call: Call, reply: HTTPReply) -> Response:
        """See `BaseProvider`."""
        body = reply.body.strip()
        if not body:
            raise EmptyResponse("the reply has no body")
        try:
            value = decode_object(body, "the reply")
        except MalformedResponse as error:
            if b"\n" in body and body[:1] == b"{":
                return self._parse_lines(call, body)
            error.partial = self.salvage(call, body)
            error.partial_text = error.partial.choices[0].message.text if error.partial else None
            raise
        if value.get("error"):
            raise self.add_model_hint(make_error(value, None, {}), call)
        if not isinstance(value.get("message"), dict):
            raise EmptyResponse("the reply holds no message")
        response = assemble(self.name, call, [value], free=self.is_free(call))
        if response.finish_reason is None and not has_content(response.message):
            raise EmptyResponse("the reply holds neither content nor a done_reason")
        warnings = (*response.warnings, *list_cut_warnings(call, response.usage.prompt_tokens))
        return replace(response, raw_response=value, warnings=warnings)

    def _parse_lines(self, call: Call, body: bytes) -> Response:
        """The response out of lines that answer a plain request: some proxies stream whatever was asked for."""
        decoder = self.decoder(call)
        decoder.feed(body)
        decoder.feed(b"")
        return decoder.finish()

    def salvage(self, call: Call, data: bytes) -> Response | None:
        """See `BaseProvider`."""
        value = decode_cut(data)
        if not isinstance(value, dict) or not isinstance(value.get("message"), dict):
            return None
        return assemble(self.name, call, [value], free=self.is_free(call))

    def is_free(self, call: Call) -> bool:
        """Is the answer free? That of a model on this machine is; that of a cloud model reached through it is not."""
        return call.local and not is_cloud_model(call.model)

    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        """See `BaseProvider`."""
        body = errors.parse_error_body(reply)
        if body is None or 300 <= reply.status < 400:
            return errors.make_bodyless_error(reply.status, reply)
        return self.add_model_hint(make_error(body, reply.status, reply.headers), call)

    def add_model_hint(self, error: LLMError, call: Call) -> LLMError:
        """The error, with advice on how to get the model if the server does not have it."""
        if isinstance(error, ModelNotFound) and call.model and error.hint == ModelNotFound.advice:
            cloud = is_cloud(call.base_url)
            error.hint = "See https://ollama.com/search?c=cloud" if cloud else f"Run: ollama pull {call.model}"
        return error

    def decoder(self, call: Call) -> Decoder:
        """See `BaseProvider`."""
        return OllamaDecoder(self, call)

    def same_model(self, one: str, other: str) -> bool:
        """See `BaseProvider`; `llama3.2` is `llama3.2:latest`, in small letters or capitals."""
        return normalise_name(one) == normalise_name(other)

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        """See `SupportsModels`. Models on the machine have a price of 0; prices of the cloud are not known."""
        from llmkit_ollama import catalogue

        return catalogue.list_models(self.name)

    def model_details(self, listed: ModelInfo) -> Operation[ModelInfo]:
        """See `SupportsModels`."""
        from llmkit_ollama import catalogue

        return catalogue.model_details(listed)

    def server_version(self) -> Operation[str | None]:
        """See `SupportsVersion`."""
        from llmkit_ollama import catalogue

        return catalogue.server_version()

    def pull(self, model: str) -> HTTPRequest:
        """See `SupportsPull`."""
        from llmkit_ollama.pull import pull_request

        return pull_request(model)

    def pull_decoder(self, model: str) -> OperationDecoder[PullProgress, None]:
        """See `SupportsPull`."""
        from llmkit_ollama.pull import PullDecoder

        return PullDecoder(lambda line: self.add_model_hint(make_error(line, None, {}), Call(model, ())))
