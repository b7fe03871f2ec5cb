"""Shows one answer on the terminal while it comes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmkit.cli.chat_options import ChatOptions
from llmkit.cli.summary import DOT
from llmkit.cli.terminal import Output

if TYPE_CHECKING:
    from llmkit.language.conversation import Conversation
    from llmkit.language.model import LanguageModel
    from llmkit.types.parts import Part
    from llmkit.types.responses import Delta, Response


class Answer:
    """Asks one question and writes its answer to stdout, its reasoning to stderr.

    Attributes:
        text: the text of the answer so far. It stays after a call that failed or was stopped.
    """

    def __init__(self, options: ChatOptions) -> None:
        self._options = options
        self._out = Output(sys.stdout)
        self._aside = Output(sys.stderr)
        self.text = ""

    def get(self, conversation: Conversation, question: str, parts: Sequence[Part] = ()) -> Response:
        """Ask the question, show the answer while it comes, and return the response.

        Raises:
            LLMError: the call failed. The text that came before is shown, and is in `text`.
            KeyboardInterrupt: the user pressed Ctrl-C. The same holds for the text.
        """
        try:
            if not self._options.stream:
                return self._show_response(conversation.send(question, attachments=parts, stream=False))
            with conversation.send(question, attachments=parts, stream=True) as stream:
                for chunk in stream:
                    for choice in chunk.choices:
                        if choice.index == 0:
                            self._show_delta(choice.delta)
            return stream.response
        finally:
            self._aside.end_line()
            self._out.end_line()

    def _show_response(self, response: Response) -> Response:
        if self._options.reasoning and response.reasoning:
            self._aside.write(response.reasoning)
        self._write_text((response.content or "") + (response.refusal or ""))
        return response

    def _show_delta(self, delta: Delta) -> None:
        if self._options.reasoning and delta.reasoning:
            self._aside.write(delta.reasoning)
        if text := delta.content + (delta.refusal or ""):
            self._write_text(text)

    def _write_text(self, text: str) -> None:
        self.text += text
        if not self._options.json and text:
            self._aside.end_line()
            self._out.write(text)


def format_stopped_line(model: LanguageModel) -> str:
    """Return the line that stands below an answer that the user stopped."""
    return DOT.join(("stopped", model.target, "tokens and cost unknown"))
