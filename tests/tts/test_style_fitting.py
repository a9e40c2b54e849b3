"""Styles that are fitted: nearer to what they are fitted to, the same each time, and the model stays as it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from speech.audio.vad import Vad
from speech.metrics.speech_quality.voice import VoiceEncoder
from speech.models.kokoro import KokoroRequest
from speech.nn.kokoro.prosody import spread
from speech.tts.style_fitting import SpeakerTarget, StyleFitter, target_of
from tests.stand_in_packages import install_resemblyzer
from tests.tiny_kokoro import tiny_kokoro, tiny_style

IDS = [3, 5, 7, 9, 11, 4, 6, 8, 10, 12, 2, 14]
SCALE = torch.full((8,), 3.0)


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    install_resemblyzer(monkeypatch, tmp_path)
    return VoiceEncoder(Vad())


def mean_log_pitch(model, prosody):
    """Of the text in a prosody style, and its duration in seconds."""
    symbols = torch.tensor([[0, *IDS, 0]])
    lengths = torch.tensor([symbols.shape[1]])
    with torch.no_grad():
        styles = torch.cat([torch.zeros(4), prosody])[None]
        durations = model.predict(symbols, lengths, styles, torch.ones(1))
        spoken = spread(durations.encoded, durations.frames)
        pitch, _ = model.prosody.curves(spoken, prosody[None], durations.frames.sum(dim=1))
    return float(pitch.log().mean()), float(durations.frames[0, 1:-1].sum()) * model.frame_s


def test_pitch_and_samples_come_nearer(encoder, monkeypatch):
    monkeypatch.setattr("speech.tts.style_fitting.PROSODY_STEPS", 30)
    monkeypatch.setattr("speech.tts.style_fitting.TIMBRE_STEPS", 10)
    model, style = tiny_kokoro(), tiny_style()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pitch, seconds = mean_log_pitch(model, style[4:])
    other = tiny_style(3)  # a voice that can be reached
    said = model.speak([KokoroRequest(ids=IDS, style=torch.cat([other[:4], style[4:]]), seed=None)])[0].samples
    own = encoder.mels(said)
    vector = encoder(torch.nn.functional.pad(own, (0, 0, 0, 160 - len(own)))[None])[0].detach()
    spectrum = own.mean(dim=0).log()
    target = SpeakerTarget(vector, pitch + 0.1, 0.05, seconds, spectrum - spectrum.mean())
    fitter = StyleFitter(model, IDS, SCALE, target, encoder)
    told: list[tuple[int, int]] = []
    moved = fitter.fit(style, lambda done, steps: told.append((done, steps)))
    steps = 40
    assert told == [(n + 1, steps) for n in range(steps)]
    assert abs(mean_log_pitch(model, (style + moved)[4:])[0] - target.log_pitch) < 0.095  # of .1
    assert moved[:4].abs().max() > 0.05
    assert torch.equal(moved, StyleFitter(model, IDS, SCALE, target, encoder).fit(style, lambda done, steps: None))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_target_holds_the_pitch_of_what_is_voiced(encoder):
    times = np.arange(16000) / 16000
    tone = sum(np.sin(2 * np.pi * 150 * n * times) / n for n in range(1, 6)).astype(np.float32) * 0.1
    target = target_of(np.concatenate([tone, np.zeros(8000, np.float32)]), torch.zeros(256), encoder)
    assert math.exp(target.log_pitch) == pytest.approx(150, rel=0.01)
    assert target.log_pitch_spread < 0.01
    assert target.seconds == 1.5
    assert target.spectrum.mean() == pytest.approx(0, abs=1e-5)
    assert int(target.spectrum.argmax()) == 1  # 150 Hz
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    assert math.isnan(target_of(noise[:4000], torch.zeros(256), encoder).log_pitch)


def test_without_a_pitch_only_durations_are_fitted(encoder, monkeypatch):
    monkeypatch.setattr("speech.tts.style_fitting.TIMBRE_STEPS", 1)
    model, style = tiny_kokoro(), tiny_style()
    _, seconds = mean_log_pitch(model, style[4:])
    target = SpeakerTarget(torch.ones(256) / 16, math.nan, math.nan, seconds * 1.2, torch.zeros(40))
    moved = StyleFitter(model, IDS, SCALE, target, encoder).fit(style, lambda done, steps: None)
    assert torch.isfinite(moved).all()
    assert moved[4:].abs().max() > 0.1
