import pytest
from limits import Machine, Weights, weights
from torch import nn

from speech.nn.cpu.int8 import Int8Linear, int8_runs
from speech.nn.cpu.packed import PackedLinear, packing_runs
from speech.nn.tied_embedding import TiedEmbedding


def test_weights_are_those_of_products_in_the_numbers_in_which_they_lie():
    model = nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4), TiedEmbedding(10, 4))
    assert weights(model) == Weights(72, 288)


@pytest.mark.skipif(not int8_runs(), reason="no eight-bit kernels here")
def test_eight_bits_take_a_byte_each_and_a_scale_for_each_output():
    assert weights(Int8Linear(nn.Linear(8, 4))) == Weights(32, 48)


@pytest.mark.skipif(not packing_runs(), reason="no packed kernels here")
def test_packed_layers_count_as_what_they_are_made_of():
    assert weights(PackedLinear(nn.Linear(32, 16))) == Weights(512, 2048)


def test_a_part_that_is_left_out_is_not_counted_with_all_that_is_in_it():
    inner = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert weights(nn.Sequential(inner, nn.Linear(2, 3)), [inner]) == Weights(6, 24)


def test_the_limit_of_products_follows_the_rate_of_their_numbers():
    machine = Machine(int8=4e9, float32=1e9)
    assert machine.products_s(Weights(1_000_000, 1_100_000), 10) == pytest.approx(0.005)
    assert machine.products_s(Weights(1_000_000, 4_000_000), 10) == pytest.approx(0.02)
