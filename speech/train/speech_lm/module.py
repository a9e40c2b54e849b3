"""Training step of a speech language model: cross-entropy of what follows, for each codebook."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.models.dual_ar import DualAr
from speech.train.loop.module import TrainModule
from speech.train.loop.optimizer import build_optimizer
from speech.train.speech_lm.batches import PADDING, SpeechLmBatch
from speech.train.speech_lm.config import SpeechLmTrainConfig


class Targets(NamedTuple):
    """What is to be predicted in a batch."""

    places: Tensor
    """`(batch, places)` bool: the places that a frame or the end follows."""
    tokens: Tensor
    """`(n,)`: for each of them the number of the frame token, or that behind the last one for the end."""
    codes: Tensor
    """`(n, codebooks)` of the frames; what stands at ends means nothing."""
    is_frame: Tensor
    """`(n,)` bool."""


class SpeechLmModule(TrainModule[SpeechLmBatch]):
    """Trains a speech language model."""

    def __init__(self, model: DualAr, config: SpeechLmTrainConfig) -> None:
        super().__init__(model, config)
        self._fast_share = config.fast_share

    @property
    def speech_lm(self) -> DualAr:
        """The trained model."""
        assert isinstance(self.model, DualAr)
        return self.model

    def loss(self, batch: SpeechLmBatch, generator: torch.Generator | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean of the cross-entropies, and each of them: `code_0` and so on, and `token` if no code is among the
        tokens. The end counts as one more code of the first. On dev (`generator` None) all frames count."""
        model = self.speech_lm
        targets = targets_of(batch, model)
        visible = visible_places(batch.segments)
        hidden = model(batch.tokens, batch.codes, batch.positions, visible, batch.speakers)[targets.places]
        frames = shared_frames(targets.is_frame.nonzero().flatten(), generator, self._fast_share)  # (m,)
        codes = targets.codes[frames]  # (m, codebooks)
        scores = model.scores(hidden, frames, codes)
        first = model.fast.first
        losses = {"code_0" if first else "token": F.cross_entropy(scores.tokens.float(), targets.tokens)}
        for codebook, own in enumerate(scores.codes.unbind(1), start=first):
            losses[f"code_{codebook}"] = F.cross_entropy(own.float(), codes[:, codebook])
        return torch.stack(list(losses.values())).mean(), {name: loss.detach() for name, loss in losses.items()}

    def configure_optimizers(self) -> Any:
        return self.scheduled(build_optimizer(self.model, 0, self.config.optimizer))


def targets_of(batch: SpeechLmBatch, model: DualAr) -> Targets:
    """What follows each place of a batch that is to be learned: frames and ends, texts are not."""
    layout = model.layout
    following, same = batch.tokens[:, 1:], batch.segments[:, 1:] == batch.segments[:, :-1]
    number = following - layout.first_frame
    is_frame, is_end = (number >= 0) & (number < layout.frames), following == layout.end
    asked = (is_frame | is_end) & same & (batch.segments[:, 1:] != PADDING)
    codes = batch.codes[:, :, 1:].transpose(1, 2)  # (batch, places - 1, codebooks)
    return Targets(
        places=F.pad(asked, (0, 1)),
        tokens=torch.where(is_end, layout.frames, number)[asked],
        codes=codes[asked],
        is_frame=is_frame[asked],
    )


def shared_frames(frames: Tensor, generator: torch.Generator | None, share: float) -> Tensor:
    """The `share` of frame numbers `(n,)` that trains the fast network, at random; without a generator all of them."""
    if generator is None or share >= 1:
        return frames
    count = max(round(share * len(frames)), 1)
    return frames[torch.randperm(len(frames), generator=generator)[:count].to(frames.device)]


def visible_places(segments: Tensor) -> Tensor:
    """Mask `(batch, 1, places, places)` of `segments (batch, places)`: earlier places of the same request."""
    same = segments[:, None, :] == segments[:, :, None]
    return same.tril()[:, None]
