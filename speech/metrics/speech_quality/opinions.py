"""Mean opinion scores, 1 to 5, that published networks predict of a recording: DistillMOS and DNSMOS.

They were trained on what listeners said of other speech, mostly English. Compare systems that say the same texts;
values of different languages or networks cannot be compared.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
import torch

from speech.audio import SAMPLE_RATE
from speech.errors import ConfigError, ModelError
from speech.extras import needs_extra
from speech.metrics.speech_quality.figures import DISTILL_MOS, DNS_MOS

_WINDOW_S = 9.01
_WINDOW_SAMPLES = int(_WINDOW_S * SAMPLE_RATE)
_OVERALL = 2
"""Column of the overall score, behind those of speech and background."""
_OVERALL_FIT = (-0.06766283, 1.11546468, 0.04602535)
"""Polynomial from the network's score to opinions, as published with the network."""


class OpinionModel(Protocol):
    """Predicts the mean opinion of a recording."""

    @property
    def name(self) -> str:
        """Name and version; values of different names are never compared."""

    def opinion(self, samples: np.ndarray) -> float:
        """The mean opinion, 1 to 5, of `samples (n,)` float32 at 16 kHz."""


class DistillMos:
    """DistillMOS (Stahl and Gamper 2025, arXiv 2502.05356): overall quality; package `distillmos`.

    Raises:
        ConfigError: if the package is missing.
    """

    def __init__(self) -> None:
        try:
            from distillmos import ConvTransformerSQAModel
        except ModuleNotFoundError as error:
            raise _missing("DistillMOS", error.name) from error
        with redirect_stdout(io.StringIO()):  # it tells where its weights are
            self._network = ConvTransformerSQAModel().eval()
        self.name = f"{DISTILL_MOS}:{version('distillmos')}"

    def opinion(self, samples: np.ndarray) -> float:
        with torch.inference_mode():
            return float(self._network(torch.from_numpy(samples)[None]).item())


class DnsMos:
    """DNSMOS P.835 (Reddy et al. 2022, arXiv 2110.01763), its overall score: rather noise than naturalness. A network
    of the package `speechmos`, on one thread.

    The package itself is not imported: it needs others, and takes all cores.

    Raises:
        ConfigError: if the package is missing.
        ModelError: if it has another layout.
    """

    def __init__(self) -> None:
        spec = find_spec("speechmos")
        if spec is None or not spec.submodule_search_locations:
            raise _missing("DNSMOS", "speechmos")
        path = Path(next(iter(spec.submodule_search_locations))) / "dnsmos_models" / "sig_bak_ovr.onnx"
        if not path.is_file():
            raise ModelError(
                "the package speechmos lacks this network", where=str(path), fix="Install speechmos 0.0.1.1."
            )
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.name = f"{DNS_MOS}:{version('speechmos')}"

    def opinion(self, samples: np.ndarray) -> float:
        """The mean over windows of 9.01 s, one each second; a shorter recording is repeated until it fills one. Which
        windows count is as in the package."""
        audio = samples.clip(-1, 1).astype(np.float32)
        while len(audio) < _WINDOW_SAMPLES:
            audio = np.append(audio, audio)
        count = int(len(audio) // SAMPLE_RATE - _WINDOW_S) + 1
        ends = [
            int((number + _WINDOW_S) * SAMPLE_RATE) for number in range(count)
        ]  # some are rounded down, and left out
        windows = [audio[number * SAMPLE_RATE : end] for number, end in enumerate(ends)]
        raw = [
            self._session.run(None, {"input_1": window[None]})[0][0][_OVERALL]
            for window in windows
            if len(window) == _WINDOW_SAMPLES
        ]
        return float(np.mean([np.polyval(_OVERALL_FIT, value) for value in raw]))


def _missing(what: str, package: str | None) -> ConfigError:
    return ConfigError(f"{what} needs the package {package}", fix=needs_extra("speech-scores"))
