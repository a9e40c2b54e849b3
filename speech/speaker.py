"""`Speaker`: text to speech with word times, whole or piece by piece.

    speaker, options = Speaker(synthesizer, EspeakPronouncer()), SpeakingOptions(language="eng")
    speech = speaker.say("Good morning.", options)
    for packet in speaker.stream(tokens_of_a_language_model, options):
        play(packet.samples)

A text gives the same samples, to the last bit, however it is cut into pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speech.choices import EMBEDDED_VOICE
from speech.errors import ConfigError
from speech.models.adapters.file import fingerprint
from speech.models.hub import locate
from speech.models.storage import ALIGNED_AR
from speech.text.languages import resolve
from speech.tts.aligned_synthesizer import AlignedSynthesizer
from speech.tts.cloning import Cloner, Listener
from speech.tts.loading import cloner_for, load_voice_model
from speech.tts.pronunciation.pronunciation import Pronouncer
from speech.tts.speech_stream import SaidWord, SpeakingOptions, SpeechPacket, SpeechStream
from speech.tts.style_fitting import Told
from speech.tts.synthesizer import Synthesizer
from speech.tts.text_front_end.spoken_form import SpokenForm
from speech.tts.text_front_end.ssml import read_ssml
from speech.tts.voice_blend import blend_name, read_blend
from speech.tts.voice_file import VoiceFile
from speech.tts.watermark import WatermarkChoice, Watermarker
from speech.tts.watermark_message import encode_message

_BESIDE = WatermarkChoice()


@dataclass(frozen=True, slots=True)
class Speech:
    """A text that was said."""

    samples: np.ndarray
    """`(n,)` float32."""
    sample_rate: int
    words: tuple[SaidWord, ...]


class Speaker:
    """Says texts; keeps nothing of a text for the next.

    Args:
        synthesizer: says phonemes.
        pronouncer: knows the phonemes of words.
        watermarker: marks all that is said; None: nothing is marked, and cloned voices are refused.
        message: what the mark says, 0 .. 255.
        folder: that of the voice model; None: voices cannot be made for it.

    Raises:
        ConfigError: if the watermark has another sample rate than the voices, or the message is another.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        pronouncer: Pronouncer,
        watermarker: Watermarker | None = None,
        message: int = 0,
        folder: Path | None = None,
    ) -> None:
        if watermarker is not None and watermarker.sample_rate != synthesizer.sample_rate:
            rates = f"{watermarker.sample_rate} Hz, the voice {synthesizer.sample_rate} Hz"
            raise ConfigError(f"the watermark has {rates}", fix="Train a watermark at the rate of the voice.")
        encode_message(message)
        self._synthesizer, self._pronouncer = synthesizer, pronouncer
        self._watermarker, self._message, self._folder = watermarker, message, folder
        self.sample_rate = synthesizer.sample_rate
        self.together = synthesizer.together

    @classmethod
    def from_pretrained(
        cls,
        name: str = EMBEDDED_VOICE,
        *,
        device: str = "cpu",
        voices: Sequence[VoiceFile] = (),
        watermark: WatermarkChoice = _BESIDE,
    ) -> Speaker:
        """Load a voice model with its pronunciations, see `speech.tts.loading.load_voice_model`.

        Args:
            name: embedded-voice, a directory, or a hub id.
            device: cpu, cuda, cuda:1, mps or xpu.
            voices: more voices, made for this model.
            watermark: which watermark all that is said gets; by default that in the model's folder, or else that of
                the package, if it has the rate of the voices.

        Raises:
            ModelError: if there is no such model or watermark, or it is damaged, or does not speak, or a voice is for
                another one.
            ConfigError: if `espeak-ng` is needed and not installed, or the device is missing, or the watermark has
                another rate.
        """
        synthesizer, pronouncer = load_voice_model(name, device=device, voices=voices)
        folder = locate(name)
        marks = watermark.located(folder, synthesizer.sample_rate)
        watermarker = None if marks is None else Watermarker.from_pretrained(str(marks))
        return cls(synthesizer, pronouncer, watermarker, watermark.message, folder)

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of voices."""
        return tuple(self._synthesizer.voices)

    @property
    def marks(self) -> bool:
        """Whether all that is said gets a watermark."""
        return self._watermarker is not None

    def language_of(self, voice: str) -> str:
        """The language (ISO 639-3) that a voice was taught; of a blend, that of the voice with the largest weight.

        Raises:
            ConfigError: if there is no such voice.
        """
        weights = _weights(self._synthesizer, voice)
        return self._synthesizer.language_of(max(weights, key=weights.__getitem__))

    def is_cloned(self, voice: str) -> bool:
        """Whether a voice, or any of a blend, imitates somebody by a recording.

        Raises:
            ConfigError: if there is no such voice.
        """
        return not _weights(self._synthesizer, voice).keys().isdisjoint(self._synthesizer.cloned)

    @property
    def grows(self) -> bool:
        """Whether voices can be added while it speaks."""
        return isinstance(self._synthesizer, AlignedSynthesizer)

    def cloner(self, listener: Listener, told: Told = lambda done, steps: None) -> Cloner:
        """What makes voices for this model out of recordings: with an aligned model in a second, else in minutes.

        Args:
            listener: a recogniser that knows the languages of the recordings.
            told: is told of each step, where there are many.

        Raises:
            ConfigError: if the model imitates no recordings, or the package of the speaker encoder is missing.
        """
        digest = fingerprint(self._own_folder())
        return cloner_for(self._synthesizer, self._pronouncer, digest, listener, told)

    def add_voice(self, voice: VoiceFile) -> None:
        """Add a voice, in the place of one of the same name if there is one.

        Raises:
            ModelError: if it was made for another model.
            ConfigError: if voices of this model cannot be added while it speaks.
        """
        synthesizer = _open_to_voices(self._synthesizer)
        voice.check(ALIGNED_AR, fingerprint(self._own_folder()), f"voice {voice.name}")
        synthesizer.add_voice(voice)

    def remove_voice(self, name: str) -> None:
        """Remove a voice that was added; errors as of `AlignedSynthesizer.remove_voice`."""
        _open_to_voices(self._synthesizer).remove_voice(name)

    def say(self, text: str, options: SpeakingOptions, *, ssml: bool = False) -> Speech:
        """Say a whole text; errors as `stream` and `stream_ssml`."""
        packets = list(self.stream_ssml(text, options) if ssml else self.stream([text], options))
        samples = np.concatenate([np.zeros(0, np.float32), *(packet.samples for packet in packets)])
        return Speech(samples, self.sample_rate, tuple(word for packet in packets for word in packet.words))

    def open(self, options: SpeakingOptions) -> SpeechStream:
        """A text that is pushed piece by piece.

        Raises:
            ConfigError: if the voice is unknown, or is cloned and speech gets no watermark.
            LanguageError: if a language is unknown.
        """
        voice, marker = self.voice_of(options), self._watermarker
        if marker is None and self.is_cloned(voice):
            raise ConfigError(
                f"the voice {voice[:80]!r} is cloned: it is said only with a watermark",
                fix="Give a watermark model; `speech watermark` tells what that is.",
            )
        mark = None if marker is None else marker.open(self._message)
        return SpeechStream(self._synthesizer, self._pronouncer, voice, options, mark)

    def stream(self, pieces: Iterable[str], options: SpeakingOptions) -> Iterator[SpeechPacket]:
        """Say a text that comes in pieces: each sentence is said as soon as the first letter behind it is there, or the
        pieces end. To stop, close the iterator.

        Raises:
            ConfigError: as `open`.
            LanguageError: if a language is unknown, or for letters or digits that cannot be spoken, with their place.
        """
        text = self.open(options)

        def packets() -> Iterator[SpeechPacket]:
            for piece in pieces:
                yield from text.feed(piece)
            yield from text.flush()

        return packets()

    def stream_ssml(self, document: str, options: SpeakingOptions) -> Iterator[SpeechPacket]:
        """Say an SSML document.

        Raises:
            TextError: for markup that is not XML or not supported, with its place.
            ConfigError, LanguageError: as `stream`.
        """
        text, parts = self.open(options), read_ssml(document, options.language, options.others)

        def packets() -> Iterator[SpeechPacket]:
            yield from text.say(parts)
            yield from text.end()

        return packets()

    def voice_of(self, options: SpeakingOptions) -> str:
        """The voice that says a text: the one that is asked for, else the default one of the language.

        Raises:
            ConfigError: if there is no such voice.
            LanguageError: if the language is unknown.
        """
        if options.voice:
            return blend_name(_weights(self._synthesizer, options.voice))
        return self._synthesizer.voice_for(resolve(options.language).code)

    def check_pronunciation(self, language: str) -> None:
        """Check that words of a language can be pronounced.

        Raises:
            LanguageError: if the language is unknown, or no pronunciation is known in it.
            ConfigError: if that takes `espeak-ng`, and it is not installed.
        """
        self._pronouncer(SpokenForm("", ()), resolve(language).code)

    def _own_folder(self) -> Path:
        if self._folder is None:
            raise ConfigError("the folder of this voice model is not known", fix="Take Speaker.from_pretrained.")
        return self._folder


def _open_to_voices(synthesizer: Synthesizer) -> AlignedSynthesizer:
    if not isinstance(synthesizer, AlignedSynthesizer):
        text = "voices of this model cannot be added while it speaks"
        raise ConfigError(text, fix="Take an aligned speech language model, or give voices at the start.")
    return synthesizer


def _weights(synthesizer: Synthesizer, voice: str) -> Mapping[str, float]:
    """The voices of a name, which are all there, and their weights."""
    weights, voices = read_blend(voice), synthesizer.voices
    unknown = [name for name in weights if name not in voices]
    if unknown:
        raise ConfigError(f"there is no voice {unknown[0][:80]!r}", fix=f"There are {', '.join(voices)}.")
    if len(weights) > 1 and not synthesizer.blends:
        raise ConfigError(f"this model does not blend voices: {voice[:80]!r}", fix="Name one voice.")
    return weights
