"""The history that Fish-Speech 1.4 and 1.5 penalise repetitions by."""

from __future__ import annotations

from collections.abc import Collection

from speech.decode.sampling.sampler import Sampler, SamplingConfig


class FishSampler(Sampler):
    """A sampler whose history is that of the published generation: windows are full of zeros in the beginning, so that
    code 0 is penalised while less than a window has been generated, the first frame is penalised by nothing and never
    enters a history.

    Args:
        config: rules of the request.
        unpenalised: codebooks without a penalty.
    """

    def __init__(self, config: SamplingConfig, unpenalised: Collection[int] = ()) -> None:
        super().__init__(config)
        self._unpenalised, self._begun = frozenset(unpenalised), set[int]()

    def recent(self, codebook: int, window: int) -> list[int]:
        if codebook in self._unpenalised or codebook not in self._begun:
            return []
        found = super().recent(codebook, window)
        return [0] * (window - len(found)) + found

    def keep(self, codebook: int, code: int) -> None:
        if codebook in self._begun:
            super().keep(codebook, code)
        self._begun.add(codebook)
