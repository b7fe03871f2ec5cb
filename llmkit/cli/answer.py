"""One answer on its way from the model to the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmkit.cli.ask import Ask
from llmkit.cli.summary import DOT
from llmkit.cli.terminal import Output

if TYPE_CHECKING:
    from llmkit.language.conversation import Conversation
    from llmkit.language.model import LanguageModel
    from llmkit.types.parts import Part
    from llmkit.types.responses import Delta, Response


class Answer:
    """One answer on its way to the terminal. `text` is what came of it, also after it failed or was stopped."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._out = Output(sys.stdout)
        self._aside = Output(sys.stderr)
        self.text = ""

    def get(self, talk: Conversation, question: str, parts: Sequence[Part] = ()) -> Response:
        """Ask, show, and give the response.

        Raises:
            LLMError: the call failed; what came before is shown and in `text`.
            KeyboardInterrupt: the user stopped it; the same.
        """
        try:
            if not self._ask.stream:
                return self._whole(talk.send(question, attachments=parts, stream=False))
            with talk.send(question, attachments=parts, stream=True) as stream:
                for chunk in stream:
                    for choice in chunk.choices:
                        if choice.index == 0:
                            self._show(choice.delta)
            return stream.response
        finally:
            self._aside.end_line()
            self._out.end_line()

    def _whole(self, response: Response) -> Response:
        if self._ask.reasoning and response.reasoning:
            self._aside.write(response.reasoning)
        self._say((response.content or "") + (response.refusal or ""))
        return response

    def _show(self, delta: Delta) -> None:
        if self._ask.reasoning and delta.reasoning:
            self._aside.write(delta.reasoning)
        if text := delta.content + (delta.refusal or ""):
            self._say(text)

    def _say(self, text: str) -> None:
        self.text += text
        if not self._ask.json and text:
            self._aside.end_line()
            self._out.write(text)


def stopped_line(model: LanguageModel) -> str:
    """What is said of an answer that the user stopped."""
    return DOT.join(("stopped", model.target, "tokens and cost unknown"))
