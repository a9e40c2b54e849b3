"""Published Whisper repositories in small, written without their libraries: Hugging Face's layout and CTranslate2's."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from safetensors.torch import save_file

from speech.nn.encoder.positions import SinusoidalPositions
from tests.conftest import TEXTS

LANGUAGES = ["en", "zh", "de", "es", "ru"]
DIM, HEADS, HIDDEN, BINS = 16, 2, 24, 80
ENCODER_LAYERS, DECODER_LAYERS, POSITIONS, TEXT_POSITIONS = 3, 2, 1500, 64
TYPES = {np.float32: 0, np.int8: 1, np.int16: 2, np.int32: 3, np.float16: 4}
BFLOAT16 = 5


def tokenizer_json(languages: list[str] = LANGUAGES, no_speech: str = "<|nocaptions|>", merges: int = 60) -> bytes:
    """A byte-level BPE with the special tokens of Whisper behind its pieces; timestamps are not in it."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=256 + merges, initial_alphabet=alphabet, show_progress=False, special_tokens=[]
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    specials = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in languages), "<|translate|>"]
    specials += ["<|transcribe|>", "<|startoflm|>", "<|startofprev|>", no_speech, "<|notimestamps|>"]
    tokenizer.add_special_tokens(specials)
    return str(tokenizer.to_str()).encode()


def vocabulary_of(data: bytes) -> int:
    """With 1,501 timestamps."""
    return int(tokenizers.Tokenizer.from_str(data.decode()).get_vocab_size()) + 1501


