"""Parts of the compiled step, each against torch."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from speech.compiled import load
from speech.nn.cpu.instructions import instructions
from tests.skips import NO_TILES

pytestmark = pytest.mark.skipif(instructions() is None, reason=NO_TILES)
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def kernels() -> Any:
    return load("speech.nn.decoder.step_kernels")


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def test_its_layer_norm_is_that_of_torch(kernels):
    x, weights = 3 * drawn(4, 36) + 5, drawn(2, 36)
    y = np.empty_like(x)
    kernels.norm(x, weights, y)
    expected = F.layer_norm(torch.from_numpy(x), (36,), *map(torch.from_numpy, weights))
    torch.testing.assert_close(torch.from_numpy(y), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 16, 37])
def test_its_softmax_is_that_of_torch_and_overwrites_the_scores(kernels, count):
    scores = 20 * drawn(count)
    expected = (0.5 * torch.from_numpy(scores)).softmax(dim=0)
    kernels.softmax(scores, np.float32(0.5), np.ones(count + 3, np.float32))
    torch.testing.assert_close(torch.from_numpy(scores), expected, **CLOSE)


def test_tokens_attend_to_their_past_in_its_slots_and_to_those_up_to_themselves(kernels):
    rows, count, past, heads, size = 2, 3, 4, 2, 12
    queries, keys, values = drawn(rows * count, 3 * heads, size), drawn(9, 3, heads, size), drawn(9, 3, heads, size)
    origin = np.array([[0, 2, 1, 0], [2, 2, 0, 1]])
    y = np.empty((rows * count, heads, size), np.float32)
    kernels.self_attention(queries, keys, values, origin, past, count, y)
    for n in range(rows * count):
        row, own = divmod(n, count)
        slots = [*origin[row], *[row] * (own + 1)]
        seen = [torch.from_numpy(part[np.arange(len(slots)), slots]).transpose(0, 1) for part in (keys, values)]
        query = torch.from_numpy(queries[n, :heads])[:, None]
        expected = F.scaled_dot_product_attention(query, *seen)[:, 0]
        torch.testing.assert_close(torch.from_numpy(y[n]), expected, **CLOSE)
