"""Responses of an OpenAI conversation: events of replies.

A response is announced when the turn that it answers is over. Its item is announced with its first sound: until then
the user may go on, and nothing of it is kept. What it sends leaves at the pace at which it is heard.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Any

from serve.protocols import wire
from serve.protocols.dialogue_messages import (
    CalledFunction,
    DialogueEvent,
    ReplyAudio,
    ReplyDone,
    ReplyFailedMessage,
    ReplyStarted,
    ReplyText,
    ReplyTruncated,
    TurnMessage,
    TurnReopenedMessage,
)
from serve.protocols.openai_conversation_settings import ConversationSettings
from serve.protocols.openai_items import ItemOrder, Record
from serve.protocols.reply_sound import ReplySound

_USAGE = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_token_details": {"cached_tokens": 0, "text_tokens": 0, "audio_tokens": 0},
    "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
}
"""Tokens are not counted; clients rely on the fields."""


class Responses:
    """Converts messages of replies into events.

    Args:
        order: of all items of the session.

    Attributes:
        settings: how the next response is made.
        metadata: of the next response.
        spoken: id of the item of the last response that was heard, if any.
        truncated_ms: what of that item was heard, if it was interrupted.
    """

    def __init__(self, order: ItemOrder) -> None:
        self.settings, self.metadata = ConversationSettings(), dict[str, str]()
        self.spoken: str | None = None
        self.truncated_ms: int | None = None
        self._order, self._conversation = order, f"conv_{secrets.token_hex(10)}"
        self._open: OpenResponse | None = None
        self._cancelling = False

    @property
    def active(self) -> str | None:
        """Id of the response under way."""
        return None if self._open is None else self._open.id

    @property
    def speaking(self) -> str | None:
        """Id of the item that is being said."""
        return None if self._open is None else self._open.item

    def cancel(self) -> None:
        """The client has cancelled the response under way, or the one that comes next."""
        self._cancelling = True

    def take(self, message: wire.ServerMessage) -> list[Record]:
        """Convert a message into events; those that are about no reply have none."""
        if isinstance(message, TurnMessage):
            records = [] if self._open is None else self._end("cancelled")
            metadata, self.metadata = self.metadata, {}
            self._open = OpenResponse(message.reply, self._conversation, self.settings, metadata, self._order)
            return [*records, self._open.created()]
        if self._open is None or not isinstance(message, DialogueEvent) or message.reply != self._open.reply:
            return []
        return self._of(self._open, message)

    def _of(self, response: OpenResponse, message: DialogueEvent) -> list[Record]:
        match message:
            case ReplyStarted():
                records = response.begin(message.sample_rate)
                self.spoken, self.truncated_ms = response.item, None
                return records
            case ReplyText():
                return response.say(message.delta)
            case ReplyAudio():
                return response.sound(message.pcm if isinstance(message.pcm, bytes) else b"")
            case ReplyDone():
                return self._end("completed", message.text, message.calls)
            case ReplyTruncated():
                return self._truncate(response, message)
            case TurnReopenedMessage():
                return self._end("cancelled")
            case ReplyFailedMessage():
                return self._end("failed", error=message.message)
        return []

    def _truncate(self, response: OpenResponse, message: ReplyTruncated) -> list[Record]:
        records, item = self._end("cancelled", message.text), response.item
        if item is None:
            return records
        self.truncated_ms = message.played_ms
        return [*records, truncated(item, message.played_ms)]

    def _end(
        self, status: str, text: str | None = None, calls: Sequence[CalledFunction] = (), *, error: str = ""
    ) -> list[Record]:
        assert self._open is not None
        reason = "client_cancelled" if self._cancelling else "turn_detected"
        records = self._open.end(status, text, calls)
        details: dict[str, Any] = {"type": status}
        if status == "cancelled":
            details["reason"] = reason
        elif status == "failed":
            details["error"] = {"type": "server_error", "code": "reply_failed", "message": error}
        done = {"type": "response.done", "response": self._open.described(status, details)}
        self._open, self._cancelling = None, False
        return [*records, done]


class OpenResponse:
    """One response under way.

    Args:
        reply: its number.
        conversation: id of the conversation.
        settings: of the session when it began.
        metadata: given by the client.
        order: of all items of the session.

    Attributes:
        id: of the response.
        item: id of the item that is said; None: nothing has been heard yet.
    """

    def __init__(
        self,
        reply: int,
        conversation: str,
        settings: ConversationSettings,
        metadata: dict[str, str],
        order: ItemOrder,
    ) -> None:
        self.reply, self.id = reply, f"resp_{secrets.token_hex(10)}"
        self.item: str | None = None
        self._conversation, self._settings, self._metadata, self._order = conversation, settings, metadata, order
        self._before: str | None = None
        self._texts: list[str] = []
        self._sound: ReplySound | None = None
        self._output: list[Record] = []

    def created(self) -> Record:
        """The event that announces it."""
        return {"type": "response.created", "response": self.described("in_progress", None)}

    def begin(self, sample_rate: int | None) -> list[Record]:
        """Announce the item.

        Args:
            sample_rate: of what will be heard, in Hz; None: nothing will.
        """
        self.item = f"item_{secrets.token_hex(10)}"
        self._before = self._order.append(self.item)
        if sample_rate is not None:
            self._sound = ReplySound(sample_rate, self._settings.output_format.params())
        part = {"type": "audio", "transcript": ""}
        return [
            *self._added(0, self._message(self.item, "in_progress", None), self._before),
            self._event("response.content_part.added", content_index=0, part=part),
            *(self._delta(text) for text in self._texts),
        ]

    def say(self, text: str) -> list[Record]:
        """The next text."""
        self._texts.append(text)
        return [] if self.item is None else [self._delta(text)]

    def sound(self, pcm: bytes, *, last: bool = False) -> list[Record]:
        """The next samples, or with `last` what the resampler still has."""
        if self._sound is None:
            return []
        made = self._sound.finish() if last else self._sound.encode(pcm)
        delta = base64.b64encode(made).decode()
        return [self._event("response.output_audio.delta", content_index=0, delta=delta)] if made else []

    def end(self, status: str, text: str | None, calls: Sequence[CalledFunction]) -> list[Record]:
        """End the item, and tell of functions that are to be called.

        Args:
            status: of the response.
            text: what was heard; None: what has been told.
            calls: functions.
        """
        records: list[Record] = []
        if self.item is None and status == "completed" and text:  # none of it can be spoken
            records += self.begin(None)
        if self.item is not None:
            if status == "completed":
                records += self.sound(b"", last=True)
            records += self._said(self.item, status, "".join(self._texts) if text is None else text)
        for call in calls:
            records += self._called(call)
        return records

    def described(self, status: str, details: Record | None) -> Record:
        """The response object."""
        return {
            "id": self.id, "object": "realtime.response", "status": status, "status_details": details,
            "output": list(self._output), "conversation_id": self._conversation, "output_modalities": ["audio"],
            "max_output_tokens": "inf", "audio": {"output": self._settings.output()},
            "metadata": self._metadata or None, "usage": None if details is None else _USAGE,
        }  # fmt: skip

    def _said(self, item: str, status: str, text: str) -> list[Record]:
        message = self._message(item, "completed" if status == "completed" else "incomplete", text)
        part = {"type": "audio", "transcript": text}
        return [
            self._event("response.output_audio.done", content_index=0),
            self._event("response.output_audio_transcript.done", content_index=0, transcript=text),
            self._event("response.content_part.done", content_index=0, part=part),
            *self._done(0, message, self._before),
        ]

    def _called(self, call: CalledFunction) -> list[Record]:
        item, place = f"item_{secrets.token_hex(10)}", len(self._output)
        before = self._order.append(item)
        record = {"id": item, "object": "realtime.item", "type": "function_call", "call_id": call.id, "name": call.name}
        called = {"item_id": item, "output_index": place, "call_id": call.id}
        kind = "response.function_call_arguments"
        return [
            *self._added(place, {**record, "status": "in_progress", "arguments": ""}, before),
            self._event(f"{kind}.delta", **called, delta=call.arguments),
            self._event(f"{kind}.done", **called, name=call.name, arguments=call.arguments),
            *self._done(place, {**record, "status": "completed", "arguments": call.arguments}, before),
        ]

    def _added(self, place: int, item: Record, before: str | None) -> list[Record]:
        return [
            {"type": "response.output_item.added", "response_id": self.id, "output_index": place, "item": item},
            {"type": "conversation.item.added", "previous_item_id": before, "item": item},
        ]

    def _done(self, place: int, item: Record, before: str | None) -> list[Record]:
        self._output.append(item)
        return [
            {"type": "response.output_item.done", "response_id": self.id, "output_index": place, "item": item},
            {"type": "conversation.item.done", "previous_item_id": before, "item": item},
        ]

    def _message(self, item: str, status: str, transcript: str | None) -> Record:
        content = [] if transcript is None else [{"type": "output_audio", "transcript": transcript}]
        return {
            "id": item, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
            "content": content,
        }  # fmt: skip

    def _delta(self, text: str) -> Record:
        return self._event("response.output_audio_transcript.delta", content_index=0, delta=text)

    def _event(self, kind: str, **fields: Any) -> Record:
        return {"type": kind, "response_id": self.id, "item_id": self.item, "output_index": 0, **fields}


def truncated(item: str, heard_ms: int) -> Record:
    """The event that only a part of an item was heard."""
    return {"type": "conversation.item.truncated", "item_id": item, "content_index": 0, "audio_end_ms": heard_ms}
