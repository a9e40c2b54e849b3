"""`Speaker`: text to speech with word times, whole or piece by piece.

    speaker, options = Speaker(synthesizer, EspeakPronouncer()), SpeakingOptions(language="eng")
    speech = speaker.say("Good morning.", options)
    for packet in speaker.stream(tokens_of_a_language_model, options):
        play(packet.samples)

A text gives the same samples, to the last bit, however it is cut into pieces.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from speech.errors import ConfigError, ModelError, TextError
from speech.models.checkpoint import kind_of
from speech.models.devices import check_device
from speech.models.hub import locate
from speech.models.kokoro_checkpoint import load_kokoro_checkpoint
from speech.models.storage import KOKORO
from speech.ranges import check, ranged
from speech.text.languages import resolve
from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from speech.tts.pronunciation.espeak import EspeakPronouncer
from speech.tts.pronunciation.ipa import symbols_of_ipa
from speech.tts.pronunciation.pronunciation import Pronouncer, Pronunciation, spans_of_words
from speech.tts.synthesizer import Synthesizer
from speech.tts.text_front_end.reading import TextReader
from speech.tts.text_front_end.segments import Pause, SpokenStretch, StretchEnd
from speech.tts.text_front_end.spoken_form import SpokenWord
from speech.tts.text_front_end.ssml import read_ssml

SLOWEST, FASTEST = 0.5, 2.0
"""Range of the rate."""
PARAGRAPH_S = 0.4
"""Silence between paragraphs."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SaidWord:
    """A word that was said."""

    text: str
    """As spoken: "$5" is "five" and "dollars"."""
    start_s: float
    end_s: float
    source_start: int
    """First character in the written text of what the word stands for."""
    source_end: int
    """One behind the last."""


@dataclass(frozen=True, slots=True)
class SpeechPacket:
    """The next samples, and the words whose times have become known with them."""

    samples: np.ndarray
    """`(n,)` float32."""
    words: tuple[SaidWord, ...]


@dataclass(frozen=True, slots=True)
class Speech:
    """A text that was said."""

    samples: np.ndarray
    """`(n,)` float32."""
    sample_rate: int
    words: tuple[SaidWord, ...]


