"""Voices of a model's folder: both kinds tell the same, and what has none is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from speech.errors import ConfigError, ModelError
from speech.models.adapters.file import fingerprint
from speech.tts.model_voices import voices_of
from speech.tts.voice_file import VoiceFile, save_voice
from tests.tiny_voice import SPEAKERS, save_tiny_voice
from tests.tts.kokoro_voices import VOICES, save_kokoro


def test_an_aligned_model_has_its_speakers_and_what_was_added(tmp_path):
    path = save_tiny_voice(tmp_path / "v")
    eve = VoiceFile(
        name="eve", language="deu", kind="aligned_ar", model=fingerprint(path), cloned=True, card="Eve agrees.",
        tensors={"speaker": torch.tensor([2.0, 0.0, 0.0])}, created="2026-11-30",
    )  # fmt: skip
    save_voice(voices_of(path, "v").path("eve"), eve)
    found = voices_of(path, "v")
    assert found.languages == {"ann": "eng", "ben": "deu", "eve": "deu"}
    assert (found.kind, found.digest, set(found.files), set(found.added)) == (
        "aligned_ar", fingerprint(path), {"eve"}, {"eve"},
    )  # fmt: skip
    blend = found.blended({"ann": 0.5, "eve": 0.5})
    torch.testing.assert_close(blend["speaker"], (SPEAKERS["ann"].embedding + eve.tensors["speaker"]) / 2)
    with pytest.raises(ConfigError, match=r"no voice 'none'\. There are ann, ben, eve"):
        found.blended({"none": 1.0})
    found.check(eve, "here")
    with pytest.raises(ModelError, match="takes 3"):
        found.check(replace(eve, tensors={"speaker": torch.ones(4)}), "here")
    with pytest.raises(ModelError, match="here: is a voice for another model"):
        found.check(replace(eve, model="0" * 64), "here")
    with pytest.raises(ModelError, match="here: is a voice for a model of kind 'kokoro'"):
        found.check(replace(eve, kind="kokoro"), "here")


def test_a_kokoro_has_its_files(tmp_path):
    found = voices_of(save_kokoro(tmp_path / "k"), "k")
    assert found.languages == dict(zip(VOICES, ["eng", "spa", "fra"], strict=True))
    assert set(found.files) == set(VOICES)
    assert not found.added
    assert set(found.blended({"af_one": 1.0})) == {"styles"}


def test_other_models_have_none(checkpoint):
    with pytest.raises(ModelError, match="small: a model of kind 'owsm_ctc' has no voices"):
        voices_of(checkpoint, "small")
