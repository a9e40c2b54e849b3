"""ONNX export for runtimes without Python: a directory of graphs that have been compared with the model.

`model.onnx` processes whole utterances, `streaming.onnx` consecutive chunks of live streams from the initial state
in `state.npz`, and `sherpa.onnx` recordings inside sherpa-onnx. `tokens.txt` and `README.md` are beside them and,
for a hybrid, the graphs of its label decoder (`speech.models.export.label`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.chunking import ChunkSpec
from speech.models.checkpoint import LabelCheckpoint
from speech.models.export.ctc_graphs import OfflineGraph, StreamingGraph, WaveformGraph, prefix_frames
from speech.models.export.label import write_label
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
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.encoder.subsampling import UNKNOWN_END

_SHERPA_RMS = 0.08  # typical of speech recordings
_SHERPA_FRAMES = 2  # frame length in hundredths of a second that sherpa-onnx assumes for this kind of model

_CARD = """# {name} in ONNX

Features are log-mel frames of 10 ms at {rate} Hz, before any normalisation, as `log_mel` in the metadata of each file
describes them: the normalisation is in the graphs. An output frame is {frame_ms:.0f} ms. Blank is token 0; `tokens.txt`
has every token and its id. A prefix is `(language, task)`, such as `<eng>` or `<nolang>`, and `<asr>`.
All numbers are float32 and int64. Written only after the outputs had been found equal to the model's to {tolerance}.

## `model.onnx`: whole utterances

`features (batch, T, {bins})`, `prefix (batch, 2)` -> `log_probs (batch, T', {vocabulary})`{languages}. The utterances
of a batch are equally long, T is at least {shortest}. {prefix_note}
"""
_STREAMING_CARD = """
## `streaming.onnx`: one chunk of live streams

Chunks of {size} encoder frames of {encoder_ms} ms, left context {left}, right context {right} frames.

1. Begin with the arrays of `state.npz` (prefix {prefix}) and {lead} frames of zeros before the first feature.
2. As soon as {window} feature frames are there, run with `features (batch, {window}, {bins})`, `total (batch,)` =
   1 << 60, and the state; every input `x` of the state has its successor in the output `next_x`.
3. Drop the first {shift} of these frames and go on with 2.
4. When the stream has ended, set `total` to its number of feature frames, fill up windows with anything, and run until
   `frames (batch,)` is less than the frames of `log_probs`: so many of them belong to the stream.
"""
_SHERPA_CARD = """
## `sherpa.onnx`: recordings in sherpa-onnx

    sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc("sherpa.onnx", "tokens.txt")

