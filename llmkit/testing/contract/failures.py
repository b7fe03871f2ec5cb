"""Rules of `parse_error`: every status and every body is one typed error."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping

import pytest

from llmkit.errors import AuthFailed, LLMError, LLMTimeout, RateLimited, ServerError
from llmkit.provider.exchange import HTTPReply
from llmkit.testing.contract.given import KEY, Failure, Given, check_typed
from llmkit.testing.contract.replies import HTML, NO_ANSWER

STATUSES = (
    300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 421, 422,
    424, 425, 426, 428, 429, 431, 451, 498, 499, 500, 501, 502, 503, 504, 507, 520, 521, 522, 523, 524, 525, 529, 530,
    598, 599,
)  # fmt: skip
#: Bodies that look like an error object and are not one, or are an unusual one.
ODD = (
    b'{"error": null}',
    b'{"error": []}',
    b'{"error": 7}',
    b'{"error": "no"}',
    b'{"error": {}}',
    b'{"error": {"message": {"a": 1}, "code": [1], "type": 3, "param": null, "metadata": []}}',
    b'[{"error": {"message": "no", "code": 400}}]',
    b'{"message": "no"}',
    b'{"detail": [{"loc": ["body"], "msg": "field required"}]}',
    b'{"error": ' * 2000,
)
#: Statuses that mean the same with every service.
COMMON: Mapping[int, type[LLMError]] = {
    401: AuthFailed, 429: RateLimited, 500: ServerError, 503: ServerError, 504: LLMTimeout,
}  # fmt: skip


class FailureRules(Given):
    """Rules of failed calls."""

    def error_body(self, status: int, message: str) -> bytes:
        """Return an error document of the service: the chat-completions dialect's unless the author overrides it."""
        return json.dumps({"error": {"message": message, "code": status}}).encode()

    def test_every_status(self) -> None:
        """A status other than 2xx gives a typed error with that status, whatever the body is."""
        self.only_http()
        for status in STATUSES:
            for body in (self.error_body(status, "no"), *NO_ANSWER.values()):
                error = check_typed(self.error_of(status, body))
                assert error.status == status, f"HTTP {status} with {body[:40]!r} has status {error.status}"
                assert error.message, f"HTTP {status} with {body[:40]!r} has no message"

    def test_odd_error_bodies(self) -> None:
        """An error document of an unexpected shape is still a typed error with its status."""
        self.only_http()
        for body in ODD:
            for status in (400, 401, 429, 500):
                error = check_typed(self.error_of(status, body))
                assert error.status == status, f"HTTP {status} with {body[:40]!r} has status {error.status}"

    def test_common_statuses(self) -> None:
        """The statuses that all services share mean the same everywhere, with a body and without."""
        self.only_http()
        for status, kind in COMMON.items():
            for body in (self.error_body(status, "no"), b"", HTML):
                error = self.error_of(status, body)
                assert isinstance(error, kind), f"HTTP {status} with {body[:40]!r} is {type(error).__name__}"
                assert error.retryable is (status != 401), f"HTTP {status} has retryable {error.retryable}"

    def test_retry_after(self) -> None:
        """`Retry-After` is read, with an error document and without."""
        self.only_http()
        for body in (self.error_body(429, "slow down"), b"", HTML):
            error = self.error_of(429, body, {"retry-after": "7"})
            assert error.retry_after == 7, f"with the body {body[:40]!r} retry_after is {error.retry_after}"

    def test_key_is_in_no_error(self) -> None:
        """A service that repeats the key in its error does not get it into the error's text or fields."""
        self.only_http()
        said = f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}"
        for body in (self.error_body(401, said), said.encode(), f"<p>{said}</p>".encode()):
            error = self.error_of(401, body, {"x-request-id": "req-1"})
            shown = {"str": str(error), "repr": repr(error), **{key: repr(value) for key, value in vars(error).items()}}
            leaks = [name for name, text in shown.items() if KEY in text]
            assert not leaks, f"the key shows in {', '.join(leaks)} of {type(error).__name__}"

    def test_errors_pickle(self) -> None:
        """An error can be pickled, so that it can come from another process."""
        errors = [self.error_of(status, self.error_body(status, "no")) for status in STATUSES if self.http]
        decoder = self.provider.decoder(self.call(stream=True))
        sample = self.streamed[0]
        self.decode(decoder, [sample.body[: sample.body.index(sample.mark)]])
        with pytest.raises(LLMError) as caught:
            decoder.finish()
        for error in (*errors, caught.value):
            copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
            assert type(copy) is type(error)
            same = ("message", "hint", "status", "code", "request_id", "retry_after", "partial_text", "details")
            assert [getattr(copy, name) for name in same] == [getattr(error, name) for name in same]
            assert str(copy) == str(error)

    def test_documented_failures(self) -> None:
        """An error reply as the service documents it becomes the error that it means."""
        for failure in self.failures:
            error = self._error(failure)
            assert isinstance(error, failure.error), f"{failure.body[:60]!r} is {type(error).__name__}: {error}"
            if failure.retry_after is not None:
                assert error.retry_after == pytest.approx(failure.retry_after)

    def _error(self, failure: Failure) -> LLMError:
        if not 200 <= failure.status < 300:
            return self.error_of(failure.status, failure.body, failure.headers)
        with pytest.raises(LLMError) as caught:
            self._read_failure(failure)
        return caught.value

    def _read_failure(self, failure: Failure) -> None:
        if failure.stream:
            decoder = self.provider.decoder(self.call(stream=True))
            self.decode(decoder, [failure.body])
            decoder.finish()
        else:
            self.provider.parse(self.call(), HTTPReply(failure.status, failure.headers, failure.body))
