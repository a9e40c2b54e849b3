"""Languages of words: the best path with a price on switches, and only languages with such letters."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.words.labels import TokenEvidence, label_words, languages_of
from speech.decode.words.words import mixed_drafts

SWITCH = 3.0


@given(st.data())
def test_labels_are_the_best_of_all_sequences(data):
    words, languages = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    evidence, frames = -6 * rng.random((words, languages)), rng.integers(0, 30, words)
    main = data.draw(st.integers(0, languages - 1))
    weight = np.minimum(frames / 10, 4.0)[:, None]

    def score(labels):
        heard = sum((evidence * weight)[number, label] for number, label in enumerate(labels))
        switches = (labels[0] != main) + sum(a != b for a, b in itertools.pairwise(labels))
        return heard - SWITCH * switches

    found = label_words(evidence, frames, np.ones((words, languages), bool), main, SWITCH)
    best = max(map(score, itertools.product(range(languages), repeat=words)))
    assert score(found) == pytest.approx(best)


def test_one_unclear_word_does_not_switch_and_clear_ones_do():
    possible = np.ones((4, 2), bool)
    unclear = np.array([[0.0, -4.0], [-2.0, -1.0], [0.0, -4.0], [0.0, -4.0]])
    assert label_words(unclear, np.full(4, 20), possible, 0) == [0, 0, 0, 0]
    clear = np.array([[0.0, -8.0], [-8.0, 0.0], [-8.0, 0.0], [0.0, -8.0]])
    assert label_words(clear, np.full(4, 20), possible, 0) == [0, 1, 1, 0]


def test_letters_decide_where_scripts_differ_and_no_letters_leave_it_open():
    evidence = np.array([[0.0, -8.0], [0.0, -8.0], [0.0, -8.0]])
    possible = np.array([[True, False], [False, True], [False, False]])
    assert label_words(evidence, np.array([20, 20, 20]), possible, 0) == [0, 1, 0]


def test_no_words_have_no_languages():
    assert label_words(np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3), bool), 0) == []
    empty = TokenEvidence.of([], torch.zeros(5, 2))
    assert languages_of([], empty, ["eng", "rus"], ["eng"], "eng") == []


def test_evidence_of_a_token_goes_to_the_next_one_but_not_for_ever():
    evidence = torch.arange(200.0)[:, None] / -100
    spans = [TokenSpan(1, 2, 3, 1.0), TokenSpan(2, 10, 12, 1.0), TokenSpan(3, 20, 21, 1.0)]
    told = TokenEvidence.of(spans, evidence)
    assert told.frames.tolist() == [8, 10, 50]
    assert told.total[:, 0].tolist() == pytest.approx(
        [sum(-n / 100 for n in frames) for frames in (range(2, 10), range(10, 20), range(20, 70))]
    )
    both = TokenEvidence.joined([told, told])
    assert both.frames.tolist() == [8, 10, 50] * 2
    assert both.select([False, True] * 3).frames.tolist() == [10, 8, 50]


def test_words_of_two_scripts_are_told_by_sound_and_letters():
    pieces = ["", "\u2581the", "\u2581go", "od", "\u2581жар", "\u2581 5".replace(" ", "")]
    spans = [TokenSpan(token, 10 * n, 10 * n + 2, 1.0) for n, token in enumerate([1, 2, 3, 4, 5])]
    drafts = mixed_drafts(spans, pieces.__getitem__)
    assert [draft.text for draft in drafts] == ["the", "good", "жар", "5"]
    told = TokenEvidence.of(spans, torch.tensor([[-0.1, -2.0, -9.0]]).repeat(50, 1))
    known = ["eng", "deu", "rus"]
    assert languages_of(drafts, told, known, known, "eng") == ["eng", "eng", "rus", "eng"]
    assert languages_of(drafts, told, known, ["deu", "rus"], "deu") == ["deu", "deu", "rus", "deu"]
