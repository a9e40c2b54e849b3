"""Decoder: text, fundamental frequency and energy of frames to samples (Li et al. 2023, "StyleTTS 2")."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speech.nn.kokoro.generator import GeneratorConfig, IstftGenerator
from speech.nn.kokoro.masks import frame_mask, masked
from speech.nn.kokoro.residual import StyledResidual
from speech.ranges import check, ranged


@dataclass(kw_only=True, slots=True)
class StyleDecoderConfig:
    """Shape of the blocks before the generator."""

    dim: int = ranged(1024, least=1)
    blocks: int = ranged(4, least=1)
    """The last doubles the number of frames."""
    text_dim: int = ranged(64, least=1)
    """Channels of the text that every block reads again."""

    def __post_init__(self) -> None:
        check(self, "model.decoder")


class StyleDecoder(nn.Module):
    """Frames of text `(batch, frames, dim)` and curves of prosody to samples `(batch, frames * frame_samples)`.

    Args:
        dim: channels of the text.
        style_dim: channels of the style.
        sample_rate: Hz.
        config: shape.
        generator: shape of the generator.
    """

    def __init__(
        self, dim: int, style_dim: int, sample_rate: int, config: StyleDecoderConfig, generator: GeneratorConfig
    ) -> None:
        super().__init__()
        self.frame_samples = 2 * generator.frame_samples
        self.pitch, self.energy = (nn.Conv1d(1, 1, 3, stride=2, padding=1) for _ in range(2))
        self.text = nn.Conv1d(dim, config.text_dim, 1)
        self.first = StyledResidual(dim + 2, config.dim, style_dim)
        inner, last = config.dim + config.text_dim + 2, config.blocks - 1
        self.blocks = nn.ModuleList(
            StyledResidual(inner, generator.channels if n == last else config.dim, style_dim, doubles=n == last)
            for n in range(config.blocks)
        )
        self.generator = IstftGenerator(generator, style_dim, sample_rate)

    def forward(
        self, text: Tensor, pitch: Tensor, energy: Tensor, style: Tensor, lengths: Tensor, noise: Tensor | None
    ) -> Tensor:
        """Samples, 0 beyond the end of a row.

        Args:
            text: `(batch, frames, dim)`, 0 beyond the end of a row, as are the curves.
            pitch: fundamental frequency in Hz `(batch, 2 * frames)`.
            energy: the same shape.
            style: `(batch, style_dim)`.
            lengths: frames of each row `(batch,)`.
            noise: see `HarmonicSource`.
        """
        x = text.transpose(1, 2)
        mask = frame_mask(lengths, x.shape[2])
        curves = masked(torch.cat([self.pitch(pitch[:, None]), self.energy(energy[:, None])], dim=1), mask)
        again = masked(torch.cat([self.text(x), curves], dim=1), mask)
        x = self.first(torch.cat([x, curves], dim=1), style, lengths)
        for block in self.blocks:
            x = block(torch.cat([x, again], dim=1), style, lengths)
        return self.generator(x, style, pitch, lengths * 2, noise)
