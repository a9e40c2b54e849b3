"""Languages of words by their letters."""

from speech.text.word_language import word_languages


def test_letters_tell_languages_of_different_scripts_apart():
    words = ["我", "coffee", "shop", "42", "café"]
    assert word_languages(words, ["cmn", "eng"]) == ["cmn", "eng", "eng", None, "eng"]


def test_letters_that_several_languages_write_tell_nothing():
    assert word_languages(["casa", "дом"], ["spa", "eng", "rus"]) == [None, "rus"]


def test_a_script_of_neither_language_is_no_language():
    assert word_languages(["дом"], ["spa", "eng"]) == [None]
