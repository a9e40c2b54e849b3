"""Training step of a watermark: mark, replace parts, attack, detect."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.models.watermark import BITS, Watermark
from speech.train.codec.batches import CodecBatch
from speech.train.codec.losses import SpectralLosses
from speech.train.loop.module import TrainModule
from speech.train.watermark.attacks import Attacks, Draw
from speech.train.watermark.config import WatermarkTrainConfig
from speech.train.watermark.losses import LoudnessLoss, audible, detection_loss, snr_db
from speech.train.watermark.placement import place

_DEV_SEED = 5


class AttackedRows(NamedTuple):
    """What the detector gets."""

    samples: Tensor
    """`(batch, N)`"""
    marked: Tensor
    """`(batch, T)` bool."""
    counts: Tensor
    """`(batch, T)` bool: False in padding, and where marked speech is silent."""


class WatermarkModule(TrainModule[CodecBatch]):
    """Trains generator and detector together."""

    def __init__(self, watermark: Watermark, config: WatermarkTrainConfig) -> None:
        super().__init__(watermark, config)
        losses, rate = config.watermark_loss, watermark.sample_rate
        self.weights = losses
        self.placement, self.hop = config.placement, watermark.config.hop
        self.attacks = Attacks(config.attacks, rate, self.hop)
        self.spectral = SpectralLosses(rate, losses.n_ffts, losses.n_mels)
        self.loudness = LoudnessLoss(rate, losses.loudness_db)

    @property
    def watermark(self) -> Watermark:
        """The trained networks."""
        assert isinstance(self.model, Watermark)
        return self.model

    def loss(self, batch: CodecBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch and its parts. On dev (`generator` None) messages, parts and attacks are always the
        same."""
        draw = Draw(generator or torch.Generator().manual_seed(_DEV_SEED))
        bits = torch.randint(2, (len(batch), BITS), generator=draw.generator).float()
        marked = self.watermark.generator(batch.samples, bits)
        heard = self._attacked(marked, batch, draw)
        found = detection_loss(self.watermark.detector(heard.samples), heard.marked, heard.counts, bits)
        spectral = self.spectral(marked, batch.samples)
        loudness = self.loudness(marked, batch.samples)
        weights = self.weights
        loss = weights.presence * found.presence + weights.bits * found.bits + weights.loudness * loudness
        loss = loss + weights.mel * spectral.mel + weights.stft * spectral.stft
        parts = {**found._asdict(), **spectral._asdict(), "loudness": loudness, "snr": snr_db(marked, batch.samples)}
        return loss, {name: value.detach() for name, value in parts.items()}

    def _attacked(self, marked: Tensor, batch: CodecBatch, draw: Draw) -> AttackedRows:
        """Rows of which parts are marked, each after an attack or none."""
        clean, count = batch.samples, marked.shape[1]
        placed = place(marked, clean, self.hop, self.placement, draw)
        frames = placed.marked.shape[1]
        within = torch.arange(frames) * self.hop < batch.sample_lengths[:, None]
        known = within & (audible(clean, self.hop) | ~placed.marked)
        rows = []
        for row in range(len(batch)):
            other = clean[(row + 1 + len(batch) // 2) % len(batch)]
            found = self.attacks(placed.samples[row], other, draw)
            places = found.frames[:frames]
            more = frames - len(places)
            rows.append(
                AttackedRows(
                    F.pad(found.samples[:count], (0, max(count - len(found.samples), 0))),
                    F.pad(placed.marked[row][places], (0, more)),
                    F.pad(known[row][places], (0, more)),
                )
            )
        return AttackedRows(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    def configure_optimizers(self) -> Any:
        settings = self.config.optimizer
        wide, narrow = ([p for p in self.watermark.parameters() if (p.dim() > 1) == wanted] for wanted in (True, False))
        groups = [
            {"params": wide, "lr": settings.lr, "weight_decay": settings.weight_decay, "begins": 0},
            {"params": narrow, "lr": settings.lr, "weight_decay": 0.0, "begins": 0},
        ]
        betas = (settings.betas[0], settings.betas[1])
        return self.scheduled(torch.optim.AdamW(groups, betas=betas, eps=settings.eps))
