"""Runs of one language by script."""

import pytest

from speech.errors import LanguageError
from speech.tts.text_front_end.language_runs import language_runs


def runs(text, language, others=()):
    return [(text[run.start : run.end], run.language) for run in language_runs(text, language, others)]


def test_text_of_one_script_is_one_run():
    assert runs("Hello, 5 worlds", "eng", ["rus"]) == [("Hello, 5 worlds", "eng")]
    assert runs("123", "eng") == [("123", "eng")]
    assert runs("", "eng") == [("", "eng")]


def test_a_change_of_script_starts_a_run():
    assert runs("I say привет 5 to (Δημήτρης)!", "eng", ["rus", "ell"]) == [
        ("I say ", "eng"), ("привет 5 ", "rus"), ("to ", "eng"), ("(Δημήτρης)!", "ell"),
    ]  # fmt: skip


def test_the_first_other_language_with_the_script_is_taken():
    assert runs("ok привіт", "eng", ["deu", "ukr", "rus"])[1] == ("привіт", "ukr")
    assert runs("東京へ go", "jpn", ["eng"]) == [("東京へ ", "jpn"), ("go", "eng")]


def test_the_start_belongs_to_the_first_letters():
    assert runs("5 привет", "eng", ["rus"]) == [("5 привет", "rus")]


def test_letters_of_formulas_change_nothing():
    assert runs("5 μm and 3 Ω", "eng") == [("5 μm and 3 Ω", "eng")]


def test_scripts_of_no_language_are_refused_with_their_place():
    with pytest.raises(LanguageError, match=r"line 2, column 4: 'п' is in a script \(Cyrl\) that English is not"):
        language_runs("Hi\nok привет", "eng", ["ell"])
