"""Voices in the folder of a voice model, known without loading the model: which there are, and which would fit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from speech.errors import ConfigError, ModelError
from speech.models.adapters.file import fingerprint
from speech.models.aligned_ar import AlignedConfig
from speech.models.checkpoint import kind_of
from speech.models.kokoro_checkpoint import load_kokoro_config, load_kokoro_voices
from speech.models.kokoro_voice import VOICES, blend
from speech.models.speech_lm_checkpoint import describe_speech_lm
from speech.models.storage import ALIGNED_AR, KOKORO
from speech.tts.aligned_synthesizer import own_voices
from speech.tts.aligned_voice import SPEAKER, KnownVoice, blended, known_voice
from speech.tts.kokoro_synthesizer import kokoro_voice, language_of_name
from speech.tts.voice_file import VoiceFile, stored_voices


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVoices:
    """The voices of a model, and what fits it."""

    folder: Path
    """Of the model; voices lie in its folder `voices/`."""
    kind: str
    """Of the checkpoint."""
    languages: Mapping[str, str]
    """Name of each voice -> ISO 639-3 code."""
    added: Mapping[str, VoiceFile]
    """Those of `voices/` that have metadata."""
    files: Collection[str]
    """Names of all of `voices/`."""
    _fit: Callable[[VoiceFile], object]
    _blend: Callable[[Mapping[str, float]], Mapping[str, Tensor]]

    @property
    def digest(self) -> str:
        """SHA-256 of the model's weights."""
        return fingerprint(self.folder)

    def path(self, name: str) -> Path:
        """The file of a voice, if it is one of `files`."""
        return self.folder / VOICES / f"{name}.safetensors"

    def check(self, voice: VoiceFile, where: str) -> None:
        """Check that a voice fits the model.

        Raises:
            ModelError: if it does not; `where` names the voice.
        """
        voice.check(self.kind, self.digest, where)
        self._fit(voice)

    def blended(self, weights: Mapping[str, float]) -> Mapping[str, Tensor]:
        """The tensors of a blend.

        Args:
            weights: of voices, with the sum 1.

        Raises:
            ConfigError: if there is no such voice, or one that does not blend.
        """
        unknown = [name for name in weights if name not in self.languages]
        if unknown:
            known = ", ".join(sorted(self.languages)) or "none"
            raise ConfigError(f"no voice {unknown[0]!r}", fix=f"There are {known}.")
        return self._blend(weights)


def voices_of(path: Path, where: str) -> ModelVoices:
    """The voices of a model.

    Args:
        path: its folder.
        where: names it in the error.

    Raises:
        ModelError: if it has none, or is damaged.
    """
    kind = kind_of(path)
    if kind not in (KOKORO, ALIGNED_AR):
        fix = "Give an aligned speech language model, or an imported Kokoro."
        raise ModelError(f"a model of kind {kind!r} has no voices", where=where, fix=fix)
    return _of_kokoro(path) if kind == KOKORO else _of_aligned(path)


def _of_kokoro(path: Path) -> ModelVoices:
    config, voices = load_kokoro_config(path), load_kokoro_voices(path)
    added = {one.name: one for one in stored_voices(path / VOICES)}
    return ModelVoices(
        folder=path,
        kind=KOKORO,
        languages={name: added[name].language if name in added else language_of_name(name) for name in voices},
        added=added,
        files=voices.keys(),
        _fit=lambda voice: kokoro_voice(voice, config, None),
        _blend=lambda weights: blend(voices, weights).tensors,
    )


def _of_aligned(path: Path) -> ModelVoices:
    described = describe_speech_lm(path)
    config, vocabulary = described.config, described.vocabulary
    assert isinstance(config, AlignedConfig)
    added = {one.name: one for one in stored_voices(path / VOICES)}
    known: dict[str, KnownVoice] = own_voices(described.speakers, vocabulary)
    known |= {name: known_voice(one, config, vocabulary) for name, one in added.items()}
    return ModelVoices(
        folder=path,
        kind=ALIGNED_AR,
        languages={name: voice.language for name, voice in known.items()},
        added=added,
        files=added.keys(),
        _fit=lambda voice: known_voice(voice, config, vocabulary),
        _blend=lambda weights: {SPEAKER: blended({name: known[name].embedding for name in weights}, weights)},
    )
