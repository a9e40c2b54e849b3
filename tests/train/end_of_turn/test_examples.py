"""Examples of turns: they are complete or beginnings, with ends that recognisers write."""

import random

import pytest

from speech.text.normalize import plain_text
from speech.text.turn_features import final_mark
from speech.train.end_of_turn.examples import TurnMaker, written
from speech.train.end_of_turn.turns import WrittenTurn

SENTENCE = WrittenTurn("1", "eng", "Where is the green house, please?", True, "a")


def examples(turn, fillers=None, count=400):
    maker, rng = TurnMaker([turn], fillers or {}), random.Random(5)
    return [maker.example(turn, rng) for _ in range(count)]


def test_half_of_the_examples_are_cut_between_words():
    found = examples(SENTENCE)
    assert 0.4 < sum(own.finished for own in found) / len(found) < 0.6
    words = plain_text(SENTENCE.text).split()
    for own in found:
        last = plain_text(own.text).split()
        kept = last[len(words) :] if last[: len(words)] == words and len(last) > len(words) else last
        assert kept == (words if own.finished else words[: len(kept)])
        assert own.finished or len(kept) < len(words)


def test_beginnings_end_with_full_stops_too():
    marks = {own.finished: set() for own in examples(SENTENCE)}
    for own in examples(SENTENCE):
        marks[own.finished].add(final_mark(own.text))
    assert marks[True] == {"?", "", ".", ",", "~"}
    assert marks[False] == {"?", "", ".", ",", "~"}


def test_a_single_word_stays_whole_and_what_breaks_off_stays_so():
    assert all(own.finished for own in examples(WrittenTurn("1", "eng", "Yes.", True, "a"), count=40))
    assert not any(own.finished for own in examples(WrittenTurn("1", "eng", "I would", False, "a"), count=40))


def test_a_filled_pause_at_the_end_goes_on_and_one_at_the_beginning_changes_nothing():
    found = examples(SENTENCE, {"eng": ["um"]})
    at_end = [own for own in found if plain_text(own.text).endswith(" um")]
    at_start = [own for own in found if plain_text(own.text).startswith("um ")]
    assert at_end
    assert not any(own.finished for own in at_end)
    assert {own.finished for own in at_start} == {True, False}


def test_a_script_without_spaces_is_cut_between_letters():
    own = WrittenTurn("1", "cmn", "请打开厨房里的灯。", True, "a")
    cut = [one.text for one in examples(own) if not one.finished]
    assert cut
    assert not any(" " in text.replace("。 ", "") for text in cut)
    assert all(one.finished for one in examples(WrittenTurn("1", "cmn", "厨房。", True, "a"), count=30))


@pytest.mark.parametrize("finished", [True, False])
def test_the_words_of_a_text_are_kept(finished):
    rng = random.Random(2)
    for _ in range(50):
        text = written("Well, it's 3.5 m - good!", finished, False, rng)
        assert plain_text(text).replace(" ", "") in {"wellit's35mgood"}
