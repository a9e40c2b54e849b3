"""Speaks a translation: order, rates, pauses, and when the listener hears what."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.interpret.interpreter import Interpreter
from speech.interpret.settings import InterpretSettings
from speech.tts.speech_stream import SaidWord, SpeechPacket
from tests.interpret.written import transcript, translation

RATE = 1000


def opened(**settings):
    return Interpreter(InterpretSettings(**settings), "eng", RATE)


def said(interpreter, now, seconds=1.0, lead_s=0.3, tail_s=0.5):
    """Say what is due: `seconds` of sound between silences; the utterance and its sounds. None: nothing is due."""
    utterance = interpreter.take(now)
    if utterance is None:
        return None
    words = (SaidWord("a", lead_s, lead_s + seconds, 0, 1),)
    quiet, loud = np.zeros(round(lead_s * RATE), np.float32), np.full(round(seconds * RATE), 0.5, np.float32)
    packets = [SpeechPacket(quiet, words), SpeechPacket(loud, ()), SpeechPacket(np.zeros(round(tail_s * RATE)), ())]
    sounds = [interpreter.spoken(packet, now) for packet in packets]
    return utterance, [*sounds, interpreter.ended(now)]


def test_a_sentence_is_said_at_once_without_the_silence_around_it():
    interpreter = opened()
    interpreter.hear([translation("Good morning."), translation("Guten Tag.", target="deu", final=True)], 2.0)
    utterance, sounds = said(interpreter, 2.0)
    assert (utterance.text, utterance.number, utterance.rate, utterance.source) == ("Good morning.", 0, 1.0, (0.0, 0.8))
    samples = np.concatenate([sound.samples for sound in sounds])
    assert len(samples) == 1000 + 30 + 300
    (word,) = [word for sound in sounds for word in sound.words]
    assert (round(word.start_s, 3), round(word.end_s, 3)) == (0.03, 1.03)
    assert interpreter.behind_s(2.0) == 1.33
    assert interpreter.take(2.0) is None
    assert interpreter.idle


def test_the_next_text_waits_until_our_voice_has_little_left_and_what_came_meanwhile_is_said_together():
    interpreter = opened(ahead_s=0.5)
    interpreter.hear([translation("One two three four five.")], 0.0)
    said(interpreter, 0.0, seconds=3.0)
    interpreter.hear([translation("One two three four five. Six seven eight nine,")], 1.0)
    assert said(interpreter, 1.0) is None
    due_s = interpreter.due_s(1.0)
    assert due_s == pytest.approx(3.33 - 0.5)
    interpreter.hear([translation("One two three four five. Six seven eight nine, ten.")], 2.0)
    utterance, (_, sound, *_) = said(interpreter, due_s)
    assert utterance.text == "Six seven eight nine, ten."
    assert sound.heard_s == pytest.approx(3.33)
    assert sound.start_s == 3.33


def test_our_voice_hurries_where_it_is_behind():
    interpreter = opened(carry_rate=False)
    text = "One. Two. Three. Four."
    interpreter.hear([translation(text, final=True)], 0.0)
    rates, now = [], 0.0
    while (due_s := interpreter.due_s(now)) is not None:
        now = due_s
        rates.append(said(interpreter, now, seconds=2.0)[0].rate)
    assert rates[0] == 1.0
    assert rates == sorted(rates)
    assert rates[-1] == 1.2


def test_the_pace_of_the_speaker_is_carried_over():
    rates = []
    for carry in (True, False):
        interpreter = opened(carry_rate=carry)
        interpreter.hear([transcript("abcdefghij " * 20, seconds=0.4), translation("Hello.")], 0.0)
        rates.append(said(interpreter, 0.0)[0].rate)
    assert rates == [1.3, 1.0]


def test_pauses_of_the_speaker_are_carried_over_without_getting_later():
    def silence_before_the_second(begin_s, at_s, **settings):
        """The first is heard from 0 to 1.33 s; it translates 0 to .4 s."""
        interpreter = opened(**settings)
        interpreter.hear([translation("One.", final=True)], 0.0)
        said(interpreter, 0.0, seconds=1.0)
        interpreter.hear([translation("Two.", segment=1, begin_s=begin_s, final=True)], at_s)
        while (due_s := interpreter.due_s(at_s)) > at_s:
            at_s = due_s
        _, sounds = said(interpreter, at_s)
        samples = np.concatenate([sound.samples for sound in sounds])
        return round((int(np.flatnonzero(samples)[0]) - 30) / RATE, 2)

    assert silence_before_the_second(2.4, at_s=1.0) == 1.07  # so both are heard as long after they were said
    assert silence_before_the_second(5.4, at_s=1.0) == 2.0
    assert silence_before_the_second(2.4, at_s=1.83) == 0.57
    assert silence_before_the_second(2.4, at_s=3.0) == 0.0
    assert silence_before_the_second(0.6, at_s=1.0) == 0.0
    assert silence_before_the_second(2.4, at_s=1.0, carry_pauses=False) == 0.0


def test_words_that_wait_for_their_clause_are_said_once_our_voice_is_silent():
    interpreter = opened(patience_s=1.0)
    interpreter.hear([translation("One two three four five six")], 0.0)
    assert interpreter.due_s(0.0) == 1.0
    assert said(interpreter, 0.9) is None
    utterance, _ = said(interpreter, 1.0)
    assert utterance.text == "One two three four five"
    assert interpreter.due_s(1.0) is None
    interpreter.finish(2.0)
    assert said(interpreter, 2.5)[0].text == "six"


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.1, 4.0), st.floats(0.1, 3.0)), min_size=1, max_size=12))
def test_nothing_overlaps_or_is_left_out(talk):
    """Sentences of any length at any times: what is heard is in order, without overlap, and all of it."""
    interpreter, now, heard, texts = opened(), 0.0, [], []

    def catch_up(until_s, seconds):
        nonlocal now
        while (due_s := interpreter.due_s(now)) is not None and due_s <= until_s:
            now = max(now, due_s)
            utterance, sounds = said(interpreter, now, seconds=seconds)
            texts.append(utterance.text)
            heard.extend((sound.heard_s, len(sound.samples) / RATE) for sound in sounds if len(sound.samples))
        now = max(now, until_s)

    for segment, (count, wait_s, seconds) in enumerate(talk):
        catch_up(now + wait_s, seconds)
        interpreter.hear([translation("word " * count + "end.", segment=segment, final=True, begin_s=now)], now)
    interpreter.finish(now)
    catch_up(now + 100.0, 1.0)
    assert interpreter.idle
    assert " ".join(texts) == " ".join("word " * count + "end." for count, _, _ in talk)
    for (start_s, length_s), (after_s, _) in pairwise(heard):
        assert after_s >= start_s + length_s - 1e-6
