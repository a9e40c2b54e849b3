"""E-Branchformer: which layers attend to the prompt, and what its configuration refuses."""

import pytest
import torch

from speech.errors import ConfigError
from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.streaming import StreamTensors

SMALL = {"bins": 20, "dim": 8, "layers": 4, "heads": 2, "hidden": 16, "kernel": 3}


@pytest.mark.parametrize(
    ("every", "expected"), [(0, [False] * 4), (1, [True] * 4), (2, [False, True] * 2), (3, [False, False, True, False])]
)
@torch.no_grad()
def test_every_so_many_layers_one_attends_to_the_prompt(every, expected):
    torch.manual_seed(0)
    encoder = EBranchformerConfig(**SMALL, cross_attention_every=every).build().eval()
    assert [layer.cross is not None for layer in encoder.layers] == expected
    features, lengths = torch.randn(1, 60, 20), torch.tensor([60])
    plain = encoder(features, lengths).x
    prompted = encoder(features, lengths, memory=StreamTensors([torch.randn(3, 8)])).x
    assert torch.equal(prompted, plain) == (not any(expected))


@pytest.mark.parametrize("wrong", [{"dim": 9}, {"hidden": 15}, {"kernel": 4}])
def test_widths_that_cannot_be_divided_are_refused(wrong):
    with pytest.raises(ConfigError, match="kernel"):
        EBranchformerConfig(**SMALL | wrong)


@torch.no_grad()
def test_prefix_frames_stand_in_front_and_take_the_first_positions():
    encoder = EBranchformerConfig(**SMALL).build().eval()
    output = encoder(torch.randn(2, 60, 20), torch.tensor([60, 60]), prefix=torch.randn(2, 3, 8))
    assert output.prefix.shape == (2, 3, 8)
    assert output.x.shape == (2, 6, 8)  # of 60 frames, three times (n - 1) // 2
    frames = torch.randn(1, 2, 8)
    expected = frames * encoder.scale + encoder.positions(torch.tensor([3, 4]))
    torch.testing.assert_close(encoder._embed(frames, torch.tensor([0, 1]), 3), expected)
