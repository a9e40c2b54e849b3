"""A made-up corpus of gliding tones and a tiny run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from speech.data.manifest import Utterance, write_manifest
from speech.train.asr.config import DataConfig
from speech.train.codec.config import CodecLossConfig, CodecTrainConfig, CropConfig, DiscriminatorConfig
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from tests.tiny_codec import tiny_codec_config

JUDGES: dict[str, Any] = {
    "begins": 3,
    "alone": 1,
    "crop_s": 0.1,
    "periods": [2, 3],
    "period_channels": 2,
    "n_ffts": [128],
    "channels": 2,
}


def tones(folder: Path, count: int, seed: int) -> list[Utterance]:
    """Half a second each at 16 kHz, in two languages."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        time = np.arange(8000) / 16000
        pitch, glide = rng.uniform(150, 600), rng.uniform(-200, 200)
        samples = sum(np.sin(2 * np.pi * k * (pitch + glide * time) * time) / k for k in (1, 2, 3))
        path = folder / f"{number}.wav"
        soundfile.write(path, (0.2 * samples).astype(np.float32), 16000)
        made: dict[str, Any] = {"language": ["eng", "deu"][number % 2], "source": "tones", "licence": "CC0"}
        found.append(Utterance(id=f"t{number}", audio=path, duration_s=0.5, text="tone", **made))
    return found


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the manifests."""
    root = tmp_path_factory.mktemp("tones")
    for seed, (part, count) in enumerate((("train", 12), ("dev", 5), ("test", 1))):
        (root / part).mkdir()
        write_manifest(tones(root / part, count, seed), root / f"{part}.jsonl")
    return root


def tiny(root: Path, output: Path, **trainer: Any) -> CodecTrainConfig:
    steps = {"max_steps": 6, "validate_every": 3, "checkpoint_every": 1, "average_every": 2, "average": 2}
    usual = {"log_every": 1, "progress": False, "accelerator": "cpu", "precision": "float32"}
    return CodecTrainConfig(
        name="tiny",
        output=str(output),
        data=DataConfig(root=str(root), workers=0, augment=None),
        model=tiny_codec_config(),
        crops=CropConfig(epoch=4, rows=4, crop_s=0.25, dev_rows=4, dev_s=0.4),
        codec_loss=CodecLossConfig(n_ffts=[64, 256], n_mels=[8, 20]),
        discriminators=DiscriminatorConfig(**JUDGES),
        optimizer=OptimizerConfig(lr=3e-3, warmup=1, betas=[0.8, 0.99]),
        trainer=TrainerConfig(**usual | steps | trainer),
        storage="float32",
    )
