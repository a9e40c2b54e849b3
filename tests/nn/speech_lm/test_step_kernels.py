"""The parts of a compiled step, each against torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from speech.compiled import load
from speech.nn.cpu.instructions import instructions
from speech.nn.speech_lm.compiled import Matrices, matrices
from speech.nn.speech_lm.rotary import RotaryTable, rotate
from tests.skips import NO_TILES

pytestmark = pytest.mark.skipif(instructions() is None, reason=NO_TILES)
KERNELS = "speech.nn.speech_lm.step_kernels"


def same(found, wanted):
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("width", "out"), [(1, 1), (7, 5), (12, 40), (33, 16)])
@pytest.mark.parametrize("rows", [1, 3])
def test_float_rows_are_a_linear_layer_in_any_batch(width, out, rows):
    torch.manual_seed(0)
    layers, x = [torch.nn.Linear(width, out) for _ in range(2)], torch.randn(rows, width)
    packed, y = matrices(layers, False), np.empty((rows, out), np.float32)
    assert isinstance(packed, Matrices)
    load(KERNELS).float_rows(x.numpy(), packed, 1, y)
    same(y, layers[1](x).detach())
    alone = np.empty((1, out), np.float32)
    load(KERNELS).float_rows(x[-1:].numpy(), packed, 1, alone)
    assert np.array_equal(alone[0], y[-1])


def test_int8_or_float32_is_chosen_by_the_weights():
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(24, 10), torch.randn(2, 24)
    wanted = layer(x).detach().numpy()
    for int8, tolerance in ((False, 1e-5), (True, 0.05)):
        y = np.empty((2, 10), np.float32)
        load(KERNELS).project(x.numpy(), matrices([layer], int8), y)
        assert 0 < np.abs(y - wanted).max() < tolerance


def test_norms_gates_and_rotations_are_those_of_torch():
    torch.manual_seed(0)
    kernels, x, weight = load(KERNELS), torch.randn(3, 20) * 30, torch.rand(20)
    y = np.empty((3, 20), np.float32)
    kernels.rms_norm(x.numpy(), weight.numpy(), np.float32(1e-3), y)
    same(y, F.rms_norm(x, (20,), weight, 1e-3))
    half = np.empty((3, 10), np.float32)
    extreme = torch.cat([x[:, :10] * 5, x[:, 10:]], dim=1)
    kernels.gated(extreme.numpy(), half)
    same(half, F.silu(extreme[:, :10]) * extreme[:, 10:])
    table, heads = RotaryTable(8, 40, 100.0), torch.randn(3, 8)
    turned = heads.clone().numpy()
    kernels.rotate(turned, 2, table.cis[31].numpy())
    wanted = rotate(heads[None, :, None], table(torch.tensor([[31]])))[0, :, 0]
    same(turned[:2], wanted[:2])
    assert np.array_equal(turned[2], heads[2].numpy())


@pytest.mark.parametrize(("heads", "kv_heads", "size"), [(4, 2, 6), (3, 3, 16), (4, 1, 20)])
def test_attention_sees_the_places_so_far(heads, kv_heads, size):
    torch.manual_seed(0)
    queries, keys, values = torch.randn(heads, size) * 3, torch.randn(9, kv_heads, size), torch.randn(9, kv_heads, size)
    y = np.empty((heads, size), np.float32)
    load(KERNELS).attend(queries.numpy(), keys.numpy(), values.numpy(), 7, y)
    seen = (x[:7].transpose(0, 1)[None] for x in (keys, values))
    same(y, F.scaled_dot_product_attention(queries[None, :, None], *seen, enable_gqa=True)[0, :, 0])
