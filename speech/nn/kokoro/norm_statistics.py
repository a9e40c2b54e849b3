"""Mean and variance of each channel behind every normalisation of a decoder, as a voice has them on average.

Instance normalisation looks at a whole utterance, so a decoder that has it cannot speak before it has all. A voice's
statistics hardly depend on what it says, but on how long it speaks: an utterance begins and ends with the same silence
and the same onset, so the mean of a channel, and that of its square, are `a + b / frames`. With `a` and `b` known each
frame needs only its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speech.nn.kokoro.style_norm import AdaptiveInstanceNorm


@dataclass(frozen=True, slots=True)
class NormStatistics:
    """Statistics of all normalisations of a decoder, in the order of its modules."""

    means: Tensor
    """`(channels,)`"""
    variances: Tensor
    """`(channels,)`, within utterances."""


_LEAST_SHARE = 0.05
"""Least variance of an utterance, as a share of that of long ones: the line may cross zero for very short ones."""
_RELATIVE_SPREAD = 2.0
"""How much longer the longest utterance has to be than the shortest, for a line to be fitted."""


@dataclass(frozen=True, slots=True)
class LengthStatistics:
    """Statistics of a voice for utterances of any length."""

    norms: Tensor
    """`(2, channels)`: means and variances of all utterances; or `(4, channels)`: those of long utterances, and what is
    added to each, divided by the number of frames, for shorter ones."""

    def of(self, frames: int) -> NormStatistics:
        """Those of an utterance of so many frames."""
        if len(self.norms) == 2:
            return NormStatistics(self.norms[0], self.norms[1])
        means, variances, mean_edge, variance_edge = self.norms.double()
        edge = mean_edge / frames
        short = torch.maximum(variances + variance_edge / frames - edge**2, _LEAST_SHARE * variances)
        return NormStatistics((means + edge).float(), short.float())


class StatisticsMeter:
    """Sums over the frames of utterances; `statistics` is their mean."""

    def __init__(self) -> None:
        self.utterances: list[NormStatistics] = []
        """Of each utterance."""
        self._frames: list[float] = []

    def statistics(self) -> NormStatistics:
        """Means over all frames.

        Raises:
            ValueError: if nothing was said.
        """
        if not self.utterances:
            raise ValueError("no utterance")
        weights = torch.tensor(self._frames) / sum(self._frames)
        means = torch.stack([one.means for one in self.utterances])
        variances = torch.stack([one.variances for one in self.utterances])
        return NormStatistics(weights @ means, weights @ variances)

    def by_length(self) -> LengthStatistics:
        """For utterances of any length: means, and means of squares, as straight lines over `1 / frames`, by weighted
        least squares; if all utterances are about as long, their mean.

        Raises:
            ValueError: if nothing was said.
        """
        known = self.statistics()
        frames = torch.tensor(self._frames, dtype=torch.float64)
        if frames.max() < _RELATIVE_SPREAD * frames.min():
            return LengthStatistics(torch.stack([known.means, known.variances]))
        weights = frames.sqrt()[:, None]
        lines = torch.stack([torch.ones_like(frames), 1 / frames], dim=1) * weights
        means = torch.stack([one.means for one in self.utterances]).double()
        squares = torch.stack([one.variances for one in self.utterances]).double() + means**2
        mean, mean_edge = torch.linalg.lstsq(lines, means * weights).solution
        square, square_edge = torch.linalg.lstsq(lines, squares * weights).solution
        variance = torch.maximum(square - mean**2, _LEAST_SHARE * known.variances.double())
        rows = [mean, variance, mean_edge, square_edge - 2 * mean * mean_edge]
        return LengthStatistics(torch.stack(rows).float())

    def add(self, utterance: NormStatistics, frames: int) -> None:
        """Add an utterance."""
        self.utterances.append(utterance)
        self._frames.append(float(frames))


def norms_of(decoder: nn.Module) -> list[AdaptiveInstanceNorm]:
    """The normalisations of a decoder, in order."""
    return [module for module in decoder.modules() if isinstance(module, AdaptiveInstanceNorm)]


def statistics_size(decoder: nn.Module) -> int:
    """Channels of all normalisations together."""
    return sum(norm.channels for norm in norms_of(decoder))


@contextmanager
def measuring(decoder: nn.Module) -> Iterator[StatisticsMeter]:
    """Measure all utterances, one at a time, that the decoder speaks in the block."""
    norms = norms_of(decoder)
    meter, seen = StatisticsMeter(), dict[nn.Module, tuple[Tensor, Tensor]]()

    frames: list[int] = []
    """Of the utterance under way, at its first normalisation."""

    def look(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].shape[0] != 1:
            raise ValueError(f"{inputs[0].shape[0]} utterances at once, expected one")
        if not seen:
            frames.append(inputs[0].shape[2])
        seen[norm] = torch.var_mean(inputs[0].detach().float()[0], dim=1, correction=0)
        if len(seen) == len(norms):
            variances, means = (torch.cat(parts).cpu() for parts in zip(*(seen[norm] for norm in norms), strict=True))
            meter.add(NormStatistics(means, variances), frames.pop())
            seen.clear()

    handles = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        yield meter
    finally:
        for handle in handles:
            handle.remove()
