"""ONNX export of a label model: `label_encoder.onnx`, `label_decoder.onnx` and `label_tokens.txt`.

The encoder graph runs once per recording. The decoder graph runs for the prompt and for each step, with its cache as
input and output.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.models.checkpoint import LabelCheckpoint
from speech.models.export.label_graphs import LabelDecoderGraph, LabelEncoderGraph, cache_names
from speech.models.export.onnx_files import (
    FORMAT,
    TOLERANCE,
    OnnxGraph,
    compare,
    new_folder,
    open_onnx,
    seeded,
    write_graph,
)
from speech.models.whisper import Whisper
from speech.text.tokenizers.bpe import LabelTokenizer

_CARD = """
## `label_encoder.onnx`, `label_decoder.onnx`: the label decoder

One utterance at a time, in as many hypotheses (rows) as a search has. Written only after logits had been found equal to
the model's to {tolerance}.

1. `label_encoder.onnx`: `samples (1, N)` at {rate} Hz, N at least {shortest} and at most {longest:.0f} s of them, ->
   `frames (1, T, {dim})`, {frame_ms:.0f} ms each, and `cross_keys_1`, `cross_values_1`, ... `(1, {heads}, T, {head})`.
2. `label_decoder.onnx`: `tokens (rows, n)`, `past_keys_1`, ... `(rows, {heads}, p, {head})` and all `cross_...` ->
   `logits (rows, {vocabulary})` of what follows the last token{attention}.
   Begin with the prompt and a past of p = 0; every input `past_x` has its successor in the output `next_past_x`. A
   search that picks rows picks those of the past, and of nothing else. p + n is at most {positions}.

