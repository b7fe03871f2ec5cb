"""The contract is worth something: for each of its rules there is a broken provider that it catches."""

import json
from dataclasses import replace
from itertools import count

import pytest

from llmkit import BadRequest, Chunk, LLMError, RateLimited, Response, ServerError
from llmkit.provider.exchange import Endpoint, HTTPReply
from llmkit.provider.interface import INTERFACE_VERSION
from llmkit.testing import Answer, FakeModel
from llmkit.testing.contract import Failure, ProviderContract, Sample
from llmkit.types.responses import ChunkChoice, Delta
from llmkit.wire.chat import ChatProvider
from llmkit.wire.chat_stream import ChatDecoder
from llmkit.wire.jsonbytes import decode_cut

BODY = b'{"id":"1","choices":[{"message":{"role":"assistant","content":"Hello there"},"finish_reason":"stop"}]}'
EVENTS = (
    b'data: {"id":"1","choices":[{"delta":{"content":"Hello "}}]}\n\n'
    b'data: {"id":"1","choices":[{"delta":{"content":"there"}}]}\n\n'
    b'data: {"id":"1","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


class Good(ChatProvider):
    """A provider that keeps every rule."""

    title = "Good"
    default_base_url = "https://api.good.example/v1"

    def __init__(self, name="good"):
        super().__init__(name)
        self.numbers = count()


class Contract(ProviderContract):
    """The contract with samples of `Good`."""

    provider = Good()
    plain = (Sample(body=BODY, text="Hello there"),)
    streamed = (Sample(body=EVENTS, text="Hello there", mark=b'"finish_reason":"stop"'),)

    def make_model(self):
        return FakeModel("Hello there", repeat=True, provider="good")


class TestGood(Contract):
    """The good one passes."""


class EndpointCounts(Good):
    def endpoint(self, settings):
        return replace(super().endpoint(settings), headers={"x-number": str(next(self.numbers))})


class EndpointTakesTheKeyAway(Good):
    def endpoint(self, settings):
        endpoint = super().endpoint(settings)
        settings.pop("api_key", None)
        return endpoint


class BuildCounts(Good):
    def build(self, call):
        return replace(super().build(call), headers={"x-number": str(next(self.numbers))})


class BuildChangesTheCall(Good):
    def build(self, call):
        call.settings.pop("temperature", None)
        return super().build(call)


class NeverStreams(Good):
    def build(self, call):
        return replace(super().build(call), stream=False)


class ForgetsTheSystem(Good):
    def body(self, call):
        return super().body(replace(call, messages=call.messages[1:]))


class ForgetsExtraBody(Good):
    def body(self, call):
        return super().body(replace(call, extra_body={}))


class ForgetsTools(Good):
    def body(self, call):
        return super().body(replace(call, messages=tuple(turn for turn in call.messages if turn.role != "tool")))


class KeyInHeader(Good):
    def endpoint(self, settings):
        return Endpoint(str(settings["base_url"]), {"x-api-key": settings["api_key"].reveal()})


class KeyKept(Good):
    def endpoint(self, settings):
        self.key = settings["api_key"].reveal()
        return super().endpoint(settings)

    def build(self, call):
        return replace(super().build(call), headers={"x-api-key": getattr(self, "key", "")})


class DropsTopK(Good):
    supported = Good.supported | {"top_k"}

    def setting(self, name, value, call):
        return {} if name == "top_k" else super().setting(name, value, call)


class ClaimsTooMuch(Good):
    supported = Good.supported | {"tempreature"}


class ClaimsAnything(Good):
    """Its `supported` says yes to whatever it is asked for."""

    class Yes(frozenset):
        asked = 0

        def __contains__(self, name):
            # Says no to the contract's own question and yes to `create_language`.
            self.asked += 1
            return self.asked % 2 == 0

    supported = Yes()


class Mute(Good):
    def parse(self, call, reply):
        response = super().parse(call, reply)
        return replace(
            response, choices=tuple(replace(c, message=replace(c.message, content=None)) for c in response.choices)
        )


class ParseCounts(Good):
    def parse(self, call, reply):
        return replace(super().parse(call, reply), id=str(next(self.numbers)))


class WrongName(Good):
    def parse(self, call, reply):
        return replace(super().parse(call, reply), provider="openai")


class AnswersAnything(Good):
    def parse(self, call, reply):
        try:
            return super().parse(call, reply)
        except LLMError:
            return Response(())


class BareError(Good):
    def parse(self, call, reply):
        try:
            return super().parse(call, reply)
        except LLMError as error:
            raise LLMError(error.message) from None


class TakesCutReplies(Good):
    def parse(self, call, reply):
        return super().parse(call, replace(reply, body=json.dumps(decode_cut(reply.body)).encode()))


class SalvageRaises(Good):
    def salvage(self, call, data):
        return super().parse(call, HTTPReply(200, {}, data))


class SalvageInvents(Good):
    def salvage(self, call, data):
        return super().salvage(call, BODY.replace(b"Hello", b"Goodbye"))


def with_decoder(cls):
    """A provider with another decoder."""
    return type(f"With{cls.__name__}", (Good,), {"decoder": lambda self, call: cls(self, call)})


class DropsText(ChatDecoder):
    def feed(self, data):
        return [chunk for chunk in super().feed(data) if not chunk.content]


class NoChoice(ChatDecoder):
    def feed(self, data):
        return [replace(chunk, choices=()) for chunk in super().feed(data)]


class Naive(ChatDecoder):
    """Takes each read for whole events."""

    def feed(self, data):
        return super().feed(data + b"\n\n") if data else super().feed(data)


class NeverCut(ChatDecoder):
    """Takes any end for the end of the answer."""

    def finish(self):
        try:
            return super().finish()
        except LLMError:
            return self.partial()


class DoneIsEnough(ChatDecoder):
    """Takes the text for whole when it is long enough, whatever the stream says."""

    def finish(self):
        return replace_finish(self.partial()) if self.partial().content == "Hello there" else super().finish()


def replace_finish(response):
    return replace(response, choices=tuple(replace(choice, finish_reason="stop") for choice in response.choices))


class NoPartial(ChatDecoder):
    def partial(self):
        return Response(())

    def finish(self):
        return ChatDecoder.partial(self) if self.done else super().finish()


class GoesOn(ChatDecoder):
    def feed(self, data):
        return [Chunk((ChunkChoice(Delta("more")),))] if self.done else super().feed(data)


_shared = []


class Shares(ChatDecoder):
    """Keeps its choices where every decoder sees them."""

    def __init__(self, provider, call):
        super().__init__(provider, call)
        _shared.append(self._choices)
        self._choices = _shared[0]


class StatusLost(Good):
    def parse_error(self, call, reply):
        error = super().parse_error(call, reply)
        error.status = None
        return error


class ErrorRaises(Good):
    def parse_error(self, call, reply):
        return BadRequest(json.loads(reply.body)["error"]["message"], status=reply.status)


class ErrorGivesText(Good):
    def parse_error(self, call, reply):
        return "no"


class EverythingIsBadRequest(Good):
    def parse_error(self, call, reply):
        return BadRequest("no", status=reply.status)


class DoesNotWait(Good):
    def parse_error(self, call, reply):
        error = super().parse_error(call, reply)
        error.retry_after = None
        return error


class RepeatsTheKey(Good):
    def parse_error(self, call, reply):
        error = super().parse_error(call, reply)
        error.details = {"body": reply.body.decode()}
        return error


class Unpicklable(Good):
    def parse_error(self, call, reply):
        error = super().parse_error(call, reply)
        error.details = {"again": lambda: reply}
        return error


CASES = [
    ("test_endpoint_is_pure", EndpointCounts),
    ("test_endpoint_is_pure", EndpointTakesTheKeyAway),
    ("test_build_is_pure", BuildCounts),
    ("test_build_is_pure", BuildChangesTheCall),
    ("test_request_says_whether_it_streams", NeverStreams),
    ("test_request_holds_the_question", ForgetsTheSystem),
    ("test_extra_body_reaches_the_body", ForgetsExtraBody),
    ("test_conversation_is_carried_or_refused", ForgetsTools),
    ("test_key_is_in_no_text", KeyInHeader),
    ("test_key_is_in_no_text", KeyKept),
    ("test_unsupported_settings_are_refused", ClaimsAnything),
    ("test_supported_settings_reach_the_request", DropsTopK),
    ("test_supported_settings_reach_the_request", ClaimsTooMuch),
    ("test_plain_samples", Mute),
    ("test_plain_samples", WrongName),
    ("test_parse_is_pure", ParseCounts),
    ("test_reply_that_is_no_answer", AnswersAnything),
    ("test_reply_that_is_no_answer", BareError),
    ("test_cut_reply", TakesCutReplies),
    ("test_salvage_never_raises", SalvageRaises),
    ("test_salvage_never_raises", SalvageInvents),
    ("test_streamed_samples", with_decoder(DropsText)),
    ("test_streamed_samples", with_decoder(NoChoice)),
    ("test_decoders_share_nothing", with_decoder(Shares)),
    ("test_split_byte_by_byte", with_decoder(Naive)),
    ("test_split_anywhere", with_decoder(Naive)),
    ("test_cut_stream", with_decoder(NeverCut)),
    ("test_cut_stream", with_decoder(DoneIsEnough)),
    ("test_cut_stream", with_decoder(NoPartial)),
    ("test_partial_holds_what_came", with_decoder(NoPartial)),
    ("test_nothing_after_the_end", with_decoder(GoesOn)),
    ("test_stream_that_is_no_answer", with_decoder(NeverCut)),
    ("test_every_status", StatusLost),
    ("test_every_status", ErrorRaises),
    ("test_every_status", ErrorGivesText),
    ("test_odd_error_bodies", ErrorRaises),
    ("test_common_statuses", EverythingIsBadRequest),
    ("test_retry_after", DoesNotWait),
    ("test_key_is_in_no_error", RepeatsTheKey),
]
#: Rules that are broken by other means than a provider; each has a test below.
OTHERWISE = {
    "test_plain_samples_are_given", "test_streamed_samples_are_given", "test_documented_failures",
    "test_errors_pickle", "test_all_four_ways_agree", "test_totals_count_every_call", "test_stream_left_early",
    "test_calls_at_once", "test_closed_model",
}  # fmt: skip


def broken(rule, **given):
    """Run one rule of a suite that should not pass; gives the text of the failure."""
    suite = type("Suite", (Contract,), given)()
    with pytest.raises((AssertionError, pytest.fail.Exception, LLMError)) as caught:
        getattr(suite, rule)()
    return str(caught.value)


@pytest.mark.parametrize(("rule", "provider"), CASES)
def test_broken_provider(rule, provider):
    """A provider that breaks a rule fails that rule."""
    _shared.clear()
    assert broken(rule, provider=provider("good"))


def test_every_rule_is_shown_to_catch_something():
    """A rule of the contract without a provider that breaks it is not known to work."""
    rules = {name for name in dir(ProviderContract) if name.startswith("test_")}
    assert rules == {rule for rule, _ in CASES} | OTHERWISE


def test_samples_are_demanded():
    """A suite without samples does not pass by having nothing to check."""
    assert "plain" in broken("test_plain_samples_are_given", plain=())
    assert "streamed" in broken("test_streamed_samples_are_given", streamed=())
    assert "mark" in broken("test_streamed_samples_are_given", streamed=(Sample(body=EVENTS, text="Hello there"),))
    off = (Sample(body=EVENTS, text="Hello there", mark=b"nowhere"),)
    assert "nowhere" in broken("test_streamed_samples_are_given", streamed=off)


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "Goodbye"},
        {"text": None},
        {"finish_reason": "length"},
        {"reasoning": "Hm."},
        {"tool_calls": [("f", {})]},
        {"tokens": (1, 2)},
    ],
)
def test_samples_are_compared(wrong):
    """A sample that says something else than the reply fails, whatever the field."""
    sample = replace(Contract.plain[0], **wrong)
    assert broken("test_plain_samples", plain=(sample,))


