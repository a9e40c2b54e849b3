"""An answerer without a language model: it says what the user said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speech.dialogue.answers.answerer import ChatMessage, KnownAnswer, TextPiece, users_texts


class EchoAnswerer:
    """See `Answerer`. Repeats what the user said last; the answer is empty before the user said anything."""

    def answer(self, messages: Sequence[ChatMessage], tools: Sequence[Mapping[str, Any]] = ()) -> KnownAnswer:
        """See `Answerer`. No tool is called."""
        return KnownAnswer(TextPiece(text) for text in users_texts(messages)[-1:] if text)
