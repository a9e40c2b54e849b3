"""The audio of a part that grows: between two drafts, only what has come since is encoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from speech.audio import SAMPLE_RATE
from speech.models.base import LabelModel
from speech.nn.decoder.label import DecoderState
from speech.nn.encoder.base import Grown
from speech.recognize.label_part import TAIL_S, LabelPart


@dataclass(slots=True)
class GrowingAudio:
    """Of one part, whose drafts are read one after the other."""

    start: int
    """First sample of the part's audio in the stream."""
    grown: Grown | None = None
    """What has been encoded for good."""
    state: DecoderState | None = None
    """The decoder's, with keys and values of these frames and of later ones, which change."""

    @torch.inference_mode()
    def listen(self, model: LabelModel, samples: np.ndarray) -> LabelPart:
        """Encode the part so far `(n,)` at 16 kHz; it begins with what was given before."""
        given = torch.from_numpy(samples).to(model.device)[None]
        kept = 0 if self.grown is None else self.grown.frames.shape[1]
        frames, self.grown = model.grow(given, len(samples) + round(TAIL_S * SAMPLE_RATE), self.grown)
        self.state = model.begin(frames, before=self.state, kept=kept)
        return LabelPart(model, frames, len(samples) / SAMPLE_RATE, self.state)


def heard_so_far(model: LabelModel, samples: np.ndarray, whole: int, growing: GrowingAudio | None) -> LabelPart:
    """Encode a part `(n,)`: a growing one piece by piece, if the model needs no padding; others, padded to `whole`."""
    if growing is None or not model.true_length:
        return LabelPart.listen(model, samples, whole)
    return growing.listen(model, samples)
