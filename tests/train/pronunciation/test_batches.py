"""Batches of pronounced sentences: each sentence once, none too large, and what is wrong in a file is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import DataError
from speech.text.letter_vocabulary import LetterVocabulary
from speech.train.pronunciation.batches import (
    SOURCES,
    PronouncedWords,
    PronunciationBatches,
    PronunciationPacker,
    fitting,
    planned,
    read_pronunciations,
    read_sources,
)
from speech.train.pronunciation.config import PronunciationBatchConfig
from tests.pronounced import write_corpus


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(20, 100), st.one_of(st.none(), st.integers()))
def test_each_sentence_occurs_once_in_batches_of_the_size(lengths, letters, seed):
    rng = None if seed is None else np.random.default_rng(abs(seed))
    batches = planned(lengths, letters, rng)
    assert sorted(n for batch in batches for n in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[n] for n in batch) <= letters


def test_a_batch_says_where_words_lie_and_how_they_sound():
    sentences = [
        PronouncedWords("x-1", "eng", ("ab", "c"), ("ab", "ks")),
        PronouncedWords("x-2", "deu", ("a",), ("a",)),
    ]
    vocabulary = LetterVocabulary("abc", "abks", ("deu", "eng"))
    batch = PronunciationPacker(sentences, vocabulary).batch([1, 0])
    assert batch.letters.tolist() == [[1, 3, 2, 0, 0, 0, 0], [1, 3, 4, 2, 1, 5, 2]]
    assert (batch.lengths.tolist(), batch.languages.tolist()) == ([3, 7], [0, 1])
    assert (batch.rows.tolist(), batch.spans.tolist()) == ([0, 1, 1], [[0, 3], [0, 4], [4, 7]])
    assert (batch.phonemes.tolist(), batch.phoneme_lengths.tolist()) == ([[1, 0], [1, 2], [3, 4]], [1, 2, 2])
    assert batch.ids == ["x-2", "x-1"]
    assert batch.to("cpu").spans.tolist() == batch.spans.tolist()


def test_epochs_differ_and_are_repeatable(tmp_path):
    sentences = read_pronunciations(write_corpus(tmp_path / "c") / "train.jsonl")
    packer = PronunciationPacker(sentences, LetterVocabulary("abcde", "abdeks", ("eng",)))

    def ids(epoch):
        batches = PronunciationBatches(packer, PronunciationBatchConfig(letters=60), seed=3)
        return [name for n in range(batches.size(epoch)) for name in batches.batch(epoch, n).ids]

    assert ids(0) == ids(0)
    assert ids(0) != ids(1)
    assert sorted(ids(0)) == sorted(ids(1)) == sorted(own.id for own in sentences)


def test_words_with_too_many_phonemes_are_left_out(caplog):
    fits = PronouncedWords("x-1", "eng", ("w",), ("dˈʌbəlju",))
    twins = PronouncedWords("x-2", "eng", ("w",), ("aabbc",))
    assert fitting("train", [fits, twins], 3) == [fits, twins]
    assert fitting("train", [fits, twins], 2) == []
    assert "train: 2 texts have too many phonemes: left out" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", "line 1.*no pronunciation"),
        ('{"lang": "eng", "words": ["a"]}', "line 1.*no pronunciation"),
        ('{"lang": "Elvish", "words": ["a"], "symbols": ["a"]}', "line 1.*Elvish"),
        ('{"lang": "eng", "words": ["a", "b"], "symbols": ["a"]}', "line 1.*2 words with 1 pronunciations"),
        ('{"lang": "eng", "words": ["a"], "symbols": [""]}', "none of which may be empty"),
        ("", "it has no line"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, line, message):
    path = tmp_path / "train.jsonl"
    path.write_text(f"{line}\n" if line else "")
    with pytest.raises(DataError) as error:
        read_pronunciations(path)
    assert error.match(message) or message in f"{error.value.where}, {error.value}"


def test_sources_may_be_missing_and_are_checked(tmp_path):
    assert read_sources(tmp_path) == []
    (tmp_path / SOURCES).write_text('[["a teacher", "CC0"]]')
    assert read_sources(tmp_path) == [("a teacher", "CC0")]
    for wrong in ("{", "[1]", '[["a"]]'):
        (tmp_path / SOURCES).write_text(wrong)
        with pytest.raises(DataError, match=r"sources\.json: it is no list of names and licences"):
            read_sources(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_pronunciations(tmp_path / "none.jsonl")
