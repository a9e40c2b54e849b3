"""Which of a processor's instructions the compiled products of `tiles` are made of."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cache
from typing import NamedTuple


class Instructions(NamedTuple):
    """What a tile is made of. All give the same bits."""

    lanes: int
    """32-bit numbers in a register."""
    registers: int
    """Side by side in a tile, so that all sums of five rows stay in registers."""
    dot: bool
    """Whether one instruction multiplies four pairs of eight-bit numbers and adds them up (VNNI). Without it numbers
    are widened to 16 bits: an instruction for eight bits overflows."""

    @property
    def width(self) -> int:
        """Columns of a tile."""
        return self.lanes * self.registers

    @property
    def order(self) -> list[int]:
        """In which the four weights of an output that are multiplied at once lie.

        Those at even places of widened numbers are multiplied by the first two factors, the others by the last two.
        """
        return [0, 1, 2, 3] if self.dot else [0, 2, 1, 3]


VNNI = Instructions(lanes=16, registers=4, dot=True)
AVX_VNNI = Instructions(lanes=8, registers=2, dot=True)
AVX2 = Instructions(lanes=8, registers=2, dot=False)
_NEEDED = (
    (VNNI, ("avx512f", "avx512bw", "avx512vnni")),
    (AVX_VNNI, ("avx2", "fma", "avxvnni")),
    (AVX2, ("avx2", "fma")),
)


def best(features: Collection[str]) -> tuple[Instructions, ...]:
    """Those that a processor with such features has, the fastest first; features are named as LLVM does."""
    return tuple(one for one, needed in _NEEDED if set(features).issuperset(needed))


@cache
def available() -> tuple[Instructions, ...]:
    """Those that numba compiles for on this machine, the fastest first."""
    named = os.environ.get("NUMBA_CPU_FEATURES")  # as numba reads it
    if named is None:
        from llvmlite import binding  # with numba: a tenth of a second

        named = binding.get_host_cpu_features().flatten()
    return best({name.removeprefix("+") for name in named.split(",") if name.startswith("+")})


def instructions() -> Instructions | None:
    """The fastest of this machine; None: it has none of them."""
    return available()[0] if available() else None


def needed() -> Instructions:
    """The same where there have to be some.

    Raises:
        RuntimeError: if there are none.
    """
    found = instructions()
    if found is None:
        raise RuntimeError("compiled products need AVX2 and FMA")
    return found
