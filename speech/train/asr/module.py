"""Training step of a CTC model: features -> model -> CTC losses and language-head loss."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from speech.audio.augment import spec_augment
from speech.chunking import ChunkSpec
from speech.data.batches import SpeechBatch
from speech.models.owsm_ctc import OwsmCtc, OwsmCtcOutput
from speech.nn.encoder.masks import padding_mask
from speech.nn.losses import ctc_loss, multi_ctc_loss
from speech.train.asr.config import RunConfig
from speech.train.loop.distributed import shard
from speech.train.loop.module import TrainModule
from speech.train.loop.optimizer import build_optimizer


class CtcModule(TrainModule[SpeechBatch]):
    """A CTC model with its loss."""

    model: OwsmCtc
    config: RunConfig

    def __init__(self, model: OwsmCtc, config: RunConfig) -> None:
        super().__init__(model, config)

    def configure_model(self) -> None:
        if self.device_mesh is not None and not isinstance(self.model, FSDPModule):
            shard(self.model, self.model.encoder.layers, self.device_mesh["data_parallel"])

    def before_loss(self, batch: SpeechBatch) -> None:
        config, encoder = self.config.optimizer, self.model.encoder
        encoder.frozen = len(encoder.layers) if self.global_step < config.heads_first else config.frozen_layers

    def loss(self, batch: SpeechBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch and its parts; `generator` None means no augmentation and full context."""
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
        self,
        batch: SpeechBatch,
        features: Tensor,
        lengths: Tensor,
        chunk: ChunkSpec | None = None,
        offset: Tensor | int = 0,
    ) -> OwsmCtcOutput:
        """Forward pass on a batch."""
        return self.model(features, lengths, batch.prefix, chunk, offset=offset, intermediate=True)

    def objective(self, batch: SpeechBatch, output: OwsmCtcOutput) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch and its parts."""
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
    def _features(self, batch: SpeechBatch) -> tuple[Tensor, Tensor]:
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

    def _inter_target(self, batch: SpeechBatch, number: int) -> tuple[Tensor, Tensor]:
        if number < self.model.config.inter_transcript:
            return batch.asr_tokens, batch.asr_lengths
        return batch.tokens, batch.token_lengths

    def _ctc(
        self, log_probs: Tensor, lengths: Tensor, batch: SpeechBatch, tokens: Tensor, token_lengths: Tensor
    ) -> Tensor:
        if self.model.config.target_prefix:
            tokens = torch.cat([self._spoken_prefix(batch), tokens], dim=1)
            token_lengths = token_lengths + 2
        per_token = ctc_loss(log_probs, lengths, tokens, token_lengths)
        return (per_token * token_lengths).sum() / token_lengths.sum()

    def _spoken_prefix(self, batch: SpeechBatch) -> Tensor:
        """`<language><task>` as CTC targets, `(batch, 2)`: the spoken language even if the input does not give it."""
        ids = torch.tensor([*self.model.vocabulary.language_ids, self.model.vocabulary.nolang], device=self.device)
        return torch.stack([ids[batch.languages], batch.prefix[:, 1]], dim=1)

    def _language(self, logits: Tensor, lengths: Tensor, batch: SpeechBatch) -> Tensor:
        """Cross-entropy of the language head: on the mean log posteriors of all frames if one language is spoken and
        the input does not give it, and on each frame if several languages are spoken."""
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

    def _frame_languages(self, batch: SpeechBatch, frames: int) -> Tensor:
        """Language index of each frame `(batch, frames)` for utterances in several languages, -1 elsewhere."""
        labels = torch.full((len(batch), frames), -1)
        for row, stretches in enumerate(batch.stretches):
            for start_s, end_s, language in stretches:
                labels[row, round(start_s / self.model.frame_s) : round(end_s / self.model.frame_s)] = language
        return labels

    def configure_optimizers(self) -> Any:
        return self.scheduled(build_optimizer(self.model, len(self.model.encoder.layers), self.config.optimizer))
