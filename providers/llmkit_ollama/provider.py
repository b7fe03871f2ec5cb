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
from llmkit_ollama.answers import JSON, assemble, error_of
from llmkit_ollama.host import is_cloud, parse_host
from llmkit_ollama.messages import message_to_dict, with_tool_names
from llmkit_ollama.names import ALIASES, full_name, is_cloud_model
from llmkit_ollama.options import THINK, OllamaOptions
from llmkit_ollama.schemas import inline
from llmkit_ollama.stream import OllamaDecoder
from llmkit_ollama.truncation import cut_warning

if TYPE_CHECKING:
    from llmkit.types import ModelInfo, PullProgress

#: Common settings that are Ollama `options`, by Ollama's name.
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
    """`create_language("ollama", "llama3.1")`. The server is found by `OLLAMA_HOST`, read as Ollama reads it."""

    title = "Ollama"
    default_base_url = "http://127.0.0.1:11434"
    base_url_env = ("OLLAMA_HOST", "OLLAMA_BASE_URL", "OLLAMA_API_BASE")
    key_env = ("OLLAMA_API_KEY",)
    key_origins = ("https://ollama.com",)
    key_follows_url = False  # A server of one's own asks for no key; the variable's key is the cloud's.
    key_required = False
    key_page = "https://ollama.com/settings/keys"
    start_command = "ollama serve"
    pull_command = "ollama pull"
    supported = frozenset(_OPTIONS) | {"stop", "logprobs", "top_logprobs", "tools", "structured", "reasoning"}
    options_type = OllamaOptions
    aliases = ALIASES
    models_need_key = False

    def normalise_base_url(self, url: str) -> str:
        """See `BaseProvider`; the text may be anything that `OLLAMA_HOST` may be. A `/v1` or `/api` end is dropped."""
        return parse_host(url).removesuffix("/v1").removesuffix("/api")

    def endpoint(self, settings: Settings) -> Endpoint:
        """See `BaseProvider`."""
        return Endpoint(str(settings.get("base_url")), api_key=cast("Secret | None", settings.get("api_key")))

    def build(self, call: Call) -> HTTPRequest:
        """See `BaseProvider`."""
        return HTTPRequest("/api/chat", encode(self.body(call)), stream=call.stream)

    def body(self, call: Call) -> dict[str, object]:
        """The JSON body. `stream` is always said, because Ollama streams by default."""
        settings = call.settings
        body: dict[str, object] = {
            "model": call.model,
            "messages": build_turns(with_tool_names(call.messages), message_to_dict),
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
        if (think := self._think(settings.get("reasoning"))) is not None:
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

    def _think(self, reasoning: object) -> object:
        """Ollama's `think` of the `reasoning` setting; it has levels, no budget."""
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
        own = call.options.think if isinstance(call.options, OllamaOptions) else None
        asked = self._think(call.settings.get("reasoning"))
        if own is not None and asked is not None and own != asked:
            raise BadRequest("reasoning= and OllamaOptions(think=...) differ", hint="Set one of them")
        penalty = call.settings.get("repetition_penalty")
        own_penalty = call.options.repeat_penalty if isinstance(call.options, OllamaOptions) else None
        if penalty is not None and own_penalty is not None and penalty != own_penalty:
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
            raise self.placed(error_of(value, None, {}), call)
        if not isinstance(value.get("message"), dict):
            raise EmptyResponse("the reply holds no message")
        made = assemble(self.name, call, [value], free=self.is_free(call))
        if made.finish_reason is None and not has_content(made.message):
            raise EmptyResponse("the reply holds neither content nor a done_reason")
        warnings = (*made.warnings, *cut_warning(call, made.usage.prompt_tokens))
        return replace(made, raw_response=value, warnings=warnings)

    def _parse_lines(self, call: Call, body: bytes) -> Response:
        """Lines in answer to a plain request: some proxies stream whatever was asked."""
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
        """Does the answer cost nothing? A model on this machine does; a cloud model reached through it does not."""
        return call.local and not is_cloud_model(call.model)

    def parse_error(self, call: Call, reply: HTTPReply) -> LLMError:
        """See `BaseProvider`."""
        body = errors.parse_error_body(reply)
        if body is None or 300 <= reply.status < 400:
            return errors.make_bodyless_error(reply.status, reply)
        return self.placed(error_of(body, reply.status, reply.headers), call)

    def placed(self, error: LLMError, call: Call) -> LLMError:
        if isinstance(error, ModelNotFound) and call.model and error.hint == ModelNotFound.advice:
            cloud = is_cloud(call.base_url)
            error.hint = "See https://ollama.com/search?c=cloud" if cloud else f"Run: ollama pull {call.model}"
        return error

    def decoder(self, call: Call) -> Decoder:
        """See `BaseProvider`."""
        return OllamaDecoder(self, call)

    def same_model(self, one: str, other: str) -> bool:
        """See `BaseProvider`; `llama3.2` is `llama3.2:latest`, in small letters or capitals."""
        return full_name(one) == full_name(other)

    def list_models(self) -> Operation[Sequence[ModelInfo]]:
        """See `SupportsModels`. A price of 0 is that of the machine that is asked; the cloud's are not known."""
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
        from llmkit_ollama.pull import OllamaPull

        return OllamaPull(lambda line: self.placed(error_of(line, None, {}), Call(model, ())))
