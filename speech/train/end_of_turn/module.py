"""Training step of an end-of-turn model: logistic regression over hashed features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from speech.metrics.detection import roc_area
from speech.train.end_of_turn.batches import TurnBatch
from speech.train.end_of_turn.config import EndOfTurnTrainConfig
from speech.train.loop.module import TrainModule


class TurnEndNetwork(nn.Module):
    """A weight for each feature."""

    def __init__(self, buckets: int) -> None:
        super().__init__()
        self.weights = nn.EmbeddingBag(buckets, 1, mode="sum")
        nn.init.zeros_(self.weights.weight)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor, starts: Tensor) -> Tensor:
        """Log-odds `(batch,)` that turns are over."""
        scores: Tensor = self.weights(features, starts)
        return scores[:, 0] + self.bias


class EndOfTurnModule(TrainModule[TurnBatch]):
    """Trains the network. On dev it measures the area under the ROC curve, too."""

    def __init__(self, model: TurnEndNetwork, config: EndOfTurnTrainConfig) -> None:
        super().__init__(model, config)
        self._scored: list[tuple[Tensor, Tensor]] = []

    def loss(self, batch: TurnBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy, `entropy`."""
        scores = self.model(batch.features, batch.starts)
        total = nn.functional.binary_cross_entropy_with_logits(scores, batch.finished)
        if generator is None:
            self._scored.append((scores, batch.finished))
        return total, {"entropy": total.detach()}

    def on_validation_epoch_start(self) -> None:
        self._scored = []

    def on_validation_epoch_end(self) -> None:
        """Log the area under the ROC curve."""
        scores, finished = (torch.cat(own).cpu().numpy() for own in zip(*self._scored, strict=True))
        self.log("dev/roc_area", roc_area(scores[finished > 0], scores[finished == 0]))

    def configure_optimizers(self) -> Any:
        """AdamW."""
        own = self.config.optimizer
        betas = (own.betas[0], own.betas[1])
        groups = [{"params": [*self.model.parameters()], "begins": 0, "lr": own.lr}]
        return self.scheduled(torch.optim.AdamW(groups, betas=betas, eps=own.eps, weight_decay=own.weight_decay))
