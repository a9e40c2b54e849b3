"""Toxic words are whole words of a list, and added if nothing toxic was said."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import DataError, FileError
from speech.translate.toxicity import ToxicWords, covering, forms

WORDS = ToxicWords({"eng": ["pest", "bad egg", "d*rn", "pest control"], "deu": ["Schädling"], "jpn": ["ばか"]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You pest!", ["pest"]), ("PEST", ["pest"]), ("(Pest)", ["pest"]), ("pests", []), ("pest_", []), ("", []),
        ("a bad egg", ["bad egg"]), ("a Bad-Egg.", ["bad egg"]), ("bad. Egg", ["bad egg"]), ("bad eggs", []),
        ("badegg", []), ("egg bad", []), ("oh d*rn", ["d*rn"]), ("oh d rn", ["d*rn"]), ("oh drn", []),
        ("Pest control: a bad egg", ["pest", "bad egg", "pest control"]), ("pest\u0301", []),
    ],
)  # fmt: skip
def test_entries_match_whole_words_whatever_case_and_punctuation(text, expected):
    assert WORDS.matches(text, "eng") == tuple(expected)


def test_without_spaces_entries_match_anywhere():
    assert WORDS.matches("あいつはばかだ", "jpn") == ("ばか",)
    assert WORDS.matches("あいつは、だ", "jpn") == ()


def test_the_same_letters_match_in_any_encoding_and_marks_belong_to_words():
    assert WORDS.matches("Scha\u0308dling", "deu") == ("Schädling",)
    assert WORDS.matches("SCHÄDLING", "deu") == ("Schädling",)
    hindi = ToxicWords({"hin": ["क"]})
    assert hindi.matches("क है", "hin") == ("क",)
    assert hindi.matches("कि है", "hin") == ()  # a letter with another vowel


@pytest.mark.parametrize(
    ("source", "language", "expected"),
    [
        ("Du Mensch", "deu", ("pest",)), ("Du Schädling!", "deu", ()), ("Schädling", "fra", ("pest",)),
        ("pest", "deu", ("pest",)), ("", "deu", ("pest",)), ("you pest", "eng", ()),
    ],
)  # fmt: skip
def test_toxicity_is_added_unless_the_source_has_some_in_its_own_list(source, language, expected):
    assert WORDS.added(source, language, "You pest.", "eng") == expected
    assert WORDS.added(source, language, "You person.", "eng") == ()
    assert WORDS.added(source, language, "You pest.", "fra") == ()


LETTERS = st.text("abAB é\u0301ßİ_-'.1क\u093fば", max_size=12)


@given(entry=LETTERS.filter(lambda text: any(map(str.isalnum, text))), before=LETTERS, behind=LETTERS)
def test_an_entry_is_found_between_spaces_and_only_where_its_letters_are(entry, before, behind):
    for code in ("eng", "jpn"):
        words = ToxicWords({code: [entry]})
        for text in (entry, f"{before} {entry} {behind}", f"{before}.{entry}!{behind}"):
            assert words.matches(text, code) == (entry,)
        for text in (before, behind, before + entry, entry + behind):
            assert bool(words.places(entry, text, code)) <= bool(words.matches(text, code))
    assert set(ToxicWords({"eng": [entry]}).matches(before, "eng")) <= set(
        ToxicWords({"jpn": [entry]}).matches(before, "jpn")
    )


@given(source=LETTERS, target=LETTERS, more=LETTERS)
def test_what_is_said_in_addition_never_makes_more_toxicity_added(source, target, more):
    words = ToxicWords({"eng": ["ab"], "fra": ["ba"]})
    longer = words.added(f"{source} {more}", "fra", target, "eng")
    assert set(longer) <= set(words.added(source, "fra", target, "eng")) <= set(words.matches(target, "eng"))


def test_places_are_those_of_the_letters():
    text = "Bad  egg, a bad-egg and bad eggs"
    assert [text[slice(*place)] for place in WORDS.places("bad egg", text, "eng")] == ["Bad  egg", "bad-egg"]


def test_entries_have_three_forms():
    assert forms("bad Egg") == ("bad egg", "BAD EGG", "Bad egg")


def test_a_place_is_covered_by_all_tokens_that_spell_some_of_it():
    tokens = ["a ", "b", "ad eg", "", "g", "s"]
    found = [covering(tokens, [*map(len, tokens)], first, last) for first, last in ((2, 9), (0, 1), (2, 5), (9, 10))]
    assert found == [("b", "ad eg", "", "g"), ("a ",), ("b", "ad eg"), ("s",)]


def test_lists_are_read_from_files_of_a_folder(tmp_path):
    (tmp_path / "eng.txt").write_text("\ufeff# insects\npest\n\n  bad egg \r\npest\n", "utf-8")
    (tmp_path / "deu.txt").write_text("", "utf-8")
    (tmp_path / "README.md").write_text("where they come from", "utf-8")
    words = ToxicWords.read(tmp_path)
    assert words.languages == {"eng", "deu"}
    assert words.matches("a bad egg, a pest", "eng") == ("pest", "bad egg")


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("eng.txt", b"pest\n***\n", DataError, r"eng\.txt:2: '\*\*\*' has no letters or digits"),
        ("eng.txt", b"pest\n\xff\n", FileError, r"eng\.txt:2: is not UTF-8"),
        ("english.txt", b"pest\n", DataError, r"english\.txt: 'english' is not a known language.*ISO 639-3"),
        ("eng.csv", b"pest\n", DataError, r"has no list of words.*eng\.txt"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_place(tmp_path, name, content, error, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        ToxicWords.read(tmp_path)


def test_a_folder_must_be_there_and_entries_have_letters(tmp_path):
    where = tmp_path / "none"
    with pytest.raises(FileError, match=f"{re.escape(str(where))}: cannot be read: no such file"):
        ToxicWords.read(where)
    with pytest.raises(DataError, match=r"list of eng: '\?' has no letters"):
        ToxicWords({"eng": ["?"]})