def test_documented_failures_are_compared():
    """A documented failure that is read as another error, or without its wait, fails."""
    body = b'{"error":{"message":"no"}}'
    for failure in (
        Failure(status=429, body=body, error=ServerError),
        Failure(status=429, body=body, error=RateLimited, retry_after=3),
        Failure(status=200, body=BODY, error=ServerError),
        Failure(status=200, body=EVENTS, error=ServerError, stream=True),
    ):
        assert broken("test_documented_failures", failures=(failure,))


def test_errors_must_pickle():
    """An error that holds what cannot be pickled fails."""
    suite = type("Suite", (Contract,), {"provider": Unpicklable("good")})()
    with pytest.raises(Exception, match=r"(?i)pickle"):
        suite.test_errors_pickle()


def models(*script, provider="good"):
    """A `make_model` that gives one fake for the whole suite."""
    model = FakeModel(*script, repeat=True, provider=provider)
    return {"make_model": lambda _self: model}


def test_live_rules_catch():
    """A model whose four ways differ, that tries twice or mixes its answers fails."""
    assert broken("test_all_four_ways_agree", **models("one", "two"))
    assert broken("test_all_four_ways_agree", **models("one", "one", Answer("one", finish_reason="length")))
    assert broken("test_all_four_ways_agree", **models(""))
    assert broken("test_all_four_ways_agree", **models("one", provider="another"))
    assert broken("test_calls_at_once", **models("one", "two"))
    assert broken("test_stream_left_early", **models("one", ""))
    used = FakeModel("one", repeat=True, provider="good")
    used.chat_complete("before")
    assert broken("test_totals_count_every_call", make_model=lambda _self: used)

    class NeverCloses(FakeModel):
        def close(self):
            pass

    assert broken("test_closed_model", make_model=lambda _self: NeverCloses("one", repeat=True))


def test_live_rules_are_skipped_without_a_model():
    """Without `make_model` the rules that need one are skipped, not passed."""
    for rule in OTHERWISE - {"test_plain_samples_are_given", "test_streamed_samples_are_given"}:
        if rule in {"test_documented_failures", "test_errors_pickle"}:
            continue
        suite = type("Suite", (Contract,), {"make_model": lambda _self: None})()
        with pytest.raises(pytest.skip.Exception):
            getattr(suite, rule)()


def test_http_rules_are_skipped_in_the_process():
    """A backend that is not HTTP is not asked for statuses and JSON bodies."""
    suite = type("Suite", (Contract,), {"http": False})()
    for rule in ("test_request_holds_the_question", "test_every_status", "test_cut_reply"):
        with pytest.raises(pytest.skip.Exception):
            getattr(suite, rule)()


def test_interface_version():
    """The contract is for the version of the interface that it comes with."""
    assert Good("good").interface_version == INTERFACE_VERSION
