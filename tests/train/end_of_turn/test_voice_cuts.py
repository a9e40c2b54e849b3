"""Turns that are heard: whole clips and cut ones end alike."""

import random

import numpy as np
import pytest

from speech.audio.input.files import load_audio
from speech.audio.vad import Vad
from speech.errors import DataError
from speech.train.end_of_turn.voice_cuts import HeardTurn, TurnHearer, as_heard, read_heard, write_heard

CLIP = "speech/assets/clips/LJ003-0041.ogg"
WORDS = [("one", 0.2, 0.8), ("two", 0.9, 2.0), ("three", 2.1, 3.5), ("four", 3.6, 6.2)]


def turns(words=WORDS, text="There was no lack of air.", cuts=2):
    hearer = TurnHearer(Vad(), cuts, lambda samples, code: f"{code} {len(samples) > 0}")
    return list(hearer.turns(load_audio(CLIP), words, text, ("a", "eng"), random.Random(1)))


def test_a_clip_is_a_finished_turn_and_cut_ones_are_not():
    found = turns()
    whole, *cut = [turn for turn in found if turn.finished], [turn for turn in found if not turn.finished]
    assert len(whole) == 1
    assert len(cut[0]) >= 2
    assert {turn.text for turn in found} == {"eng True"}
    assert all(0 < len(turn.samples) <= 64_640 for turn in found)


def test_few_words_are_not_cut_and_pauses_between_sentences_end_nothing():
    assert [turn.finished for turn in turns(WORDS[:2], "It is. And it was.")] == [True]
    assert TurnHearer(Vad(), 2).turns(np.zeros(16_000, np.float32), [], "", ("a", "eng"), random.Random(1))
    silent = TurnHearer(Vad(), 2).turns(np.zeros(16_000, np.float32), [], "", ("a", "eng"), random.Random(1))
    assert list(silent) == []


def test_the_same_seed_hears_the_same():
    one, other = turns(), turns()
    assert [turn.samples.tolist() for turn in one] == [turn.samples.tolist() for turn in other]


def test_ends_fade_and_are_followed_by_a_pause():
    loud = np.full(16_000, 0.5, np.float32)
    for seed in range(20):
        made = as_heard(np.concatenate([np.zeros(4000, np.float32), loud]), random.Random(seed))
        assert np.abs(made[-7000:]).max() < 0.05
        assert 16_000 <= len(made) - 8_000 - 1_600 <= 16_000 + 4_800 + 1


def test_what_is_written_is_read(tmp_path):
    own = [HeardTurn("a", "eng", np.array([0.0, 0.5, -1.0], np.float32), True, "é"),
           HeardTurn("b", "fra", np.array([0.25], np.float32), False)]  # fmt: skip
    write_heard(tmp_path / "x.npz", own)
    read = read_heard(tmp_path / "x.npz")
    assert [(turn.id, turn.language, turn.finished, turn.text) for turn in read] == [
        ("a", "eng", True, "é"),
        ("b", "fra", False, ""),
    ]
    assert np.abs(read[0].samples - own[0].samples).max() < 1e-4


def test_files_that_hold_none(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_heard(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", samples=np.zeros(3))
    with pytest.raises(DataError, match="holds no turns"):
        read_heard(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="holds no turns"):
        read_heard(tmp_path / "x.npz")