def hugging_face_tensors(vocabulary: int, bins: int = BINS, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights under their published names."""
    generator = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.conv1.weight": (DIM, bins, 3), "encoder.conv1.bias": (DIM,),
        "encoder.conv2.weight": (DIM, DIM, 3), "encoder.conv2.bias": (DIM,),
        "decoder.embed_tokens.weight": (vocabulary, DIM), "decoder.embed_positions.weight": (TEXT_POSITIONS, DIM),
    }  # fmt: skip
    for side, layers in (("encoder", ENCODER_LAYERS), ("decoder", DECODER_LAYERS)):
        shapes |= _norm(f"{side}.layer_norm")
        for number in range(layers):
            front = f"{side}.layers.{number}"
            blocks = ["self_attn", *(["encoder_attn"] if side == "decoder" else [])]
            for block in blocks:
                for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    shapes[f"{front}.{block}.{name}.weight"] = (DIM, DIM)
                    if name != "k_proj":
                        shapes[f"{front}.{block}.{name}.bias"] = (DIM,)
                shapes |= _norm(f"{front}.{block}_layer_norm")
            shapes |= _norm(f"{front}.final_layer_norm")
            shapes |= {f"{front}.fc1.weight": (HIDDEN, DIM), f"{front}.fc1.bias": (HIDDEN,)}
            shapes |= {f"{front}.fc2.weight": (DIM, HIDDEN), f"{front}.fc2.bias": (DIM,)}
    found = {f"model.{name}": torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}
    found["model.encoder.embed_positions.weight"] = sinusoids()
    return found


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (DIM,), f"{name}.bias": (DIM,)}


def sinusoids() -> torch.Tensor:
    """Positions of the encoder."""
    return SinusoidalPositions(DIM, period=None, interleaved=False)(torch.arange(POSITIONS))


def write_hugging_face(folder: Path, *, bins: int = BINS, tokenizer: bytes | None = None, seed: int = 0) -> Path:
    """A new directory as the hub has it."""
    folder.mkdir(parents=True)
    data = tokenizer or tokenizer_json()
    vocabulary = vocabulary_of(data)
    start = tokenizers.Tokenizer.from_str(data.decode()).token_to_id("<|startoftranscript|>")
    config = {
        "model_type": "whisper", "activation_function": "gelu", "scale_embedding": False, "vocab_size": vocabulary,
        "num_mel_bins": bins, "d_model": DIM, "encoder_layers": ENCODER_LAYERS, "encoder_attention_heads": HEADS,
        "encoder_ffn_dim": HIDDEN, "decoder_layers": DECODER_LAYERS, "decoder_attention_heads": HEADS,
        "decoder_ffn_dim": HIDDEN, "max_source_positions": POSITIONS, "max_target_positions": TEXT_POSITIONS,
        "decoder_start_token_id": start, "suppress_tokens": [0],
    }  # fmt: skip
    generation = {
        "suppress_tokens": [1, 2, start],
        "begin_suppress_tokens": [220, start - 1],
        "alignment_heads": [[0, 1], [1, 0]],
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": start + 1 + number for number, code in enumerate(LANGUAGES)},
    }
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", generation)
    write_json(folder / "preprocessor_config.json", {"feature_size": bins, "sampling_rate": 16000, "hop_length": 160})
    (folder / "tokenizer.json").write_bytes(data)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# where it comes from\n")
    save_file(hugging_face_tensors(vocabulary, bins, seed), folder / "model.safetensors")
    return folder


def write_json(path: Path, record: Any) -> None:
    path.write_text(json.dumps(record), "utf-8")


def change_json(path: Path, **settings: Any) -> None:
    """Settings that are None are taken out."""
    record = json.loads(path.read_text("utf-8")) | settings
    write_json(path, {name: value for name, value in record.items() if value is not None})


def array(name: str, value: np.ndarray, kind: int | None = None) -> bytes:
    """One array of a `model.bin`."""
    shape = b"".join(struct.pack("<I", size) for size in value.shape)
    number = TYPES[value.dtype.type] if kind is None else kind
    return (
        text(name) + struct.pack("<B", value.ndim) + shape + struct.pack("<BI", number, value.nbytes) + value.tobytes()
    )


def text(name: str) -> bytes:
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def ctranslate2_bytes(
    arrays: list[bytes], aliases: dict[str, str], *, version: int = 6, kind: str = "WhisperSpec"
) -> bytes:
    """A `model.bin`."""
    front = struct.pack("<I", version) + text(kind) + struct.pack("<II", 3, len(arrays))
    end = struct.pack("<I", len(aliases)) + b"".join(text(alias) + text(name) for alias, name in aliases.items())
    return front + b"".join(arrays) + end


def ctranslate2_arrays(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Arrays of a `model.bin` with the numbers of a file in Hugging Face's layout."""
    found: dict[str, np.ndarray] = {}
    published = {name.removeprefix("model."): tensor.numpy() for name, tensor in tensors.items()}

    def linear(target: str, *sources: str) -> None:
        found[f"{target}/weight"] = np.concatenate([published[f"{s}.weight"] for s in sources])
        zeros = np.zeros(DIM, np.float32)
        found[f"{target}/bias"] = np.concatenate([published.get(f"{s}.bias", zeros) for s in sources])

    def norm(target: str, source: str) -> None:
        found[f"{target}/gamma"], found[f"{target}/beta"] = published[f"{source}.weight"], published[f"{source}.bias"]

    for side, layers in (("encoder", ENCODER_LAYERS), ("decoder", DECODER_LAYERS)):
        found[f"{side}/num_heads"] = np.array(HEADS, np.int16)
        found[f"{side}/position_encodings/encodings"] = published[f"{side}.embed_positions.weight"]
        norm(f"{side}/layer_norm", f"{side}.layer_norm")
        for number in range(layers):
            ours, theirs = f"{side}/layer_{number}", f"{side}.layers.{number}"
            norm(f"{ours}/self_attention/layer_norm", f"{theirs}.self_attn_layer_norm")
            linear(f"{ours}/self_attention/linear_0", *(f"{theirs}.self_attn.{n}_proj" for n in "qkv"))
            linear(f"{ours}/self_attention/linear_1", f"{theirs}.self_attn.out_proj")
            if side == "decoder":
                norm(f"{ours}/attention/layer_norm", f"{theirs}.encoder_attn_layer_norm")
                linear(f"{ours}/attention/linear_0", f"{theirs}.encoder_attn.q_proj")
                linear(f"{ours}/attention/linear_1", *(f"{theirs}.encoder_attn.{n}_proj" for n in "kv"))
                linear(f"{ours}/attention/linear_2", f"{theirs}.encoder_attn.out_proj")
            norm(f"{ours}/ffn/layer_norm", f"{theirs}.final_layer_norm")
            linear(f"{ours}/ffn/linear_0", f"{theirs}.fc1")
            linear(f"{ours}/ffn/linear_1", f"{theirs}.fc2")
    for name in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            found[f"encoder/{name}/{kind}"] = published[f"encoder.{name}.{kind}"]
    found["decoder/embeddings/weight"] = published["decoder.embed_tokens.weight"]
    switches = {"activation": 3, "alibi": 0, "pre_norm": 1, "scale_embeddings": 0, "start_from_zero_embedding": 0}
    found |= {f"decoder/{name}": np.array(value, np.int8) for name, value in switches.items()}
    found["decoder/alignment_heads"], found["decoder/alignment_layer"] = np.array(1, np.int16), np.array(-1, np.int16)
    return found


def quantised(arrays: dict[str, np.ndarray], bits: int) -> dict[str, np.ndarray]:
    """Matrices and convolutions in 8 bits a row, or in 16 with one scale, as CTranslate2 quantises them."""
    found: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        if not name.endswith("/weight"):
            found[name] = value
            continue
        if bits == 16:
            scale = np.float32(2**10 / np.abs(value).max())
            found[name] = np.rint(value * scale).astype(np.int16)
            found[f"{name}_scale"] = np.array(scale)
        else:
            rows = value.reshape(len(value), -1)
            scales = (127 / np.abs(rows).max(axis=1)).astype(np.float32)
            found[name] = np.rint(rows * scales[:, None]).astype(np.int8).reshape(value.shape)
            found[f"{name}_scale"] = scales
    return found


def write_ctranslate2(folder: Path, arrays: dict[str, np.ndarray], tokenizer: bytes) -> Path:
    """A new directory as CTranslate2's converter writes it."""
    folder.mkdir(parents=True)
    aliases = {"decoder/projection/weight": "decoder/embeddings/weight"}
    packed = [array(name, value) for name, value in sorted(arrays.items())]
    (folder / "model.bin").write_bytes(ctranslate2_bytes(packed, aliases))
    start = tokenizers.Tokenizer.from_str(tokenizer.decode()).token_to_id("<|startoftranscript|>")
    config = {
        "suppress_ids": [1, 2, start],
        "suppress_ids_begin": [220, start - 1],
        "alignment_heads": [[0, 1], [1, 0]],
    }
    write_json(folder / "config.json", config)
    (folder / "tokenizer.json").write_bytes(tokenizer)
    return folder
