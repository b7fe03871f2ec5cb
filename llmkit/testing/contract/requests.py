"""Rules of `endpoint` and `build`: pure, complete, and without the key."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace

from llmkit.errors import BadRequest, Unsupported
from llmkit.language.create import create_language
from llmkit.provider.exchange import HTTPRequest
from llmkit.testing.contract.given import CONVERSATION, KEY, QUESTION, Given, to_settings
from llmkit.types.messages import Message
from llmkit.types.secret import Secret
from llmkit.types.settings import ATTRIBUTION, RULES, SAMPLING

#: A value of every setting that goes to a service.
VALUES: Mapping[str, object] = {name: RULES[name].example for name in sorted(SAMPLING | ATTRIBUTION)}
#: Settings that only make sense beside others.
NEEDS: Mapping[str, Mapping[str, object]] = {
    "top_logprobs": {"logprobs": True},
    "tool_choice": {"tools": VALUES["tools"]},
    "parallel_tool_calls": {"tools": VALUES["tools"]},
}


class RequestRules(Given):
    """Rules of requests."""

    def test_endpoint_is_pure(self) -> None:
        """The same settings give the same endpoint, and stay as they are."""
        settings = to_settings(self.given_settings({"api_key": Secret(KEY)}))
        before = dict(settings)
        first, second = self.provider.endpoint(settings), self.provider.endpoint(settings)
        assert first == second
        assert dict(settings) == before, "endpoint() changed its settings"

    def test_build_is_pure(self) -> None:
        """The same call gives the same request, and stays as it is."""
        for stream in (False, True):
            call = self.call(stream=stream, settings=self._common())
            before = copy.deepcopy(call)
            assert self.provider.build(call) == self.provider.build(call)
            assert call == before, "build() changed the call"

    def test_request_says_whether_it_streams(self) -> None:
        """A request knows whether its call is streamed, and the two differ."""
        plain, streamed = (self.provider.build(self.call(stream=stream)) for stream in (False, True))
        assert (plain.stream, streamed.stream) == (False, True)

    def test_request_holds_the_question(self) -> None:
        """The body is JSON that holds the model and the text of every message."""
        self.only_http()
        body = json.loads(self.provider.build(self.call()).body)
        assert isinstance(body, dict), "the body is not a JSON object"
        said = json.dumps(body, ensure_ascii=False) + self.provider.build(self.call()).path
        for text in (self.model, *(turn.text for turn in QUESTION)):
            assert text in said, f"{text!r} is missing in the request"

    def test_extra_body_reaches_the_body(self) -> None:
        """`extra_body` replaces fields of the body as it is, the provider's own too."""
        self.only_http()
        call = replace(self.call(), extra_body={"x_contract": {"a": [1]}, "model": "another"})
        body = json.loads(self.provider.build(call).body)
        assert body.get("x_contract") == {"a": [1]}
        assert body.get("model") == "another"

    def test_conversation_is_carried_or_refused(self) -> None:
        """Every kind of turn is carried, or refused with a typed error; none is dropped."""
        turns = (Message("developer", "Be the contract developer."), *CONVERSATION)
        for length in range(1, len(turns) + 1):
            try:
                request = self.provider.build(self.call(messages=turns[:length]))
            except (Unsupported, BadRequest):
                continue
            if self.http:
                said = json.dumps(json.loads(request.body), ensure_ascii=False)
                missing = [turn.text for turn in turns[:length] if turn.text not in said]
                assert not missing, f"these turns are missing in the request: {missing}"

    def test_key_is_in_no_text(self) -> None:
        """The key is in no repr, no header of the endpoint, and no value of a request."""
        endpoint = self.endpoint()
        request = self.provider.build(self.call())
        shown = {
            "the endpoint's repr": repr(endpoint),
            "the endpoint's headers": repr(endpoint.headers),
            "the endpoint's address": endpoint.base_url,
            "the provider's repr": repr(self.provider),
            "the provider's attributes": repr(vars(self.provider)),
            "the request": repr(request),
            "the request's body": request.body.decode("utf-8", "replace"),
            "the request's headers": repr(request.headers),
        }
        leaks = [where for where, text in shown.items() if KEY in text]
        assert not leaks, f"the key shows in {', '.join(leaks)}"

    def test_unsupported_settings_are_refused(self) -> None:
        """A setting that the provider does not name in `supported` raises `Unsupported`, and can be dropped."""
        wrong: list[str] = []
        with self.registered() as name:
            for setting in VALUES:
                if setting in self.provider.supported or setting == "structured":
                    continue  # Without a form of the service's own, an instruction asks for the structure.
                wanted = self.given_settings({setting: self._value(setting)})
                try:
                    create_language(name, self.model, config=to_settings(wanted))
                except Unsupported as error:
                    wrong += [] if setting in str(error) else [f"{setting} (the error does not name it: {error})"]
                else:
                    wrong.append(f"{setting} (accepted)")
                wanted["on_unsupported"] = "drop"
                create_language(name, self.model, config=to_settings(wanted)).close()
        assert not wrong, f"not in `supported`, and not refused by name: {', '.join(wrong)}"

    def test_supported_settings_reach_the_request(self) -> None:
        """Every setting in `supported` is accepted and changes the request or the endpoint."""
        unknown = self.provider.supported - set(VALUES)
        assert not unknown, f"`supported` has names that are not settings: {', '.join(sorted(unknown))}"
        dropped: list[str] = []
        for setting in sorted(self.provider.supported):
            value = self._value(setting)
            needs = dict(NEEDS.get(setting, {}))
            with self.registered() as name:
                config = to_settings(self.given_settings({**needs, setting: value}))
                create_language(name, self.model, config=config).close()
            changed = self._built(needs) != self._built({**needs, setting: value})
            if not changed and self.endpoint() == self.endpoint({setting: value}):
                dropped.append(setting)
        assert not dropped, f"in `supported`, and dropped silently: {', '.join(dropped)}"

    def _value(self, setting: str) -> object:
        return self.setting_values.get(setting, VALUES[setting])

    def _built(self, settings: Mapping[str, object]) -> HTTPRequest:
        call = self.call(settings=settings)
        self.provider.check(call)
        return self.provider.build(call)

    def _common(self) -> dict[str, object]:
        names = ("temperature", "max_tokens", "stop", "tools", "structured")
        return {name: self._value(name) for name in names if name in self.provider.supported}
