"""Kokoro as a synthesizer: an utterance at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from torch import Tensor

from speech.errors import ModelError
from speech.models.kokoro import KokoroConfig, KokoroRequest
from speech.models.kokoro_checkpoint import KokoroCheckpoint
from speech.models.kokoro_voice import STYLES, blend, check_voice, style_of
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
    """Synthesizer of a Kokoro checkpoint.

    Args:
        checkpoint: with one voice or more, counting `voices`.
        voices: more voices, or what is known of those of the checkpoint; one of the same name takes its place.

    Raises:
        ModelError: if a voice does not fit the model.
    """

    blends, together = True, 1

    def __init__(self, checkpoint: KokoroCheckpoint, voices: Sequence[VoiceFile] = ()) -> None:
        self._model, self._symbols = checkpoint.model, checkpoint.symbols
        self._packs = {**checkpoint.voices, **{one.name: pack_of(one, checkpoint.model.config) for one in voices}}
        self._languages = {one.name: one.language for one in voices}
        self.cloned = frozenset(one.name for one in voices if one.cloned)
        self.sample_rate = checkpoint.model.sample_rate
        self.max_symbols = checkpoint.model.most_symbols
        self.alphabet = frozenset(checkpoint.symbols.numbers)
        self.voices = tuple(self._packs)

    def voice_for(self, language: str) -> str:
        """The first voice of a language, by the names of the published voices; else the first of all. Cloned ones are
        left out, unless there are no others."""
        spoken = _BORROWED.get(language, language)
        voices = uncloned(self.voices, self.cloned)
        return next((name for name in voices if self.language_of(name) == spoken), voices[0])

    def language_of(self, voice: str) -> str:
        """The language of a voice, by its file or by its name as published ones have it; English for others."""
        return self._languages.get(voice) or language_of_name(voice)

    def say(self, symbols: str, voice: str, *, language: str, rate: float, seed: int) -> Iterator[SaidSymbols]:
        """Say an utterance; see `Synthesizer`. It comes in one piece, and symbols alone tell how they sound."""
        style = style_of(blend(self._packs, read_blend(voice)), len(symbols))
        request = KokoroRequest(ids=self._symbols.encode(symbols).ids, style=style, speed=rate, seed=seed)
        said = self._model.speak([request])[0]
        ends = [frames * self._model.frame_s for frames in accumulate(said.durations.tolist())]
        yield SaidSymbols(said.samples, list(pairwise(ends[:-1])))


def language_of_name(voice: str) -> str:
    """The language of a voice by its name, if that is formed as those of published ones; else English."""
    return _SPEAK.get(voice[:1], "eng")


def pack_of(voice: VoiceFile, config: KokoroConfig) -> Tensor:
    """The styles of a voice.

    Raises:
        ModelError: if the voice holds something else, or does not fit a model of this shape.
    """
    where = f"voice {voice.name}"
    if set(voice.tensors) != {STYLES}:
        raise ModelError(f"holds {', '.join(sorted(voice.tensors)[:4])}, expected {STYLES}", where=where)
    pack = voice.tensors[STYLES].float()
    check_voice(voice.name, pack, config.style_dim, where)
    return pack
