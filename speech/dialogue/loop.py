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

import math
from collections.abc import Sequence

from speech.dialogue.actions import Action
from speech.dialogue.settings import DialogueSettings
from speech.dialogue.stages import Stages
from speech.dialogue.turns import EndJudge, Listening, OverSpeech, TurnTaking
from speech.dialogue.voice import OurVoice
from speech.events import EndpointEvent, Event, SpeechEvent, TranscriptEvent


class Dialogue:
    """See the module's docstring.

    Args:
        settings: of the dialogue.
        sample_rate: of our voice, in Hz.
        end_of_turn: judges whether a turn is over; None: pauses decide alone.
        listening: judges whether words only show that somebody listens.

    Attributes:
        voice: our side: takes answers and speech, and has the history.
    """

    def __init__(
        self,
        settings: DialogueSettings,
        *,
        sample_rate: int,
        end_of_turn: EndJudge | None = None,
        listening: Listening = lambda text, language, confidence, seconds: False,
    ) -> None:
        self.settings, self._listening, self._end_of_turn = settings, listening, end_of_turn
        self.voice = OurVoice(settings, sample_rate)
        self._turns = TurnTaking(settings.rules, end_of_turn if settings.judged else None)
        self._over: OverSpeech | None = None
        self._unasked = False
        """Whether a turn may be complete whose answer could not be asked for yet."""

    def configure(self, settings: DialogueSettings) -> None:
        """Change how the dialogue is led, from the next reply on."""
        self.settings = self.voice.settings = settings
        self.voice.history.instructions = settings.instructions
        self._turns.rules, self._turns.end_of_turn = settings.rules, self._end_of_turn if settings.judged else None

    def drain(self) -> list[Action]:
        """What is to be done since the last call, in order."""
        actions, self.voice.actions = self.voice.actions, []
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
                self._turns.endpoint(event.speech_end_s, event.over)
                ended = event.reason != "max_length"
            elif isinstance(event, TranscriptEvent):
                self._transcript(event, received_s, now)
        if ended and self._over is not None:  # its words, if there were any, have been judged
            self._over.ended(self._turns.speech_end_s)
        self.tick(received_s, now)

    def tick(self, received_s: float, now: float) -> None:
        """Let time pass: call it whenever audio has come, something of a reply was made, and at `voice.next_s`."""
        if self._over is not None and self._over.nothing(received_s):
            self._go_on()
        prepared = self.voice.reply is not None and not self.voice.speaks
        if self.settings.automatic and prepared and self._turns.over(received_s):
            self._turns.settle()
            self.voice.release(now)
        self.voice.play(now)
        if self._unasked and self.voice.reply is None:
            self._unasked = False
            if self._turns.complete:
                self._prepare(received_s, now)

    def respond(self, now: float, instructions: str = "") -> int:
        """Ask for a reply to all that has been said, now.

        Args:
            now: the time.
            instructions: in the place of those of the dialogue, for this reply.

        Returns:
            Its number.
        """
        self.cancel(now)
        turn = None if self._turns.empty else self._turns.settle()
        said = "" if turn is None else turn.text
        reply = self.voice.ask(turn, self.voice.history.messages(said, instructions=instructions), Stages())
        self.voice.release(now)
        return reply.number

    def cancel(self, now: float) -> None:
        """End the reply here, if there is one."""
        if self.voice.speaks:
            self._truncate(now)
        else:
            self.voice.drop()

    def keep_said(self, *, keep: bool) -> None:
        """What has been said since the last pause stays in the turn or, unless it was kept before, is forgotten."""
        if keep:
            self._turns.keep()
        elif self._turns.forget() and not self.voice.speaks and self.voice.reply is not None:
            self.voice.drop()
            self._unasked = self.settings.automatic

    # Internal

    def _speech(self, event: SpeechEvent, now: float) -> None:
        if not event.started:
            self._turns.stopped(event.at_s)
            return
        self._turns.started()
        if self._over is not None:
            self._over.again(event.at_s)
        elif self.voice.speaks and self.settings.interrupts:
            self._over = OverSpeech(event.at_s, self.settings.rules)
            self.voice.hold(now)

    def _transcript(self, event: TranscriptEvent, received_s: float, now: float) -> None:
        language = event.language
        if self.settings.interrupts and self.voice.speaks:
            if not self._interrupts(event, language, received_s):
                return
            self._truncate(now)
        if not event.is_final:
            return
        complete = self._turns.final(event.text, language, goes_on=event.reason == "max_length")
        if event.reason not in ("client", "max_length"):
            self._turns.keep()
        if complete and self.settings.automatic:
            self._unasked = self.voice.speaks
            if not self._unasked:
                self._prepare(received_s, now)

    def _interrupts(self, event: TranscriptEvent, language: str | None, received_s: float) -> bool:
        """Whether words over our voice end its reply."""
        if not event.text:
            return False
        confidence = min((word.confidence for word in event.words), default=0.0)
        over, text, seconds = self._over, event.text, math.inf
        if over is not None:
            over.worded()
            if not event.is_final and over.short(text, received_s):
                return False
            text = over.text_with(text)
            seconds = over.lasted_s(self._turns.speech_end_s if event.is_final else received_s)
        if not self._listening(text, language, confidence, seconds):
            return True
        if over is not None and event.is_final:
            over.listened(event.text)
        return False

    def _prepare(self, received_s: float, now: float) -> None:
        """Ask for the answer to a turn that may be over."""
        turn = self._turns.so_far()
        stages = Stages(speech_end=now - (received_s - turn.speech_end_s), final=now)
        self.voice.ask(turn, self.voice.history.messages(turn.text), stages)

    def _go_on(self) -> None:
        """What was said over our voice, if anything, does not interrupt it."""
        self._over = None
        self.voice.go_on()

    def _truncate(self, now: float) -> None:
        """End the reply with what was heard of it; the turn goes on if that was nothing."""
        self._over = None
        turn = self.voice.truncate(now)
        if turn is not None:
            self._turns.reopen(turn)
