"""Speech of one text that is pushed piece by piece: pure state, no clock and no thread."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from speech.errors import TextError
from speech.ranges import check, ranged
from speech.tts.pronunciation.ipa import symbols_of_ipa
from speech.tts.pronunciation.pronunciation import Pronouncer, Pronunciation, spans_of_words
from speech.tts.synthesizer import Synthesizer
from speech.tts.text_front_end.reading import TextReader
from speech.tts.text_front_end.segments import Pause, SpokenStretch, StretchEnd
from speech.tts.text_front_end.spoken_form import SpokenWord
from speech.tts.watermark import MarkingStream

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

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; times in seconds, rounded to milliseconds."""
        return {
            "text": self.text,
            "start": round(self.start_s, 3),
            "end": round(self.end_s, 3),
            "source": [self.source_start, self.source_end],
        }


@dataclass(frozen=True, slots=True)
class SpeechPacket:
    """The next samples, and the words whose times have become known with them; neither, where what comes next has only
    been prepared further."""

    samples: np.ndarray
    """`(n,)` float32."""
    words: tuple[SaidWord, ...]


@dataclass(frozen=True, kw_only=True)
class SpeakingOptions:
    """How a text is said."""

    language: str
    """A name that `speech.text.languages.resolve` knows."""
    others: tuple[str, ...] = ()
    """Languages of words in other scripts."""
    voice: str = ""
    """A voice, or a blend such as "af_heart:0.6,bf_emma:0.4"; empty: the default voice of the language."""
    rate: float = ranged(1.0, least=SLOWEST, most=FASTEST)
    """Speed relative to the voice's own; the pitch stays."""
    seed: int = ranged(0, least=0)
    """The same text with the same seed gives the same samples."""

    def __post_init__(self) -> None:
        check(self, "speech")


class SpeechStream:
    """Says one text. What is given is said sentence by sentence, whatever the pieces are.

    The packets of each call have to be taken to their end before those of the next call.

    Args:
        synthesizer: says phonemes.
        pronouncer: knows the phonemes of words.
        voice: one of the synthesizer's, or a blend.
        options: how the text is said; its voice is not looked at.
        mark: marks the samples, at the synthesizer's rate; they then come a little later than the times of their
            words, and all of them with `flush` and `end`.

    Raises:
        LanguageError: if a language is unknown.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        pronouncer: Pronouncer,
        voice: str,
        options: SpeakingOptions,
        mark: MarkingStream | None = None,
    ) -> None:
        self._mark = mark
        self._synthesizer, self._pronouncer, self._voice, self._options = synthesizer, pronouncer, voice, options
        self._reader = TextReader(options.language, options.others)
        self._characters, self._before = 0, 0
        self._samples, self._utterance_number, self._pause_s, self._paragraph_s = 0, 0, 0.0, 0.0
        self._follows = False
        """Whether something of the text, since it began or was flushed, has been said: then the rest has time."""

    @property
    def seconds(self) -> float:
        """Audio so far."""
        return self._samples / self._synthesizer.sample_rate

    def feed(self, piece: str) -> Iterator[SpeechPacket]:
        """Take more text; the packets of the sentences that are complete.

        Raises:
            LanguageError: for letters or digits that cannot be spoken, with their line and column.
        """
        found = self._reader.feed(piece)
        self._characters += len(piece)
        return self.say(found, self._before)

    def flush(self) -> Iterator[SpeechPacket]:
        """Say what is left as if the text ended; more may follow. Errors as `feed`."""
        found, before = self._reader.flush(), self._before
        self._before = self._characters
        return self._flushed(self._marked(self._said(found, before), settled=True))

    def say(self, parts: Iterable[SpokenStretch | Pause], before: int = 0) -> Iterator[SpeechPacket]:
        """The packets of parts of the text.

        Args:
            parts: in order.
            before: characters of the text before those that the places in `parts` count from.

        Raises:
            TextError: if markup asks for a rate out of range.
        """
        return self._marked(self._said(parts, before), settled=False)

    def end(self) -> Iterator[SpeechPacket]:
        """The silence that markup asks for behind the last words."""
        return self._marked(self._silence(self._pause_s), settled=True)

    def _flushed(self, packets: Iterator[SpeechPacket]) -> Iterator[SpeechPacket]:
        yield from packets
        self._follows = False

    def _marked(self, packets: Iterator[SpeechPacket], *, settled: bool) -> Iterator[SpeechPacket]:
        """Packets with marked samples.

        Args:
            settled: whether all samples are to come.
        """
        for packet in packets:
            yield packet if self._mark is None else SpeechPacket(self._mark.push(packet.samples), packet.words)
        rest = self._mark.settle() if settled and self._mark is not None else ()
        if len(rest):
            yield SpeechPacket(np.asarray(rest), ())

    def _said(self, parts: Iterable[SpokenStretch | Pause], before: int) -> Iterator[SpeechPacket]:
        for part in parts:
            if isinstance(part, Pause):
                self._pause_s += part.seconds
                continue
            yield from self._silence(self._pause_s + self._paragraph_s)
            rate = _rate(self._options.rate * part.rate, part)
            for said, words in self._utterances(part):
                yield from self._utterance(said, words, part.language, rate, before)
            self._pause_s, self._paragraph_s = 0.0, PARAGRAPH_S if part.end == StretchEnd.paragraph else 0.0

    def _silence(self, seconds: float) -> Iterator[SpeechPacket]:
        samples = np.zeros(round(seconds * self._synthesizer.sample_rate), np.float32)
        if len(samples):
            self._samples += len(samples)
            yield SpeechPacket(samples, ())

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

    def _utterance(
        self, said: Pronunciation, words: Sequence[SpokenWord], language: str, rate: float, shift: int
    ) -> Iterator[SpeechPacket]:
        before_s, told, seed = self.seconds, 0, self._options.seed + self._utterance_number
        self._utterance_number += 1
        soon, self._follows = not self._follows, True
        spans: list[tuple[float, float]] = []
        pieces = self._synthesizer.say(said.symbols, self._voice, language=language, rate=rate, seed=seed, soon=soon)
        for piece in pieces:
            spans += piece.spans_s
            first = told
            while told < len(words) and said.words[told][1] <= len(spans):
                told += 1
            self._samples += len(piece.samples)
            found = zip(words[first:told], said.words[first:told], strict=True)
            yield SpeechPacket(
                piece.samples.numpy(), tuple(_timed(word, spans, place, before_s, shift) for word, place in found)
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


def _timed(
    word: SpokenWord, spans: Sequence[tuple[float, float]], place: tuple[int, int], before_s: float, shift: int
) -> SaidWord:
    """A word with the times of its symbols; a word of which nothing is said lasts no time."""
    first, last = place
    start_s = spans[first][0] if first < len(spans) else spans[-1][1] if spans else 0.0
    end_s = spans[last - 1][1] if last > first else start_s
    source = word.source_start + shift, word.source_end + shift
    return SaidWord(word.text, before_s + start_s, before_s + end_s, *source)