`samples (1, N)` at 16 kHz; the log-mel is in the graph. Prefix {prefix}; special tokens are never answered. sherpa-onnx
brings every recording of this kind to variance one; the graph brings it to a root mean square of {rms}. The loudness
of the original is lost, so text can differ from the model's own. Frames are repeated {repeat} times, since sherpa-onnx
takes them for 20 ms.
"""


def export_onnx(
    directory: Path,
    model: OwsmCtc,
    *,
    name: str,
    chunk: ChunkSpec | None = None,
    prefix: tuple[int, int] | None = None,
    sherpa: bool = False,
    label: LabelCheckpoint | None = None,
) -> None:
    """Write and check the graphs atomically; the model is set to evaluation mode.

    Args:
        directory: new or empty directory.
        model: on the CPU in float32, as loaded by `load_checkpoint`.
        name: name of the model for the card.
        chunk: chunks of live streams; None: no streaming graph.
        prefix: for live streams and sherpa; None: `<nolang>` `<asr>`.
        sherpa: also write a graph for sherpa-onnx.
        label: label model of a hybrid, on the CPU in float32; its graphs are written too.

    Raises:
        ConfigError: if the directory is not empty, onnx is not installed, or the model does not support the chunks.
        ModelError: if the output of a graph differs from the model's.
    """
    prefix = prefix or (model.vocabulary.nolang, model.vocabulary.task_id("asr"))
    model.eval()
    with new_folder(directory) as folder:
        card = _write_offline(folder / "model.onnx", model, name, prefix)
        if chunk is not None:
            card += _write_streaming(folder / "streaming.onnx", model, chunk, prefix)
        if sherpa:
            card += _write_sherpa(folder / "sherpa.onnx", model, prefix)
        if label is not None:
            card += write_label(folder, label)
        tokens = "".join(f"{token} {number}\n" for number, token in enumerate(model.vocabulary.tokens))
        (folder / "tokens.txt").write_text(tokens, "utf-8")
        (folder / "README.md").write_text(card, "utf-8")


def run_streaming(
    session: onnxruntime.InferenceSession, state: Mapping[str, np.ndarray], features: np.ndarray
) -> dict[str, np.ndarray]:
    """Run `streaming.onnx` chunk by chunk over a complete stream, as a caller would.

    Args:
        session: session of that file.
        state: from `state.npz`.
        features: `(1, T, bins)`.

    Returns:
        `log_probs (1, T', vocabulary)`, and `language_log_probs (1, T', languages)` if the model has them.
    """
    facts = session.get_modelmeta().custom_metadata_map
    window, shift, lead = (int(facts[key]) for key in ("window", "shift", "lead"))
    names = [output.name for output in session.get_outputs()]
    heard: dict[str, list[np.ndarray]] = {name: [] for name in names if name.endswith("log_probs")}
    length, start, state = features.shape[1], 0, dict(state)
    padded = np.pad(features, ((0, 0), (lead, window), (0, 0)))
    while True:
        ended = start + window > lead + length
        piece = padded[:, start : start + window]
        piece = np.pad(piece, ((0, 0), (0, window - piece.shape[1]), (0, 0)))
        total = np.array([length if ended else UNKNOWN_END])
        found = dict(zip(names, session.run(names, {"features": piece, "total": total, **state}), strict=True))
        frames = int(found["frames"][0])
        for name, parts in heard.items():
            parts.append(found[name][:, :frames])
        if frames < found["log_probs"].shape[1]:
            return {name: np.concatenate(parts, axis=1) for name, parts in heard.items()}
        state, start = {key: found[f"next_{key}"] for key in state}, start + shift


def _write_offline(path: Path, model: OwsmCtc, name: str, prefix: tuple[int, int]) -> str:
    graph, outputs = OfflineGraph(model), _outputs(model)
    metadata = _metadata(model, "offline") | {
        "prefix_frames": str(_front(model)),
        "shortest": str(graph.shortest),
    }
    inputs = {"features": torch.randn(1, 10 * graph.shortest + 3, model.config.encoder.bins, generator=seeded())}
    inputs["prefix"] = torch.tensor([prefix])
    free = {"features": {0: "batch", 1: "T"}, "prefix": {0: "batch"}, **{n: {0: "batch", 1: "frames"} for n in outputs}}
    write_graph(path, OnnxGraph(graph, inputs, outputs, free, metadata))
    _check_offline(path, model, prefix, graph.shortest)
    return _CARD.format(
        name=name,
        rate=SAMPLE_RATE,
        frame_ms=model.frame_s * 1000,
        tolerance=TOLERANCE,
        bins=model.config.encoder.bins,
        vocabulary=len(model.vocabulary),
        languages=" and `language_log_probs`, the languages in the order of the metadata" if outputs[1:] else "",
        shortest=graph.shortest,
        prefix_note="The first frames of the output are those of the prefix." if model.config.target_prefix else "",
    )


def _write_streaming(path: Path, model: OwsmCtc, chunk: ChunkSpec, prefix: tuple[int, int]) -> str:
    graph = StreamingGraph(model, chunk)
    state = graph.initial(torch.tensor([prefix]))
    outputs = [*_outputs(model), "frames", *(f"next_{key}" for key in state)]
    shape = {
        "chunk_size": chunk.size,
        "left_context": chunk.left_context,
        "right_context": chunk.right_context,
        "window": graph.window,
        "shift": graph.shift,
        "lead": graph.lead,
    }
    metadata = _metadata(model, "streaming") | {key: str(value) for key, value in shape.items()}
    metadata |= {"state": ",".join(state), "prefix": ",".join(map(str, prefix))}
    features = torch.randn(1, graph.window, model.config.encoder.bins, generator=seeded())
    inputs = {"features": features, "total": torch.tensor([UNKNOWN_END]), **state}
    free = {name: {0: "batch"} for name in [*inputs, *outputs]}
    write_graph(path, OnnxGraph(graph, inputs, outputs, free, metadata))
    arrays: dict[str, Any] = {key: value.numpy() for key, value in state.items()}
    np.savez_compressed(path.with_name("state.npz"), **arrays)
    _check_streaming(path, model, chunk, prefix)
    return _STREAMING_CARD.format(
        size=chunk.size,
        encoder_ms=model.encoder.subsampling.factor * 10,
        left=chunk.left_context,
        right=chunk.right_context,
        prefix=_spelled(model, prefix),
        lead=graph.lead,
        window=graph.window,
        shift=graph.shift,
        bins=model.config.encoder.bins,
    )


def _write_sherpa(path: Path, model: OwsmCtc, prefix: tuple[int, int]) -> str:
    repeat = model.encoder.factor // _SHERPA_FRAMES
    graph = WaveformGraph(model, prefix, _SHERPA_RMS, repeat)
    inputs = {"samples": torch.randn(1, 32000, generator=seeded())}
    free = {"samples": {1: "N"}, "log_probs": {1: "frames"}}
    write_graph(path, OnnxGraph(graph, inputs, ["log_probs"], free, _metadata(model, "waveform")))
    _check_sherpa(path, model, prefix, graph)
    return _SHERPA_CARD.format(prefix=_spelled(model, prefix), rms=_SHERPA_RMS, repeat=repeat)


def _outputs(model: OwsmCtc) -> list[str]:
    return ["log_probs", *(["language_log_probs"] if model.language is not None else [])]


def _front(model: OwsmCtc) -> int:
    """Number of prefix frames at the start of the log-probabilities."""
    return prefix_frames(model) if model.config.target_prefix else 0


def _spelled(model: OwsmCtc, prefix: tuple[int, int]) -> str:
    return " ".join(f"`{model.vocabulary.tokens[token]}`" for token in prefix)


def _metadata(model: OwsmCtc, kind: str) -> dict[str, str]:
    return {
        "format": f"speech-ctc-{kind}-{FORMAT}",
        "vocabulary_size": str(len(model.vocabulary)),
        "blank": str(model.vocabulary.blank),
        "frame_s": str(model.frame_s),
        "bins": str(model.config.encoder.bins),
        "sample_rate": str(SAMPLE_RATE),
        "log_mel": json.dumps(asdict(model.log_mel.config)),
        "languages": ",".join(model.vocabulary.languages),
    }


def _check_offline(path: Path, model: OwsmCtc, prefix: tuple[int, int], shortest: int) -> None:
    session = open_onnx(path)
    for length in (shortest, 7 * shortest + 2, 16 * shortest + 5):
        features, front = _noise(model, length), torch.tensor([prefix])
        with torch.inference_mode():
            found = model(features, torch.tensor([length]), front)
        languages = [torch.log_softmax(found.language_logits, -1)] if found.language_logits is not None else []
        got = session.run(None, {"features": features.numpy(), "prefix": front.numpy()})
        for output, expected in zip(got, [found.log_probs, *languages], strict=True):
            compare(path, output, expected)


def _check_streaming(path: Path, model: OwsmCtc, chunk: ChunkSpec, prefix: tuple[int, int]) -> None:
    """Compare from the first chunk until two chunks after the left context is full, and at the end of the stream."""
    chunks = chunk.left_context // chunk.size + 3
    factor = model.encoder.subsampling.factor
    features = _noise(model, factor * (chunks * chunk.size + chunk.right_context) + factor // 2 + 1)
    with torch.inference_mode():
        state = model.init_state(torch.tensor([prefix]), chunk)
        first, spoken, state = model.step(features, state, chunk)
        last, spoken_last = model.finish(state, chunk)
    with np.load(path.with_name("state.npz")) as arrays:
        got = run_streaming(open_onnx(path), dict(arrays), features.numpy())
    compare(path, got["log_probs"], torch.cat([first, last], dim=1))
    if spoken is not None and spoken_last is not None:
        expected = torch.log_softmax(torch.cat([spoken, spoken_last], dim=1), dim=-1)
        compare(path, got["language_log_probs"], expected)


def _check_sherpa(path: Path, model: OwsmCtc, prefix: tuple[int, int], graph: WaveformGraph) -> None:
    samples = torch.randn(1, 25001, generator=seeded())
    loud, length = samples * _SHERPA_RMS / samples.square().mean().sqrt(), torch.tensor([25001])
    with torch.inference_mode():
        features, lengths = model.features(loud, length)
        found = model(features, lengths, torch.tensor([prefix])).log_probs[:, _front(model) :]
    [got] = open_onnx(path).run(None, {"samples": samples.numpy()})
    answered = graph.special.eq(0)
    compare(path, got[..., answered.numpy()], found.repeat_interleave(graph.repeat, dim=1)[..., answered])


def _noise(model: OwsmCtc, length: int) -> Tensor:
    """Random features `(1, length, bins)` with the mean and deviation of the training features."""
    noise = torch.randn(1, length, model.config.encoder.bins, generator=seeded())
    return noise * model.feature_std + model.feature_mean
