"""Plain text, whole and piece by piece."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import LanguageError
from speech.tts.text_front_end.reading import TextReader, read_text
from speech.tts.text_front_end.segments import StretchEnd

TEXT = "It's 5 pm, Dr. Smith. Say привет 5 times!\n\nI paid $2.50 on 4 July 2024. See www.a.com, etc. 😀 Bye…"


def test_sentences_and_paragraphs_end_stretches():
    assert [
        (one.spoken.text, one.language, one.end) for one in read_text("It is 5. Say мир 5!\n\nBye", "eng", ["rus"])
    ] == [
        ("It is five.", "eng", StretchEnd.sentence),
        ("Say", "eng", StretchEnd.none),
        ("мир пять!", "rus", StretchEnd.paragraph),
        ("Bye", "eng", StretchEnd.paragraph),
    ]


def test_places_are_those_of_the_whole_text():
    words = [word for one in read_text(TEXT, "eng", ["rus"]) for word in one.spoken.words]
    shown = {word.text: TEXT[word.source_start : word.source_end] for word in words}
    assert (shown["Doctor"], shown["привет"], shown["пять"], shown["dollars"]) == ("Dr.", "привет", "5", "$2.50")
    assert (shown["July"], shown["cetera"], shown["Bye"]) == ("4 July 2024", "etc.", "Bye")


@settings(max_examples=150, deadline=None)
@given(cuts=st.lists(st.integers(0, len(TEXT)), max_size=20).map(sorted))
def test_any_pieces_give_the_same_as_the_whole(cuts):
    reader = TextReader("eng", ["rus"])
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(TEXT)], strict=True):
        found += reader.feed(TEXT[start:end])
    assert found + reader.flush() == read_text(TEXT, "eng", ["rus"])


def test_errors_name_the_place_in_the_whole_text():
    reader = TextReader("swa")
    assert reader.feed("Habari.\nNzuri. Ni saa ")[0].spoken.text == "Habari."
    with pytest.raises(LanguageError, match="line 2, column 15: digits cannot be said in Swahili"):
        reader.feed("5. K")
    with pytest.raises(LanguageError, match=r"line 3, column 4: 'п'"):
        read_text("One.\nTwo.\nOr привет.", "eng")


def test_a_reader_starts_anew_behind_the_end():
    reader = TextReader("eng")
    reader.feed("One. Two")
    assert [word.source_start for one in reader.flush() for word in one.spoken.words] == [5]
    reader.feed("Three")
    assert [word.source_start for one in reader.flush() for word in one.spoken.words] == [0]
