"""Our side of a dialogue."""

import numpy as np

from speech.dialogue.actions import Ask, Continued, Drop, Held, ReplyBegun, Sound, Truncated, TurnReopened, TurnTaken
from speech.dialogue.answers.answerer import ChatMessage, TextPiece
from speech.dialogue.settings import DialogueSettings
from speech.dialogue.stages import Stages
from speech.dialogue.turns import UserTurn
from speech.dialogue.voice import OurVoice
from speech.tts.speech_stream import SaidWord, SpeechPacket

RATE = 1000
TURN = UserTurn("hello", "eng", 1.0)


def answered() -> OurVoice:
    """A voice with a prepared reply of a second: two words."""
    voice = OurVoice(DialogueSettings(), RATE)
    reply = voice.ask(TURN, voice.history.messages("hello"), Stages())
    voice.answered(reply.number, TextPiece("Good day"), 5.0)
    words = (SaidWord("Good", 0.0, 0.5, 0, 4), SaidWord("day", 0.5, 1.0, 5, 8))
    voice.spoken(reply.number, SpeechPacket(np.full(1000, 0.5, np.float32), words), 5.0)
    voice.speech_ended(reply.number)
    return voice


def kinds(voice: OurVoice) -> list[type]:
    found = [type(action) for action in voice.actions]
    voice.actions.clear()
    return found


def test_nothing_is_heard_before_the_turn_is_over():
    voice = answered()
    voice.play(6.0)
    assert Sound not in kinds(voice)
    assert not voice.speaks
    assert voice.next_s(6.0) is None
    voice.release(7.0)
    voice.play(7.0)
    assert kinds(voice) == [TurnTaken, ReplyBegun, Sound]
    assert voice.speaks


def test_a_reply_that_nobody_heard_of_is_replaced():
    voice = answered()
    kinds(voice)
    voice.ask(TURN, (ChatMessage("user", "hello"),), Stages())
    assert kinds(voice) == [Drop, Ask]
    assert voice.reply is not None
    assert voice.reply.number == 1


def test_it_waits_and_goes_on_and_tells_only_if_it_was_heard():
    voice = answered()
    voice.release(7.0)
    voice.hold(7.0)
    voice.go_on()
    assert not {Held, Continued} & set(kinds(voice))
    voice.play(7.0)
    voice.hold(7.1)
    voice.hold(7.2)
    voice.play(7.2)
    voice.go_on()
    voice.go_on()
    assert kinds(voice) == [ReplyBegun, Sound, Held, Continued]


def test_what_was_heard_of_a_reply_is_kept_and_else_the_turn_goes_on():
    voice = answered()
    voice.release(7.0)
    assert voice.truncate(7.0) == TURN
    assert kinds(voice)[-1] is TurnReopened
    assert voice.history.messages() == ()
    voice = answered()
    voice.release(7.0)
    for step in range(4):
        voice.play(7.0 + 0.1 * step)
    assert voice.truncate(7.4) is None
    assert kinds(voice)[-1] is Truncated
    assert [message.text for message in voice.history.messages()] == ["hello", "Good"]
