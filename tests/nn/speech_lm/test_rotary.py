"""Rotary positions: interleaved pairs turned by the angle of their position."""

import numpy as np
import pytest
import torch

from speech.nn.speech_lm.rotary import RopeDtype, RotaryTable, rotate


def turned(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """Pairs as complex numbers, `x (n, dim)`."""
    pairs = x[:, 0::2] + 1j * x[:, 1::2]
    rates = base ** (-np.arange(0, x.shape[1], 2) / x.shape[1])
    pairs = pairs * np.exp(1j * positions[:, None] * rates)
    return np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)


def test_pairs_are_turned_as_complex_numbers_are():
    table, x = RotaryTable(8, 50, 1e4), torch.randn(2, 3, 5, 8)
    positions = torch.tensor([[0, 1, 2, 3, 4], [7, 9, 30, 2, 49]])
    found = rotate(x, table(positions))
    for row in range(2):
        for head in range(3):
            wanted = turned(x[row, head].double().numpy(), positions[row].numpy(), 1e4)
            np.testing.assert_allclose(found[row, head], wanted, atol=1e-5)


def test_products_of_queries_and_keys_depend_on_their_distance_alone():
    table, query, key = RotaryTable(16, 100, 100.0), torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)

    def product(at: int, other: int) -> float:
        places = (table(torch.tensor([[place]])) for place in (at, other))
        left, right = (rotate(x, place) for x, place in zip((query, key), places, strict=True))
        return float((left * right).sum())

    assert product(12, 5) == pytest.approx(product(90, 83), abs=1e-4)
    assert product(12, 5) != pytest.approx(product(12, 6), abs=1e-3)


def test_published_tables_are_rounded_to_bfloat16():
    exact, rounded = RotaryTable(8, 50, 1e6), RotaryTable(8, 50, 1e6, RopeDtype.bfloat16)
    assert torch.equal(rounded.cis, exact.cis.bfloat16().float())
    assert rounded.cis.dtype == torch.float32
    assert not torch.equal(rounded.cis, exact.cis)


def test_the_dtype_stays_and_a_model_without_memory_has_real_tables():
    with torch.device("meta"):
        table = RotaryTable(4, 3, 10.0)
    assert table.cis.device == torch.device("cpu")
    assert not table.state_dict()
    assert rotate(torch.ones(1, 1, 3, 4).bfloat16(), table(torch.arange(3)[None])).dtype == torch.bfloat16
