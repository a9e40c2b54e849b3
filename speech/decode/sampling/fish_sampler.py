"""The history that Fish-Speech 1.4 and 1.5 penalise repetitions by."""

from __future__ import annotations

from speech.decode.sampling.sampler import Sampler, SamplingConfig


class FishSampler(Sampler):
    """A sampler whose history is that of the published generation: windows are full of zeros in the beginning, so that
    code 0 is penalised while less than a window has been generated, the first frame is penalised by nothing and never
    enters a history.

    Args:
        config: rules of the request.
        frame_token: in 1.4, the token of all frames. Then what is written over time is not penalised, and codes beside
            another token are remembered as 0. None: as in 1.5.
    """

    def __init__(self, config: SamplingConfig, frame_token: int | None = None) -> None:
        super().__init__(config)
        self._frame_token, self._framed, self._begun = frame_token, True, set[int]()

    def recent(self, codebook: int, window: int) -> list[int]:
        if codebook not in self._begun or (codebook < 0 and self._frame_token is not None):
            return []
        found = super().recent(codebook, window)
        return [0] * (window - len(found)) + found

    def keep(self, codebook: int, code: int) -> None:
        if codebook < 0:
            self._framed = self._frame_token in (None, code)
        if codebook in self._begun:
            super().keep(codebook, code if codebook < 0 or self._framed else 0)
        self._begun.add(codebook)
