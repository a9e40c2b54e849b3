"""Scalar float32 functions that numba vectorises inside loops. Only kernel modules import this."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


def _as_float(context, bits):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


as_float: Any = intrinsic(_as_float)
"""Reinterpret the bits of an int32 as a float32."""


def _as_int(context, number):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), generate


as_int: Any = intrinsic(_as_int)
"""Reinterpret the bits of a float32 as an int32."""


@njit(inline="always")
def bfloat16(x):  # type: ignore[no-untyped-def]
    """Round to the nearest bfloat16 (ties to even); its bits as an int16."""
    bits = as_int(x)
    return np.int16((bits + np.int32(0x7FFF) + ((bits >> np.int32(16)) & np.int32(1))) >> np.int32(16))


@njit(inline="always")
def exponential(x):  # type: ignore[no-untyped-def]
    """e^x for x <= 88 in float32; loops over it vectorise. Below -87.3 it is the smallest normal number, 2^-126.

    The relative error is at most (1 + |x|) 2^-23: 1.2 * 2^-23 from -1 to 1, and 33 * 2^-23 (64 units in the last
    place) near the ends, because x / ln 2 is rounded.
    """
    turns = max(x * np.float32(1.4426950408889634), np.float32(-126.0))
    whole = np.floor(turns + np.float32(0.5))
    y = turns - whole
    power = np.float32(1.535336188319500e-4)
    power = power * y + np.float32(1.339887440266574e-3)
    power = power * y + np.float32(9.618437357674640e-3)
    power = power * y + np.float32(5.550332471162809e-2)
    power = power * y + np.float32(2.402264791363012e-1)
    power = power * y + np.float32(6.931472028550421e-1)
    power = power * y + np.float32(1.0)
    return power * as_float((np.int32(whole) + np.int32(127)) << np.int32(23))


@njit(inline="always")
def gelu(x):  # type: ignore[no-untyped-def]
    """GELU: x times the standard normal CDF of x (error function: Abramowitz and Stegun 7.1.26)."""
    z = abs(x) * np.float32(0.7071067811865476)
    t = np.float32(1.0) / (np.float32(1.0) + np.float32(0.3275911) * z)
    power = np.float32(1.061405429) * t - np.float32(1.453152027)
    power = (power * t + np.float32(1.421413741)) * t - np.float32(0.284496736)
    tail = (power * t + np.float32(0.254829592)) * t * exponential(-z * z) * np.float32(0.5)
    return max(x, np.float32(0.0)) - abs(x) * tail
