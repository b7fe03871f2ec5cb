"""The bill: what each answer costs the account, by the rules of each service."""

from decimal import Decimal

from llmkit.testing.simulator.answer import Answer
from llmkit.testing.simulator.records import Charge


class Bill:
    """All charges so far, in the order in which they were entered."""

    def __init__(self) -> None:
        self.charges: list[Charge] = []

    def enter(self, answer: Answer, tokens: int, *, complete: bool) -> None:
        """Enter the charge of one answer of which `tokens` were sent.

        An answer that ends in an error costs nothing, unless the error reports a usage. An answer that breaks off
        costs the prompt and what was sent; on OpenRouter it costs nothing if nothing was sent.
        """
        reply = answer.reply
        billed = reply.billed
        if billed is None:
            reports = reply.error_form == "error-usage" and reply.error_after is not None
            insured = answer.request.dialect == "openrouter" and tokens == 0 and not complete
            billed = reports or not (reply.fails_inside or insured)
        if answer.request.dialect == "ollama":
            billed, cost = False, None
        elif not billed:
            cost = Decimal(0)
        elif complete or reply.cost is not None:
            cost = answer.cost
        else:
            cost = answer.price.cost(answer.prompt_tokens, tokens)
        self.charges.append(
            Charge(
                id=answer.id,
                dialect=answer.request.dialect,
                model=answer.model,
                prompt_tokens=answer.prompt_tokens,
                completion_tokens=tokens,
                cost=cost,
                billed=billed,
                complete=complete,
                streamed=answer.request.stream,
            )
        )
