"""Training step of a label decoder: cross-entropy at true length, and distillation from the original decoder."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.models.whisper import Whisper
from speech.train.label.batches import NO_TARGET, LabelBatch
from speech.train.label.config import LabelConfig
from speech.train.loop.module import TrainModule
from speech.train.loop.optimizer import build_optimizer

_WINDOW = 30 * SAMPLE_RATE


class LabelModule(TrainModule[LabelBatch]):
    """Trains the layers of a decoder; encoder, embedding, output matrix and positions are frozen."""

    def __init__(self, whisper: Whisper, config: LabelConfig) -> None:
        super().__init__(whisper.decoder, config)
        self.label = config.label_loss
        self._whisper = [whisper.eval()]  # the list avoids its registration as a submodule
        self._teacher = [copy.deepcopy(whisper.decoder).eval().requires_grad_(False)]
        whisper.encoder.requires_grad_(False)
        whisper.decoder.embed.requires_grad_(False)
        whisper.decoder.positions.requires_grad_(False)

    def loss(self, batch: LabelBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch and its parts; with `generator` None (dev), without the teacher."""
        self._follow(batch.samples.device)
        frames, lengths = encode(self._whisper[0], batch.samples, batch.sample_lengths)
        decoder = self._whisper[0].decoder
        x = decoder.step(batch.tokens, decoder.begin(frames, lengths))[0]
        asked, taught = self._places(batch, taught=generator is not None)
        wanted = asked | taught
        logits = decoder.logits(x[wanted]).float()
        learned = bool(batch.learned.any())
        rows = batch.learned if learned else torch.ones_like(batch.learned)  # if none: only for logging
        own = asked & rows[:, None]
        behind_start = x[torch.arange(len(x), device=x.device), batch.starts]
        parts = {"text": F.cross_entropy(logits[own[wanted]], batch.targets[own])}
        parts["language"] = F.cross_entropy(decoder.logits(behind_start[rows]).float(), batch.heard[rows])
        total = (parts["text"] + self.label.language * parts["language"]) * float(learned)
        if bool(taught.any()):
            parts["teacher"] = self._divergence(batch, logits[taught[wanted]], taught)
            total = total + self.label.teacher * parts["teacher"]
        elif generator is not None:
            parts["teacher"] = torch.zeros_like(parts["text"])
        return total, {name: value.detach() for name, value in parts.items()}

    def _places(self, batch: LabelBatch, *, taught: bool) -> tuple[Tensor, Tensor]:
        """Masks of the positions with a text target and with a teacher loss, each `(batch, tokens)`. Rows with only a
        teacher loss include the start-of-transcript token, which the language token follows."""
        asked = batch.targets != NO_TARGET
        if not taught or not self.label.teacher:
            return asked, torch.zeros_like(asked)
        alone = F.one_hot(batch.starts, asked.shape[1]).bool() & ~batch.learned[:, None]
        return asked, (asked | alone) & batch.taught[:, None]

    def _divergence(self, batch: LabelBatch, logits: Tensor, places: Tensor) -> Tensor:
        """KL divergence from the teacher, which hears the audio padded to 30 s, at `places (batch, tokens)`.

        `logits (true places, vocabulary)` are those of the trained decoder.
        """
        rows = batch.taught
        samples, tokens, asked = batch.samples[rows], batch.tokens[rows], places[rows]
        with torch.no_grad():
            padded = F.pad(samples, (0, max(_WINDOW - samples.shape[1], 0)))[:, :_WINDOW]
            frames, _ = encode(self._whisper[0], padded, torch.full((len(padded),), _WINDOW, device=padded.device))
            teacher = self._teacher[0]
            x = teacher.step(tokens, teacher.begin(frames))[0]
            wanted = teacher.logits(x[asked]).float().log_softmax(dim=-1)
        return F.kl_div(logits.log_softmax(dim=-1), wanted, reduction="batchmean", log_target=True)

    def _follow(self, device: torch.device) -> None:
        """Move the untrained modules to the decoder's device."""
        if self._whisper[0].device != device:
            for module in (self._whisper[0], self._teacher[0]):
                module.to(device)

    def configure_optimizers(self) -> Any:
        return self.scheduled(build_optimizer(self.model, 0, self.config.optimizer))


@torch.no_grad()
def encode(whisper: Whisper, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Like `Whisper.encode`, with features in float32 regardless of the training precision."""
    with torch.autocast(samples.device.type, enabled=False):
        features, counts = whisper.log_mel(samples, lengths)
    encoded = whisper.encoder(features, counts)
    return encoded.x, encoded.lengths
