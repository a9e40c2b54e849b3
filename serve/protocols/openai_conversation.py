"""`/v1/realtime`: OpenAI's realtime conversations, in which the server answers aloud.

A user's item is a segment, or with `turn_detection: null` the audio between two commits. What a reply is heard of, the
server knows: it sends audio at the pace at which it is played, and ends replies that are interrupted by itself.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from serve.net.websocket import ProtocolAdapter, Reply
from serve.protocols import wire
from serve.protocols.dialogue_messages import (
    CancelReply,
    KeepSaid,
    Respond,
    ToolResult,
    TurnMessage,
    UpdateDialogue,
    UserText,
)
from serve.protocols.openai_conversation_settings import (
    ConversationSettings,
    GivenConversation,
    GivenConversationUpdate,
    VoiceChooser,
    check_modalities,
)
from serve.protocols.openai_events import InvalidEvent, SessionEvents, audio_of, convert, failed, messages_of
from serve.protocols.openai_items import FlushReason, ItemOrder, Items, Record
from serve.protocols.openai_realtime import OpenAiRealtime
from serve.protocols.openai_responses import Responses, truncated
from serve.protocols.openai_sessions import check_language
from serve.protocols.openai_speech import chosen_voice
from serve.sessions.mouth import Mouth
from serve.sessions.options import Facts

_REFUSED_UPDATES = ("bad_config", "unknown_language")
"""Errors that replace `updated`, unless they are about the dialogue."""
_Text = Annotated[str, Meta(max_length=20_000)]
_Id = Annotated[str, Meta(min_length=1, max_length=200)]

Meant = list[wire.ClientMessage | bytes | Reply]


class GivenContent(Struct):
    """A part of a message."""

    type: str
    text: _Text = ""


class GivenMessage(Struct, tag="message"):
    """Something that was said."""

    role: str
    content: Annotated[list[GivenContent], Meta(min_length=1, max_length=64)]
    id: _Id | None = None


class GivenResult(Struct, tag="function_call_output"):
    """What a function returned."""

    call_id: _Id
    output: _Text
    id: _Id | None = None


class GivenItem(Struct):
    """`conversation.item.create`."""

    item: GivenMessage | GivenResult
    previous_item_id: _Id | None = None


class GivenTruncation(Struct):
    """`conversation.item.truncate`."""

    item_id: _Id
    audio_end_ms: Annotated[int, Meta(ge=0)]
    content_index: Literal[0] = 0


class WantedResponse(Struct):
    """`response` of `response.create`; what else it may have is that of the session."""

    instructions: _Text | None = None
    metadata: Annotated[dict[_Id, Annotated[str, Meta(max_length=512)]], Meta(max_length=16)] | None = None
    output_modalities: list[str] | None = None
    modalities: list[str] | None = None
    conversation: str | None = None
    input: list[Any] | None = None
    tools: list[Any] | None = None


class GivenResponse(Struct):
    """`response.create`."""

    response: WantedResponse | None = None


class GivenCancellation(Struct):
    """`response.cancel`."""

    response_id: _Id | None = None


class OpenAiConversation:
    """Adapter of one connection. The session starts with the first audio, item or response, so the format can be set
    before. It is a transcription session if its first update says so.

    Args:
        languages: codes of the languages that the model knows.
        choose: finds our voices.
        model: as the client calls it.
    """

    resumable = False

    def __init__(self, languages: Collection[str], choose: VoiceChooser, model: str) -> None:
        self._known, self._choose, self._model = languages, choose, model
        self._events = SessionEvents()
        self._settings = ConversationSettings()
        self._asked: deque[ConversationSettings] = deque()
        order = ItemOrder()
        self._order, self._items, self._responses = order, Items(order, early=False), Responses(order)
        self._begun = self._fresh = self._updated = self._wanted = False
        self._other: OpenAiRealtime | None = None
        self._meanings: Mapping[str, Callable[[dict[str, Any]], Meant]] = {
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "session.update": self._update,
            "conversation.item.create": self._create,
            "conversation.item.truncate": self._truncate,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    def greet(self) -> list[wire.Frame]:
        """`session.created` with the default settings."""
        return [self._events.write(self._described("created", self._settings))]

    def incoming(self, frame: wire.Frame) -> Meant:
        """Convert an event into messages; see `messages_of`."""
        if self._other is not None:
            return self._other.incoming(frame)
        return messages_of(frame, self._meaning, self._events.write)

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        """Convert a message into events."""
        if self._other is not None:
            return self._other.outgoing(message)
        records = [*self._items.take(message), *self._responses.take(message)]
        if isinstance(message, TurnMessage):
            self._wanted = False
        elif isinstance(message, wire.Updated):
            settings = self._asked.popleft()
            self._configure(settings)
            records.append(self._described("updated", settings))
        elif isinstance(message, wire.Error):
            if message.code in _REFUSED_UPDATES and message.param != "dialogue" and self._asked:
                self._asked.popleft()
            records.append(failed(message))
        return [self._events.write(record) for record in records]

    def _meaning(self, event: dict[str, Any]) -> Meant:
        kind = event.get("type")
        if not self._begun and not self._updated and _transcribes(event):
            self._other = OpenAiRealtime(self._known, self._events)
            return self._other.meaning(event)
        if isinstance(kind, str) and kind in self._meanings:
            return self._meanings[kind](event)
        if isinstance(kind, str) and kind in _NOT_SUPPORTED:
            raise InvalidEvent("not_supported", f"{kind}: {_NOT_SUPPORTED[kind]}", "type")
        raise InvalidEvent("invalid_value", f"there is no event {kind!r}", "type")

    # Audio

    def _append(self, event: dict[str, Any]) -> Meant:
        data = audio_of(event, whole=self._settings.input.format.type == "audio/pcm")
        if not data:
            return []
        self._fresh = True
        return self._started([data])

    def _commit(self, event: dict[str, Any]) -> Meant:
        if not self._fresh:
            raise InvalidEvent("input_audio_buffer_commit_empty", "there is no audio to commit")
        return self._flush(FlushReason.commit)

    def _clear(self, event: dict[str, Any]) -> Meant:
        return self._flush(FlushReason.clear) if self._begun else self._tell({"type": "input_audio_buffer.cleared"})

    def _flush(self, kind: FlushReason) -> Meant:
        self._fresh = False
        self._items.flushes.append(kind)
        return [wire.Finalize(), KeepSaid(kind is FlushReason.commit)]

    # Items and responses

    def _create(self, event: dict[str, Any]) -> Meant:
        given = convert(event, GivenItem)
        if given.previous_item_id not in (None, self._order.last):
            text = "items are added behind the last one"
            raise InvalidEvent("not_supported", text, "previous_item_id")
        item = given.item
        message = ToolResult(item.call_id, item.output) if isinstance(item, GivenResult) else UserText(_text_of(item))
        name = item.id or f"item_{secrets.token_hex(10)}"
        record: Record = {"id": name, "object": "realtime.item", "status": "completed"}
        if isinstance(item, GivenResult):
            record |= {"type": "function_call_output", "call_id": item.call_id, "output": item.output}
        else:
            content = [{"type": "input_text", "text": part.text} for part in item.content]
            record |= {"type": "message", "role": "user", "content": content}
        place = {"previous_item_id": self._order.append(name), "item": record}
        told = [{"type": f"conversation.item.{what}", **place} for what in ("added", "done")]
        return [*self._tell(*told), *self._started([message])]

    def _truncate(self, event: dict[str, Any]) -> Meant:
        given, responses = convert(event, GivenTruncation), self._responses
        if given.item_id == responses.speaking:
            return self._cancel({})
        if given.item_id != responses.spoken:
            raise InvalidEvent("invalid_value", f"{given.item_id!r} is not the last item that was said", "item_id")
        if responses.truncated_ms is None:
            raise InvalidEvent("invalid_value", f"{given.item_id!r} has been heard to its end", "audio_end_ms")
        return self._tell(truncated(given.item_id, responses.truncated_ms))

    def _respond(self, event: dict[str, Any]) -> Meant:
        wanted = convert(event, GivenResponse).response or WantedResponse()
        if self._wanted or self._responses.active is not None:
            text = "a response is under way; cancel it or wait for response.done"
            raise InvalidEvent("conversation_already_has_active_response", text)
        if wanted.conversation not in (None, "auto") or wanted.input:
            text = "responses answer the conversation of the session"
            raise InvalidEvent("not_supported", text, "response.input" if wanted.input else "response.conversation")
        if wanted.tools:
            raise InvalidEvent("not_supported", "functions are given with session.update", "response.tools")
        check_modalities(wanted.output_modalities or wanted.modalities, "response.output_modalities")
        self._wanted, self._responses.metadata = True, wanted.metadata or {}
        return self._started([Respond(wanted.instructions or "")])

    def _cancel(self, event: dict[str, Any]) -> Meant:
        named = convert(event, GivenCancellation).response_id
        active = self._responses.active
        if (active is None and not self._wanted) or named not in (None, active):
            raise InvalidEvent("response_cancel_not_active", "there is no such response under way", "response_id")
        self._responses.cancel()
        return [CancelReply()]

    # Settings

    def _update(self, event: dict[str, Any]) -> Meant:
        given = convert(event, GivenConversationUpdate).session
        settings = self._changed(given)
        self._settings, self._updated = settings, True
        if self._begun:
            self._asked.append(settings)
            update = wire.Update(
                languages=settings.input.languages(), endpointing=settings.endpointing(), plain=settings.input.plain
            )
            return [UpdateDialogue(settings.dialogue()), update]
        self._configure(settings)
        return self._tell(self._described("updated", settings))

    def _changed(self, given: GivenConversation) -> ConversationSettings:
        if given.type == "transcription":
            raise InvalidEvent("not_supported", "a conversation stays one", "session.type")
        if isinstance(given.type, str) and given.type != "realtime":
            raise InvalidEvent("invalid_value", f"there is no type {given.type!r}", "session.type")
        settings = self._settings.changed(given, self._choose)
        if self._begun and settings.input.format.params() != self._settings.input.format.params():
            text = "the format can be set before the session begins to listen or answer only"
            raise InvalidEvent("audio_format_fixed", text, "session.audio")
        for name in settings.input.languages():
            check_language(name, self._known)
        return settings

    def _configure(self, settings: ConversationSettings) -> None:
        listening = settings.input
        self._items.configure(manual=listening.turn_detection is None, beta=False, logprobs=listening.logprobs)
        self._responses.settings = settings

    def _started(self, messages: list[wire.ClientMessage | bytes]) -> Meant:
        """The messages, behind that which starts the session if it has not begun."""
        if self._begun:
            return [*messages]
        self._begun, settings = True, self._settings
        start = wire.StartMessage(
            audio=settings.input.format.params(),
            languages=settings.input.languages(),
            endpointing=settings.endpointing(),
            plain=settings.input.plain,
            interim="append",
            dialogue=settings.dialogue(),
        )
        return [start, *messages]

    def _described(self, what: str, settings: ConversationSettings) -> Record:
        return {"type": f"session.{what}", "session": settings.to_dict(self._events.session, self._model)}

    def _tell(self, *records: Record) -> Meant:
        return [Reply(self._events.write(record)) for record in records]


_NOT_SUPPORTED = {
    "conversation.item.delete": "items cannot be removed",
    "conversation.item.retrieve": "items are not kept",
    "output_audio_buffer.clear": "the client keeps what it plays; response.cancel ends the response",
    "transcription_session.update": "a conversation stays one",
}


def realtime(query: Mapping[str, str], facts: Facts, mouth: Mouth | None) -> ProtocolAdapter:
    """The adapter of a connection.

    Args:
        query: parameters of the URL.
        facts: of the server.
        mouth: of the server; None: it does not answer.
    """
    if mouth is None or query.get("intent") == "transcription":
        return OpenAiRealtime(facts.languages)
    choose = partial(chosen_voice, mouth.speaker)
    return OpenAiConversation(facts.languages, choose, query.get("model") or facts.model.id)


def _transcribes(event: dict[str, Any]) -> bool:
    """Whether an update asks for a session that only listens."""
    given = event.get("session")
    asked = isinstance(given, dict) and given.get("type") == "transcription"
    return event.get("type") == "transcription_session.update" or (event.get("type") == "session.update" and asked)


def _text_of(message: GivenMessage) -> str:
    """The text of a user's message. Raises InvalidEvent if it is something else."""
    if message.role != "user":
        text = f"messages of {message.role[:40]!r}: the user's can be added; instructions belong to the session"
        raise InvalidEvent("not_supported", text, "item.role")
    for place, part in enumerate(message.content):
        if part.type != "input_text":
            text = f"{part.type[:40]!r}: a message that is added has input_text"
            raise InvalidEvent("not_supported", text, f"item.content[{place}].type")
    return "\n".join(part.text for part in message.content)
