"""Telephone numbers."""

import pytest

from speech.tts.text_front_end.normalise import normalise


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("+1 555 0100", "plus one, five five five, zero one zero zero"),
        ("(555) 010-2030", "five five five, zero one zero, two zero three zero"),
        ("phone 5550100", "phone five five five zero one zero zero"),
        ("1234567", "one million two hundred and thirty-four thousand five hundred and sixty-seven"),
        ("0123 456789", "zero one two three, four five six seven eight nine"),
    ],
)
def test_numbers_are_said_digit_by_digit_if_they_are_marked(written, spoken):
    assert normalise(written, "eng").text == spoken
