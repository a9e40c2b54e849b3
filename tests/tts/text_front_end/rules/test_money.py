"""Amounts of money."""

import pytest

from speech.tts.text_front_end.normalise import normalise


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("eng", "R$5", "five reais"),
        ("eng", "USD 1", "one US dollar"),
        ("eng", "$5-$10", "five dollars to ten dollars"),
        ("eng", "$2bn", "two billion dollars"),
        ("eng", "in €", "in euros"),
        ("eng", "5 $/month", "five dollars per month"),
        ("deu", "5,-- €", "fünf Euro"),
        ("deu", "CHF 1.20", "ein Schweizer Franken zwanzig"),
        ("spa", "200 £", "doscientas libras"),
        ("fra", "1,00 €", "un euro"),
        ("ita", "1,01 €", "un euro e uno"),
        ("por", "€ 2,01", "dois euros e um cêntimo"),
        ("eng", "£0.01", "one penny"),
        ("eng", "1.999 €", "one point nine nine nine euros"),
    ],
)
def test_amounts_are_said(language, written, spoken):
    assert normalise(written, language).text == spoken
