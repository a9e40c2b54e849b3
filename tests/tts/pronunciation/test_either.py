"""Two pronouncers: the model's languages never need the program."""

from __future__ import annotations

import pytest

from speech.errors import ConfigError
from speech.tts.pronunciation.either import EitherPronouncer
from speech.tts.pronunciation.letters import LetterPronouncer
from speech.tts.text_front_end.normalise import normalise
from tests.pronounced import tiny_letter_phonemes
from tests.tts.kokoro_voices import letters_program

LETTERS = LetterPronouncer(tiny_letter_phonemes())


def test_the_model_s_languages_need_no_program(monkeypatch):
    monkeypatch.setenv("PATH", "")
    either, spoken = EitherPronouncer(LETTERS), normalise("a bad cab", "eng")
    assert either(spoken, "eng") == LETTERS(spoken, "eng")
    with pytest.raises(ConfigError, match="the program espeak-ng"):
        either(normalise("a bad cab", "fra"), "fra")


def test_other_languages_are_said_by_the_program(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")
    assert EitherPronouncer(LETTERS)(normalise("Un bon vin.", "fra"), "fra").symbols == "un bon vin."
