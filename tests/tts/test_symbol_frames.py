"""Durations of symbols from the times of words: they fill the recording, whatever the times are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import DataError
from speech.transcript import Word
from speech.tts.symbol_frames import frames_of_symbols, times_of_words

SECONDS = st.floats(-2, 9, allow_nan=False)


def word(text: str, start_s: float, end_s: float) -> Word:
    return Word(text, start_s, end_s, 1.0, "eng")


def test_words_share_their_time_and_pauses_the_silence():
    #         ^  a  b  ,  ␣  d  e  $
    weights = [1, 1, 3, 2, 2, 1, 1, 5]
    found = frames_of_symbols(weights, [(1, 3), (5, 7)], [(0.3, 0.7), (0.9, 1.1)], 20, 0.1)
    assert found == [3, 1, 3, 1, 1, 1, 1, 9]


def test_without_symbols_for_a_silence_the_words_beside_share_it():
    assert frames_of_symbols([1, 1], [(0, 1), (1, 2)], [(0.2, 0.4), (0.8, 0.9)], 10, 0.1) == [6, 4]
    assert frames_of_symbols([0, 0, 0], [(0, 3)], [(0.2, 0.4)], 9, 0.1) == [3, 3, 3]


def test_a_word_that_has_no_symbols_is_silence():
    assert frames_of_symbols([1, 1, 1], [(1, 1), (1, 2)], [(0.0, 0.3), (0.5, 0.6)], 10, 0.1) == [5, 1, 4]


@st.composite
def recordings(draw):
    """Weights of symbols, spans and times of words, and a length."""
    gaps = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), SECONDS, SECONDS), max_size=6))
    spans, place = [], 0
    for gap, length, _, _ in gaps:
        spans.append((place + gap, place + gap + length))
        place += gap + length
    symbols = max(place + draw(st.integers(0, 2)), 1)
    weights = draw(st.lists(st.floats(0, 50), min_size=symbols, max_size=symbols))
    return weights, spans, [(start, end) for _, _, start, end in gaps], draw(st.integers(0, 90))


@given(recordings(), st.sampled_from([0.01, 0.0466667, 0.1]))
def test_durations_sum_up_to_the_frames_for_any_times(recording, frame_s):
    weights, spans, times, frames = recording
    found = frames_of_symbols(weights, spans, times, frames, frame_s)
    assert len(found) == len(weights)
    assert sum(found) == frames
    assert min(found) >= 0


def test_cut_and_joined_words_are_told_apart_by_their_letters():
    aligned = [word("don't", 0, 1), word("look", 1, 1.4), word("twentyone", 2, 2.9)]
    assert times_of_words(["Don't", "look", "twenty", "one"], aligned) == [
        (0, 1), (1, 1.4), (2, pytest.approx(2.6)), (pytest.approx(2.6), pytest.approx(2.9)),
    ]  # fmt: skip
    cut = [word("vingt", 0, 0.5), word("et", 0.6, 0.7), word("un", 0.8, 1)]
    assert times_of_words(["vingt-et-un", "…"], cut) == [(0, 1), (1, 1)]
    with pytest.raises(DataError, match="3 letters are spoken, 5 were found"):
        times_of_words(["one"], [word("three", 0, 1)])
