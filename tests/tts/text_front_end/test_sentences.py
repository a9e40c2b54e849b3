"""Sentences of a text, whole and piece by piece."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.tts.text_front_end.sentences import LONGEST, SentenceCutter, sentences

CASES = [
    ("eng", "One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
    ("eng", "Mr. Smith met Dr. Jones. They spoke.", ["Mr. Smith met Dr. Jones.", "They spoke."]),
    ("eng", "J. K. Rowling wrote it. Good.", ["J. K. Rowling wrote it.", "Good."]),
    ("eng", "It costs 3.50 dollars. Really.", ["It costs 3.50 dollars.", "Really."]),
    ("eng", "See example.com. Then go.", ["See example.com.", "Then go."]),
    ("eng", "At 5 p.m. we left. At 6 p.m. They came.", ["At 5 p.m. we left.", "At 6 p.m.", "They came."]),
    (
        "eng",
        "Apples, pears, etc. We ate. Apples etc. were good.",
        ["Apples, pears, etc.", "We ate.", "Apples etc. were good."],
    ),
    ("eng", '"Really?" he said. "Yes." She went.', ['"Really?" he said.', '"Yes."', "She went."]),
    ("eng", "Wait... what? No... Never.", ["Wait... what?", "No...", "Never."]),
    ("eng", "1. First item. 2. Second item.", ["1. First item.", "2. Second item."]),
    ("eng", "See No. 5 please. No. Never.", ["See No. 5 please.", "No.", "Never."]),
    ("eng", "Title\n\nText goes\non here.", ["Title", "Text goes\non here."]),
    ("deu", "Am 3. Mai kam er, z. B. mit Dr. Klein. Gut.", ["Am 3. Mai kam er, z. B. mit Dr. Klein.", "Gut."]),
    ("deu", "Das war 1990. Danach kam er.", ["Das war 1990.", "Danach kam er."]),
    ("spa", "¿Qué? ¡No! Vive en EE. UU. ahora.", ["¿Qué?", "¡No!", "Vive en EE. UU. ahora."]),
    (
        "fra",
        "M. Dupont arrive. Il dit : « Bon ! » Puis il part.",
        ["M. Dupont arrive.", "Il dit : « Bon ! »", "Puis il part."],
    ),
    (
        "deu",
        "Hauptstr. 5 ist hier. Ca. 16 Mio. Menschen. Kap. IV.",
        ["Hauptstr. 5 ist hier.", "Ca. 16 Mio. Menschen.", "Kap. IV."],
    ),
    ("eng", "It took 9.58 s. Then 20 °C. Good.", ["It took 9.58 s.", "Then 20 °C.", "Good."]),
    ("cmn", "你好。我很好！真的？", ["你好。", "我很好！", "真的？"]),
    ("hin", "यह है। वह है।", ["यह है।", "वह है।"]),
    ("ara", "كيف حالك؟ بخير.", ["كيف حالك؟", "بخير."]),
]


@pytest.mark.parametrize(("language", "text", "expected"), CASES)
def test_text_is_cut_into_sentences(language, text, expected):
    found = sentences(text, language)
    assert [one.text for one in found] == expected
    assert [text[one.start : one.end] for one in found] == expected


PIECES = [
    "Word",
    "word",
    ". ",
    ".",
    "! ",
    "?",
    "... ",
    "\n",
    "\n\n",
    " ",
    "Dr. ",
    "z. B. ",
    "3. ",
    "5",
    '"',
    "(",
    ")",
    "。",
    "etc. ",
    "A. ",
    ",",
    "漢",
    "🙂",
    "a" * 250,
    " " * 250,
    "long words, " * 30,
]


@pytest.mark.parametrize("language", ["eng", "deu"])
@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.sampled_from(PIECES), max_size=25), data=st.data())
def test_any_pieces_of_a_text_give_the_same_sentences(language, parts, data):
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    cutter = SentenceCutter(language)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += cutter.feed(text[start:end])
    found += cutter.flush()
    whole = sentences(text, language)
    assert found == whole
    assert all(len(one.text) <= LONGEST for one in whole)
    assert "".join("".join(one.text.split()) for one in whole) == "".join(text.split())
    assert all(text[one.start : one.end] == one.text for one in whole)


def test_letter_by_letter_gives_the_same_sentences():
    text = " ".join(text for language, text, _ in CASES if language == "eng")
    cutter = SentenceCutter("eng")
    assert [one for letter in text for one in cutter.feed(letter)] + cutter.flush() == sentences(text, "eng")


def test_a_sentence_is_given_as_soon_as_the_next_one_starts():
    cutter = SentenceCutter("eng")
    assert cutter.feed("Hello there.") == []
    assert cutter.feed(" ") == []
    assert [one.text for one in cutter.feed("H")] == ["Hello there."]
    assert [one.text for one in cutter.flush()] == ["H"]
    assert cutter.feed("New.") == []
    assert cutter.flush()[0].start == 0


def test_paragraphs_are_kept():
    found = sentences("One. Two.\n\nThree. Four.", "eng")
    assert [(one.text, one.ends_paragraph) for one in found] == [
        ("One.", False),
        ("Two.", True),
        ("Three.", False),
        ("Four.", True),
    ]


def test_long_sentences_are_cut_behind_commas():
    text = ("word " * 60 + ", ") * 5
    found = sentences(text, "eng")
    assert max(len(one.text) for one in found) <= LONGEST
    assert all(one.text.endswith(",") for one in found)
