"""Training step of a pronunciation model: CTC within each word."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from speech.metrics.edit.alignment import count_errors
from speech.models.letter_phonemes import LetterPhonemes
from speech.nn.losses import ctc_loss
from speech.text.letter_vocabulary import BLANK
from speech.train.loop.module import TrainModule
from speech.train.loop.optimizer import build_optimizer
from speech.train.pronunciation.batches import PronunciationBatch
from speech.train.pronunciation.config import PronunciationTrainConfig


class PronunciationModule(TrainModule[PronunciationBatch]):
    """Trains a pronunciation model. On dev it counts wrong phonemes and words as well."""

    def __init__(self, model: LetterPhonemes, config: PronunciationTrainConfig) -> None:
        super().__init__(model, config)
        self._counts = {"phonemes": [0, 0], "words": [0, 0]}
        """Errors and their maximum, of phonemes and of words, in the dev set so far."""

    @property
    def letter_phonemes(self) -> LetterPhonemes:
        """The trained model."""
        assert isinstance(self.model, LetterPhonemes)
        return self.model

    def loss(self, batch: PronunciationBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean CTC loss per phoneme of words, `ctc`."""
        scores = self.letter_phonemes(batch.letters, batch.lengths, batch.languages)
        words, frames = word_frames(scores, batch, self.letter_phonemes.config.repeats)
        each = ctc_loss(words, frames, batch.phonemes, batch.phoneme_lengths, blank=BLANK)
        weights = batch.phoneme_lengths / batch.phoneme_lengths.sum()
        total = (each * weights).sum()
        if generator is None:
            self._count(words, frames, batch)
        return total, {"ctc": total.detach()}

    def _count(self, words: Tensor, frames: Tensor, batch: PronunciationBatch) -> None:
        best, wanted = words.argmax(dim=2).tolist(), batch.phonemes.tolist()
        for own, count, right, length in zip(
            best, frames.tolist(), wanted, batch.phoneme_lengths.tolist(), strict=True
        ):
            found = [str(number) for number, _ in groupby(own[:count]) if number != BLANK]
            errors = count_errors([str(number) for number in right[:length]], found).errors
            for name, wrong, most in (("phonemes", errors, length), ("words", int(errors > 0), 1)):
                self._counts[name][0] += wrong
                self._counts[name][1] += most

    def on_validation_epoch_start(self) -> None:
        self._counts = {name: [0, 0] for name in self._counts}

    def on_validation_epoch_end(self) -> None:
        """Log the error rates of phonemes and of words."""
        self.log_dict({f"dev/{name}_wrong": wrong / max(most, 1) for name, (wrong, most) in self._counts.items()})

    def configure_optimizers(self) -> Any:
        return self.scheduled(build_optimizer(self.model, 0, self.config.optimizer))


def word_frames(scores: Tensor, batch: PronunciationBatch, repeats: int) -> tuple[Tensor, Tensor]:
    """Scores of each word: `(words, most, phonemes)` with anything behind the end of a word, and `(words,)` frames.

    Args:
        scores: `(batch, n * repeats, phonemes)`.
        batch: where the words lie.
        repeats: frames per letter.
    """
    frames = (batch.spans[:, 1] - batch.spans[:, 0]) * repeats
    places = torch.arange(int(frames.max()), device=scores.device) + batch.spans[:, :1] * repeats  # (words, most)
    places = places.clamp(max=scores.shape[1] - 1)
    return scores[batch.rows[:, None], places], frames
