"""Rules of `decoder`: a stream is read the same however it is split, and a cut one is never an answer."""

from __future__ import annotations

from itertools import pairwise

import pytest

from llmkit.errors import LLMError
from llmkit.provider.interface import Decoder
from llmkit.testing.contract.given import Given, Sample, check_typed
from llmkit.testing.contract.replies import HTML
from llmkit.types.responses import Response

NO_STREAM = {"nothing": b"", "blank lines": b"\n\n", "an HTML page": HTML, "broken JSON": b'{"error": {"mess'}


class StreamRules(Given):
    """Rules of streams."""

    def test_streamed_samples_are_given(self) -> None:
        """The author supplies at least one streamed reply, and says where its answer is whole."""
        assert self.streamed, "set `streamed` to a list of Samples"
        for sample in self.streamed:
            assert sample.mark, "a streamed Sample needs `mark`: the bytes that say that the answer is whole"
            assert sample.mark in sample.body, f"mark {sample.mark!r} is not in the body"

    def test_streamed_samples(self) -> None:
        """A stream is read as its sample says, both in its chunks and in the whole answer."""
        for sample in self.streamed:
            said, response = self._read([sample.body])
            sample.compare(response)
            assert said == (sample.text or "")
            assert response.provider == self.provider.name
            assert response.target == f"{self.provider.name}:{self.model}"

    def test_decoders_share_nothing(self) -> None:
        """Two decoders that are fed in turns give the same answer as one alone."""
        for sample in self.streamed:
            _, expected = self._read([sample.body])
            first, second = self._decoder(), self._decoder()
            middle = len(sample.body) // 2
            for part in (sample.body[:middle], sample.body[middle:]):
                for decoder in (first, second):
                    if not decoder.done:
                        decoder.feed(part)
            for decoder in (first, second):
                self.decode(decoder, [])
                assert decoder.finish() == expected

    def test_split_byte_by_byte(self) -> None:
        """A stream that arrives byte by byte gives the same text and answer."""
        for sample in self.streamed:
            parts = [sample.body[index : index + 1] for index in range(len(sample.body))]
            assert self._read(parts) == self._read([sample.body])

    def test_split_anywhere(self) -> None:
        """A stream in two pieces gives the same text and answer, wherever it is split."""
        for sample in self.streamed:
            whole = self._read([sample.body])
            for place in range(1, len(sample.body)):
                assert self._read([sample.body[:place], sample.body[place:]]) == whole, f"split after {place} bytes"

    def test_cut_stream(self) -> None:
        """A stream that ends before its answer is whole is a typed error, wherever it is cut."""
        for sample in self.streamed:
            for end in range(len(sample.body)):
                self._cut(sample, end)

    def test_partial_holds_what_came(self) -> None:
        """`partial()` has exactly the text of the chunks so far, at any time."""
        for sample in self.streamed:
            decoder = self._decoder()
            said = ""
            assert (decoder.partial().content or "") == ""
            for start, end in pairwise(range(0, len(sample.body) + 7, 7)):
                if decoder.done:
                    break
                for chunk in decoder.feed(sample.body[start:end]):
                    said += "".join(choice.delta.content for choice in chunk.choices if choice.index == 0)
                assert (decoder.partial().content or "") == said

    def test_nothing_after_the_end(self) -> None:
        """What follows the end of a stream is not read as answer."""
        for sample in self.streamed:
            decoder = self._decoder()
            self.decode(decoder, [sample.body])
            answer = decoder.finish()
            if decoder.done:
                assert not decoder.feed(sample.body), "a decoder that is done gave chunks"
            assert decoder.finish() == answer

    def test_stream_that_is_no_answer(self) -> None:
        """A stream that holds no answer is a typed error, never an empty answer."""
        for name, body in NO_STREAM.items():
            decoder = self._decoder()
            assert self.decode(decoder, [body]) == "", f"{name} gave text"
            try:
                decoder.finish()
            except LLMError as error:
                check_typed(error)
            else:
                pytest.fail(f"{name} gave an answer")

    def _decoder(self) -> Decoder:
        return self.provider.decoder(self.call(stream=True))

    def _read(self, parts: list[bytes]) -> tuple[str, Response]:
        decoder = self._decoder()
        return self.decode(decoder, parts), decoder.finish()

    def _cut(self, sample: Sample, end: int) -> None:
        decoder = self._decoder()
        said = self.decode(decoder, [sample.body[:end]])
        assert (decoder.partial().content or "") == said, f"cut after {end}: partial() is not what came"
        where = f"a stream of {len(sample.body)} bytes that was cut after {end}"
        if sample.mark not in sample.body[:end]:
            with pytest.raises(LLMError) as caught:
                pytest.fail(f"{where} gave an answer: {decoder.finish()!r}")
            partial = check_typed(caught.value).partial_text
            assert partial in {None, "", said}, f"{where} has the partial_text {partial!r}"
            return
        try:
            response = decoder.finish()
        except LLMError as error:
            check_typed(error)
        else:
            assert (response.content or "") == (sample.text or ""), f"{where} gave another text"
            assert response.finish_reason == sample.finish_reason, f"{where} gave another finish_reason"