The metadata has the tokens of the prompt
({prompt}; `previous` and the last tokens of what was said before may stand in front of it),
`end`, `no_speech`, what is never written (`suppressed`) and what no text begins with (`suppressed_first`). From
`first_timestamp` on tokens are timestamps. `label_tokens.txt` has the bytes of each token of text in base64, and its
id, with a space between them: texts are UTF-8, a character can take several tokens, a token of no bytes is possible.
"""
_SPOKEN = "one of `languages`, `transcribe` or `translate`, "


def export_label_onnx(directory: Path, label: LabelCheckpoint, *, name: str) -> None:
    """Write and check the graphs of a model without CTC, atomically.

    Args:
        directory: new or empty directory.
        label: on the CPU in float32, as loaded by `load_label_checkpoint`.
        name: name of the model for the card.

    Raises:
        ConfigError: if the directory is not empty, or onnx is not installed.
        ModelError: if the output of a graph differs from the model's.
    """
    with new_folder(directory) as folder:
        (folder / "README.md").write_text(f"# {name} in ONNX\n{write_label(folder, label)}", "utf-8")


def write_label(folder: Path, label: LabelCheckpoint) -> str:
    """Write and check the graphs of a label model in an existing folder; the model is set to evaluation mode.

    Returns:
        The section on the graphs for `README.md`.

    Raises:
        ModelError: if the output of a graph differs from the model's.
    """
    model, tokenizer = label.model.eval(), label.tokenizer
    shortest = model.log_mel.pad + 1
    cross = _write_encoder(folder / "label_encoder.onnx", model, shortest)
    _write_decoder(folder / "label_decoder.onnx", model, tokenizer, cross)
    _check(folder, model)
    lines = (f"{base64.b64encode(tokenizer.piece(token)).decode()} {token}\n" for token in range(tokenizer.end))
    (folder / "label_tokens.txt").write_text("".join(lines), "utf-8")
    config = model.config.decoder
    return _CARD.format(
        tolerance=TOLERANCE,
        rate=SAMPLE_RATE,
        shortest=shortest,
        longest=model.max_frames * model.frame_s,
        dim=config.dim,
        frame_ms=model.frame_s * 1000,
        heads=config.heads,
        head=config.dim // config.heads,
        vocabulary=config.vocabulary,
        attention=", `attention (rows, heads, n, T)` of the alignment heads" if model.alignment_heads else "",
        positions=config.positions,
        prompt=f"`start`, {'' if tokenizer.english_only else _SPOKEN}`no_timestamps`",
    )


def _write_encoder(path: Path, model: Whisper, shortest: int) -> list[Tensor]:
    """Write the encoder graph; returns its cross-attention keys and values for one second of noise."""
    names = cache_names("cross", model.config.decoder.layers)
    samples = torch.randn(1, SAMPLE_RATE, generator=seeded())
    metadata = {
        "format": f"speech-label-encoder-{FORMAT}",
        "sample_rate": str(SAMPLE_RATE),
        "shortest": str(shortest),
        "frame_s": str(model.frame_s),
        "max_frames": str(model.max_frames),
        "log_mel": json.dumps(asdict(model.log_mel.config)),
    }
    free = {"samples": {1: "N"}, "frames": {1: "T"}, **{name: {2: "T"} for name in names}}
    graph = LabelEncoderGraph(model)
    write_graph(path, OnnxGraph(graph, {"samples": samples}, ["frames", *names], free, metadata))
    with torch.no_grad():
        return list(graph(samples)[1:])


def _write_decoder(path: Path, model: Whisper, tokenizer: LabelTokenizer, cross: list[Tensor]) -> None:
    config = model.config.decoder
    past, frames = cache_names("past", config.layers), cache_names("cross", config.layers)
    cache = torch.randn(2, config.heads, 3, config.dim // config.heads, generator=seeded())
    inputs = {"tokens": torch.tensor([[1, 2], [3, 4]])}
    inputs |= dict.fromkeys(past, cache) | dict(zip(frames, cross, strict=True))
    outputs = ["logits", *(f"next_{name}" for name in past), *(["attention"] if model.alignment_heads else [])]
    free = {"tokens": {0: "rows", 1: "n"}, "logits": {0: "rows"}, "attention": {0: "rows", 2: "n", 3: "T"}}
    free |= {name: {0: "rows", 2: "p"} for name in past} | {name: {2: "T"} for name in frames}
    free |= {f"next_{name}": {0: "rows", 2: "p + n"} for name in past}
    free = {name: axes for name, axes in free.items() if name in inputs or name in outputs}
    inputs |= {name: tensor.clone() for name, tensor in inputs.items()}  # a shared tensor would become one input
    write_graph(path, OnnxGraph(LabelDecoderGraph(model), inputs, outputs, free, _facts(model, tokenizer)))


def _facts(model: Whisper, tokenizer: LabelTokenizer) -> dict[str, str]:
    """Metadata of the decoder graph."""
    config = model.config.decoder
    timestamps = range(tokenizer.first_timestamp, config.vocabulary)
    suppressed = sorted({*model.suppressed, *tokenizer.specials, *timestamps} - {tokenizer.end})
    numbers = {
        "vocabulary_size": config.vocabulary,
        "positions": config.positions,
        "start": tokenizer.start,
        "end": tokenizer.end,
        "transcribe": tokenizer.transcribe,
        "translate": tokenizer.translate,
        "previous": tokenizer.previous,
        "no_speech": tokenizer.no_speech,
        "no_timestamps": tokenizer.no_timestamps,
        "first_timestamp": tokenizer.first_timestamp,
    }
    return {
        "format": f"speech-label-decoder-{FORMAT}",
        **{key: str(value) for key, value in numbers.items()},
        "frame_s": str(model.frame_s),
        "languages": json.dumps(tokenizer.languages),
        "english_only": json.dumps(tokenizer.english_only),
        "suppressed": json.dumps(suppressed),
        "suppressed_first": json.dumps(sorted({*model.suppressed_first, tokenizer.end})),
        "alignment_heads": json.dumps(model.alignment_heads),
        "state": ",".join(cache_names("past", config.layers)),
    }


@torch.inference_mode()
def _check(folder: Path, model: Whisper) -> None:
    """Compare both graphs, chained, on recordings of three lengths: a prompt, then steps with several hypotheses."""
    encoder, decoder = open_onnx(folder / "label_encoder.onnx"), open_onnx(folder / "label_decoder.onnx")
    config = model.config.decoder
    noise = seeded()
    names, past = [output.name for output in decoder.get_outputs()], cache_names("past", config.layers)
    for length in (model.log_mel.pad + 1, SAMPLE_RATE + 7, 5 * SAMPLE_RATE // 2 + 1):
        samples = 0.1 * torch.randn(1, length, generator=noise)
        frames, lengths = model.encode(samples, torch.tensor([length]))
        found, *cross = encoder.run(None, {"samples": samples.numpy()})
        size = frames.abs().max()  # some dimensions of published models are large
        compare(folder / "label_encoder.onnx", found / size.numpy(), frames / size)
        heard = dict(zip(cache_names("cross", config.layers), cross, strict=True))
        state, cache = model.begin(frames, lengths), np.zeros((1, config.heads, 0, config.dim // config.heads))
        kept = dict.fromkeys(past, cache.astype(np.float32))
        for rows, count in ((1, min(4, config.positions - 3)), (3, 1), (3, 2)):
            picked = torch.zeros(rows, dtype=torch.int64) if rows != len(kept[past[0]]) else torch.arange(rows).flip(0)
            state = state.select(picked)
            kept = {name: tensor[picked.numpy()] for name, tensor in kept.items()}
            tokens = torch.randint(config.vocabulary, (rows, count), generator=noise)
            x, state, seen = model.step(tokens, state, model.alignment_heads)
            values = decoder.run(names, {"tokens": tokens.numpy(), **kept, **heard})
            got = dict(zip(names, values, strict=True))
            log_probs = torch.from_numpy(got["logits"]).log_softmax(dim=-1)
            compare(folder / "label_decoder.onnx", log_probs.numpy(), model.logits(x[:, -1]).log_softmax(dim=-1))
            if seen is not None:
                compare(folder / "label_decoder.onnx", got["attention"], seen)
            kept = {name: got[f"next_{name}"] for name in past}
