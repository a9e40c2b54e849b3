"""Abbreviations and symbols."""

import pytest

from speech.tts.text_front_end.grammars.english import English
from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.rules.abbreviations import ends_sentence


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("eng", "the dr. is in", "the dr. is in"),
        ("eng", "No. Never.", "No. Never."),
        ("eng", "Vol. III", "volume three"),
        ("deu", "z.\u00a0B. Obst", "zum Beispiel Obst"),
        ("deu", "S. 5", "Seite fünf"),
        ("deu", "Mag S. nicht", "Mag S. nicht"),
        ("eng", "A, B, etc. Then", "A, B, et cetera. Then"),
        ("fra", "St-Jean", "saint-Jean"),
        ("eng", "x = 5", "x equals five"),
    ],
)
def test_abbreviations_are_written_out(language, written, spoken):
    assert normalise(written, language).text == spoken


def test_a_full_stop_ends_the_sentence_before_a_capital_letter_behind_some_abbreviations():
    assert ends_sentence("etc.", " We", English.words)
    assert ends_sentence("e.g.", "", English.words)
    assert not ends_sentence("etc.", " we", English.words)
    assert not ends_sentence("e.g.", " Paris", English.words)
