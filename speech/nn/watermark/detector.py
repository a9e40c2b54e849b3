"""The detector of a watermark: presence and bits per frame, causally and with state."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from speech.audio.causal_log_mel import CausalLogMel
from speech.nn.codec.causal import CausalConvolution, CausalSequence, Framewise
from speech.nn.codec.convnext import ConvNextBlock
from speech.nn.watermark.codes import demodulating_taps, spread_codes

_EXPANSION = 2
_STEEP = 2.0
"""Inverse of the change of a level, in nepers, beyond which it is limited; speech jumps further than a mark does."""
_FIRST_BIAS = -2.0
"""Presence logit with which training begins where nothing is heard."""


class Detected(NamedTuple):
    """What the detector says of each frame, as logits."""

    presence: Tensor
    """`(batch, t)`: whether the frame is marked."""
    bits: Tensor
    """`(batch, t, bits)`: whether each bit is 1, if the frame is marked."""


class DetectorState(NamedTuple):
    """State of streams that are listened to."""

    samples: Tensor
    """State of the log-mel front end."""
    layers: tuple[Any, ...]


class WatermarkDetector(nn.Module):
    """Finds marks of `speech.nn.watermark.generator` in samples at its rate.

    Log-mel levels, their change over half a period (which removes what is steady, such as gain), a limit on it, a
    projection onto codes, and a long depthwise convolution that demodulates them begin as a matched filter of the
    codes that the generator begins with; ConvNeXt blocks follow. Of each frame come a complex reference and a complex
    number per bit. A bit is read off the phase between the two, which is the same wherever the audio was cut.

    Args:
        rate: sample rate in Hz.
        n_fft: window in samples.
        hop: samples per frame.
        bands: mel bands.
        bits: bits of a message.
        period: frames of the generator's pattern, even.
        dim: channels of the blocks, at least four per code.
        layers: number of blocks.
        kernel: frames that a block sees.
        span: frames that the demodulation sees.
        delay_frames: frames by which an output is later than what it describes.

    Raises:
        ValueError: if dim is too small for the codes.
    """

    def __init__(
        self,
        rate: int,
        n_fft: int,
        hop: int,
        bands: int,
        *,
        bits: int,
        period: int,
        dim: int,
        layers: int,
        kernel: int,
        span: int,
        delay_frames: int,
    ) -> None:
        super().__init__()
        codes = 1 + bits
        if dim < 4 * codes:
            raise ValueError(f"{dim} channels, expected {4 * codes} or more for {bits} bits")
        self.log_mel, self.hop, self.delay_frames, self.codes = (
            CausalLogMel(rate, n_fft, hop, bands),
            hop,
            delay_frames,
            codes,
        )
        change = CausalConvolution(bands, bands, period // 2 + 1, depthwise=True)
        project, demodulate, mix = (
            nn.Linear(bands, dim),
            CausalConvolution(dim, dim, span, depthwise=True),
            nn.Linear(dim, dim),
        )
        self.blocks = CausalSequence(
            [
                change,
                Framewise(nn.Tanh()),
                Framewise(project),
                demodulate,
                Framewise(mix),
                *[ConvNextBlock(dim, kernel, _EXPANSION, scale=1 / layers) for _ in range(layers)],
                Framewise(nn.LayerNorm(dim)),
            ]
        )
        self.phasors = nn.Linear(dim, 2 * codes)
        self.direct = nn.Linear(dim, codes)
        self.energies = nn.Parameter(torch.full((codes,), 1 / codes))
        self.turns = nn.Parameter(torch.ones(bits))
        _begin_as_matched_filter(change, project, demodulate, mix, spread_codes(codes, bands), period)
        with torch.no_grad():
            self.phasors.weight.copy_(torch.eye(2 * codes, dim, device="cpu"))
            for parameter in (self.phasors.bias, self.direct.weight, self.direct.bias):
                nn.init.zeros_(parameter)
            self.direct.bias[0] = _FIRST_BIAS

    def forward(self, samples: Tensor) -> Detected:
        """Logits of all frames of `samples (batch, N)`: frame `t` of ceil(N / hop) is about the hop that it begins."""
        count = -(-samples.shape[1] // self.hop)
        whole = (count + self.delay_frames) * self.hop
        found, _ = self.step(nn.functional.pad(samples, (0, whole - samples.shape[1])), self.begin(len(samples)))
        return Detected(found.presence[:, self.delay_frames :], found.bits[:, self.delay_frames :])

    def begin(self, batch: int) -> DetectorState:
        """State of `batch` streams before their first sample."""
        return DetectorState(self.log_mel.begin(batch), self.blocks.begin(batch))

    def step(self, samples: Tensor, state: DetectorState) -> tuple[Detected, DetectorState]:
        """Logits, `delay_frames` late, of the frames that `samples (batch, n)` complete, for any `n`."""
        levels, waiting = self.log_mel.step(samples, state.samples)
        x, layers = self.blocks.step(levels, state.layers)
        return self._read(x), DetectorState(waiting, layers)

    def _read(self, x: Tensor) -> Detected:
        phasors = self.phasors(x).unflatten(2, (self.codes, 2))  # (batch, t, codes, 2)
        direct = self.direct(x)
        presence = phasors.square().sum(-1) @ self.energies + direct[..., 0]
        turned = (phasors[:, :, :1] * phasors[:, :, 1:]).sum(-1)  # real part of the product with the reference
        return Detected(presence, self.turns * turned + direct[..., 1:])


@torch.no_grad()
def _begin_as_matched_filter(
    change: CausalConvolution,
    project: nn.Linear,
    demodulate: CausalConvolution,
    mix: nn.Linear,
    codes: Tensor,
    period: int,
) -> None:
    """Set the first layers so that channels 2i and 2i + 1 are real and imaginary part of code i in the levels."""
    count, bands = codes.shape
    kernel = demodulate.span
    for parameter in (change.conv.weight, change.conv.bias):
        nn.init.zeros_(parameter)  # type: ignore[arg-type]
    change.conv.weight[:, 0, 0], change.conv.weight[:, 0, -1] = -_STEEP, _STEEP
    cosine, sine = demodulating_taps(period, kernel)
    rows = torch.stack([codes.real, codes.imag, codes.real, codes.imag], dim=1).flatten(0, 1) / bands**0.5
    project.weight[: 4 * count].copy_(rows)
    taps = torch.stack([cosine, sine, sine, cosine]).repeat(count, 1)
    demodulate.conv.weight[: 4 * count, 0].copy_(taps)
    own = torch.zeros(2 * count, mix.in_features, device="cpu")
    for code in range(count):
        own[2 * code, 4 * code], own[2 * code, 4 * code + 1] = 1.0, 1.0
        own[2 * code + 1, 4 * code + 2], own[2 * code + 1, 4 * code + 3] = 1.0, -1.0
    mix.weight[: 2 * count].copy_(own)
    for bias in (project.bias, demodulate.conv.bias, mix.bias):
        nn.init.zeros_(bias)  # type: ignore[arg-type]
