"""`Speaker`: text to speech with word times, whole or piece by piece.

    speaker, options = Speaker(synthesizer, EspeakPronouncer()), SpeakingOptions(language="eng")
    speech = speaker.say("Good morning.", options)
    for packet in speaker.stream(tokens_of_a_language_model, options):
        play(packet.samples)

A text gives the same samples, to the last bit, however it is cut into pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from speech.errors import ConfigError
from speech.text.languages import resolve
from speech.tts.loading import load_voice_model
from speech.tts.pronunciation.pronunciation import Pronouncer
from speech.tts.speech_stream import SaidWord, SpeakingOptions, SpeechPacket, SpeechStream
from speech.tts.synthesizer import Synthesizer
from speech.tts.text_front_end.ssml import read_ssml


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
    """

    def __init__(self, synthesizer: Synthesizer, pronouncer: Pronouncer) -> None:
        self._synthesizer, self._pronouncer = synthesizer, pronouncer
        self.sample_rate = synthesizer.sample_rate
        self.voices = tuple(synthesizer.voices)

    @classmethod
    def from_pretrained(cls, name: str, *, device: str = "cpu") -> Speaker:
        """Load a voice model, see `speech.tts.loading.load_voice_model`."""
        return cls(*load_voice_model(name, device=device))

    def language_of(self, voice: str) -> str:
        """The language (ISO 639-3) that a voice was taught.

        Raises:
            ConfigError: if there is no such voice.
        """
        return self._synthesizer.language_of(self._known(voice))

    def say(self, text: str, options: SpeakingOptions, *, ssml: bool = False) -> Speech:
        """Say a whole text; errors as `stream` and `stream_ssml`."""
        packets = list(self.stream_ssml(text, options) if ssml else self.stream([text], options))
        samples = np.concatenate([np.zeros(0, np.float32), *(packet.samples for packet in packets)])
        return Speech(samples, self.sample_rate, tuple(word for packet in packets for word in packet.words))

    def open(self, options: SpeakingOptions) -> SpeechStream:
        """A text that is pushed piece by piece.

        Raises:
            ConfigError: if the voice is unknown.
            LanguageError: if a language is unknown.
        """
        return SpeechStream(self._synthesizer, self._pronouncer, self._voice(options), options)

    def stream(self, pieces: Iterable[str], options: SpeakingOptions) -> Iterator[SpeechPacket]:
        """Say a text that comes in pieces: each sentence is said as soon as the first letter behind it is there, or the
        pieces end. To stop, close the iterator.

        Raises:
            ConfigError: if the voice is unknown.
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

    def _voice(self, options: SpeakingOptions) -> str:
        if options.voice:
            return self._known(options.voice)
        return self._synthesizer.voice_for(resolve(options.language).code)

    def _known(self, voice: str) -> str:
        if voice not in self.voices:
            raise ConfigError(f"there is no voice {voice!r}", fix=f"There are {', '.join(self.voices)}.")
        return voice
