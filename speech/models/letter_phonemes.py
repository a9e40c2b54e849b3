"""Letters to phonemes: how words are pronounced in their sentence, by one network for several languages.

letters, language -> convolutions over the sentence -> scores of phonemes, `repeats` times a letter -> CTC in each word

CTC (Graves et al. 2006) needs more frames than phonemes: a letter has several, and the marks around a word as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.feed_forward import FeedForward
from speech.ranges import check, ranged
from speech.text.letter_vocabulary import BLANK, LetterVocabulary


@dataclass(kw_only=True, slots=True)
class LetterPhonemesConfig:
    """Shape of the model."""

    dim: int = ranged(192, least=1)
    layers: int = ranged(5, least=1)
    kernel: int = ranged(9, least=1)
    """Letters that a convolution sees, an odd number."""
    repeats: int = ranged(3, least=1)
    """Frames of scores per letter."""
    dropout: float = ranged(0.0, least=0, below=1)
    """In training, between the linear layers of a block."""

    def __post_init__(self) -> None:
        check(self, "model")
        if self.kernel % 2 == 0:
            raise ConfigError(f"model.kernel {self.kernel}", fix="Give an odd number.")

    def build(self, vocabulary: LetterVocabulary) -> LetterPhonemes:
        """Build the model with random parameters."""
        return LetterPhonemes(self, vocabulary)


class LetterBlock(nn.Module):
    """Depthwise convolution that looks both ways, LayerNorm, feed-forward network, residual (ConvNeXt, Liu et al.
    2022): `(batch, n, dim)` to the same."""

    def __init__(self, config: LetterPhonemesConfig) -> None:
        super().__init__()
        self.conv = nn.Conv1d(config.dim, config.dim, config.kernel, padding=config.kernel // 2, groups=config.dim)
        self.norm = nn.LayerNorm(config.dim)
        self.feed_forward = FeedForward(config.dim, 4 * config.dim, F.gelu, config.dropout)
        self.gamma = nn.Parameter(torch.full((config.dim,), 1 / config.layers))

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        """`inside (batch, n, 1)` is 0 behind the end of a row and 1 elsewhere."""
        y = self.conv((x * inside).transpose(1, 2)).transpose(1, 2)
        return x + self.gamma * self.feed_forward(self.norm(y))


class LetterPhonemes(nn.Module):
    """Scores phonemes.

    Args:
        config: shape.
        vocabulary: letters, phonemes and languages.
    """

    def __init__(self, config: LetterPhonemesConfig, vocabulary: LetterVocabulary) -> None:
        super().__init__()
        self.config, self.vocabulary = config, vocabulary
        self.letters = nn.Embedding(vocabulary.letter_count, config.dim)
        self.languages = nn.Embedding(len(vocabulary.languages), config.dim)
        self.blocks = nn.ModuleList(LetterBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.output = nn.Linear(config.dim, config.repeats * vocabulary.phoneme_count)
        self.parameter_count = sum(parameter.numel() for parameter in self.parameters())

    def forward(self, letters: Tensor, lengths: Tensor, languages: Tensor) -> Tensor:
        """Log-probabilities of phonemes `(batch, n * repeats, phonemes)`.

        Args:
            letters: `(batch, n)` of `LetterVocabulary.spell`, anything behind the end of a row.
            lengths: `(batch,)`
            languages: `(batch,)`
        """
        places = torch.arange(letters.shape[1], device=letters.device)
        inside = (places < lengths[:, None])[..., None].float()
        x = self.letters(letters) + self.languages(languages)[:, None]
        for block in self.blocks:
            x = block(x, inside)
        scores = self.output(self.norm(x)).unflatten(2, (self.config.repeats, -1)).flatten(1, 2)
        return scores.float().log_softmax(dim=2)

    @torch.inference_mode()
    def pronounce(self, words: Sequence[str], language: str) -> list[str]:
        """Phonemes of the words of a sentence, one string each; empty for a word without known letters.

        Raises:
            LanguageError: if the language is unknown.
        """
        number, spelled = self.vocabulary.language(language), self.vocabulary.spell(words)
        if not words:
            return []
        device = self.output.weight.device
        letters = torch.tensor([spelled.letters], device=device)
        lengths = torch.tensor([letters.shape[1]], device=device)
        best = self(letters, lengths, torch.tensor([number], device=device))[0].argmax(dim=1).tolist()
        found = []
        for start, end in spelled.spans:
            own = best[start * self.config.repeats : end * self.config.repeats] if end - start > 2 else []
            found.append(self.vocabulary.written(phoneme for phoneme, _ in groupby(own) if phoneme != BLANK))
        return found
