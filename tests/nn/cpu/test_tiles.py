"""The innermost products: exact in whole numbers, in floats of one order, on whatever instructions there are."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import binding, ir

from speech.nn.cpu import tiles as tile_code
from speech.nn.cpu.instructions import AVX2, AVX_VNNI, VNNI, available, instructions
from speech.nn.cpu.tiles import LANES, MOST_ROWS, Tiles, tiles
from tests.skips import NO_TILES

pytestmark = pytest.mark.skipif(instructions() is None, reason=NO_TILES)

HERE = pytest.mark.parametrize("host", available() or [AVX2], ids=str)

EXTREMES = [0, 1, 127, 128, 254, 255]

MADE: dict[object, object] = {}


def tiles_of(host) -> Tiles:
    """Functions of arrays, in the instructions of `host`."""
    from numba import njit  # while tests run, not while they are collected

    if host not in MADE:
        made = []
        for tile in tiles(host):

            @njit
            def run(rows, matrix, step, factors, depth, sums, tile=tile):
                tile(rows, matrix.ctypes.data, step, factors.ctypes.data, factors.strides[0], depth, sums.ctypes.data)

            made.append(run)
        MADE[host] = Tiles(*made)
    return MADE[host]


@HERE
@settings(deadline=None)
@given(rows=st.integers(1, MOST_ROWS), depth=st.integers(1, 70), extreme=st.booleans(), seed=st.integers(0, 99))
def test_eight_bits_are_multiplied_exactly(host, rows, depth, extreme, seed):
    random = np.random.default_rng(seed)
    weights = random.integers(-128, 128, (depth, host.width, 4)).astype(np.int8)
    factors = random.integers(0, 256, (rows, depth, 4))
    if extreme:
        weights = random.choice(np.array([-128, -127, 0, 127], np.int8), weights.shape)
        factors = random.choice(EXTREMES, factors.shape)
    check_int8(host, weights, factors)


@HERE
@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize("factor", [0, 255])
def test_no_sum_of_the_greatest_numbers_overflows(host, weight, factor):
    depth = 1024  # twice the hidden width of the largest published decoder, in fours
    check_int8(host, np.full((depth, host.width, 4), weight, np.int8), np.full((MOST_ROWS, depth, 4), factor))


def check_int8(host, weights: np.ndarray, factors: np.ndarray) -> None:
    rows, depth, _ = factors.shape
    sums = np.full((rows + 1, host.width), 77, np.int32)
    laid = np.ascontiguousarray(weights[..., host.order])
    tiles_of(host).int8(rows, laid, 4 * host.width, factors.astype(np.uint8 if host.dot else np.int16), depth, sums)
    np.testing.assert_array_equal(sums[:rows], np.einsum("rdf,dcf->rc", factors, weights.astype(np.int64)))
    assert np.all(sums[rows] == 77)


def fused(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Products added before they are rounded: longer floats hold all of a product."""
    return (a.astype(np.longdouble) * b.astype(np.longdouble) + total.astype(np.longdouble)).astype(np.float32)


@HERE
@settings(deadline=None)
@given(rows=st.integers(1, MOST_ROWS), depth=st.integers(1, 70), tall=st.integers(0, 3), seed=st.integers(0, 99))
def test_floats_are_added_up_in_their_order(host, rows, depth, tall, seed):
    random = np.random.default_rng(seed)
    bits = random.normal(size=(depth, host.width + 8 * tall)).astype(np.float32).view(np.uint32) >> 16
    factors = (random.normal(size=(rows, depth)) * 10.0 ** random.integers(-3, 4, depth)).astype(np.float32)
    sums, matrix = np.empty((rows, host.width), np.float32), bits.astype(np.uint16)
    tiles_of(host).floats(rows, matrix, matrix.strides[0], factors, depth, sums)
    expected, numbers = np.zeros_like(sums), (bits << 16).view(np.float32)
    for place in range(depth):
        expected = fused(factors[:, place, None], numbers[None, place, : host.width], expected)
    np.testing.assert_array_equal(sums, expected)


@settings(deadline=None)
@given(blocks=st.integers(0, 9), seed=st.integers(0, 99))
def test_a_sum_of_products_has_one_order(blocks, seed):
    from numba import njit

    if "dot" not in MADE:
        MADE["dot"] = njit(lambda a, b, blocks: tile_code.dot_tile(a.ctypes.data, b.ctypes.data, blocks))
    a, b = np.random.default_rng(seed).normal(size=(2, blocks * LANES)).astype(np.float32)
    total = np.zeros(LANES, np.float32)
    for block in range(blocks):
        own = slice(block * LANES, (block + 1) * LANES)
        total = fused(a[own], b[own], total)
    for half in (8, 4, 2, 1):
        total = total[:half] + total[half:]
    assert MADE["dot"](a, b, blocks) == total[0]


@pytest.mark.parametrize(
    ("host", "cpu", "wanted"),
    [
        (VNNI, "icelake-server", r"vpdpbusd.*%zmm"),
        (AVX_VNNI, "alderlake", r"\{vex\}\s+vpdpbusd.*%ymm"),
        (AVX2, "znver3", r"vpmaddwd.*%ymm"),
    ],
)
def test_it_compiles_to_the_instructions_of_each_processor(host, cpu, wanted):
    """Also for those that this is not."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    for kind in (tile_code._Dots(host) if host.dot else tile_code._Widened(host), tile_code._Floats(host)):
        module = ir.Module()
        module.triple = "x86_64-unknown-linux-gnu"
        tile_code._function(module, kind).linkage = "external"
        target = binding.Target.from_triple(module.triple).create_target_machine(cpu=cpu, opt=3)
        code = target.emit_assembly(binding.parse_assembly(str(module)))
        assert re.search(r"vfmadd\w+ps" if type(kind) is tile_code._Floats else wanted, code)
