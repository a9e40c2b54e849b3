"""Requests and recordings that give no voice, whatever the model."""

from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile

from speech.errors import DataError
from speech.tts.cloning import CloneRequest, clone_card, load_recording, text_of
from tests.tts.hearing import Hearing

WANTED = CloneRequest(name="zoe", language="German", consent="  Zoe agrees. ")


@pytest.mark.parametrize("seconds", [2.9, 30.1])
def test_recordings_are_neither_short_nor_long(tmp_path, seconds):
    soundfile.write(tmp_path / "a.wav", np.zeros(round(seconds * 16000), np.float32), 16000)
    with pytest.raises(DataError, match=rf"a\.wav: has {seconds} s, expected 3 to 30 s"):
        load_recording(tmp_path / "a.wav")


def test_a_text_that_is_given_is_not_asked_for():
    samples = np.zeros(16000, np.float32)
    assert text_of(samples, WANTED, Hearing("Guten Tag.")) == "Guten Tag."
    given = CloneRequest(name="zoe", language="deu", consent="Yes.", text=" Hallo. ")
    assert text_of(samples, given, Hearing("Guten Tag.")) == "Hallo."


def test_a_card_tells_whence_and_who_has_agreed():
    card = clone_card(WANTED, 9.96, datetime(2026, 11, 30, tzinfo=UTC), "abcdef" * 11)
    assert card.startswith(
        "Cloned from a recording of 10.0 s in German (deu) on 2026-11-30, for the model abcdefabcdef."
    )
    assert card.endswith("## Consent\n\nZoe agrees.\n")
