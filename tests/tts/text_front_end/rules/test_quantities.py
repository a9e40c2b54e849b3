"""Percentages, units and large numbers."""

import pytest

from speech.tts.text_front_end.normalise import normalise


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("eng", "5 % off", "five percent off"),
        ("eng", "1.5 m tall", "one point five meters tall"),
        ("eng", "5 mice", "five mice"),
        ("eng", "5G", "five G"),
        ("eng", "a 10-km run", "a ten kilometers run"),
        ("eng", "90° turn", "ninety degrees turn"),
        ("spa", "5 ha venido", "cinco ha venido"),
        ("deu", "2 Std.", "zwei Stunden"),
        ("fra", "8 Mo", "huit mégaoctets"),
        ("spa", "21 kg", "veintiún kilogramos"),
        ("spa", "21 t", "veintiuna toneladas"),
        ("ita", "1 oz", "un'oncia"),
        ("eng", "3 km²", "three square kilometers"),
        ("por", "2 t", "duas toneladas métricas"),
    ],
)
def test_units_are_said_in_agreement(language, written, spoken):
    assert normalise(written, language).text == spoken
