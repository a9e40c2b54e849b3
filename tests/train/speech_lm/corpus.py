"""A made-up corpus of codes for a tiny codec, and a tiny run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from speech.data.manifest import Utterance
from speech.models.codec_checkpoint import CodecCheckpoint, save_codec_checkpoint
from speech.models.dual_ar import DualArConfig
from speech.train.asr.config import DataConfig
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from speech.train.speech_lm.aligned_batches import AlignedUtterance, read_aligned
from speech.train.speech_lm.batches import Packer, Spoken, read_spoken
from speech.train.speech_lm.config import PackingConfig, SpeechLmTrainConfig
from tests.tiny_aligned_ar import VOCABULARY as SYMBOLS
from tests.tiny_codec import tiny_codec
from tests.tiny_dual_ar import tiny_dual_ar_config, tiny_vocabulary

PACKING = PackingConfig(places=96, rows=2, prompted=0.5, dev_utterances=4)


def utterance(number: int, text: str = "tone", speaker: str = "", **more: Any) -> Utterance:
    usual: dict[str, Any] = {"audio": Path(f"/nowhere/{number}.wav"), "duration_s": 0.5, "language": "eng"}
    return Utterance(**usual | {"id": f"t{number}", "text": text, "speaker": speaker} | more)


def some_spoken(count: int, model: DualArConfig | None = None) -> list[Spoken]:
    """Utterances of 3 to 12 frames, whose texts are as long, in the vocabulary of `model`."""
    generator = torch.Generator().manual_seed(0)
    codes, utterances = {}, []
    for number in range(count):
        frames = 3 + number % 10
        codes[f"t{number}"] = torch.randint(0, 12, (2, frames), generator=generator).to(torch.int16)
        utterances.append(utterance(number, "x" * frames, f"speaker{number % 2}"))
    vocabulary = tiny_vocabulary(model or tiny_dual_ar_config())
    return read_spoken("train", utterances, codes, vocabulary, PACKING, None)


def some_packer(count: int, model: DualArConfig | None = None) -> Packer:
    return Packer(some_spoken(count, model), tiny_codec(), None)


def some_aligned(count: int) -> list[AlignedUtterance]:
    """Utterances of 4 to 12 frames and half as many symbols, the second of which is never heard."""
    generator = torch.Generator().manual_seed(0)
    codes, durations, utterances = {}, {}, []
    for number in range(count):
        frames = 4 + number % 9
        codes[f"t{number}"] = torch.randint(0, 12, (2, frames), generator=generator).to(torch.int16)
        text = "abcdefgh"[: 2 + frames // 2]
        durations[f"t{number}"] = torch.tensor([1, 0, *[1] * (len(text) - 3), frames - len(text) + 2])
        utterances.append(utterance(number, text, f"speaker{number % 2}"))
    return read_aligned("train", utterances, codes, durations, SYMBOLS, PACKING, None, 0.01)


def kept_codec(folder: Path) -> Path:
    save_codec_checkpoint(folder, CodecCheckpoint(tiny_codec(), {}), card="# codec\n")
    return folder


def tiny(root: Path, codec: Path, output: Path, **trainer: Any) -> SpeechLmTrainConfig:
    """Six steps on the manifests in `root`."""
    steps = {"max_steps": 6, "validate_every": 3, "checkpoint_every": 1, "average_every": 2, "average": 2}
    usual = {"log_every": 1, "progress": False, "accelerator": "cpu", "precision": "float32"}
    return SpeechLmTrainConfig(
        name="tiny",
        output=str(output),
        data=DataConfig(root=str(root), workers=0, augment=None),
        model=tiny_dual_ar_config(positions=192),
        codec=str(codec),
        packing=PackingConfig(places=160, rows=2, prompted=0.5, dev_utterances=4),
        fast_share=0.5,
        optimizer=OptimizerConfig(lr=1e-2, warmup=1, betas=[0.9, 0.95]),
        trainer=TrainerConfig(**usual | steps | trainer),
        storage="float32",
    )
