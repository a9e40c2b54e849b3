"""Base class of training modules: random numbers, metrics, gradient clipping and learning rate of a step.

A task derives from `TrainModule` and implements the loss; Lightning calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import lightning as L
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from speech.data.reading import Tally, Unreadable
from speech.errors import TrainingError
from speech.files import printable
from speech.train.loop.config import RunSettings
from speech.train.loop.distributed import end_together
from speech.train.loop.optimizer import schedule_factor
from speech.train.loop.state import CHECKPOINT

_NAMED = 20
"""Maximum number of utterances that an error names."""


class StepBatch(Protocol):
    """Attributes of a batch that the loop uses."""

    ids: list[str]
    """Utterance ids of the rows, for messages."""
    unreadable: list[Unreadable]
    """Utterances of the batch that could not be read."""

    @property
    def sample_lengths(self) -> Tensor:
        """`(batch,)` samples."""

    @property
    def sample_rate(self) -> int:
        """Samples per second."""

    def __len__(self) -> int:
        """Number of rows."""


class TrainModule[B: StepBatch](L.LightningModule):
    """A model with its training step.

    All random numbers of a step are seeded by (seed, number of the batch in the run), where batches are counted over
    all processes. So a resumed run continues exactly as if it had never stopped, and two processes are equivalent to
    one with twice as many batches per step.

    Args:
        model: the trained model; snapshots are taken of it.
        config: configuration of the run.
    """

    def __init__(self, model: nn.Module, config: RunSettings) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.parts: dict[str, Tensor] = {}
        """Parts of the loss, summed over the batches of the step so far."""
        self.unreadable = Tally("train", 0, 0.0)
        """Tally of unreadable training utterances; a run replaces it."""
        self._losses: list[tuple[list[str], Tensor]] = []
        """Ids and losses of the batches of the step so far."""

    def loss(self, batch: B, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch, and its parts detached; implemented by each task.

        Args:
            batch: a batch of the task.
            generator: generator for a training step; None on dev, which is deterministic.
        """
        raise NotImplementedError

    def before_loss(self, batch: B) -> None:
        """Hook before the loss of a training batch, e.g. to freeze layers."""

    def training_step(self, batch: B, index: int) -> Tensor:
        number = self.number(batch, index)
        torch.manual_seed(self.config.seed * 1_000_003 + number)
        generator = torch.Generator().manual_seed(self.config.seed * 7_000_003 + number)
        self.before_loss(batch)
        loss, parts = self.loss(batch, generator)
        self.parts = {name: value + self.parts.get(name, 0.0) for name, value in parts.items()}
        self._losses.append((batch.ids, loss.detach()))
        self.unreadable.add(batch.unreadable)
        self.log("loss", loss, prog_bar=True, logger=False, batch_size=len(batch))
        return loss

    def number(self, batch: B, index: int) -> int:
        """Number of a batch in the run, which seeds its random numbers."""
        accumulate = self.config.trainer.accumulate
        number = self.global_step * accumulate + index % accumulate
        return number * self.trainer.world_size + self.trainer.global_rank

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log the loss parts as means over the step's batches; at logged steps, over all processes."""
        means = torch.stack(list(self.parts.values())) / self.config.trainer.accumulate
        if (self.global_step + 1) % self.config.trainer.log_every == 0:
            means = self.trainer.strategy.reduce(means, reduce_op="mean")
        values = {f"train/{name}": value for name, value in zip(self.parts, means, strict=True)}
        self.log_dict(values | {"lr": optimizer.param_groups[0]["lr"]}, on_step=True, on_epoch=False, batch_size=1)
        self.parts = {}

    def configure_gradient_clipping(
        self, optimizer: torch.optim.Optimizer, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Clip the gradient; end the run if a loss or the gradient is not finite.

        Raises:
            TrainingError: in the first process, if a loss or the gradient is not finite in any process: such a step
                would damage the parameters irreversibly.
            DataError: likewise, if too many utterances are unreadable.
        """
        norms = [_clip(parameters, gradient_clip_val) for parameters in self.clipped(optimizer)]
        numbers = torch.stack([*(loss.float() for _, loss in self._losses), *norms])
        goes_on = numbers.isfinite().all() & (self.unreadable.error is None)
        if self.trainer.world_size > 1:
            goes_on = self.trainer.strategy.reduce(goes_on.float(), reduce_op="mean") == 1.0
        if not bool(goes_on):
            end_together(self.unreadable.error or self._diverged(), self.trainer.world_size)
        self._losses = []

    def clipped(self, optimizer: torch.optim.Optimizer) -> list[list[nn.Parameter]]:
        """Groups of parameters whose gradients are clipped together."""
        return [[parameter for group in optimizer.param_groups for parameter in group["params"]]]

    def _diverged(self) -> TrainingError | None:
        """The error for non-finite values in this process."""
        worst = [(ids, loss) for ids, loss in self._losses if not bool(loss.isfinite())]
        said = f"the loss is {float(worst[0][1]):g}" if worst else "the gradient is not finite"
        names = [printable(name) for ids, _ in worst or self._losses for name in ids]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        last = Path(self.config.output) / CHECKPOINT
        kept = f"{printable(last)} is that of an earlier step. " if last.is_file() else ""
        return TrainingError(
            f"{said}, expected a finite number; utterances: {', '.join(names[:_NAMED])}{more}",
            where=f"step {self.global_step + 1}",
            fix=f"{kept}Lower optimizer.lr, or leave these utterances out (data.exclude).",
        )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adjust the batch counters, because the run that wrote the checkpoint may have used other batches per step."""
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        done = checkpoint["global_step"] * self.config.trainer.accumulate
        for counts in (progress["total"], progress["current"]):
            shift = done - counts["ready"]
            counts.update({name: count + shift for name, count in counts.items()})

    def validation_step(self, batch: B, index: int) -> None:
        loss, parts = self.loss(batch, None)
        seconds = batch.sample_lengths.sum() / batch.sample_rate
        self.log_dict({f"dev/{name}": value for name, value in parts.items()}, batch_size=int(seconds), sync_dist=True)
        self.log("dev/loss", loss, batch_size=int(seconds), sync_dist=True)

    def scheduled(self, optimizer: torch.optim.Optimizer) -> Any:
        """An optimiser with its learning-rate schedule, in Lightning's format."""
        config = self.config
        factors: list[Callable[[int], float]] = [
            partial(
                schedule_factor, max_steps=config.trainer.max_steps, config=config.optimizer, begins=group["begins"]
            )
            for group in optimizer.param_groups
        ]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _clip(parameters: Sequence[nn.Parameter], largest: float | None) -> Tensor:
    """Scale gradients to a norm of at most `largest` (0 and None: unscaled); return the norm before."""
    if largest:
        norm = torch.nn.utils.clip_grad_norm_(parameters, largest)
    else:
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    return (norm.full_tensor() if isinstance(norm, DTensor) else norm).float()
