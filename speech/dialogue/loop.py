"""The loop of a spoken dialogue: what is heard, answered, said and played goes in, what is to be done comes out.

    dialogue = Dialogue(settings, sample_rate=24_000)
    dialogue.hear(events_of_a_live_session, received_s, now)
    for action in dialogue.drain():
        ...  # ask, say, send samples

Listening never stops. The answer is asked for, and its first sentence said, while the pause that ends the turn is still
under way; nothing of it is heard before the turn is over. Speech over our voice makes it wait at once; words that are
no mere sign of listening end the reply, else it goes on.

Pure: no sockets, threads or clock; times `now` are seconds of any clock that goes forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from speech.dialogue.actions import (
    Action,
    Ask,
    Drop,
    Held,
    Replied,
    ReplyBegun,
    ReplyFailed,
    Resumed,
    Say,
    Sound,
    Truncated,
    TurnReopened,
    TurnTaken,
)
from speech.dialogue.answers.answerer import AnswerPart, ChatMessage, TextPiece
from speech.dialogue.history import History
from speech.dialogue.playout import Playout
from speech.dialogue.reply import Reply
from speech.dialogue.stages import Stages
from speech.dialogue.turns import Backchannel, EndOfTurn, Interruption, Turn, TurnRules, TurnTaking
from speech.events import EndpointEvent, Event, SpeechEvent, TranscriptEvent
from speech.ranges import check, ranged
from speech.tts.speech_stream import SpeechPacket


@dataclass(frozen=True, kw_only=True)
class DialogueSettings:
    """How a dialogue is led."""

    rules: TurnRules = field(default_factory=TurnRules)
    judged: bool = True
    """Whether the text decides, too, when a turn is over."""
    automatic: bool = True
    """Whether pauses end turns; otherwise replies are asked for by `respond`."""
    interruptible: bool | None = None
    """Whether speech over our voice interrupts it; None: if `automatic`."""
    lead_s: float = ranged(0.2, least=0.05, most=5.0)
    """Audio that may be with the listener and not played yet."""
    forgets: bool = True
    """Whether a listener that is told `Held` forgets what it has not played."""
    step_s: float = ranged(0.04, least=0.01, most=1.0)
    """Audio that leaves at once."""
    instructions: str = ""
    """What the answering model is told first."""

    def __post_init__(self) -> None:
        check(self, "dialogue")

    @property
    def interrupts(self) -> bool:
        """`interruptible` with its default resolved."""
        return self.automatic if self.interruptible is None else self.interruptible


class Dialogue:
    """See the module's docstring.

    Args:
        settings: of the dialogue.
        sample_rate: of our voice, in Hz.
        end_of_turn: judges whether a turn is over; None: pauses decide alone.
        backchannel: judges whether words only show that somebody listens.
    """

    def __init__(
        self,
        settings: DialogueSettings,
        *,
        sample_rate: int,
        end_of_turn: EndOfTurn | None = None,
        backchannel: Backchannel = lambda text, language: False,
    ) -> None:
        self.settings, self._rate, self._backchannel = settings, sample_rate, backchannel
        self.history = History(settings.instructions)
        self._end_of_turn = end_of_turn
        self._turns = TurnTaking(settings.rules, end_of_turn if settings.judged else None)
        self._actions: list[Action] = []
        self._reply: Reply | None = None
        self._over: Interruption | None = None
        self._count, self._there = 0, True
        self._unasked = False
        """Whether a turn may be complete whose answer could not be asked for yet."""

    def configure(self, settings: DialogueSettings) -> None:
        """Change how the dialogue is led, from the next reply on."""
        self.settings, self.history.instructions = settings, settings.instructions
        self._turns.rules, self._turns.end_of_turn = settings.rules, self._end_of_turn if settings.judged else None

    def drain(self) -> list[Action]:
        """What is to be done since the last call, in order."""
        actions, self._actions = self._actions, []
        return actions

    def hear(self, events: Sequence[Event], received_s: float, now: float) -> None:
        """Take events of the live session.

        Args:
            events: in order.
            received_s: seconds of the user's audio that have been received.
            now: the time.
        """
        ended = False
        for event in events:
            if isinstance(event, SpeechEvent):
                self._speech(event, now)
            elif isinstance(event, EndpointEvent):
                self._turns.endpoint(event.speech_end_s)
                ended = event.reason != "max_length"
            elif isinstance(event, TranscriptEvent):
                self._transcript(event, received_s, now)
        if ended and self._over is not None:  # its words, if there were any, have been judged
            self._goes_on(now)
        self.tick(received_s, now)

    def tick(self, received_s: float, now: float) -> None:
        """Let time pass: call it whenever audio has come, and at `next_s`."""
        if self._over is not None and self._over.deaf(received_s):
            self._goes_on(now)
        reply = self._reply
        if self.settings.automatic and reply is not None and not reply.released and self._turns.over(received_s):
            self._release(reply, now)
        self._play(now)
        if self._unasked and self._reply is None:
            self._unasked = False
            if self._turns.complete:
                self._prepare(received_s, now)

    def next_s(self, now: float) -> float | None:
        """When `tick` has something to do although no audio comes; None: not before something else happens."""
        reply = self._reply
        if reply is None or not reply.released or reply.held or not self._there:
            return None
        due_s = reply.playout.next_s(now, self.settings.step_s)
        return reply.playout.ends_s(now) if due_s is None else due_s

    def answered(self, number: int, part: AnswerPart, now: float) -> None:
        """A part of an answer has come."""
        reply = self._current(number)
        if reply is None:
            return
        if isinstance(part, TextPiece):
            reply.answer(part.text, now)
            self._actions.append(Say(number, part.text, last=False))
        else:
            reply.calls.append(part)

    def answer_ended(self, number: int) -> None:
        """An answer is complete."""
        if self._current(number) is not None:
            self._actions.append(Say(number, "", last=True))

    def spoken(self, number: int, packet: SpeechPacket, now: float) -> None:
        """Speech of a reply has been made; `tick` lets it leave."""
        reply = self._current(number)
        if reply is not None:
            reply.spoken(packet, now)

    def speech_ended(self, number: int) -> None:
        """All speech of a reply has been made."""
        reply = self._current(number)
        if reply is not None:
            reply.playout.finish()

    def failed(self, number: int, why: str, now: float) -> None:
        """There is no answer, or it cannot be said: what has been made of it is still heard."""
        reply = self._current(number)
        if reply is not None:
            reply.failed = reply.failed or why
            reply.playout.finish()
            self._play(now)

    def respond(self, now: float, instructions: str = "") -> int:
        """Ask for a reply to all that has been said, now.

        Args:
            now: the time.
            instructions: in the place of those of the dialogue, for this reply.

        Returns:
            Its number.
        """
        self.cancel(now)
        turn = self._turns.settle() if not self._turns.empty else None
        messages = self.history.messages("" if turn is None else turn.text, instructions=instructions)
        reply = self._ask(turn, messages, now)
        self._release(reply, now)
        return reply.number

    def cancel(self, now: float) -> None:
        """End the reply here, if there is one."""
        if self._reply is not None and self._reply.released:
            self._truncate(self._reply, now)
        elif self._reply is not None:
            self._drop()

    def keep_said(self, *, keep: bool) -> None:
        """What has been said since the last pause stays in the turn or, unless it was kept before, is forgotten."""
        if keep:
            self._turns.keep()
        elif self._turns.forget() and self._reply is not None and not self._reply.released:
            self._drop()
            self._unasked = self.settings.automatic

    def listened_to(self, now: float, *, there: bool) -> None:
        """Somebody listens again, or nobody does: then our voice waits, and goes on with the word that was cut."""
        self._there = there
        if self._reply is not None and not there:
            self._reply.playout.hold(now, again=True)

    # Internal

    def _current(self, number: int) -> Reply | None:
        return self._reply if self._reply is not None and self._reply.number == number else None

    def _speech(self, event: SpeechEvent, now: float) -> None:
        if not event.started:
            self._turns.stopped(event.at_s)
            return
        self._turns.started()
        reply = self._reply
        if reply is None or not reply.released or self._over is not None or not self.settings.interrupts:
            return
        self._over = Interruption(event.at_s, self.settings.rules.deaf_s)
        reply.held = True
        reply.playout.hold(now, again=self.settings.forgets)
        if reply.sounds:
            self._actions.append(Held(reply.number, reply.playout.played_s(now)))

    def _transcript(self, event: TranscriptEvent, received_s: float, now: float) -> None:
        language, reply = _language(event), self._reply
        if self.settings.interrupts and reply is not None and reply.released:
            if event.text and self._over is not None:
                self._over.worded()
            if not event.text or self._backchannel(event.text, language):
                return
            self._truncate(reply, now)
        if not event.is_final:
            return
        complete = self._turns.final(event.text, language, goes_on=event.reason == "max_length")
        if event.reason not in ("client", "max_length"):
            self._turns.keep()
        if complete and self.settings.automatic:
            self._unasked = self._reply is not None and self._reply.released
            if not self._unasked:
                self._prepare(received_s, now)

    def _prepare(self, received_s: float, now: float) -> None:
        """Ask for the answer to a turn that may be over."""
        self._drop()
        turn = self._turns.so_far()
        reply = self._ask(turn, self.history.messages(turn.text), now)
        reply.stages.speech_end, reply.stages.final = now - (received_s - turn.speech_end_s), now

    def _ask(self, turn: Turn | None, messages: tuple[ChatMessage, ...], now: float) -> Reply:
        playout = Playout(self._rate, self.settings.lead_s)
        self._reply = reply = Reply(self._count, turn, playout, Stages())
        self._count += 1
        self._actions.append(Ask(reply.number, messages, turn))
        return reply

    def _release(self, reply: Reply, now: float) -> None:
        """The turn is over: the reply may be heard."""
        reply.released, reply.stages.endpoint = True, now
        if reply.turn is not None:
            self.history.add(ChatMessage("user", reply.turn.text))
        if self.settings.automatic:
            self._turns.settle()
        self._actions.append(TurnTaken(reply.number, reply.turn))

    def _play(self, now: float) -> None:
        reply = self._reply
        if reply is None or not reply.released or reply.held or not self._there:
            return
        begun = reply.sounds
        samples, start_s = reply.sound(now)
        if len(samples):
            if not begun:
                self._actions.append(ReplyBegun(reply.number, reply.stages))
            words = reply.playout.words_between(start_s, start_s + len(samples) / self._rate)
            self._actions.append(Sound(reply.number, samples, tuple(words), start_s, reply.playout.all_sent))
        if not reply.playout.over(now):
            return
        self._reply = None
        text = reply.heard(now) if reply.failed else reply.text
        if text or reply.calls:
            self.history.add(ChatMessage("assistant", text.strip(), tuple(reply.calls)))
        if reply.failed:
            self._actions.append(ReplyFailed(reply.number, reply.failed))
        else:
            self._actions.append(Replied(reply.number, reply.text, tuple(reply.calls)))

    def _goes_on(self, now: float) -> None:
        """What was said over our voice does not interrupt it."""
        self._over = None
        reply = self._reply
        if reply is not None and reply.held:
            reply.held = False
            if reply.sounds:
                self._actions.append(Resumed(reply.number))

    def _truncate(self, reply: Reply, now: float) -> None:
        """End a reply with what was heard of it; the turn goes on if that was nothing."""
        self._over = self._reply = None
        played_s, text = reply.playout.played_s(now), reply.heard(now)
        self._actions.append(Drop(reply.number))
        if reply.sounds or reply.turn is None:
            if text:
                self.history.add(ChatMessage("assistant", text))
            self._actions.append(Truncated(reply.number, text, played_s))
            return
        self.history.take_back()
        self._turns.reopen(reply.turn)
        self._actions.append(TurnReopened(reply.number))

    def _drop(self) -> None:
        if self._reply is not None:
            self._actions.append(Drop(self._reply.number))
            self._reply = None


def _language(event: TranscriptEvent) -> str | None:
    """The language of most words."""
    codes = [word.language for word in event.words if word.language is not None]
    return max(dict.fromkeys(codes), key=codes.count) if codes else None
