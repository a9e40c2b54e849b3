"""Firefly's quantiser: rows of a batch, pieces of a stream, and codes that it has not."""

import pytest
import torch

from speech.nn.codec.gfsq import GfsqConfig
from speech.nn.fish.firefly import FireflyQuantizer, firefly_encoder
from tests.nn.codec.pieces import check_steps, cut, stepped


def quantizer() -> FireflyQuantizer:
    torch.manual_seed(0)
    layer = FireflyQuantizer(6, [2, 3], GfsqConfig(groups=2, bounds=2))
    with torch.no_grad():
        layer.gfsq.down.mul_(8)
    return layer


def frames(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def test_an_utterance_is_in_a_batch_what_it_is_alone():
    layer, rows = quantizer(), [frames(count, count) for count in (31, 24, 1)]
    padded = torch.stack([torch.cat([row, torch.full((31 - len(row), 6), 9.0)]) for row in rows])
    codes, counts = layer.encode(padded, torch.tensor([31, 24, 1]))
    assert codes.shape == (3, 2, 6)
    assert counts.tolist() == [6, 4, 1]
    for row, own, count in zip(rows, codes, counts.tolist(), strict=True):
        alone, _ = layer.encode(row[None], torch.tensor([len(row)]))
        assert torch.equal(own[:, :count], alone[0])
        assert not own[:, count:].any()
    assert len(codes.unique()) > 6


@torch.inference_mode()
@pytest.mark.parametrize("seed", range(3))
def test_codes_in_pieces_give_the_frames_of_the_whole(seed):
    layer = quantizer()
    codes = torch.randint(0, 1000, (1, 2, 15), generator=torch.Generator().manual_seed(seed))
    whole, _ = layer.step(codes, layer.begin(1))
    assert whole.shape == (1, 90, 6)
    pieces = [piece.transpose(1, 2) for piece in cut(codes.transpose(1, 2), seed, longest=4)]
    found = stepped(layer.step, layer.begin(1), pieces)
    torch.testing.assert_close(torch.cat(found, dim=1), whole, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_codes_that_the_quantiser_has_not_count_as_its_outermost():
    layer = quantizer()
    strange, near = torch.tensor([[[1023, -1], [5, 5]]]), torch.tensor([[[999, 0], [5, 5]]])
    assert torch.equal(layer.step(strange, layer.begin(1))[0], layer.step(near, layer.begin(1))[0])


def test_the_encoder_may_be_computed_in_steps():
    torch.manual_seed(0)
    check_steps(firefly_encoder(5, [1, 2], [4, 6], 7), 5, seed=0)
