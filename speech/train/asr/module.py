"""One training step: batch -> features -> model -> losses. Lightning calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from speech.audio import SAMPLE_RATE
from speech.audio.augment import spec_augment
from speech.chunking import ChunkSpec
from speech.data.batches import Batch
from speech.data.reading import Tally
from speech.errors import TrainingError
from speech.files import printable
from speech.models.owsm_ctc import OwsmCtc, OwsmCtcOutput
from speech.nn.encoder.masks import padding_mask
from speech.nn.losses import ctc_loss, multi_ctc_loss
from speech.train.asr.config import RunConfig
from speech.train.loop.distributed import end_together, shard
from speech.train.loop.optimizer import build_optimizer, schedule_factor
from speech.train.loop.state import CHECKPOINT

_NAMED = 20
"""Utterances that an error names."""


class TrainModule(L.LightningModule):
    """The model and its objective.

    Everything random in a step comes from one generator seeded by (seed, batch of the run), where batches are counted
    over all processes: an interrupted run that resumes at a step goes on exactly as if it had never stopped, and two
    processes do what one does that takes twice as many batches a step.
    """

    def __init__(self, model: OwsmCtc, config: RunConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.parts: dict[str, Tensor] = {}
        """Parts of the loss, summed over the batches of the step so far."""
        self.unreadable = Tally("train", 0, config.data.max_unreadable)
        """Counts the speech that should have been trained on."""
        self._losses: list[tuple[list[str], Tensor]] = []
        """Ids and loss of the batches of the step so far."""

    def configure_model(self) -> None:
        if self.device_mesh is not None and not isinstance(self.model, FSDPModule):
            shard(self.model, self.device_mesh["data_parallel"])

    def training_step(self, batch: Batch, index: int) -> Tensor:
        number = self.number(batch, index)
        torch.manual_seed(self.config.seed * 1_000_003 + number)
        generator = torch.Generator().manual_seed(self.config.seed * 7_000_003 + number)
        self._freeze()
        loss, parts = self.loss(batch, generator)
        self.parts = {name: value + self.parts.get(name, 0.0) for name, value in parts.items()}
        self._losses.append((batch.ids, loss.detach()))
        self.unreadable.add(batch.unreadable)
        self.log("loss", loss, prog_bar=True, logger=False, batch_size=len(batch))
        return loss

    def number(self, batch: Batch, index: int) -> int:
        """Of a batch in the run, which decides what is random in its step."""
        accumulate = self.config.trainer.accumulate
        number = self.global_step * accumulate + index % accumulate
        return number * self.trainer.world_size + self.trainer.global_rank

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log what the step minimises: means over its batches, those of all processes where the step is recorded."""
        means = torch.stack(list(self.parts.values())) / self.config.trainer.accumulate
        if (self.global_step + 1) % self.config.trainer.log_every == 0:
            means = self.trainer.strategy.reduce(means, reduce_op="mean")
        values = {f"train/{name}": value for name, value in zip(self.parts, means, strict=True)}
        self.log_dict(values | {"lr": optimizer.param_groups[0]["lr"]}, on_step=True, on_epoch=False, batch_size=1)
        self.parts = {}

    def configure_gradient_clipping(
        self, optimizer: torch.optim.Optimizer, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Clip the gradient, unless the run ends here.

        Raises:
            TrainingError: in the first process, if in any of them a loss or the gradient is not finite: nothing can be
                learned from such a step, and what it did to the parameters could not be undone.
            DataError: likewise, if too much speech could not be read.
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
        """Parameters whose gradients are clipped together."""
        return [[parameter for group in optimizer.param_groups for parameter in group["params"]]]

    def _diverged(self) -> TrainingError | None:
        """What is not finite in the batches of this process; None if it is those of another."""
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
        """Count the batches of a process anew: those who wrote the checkpoint may have taken more or fewer a step."""
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        done = checkpoint["global_step"] * self.config.trainer.accumulate
        for counts in (progress["total"], progress["current"]):
            shift = done - counts["ready"]
            counts.update({name: count + shift for name, count in counts.items()})

    def validation_step(self, batch: Batch, index: int) -> None:
        loss, parts = self.loss(batch, None)
        seconds = batch.sample_lengths.sum() / SAMPLE_RATE
        self.log_dict({f"dev/{name}": value for name, value in parts.items()}, batch_size=int(seconds), sync_dist=True)
        self.log("dev/loss", loss, batch_size=int(seconds), sync_dist=True)

    def _freeze(self) -> None:
        config, encoder = self.config.optimizer, self.model.encoder
        encoder.frozen = len(encoder.layers) if self.global_step < config.heads_first else config.frozen_layers

    def loss(self, batch: Batch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective of one batch and its parts; `generator` None means no augmentation and full context."""
        features, lengths = self._features(batch)
        chunk: ChunkSpec | None = None
        offset: Tensor | int = 0
        if generator is not None:
            weights = self.config.loss
            features = spec_augment(
                features,
                lengths,
                generator,
                freq_masks=weights.freq_masks,
                freq_width=weights.freq_width,
                time_masks=weights.time_masks,
                time_ratio=weights.time_ratio,
            )
            chunk = self._chunk(generator)
            offset = self._offset(len(batch), generator).to(features.device)
        output = self.hear(batch, features, lengths, chunk, offset)
        return self.objective(batch, output)

    def hear(
        self, batch: Batch, features: Tensor, lengths: Tensor, chunk: ChunkSpec | None = None, offset: Tensor | int = 0
    ) -> OwsmCtcOutput:
        """What the model says of a batch."""
        return self.model(features, lengths, batch.prefix, chunk, offset=offset, intermediate=True)

    def objective(self, batch: Batch, output: OwsmCtcOutput) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one batch and its parts."""
        parts = {"final": self._ctc(output.log_probs, output.lengths, batch, batch.tokens, batch.token_lengths)}
        inter = [
            self._ctc(log_probs, output.lengths, batch, *self._inter_target(batch, number))
            for number, log_probs in enumerate(output.intermediate)
        ]
        total = multi_ctc_loss(parts["final"], inter, self.config.loss.inter)
        parts |= {f"inter_{number}": value for number, value in enumerate(inter)}
        if output.language_logits is not None:
            parts["language"] = self._language(output.language_logits, output.lengths, batch)
            total = total + self.config.loss.language * parts["language"]
        return total, {name: value.detach() for name, value in parts.items()}

    @torch.no_grad()
    def _features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.autocast(batch.samples.device.type, enabled=False):
            return self.model.features(batch.samples, batch.sample_lengths)

    def _chunk(self, generator: torch.Generator) -> ChunkSpec | None:
        chunk = self.config.chunk
        if torch.rand((), generator=generator) >= chunk.probability or self.global_step < chunk.begins:
            return None
        size = chunk.sizes[int(torch.randint(len(chunk.sizes), (), generator=generator))]
        right = chunk.right_contexts[0]
        if len(chunk.right_contexts) > 1:
            right = chunk.right_contexts[int(torch.randint(len(chunk.right_contexts), (), generator=generator))]
        return ChunkSpec(size=size, left_context=chunk.left_context, right_context=right)

    def _offset(self, batch: int, generator: torch.Generator) -> Tensor:
        period = self.model.encoder.positions.period
        if period is None or not self.config.chunk.random_offset:
            return torch.zeros(batch, 1, dtype=torch.int64)
        return torch.randint(period, (batch, 1), generator=generator)

    def _inter_target(self, batch: Batch, number: int) -> tuple[Tensor, Tensor]:
        if number < self.model.config.inter_transcript:
            return batch.asr_tokens, batch.asr_lengths
        return batch.tokens, batch.token_lengths

    def _ctc(self, log_probs: Tensor, lengths: Tensor, batch: Batch, tokens: Tensor, token_lengths: Tensor) -> Tensor:
        if self.model.config.target_prefix:
            tokens = torch.cat([self._spoken_prefix(batch), tokens], dim=1)
            token_lengths = token_lengths + 2
        per_token = ctc_loss(log_probs, lengths, tokens, token_lengths)
        return (per_token * token_lengths).sum() / token_lengths.sum()

    def _spoken_prefix(self, batch: Batch) -> Tensor:
        """`<language><task>` as targets: the language that is spoken, also where the input does not name it."""
        ids = torch.tensor([*self.model.vocabulary.language_ids, self.model.vocabulary.nolang], device=self.device)
        return torch.stack([ids[batch.languages], batch.prefix[:, 1]], dim=1)

    def _language(self, logits: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of the language head: of the mean evidence of all frames where one language is spoken and the
        input does not name it, of each frame by itself where there are several."""
        log_posteriors = torch.log_softmax(logits, dim=-1)
        asked = (batch.languages >= 0) & (batch.prefix[:, 0] == self.model.vocabulary.nolang)
        real = padding_mask(lengths, logits.shape[1])[..., None]
        evidence = (log_posteriors * real).sum(dim=1) / lengths.clamp(min=1)[:, None]
        labels = self._frame_languages(batch, logits.shape[1]).to(logits.device)
        mixed = (labels >= 0).any(dim=1)
        if not bool((asked | mixed).any()):
            return logits.sum() * 0.0
        whole = F.cross_entropy(evidence[asked], batch.languages[asked], reduction="sum")
        counts = (labels[mixed] >= 0).sum(dim=1)
        frames = F.nll_loss(log_posteriors[mixed].mT, labels[mixed], reduction="none", ignore_index=-1)
        return (whole + (frames.sum(dim=1) / counts).sum()) / (asked.sum() + mixed.sum())

    def _frame_languages(self, batch: Batch, frames: int) -> Tensor:
        """Index of the language of each frame `(batch, frames)` of utterances in several, -1 elsewhere."""
        labels = torch.full((len(batch), frames), -1)
        for row, stretches in enumerate(batch.stretches):
            for start_s, end_s, language in stretches:
                labels[row, round(start_s / self.model.frame_s) : round(end_s / self.model.frame_s)] = language
        return labels

    def configure_optimizers(self) -> Any:
        return self.scheduled(build_optimizer(self.model, len(self.model.encoder.layers), self.config.optimizer))

    def scheduled(self, optimizer: torch.optim.Optimizer) -> Any:
        """An optimiser with its learning-rate schedule, as Lightning takes them."""
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
    """Scale gradients so that their norm is `largest` at most; 0 and None leave them. The norm that they had."""
    if largest:
        norm = torch.nn.utils.clip_grad_norm_(parameters, largest)
    else:
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    return (norm.full_tensor() if isinstance(norm, DTensor) else norm).float()
