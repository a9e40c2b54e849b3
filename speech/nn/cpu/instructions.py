"""CPU instruction sets for the compiled matrix products of `tiles`."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cache
from typing import NamedTuple


class Instructions(NamedTuple):
    """Instruction set of a tile. All instruction sets give bit-identical results."""

    lanes: int
    """32-bit numbers per register."""
    registers: int
    """Registers per row of a tile, chosen so that the sums of five rows fit into registers."""
    dot: bool
    """Whether there is an instruction for sums of four 8-bit products (VNNI). Otherwise numbers are widened to 16 bits,
    because the older 8-bit instruction overflows."""

    @property
    def width(self) -> int:
        """Columns of a tile."""
        return self.lanes * self.registers

    @property
    def order(self) -> list[int]:
        """Storage order of the four weights of an output that are multiplied together.

        When widened, weights at even positions are multiplied by the first two factors, the others by the last two.
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
    """Return the instruction sets that a CPU with these features supports, fastest first; LLVM's feature names."""
    return tuple(one for one, needed in _NEEDED if set(features).issuperset(needed))


@cache
def _features() -> frozenset[str]:
    """Features of this machine's CPU, by LLVM's names."""
    named = os.environ.get("NUMBA_CPU_FEATURES")  # numba reads this variable too
    if named is None:
        from llvmlite import binding  # takes a tenth of a second together with numba

        named = binding.get_host_cpu_features().flatten()
    return frozenset(name.removeprefix("+") for name in named.split(",") if name.startswith("+"))


@cache
def available() -> tuple[Instructions, ...]:
    """Return the instruction sets that numba can use on this machine, fastest first."""
    return best(_features())


def bfloat16_runs() -> bool:
    """Whether this machine multiplies bfloat16 faster than float32."""
    return not _features().isdisjoint(("amx-bf16", "avx512bf16"))


def instructions() -> Instructions | None:
    """Return the fastest instruction set of this machine, or None if it supports none."""
    return available()[0] if available() else None


def needed() -> Instructions:
    """Return the fastest instruction set of this machine.

    Raises:
        RuntimeError: if the machine supports none.
    """
    found = instructions()
    if found is None:
        raise RuntimeError("compiled products need AVX2 and FMA")
    return found
