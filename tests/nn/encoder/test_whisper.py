"""Whisper's layer is torch's pre-norm transformer layer; what its configuration refuses."""

import pytest
import torch
from torch import nn

from speech.errors import ConfigError
from speech.nn.encoder.masks import SequenceLayout
from speech.nn.encoder.whisper import WhisperEncoderConfig, WhisperLayer

SMALL = {"bins": 12, "dim": 16, "layers": 3, "heads": 4, "hidden": 32}


def test_a_layer_says_what_a_pre_norm_layer_of_torch_says():
    torch.manual_seed(0)
    own = WhisperLayer(WhisperEncoderConfig(**SMALL)).eval()
    other = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, activation="gelu", norm_first=True, batch_first=True)
    attention = own.attention
    other.load_state_dict(
        {
            "self_attn.in_proj_weight": torch.cat(
                [attention.query.weight, attention.key.weight, attention.value.weight]
            ),
            "self_attn.in_proj_bias": torch.cat([attention.query.bias, torch.zeros(16), attention.value.bias]),
            "self_attn.out_proj.weight": attention.out.weight,
            "self_attn.out_proj.bias": attention.out.bias,
            "linear1.weight": own.feed_forward.up.weight,
            "linear1.bias": own.feed_forward.up.bias,
            "linear2.weight": own.feed_forward.down.weight,
            "linear2.bias": own.feed_forward.down.bias,
            "norm1.weight": own.attention_norm.weight,
            "norm1.bias": own.attention_norm.bias,
            "norm2.weight": own.feed_forward_norm.weight,
            "norm2.bias": own.feed_forward_norm.bias,
        }
    )
    x, layout = torch.randn(2, 7, 16), SequenceLayout.build(0, 7, None, torch.device("cpu"))
    found = own(x, None, layout, layout.valid(torch.tensor([7, 7])), None)
    torch.testing.assert_close(found, other(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("reduce_after", "factor", "frames"), [(0, 2, 21), (2, 4, 11)])
@torch.no_grad()
def test_halved_time_is_told_by_the_factor(reduce_after, factor, frames):
    encoder = WhisperEncoderConfig(**SMALL, reduce_after=reduce_after).build().eval()
    output = encoder(torch.randn(1, 41, 12), torch.tensor([41]))
    assert encoder.factor == factor
    assert output.lengths.tolist() == [frames]
    assert output.x.shape == (1, frames, 16)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dim": 18}, "dim 18, heads 4"),
        ({"reduce_after": 4}, "reduce_after 4"),
        ({"prefix_after": 3}, "prefix_after 3"),
        ({"reduce_after": 1, "prefix_after": 1}, "reduced before the prefix enters"),
    ],
)
def test_shapes_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        WhisperEncoderConfig(**SMALL | wrong)


def test_layers_can_stand_for_one_another_whatever_their_number():
    config = WhisperEncoderConfig(**SMALL)
    assert config.shape == WhisperEncoderConfig(**SMALL | {"layers": 2}, reduce_after=1).shape
    assert config.shape != WhisperEncoderConfig(**SMALL | {"hidden": 64}).shape
