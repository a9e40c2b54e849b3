"""Scores of phonemes: rows of a batch do not see each other, words see their neighbours, CTC is read word by word."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import ConfigError, LanguageError
from speech.models.letter_phonemes import LetterPhonemesConfig
from tests.pronounced import tiny_letter_phonemes

WORDS = st.lists(st.text(alphabet="abcdeéñß", min_size=1, max_size=7), min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=4))
def test_a_row_is_the_same_alone_and_beside_others(sentences):
    model = tiny_letter_phonemes()
    rows = [model.vocabulary.spell(words).letters for words in sentences]
    lengths = torch.tensor([len(row) for row in rows])
    letters = torch.randint(model.vocabulary.letter_count, (len(rows), int(lengths.max())))
    for number, row in enumerate(rows):
        letters[number, : len(row)] = torch.tensor(row)
    with torch.inference_mode():
        together = model(letters, lengths, torch.ones(len(rows), dtype=torch.int64))
        for number, row in enumerate(rows):
            alone = model(torch.tensor([row]), lengths[number : number + 1], torch.tensor([1]))
            torch.testing.assert_close(together[number, : alone.shape[1]], alone[0], atol=1e-5, rtol=0)


def test_scores_are_log_probabilities_three_times_a_letter():
    model = tiny_letter_phonemes()
    scores = model(torch.ones(2, 5, dtype=torch.int64), torch.tensor([5, 4]), torch.tensor([0, 1]))
    assert scores.shape == (2, 15, 9)
    torch.testing.assert_close(scores.exp().sum(dim=2), torch.ones(2, 15))


def test_repeated_frames_are_one_phoneme_and_blanks_part_them(monkeypatch):
    model = tiny_letter_phonemes()  # phonemes are "abdeksˈː" from 1 on
    best = [0, 1, 1, 0, 1, 3, 3, 3, 0, 5, 5, 0, 0, 0, 0, 0, 0, 6]
    scores = torch.nn.functional.one_hot(torch.tensor([best]), 9).float()
    monkeypatch.setattr(model, "forward", lambda *_: scores)
    assert model.pronounce(["a", "c"], "eng") == ["aad", "ks"]


def test_words_without_letters_and_no_words_at_all():
    model = tiny_letter_phonemes()
    assert model.pronounce([], "eng") == []
    assert model.pronounce(["жж"], "deu") == [""]
    with pytest.raises(LanguageError, match="one of deu, eng"):
        model.pronounce(["a"], "fra")


def test_a_word_hears_its_neighbours():
    model = tiny_letter_phonemes()
    one, other = (model.vocabulary.spell(["ab", word]).letters for word in ("cd", "de"))
    languages, length = torch.tensor([0]), torch.tensor([8])
    with torch.inference_mode():
        scores = [model(torch.tensor([own]), length, languages) for own in (one, other)]
    difference = (scores[0] - scores[1]).abs()
    assert float(difference[0, 3 * 3 : 4 * 3].max()) > 1e-6  # the mark behind the first word
    assert float(difference[0, : 3 * 3].max()) == 0.0  # further away than two layers of three letters see


def test_an_even_kernel_is_refused():
    with pytest.raises(ConfigError, match=r"model\.kernel 4.*odd"):
        LetterPhonemesConfig(kernel=4)
