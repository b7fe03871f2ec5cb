"""The rules that every provider keeps, as a test suite to inherit. It needs pytest and nothing else.

    from llmkit.testing.contract import ProviderContract, Sample

    class TestAcme(ProviderContract):
        provider = AcmeProvider("acme")
        plain = [Sample(body=b'{"choices": [...]}', text="Hello")]
        streamed = [Sample(body=b"data: ...", text="Hello", mark=b'"finish_reason":"stop"')]

        def make_model(self):
            return create_language("acme", "some-model", base_url=self.server.url, api_key="sk-test")

The rules of HTTP are skipped if `http` is false. The rules that need a backend that answers use `make_model`, and are
skipped if it returns None.
"""

from __future__ import annotations

import pytest

# Before the rules are imported, so that a failed one shows the values that it compared.
pytest.register_assert_rewrite(
    *(f"{__name__}.{room}" for room in ("given", "requests", "replies", "streams", "failures", "live"))
)

from llmkit.testing.contract.failures import FailureRules  # noqa: E402
from llmkit.testing.contract.given import Failure, Sample  # noqa: E402
from llmkit.testing.contract.live import LiveRules  # noqa: E402
from llmkit.testing.contract.replies import ReplyRules  # noqa: E402
from llmkit.testing.contract.requests import RequestRules  # noqa: E402
from llmkit.testing.contract.streams import StreamRules  # noqa: E402


class ProviderContract(RequestRules, ReplyRules, StreamRules, FailureRules, LiveRules):
    """All rules. `llmkit.testing.contract.given.Given` describes what the author supplies."""


__all__ = ["Failure", "ProviderContract", "Sample"]
