"""A watermark of random weights that is built and run in milliseconds."""

from pathlib import Path
from typing import Any

import torch

from speech.models.watermark import Watermark, WatermarkConfig
from speech.models.watermark_checkpoint import Threshold, WatermarkCheckpoint, save_watermark_checkpoint

SHAPE: dict[str, Any] = {
    "sample_rate": 8000,
    "hop": 80,
    "n_fft": 320,
    "bands": 40,
    "kernel": 3,
    "dim": 8,
    "layers": 2,
    "detector_dim": 68,
    "detector_layers": 1,
    "span": 24,
    "delay_frames": 12,
}


def tiny_watermark(**settings: Any) -> Watermark:
    """With decisions that depend on the speech, as after training."""
    torch.manual_seed(0)
    made = WatermarkConfig(**SHAPE | settings).build().eval()
    torch.nn.init.normal_(made.generator.decided.weight, std=0.3)
    return made


def tiny_threshold(evidence: float = 0.0, logit: float | None = None) -> Threshold:
    """The same for recordings and windows unless `logit` is given."""
    return Threshold(
        evidence=evidence,
        played=0.0,
        growth=0.5,
        duration_s=4.0,
        false_alarms=0.01,
        recordings=100,
        logit=evidence if logit is None else logit,
        window_false_alarms=0.02,
        windows=1000,
    )


def save_tiny_watermark(folder: Path, evidence: float = 0.0, **settings: Any) -> Path:
    checkpoint = WatermarkCheckpoint(tiny_watermark(**settings), tiny_threshold(evidence), {"note": "tiny"})
    save_watermark_checkpoint(folder, checkpoint, card="# tiny\n")
    return folder
