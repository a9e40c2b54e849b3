"""Published Whisper weights (Hugging Face layout) into our encoder."""

from __future__ import annotations

from pathlib import Path

import torch

from speech.errors import ModelError
from speech.nn.whisper_encoder import WhisperEncoder
from speech.tensors import load_tensors

_LAYER = {
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.out",
    "self_attn_layer_norm": "attention_norm",
    "fc1": "feed_forward.up",
    "fc2": "feed_forward.down",
    "final_layer_norm": "feed_forward_norm",
}


def _rename(key: str) -> str | None:
    key = key.removeprefix("model.").removeprefix("encoder.")
    if key.startswith(("decoder.", "proj_out", "embed_positions")):
        return None
    if key.startswith("conv"):
        return f"subsampling.{key}"
    if key.startswith("layer_norm."):
        return key.replace("layer_norm", "norm")
    _, number, rest = key.split(".", 2)
    name, kind = rest.rsplit(".", 1)
    return f"layers.{number}.{_LAYER[name]}.{kind}"


def load_whisper_encoder(encoder: WhisperEncoder, path: Path) -> None:
    """Fill `encoder` with the weights of a Whisper checkpoint file (encoder alone, or the whole model).

    Raises:
        ModelError: if the file is no Whisper checkpoint, damaged, not finite, or one of another size.
    """
    if not path.is_file():
        raise ModelError("no such file", where=str(path), fix="Give a Whisper .safetensors file.")
    tensors = load_tensors(path)
    try:
        renamed = {new: tensor.float() for key, tensor in tensors.items() if (new := _rename(key)) is not None}
    except (KeyError, ValueError) as error:
        raise ModelError(f"key {error} is not part of a Whisper encoder", where=str(path)) from error
    wanted = {k: v for k, v in encoder.state_dict().items() if not k.startswith(("positions", "reduction"))}
    wrong = sorted(wanted.keys() ^ renamed.keys())
    wrong += [k for k in wanted.keys() & renamed.keys() if wanted[k].shape != renamed[k].shape]
    if wrong:
        raise ModelError(f"{len(wrong)} tensors are missing, unknown or of another size: {wrong[:4]}", where=str(path))
    with torch.no_grad():
        encoder.load_state_dict(renamed, strict=False)
