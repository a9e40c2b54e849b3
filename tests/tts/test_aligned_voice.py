"""Voices of aligned models from their files, and files that do not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from speech.errors import ConfigError, ModelError
from speech.tts.aligned_voice import blended, known_voice
from speech.tts.voice_file import VoiceFile
from tests.tiny_voice import VOCABULARY, tiny_aligned_config

CONFIG = tiny_aligned_config(codebooks=2, speaker_dim=3, max_frames=96)
SPEAKER = torch.tensor([1.0, 0.0, -1.0])
PROMPT = {"codes": torch.ones(2, 7, dtype=torch.int32), "frames": torch.tensor([1, 4, 0, 2], dtype=torch.int32)}
VOICE = VoiceFile(
    name="eve", language="deu", kind="aligned_ar", model="0" * 64, tensors={"speaker": SPEAKER, **PROMPT},
    cloned=True, card="Eve agrees.", created="2026-11-30", phonemes="^ab$",
)  # fmt: skip


def test_embedding_and_speech_are_what_the_file_has():
    found = known_voice(VOICE, CONFIG, VOCABULARY)
    assert found.language == "deu"
    assert torch.equal(found.embedding, SPEAKER)
    assert found.prompt.symbols == VOCABULARY.symbol_tokens("^ab$")
    assert found.prompt.language == VOCABULARY.language_token("deu")
    assert found.prompt.frame_counts == [1, 4, 0, 2]
    assert found.prompt.codes.dtype == torch.int64
    alone = known_voice(replace(VOICE, tensors={"speaker": SPEAKER}), CONFIG, VOCABULARY)
    assert alone.prompt is None


def test_a_model_without_speakers_takes_speech_alone():
    config = tiny_aligned_config(codebooks=2, speaker_dim=0, max_frames=96)
    assert known_voice(replace(VOICE, tensors=PROMPT), config, VOCABULARY).embedding is None
    with pytest.raises(ModelError, match=r"shape \(3,\), the model takes none"):
        known_voice(VOICE, config, VOCABULARY)
    with pytest.raises(ModelError, match="shape none, the model takes 3"):
        known_voice(replace(VOICE, tensors=PROMPT), CONFIG, VOCABULARY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"speaker": torch.ones(2)}, r"speaker of shape \(2,\), the model takes 3"),
        ({"styles": torch.ones(2)}, "holds 'styles'"),
        ({"codes": torch.ones(3, 7, dtype=torch.int32)}, r"codes of shape \(3, 7\), expected \(2, frames\)"),
        ({"codes": torch.full((2, 7), 12)}, "has code 12, the model 12 a codebook"),
        ({"codes": -torch.ones(2, 7, dtype=torch.int32)}, "codes that are no whole numbers"),
        ({"codes": torch.ones(2, 7)}, "codes that are no whole numbers"),
        ({"codes": torch.ones(2, 8, dtype=torch.int32)}, "8 frames of codes, its phonemes last 7"),
        ({"frames": torch.tensor([3, 4])}, r"durations of shape \(2,\) for 4 phonemes"),
        ({"frames": torch.tensor([-1, 4, 2, 2])}, "frames that are no whole numbers"),
        ({"frames": torch.tensor([2**63 - 1, 2**63 - 1, 2, 7])}, "7 frames of codes"),
    ],
)
def test_tensors_that_do_not_fit_are_named(change: dict[str, Any], said: str):
    with pytest.raises(ModelError, match=f"voice eve: .*{said}"):
        known_voice(replace(VOICE, tensors={**VOICE.tensors, **change}), CONFIG, VOCABULARY)


def test_phonemes_language_and_length_have_to_be_the_models():
    with pytest.raises(ModelError, match="has phoneme 'x', which the model lacks"):
        known_voice(replace(VOICE, phonemes="^ax$"), CONFIG, VOCABULARY)
    with pytest.raises(ModelError, match="speaks fra, the model deu, eng"):
        known_voice(replace(VOICE, language="fra"), CONFIG, VOCABULARY)
    long = {"codes": torch.zeros(2, 65, dtype=torch.int32), "frames": torch.tensor([65, 0, 0, 0])}
    with pytest.raises(ModelError, match=r"is 0\.7 s long, the model imitates at most 0\.6 s"):
        known_voice(replace(VOICE, tensors={"speaker": SPEAKER, **long}), CONFIG, VOCABULARY)
    for name in PROMPT:
        half = {key: tensor for key, tensor in VOICE.tensors.items() if key != name}
        with pytest.raises(ModelError, match=f"has no {name}"):
            known_voice(replace(VOICE, tensors=half), CONFIG, VOCABULARY)


def test_a_blend_is_the_weighted_mean_of_embeddings():
    found = blended({"a": torch.tensor([4.0]), "b": torch.tensor([8.0]), "c": None}, {"a": 0.75, "b": 0.25})
    assert found.tolist() == [5.0]
    with pytest.raises(ConfigError, match="the voice 'c' does not blend"):
        blended({"a": torch.tensor([4.0]), "c": None}, {"a": 0.5, "c": 0.5})
