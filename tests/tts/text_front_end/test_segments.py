"""What is to be spoken."""

from speech.tts.text_front_end.segments import Pause, SpokenStretch, StretchEnd
from speech.tts.text_front_end.spoken_form import SpokenForm


def test_a_stretch_ends_nothing_and_has_the_voices_own_speed_by_itself():
    stretch = SpokenStretch(SpokenForm("a", ()), "eng")
    assert (stretch.end, stretch.rate, stretch.phonemes) == (StretchEnd.none, 1.0, None)
    assert Pause(0.5, 0, 3) == Pause(0.5, 0, 3)
