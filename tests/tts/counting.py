"""A synthesizer and a pronouncer for tests: each letter lasts as long as its number says, times are exact."""

from __future__ import annotations

from collections.abc import Iterator

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

    def __init__(self) -> None:
        self.said: list[tuple[str, str, float, int]] = []

    def say(self, symbols: str, voice: str, *, rate: float, seed: int) -> Iterator[SaidSymbols]:
        assert 0 < len(symbols) <= self.max_symbols
        assert {*symbols} <= self.alphabet
        self.said.append((symbols, voice, rate, seed))
        generator = torch.Generator().manual_seed(seed + len(voice) + sum(map(ord, symbols)))
        end, ends = 0, []
        for symbol in symbols:
            end += int((100 + ord(symbol) % 100) / rate)
            ends.append(end / self.sample_rate)
        samples = torch.rand(end, generator=generator) - 0.5
        for start in range(0, len(symbols), 7):
            first = round(ends[start - 1] * self.sample_rate) if start else 0
            last = round(ends[min(start + 7, len(symbols)) - 1] * self.sample_rate)
            yield SaidSymbols(samples[first:last], ends[start : start + 7])


class LetterPronouncer:
    """Letters stand for themselves."""

    def __call__(self, spoken: SpokenForm, language: str) -> Pronunciation:
        return pronounced(spoken, str.lower)
