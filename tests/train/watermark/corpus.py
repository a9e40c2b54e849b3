"""A tiny run on made-up tones."""

from pathlib import Path
from typing import Any

from speech.models.watermark import WatermarkConfig
from speech.train.asr.config import DataConfig
from speech.train.codec.config import CropConfig
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from speech.train.watermark.config import CalibrationConfig, WatermarkLossConfig, WatermarkTrainConfig
from tests.tiny_watermark import SHAPE


def tiny(root: Path, output: Path, **trainer: Any) -> WatermarkTrainConfig:
    steps = {"max_steps": 6, "validate_every": 3, "checkpoint_every": 1, "average_every": 2, "average": 2}
    usual = {"log_every": 1, "progress": False, "accelerator": "cpu", "precision": "float32"}
    return WatermarkTrainConfig(
        name="tiny",
        output=str(output),
        data=DataConfig(root=str(root), workers=0, augment=None),
        model=WatermarkConfig(**SHAPE),
        crops=CropConfig(epoch=4, rows=4, crop_s=0.5, dev_rows=4, dev_s=0.5),
        watermark_loss=WatermarkLossConfig(n_ffts=[256], n_mels=[20]),
        calibration=CalibrationConfig(false_alarms=0.1, utterances=8),
        optimizer=OptimizerConfig(lr=3e-3, warmup=1),
        trainer=TrainerConfig(**usual | steps | trainer),
        storage="float32",
    )
