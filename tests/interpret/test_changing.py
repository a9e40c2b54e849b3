"""An interpreter that is told to speak otherwise, or that the listener waits; rates that the voice has."""

from __future__ import annotations

import numpy as np
import pytest

from speech.events import TranscriptEvent, TranslationEvent
from speech.interpret.interpreter import Interpreter
from speech.interpret.settings import InterpretSettings
from speech.transcript import Word
from speech.tts.speech_stream import FASTEST, SpeakingOptions, SpeechPacket

RATE = 1000


def event(text: str, segment: int, target: str = "eng", *, final: bool = True) -> TranslationEvent:
    words = tuple(Word(w, 0.1 * n, 0.1 * n + 0.1, 0.9, target) for n, w in enumerate(text.split()))
    return TranslationEvent(
        segment=segment, target=target, is_final=final, text=text, stable=len(words), words=words,
        start_s=0.0, end_s=0.1 * len(words), audio_s=1.0,
    )  # fmt: skip


def said(interpreter: Interpreter, now: float, seconds: float = 1.0) -> str:
    """Say the next utterance at once."""
    utterance = interpreter.take(now)
    assert utterance is not None
    interpreter.spoken(SpeechPacket(np.full(round(seconds * RATE), 0.5, np.float32), ()), now)
    interpreter.ended(now)
    return utterance.text


def test_another_target_leaves_out_what_has_not_been_said_and_what_was_written_before():
    interpreter = Interpreter(InterpretSettings(), "eng", RATE)
    interpreter.hear([event("Hello. How are you?", 0), event("Guten Tag", 0, "deu", final=False)], 0.0)
    assert said(interpreter, 0.0) == "Hello."
    interpreter.change(InterpretSettings(), "deu")
    assert interpreter.due_s(5.0) is None
    interpreter.hear([event("Nothing.", 1), event("Guten Tag zusammen.", 0, "deu")], 5.0)
    assert said(interpreter, 5.0) == "zusammen."
    assert interpreter.take(10.0) is None


def test_other_settings_hold_from_the_next_utterance_on_and_lose_nothing():
    interpreter = Interpreter(InterpretSettings(carry_rate=False), "eng", RATE)
    interpreter.hear([event("Hello. How are", 0, final=False)], 0.0)
    assert said(interpreter, 0.0) == "Hello."
    interpreter.change(InterpretSettings(rate=1.25, carry_rate=False), "eng")
    interpreter.hear([event("Hello. How are you?", 0)], 5.0)
    utterance = interpreter.take(5.0)
    assert utterance is not None
    assert (utterance.text, utterance.rate) == ("How are you?", 1.25)


def test_a_listener_that_waits_hears_the_rest_later():
    interpreter = Interpreter(InterpretSettings(), "eng", RATE)
    interpreter.delay(1.0)
    assert interpreter.behind_s(0.0) == 0.0
    interpreter.hear([event("Hello.", 0)], 0.0)
    said(interpreter, 0.0)
    behind_s = interpreter.behind_s(0.5)
    interpreter.delay(2.0)
    assert interpreter.behind_s(0.5) == pytest.approx(behind_s + 2.0)


def test_the_rate_is_one_that_voices_have():
    settings = InterpretSettings(rate=1.5, fastest=1.5, easy_s=0.0, late_s=0.1)
    interpreter = Interpreter(settings, "eng", RATE)
    words = tuple(Word("a" * 40, n * 0.5, n * 0.5 + 0.5, 0.9, "eng") for n in range(4))
    heard = TranscriptEvent(
        segment=0, revision=0, is_final=True, text="", stable=4, words=words, start_s=0.0, end_s=2.0, audio_s=2.0
    )
    interpreter.hear([heard, event("Hello.", 0)], 0.0)
    utterance = interpreter.take(10.0)
    assert utterance is not None
    assert utterance.rate == FASTEST
    SpeakingOptions(language="eng", rate=utterance.rate)
