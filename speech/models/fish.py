"""The language model of Fish-Speech 1.4 and 1.5 (Liao et al. 2024): Dual-AR, with what the published generation does
differently."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from speech.models.dual_ar import OVER_TIME, DualAr, SpeechLmState


class FishSpeech(DualAr):
    """Dual-AR that chooses among all tokens, as published, and not among frames and the end only.

    A token of a text is a frame whose first code is 0 in 1.5, and whose codes are all 0 in 1.4; a trained model hardly
    ever writes one between frames.
    """

    @torch.no_grad()
    def step(
        self, state: SpeechLmState, choose: Callable[[Tensor, int], Tensor]
    ) -> tuple[Tensor, Tensor, SpeechLmState]:
        """As `speech.models.base.SpeechLM.step`, but for scores over time: they are those of all tokens."""
        token = choose(self.all_scores(self.slow.norm(state.hidden)), OVER_TIME)  # (batch,)
        number = token - self.layout.first_frame
        framed = (number >= 0) & (number < self.layout.frames)
        given = torch.where(framed, number, 0)[:, None][:, : self.fast.first]
        codes = self.fast.choose(state.hidden, given, choose)
        if not self.config.first_in_tokens:
            codes = codes * framed[:, None]
        hidden, past = self.slow.step(self.embed(token[:, None], codes[..., None]), state.past)
        return codes, token == self.layout.end, SpeechLmState(past, hidden[:, 0])
