"""Voice vectors: of length 1, of speech alone, and with the extra `speech-scores` nearer for the same speaker."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from speech.audio.input.files import load_audio
from speech.audio.vad import Vad
from speech.data.manifest import read_manifest
from speech.errors import ConfigError, ModelError
from speech.metrics.speech_quality.voice import VoiceEncoder, similarity
from tests.conftest import CLIPS
from tests.stand_in_packages import install_resemblyzer


@pytest.fixture
def package(monkeypatch, tmp_path):
    return install_resemblyzer(monkeypatch, tmp_path)


def test_vectors_have_length_one_and_silence_has_none(package, speech):
    encoder = VoiceEncoder(Vad())
    one = encoder.vector(speech)
    assert one.shape == (256,)
    assert encoder.name == "similarity:resemblyzer-7"
    assert similarity(one, one) == pytest.approx(1.0, abs=1e-5)
    assert encoder.vector(np.zeros(16_000, np.float32)) is None
    padded = np.concatenate([np.zeros(32_000, np.float32), speech, np.zeros(32_000, np.float32)])
    assert similarity(encoder.vector(padded), one) > 0.99


def test_short_speech_is_padded_and_a_short_rest_is_left_out(package):
    encoder = VoiceEncoder(Vad())
    noise = np.random.default_rng(0).standard_normal(64_000).astype(np.float32)
    assert encoder.partials(noise[:1000]).shape == (1, 160, 40)
    assert [len(encoder.partials(noise[: count * 160])) for count in (160, 197, 237)] == [1, 2, 2]


def test_other_files_and_none_are_named(package, monkeypatch):
    torch.save({"model_state": {}}, package / "pretrained.pt")
    with pytest.raises(ModelError, match=r"pretrained\.pt: cannot be read"):
        VoiceEncoder(Vad())
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    with pytest.raises(ConfigError, match=r"needs the package resemblyzer.*\[speech-scores\]"):
        VoiceEncoder(Vad())


def test_a_speaker_resembles_herself_more_than_others():
    if find_spec("resemblyzer") is None:
        pytest.skip("needs the extra `speech-scores`")
    clips = {clip.id: load_audio(clip.audio) for clip in read_manifest(CLIPS, check_files=True)}
    encoder = VoiceEncoder(Vad())
    one, other = clips["LJ003-0041"], clips["kerstin_de_rhasspy-2423"]
    halves = [encoder.vector(half) for half in np.array_split(one, 2)]
    assert similarity(*halves) > 0.8 > similarity(halves[0], encoder.vector(other))
