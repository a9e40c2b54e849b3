"""What was skipped and repeated is found wherever it stands; what was only misheard is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speech.metrics.edit.alignment import align
from speech.metrics.speech_quality.skips import LEAST, skipped_and_repeated

WORDS = st.lists(st.integers(0, 10_000).map(str), unique=True, min_size=12, max_size=30)


def found(wanted, heard):
    skipped, repeated = skipped_and_repeated(align(wanted, heard))
    return [run.units for run in skipped], [run.units for run in repeated]


@given(WORDS, st.data())
def test_a_skip_is_named_wherever_it_stands(wanted, data):
    length = data.draw(st.integers(1, len(wanted)))
    start = data.draw(st.integers(0, len(wanted) - length))
    heard = wanted[:start] + wanted[start + length :]
    expected = [tuple(wanted[start : start + length])] if length >= LEAST else []
    assert found(wanted, heard) == (expected, [])


@given(WORDS, st.data())
def test_a_repetition_is_named_once_however_often_it_is_said(wanted, data):
    length = data.draw(st.integers(1, len(wanted)))
    start = data.draw(st.integers(0, len(wanted) - length))
    times = data.draw(st.integers(1, 3))
    piece = wanted[start : start + length]
    heard = wanted[: start + length] + piece * times + wanted[start + length :]
    skipped, repeated = found(wanted, heard)
    assert skipped == []
    if length >= LEAST:
        (run,) = repeated
        assert len(run) == length * times
        assert set(run) == set(piece)
    elif length * (times + 1) < 2 * LEAST:
        assert repeated == []


@given(WORDS, st.lists(st.integers(20_000, 30_000).map(str), unique=True, min_size=LEAST, max_size=9), st.data())
def test_other_words_that_are_put_in_are_no_repetition(wanted, others, data):
    start = data.draw(st.integers(0, len(wanted)))
    assert found(wanted, wanted[:start] + others + wanted[start:]) == ([], [])


@given(WORDS, st.sets(st.integers(0, 29)))
def test_misheard_words_are_neither_skips_nor_repetitions(wanted, places):
    heard = [f"x{word}" if place in places else word for place, word in enumerate(wanted)]
    assert found(wanted, heard) == ([], [])


def test_a_repetition_may_be_misheard_in_one_word_of_four():
    wanted = "we went home by the river".split()
    (run,) = found(wanted, [*wanted, *"we sent home by the river".split()])[1]
    assert (len(run), "sent" in run) == (6, True)
    assert found(wanted, [*wanted, *"we sent some by a rover".split()])[1] == []


def test_what_the_text_itself_says_twice_is_no_repetition():
    wanted = "no no no no it is not so it is not so".split()
    assert found(wanted, wanted) == ([], [])
    assert found(wanted, "no no no no it is not so".split()) == ([tuple("it is not so".split())], [])
