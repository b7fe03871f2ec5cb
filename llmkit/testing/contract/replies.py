"""Rules of `parse` and `salvage`: what a plain reply means."""

from __future__ import annotations

import copy

import pytest

from llmkit.errors import LLMError
from llmkit.provider.exchange import HTTPReply
from llmkit.testing.contract.given import Given, check_typed

HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"
#: Bodies with HTTP 200 that are not an answer.
NO_ANSWER = {
    "nothing": b"",
    "blank lines": b"\n\n  \n",
    "an HTML page": HTML,
    "broken JSON": b'{"choices": [{"message": {"content": "The',
    "no JSON": b"upstream connect error",
    "a JSON list": b"[]",
    "a JSON null": b"null",
    "a JSON number": b"7",
    "an empty JSON object": b"{}",
    "invalid UTF-8": b"\xff\xfe\xfa",
}


class ReplyRules(Given):
    """Rules of plain replies."""

    def test_plain_samples_are_given(self) -> None:
        """The author supplies at least one plain reply."""
        assert self.plain, "set `plain` to a list of Samples"

    def test_plain_samples(self) -> None:
        """A plain reply is read as its sample says, with the provider and target that were asked for."""
        for sample in self.plain:
            response = self.provider.parse(self.call(), HTTPReply(200, {}, sample.body))
            sample.compare(response)
            assert response.provider == self.provider.name
            assert response.target == f"{self.provider.name}:{self.model}"

    def test_parse_is_pure(self) -> None:
        """The same reply gives the same answer, and the call stays as it is."""
        for sample in self.plain:
            call, reply = self.call(), HTTPReply(200, {}, sample.body)
            before = copy.deepcopy(call)
            assert self.provider.parse(call, reply) == self.provider.parse(call, reply)
            assert call == before, "parse() changed the call"

    def test_reply_that_is_no_answer(self) -> None:
        """A reply that holds no answer is a typed error, never an empty answer."""
        self.only_http()
        for name, body in NO_ANSWER.items():
            try:
                self.provider.parse(self.call(), HTTPReply(200, {"content-type": "text/html"}, body))
            except LLMError as error:
                check_typed(error)
            else:
                pytest.fail(f"{name} gave an answer")

    def test_cut_reply(self) -> None:
        """A plain reply that is cut anywhere is a typed error, never an answer."""
        self.only_http()
        for sample in self.plain:
            for end in range(len(sample.body.rstrip())):
                try:
                    self.provider.parse(self.call(), HTTPReply(200, {}, sample.body[:end]))
                except LLMError as error:
                    check_typed(error)
                else:
                    pytest.fail(f"a reply of {len(sample.body)} bytes that was cut after {end} gave an answer")

    def test_salvage_never_raises(self) -> None:
        """What is salvaged of a cut reply is the beginning of its text, or nothing."""
        for sample in self.plain:
            for end in range(len(sample.body)):
                saved = self.provider.salvage(self.call(), sample.body[:end])
                text = None if saved is None or not saved.choices else saved.content
                # The last character may be half of one that was cut.
                assert (sample.text or "").startswith((text or "").rstrip("\ufffd")), f"cut after {end}: {text!r}"
        for body in NO_ANSWER.values():
            self.provider.salvage(self.call(), body)
