"""Published Whisper tensors find their places."""

import pytest
import torch
from safetensors.torch import save_file

from speech.errors import ModelError
from speech.models.whisper_import import load_whisper_encoder
from speech.nn.whisper_encoder import WhisperEncoderConfig

CONFIG = WhisperEncoderConfig(bins=8, dim=16, layers=2, heads=2, hidden=32, reduce_after=1, period=100)


def published(prefix: str = "") -> dict[str, torch.Tensor]:
    """Tensors named as Hugging Face names them."""
    d, h = 16, 32
    shapes = {"conv1.weight": (d, 8, 3), "conv1.bias": (d,), "conv2.weight": (d, d, 3), "conv2.bias": (d,)}
    shapes |= {"embed_positions.weight": (1500, d), "layer_norm.weight": (d,), "layer_norm.bias": (d,)}
    for n in range(2):
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes[f"layers.{n}.self_attn.{name}.weight"] = (d, d)
            if name != "k_proj":
                shapes[f"layers.{n}.self_attn.{name}.bias"] = (d,)
        for name in ("self_attn_layer_norm", "final_layer_norm"):
            shapes |= {f"layers.{n}.{name}.weight": (d,), f"layers.{n}.{name}.bias": (d,)}
        shapes |= {f"layers.{n}.fc1.weight": (h, d), f"layers.{n}.fc1.bias": (h,)}
        shapes |= {f"layers.{n}.fc2.weight": (d, h), f"layers.{n}.fc2.bias": (d,)}
    generator = torch.Generator().manual_seed(0)
    return {prefix + key: torch.randn(shape, generator=generator).half() for key, shape in shapes.items()}


@pytest.mark.parametrize("prefix", ["", "encoder.", "model.encoder."])
def test_every_tensor_is_used(tmp_path, prefix):
    tensors = published(prefix)
    if prefix == "model.encoder.":
        tensors["model.decoder.embed_tokens.weight"] = torch.zeros(3, 3)
        tensors["proj_out.weight"] = torch.zeros(3, 3)
    save_file(tensors, tmp_path / "w.safetensors")
    encoder = CONFIG.build()
    load_whisper_encoder(encoder, tmp_path / "w.safetensors")
    expected = tensors[f"{prefix}layers.1.self_attn.v_proj.weight"].float()
    assert torch.equal(encoder.layers[1].attention.value.weight, expected)
    assert torch.equal(encoder.norm.bias, tensors[f"{prefix}layer_norm.bias"].float())


def test_another_size_is_refused(tmp_path):
    tensors = published() | {"conv1.weight": torch.zeros(16, 9, 3)}
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"conv1\.weight"):
        load_whisper_encoder(CONFIG.build(), tmp_path / "w.safetensors")


def test_something_else_is_refused(tmp_path):
    save_file({"layers.0.strange.weight": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="strange"):
        load_whisper_encoder(CONFIG.build(), tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="no such file"):
        load_whisper_encoder(CONFIG.build(), tmp_path / "nothing.safetensors")
