"""Training step of an aligned speech language model: cross-entropy of each codebook, and durations."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.models.aligned_ar import AlignedAr
from speech.nn.speech_lm.text_encoder import duration_loss
from speech.train.loop.module import TrainModule
from speech.train.loop.optimizer import build_optimizer
from speech.train.speech_lm.aligned_batches import AlignedBatch
from speech.train.speech_lm.batches import PADDING
from speech.train.speech_lm.config import SpeechLmTrainConfig
from speech.train.speech_lm.module import shared_frames, visible_places


class AlignedModule(TrainModule[AlignedBatch]):
    """Trains an aligned speech language model."""

    def __init__(self, model: AlignedAr, config: SpeechLmTrainConfig) -> None:
        super().__init__(model, config)
        self._fast_share, self._weight = config.fast_share, config.duration_weight

    @property
    def aligned_ar(self) -> AlignedAr:
        """The trained model."""
        assert isinstance(self.model, AlignedAr)
        return self.model

    def loss(self, batch: AlignedBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean of the cross-entropies `code_0` and so on, and the weighted loss of durations, `duration`. On dev
        (`generator` None) all frames count."""
        model = self.aligned_ar
        output = model(batch.given, batch.positions, visible_places(batch.segments))
        asked = batch.segments != PADDING
        hidden, codes = output.hidden[asked], batch.codes.transpose(1, 2)[asked]  # (n, dim), (n, codebooks)
        frames = shared_frames(torch.arange(len(hidden), device=hidden.device), generator, self._fast_share)
        scores = model.scores(hidden, frames, codes[frames])
        losses = {"code_0": F.cross_entropy(scores.first.float(), codes[:, 0])}
        for codebook, own in enumerate(scores.others.unbind(1), start=1):
            losses[f"code_{codebook}"] = F.cross_entropy(own.float(), codes[frames, codebook])
        of_codes = torch.stack(list(losses.values())).mean()
        known = batch.frames >= 0
        losses["duration"] = duration_loss(output.log_frames[known], batch.frames[known])
        total = of_codes + self._weight * losses["duration"]
        return total, {name: loss.detach() for name, loss in losses.items()}

    def configure_optimizers(self) -> Any:
        return self.scheduled(build_optimizer(self.model, 0, self.config.optimizer))
