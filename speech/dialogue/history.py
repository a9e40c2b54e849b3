"""What has been said in a dialogue, as a chat model reads it: of our replies only what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from speech.dialogue.answers.answerer import ChatMessage
from speech.tts.speech_stream import SaidWord


class History:
    """Messages of both sides.

    Args:
        instructions: what the answering model is told first; empty: nothing.
    """

    def __init__(self, instructions: str = "") -> None:
        self.instructions = instructions
        self._messages: list[ChatMessage] = []

    def messages(self, user: str = "", *, instructions: str = "") -> tuple[ChatMessage, ...]:
        """All messages, and behind them what the user says now, if anything; `instructions` replace those of the
        dialogue."""
        told = instructions or self.instructions
        system = (ChatMessage("system", told),) if told else ()
        return *system, *joined(self._messages), *((ChatMessage("user", user),) if user else ())

    def add(self, message: ChatMessage) -> None:
        """Add a message."""
        self._messages.append(message)

    def take_back(self, text: str) -> None:
        """Remove a text that the user has said, if our voice has said nothing since."""
        for place in range(len(self._messages) - 1, -1, -1):
            message = self._messages[place]
            if message.role != "user":
                return
            if message.text == text:
                del self._messages[place]
                return


def joined(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Messages of which those that one side says in a row are one."""
    found: list[ChatMessage] = []
    for message in messages:
        last = found[-1] if found else None
        plain = not message.tool_calls and message.role in ("user", "assistant")
        if plain and last is not None and last.role == message.role and not last.tool_calls:
            found[-1] = replace(last, text=f"{last.text} {message.text}".strip())
        else:
            found.append(message)
    return found


def heard_text(text: str, words: Sequence[SaidWord]) -> str:
    """The beginning of a text up to its last word that was heard.

    Args:
        text: of a reply.
        words: those that were heard.
    """
    return text[: max((word.source_end for word in words), default=0)].rstrip()
