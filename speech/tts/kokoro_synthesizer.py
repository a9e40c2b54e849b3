"""Kokoro as a synthesizer: window by window, or an utterance at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from speech.models.kokoro import KokoroConfig, KokoroRequest
from speech.models.kokoro_checkpoint import KokoroCheckpoint
from speech.models.kokoro_voice import KokoroVoice, blend, check_voice, voice_from
from speech.models.kokoro_windows import WindowedKokoro
from speech.nn.kokoro.norm_statistics import statistics_size
from speech.tts.synthesizer import SaidSymbols, uncloned
from speech.tts.voice_blend import read_blend
from speech.tts.voice_file import VoiceFile

_SPEAK = {
    "a": "eng", "b": "eng", "e": "spa", "f": "fra", "h": "hin", "i": "ita", "j": "jpn", "p": "por", "z": "cmn",
}  # fmt: skip
"""First letter of a published voice's name -> language that it was taught."""
_BORROWED = {"deu": "fra"}
"""Languages without a voice -> language whose voices say them best. Measured for German, with an uvular r, on ten
sentences read by Whisper-base: WER .05, .10 with an Italian voice, .48 with English ones."""


class KokoroSynthesizer:
    """Synthesizer of a Kokoro checkpoint. Voices with statistics of their normalisations are said window by window.

    Args:
        checkpoint: with one voice or more, counting `voices`.
        voices: more voices, or what is known of those of the checkpoint; one of the same name takes its place.

    Raises:
        ModelError: if a voice does not fit the model.
    """

    blends, together = True, 1

    def __init__(self, checkpoint: KokoroCheckpoint, voices: Sequence[VoiceFile] = ()) -> None:
        self.model, self.symbols = checkpoint.model, checkpoint.symbols
        config, channels = self.model.config, statistics_size(self.model.decoder)
        self.known = {**checkpoint.voices, **{one.name: kokoro_voice(one, config, channels) for one in voices}}
        self._languages = {one.name: one.language for one in voices}
        self.cloned = frozenset(one.name for one in voices if one.cloned)
        self.sample_rate = checkpoint.model.sample_rate
        self.max_symbols = checkpoint.model.most_symbols
        self.alphabet = frozenset(checkpoint.symbols.numbers)
        self.voices = tuple(self.known)
        streams = any(voice.norms is not None for voice in self.known.values())
        self._windowed = WindowedKokoro(self.model) if streams else None

    def voice_for(self, language: str) -> str:
        """The first voice of a language, by the names of the published voices; else the first of all. Cloned ones are
        left out, unless there are no others."""
        spoken = _BORROWED.get(language, language)
        voices = uncloned(self.voices, self.cloned)
        return next((name for name in voices if self.language_of(name) == spoken), voices[0])

    def language_of(self, voice: str) -> str:
        """The language of a voice, by its file or by its name as published ones have it; English for others."""
        return self._languages.get(voice) or language_of_name(voice)

    def say(
        self, symbols: str, voice: str, *, language: str, rate: float, seed: int, soon: bool = True
    ) -> Iterator[SaidSymbols]:
        """Say an utterance; see `Synthesizer`. Symbols alone tell how they sound. The times of all come with the first
        window; without statistics of the voice, the utterance comes in one piece."""
        chosen = blend(self.known, read_blend(voice))
        style, statistics = chosen.style_of(len(symbols)), chosen.statistics
        request = KokoroRequest(ids=self.symbols.encode(symbols).ids, style=style, speed=rate, seed=seed)
        if self._windowed is None or statistics is None:
            pieces = iter(self.model.speak([request]))
        else:
            pieces = self._windowed.speak(request, statistics, soon=soon)
        told = False
        for said in pieces:
            ends = [frames * self.model.frame_s for frames in accumulate(said.durations.tolist())]
            spans = list(pairwise(ends[:-1])) if len(said.samples) and not told else []
            told = told or bool(spans)
            yield SaidSymbols(said.samples, spans)


def language_of_name(voice: str) -> str:
    """The language of a voice by its name, if that is formed as those of published ones; else English."""
    return _SPEAK.get(voice[:1], "eng")


def kokoro_voice(voice: VoiceFile, config: KokoroConfig, channels: int | None) -> KokoroVoice:
    """The voice that a file holds.

    Args:
        voice: the file.
        config: of the model.
        channels: see `check_voice`.

    Raises:
        ModelError: if the voice holds something else, or does not fit a model of this shape.
    """
    where = f"voice {voice.name}"
    found = voice_from(voice.tensors, where)
    check_voice(voice.name, found, config.style_dim, channels, where)
    return found
