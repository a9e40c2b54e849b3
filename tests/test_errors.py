"""Errors say where, what, and what to do."""

import pickle

from speech.errors import AudioError, SpeechError


def test_the_text_holds_place_fact_and_advice():
    error = AudioError("has 0 samples", where="a.wav", fix="Record again.")
    assert str(error) == "a.wav: has 0 samples. Record again."
    assert isinstance(error, SpeechError)


def test_place_and_advice_may_be_missing():
    assert str(SpeechError("is odd")) == "is odd"


def test_the_words_of_an_error_are_kept_for_programs():
    error = AudioError("has 0 samples", where="a.wav")
    assert (error.what, error.where, error.fix) == ("has 0 samples", "a.wav", None)
    assert pickle.loads(pickle.dumps(AudioError("x"))).what == "x"
