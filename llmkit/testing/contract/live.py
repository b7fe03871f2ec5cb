"""Rules of a model that answers, through the real engine and the provider's transport."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llmkit.errors import ModelClosed
from llmkit.language.model import LanguageModel
from llmkit.testing.contract.given import QUESTION, Given
from llmkit.types.responses import Response


class LiveRules(Given):
    """Rules of what a user sees. They are skipped if the author gives no `make_model`."""

    def test_all_four_ways_agree(self) -> None:
        """Sync and async, plain and streamed give the same text and finish reason."""
        with self._model() as model:
            plain = model.chat_complete(QUESTION)
            stream = model.chat_complete(QUESTION, stream=True)
            said = "".join(chunk.choices[0].delta.content for chunk in stream)
            awaited, async_said, async_response = asyncio.run(self._ask(model))
            assert plain.content, "the model gave no text"
            assert [said, stream.response.content, awaited.content, async_said, async_response.content] == [
                plain.content
            ] * 5
            for response in (plain, stream.response, awaited, async_response):
                assert (response.finish_reason, response.provider) == (plain.finish_reason, self.provider.name)
                assert [attempt.outcome for attempt in response.attempts] == ["ok"]

    def test_totals_count_every_call(self) -> None:
        """Every call is booked once, plain or streamed."""
        with self._model() as model:
            model.chat_complete(QUESTION)
            list(model.chat_complete(QUESTION, stream=True))
            totals = model.totals()
            assert (totals.calls, totals.attempts) == (2, 2)

    def test_stream_left_early(self) -> None:
        """A stream that is left after its first chunk does no harm to the next call."""
        with self._model() as model:
            with model.chat_complete(QUESTION, stream=True) as stream:
                next(iter(stream))
            assert model.chat_complete(QUESTION).content
            assert asyncio.run(self._leave(model)).content

    def test_calls_at_once(self) -> None:
        """Calls that run at the same time do not mix."""

        async def several() -> list[Response]:
            async with self._given_model() as model:
                return list(await asyncio.gather(*(model.achat_complete(QUESTION) for _ in range(4))))

        answers = asyncio.run(several())
        assert len({answer.content for answer in answers}) == 1
        assert all(len(answer.attempts) == 1 for answer in answers)

    def test_closed_model(self) -> None:
        """A closed model refuses calls, and may be closed twice."""
        with self._model() as model:
            model.close()
            model.close()
            with pytest.raises(ModelClosed):
                model.chat_complete(QUESTION)

    def _given_model(self) -> LanguageModel:
        model = self.make_model()
        if model is None:
            pytest.skip("make_model() is not given")
        return model

    @contextmanager
    def _model(self) -> Iterator[LanguageModel]:
        model = self._given_model()
        try:
            yield model
        finally:
            model.close()

    async def _ask(self, model: LanguageModel) -> tuple[Response, str, Response]:
        awaited = await model.achat_complete(QUESTION)
        stream = model.achat_complete(QUESTION, stream=True)
        said = "".join([chunk.choices[0].delta.content async for chunk in stream])
        return awaited, said, stream.response

    async def _leave(self, model: LanguageModel) -> Response:
        async with model.achat_complete(QUESTION, stream=True) as stream:
            async for _ in stream:
                break
        return await model.achat_complete(QUESTION)
