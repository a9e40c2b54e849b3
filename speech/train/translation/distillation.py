"""Distillation of AlignAtt's decisions into a policy network, before EMMA's own objective.

AlignAtt (Papi et al. 2023, arXiv 2305.11408) writes a token once the audio reaches `margin_s` beyond what the decoder's
alignment heads attend to. So each token and group of frames has a label without any annotation. The network learns them
by binary cross-entropy, in two ways: at all groups of complete audio, as in the expected attention of EMMA's training;
and at the end of audio that is cut at a random place and encoded anew, as in live sessions, where frames have no right
context.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.models.monotonic_decoder import MonotonicDecoder, group_ends
from speech.models.whisper import Whisper
from speech.nn.encoder.masks import padding_mask
from speech.nn.policy_network import PolicyKeys, last_group
from speech.recognize.draft_decoder import standardised
from speech.recognize.label_part import TAIL_S
from speech.train.label.batches import NO_TARGET, LabelBatch
from speech.train.label.module import encode

_FIRST_S = 1.92
"""Shortest cut audio."""
_AHEAD_S = 3.0
"""Tokens that attend further behind the cut have no label there: a draft does not reach them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Encoded audio of a batch, and the places of its texts."""

    frames: Tensor
    """`(batch, T, dim)`"""
    lengths: Tensor
    """`(batch,)` real frames."""
    places: Tensor
    """`(batch, n)` the frame that the token after each place attends to most, or a later one of an earlier token."""


def attended_places(whisper: Whisper, batch: LabelBatch, frames: Tensor, lengths: Tensor) -> Tensor:
    """`places` of `Heard`; 0 in the prompt."""
    state = whisper.begin(frames, lengths)
    attention = whisper.step(batch.tokens, state, whisper.alignment_heads)[2]
    assert attention is not None
    places = torch.zeros_like(batch.tokens)
    for row, asked in enumerate(batch.targets != NO_TARGET):
        own = standardised(attention[row, ..., : int(lengths[row])].float())  # (n, T)
        places[row, asked] = own[asked].argmax(dim=-1).cummax(dim=0).values
    return places


def whole_loss(model: MonotonicDecoder, batch: LabelBatch, heard: Heard, margin: int) -> Tensor:
    """Binary cross-entropy at all groups of the complete audio; `margin` in frames."""
    keys = model.network.begin(heard.frames, heard.lengths)
    chances = model.stepwise(batch.tokens, heard.frames, heard.lengths, keys)  # (batch, layers, heads, n, groups)
    ends = group_ends(heard.lengths, keys.real.shape[1], model.network.config.pooling)  # (batch, groups)
    labels = ends[:, None] >= heard.places[..., None] + margin  # (batch, n, groups)
    asked = (batch.targets != NO_TARGET)[..., None] & keys.real[:, None]
    return _cross_entropy(chances, labels, asked)


def cut_loss(
    model: MonotonicDecoder, whisper: Whisper, batch: LabelBatch, heard: Heard, margin: int, shares: Tensor
) -> Tensor:
    """Binary cross-entropy at the end of cut audio; 0 if no token has a label.

    Args:
        shares: `(batch,)` from 0 to 1, where the audio is cut between its shortest cut and its end.
    """
    lengths = batch.sample_lengths
    least = lengths.clamp(max=round(_FIRST_S * SAMPLE_RATE))
    counts = (least + shares.to(lengths.device) * (lengths - least)).long()  # (batch,) samples
    tail = round(TAIL_S * SAMPLE_RATE)
    samples = F.pad(batch.samples, (0, tail))[:, : int(counts.max()) + tail]
    samples = samples.masked_fill(~padding_mask(counts, samples.shape[1]), 0.0)
    frames, encoded = encode(whisper, samples, counts + tail)
    last = (counts / (whisper.frame_s * SAMPLE_RATE)).round().long().clamp(min=1)
    last = torch.minimum(last, encoded)
    keys: PolicyKeys = model.network.begin(*last_group(frames, last, model.network.config.pooling))
    chances = model.stepwise(batch.tokens, frames, encoded, keys)  # (batch, layers, heads, n, 1)
    labels = last[:, None] - 1 >= heard.places + margin  # (batch, n)
    near = heard.places <= last[:, None] + round(_AHEAD_S / whisper.frame_s)
    return _cross_entropy(chances, labels[..., None], ((batch.targets != NO_TARGET) & near)[..., None])


def _cross_entropy(chances: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
    """Mean over layers, heads and what is `asked (batch, n, groups)`."""
    labels = labels[:, None, None].expand_as(chances).to(chances.dtype)
    each = F.binary_cross_entropy(chances.clamp(1e-6, 1 - 1e-6), labels, reduction="none").mean(dim=(1, 2))
    return each.masked_fill(~asked, 0.0).sum() / asked.sum().clamp(min=1)
