"""Texts are compared as they are spoken."""

from speech.tts.text_front_end.spoken_text import spoken_text


def test_a_text_is_in_words_and_what_cannot_be_said_is_as_it_is():
    assert spoken_text("$5", "eng") == "five dollars"
    assert spoken_text("14:30", "pol") == "14:30"
