"""Messages of sessions in which the server answers aloud."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serve.protocols.message_base import Event, Milliseconds

_Pause = Annotated[int, Meta(ge=100, le=5000)]
_Name = Annotated[str, Meta(max_length=200)]
_Text = Annotated[str, Meta(max_length=20_000)]


class Conversing(Struct, forbid_unknown_fields=True, frozen=True):
    """How the server answers. Durations in milliseconds."""

    language: _Name = ""
    """Of its voice; empty: that of the turn if there is a voice for it, else English."""
    voice: _Name = ""
    """Empty: the default voice of the language."""
    rate: Annotated[float, Meta(ge=0.5, le=2.0)] = 1.0
    """Speed relative to the voice's own."""
    instructions: _Text = ""
    """What the answering model is told first; empty: what the server tells it."""
    tools: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """Functions that the answering model may call, as its endpoint takes them."""
    automatic: bool = True
    """Whether pauses end turns; otherwise `respond` asks for each reply."""
    interruptible: bool | None = None
    """Whether speech over our voice interrupts it; null: if `automatic`."""
    turn_model: bool = True
    """Whether text and voice decide, too, when a turn is over; otherwise pauses of `pause_ms` do."""
    pause_ms: _Pause = 500
    """Pause that ends a turn."""
    sure_pause_ms: _Pause = 250
    """Pause that ends a turn that is surely complete."""
    doubtful_pause_ms: _Pause = 1100
    """Pause that ends a turn that hardly is; in between, the likelier the shorter."""
    lead_ms: Annotated[int, Meta(ge=50, le=5000)] = 200
    """Audio that the client may have and not have played yet; it plays what comes at once."""
    forgets: bool = True
    """Whether the client drops what it has not played when `reply_held` or `reply_truncated` comes."""


# Client messages


class Respond(Struct, tag="respond", forbid_unknown_fields=True):
    """Asks for a reply to all that has been said; one that is under way ends."""

    instructions: _Text = ""
    """In the place of those of the session, for this reply."""


class CancelReply(Struct, tag="cancel_reply", forbid_unknown_fields=True):
    """Ends the reply that is under way."""


class KeepSaid(Struct, tag="keep_said", forbid_unknown_fields=True):
    """What has been said since the last pause stays in the turn or, unless it was kept before, is forgotten. What was
    asked for by `finalize` before it is part of that."""

    keep: bool


class UserText(Struct, tag="user_text", forbid_unknown_fields=True):
    """Something that the user has written instead of said; `respond` asks for the reply."""

    text: _Text


class ToolResult(Struct, tag="tool_result", forbid_unknown_fields=True):
    """What a function that a reply has called returned; `respond` asks for the next reply."""

    id: _Name
    text: _Text


class UpdateDialogue(Struct, tag="update_dialogue", forbid_unknown_fields=True):
    """Changes how the server answers from the next reply on; fields that are not given have their defaults."""

    dialogue: Conversing


DialogueRequest = UpdateDialogue | Respond | CancelReply | KeepSaid | UserText | ToolResult


# Server messages


class ReplyWord(Struct, forbid_unknown_fields=True):
    """A word of a reply. Times count from its beginning."""

    text: str
    start_ms: Milliseconds
    end_ms: Milliseconds


class CalledFunction(Struct, forbid_unknown_fields=True):
    """A function that a reply calls."""

    id: str
    name: str
    arguments: str
    """JSON."""


class TurnMessage(Event, tag="turn"):
    """The user's turn is over, or a reply was asked for without one; it follows."""

    reply: int
    text: str
    language: str | None
    speech_end_ms: Milliseconds | None


class TurnReopenedMessage(Event, tag="turn_reopened"):
    """The user goes on before anything of the reply was heard: the turn was not over."""

    reply: int


class ReplyStarted(Event, tag="reply_started"):
    """A reply begins to be heard. `stages`: milliseconds from the user's last speech to each stage."""

    reply: int
    sample_rate: int
    stages: dict[str, int]


class ReplyAudio(Event, tag="reply_audio"):
    """The next samples of a reply are in the binary message behind this: 16 bits, little-endian, mono."""

    reply: int
    start_ms: Milliseconds
    """Where they begin in the reply."""
    words: list[ReplyWord]
    """Those that begin in them."""
    last: bool = False
    """Whether the reply is known to end with them."""
    pcm: bytes | UnsetType = UNSET
    """Never in the text message."""


class ReplyHeld(Event, tag="reply_held"):
    """The voice waits because somebody speaks. The client is silent at once, and drops what it has not played."""

    reply: int
    played_ms: Milliseconds


class ReplyResumed(Event, tag="reply_resumed"):
    """The voice goes on: it was no interruption."""

    reply: int


class ReplyTruncated(Event, tag="reply_truncated"):
    """The reply was interrupted. The client is silent at once, and drops what it has not played."""

    reply: int
    text: str
    """What was heard of it, up to the word."""
    played_ms: Milliseconds


class ReplyDone(Event, tag="reply_done"):
    """The whole reply has been heard."""

    reply: int
    text: str
    calls: list[CalledFunction]


class ReplyFailedMessage(Event, tag="reply_failed"):
    """There is no answer, or it cannot be said."""

    reply: int
    message: str


class ReplyText(Event, tag="reply_text"):
    """The next text of a reply, as it is asked to be said."""

    reply: int
    delta: str


DialogueEvent = (
    TurnMessage | TurnReopenedMessage | ReplyStarted | ReplyText | ReplyAudio | ReplyHeld | ReplyResumed
    | ReplyTruncated | ReplyDone | ReplyFailedMessage
)  # fmt: skip
