"""The dialogue of one session: messages of the client and events of the engine in, messages for the client out."""

from __future__ import annotations

from collections.abc import Sequence

from serve.protocols.dialogue_messages import (
    CalledFunction,
    CancelReply,
    Conversing,
    DialogueEvent,
    DialogueRequest,
    KeepSaid,
    ReplyAudio,
    ReplyDone,
    ReplyFailedMessage,
    ReplyHeld,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    ReplyTruncated,
    ReplyWord,
    Respond,
    ToolResult,
    TurnMessage,
    TurnReopenedMessage,
    UpdateDialogue,
)
from serve.sessions.outbox import Outbox
from speech.audio.output import int16_samples
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
from speech.dialogue.answers.answerer import ChatMessage
from speech.dialogue.loop import Dialogue
from speech.dialogue.settings import DialogueSettings
from speech.dialogue.turns import EndJudge, Listening, TurnRules
from speech.events import Event, milliseconds

Job = Ask | Say | Drop


class Conversation:
    """See the module's docstring. Times `now` are in seconds of any monotonic clock.

    Args:
        options: of the client.
        outbox: takes the messages.
        sample_rate: of our voice, in Hz.
        end_of_turn: judges whether a turn is over.
        listening: judges whether words only show that somebody listens.
        instructions: what the answering model is told if the client tells it nothing.

    Attributes:
        options: of the client.
        dialogue: its state.
        jobs: answers to ask for and texts to say; the reader clears it.
        measured: what the server counts; the reader clears it.
    """

    def __init__(
        self,
        options: Conversing,
        outbox: Outbox,
        sample_rate: int,
        end_of_turn: EndJudge,
        listening: Listening,
        instructions: str = "",
    ) -> None:
        self.options, self._outbox, self._rate, self._instructions = options, outbox, sample_rate, instructions
        settings = settings_of(options, instructions)
        self.dialogue = Dialogue(settings, sample_rate=sample_rate, end_of_turn=end_of_turn, listening=listening)
        self.jobs: list[Job] = []
        self.measured: list[ReplyBegun | Held | Truncated] = []
        self._heard_s = 0.0
        self._written: dict[int, list[str]] = {}
        """Texts of replies that may not be heard yet: their turn may go on."""
        self._released: int | None = None

    def hear(self, events: Sequence[Event], heard_s: float, now: float) -> None:
        """Take events of the engine; speech has been looked for up to `heard_s` of the user's audio."""
        self._heard_s = max(self._heard_s, heard_s)
        self.dialogue.hear(events, self._heard_s, now)
        self.carry_out()

    def tick(self, now: float) -> None:
        """Let time pass."""
        self.dialogue.tick(self._heard_s, now)
        self.carry_out()

    def receive(self, message: DialogueRequest, now: float) -> None:
        """Take a message of the client.

        Raises:
            ConfigError: if pauses are not in order; nothing has changed.
        """
        if isinstance(message, Respond):
            self.dialogue.respond(now, message.instructions)
        elif isinstance(message, CancelReply):
            self.dialogue.cancel(now)
        elif isinstance(message, UpdateDialogue):
            self.dialogue.configure(settings_of(message.dialogue, self._instructions))
            self.options = message.dialogue
        elif isinstance(message, KeepSaid):
            self.dialogue.keep_said(keep=message.keep)
        elif isinstance(message, ToolResult):
            self.dialogue.voice.history.add(ChatMessage("tool", message.text, tool_call_id=message.id))
        else:
            self.dialogue.voice.history.add(ChatMessage("user", message.text))
        self.carry_out()

    def listened_to(self, now: float, *, there: bool) -> None:
        """The client has a connection again, or has none: then its reply waits."""
        self.dialogue.voice.listened_to(now, there=there)
        self.carry_out()

    def carry_out(self) -> None:
        """Write the messages of what the dialogue wants done, and collect the jobs."""
        for action in self.dialogue.drain():
            for message in self._messages(action):
                self._outbox.put(message)

    def _messages(self, action: Action) -> list[DialogueEvent]:
        if isinstance(action, Ask | Say | Drop):
            self.jobs.append(action)
            return self._texts(action)
        if isinstance(action, ReplyBegun | Held | Truncated):
            self.measured.append(action)
        number = action.reply
        if isinstance(action, TurnTaken):
            self._released = number
            texts = [ReplyText(seq=1, reply=number, delta=text) for text in self._written.pop(number, ())]
            return [turn_message(action), *texts]
        if isinstance(action, Sound):
            return [self._audio(action)]
        if isinstance(action, ReplyBegun):
            return [ReplyStarted(seq=1, reply=number, sample_rate=self._rate, stages=action.stages.to_dict())]
        return [changed(action)]

    def _texts(self, job: Job) -> list[DialogueEvent]:
        """Texts are told once the turn that they answer is over."""
        if isinstance(job, Drop):
            self._written.pop(job.reply, None)
        if not isinstance(job, Say) or not job.text:
            return []
        if job.reply == self._released:
            return [ReplyText(seq=1, reply=job.reply, delta=job.text)]
        self._written.setdefault(job.reply, []).append(job.text)
        return []

    def _audio(self, sound: Sound) -> ReplyAudio:
        return ReplyAudio(
            seq=1,
            reply=sound.reply,
            start_ms=milliseconds(sound.start_s),
            words=[
                ReplyWord(word.text, milliseconds(word.start_s), milliseconds(word.end_s)) for word in sound.words
            ],
            last=sound.last,
            pcm=int16_samples(sound.samples).tobytes(),
        )  # fmt: skip


def turn_message(action: TurnTaken) -> TurnMessage:
    """The message that a turn is over."""
    turn = action.turn
    if turn is None:
        return TurnMessage(seq=1, reply=action.reply, text="", language=None, speech_end_ms=None)
    end_ms = milliseconds(turn.speech_end_s)
    return TurnMessage(seq=1, reply=action.reply, text=turn.text, language=turn.language, speech_end_ms=end_ms)


def changed(action: TurnReopened | Held | Continued | Truncated | Replied | ReplyFailed) -> DialogueEvent:
    """The message of an action that changes or ends a reply."""
    number = action.reply
    match action:
        case TurnReopened():
            return TurnReopenedMessage(seq=1, reply=number)
        case Held():
            return ReplyHeld(seq=1, reply=number, played_ms=milliseconds(action.played_s))
        case Continued():
            return ReplyResumed(seq=1, reply=number)
        case Truncated():
            return ReplyTruncated(seq=1, reply=number, text=action.text, played_ms=milliseconds(action.played_s))
        case Replied():
            calls = [CalledFunction(call.id, call.name, call.arguments) for call in action.calls]
            return ReplyDone(seq=1, reply=number, text=action.text, calls=calls)
        case ReplyFailed():
            return ReplyFailedMessage(seq=1, reply=number, message=action.why)


def settings_of(options: Conversing, instructions: str) -> DialogueSettings:
    """The settings of a dialogue.

    Raises:
        ConfigError: if pauses are not in order.
    """
    rules = TurnRules(
        pause_s=options.pause_ms / 1000,
        sure_pause_s=options.sure_pause_ms / 1000,
        doubtful_pause_s=options.doubtful_pause_ms / 1000,
    )
    return DialogueSettings(
        rules=rules,
        judged=options.turn_model,
        automatic=options.automatic,
        interruptible=options.interruptible,
        lead_s=options.lead_ms / 1000,
        forgets=options.forgets,
        instructions=options.instructions or instructions,
    )