@dataclass(frozen=True, kw_only=True)
class SpeakingOptions:
    """How a text is said."""

    language: str
    """A name that `speech.text.languages.resolve` knows."""
    others: tuple[str, ...] = ()
    """Languages of words in other scripts."""
    voice: str = ""
    """Empty: the default voice of the language."""
    rate: float = ranged(1.0, least=SLOWEST, most=FASTEST)
    """Speed relative to the voice's own; the pitch stays."""
    seed: int = ranged(0, least=0)
    """The same text with the same seed gives the same samples."""

    def __post_init__(self) -> None:
        check(self, "speech")


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
        """Load a voice model; its pronunciations are those of the program `espeak-ng`.

        Args:
            name: directory or hub id of a Kokoro that `speech import` has converted.
            device: cpu, cuda, cuda:1, mps or xpu.

        Raises:
            ModelError: if there is no such model, or it is damaged, or does not speak.
            ConfigError: if `espeak-ng` is not installed, or the device is missing.
        """
        path = locate(name)
        kind = kind_of(path)
        if kind != KOKORO:
            raise ModelError(f"a model of kind {kind!r} has no voice", where=name, fix="Give an imported Kokoro.")
        checkpoint = load_kokoro_checkpoint(path, device=check_device(device))
        if not checkpoint.voices:
            raise ModelError("has no voices", where=name, fix="Import it again with a folder of voices.")
        return cls(KokoroSynthesizer(checkpoint), EspeakPronouncer())

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

    def stream(self, pieces: Iterable[str], options: SpeakingOptions) -> Iterator[SpeechPacket]:
        """Say a text that comes in pieces: each sentence is said as soon as the first letter behind it is there, or the
        pieces end. To stop, close the iterator.

        Raises:
            ConfigError: if the voice is unknown.
            LanguageError: if a language is unknown, or for letters or digits that cannot be spoken, with their place.
        """
        voice, reader = self._voice(options), TextReader(options.language, options.others)

        def stretches() -> Iterator[SpokenStretch]:
            for piece in pieces:
                yield from reader.feed(piece)
            yield from reader.flush()

        return self._packets(stretches(), voice, options)

    def stream_ssml(self, document: str, options: SpeakingOptions) -> Iterator[SpeechPacket]:
        """Say an SSML document.

        Raises:
            TextError: for markup that is not XML or not supported, with its place.
            ConfigError, LanguageError: as `stream`.
        """
        voice = self._voice(options)
        return self._packets(iter(read_ssml(document, options.language, options.others)), voice, options)

    def _voice(self, options: SpeakingOptions) -> str:
        if options.voice:
            return self._known(options.voice)
        return self._synthesizer.voice_for(resolve(options.language).code)

    def _known(self, voice: str) -> str:
        if voice not in self.voices:
            raise ConfigError(f"there is no voice {voice!r}", fix=f"There are {', '.join(self.voices)}.")
        return voice

    def _packets(
        self, parts: Iterator[SpokenStretch | Pause], voice: str, options: SpeakingOptions
    ) -> Iterator[SpeechPacket]:
        begun, number, pause_s, paragraph_s = 0, 0, 0.0, 0.0
        for part in parts:
            if isinstance(part, Pause):
                pause_s += part.seconds
                continue
            silence = np.zeros(round((pause_s + paragraph_s) * self.sample_rate), np.float32)
            if len(silence):
                yield SpeechPacket(silence, ())
            begun += len(silence)
            rate = _rate(options.rate * part.rate, part)
            for said, words in self._utterances(part):
                for packet in self._said(said, words, begun, voice, rate, options.seed + number):
                    begun += len(packet.samples)
                    yield packet
                number += 1
            pause_s, paragraph_s = 0.0, PARAGRAPH_S if part.end == StretchEnd.paragraph else 0.0
        if pause_s:
            yield SpeechPacket(np.zeros(round(pause_s * self.sample_rate), np.float32), ())

    def _utterances(self, part: SpokenStretch) -> Iterator[tuple[Pronunciation, Sequence[SpokenWord]]]:
        """Phonemes of a stretch in pieces that the synthesizer can say, each with its words."""
        if part.phonemes is None:
            whole = self._pronouncer(part.spoken, part.language)
        else:
            symbols = symbols_of_ipa(part.phonemes, part.language)
            whole = Pronunciation(symbols, tuple(spans_of_words(part.spoken.words, symbols)))
        known = whole.within(self._synthesizer.alphabet)
        if len(known.symbols) < len(whole.symbols):
            lacking = "".join(sorted({*whole.symbols} - self._synthesizer.alphabet))
            _log.warning("the voice cannot say %r in %r: left out", lacking, part.spoken.text)
        place = 0
        for piece in known.cut(self._synthesizer.max_symbols):
            words = part.spoken.words[place : place + len(piece.words)]
            place += len(words)
            if piece.symbols.strip():
                yield piece, words

    def _said(
        self, said: Pronunciation, words: Sequence[SpokenWord], begun: int, voice: str, rate: float, seed: int
    ) -> Iterator[SpeechPacket]:
        """Packets of one utterance; `begun` samples were said before it."""
        before_s, told = begun / self.sample_rate, 0
        spans: list[tuple[float, float]] = []
        for piece in self._synthesizer.say(said.symbols, voice, rate=rate, seed=seed):
            spans += piece.spans_s
            first = told
            while told < len(words) and said.words[told][1] <= len(spans):
                told += 1
            found = zip(words[first:told], said.words[first:told], strict=True)
            yield SpeechPacket(
                piece.samples.numpy(), tuple(_timed(word, spans, place, before_s) for word, place in found)
            )


def _rate(rate: float, part: SpokenStretch) -> float:
    """Check a rate that markup has changed.

    Raises:
        TextError: if no voice speaks as slowly or as fast.
    """
    if SLOWEST <= rate <= FASTEST:
        return rate
    where = f"character {part.spoken.words[0].source_start + 1}" if part.spoken.words else None
    raise TextError(f"a rate of {rate:g}, expected {SLOWEST:g} to {FASTEST:g}", where=where)


def _timed(word: SpokenWord, spans: Sequence[tuple[float, float]], place: tuple[int, int], before_s: float) -> SaidWord:
    """A word with the times of its symbols; a word of which nothing is said lasts no time."""
    first, last = place
    start_s = spans[first][0] if first < len(spans) else spans[-1][1] if spans else 0.0
    end_s = spans[last - 1][1] if last > first else start_s
    return SaidWord(word.text, before_s + start_s, before_s + end_s, word.source_start, word.source_end)
