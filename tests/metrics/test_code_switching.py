"""Figures of speech that switches languages, by hand."""

import pytest

from speech.errors import DataError
from speech.metrics.code_switching import (
    LanguageErrors,
    PointErrors,
    code_mixing_index,
    embedded_points,
    language_errors,
    matrix_language,
    point_errors,
    switch_errors,
    switches,
)
from speech.metrics.edit.alignment import ErrorCounts, align

SAID = "das ist ein meeting mit feedback".split()
LANGUAGES = ["deu", "deu", "deu", "eng", "deu", "eng"]


def test_points_of_interest_are_the_words_of_the_embedded_language():
    assert embedded_points(LANGUAGES, "deu") == [3, 5]
    assert embedded_points(["deu", None, "eng"], "deu") == [2]


@pytest.mark.parametrize(
    ("heard", "points", "rest"),
    [
        ("das ist ein meeting mit feedback", (0, 0, 0), (0, 0, 0)),
        ("das ist ein miting mit feedback", (1, 0, 0), (0, 0, 0)),
        ("das ist meeting mit", (0, 1, 0), (0, 1, 0)),
        ("das ist ein so meeting mit feedback", (0, 0, 1), (0, 0, 0)),  # stands before a point
        ("das ist ein meeting so mit feedback", (0, 0, 0), (0, 0, 1)),
        ("das ist ein meeting mit feedback ja", (0, 0, 1), (0, 0, 0)),  # the last word is a point
    ],
)
def test_errors_at_points_are_those_of_the_published_rule(heard, points, rest):
    found = point_errors(align(SAID, heard.split()), [3, 5])
    assert found == PointErrors(ErrorCounts(*points, 2), ErrorCounts(*rest, 4))


@pytest.mark.parametrize("points", [[], [0, 1]])
def test_an_utterance_without_or_with_only_points_is_skipped_and_counted(points):
    assert point_errors(align(["a", "b"], ["a"]), points) == PointErrors(skipped=1)


def test_the_rate_of_a_corpus_is_that_of_its_sums():
    one = point_errors(align(SAID, "das ist ein miting mit feedback".split()), [3, 5])
    other = point_errors(align(SAID, SAID), [3, 5])
    assert (one + other).points.rate == pytest.approx(0.25)
    assert one + other == other + one


def test_switches_are_where_another_language_begins_and_unknown_words_do_not_count():
    assert switches(LANGUAGES) == [3, 4, 5]
    assert switches(["deu", None, "deu", None, "eng"]) == [4]
    assert switches([None, None]) == []


def test_errors_near_a_switch_are_those_on_both_sides_of_it():
    alignment = align("a b c d e".split(), "x b y d z".split())
    languages = ["deu", "deu", "eng", "eng", "eng"]  # switch at c: b and c are near
    assert switch_errors(alignment, languages) == ErrorCounts(1, 0, 0, 2)
    assert switch_errors(alignment, languages, reach=2) == ErrorCounts(2, 0, 0, 4)


def test_languages_of_words_are_compared_where_something_was_recognised():
    alignment = align("a b c d".split(), "a x c".split())
    found = language_errors(alignment, ["deu", "eng", None, "eng"], ["deu", "deu", "eng"])
    assert found == LanguageErrors(1, 2)
    assert found.rate == 0.5
    assert (found + found).rate == 0.5
    assert LanguageErrors().rate == 0.0


def test_languages_have_to_be_as_many_as_words():
    alignment = align(["a", "b"], ["a"])
    with pytest.raises(DataError, match="1 languages for 2 words"):
        switch_errors(alignment, ["deu"])
    with pytest.raises(DataError, match="2 languages for 1 recognised"):
        language_errors(alignment, ["deu", "eng"], ["deu", "eng"])


@pytest.mark.parametrize(
    ("languages", "expected"),
    [(LANGUAGES, 1 / 3), (["deu"] * 4, 0.0), (["deu", None, "eng", None], 0.5), ([], 0.0), ([None], 0.0)],
)
def test_the_index_is_the_share_of_words_outside_the_most_frequent_language(languages, expected):
    assert code_mixing_index(languages) == pytest.approx(expected)


def test_the_matrix_language_is_that_of_most_words():
    assert matrix_language(LANGUAGES) == "deu"
    assert matrix_language(["eng", "deu"]) == "eng"
    assert matrix_language([None]) is None
