"""Both sides of a session grow unit by unit, and know their words, languages, points of interest and sentences."""

import pytest

from speech.metrics.edit.alignment import align
from speech.metrics.live_text import ReferenceSoFar, UnitsSoFar, spoken_text

BOTH = ("cmn", "eng")


def reference(*texts, among=BOTH, marked=False):
    found = ReferenceSoFar(among, marked=marked)
    for text in texts:
        found.add(spoken_text(text, (), among))
    return found


def test_a_side_is_the_units_of_its_pieces_and_their_words():
    side = UnitsSoFar(BOTH)
    side.add(spoken_text("我们 coffee,", (), BOTH))
    side.add(spoken_text("OK吧", (), BOTH))
    assert side.units == ["我", "们", "coffee", "ok", "吧"]
    assert side.languages == ["cmn", "cmn", "eng", "eng", "cmn"]
    assert side.words(0, 5) == ["我们", "coffee", "ok吧"]
    assert side.words(1, 4) == ["们", "coffee", "ok"]


def test_words_of_another_text_are_left_out_and_others_say_the_language():
    known = (("me", "spa"), ("gusta", None))
    piece = spoken_text("Me gusta", known, ("spa", "eng"))
    assert (piece.languages, piece.all_words) == (("spa", None), known)
    other = spoken_text("me gusta", (("me", "spa"),), ("spa", "eng"))
    assert (other.words, other.languages) == ((), (None, None))
    assert other.all_words == (("me", None), ("gusta", None))


@pytest.mark.parametrize(
    ("among", "matrix", "points"),
    [(BOTH, "cmn", [1]), (("eng", "cmn"), "eng", [0]), (("eng",), "eng", []), ((), None, [])],
)
def test_points_of_interest_are_what_is_not_in_the_main_language(among, matrix, points):
    side = reference("家 coffee", among=among)
    assert (side.matrix, side.points(0, 2)) == (matrix, points)


def test_marked_words_are_the_points_of_interest_of_all_sentences():
    side = reference("家 coffee", marked=True)
    side.add(spoken_text("去 shop", (("去", None), ("shop", None)), BOTH, (0,)))
    assert (side.matrix, side.points(0, 4), side.points(2, 4)) == (None, [2], [0])


def test_places_beside_a_switch_are_counted_from_the_start():
    side = reference("我 去 coffee shop", "家 里")
    assert side.near_switches(0, 6) == [1, 2, 3, 4]
    assert side.near_switches(3, 6) == [0, 1]
    assert side.near_switches(0, 2) == []  # the unit behind the switch is not among them


def test_each_sentence_has_the_errors_that_stand_in_it():
    side = reference("a b c", "d e", "f", among=("eng",))
    found = align(side.units[:4], "a x c y d".split())
    assert side.sentence_errors(found, 0) == {0: 1, 1: 1}
    assert side.sentences(found, 0, {}) == ((0, 1, 3), (1, 1, 1))
    assert side.sentences(align(["e"], ["e"]), 4, {1: 2}) == ((1, 2, 2),)
    behind = align(["f"], ["f", "g"])
    assert side.sentence_errors(behind, 5) == {2: 1}
