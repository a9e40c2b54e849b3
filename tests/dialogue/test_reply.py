"""One reply."""

import numpy as np

from speech.dialogue.playout import Playout
from speech.dialogue.reply import ReplyUnderWay
from speech.dialogue.stages import Stages
from speech.tts.speech_stream import SaidWord, SpeechPacket

RATE = 1000


def test_the_silence_before_the_first_sound_is_left_out_and_words_move():
    reply = ReplyUnderWay(0, None, Playout(RATE, 1.0), Stages())
    reply.spoken(SpeechPacket(np.zeros(300, np.float32), ()), 1.0)
    assert reply.stages.sample is None
    sound = np.concatenate([np.zeros(100, np.float32), np.full(200, 0.5, np.float32)])
    reply.spoken(SpeechPacket(sound, (SaidWord("hello", 0.4, 0.6, 0, 5),)), 2.0)
    reply.spoken(SpeechPacket(np.zeros(50, np.float32), (SaidWord("you", 0.6, 0.65, 6, 9),)), 3.0)
    assert reply.stages.sample == 2.0
    samples, start_s = reply.sound(4.0)
    assert (len(samples), start_s) == (30 + 200 + 50, 0.0)
    assert samples[30] == 0.5
    assert samples[29] == 0.0
    first, second = reply.playout.words_between(0.0, 1.0)
    assert (round(first.start_s, 3), round(second.start_s, 3)) == (0.03, 0.23)


def test_what_was_heard_is_text():
    reply = ReplyUnderWay(0, None, Playout(RATE, 0.1), Stages())
    reply.answer("Hello there.", 1.0)
    words = (SaidWord("hello", 0.0, 0.1, 0, 5), SaidWord("there", 0.1, 0.2, 6, 11))
    reply.spoken(SpeechPacket(np.full(200, 0.5, np.float32), words), 1.0)
    assert not reply.sounds
    reply.sound(2.0)
    assert reply.sounds
    assert reply.heard(2.0) == ""
    assert reply.heard(2.06) == "Hello"
    reply.sound(2.08)
    assert reply.heard(2.18) == "Hello there"
    assert (reply.stages.token, reply.stages.sample, reply.stages.sent) == (1.0, 1.0, 2.0)
