"""`/v1/text-to-speech/{voice_id}/stream-input`, compatible with clients of ElevenLabs: text in pieces to timed audio.

The client sends JSON with `text`: first a blank one with settings, then pieces, at last an empty one; `flush` says what
is there. The server sends `audio` in base64 with the times of characters, and at the end `isFinal`. `voice_id` is a
voice of the server, `output_format` of the query `mp3_*`, `opus_*`, `pcm_RATE` or `ulaw_8000`; of the settings only
`speed` has an effect. Characters of a word share its time evenly, since only words have times.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import soxr
from msgspec import Struct

from serve.protocols.close_codes import CloseCode
from serve.protocols.speaking_protocol import (
    Command,
    Frame,
    Opening,
    SpeakEnd,
    SpeakFlush,
    SpeakingRefused,
    SpeakText,
    decoded,
)
from speech.audio.output import AudioWriter, int16_samples, mu_law_bytes
from speech.choices import AudioEncoding
from speech.errors import SpeechError
from speech.speaker import Speaker
from speech.text.languages import resolve
from speech.tts.speech_stream import SaidWord, SpeakingOptions, SpeechPacket

_PCM_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
_DEFAULT_FORMAT = "mp3_44100_128"
_COMPRESSED = {"mp3": AudioEncoding.mp3, "opus": AudioEncoding.opus}
"""These keep the rate of the voice; their headers say it."""


class VoiceSettings(Struct):
    """Settings of a voice; others are ignored."""

    speed: float | None = 1.0


class PieceOfText(Struct):
    """A message; other fields are ignored."""

    text: str
    flush: bool = False
    voice_settings: VoiceSettings | None = None


_DECODER = msgspec.json.Decoder(PieceOfText)


class SpokenAudio:
    """Turns samples into the bytes that a client asked for.

    Args:
        wanted: such as `mp3_44100_128`, `pcm_16000` or `ulaw_8000`.
        sample_rate: Hz, of the samples.

    Raises:
        SpeakingRefused: if the format is unknown.
    """

    def __init__(self, wanted: str, sample_rate: int) -> None:
        kind, _, rest = wanted.partition("_")
        rate = int(rest) if rest.isdecimal() and len(rest) < 6 else 0
        self._writer: AudioWriter | None = None
        self._resampler: soxr.ResampleStream | None = None
        self._mu_law = kind == "ulaw"
        if kind in _COMPRESSED:
            self._file = io.BytesIO()
            self._writer = AudioWriter(self._file, _COMPRESSED[kind], sample_rate)
        elif (kind == "pcm" and rate in _PCM_RATES) or (self._mu_law and rate == 8000):
            if rate != sample_rate:
                self._resampler = soxr.ResampleStream(sample_rate, rate, 1, dtype="float32")
        else:
            rates = ", ".join(map(str, _PCM_RATES))
            text = f"output_format {wanted[:40]!r}, expected mp3_*, opus_*, ulaw_8000, or pcm_ with one of {rates}"
            raise SpeakingRefused("invalid_output_format", text, CloseCode.bad_config)

    def __call__(self, samples: np.ndarray, *, last: bool = False) -> bytes:
        """The bytes that samples `(n,)` float32 complete; with `last`, all."""
        if self._writer is not None:
            self._writer.write(samples)
            if last:
                self._writer.close()
            made = self._file.getvalue()
            self._file.seek(0)
            self._file.truncate()
            return made
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last)
        return mu_law_bytes(samples) if self._mu_law else int16_samples(samples).tobytes()


class ElevenLabsSpeaking:
    """The protocol of one connection.

    Args:
        speaker: of the server.
        voice: `voice_id` of the path.
        query: of the URL.
        longest: maximum characters of a message.
    """

    def __init__(self, speaker: Speaker, voice: str, query: Mapping[str, str], longest: int) -> None:
        self._speaker, self._voice, self._query, self._longest = speaker, voice, query, longest
        self._audio: SpokenAudio | None = None

    def open(self, frame: Frame) -> Opening:
        message = self._parsed(frame)
        speaker, voice = self._speaker, self._voice
        try:
            taught = speaker.language_of(voice)
        except SpeechError as error:
            raise SpeakingRefused("voice_id_does_not_exist", str(error), CloseCode.bad_config) from error
        self._audio = SpokenAudio(self._query.get("output_format", _DEFAULT_FORMAT), speaker.sample_rate)
        settings, code = message.voice_settings or VoiceSettings(), self._query.get("language_code")
        try:
            language = resolve(code).code if code else taught
            options = SpeakingOptions(language=language, voice=voice, rate=settings.speed or 1.0)
        except SpeechError as error:
            raise SpeakingRefused("invalid_settings", str(error), CloseCode.bad_config) from error
        return Opening(options, self._commands(message) if message.text.strip() else ())

    def commands(self, frame: Frame) -> Sequence[Command]:
        return self._commands(self._parsed(frame))

    def started(self) -> Iterable[Frame]:
        return ()

    def packet(self, packet: SpeechPacket, text: str, start_s: float) -> Iterator[Frame]:
        assert self._audio is not None
        audio = self._audio(packet.samples)
        if audio or packet.words:
            yield _json(
                audio=base64.b64encode(audio).decode() or None,
                isFinal=None,
                alignment=characters(packet.words, text, start_s),
                normalizedAlignment=normalized(packet.words, start_s),
            )

    def flushed(self, seconds: float) -> Iterable[Frame]:
        return ()

    def cancelled(self) -> Iterable[Frame]:
        return ()

    def done(self, seconds: float) -> Iterable[Frame]:
        assert self._audio is not None
        rest = self._audio(np.zeros(0, np.float32), last=True)
        if rest:
            yield _json(audio=base64.b64encode(rest).decode(), isFinal=None, alignment=None, normalizedAlignment=None)
        yield _json(audio=None, isFinal=True, alignment=None, normalizedAlignment=None)

    def refused(self, error: SpeakingRefused) -> Iterable[Frame]:
        yield _json(message=error.message, error=error.code, code=int(error.close))

    def _parsed(self, frame: Frame) -> PieceOfText:
        return decoded(_DECODER, frame, self._longest, wrong="invalid_message", too_long="message_too_large")

    def _commands(self, message: PieceOfText) -> Sequence[Command]:
        if not message.text:
            return [SpeakEnd()]
        return [SpeakText(message.text), SpeakFlush()] if message.flush else [SpeakText(message.text)]


def characters(words: Sequence[SaidWord], text: str, start_s: float) -> dict[str, list[Any]] | None:
    """Times of the characters of words as they are written, relative to `start_s`; what stands between two words takes
    no time, and words that share a place share its characters."""
    found = _TimedCharacters(start_s)
    place = words[0].source_start if words else 0
    for word in words:
        found.add(text[place : word.source_start], word.start_s, word.start_s)
        found.add(text[max(place, word.source_start) : word.source_end], word.start_s, word.end_s)
        place = max(place, word.source_end)
    return found.record()


def normalized(words: Sequence[SaidWord], start_s: float) -> dict[str, list[Any]] | None:
    """Times of the characters of words as they are spoken."""
    found = _TimedCharacters(start_s)
    for number, word in enumerate(words):
        found.add(" " if number else "", word.start_s, word.start_s)
        found.add(word.text, word.start_s, word.end_s)
    return found.record()


class _TimedCharacters:
    """Characters with times in milliseconds."""

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._chars: list[str] = []
        self._starts: list[int] = []
        self._durations: list[int] = []

    def add(self, text: str, start_s: float, end_s: float) -> None:
        """Characters that share a time evenly."""
        borders = (
            [round(1000 * (start_s - self._start_s + (end_s - start_s) * n / len(text))) for n in range(len(text) + 1)]
            if text
            else [0]
        )
        self._chars += text
        self._starts += borders[:-1]
        self._durations += [after - before for before, after in pairwise(borders)]

    def record(self) -> dict[str, list[Any]] | None:
        """As the protocol names them; None without characters."""
        if not self._chars:
            return None
        return {"chars": self._chars, "charStartTimesMs": self._starts, "charDurationsMs": self._durations}


def _json(**message: object) -> str:
    return msgspec.json.encode(message).decode()
