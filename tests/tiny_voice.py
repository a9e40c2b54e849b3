"""A whole voice model of random weights: aligned model, codec, pronunciations, two speakers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from speech.models.codec_checkpoint import CodecCheckpoint, save_codec_checkpoint
from speech.models.speech_lm_checkpoint import KnownSpeaker, SpeechLmCheckpoint, save_speech_lm_checkpoint
from speech.text.speech_vocabulary import SpeechVocabulary, TextUnit
from tests.pronounced import save_tiny_letter_phonemes
from tests.tiny_aligned_ar import tiny_aligned_ar, tiny_aligned_config
from tests.tiny_codec import tiny_codec

LANGUAGES = ("deu", "eng")
VOCABULARY = SpeechVocabulary.of(TextUnit.symbols, LANGUAGES, ["^$abdeksˈː ,.!?"], 0)
SPEAKERS = {
    "ann": KnownSpeaker("eng", torch.tensor([1.0, 0.0, -1.0])),
    "ben": KnownSpeaker("deu", torch.tensor([0.0, 2.0, 1.0])),
}


def tiny_voice(**shape: Any) -> SpeechLmCheckpoint:
    """An aligned model for the codes of `tiny_codec`, with `SPEAKERS` if it takes embeddings of their size."""
    config = tiny_aligned_config(**{"codebooks": 2, "speaker_dim": 3, "max_frames": 96} | shape)
    speakers = SPEAKERS if config.speaker_dim == 3 else {}
    return SpeechLmCheckpoint(tiny_aligned_ar(config, VOCABULARY), VOCABULARY, {"name": "tiny"}, speakers)


def save_tiny_voice(folder: Path, *, pronunciation: bool = True, **shape: Any) -> Path:
    """Its checkpoint with codec, and with a pronunciation model."""
    beside = folder.parent / f"{folder.name}_parts"
    save_codec_checkpoint(beside / "codec", CodecCheckpoint(tiny_codec(), {}), card="# codec\n")
    knows = save_tiny_letter_phonemes(beside / "pronunciation") if pronunciation else None
    save_speech_lm_checkpoint(folder, tiny_voice(**shape), card="# tiny\n", codec=beside / "codec", pronunciation=knows)
    return folder
