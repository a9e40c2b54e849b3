"""Numbers without a unit."""

import pytest

from speech.tts.text_front_end.normalise import normalise


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("eng", "10 – 15", "ten to fifteen"),
        ("eng", "x-5", "x five"),
        ("eng", "5/3", "five three"),
        ("eng", "3/0", "three zero"),
        ("eng", "v2.0", "v two dot zero"),
        ("eng", "1.2.3.4", "one dot two dot three dot four"),
        ("eng", "①", "one"),
        ("eng", "0th", "zero"),
        ("eng", "978-3-16-148410-0", "nine seven eight, three, one six, one four eight four one zero, zero"),
        ("eng", "2¾", "two and three quarters"),
        ("eng", "1⅛", "one and an eighth"),
        ("eng", "rock-and-roll", "rock-and-roll"),
        ("deu", "am 5.", "am fünften."),
        ("deu", "Es sind 5.", "Es sind fünf."),
        ("deu", "3:2", "drei zu zwei"),
        ("eng", "5+ years", "five plus years"),
        ("spa", "1.2.3", "uno punto dos punto tres"),
        ("fra", "1/50", "un sur cinquante"),
    ],
)
def test_numbers_are_said(language, written, spoken):
    assert normalise(written, language).text == spoken
