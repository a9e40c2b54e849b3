"""What a dialogue wants done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speech.dialogue.answers.answerer import ChatMessage, ToolCall
from speech.dialogue.stages import Stages
from speech.dialogue.turns import UserTurn
from speech.tts.speech_stream import SaidWord


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for an answer; it may be dropped before anything of it is heard."""

    reply: int
    """From 0; a number is used once."""
    messages: tuple[ChatMessage, ...]
    turn: UserTurn | None
    """What it answers; None: it was asked for without a turn."""


@dataclass(frozen=True, slots=True)
class Say:
    """Have text said, behind that before it."""

    reply: int
    text: str
    last: bool
    """Whether the reply ends with it."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Neither the answer nor the speech of a reply is wanted any more."""

    reply: int


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """The user's turn is over, and a reply follows."""

    reply: int
    turn: UserTurn | None
    """None: the reply was asked for without a turn."""


@dataclass(frozen=True, slots=True)
class TurnReopened:
    """The user's turn was not over: the reply is dropped before anything of it was heard."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyBegun:
    """The first samples of a reply leave."""

    reply: int
    stages: Stages


@dataclass(frozen=True, slots=True)
class Sound:
    """Send samples to the listener, who plays them at once."""

    reply: int
    samples: np.ndarray
    """`(n,)` float32."""
    words: tuple[SaidWord, ...]
    """Those that begin in them."""
    start_s: float
    """Where they begin in the reply."""
    last: bool = False
    """Whether the reply is known to end with them."""


@dataclass(frozen=True, slots=True)
class Held:
    """Our voice waits: the listener is silent at once and forgets what has not been played."""

    reply: int
    played_s: float


@dataclass(frozen=True, slots=True)
class Continued:
    """Our voice goes on: what it waited for was no interruption."""

    reply: int


@dataclass(frozen=True, slots=True)
class Truncated:
    """The reply was interrupted, and ends with what was heard."""

    reply: int
    text: str
    played_s: float


@dataclass(frozen=True, slots=True)
class Replied:
    """The whole reply has been heard."""

    reply: int
    text: str
    calls: tuple[ToolCall, ...]
    """Functions that are to be called; their results are given before the next reply."""


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """There is no answer, or it cannot be said."""

    reply: int
    why: str


Action = (
    Ask | Say | Drop | TurnTaken | TurnReopened | ReplyBegun | Sound | Held | Continued | Truncated | Replied
    | ReplyFailed
)  # fmt: skip
