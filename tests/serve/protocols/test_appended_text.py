"""Pieces of a text: joined, they are the text."""

from hypothesis import given
from hypothesis import strategies as st

from serve.protocols.appended_text import AppendedText

SEGMENTS = st.lists(st.lists(st.text("ab ", max_size=4), max_size=4), max_size=4)


@given(segments=SEGMENTS, language=st.sampled_from(["eng", "jpn", None]))
def test_pieces_joined_are_the_segments_with_a_space_between_them_where_words_have_one(segments, language):
    written, pieces, texts = AppendedText(), [], []
    for number, added in enumerate(segments):
        text = ""
        for more in added:
            text += more
            pieces.append(written.grown(number, text, language))
        texts.append(text)
    between = "" if language == "jpn" else " "
    assert "".join(pieces) == written.text == between.join(text for text in texts if text)


@given(segments=SEGMENTS)
def test_what_is_added_and_what_has_grown_is_one(segments):
    grown, added = AppendedText(), AppendedText()
    for number, pieces in enumerate(segments):
        for count, piece in enumerate(pieces, start=1):
            assert grown.grown(number, "".join(pieces[:count])) == added.added(number, piece)


def test_another_language_in_one_segment_begins_anew_and_the_first_is_not_repeated():
    written = AppendedText()
    pieces = [written.grown(0, "good", "eng"), written.grown(0, "gut", "deu"), written.grown(0, "good morning", "eng")]
    assert pieces == ["good", " gut", " morning"]
