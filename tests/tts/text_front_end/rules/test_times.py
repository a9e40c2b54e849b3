"""Times of day."""

import pytest

from speech.tts.text_front_end.normalise import normalise


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("eng", "0:00", "midnight"),
        ("eng", "14:00", "fourteen hundred"),
        ("eng", "14:30:05", "fourteen thirty and five seconds"),
        ("eng", "12:75", "twelve to seventy-five"),
        ("eng", "10 a.m. sharp", "ten AM sharp"),
        ("deu", "14:30:01", "vierzehn Uhr dreißig und eine Sekunde"),
        ("deu", "2 pm", "zwei Uhr nachmittags"),
        ("deu", "5 am Montag", "fünf am Montag"),
        ("fra", "9 pm", "neuf heures du soir"),
        ("spa", "9 pm", "nueve de la noche"),
        ("ita", "9:05", "nove e cinque"),
        ("por", "1 pm", "uma da tarde"),
        ("spa", "8:05", "ocho cero cinco"),
        ("ita", "0:00", "mezzanotte"),
    ],
)
def test_times_are_said(language, written, spoken):
    assert normalise(written, language).text == spoken
