"""Our side of a dialogue: one reply at a time, asked for, said, heard, held, and cut where it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence

from speech.dialogue.actions import (
    Action,
    Ask,
    Continued,
    Drop,
    Held,
    Replied,
    ReplyBegun,
    ReplyFailed,
    Say,
    Sound,
    Truncated,
    TurnReopened,
    TurnTaken,
)
from speech.dialogue.answers.answerer import AnswerPart, ChatMessage, TextPiece
from speech.dialogue.history import History
from speech.dialogue.playout import Playout
from speech.dialogue.reply import ReplyUnderWay
from speech.dialogue.settings import DialogueSettings
from speech.dialogue.stages import Stages
from speech.dialogue.turns import UserTurn
from speech.tts.speech_stream import SpeechPacket


class OurVoice:
    """Pure: times `now` are seconds of any clock that goes forward.

    Args:
        settings: of the dialogue; may be changed.
        sample_rate: Hz.

    Attributes:
        history: what has been said, with what was heard of our replies.
        reply: the one under way; None: there is none.
        actions: what is to be done, in order; the reader clears it.
    """

    def __init__(self, settings: DialogueSettings, sample_rate: int) -> None:
        self.settings, self._rate = settings, sample_rate
        self.history = History(settings.instructions)
        self.actions: list[Action] = []
        self.reply: ReplyUnderWay | None = None
        self._count, self._there = 0, True

    @property
    def speaks(self) -> bool:
        """Whether there is a reply to a turn that is over: it is heard, or will be."""
        return self.reply is not None and self.reply.released

    def ask(self, turn: UserTurn | None, messages: Sequence[ChatMessage], stages: Stages) -> ReplyUnderWay:
        """Ask for a reply, in the place of one that nobody has heard of.

        Args:
            turn: what it answers, if anything.
            messages: what the answering model reads.
            stages: times so far.
        """
        self.drop()
        self.reply = reply = ReplyUnderWay(self._count, turn, Playout(self._rate, self.settings.lead_s), stages)
        self._count += 1
        self.actions.append(Ask(reply.number, tuple(messages), turn))
        return reply

    def release(self, now: float) -> None:
        """The turn is over: the reply to it may be heard."""
        reply = self.reply
        assert reply is not None
        reply.released, reply.stages.endpoint = True, now
        if reply.turn is not None:
            self.history.add(ChatMessage("user", reply.turn.text))
        self.actions.append(TurnTaken(reply.number, reply.turn))

    def answered(self, number: int, part: AnswerPart, now: float) -> None:
        """A part of an answer has come; as all below of this kind, ignored if the reply is over."""
        reply = self._current(number)
        if reply is None:
            return
        if isinstance(part, TextPiece):
            reply.answer(part.text, now)
            self.actions.append(Say(number, part.text, last=False))
        else:
            reply.calls.append(part)

    def answer_ended(self, number: int) -> None:
        """An answer is complete."""
        if self._current(number) is not None:
            self.actions.append(Say(number, "", last=True))

    def spoken(self, number: int, packet: SpeechPacket, now: float) -> None:
        """Speech of a reply has been made."""
        reply = self._current(number)
        if reply is not None:
            reply.spoken(packet, now)

    def speech_ended(self, number: int) -> None:
        """All speech of a reply has been made."""
        reply = self._current(number)
        if reply is not None:
            reply.playout.finish()

    def failed(self, number: int, why: str) -> None:
        """There is no answer, or it cannot be said: what has been made of it is still heard."""
        reply = self._current(number)
        if reply is not None:
            reply.failed = reply.failed or why
            reply.playout.finish()

    def next_s(self, now: float) -> float | None:
        """When `play` has something to do; None: not before something else happens."""
        reply = self._playing()
        if reply is None:
            return None
        due_s = reply.playout.next_s(now, self.settings.step_s)
        return reply.playout.ends_s(now) if due_s is None else due_s

    def play(self, now: float) -> None:
        """Let samples leave that are due, and end the reply once all has been heard."""
        reply = self._playing()
        if reply is None:
            return
        begun = reply.sounds
        samples, start_s = reply.sound(now)
        if len(samples):
            if not begun:
                self.actions.append(ReplyBegun(reply.number, reply.stages))
            words = reply.playout.words_between(start_s, start_s + len(samples) / self._rate)
            self.actions.append(Sound(reply.number, samples, tuple(words), start_s, reply.playout.all_sent))
        if reply.playout.over(now):
            self._end(reply, now)

    def hold(self, now: float) -> None:
        """Wait at once, with a reply that is heard or will be."""
        reply = self.reply
        if reply is None or not reply.released or reply.held:
            return
        reply.held = True
        reply.playout.hold(now, again=self.settings.forgets)
        if reply.sounds:
            self.actions.append(Held(reply.number, reply.playout.played_s(now)))

    def go_on(self) -> None:
        """Go on with a reply that waits."""
        if self.reply is not None and self.reply.held:
            self.reply.held = False
            if self.reply.sounds:
                self.actions.append(Continued(self.reply.number))

    def truncate(self, now: float) -> UserTurn | None:
        """End the reply with what was heard of it.

        Returns:
            The turn that it answered, if nothing was heard of it: that turn is not over.
        """
        reply = self.reply
        assert reply is not None
        self.reply = None
        self.actions.append(Drop(reply.number))
        if reply.turn is not None and not reply.sounds:
            self.history.take_back(reply.turn.text)
            self.actions.append(TurnReopened(reply.number))
            return reply.turn
        text = reply.heard(now)
        if text:
            self.history.add(ChatMessage("assistant", text))
        self.actions.append(Truncated(reply.number, text, reply.playout.played_s(now)))
        return None

    def drop(self) -> None:
        """Forget a reply that nobody has heard of."""
        if self.reply is not None:
            self.actions.append(Drop(self.reply.number))
            self.reply = None

    def listened_to(self, now: float, *, there: bool) -> None:
        """Somebody listens again, or nobody does: then it waits, and goes on with the word that was cut."""
        self._there = there
        if self.reply is not None and not there:
            self.reply.playout.hold(now, again=True)

    def _current(self, number: int) -> ReplyUnderWay | None:
        return self.reply if self.reply is not None and self.reply.number == number else None

    def _playing(self) -> ReplyUnderWay | None:
        """The reply that is heard now, if any."""
        reply = self.reply
        return reply if reply is not None and reply.released and not reply.held and self._there else None

    def _end(self, reply: ReplyUnderWay, now: float) -> None:
        self.reply = None
        text = reply.heard(now) if reply.failed else reply.text
        if text or reply.calls:
            self.history.add(ChatMessage("assistant", text.strip(), tuple(reply.calls)))
        if reply.failed:
            self.actions.append(ReplyFailed(reply.number, reply.failed))
        else:
            self.actions.append(Replied(reply.number, reply.text, tuple(reply.calls)))
