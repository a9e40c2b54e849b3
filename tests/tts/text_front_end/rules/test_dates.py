"""Dates that exist, and those that do not."""

import pytest

from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.rules.dates import full_year, is_date


def test_only_days_of_the_calendar_are_dates():
    assert is_date(29, 2, 2024)
    assert not is_date(29, 2, 2023)
    assert is_date(29, 2, None)
    assert not is_date(1, 13, 2024)
    assert not is_date(1, 1, 0)


def test_years_of_two_digits_are_near():
    assert [full_year(digits) for digits in ("24", "68", "69", "1824")] == [2024, 2068, 1969, 1824]


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [("eng", "2/30/2024", "two thirty two thousand and twenty-four"), ("eng", "may 5 people go", "may five people go"),
     ("eng", "2024-07-04T14:30", "July fourth, twenty twenty-four fourteen thirty"),
     ("eng", "It was in May. 5 left.", "It was in May. five left."),
     ("deu", "31.12.99", "einunddreißigster Dezember neunzehnhundertneunundneunzig"),
     ("fra", "31/12/99", "trente et un décembre mille neuf cent quatre-vingt-dix-neuf")],
)  # fmt: skip
def test_dates_are_told_from_other_numbers(language, written, spoken):
    assert normalise(written, language).text == spoken
