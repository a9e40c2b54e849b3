"""The causal transformer: its formula written anew in numpy, and whole and in steps the same."""

from typing import Any

import numpy as np
import pytest
import torch

from speech.errors import ConfigError
from speech.nn.speech_lm.transformer import CausalTransformer, RmsNorm, SwiGlu, TransformerConfig
from tests.nn.speech_lm.test_rotary import turned

SHAPE: dict[str, Any] = {"dim": 24, "layers": 2, "heads": 6, "kv_heads": 2, "hidden": 20, "rope_base": 50.0}


def built(**more: Any) -> CausalTransformer:
    torch.manual_seed(1)
    return CausalTransformer(TransformerConfig(**SHAPE | more), 40).eval()


def normed(x: np.ndarray, weight: torch.Tensor) -> np.ndarray:
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6) * weight.detach().double().numpy()


def by_hand(model: CausalTransformer, x: np.ndarray) -> np.ndarray:
    """Outputs for `x (n, dim)`, in float64, head by head and place by place."""
    size, heads, kv_heads = 4, 6, 2
    for layer in model.layers:
        state = {name: value.double().numpy() for name, value in layer.state_dict().items()}
        y = normed(x, layer.attention_norm.weight) @ state["attention.qkv.weight"].T
        y = y + state.get("attention.qkv.bias", 0.0)
        queries, keys, values = np.split(y, [heads * size, (heads + kv_heads) * size], axis=1)
        places, out = np.arange(len(x)), []
        for head in range(heads):
            group = head // (heads // kv_heads)
            q = turned(queries[:, head * size :][:, :size], places, 50.0)
            k = turned(keys[:, group * size :][:, :size], places, 50.0)
            v = values[:, group * size :][:, :size]
            rows = []
            for place in places:
                weights = np.exp(k[: place + 1] @ q[place] / np.sqrt(size))
                rows.append(weights / weights.sum() @ v[: place + 1])
            out.append(np.stack(rows))
        x = x + np.concatenate(out, axis=1) @ state["attention.out.weight"].T
        z = normed(x, layer.feed_forward_norm.weight)
        gate, up = np.split(z @ state["feed_forward.gate_up.weight"].T, 2, axis=1)
        x = x + (gate / (1 + np.exp(-gate)) * up) @ state["feed_forward.down.weight"].T
    return x


@torch.inference_mode()
@pytest.mark.parametrize("bias", [False, True])
def test_it_is_the_formula(bias):
    model, x = built(qkv_bias=bias), torch.randn(1, 7, 24)
    for layer in model.layers:
        layer.attention_norm.weight.uniform_(0.5, 1.5)
        layer.feed_forward_norm.weight.uniform_(0.5, 1.5)
    np.testing.assert_allclose(model(x)[0], by_hand(model, x[0].double().numpy()), atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("cut", [[1] * 9, [4, 1, 1, 3], [9], [2, 7]])
def test_steps_of_any_size_give_what_the_whole_gives(cut):
    model, x, past = built(), torch.randn(3, 9, 24), None
    found = []
    for piece in x.split(cut, dim=1):
        y, past = model.step(piece, past)
        found.append(y)
    torch.testing.assert_close(torch.cat(found, dim=1), model(x), atol=1e-4, rtol=1e-4)
    assert past.lengths == (9, 9, 9)


@torch.inference_mode()
def test_padding_on_the_left_changes_nothing():
    model, x = built(), torch.randn(2, 9, 24)
    y, past = model.step(x, None, [4, 9])
    alone, _ = model.step(x[:1, 5:], None)
    torch.testing.assert_close(y[:1, 5:], alone, atol=1e-5, rtol=1e-5)
    more = torch.randn(2, 1, 24)
    after, past = model.step(more, past)
    torch.testing.assert_close(after[:1], model(torch.cat([x[:1, 5:], more[:1]], dim=1))[:, -1:], atol=1e-4, rtol=1e-4)
    assert past.lengths == (5, 10)
    assert bool(y.isfinite().all())


@torch.inference_mode()
def test_positions_and_masks_of_whole_sequences_can_be_given():
    model, first, second = built(), torch.randn(1, 4, 24), torch.randn(1, 5, 24)
    packed = torch.cat([first, second], dim=1)
    positions = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4]])
    segment = torch.tensor([0] * 4 + [1] * 5)
    visible = ((segment[:, None] == segment) & torch.ones(9, 9).bool().tril())[None, None]
    found = model(packed, positions, visible)
    torch.testing.assert_close(found, torch.cat([model(first), model(second)], dim=1), atol=1e-5, rtol=1e-5)


def test_positions_end():
    with pytest.raises(ConfigError, match="a sequence of 41 places; the model has 40 positions"):
        built().step(torch.randn(1, 41, 24), None)


def test_dropout_acts_in_training_only():
    model, x = built(dropout=0.5), torch.randn(1, 5, 24)
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))


def test_the_norm_is_computed_in_float32_and_weighted_in_the_dtype_of_its_input():
    norm = RmsNorm(8, 1e-6).bfloat16()
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2.0)
    x = torch.randn(3, 8).bfloat16() * 100
    y = x.float()
    wanted = (y / (y.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()).bfloat16() * norm.weight
    assert norm(x).dtype == torch.bfloat16
    torch.testing.assert_close(norm(x), wanted, atol=0.01, rtol=0.01)


def test_swiglu_multiplies_by_a_gate():
    layer, x = SwiGlu(3, 5), torch.randn(2, 3)
    gate, up = x @ layer.gate_up.weight[:5].T, x @ layer.gate_up.weight[5:].T
    torch.testing.assert_close(layer(x), (gate * gate.sigmoid() * up) @ layer.down.weight.T)


def test_wrong_shapes_are_named_below_their_path():
    for values, message in (
        ({"heads": 5}, "model.slow: dim 24, heads 5"),
        ({"heads": 8, "kv_heads": 1}, "model.slow: dim 24, heads 8"),
        ({"kv_heads": 4}, "model.slow: heads 6, kv_heads 4"),
        ({"layers": 0}, r"model\.slow\.layers 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            TransformerConfig(**SHAPE | values)
