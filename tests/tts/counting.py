"""A synthesizer and a pronouncer for tests: each letter lasts as long as its number says, times are exact."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise

import torch

from speech.tts.pronunciation.pronunciation import Pronunciation, pronounced
from speech.tts.synthesizer import SaidSymbols
from speech.tts.text_front_end.spoken_form import SpokenForm


class CountingSynthesizer:
    """Noise that depends on the seed, the voice and the symbols; symbol `n` lasts 100 to 199 samples, over the rate."""

    sample_rate = 8000
    alphabet = frozenset("abcdefghijklmnopqrstuvwxyz éñ.,;!?")
    max_symbols = 40
    voices = ("high", "low")
    cloned: frozenset[str] = frozenset()
    blends = True
    together = 1

    def __init__(self) -> None:
        self.said: list[tuple[str, str, float, int]] = []
        self.soon: list[bool] = []

    def say(
        self, symbols: str, voice: str, *, language: str, rate: float, seed: int, soon: bool = True
    ) -> Iterator[SaidSymbols]:
        assert 0 < len(symbols) <= self.max_symbols
        assert {*symbols} <= self.alphabet
        self.said.append((symbols, voice, rate, seed))
        self.soon.append(soon)
        generator = torch.Generator().manual_seed(seed + len(voice) + sum(map(ord, symbols)))
        ends = [0, *accumulate(int((100 + ord(symbol) % 100) / rate) for symbol in symbols)]
        samples = torch.rand(ends[-1], generator=generator) - 0.5
        spans = [(start / self.sample_rate, end / self.sample_rate) for start, end in pairwise(ends)]
        for start in range(0, len(symbols), 7):
            own = ends[start : start + 8]
            yield SaidSymbols(samples[own[0] : own[-1]], spans[start : start + 7])

    def voice_for(self, language: str) -> str:
        return "low" if language == "deu" else "high"

    def language_of(self, voice: str) -> str:
        return "deu" if voice == "low" else "eng"


class LetterPronouncer:
    """Letters stand for themselves."""

    def __call__(self, spoken: SpokenForm, language: str) -> Pronunciation:
        return pronounced(spoken, str.lower)
