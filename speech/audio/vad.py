"""Voice activity detection with Silero VAD: streaming steps, and speech segments of a recording."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

from speech.audio import SAMPLE_RATE
from speech.errors import ConfigError, ModelError

FRAME_SAMPLES = 512
"""Samples per decision: 32 ms."""
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
THRESHOLD = 0.5
"""A frame with at least this probability starts speech."""
RELEASE = THRESHOLD - 0.15
"""Speech continues until the probability falls below this, as in Silero's own segmentation."""
MIN_SPEECH_S = 0.25
"""Shorter segments are dropped."""
MIN_SILENCE_S = 0.3
"""Shorter pauses do not end a segment."""
PAD_S = 0.2
"""Silence kept on both sides of a segment, at most to the middle between two segments."""

_CONTEXT_SAMPLES = 64
_HIDDEN = 128
_BLOCK_FRAMES = 512


class VadState(NamedTuple):
    """State of the network for one stream."""

    context: np.ndarray
    """(64,) last samples of the previous frame."""
    hidden: np.ndarray
    """(1, 1, 128)"""
    cell: np.ndarray
    """(1, 1, 128)"""


class Vad:
    """Silero VAD v6 at 16 kHz, on one thread. It is stateless: the stream's state is an argument and a result.

    Raises:
        ModelError: if the package that ships the network is missing or has another layout.
    """

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(_shipped_network()), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def init_state(self) -> VadState:
        """Return the state before the first sample."""
        zero = np.zeros((1, 1, _HIDDEN), np.float32)
        return VadState(np.zeros(_CONTEXT_SAMPLES, np.float32), zero, zero.copy())

    def step(self, samples: np.ndarray, state: VadState) -> tuple[float, VadState]:
        """Return the probability that the next `samples (512,)` float32 are speech, and the next state.

        Raises:
            ConfigError: if there are not 512 samples.
        """
        if samples.shape != (FRAME_SAMPLES,):
            raise ConfigError(f"samples have shape {samples.shape}, expected ({FRAME_SAMPLES},)", where="Vad.step")
        probabilities, state = self._run(samples[None], state)
        return float(probabilities[0]), state

    def steps(self, frames: np.ndarray, state: VadState) -> tuple[np.ndarray, VadState]:
        """Run `step` on frames `(t, 512)` in order: probabilities `(t,)`, and the state after the last frame."""
        found = np.empty(len(frames), np.float32)
        for first in range(0, len(frames), _BLOCK_FRAMES):
            block = slice(first, first + _BLOCK_FRAMES)
            found[block], state = self._run(frames[block], state)
        return found, state

    def probabilities(self, samples: np.ndarray) -> np.ndarray:
        """Probabilities `(ceil(n / 512),)` of a recording `(n,)`; the last frame is zero-padded."""
        whole = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES)).reshape(-1, FRAME_SAMPLES)
        return self.steps(whole, self.init_state())[0]

    def _run(self, frames: np.ndarray, state: VadState) -> tuple[np.ndarray, VadState]:
        """Run the network on frames `(t, 512)`: probabilities `(t,)`, and the state after the last frame."""
        tails = frames[:, -_CONTEXT_SAMPLES:]
        contexts = np.concatenate([state.context[None], tails[:-1]])
        inputs = np.concatenate([contexts, frames], axis=1, dtype=np.float32)
        probabilities, hidden, cell = self._session.run(
            ["speech_probs", "hn", "cn"], {"input": inputs, "h": state.hidden, "c": state.cell}
        )
        return probabilities, VadState(tails[-1].astype(np.float32), hidden, cell)


def segment(samples: np.ndarray, vad: Vad) -> list[tuple[float, float]]:
    """Return the ordered, disjoint speech segments `(start_s, end_s)` of a recording `(n,)` float32 at 16 kHz."""
    return cut(vad.probabilities(samples), len(samples) / SAMPLE_RATE)


def cut(probabilities: np.ndarray, duration_s: float) -> list[tuple[float, float]]:
    """Return the segments `(start_s, end_s)` for speech probabilities `(frames,)`, one per 32 ms.

    Args:
        probabilities: from `Vad.probabilities`.
        duration_s: duration of the recording, which may end within the last frame.
    """
    return _padded(unpadded(probabilities, duration_s), duration_s)


def unpadded(probabilities: np.ndarray, duration_s: float) -> list[tuple[float, float]]:
    """The segments of `cut` without `PAD_S` on their sides: what lies between two of them is a pause."""
    runs = [(start, end) for start, end in _runs(probabilities) if (end - start) * FRAME_S >= MIN_SPEECH_S]
    return [(start * FRAME_S, min(end * FRAME_S, duration_s)) for start, end in runs]


def _runs(probabilities: np.ndarray) -> list[tuple[int, int]]:
    """Runs `[start, end)` of frames from `THRESHOLD` until below `RELEASE`; runs with short pauses are joined."""
    held = np.concatenate([[False], probabilities >= RELEASE, [False]])
    edges = np.flatnonzero(held[1:] != held[:-1])
    runs: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        above = np.flatnonzero(probabilities[start:end] >= THRESHOLD)
        if not len(above):
            continue
        start += int(above[0])
        if runs and start - runs[-1][1] < MIN_SILENCE_S / FRAME_S:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _padded(spans: list[tuple[float, float]], end_s: float) -> list[tuple[float, float]]:
    if not spans:
        return []
    middles = [(before[1] + after[0]) / 2 for before, after in pairwise(spans)]
    return [
        (max(start - PAD_S, low), min(end + PAD_S, high))
        for (start, end), low, high in zip(spans, [0.0, *middles], [*middles, end_s], strict=True)
    ]


def _shipped_network() -> Path:
    # The file is located without importing the package, which would load torch and torchaudio.
    spec = find_spec("silero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("the package silero-vad is not installed", where="vad", fix="pip install silero-vad==6.2.3")
    path = Path(next(iter(spec.submodule_search_locations))) / "data" / "silero_vad_16k_sequence.onnx"
    if not path.is_file():
        raise ModelError("the silero-vad package lacks this network", where=str(path), fix="Install silero-vad==6.2.3.")
    return path
