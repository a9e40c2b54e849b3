"""CTC is read within words, and dev counts wrong phonemes and words."""

from __future__ import annotations

import torch

from speech.train.pronunciation.batches import PronouncedWords, PronunciationPacker
from speech.train.pronunciation.module import PronunciationModule, word_frames
from tests.pronounced import tiny_letter_phonemes, write_corpus
from tests.train.pronunciation.corpus import tiny


def batch_of(model, *sentences):
    return PronunciationPacker([PronouncedWords("x", "eng", *own) for own in sentences], model.vocabulary).batch(
        list(range(len(sentences)))
    )


def test_frames_of_a_word_are_those_between_its_marks():
    model = tiny_letter_phonemes()
    batch = batch_of(model, (("ab", "c"), ("ab", "ks")), (("e",), ("e",)))
    scores = torch.arange(2 * 7 * 3)[:, None].expand(-1, 9).reshape(2, 21, 9)
    words, frames = word_frames(scores, batch, 3)
    assert frames.tolist() == [12, 9, 9]
    assert words[0, :, 0].tolist() == list(range(12))
    assert words[1, :9, 0].tolist() == list(range(12, 21))
    assert words[2, :9, 0].tolist() == list(range(21, 30))


def test_dev_counts_phonemes_and_words(tmp_path, monkeypatch):
    model = tiny_letter_phonemes()
    module = PronunciationModule(model, tiny([write_corpus(tmp_path / "c")], tmp_path / "run"))
    batch = batch_of(model, (("a", "c"), ("a", "ks")))
    best = [1, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]  # "a" is right, "k" lacks "s"
    scores = torch.nn.functional.one_hot(torch.tensor([best]), 9).float().log_softmax(dim=2)
    monkeypatch.setattr(model, "forward", lambda *_: scores)
    logged = {}
    monkeypatch.setattr(module, "log_dict", logged.update)
    module.on_validation_epoch_start()
    module.loss(batch, None)
    module.on_validation_epoch_end()
    assert logged == {"dev/phonemes_wrong": 1 / 3, "dev/words_wrong": 1 / 2}
