"""A style of Kokoro that sounds like a speaker: fitted by gradients, while the model stays as it is.

Durations and pitch come first, from the prosody half of a style; they need no samples. Then crops of speech are made
with the decoder half, and what a speaker encoder hears in them is brought nearer to what it heard in the recording.
Steps are measured in the standard deviation of a style's numbers among voices, and are held back by their distance from
the voice that they began with: far from all voices speech sounds bad, whatever the speaker encoder hears.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import resample

from speech.audio import SAMPLE_RATE
from speech.audio.pitch import fundamental_frequency
from speech.metrics.speech_quality.voice import LOUDNESS_DB, PARTIAL_FRAMES, VoiceEncoder, louder
from speech.models.kokoro import EDGE, Kokoro
from speech.nn.cpu.instructions import bfloat16_runs
from speech.nn.kokoro.harmonic_source import HARMONICS
from speech.nn.kokoro.prosody import spread

PROSODY_STEPS, TIMBRE_STEPS = 60, 80
_PROSODY_RATE, _TIMBRE_RATE, _LAST_RATE = 0.05, 0.08, 0.01
_CROP_S = 2.1
"""Speech of a step: a partial utterance of the speaker encoder, and half a second of choice."""
_VOICED_HZ = 40.0
"""Pitch above which the model speaks with voice."""
_SOFT = 0.05
"""Share of the mean power below which a frame does not count as speech."""
_SCALE = 0.1
"""Error of a logarithm of pitch or duration that counts as 1."""
_SPREAD_WEIGHT, _DURATION_WEIGHT, _PROSODY_PRIOR = 0.3, 0.2, 0.25
_SPECTRUM_WEIGHT, _TIMBRE_PRIOR = 0.02, 0.04
"""The prior keeps speech natural: with a twentieth of it, and half as many steps again, one speaker's similarity is .88
in the place of .84, and DistillMOS 3.1 in the place of 3.9."""
type Told = Callable[[int, int], None]
"""Takes the steps that are done, and all."""


@dataclass(frozen=True, slots=True)
class SpeakerTarget:
    """What is known of a speaker by some seconds of speech."""

    vector: Tensor
    """`(256,)`, of the speaker encoder."""
    log_pitch: float
    """Mean of the logarithm of Hz; NaN if nothing is voiced."""
    log_pitch_spread: float
    """Standard deviation of the same."""
    seconds: float
    """Of speech, without pauses."""
    spectrum: Tensor
    """Logarithm of the mean mel power of frames with speech `(bins,)`, with mean 0."""


def target_of(speech: np.ndarray, vector: Tensor, encoder: VoiceEncoder) -> SpeakerTarget:
    """What is known of the speaker of `speech (n,)` at 16 kHz, without pauses."""
    pitch = fundamental_frequency(speech, SAMPLE_RATE)
    logs = np.log(pitch[pitch > 0]) if (pitch > 0).any() else np.array([math.nan])
    spectrum = _spectrum(encoder.mels(torch.from_numpy(louder(speech).astype(np.float32))))
    return SpeakerTarget(vector, float(logs.mean()), float(logs.std()), len(speech) / SAMPLE_RATE, spectrum)


class StyleFitter:
    """Fits styles for one text.

    Args:
        model: whose parameters are not changed.
        ids: symbols of the text, without those at the edges.
        scale: standard deviation of each number of a style among voices `(2 * style_dim,)`.
        target: the speaker.
        encoder: hears it.
    """

    def __init__(
        self, model: Kokoro, ids: list[int], scale: Tensor, target: SpeakerTarget, encoder: VoiceEncoder
    ) -> None:
        self._model, self._target, self._encoder = model, target, encoder
        self._spoken_scale, self._prosody_scale = scale.split(model.config.style_dim)
        self._symbols = torch.tensor([[EDGE, *ids, EDGE]])
        self._lengths = torch.tensor([self._symbols.shape[1]])

    def fit(self, style: Tensor, told: Told) -> Tensor:
        """What is added to a voice's styles.

        Args:
            style: of the voice to begin with, for this text `(2 * style_dim,)`.
            told: is told of each step.

        Returns:
            `(2 * style_dim,)`.
        """
        steps = PROSODY_STEPS + TIMBRE_STEPS
        for parameter in (*self._model.parameters(), *self._encoder.parameters()):
            parameter.requires_grad_(False)
        spoken, prosody = style.split(self._model.config.style_dim)
        moved = self._prosody(prosody, lambda step: told(step, steps))
        timbre = self._timbre(spoken, prosody + moved, lambda step: told(PROSODY_STEPS + step, steps))
        return torch.cat([timbre, moved])

    def _prosody(self, style: Tensor, told: Callable[[int], None]) -> Tensor:
        """What is added to a prosody style `(style_dim,)` for the speaker's pitch and rate."""
        model, target, lengths = self._model, self._target, self._lengths
        with torch.no_grad():
            encoded = model.projection(model.albert(self._symbols, lengths))
        moved = torch.zeros_like(style, requires_grad=True)
        optimizer = torch.optim.Adam([moved], lr=_PROSODY_RATE)
        wanted = math.log(target.seconds / model.frame_s)
        for step in range(PROSODY_STEPS):
            own = (style + self._prosody_scale * moved)[None]
            hidden = model.prosody.encoder(encoded, own, lengths)
            durations = torch.sigmoid(model.prosody.duration(model.prosody.lstm(hidden, lengths))).sum(dim=2)
            frames = durations.detach().round().clamp(min=1).long()
            pitch, _ = model.prosody.curves(spread(hidden, frames), own, frames.sum(dim=1))
            loss = _DURATION_WEIGHT * _error(durations[0, 1:-1].sum().clamp(min=1e-3).log(), wanted)
            logs = pitch[pitch > _VOICED_HZ].log()
            if len(logs) > 1 and not math.isnan(target.log_pitch):
                loss = loss + _error(logs.mean(), target.log_pitch)
                loss = loss + _SPREAD_WEIGHT * _error(logs.std(), target.log_pitch_spread)
            optimizer.zero_grad()
            (loss + _PROSODY_PRIOR * moved.square().mean()).backward()
            optimizer.step()
            told(step + 1)
        return self._prosody_scale * moved.detach()

    def _timbre(self, style: Tensor, prosody: Tensor, told: Callable[[int], None]) -> Tensor:
        """What is added to a decoder style `(style_dim,)` for the speaker's voice."""
        text, pitch, energy = self._curves(prosody[None])
        model, random = self._model, torch.Generator().manual_seed(0)
        size = min(max(round(_CROP_S / model.frame_s), 2), text.shape[1])
        moved = torch.zeros_like(style, requires_grad=True)
        optimizer = torch.optim.Adam([moved], lr=_TIMBRE_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, TIMBRE_STEPS, _LAST_RATE)
        for step in range(TIMBRE_STEPS):
            start = int(torch.randint(text.shape[1] - size + 1, (), generator=random))
            here, halves = slice(start, start + size), slice(2 * start, 2 * (start + size))
            own = (style + self._spoken_scale * moved)[None]
            noise = torch.randn(1, size * model.frame_samples, HARMONICS, generator=random)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_runs()):
                lengths = torch.tensor([size])
                samples = model.decoder(text[:, here], pitch[:, halves], energy[:, halves], own, lengths, noise)
            loss = self._distance(samples[0].float(), random) + _TIMBRE_PRIOR * moved.square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            told(step + 1)
        return self._spoken_scale * moved.detach()

    @torch.no_grad()
    def _curves(self, prosody: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frames of the text, pitch and energy, each of a batch of one, in a prosody style `(1, style_dim)`."""
        model, lengths = self._model, self._lengths
        styles = torch.cat([torch.zeros_like(prosody), prosody], dim=1)
        durations = model.predict(self._symbols, lengths, styles, torch.ones(1))
        frames = durations.frames
        curves = model.prosody.curves(spread(durations.encoded, frames), prosody, frames.sum(dim=1))
        return spread(model.text_encoder(self._symbols, lengths), frames), *curves

    def _distance(self, samples: Tensor, random: torch.Generator) -> Tensor:
        """How far `samples (n,)` of the model's rate are from the speaker."""
        heard = resample(samples, self._model.sample_rate, SAMPLE_RATE)
        level = heard.detach().square().mean().sqrt().clamp(min=1e-6)
        mels = self._encoder.mels(heard * (10 ** (LOUDNESS_DB / 20) / level).clamp(min=1.0))
        start = int(torch.randint(max(len(mels) - PARTIAL_FRAMES, 0) + 1, (), generator=random))
        part = mels[start : start + PARTIAL_FRAMES]
        vector = self._encoder(torch.nn.functional.pad(part, (0, 0, 0, PARTIAL_FRAMES - len(part)))[None])[0]
        spectrum = (_spectrum(mels) - self._target.spectrum).abs().mean()
        return 1 - vector @ self._target.vector + _SPECTRUM_WEIGHT * spectrum


def _spectrum(mels: Tensor) -> Tensor:
    """Logarithm of the mean of those frames of `mels (frames, bins)` that are not soft, less its own mean."""
    powers = mels.detach().sum(dim=1)
    logs = (mels[powers >= _SOFT * powers.mean()].mean(dim=0) + 1e-9).log()
    return logs - logs.mean()


def _error(found: Tensor, wanted: float) -> Tensor:
    """Squared error of a logarithm."""
    return ((found - wanted) / _SCALE).square()
