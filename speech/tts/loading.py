"""Loads voice models of all kinds: what says phonemes, and what knows the phonemes of words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from speech.errors import ConfigError, ModelError
from speech.models.adapters.file import fingerprint
from speech.models.aligned_ar import AlignedAr
from speech.models.checkpoint import kind_of
from speech.models.devices import check_device
from speech.models.hub import embedded_pronunciation, locate
from speech.models.kokoro_checkpoint import load_kokoro_checkpoint
from speech.models.kokoro_voice import VOICES
from speech.models.precision import Precision, with_precision
from speech.models.speech_lm_checkpoint import PRONUNCIATION_FOLDER, load_own_codec, load_speech_lm_checkpoint
from speech.models.storage import ALIGNED_AR, KOKORO
from speech.text.speech_vocabulary import TextUnit
from speech.tts.aligned_cloning import AlignedCloner
from speech.tts.aligned_synthesizer import AlignedSynthesizer
from speech.tts.cloning import Cloner, Listener
from speech.tts.kokoro_cloning import KokoroCloner
from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from speech.tts.pronunciation.either import EitherPronouncer
from speech.tts.pronunciation.espeak import EspeakPronouncer
from speech.tts.pronunciation.letters import LetterPronouncer
from speech.tts.pronunciation.pronunciation import Pronouncer
from speech.tts.style_fitting import Told
from speech.tts.synthesizer import Synthesizer
from speech.tts.voice_file import VoiceFile, stored_voices

_SHARED = 0.9
"""Share of a pronunciation model's phonemes that voices have, if it is meant for them; rare ones may be missing."""


def load_voice_model(
    name: str,
    *,
    device: str = "cpu",
    precision: Precision = Precision.auto,
    voices: Sequence[VoiceFile] = (),
) -> tuple[Synthesizer, Pronouncer]:
    """Load a voice model.

    Args:
        name: directory or hub id of an aligned speech language model with its codec, or of a Kokoro that
            `speech import` has converted.
        device: cpu, cuda, cuda:1, mps or xpu.
        precision: of an aligned model; a Kokoro computes in float32, but the windows of voices that stream in bfloat16
            where the processor has instructions for it.
        voices: more voices than those of the folder `voices/` of the model, made for it.

    Returns:
        What says phonemes, and what knows those of words: the model in `pronunciation/`, or else the embedded one if
        the voices have its alphabet; in languages that it does not know, the program `espeak-ng`.

    Raises:
        ModelError: if there is no such model, or it is damaged, or does not speak, or a voice is for another one.
        ConfigError: if the program `espeak-ng` is needed and not installed, or the device is missing.
    """
    path = locate(name)
    kind, place = kind_of(path), check_device(device)
    if kind not in (KOKORO, ALIGNED_AR):
        fix = "Give embedded-voice, an aligned speech language model, or an imported Kokoro."
        raise ModelError(f"a model of kind {kind!r} has no voice", where=name, fix=fix)
    digest = fingerprint(path) if voices else ""
    for voice in voices:
        voice.check(kind, digest, f"voice {voice.name}")
    synthesizer: Synthesizer
    if kind == KOKORO:
        synthesizer = _kokoro(path, name, place, voices)
    else:
        synthesizer = _aligned(path, name, place, precision, voices)
    return synthesizer, pronouncer_for(synthesizer, path)


def _kokoro(path: Path, name: str, device: torch.device, voices: Sequence[VoiceFile]) -> KokoroSynthesizer:
    checkpoint = load_kokoro_checkpoint(path, device=device)
    if not checkpoint.voices and not voices:
        raise ModelError("has no voices", where=name, fix="Import it again with a folder of voices.")
    return KokoroSynthesizer(checkpoint, [*stored_voices(path / VOICES), *voices])


def _aligned(
    path: Path, name: str, device: torch.device, precision: Precision, voices: Sequence[VoiceFile]
) -> AlignedSynthesizer:
    checkpoint = load_speech_lm_checkpoint(path, device=device, as_stored=True)
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    assert isinstance(model, AlignedAr)
    if vocabulary.unit != TextUnit.symbols:
        raise ModelError(
            f"it reads {vocabulary.unit}, not phonemes", where=name, fix="Train it with text.unit=symbols."
        )
    codec = load_own_codec(path, device=device).model
    kept = [*stored_voices(path / VOICES), *voices]
    return AlignedSynthesizer(with_precision(model, precision), vocabulary, codec, checkpoint.speakers, kept)


def pronouncer_for(synthesizer: Synthesizer, path: Path) -> Pronouncer:
    """What knows phonemes of words for the voices of a model, which lies in `path`; see `load_voice_model`.

    Raises:
        ModelError: if the model in its folder `pronunciation/` is damaged.
        ConfigError: if the program `espeak-ng` is needed and not installed.
    """
    folder = path / PRONUNCIATION_FOLDER
    if folder.is_dir():
        return LetterPronouncer.load(folder)
    letters = LetterPronouncer.load(embedded_pronunciation())
    fits = len(letters.phonemes & synthesizer.alphabet) >= _SHARED * len(letters.phonemes)
    return EitherPronouncer(letters) if fits else EspeakPronouncer()


def cloner_for(synthesizer: Synthesizer, pronouncer: Pronouncer, model: str, listener: Listener, told: Told) -> Cloner:
    """What makes voices of recordings for a voice model.

    Args:
        synthesizer: the model.
        pronouncer: knows the phonemes of words.
        model: SHA-256 of its weights.
        listener: finds out what is said in recordings.
        told: is told of each step, where there are many.

    Raises:
        ConfigError: if the model imitates no recordings, or the package of the speaker encoder is missing.
    """
    if isinstance(synthesizer, AlignedSynthesizer):
        return AlignedCloner(synthesizer, pronouncer, model, listener)
    if isinstance(synthesizer, KokoroSynthesizer):
        return KokoroCloner(synthesizer, pronouncer, model, listener, told)
    raise ConfigError("this voice model imitates no recordings", fix="Take embedded-voice.")
