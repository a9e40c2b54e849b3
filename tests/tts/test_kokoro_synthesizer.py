"""Kokoro as a synthesizer: spans of symbols, seeds, rates, and which voice speaks a language."""

from __future__ import annotations

import pytest
import torch

from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from tests.tts.kokoro_voices import LETTERS, VOICES, kokoro_checkpoint


@pytest.fixture(scope="module")
def synthesizer() -> KokoroSynthesizer:
    return KokoroSynthesizer(kokoro_checkpoint())


def said(synthesizer: KokoroSynthesizer, symbols: str, **options):
    given = {"voice": VOICES[0], "language": "eng", "rate": 1.0, "seed": 0} | options
    [piece] = synthesizer.say(symbols, given.pop("voice"), **given)
    return piece


def test_each_symbol_has_a_span_between_the_silences(synthesizer):
    piece = said(synthesizer, "hello there.")
    assert len(piece.spans_s) == 12
    assert all(a[1] == b[0] for a, b in zip(piece.spans_s, piece.spans_s[1:], strict=False))
    assert all(start < end for start, end in piece.spans_s)
    assert piece.spans_s[0][0] > 0
    assert piece.spans_s[-1][1] < len(piece.samples) / synthesizer.sample_rate


def test_voice_and_seed_decide_the_samples(synthesizer):
    one, again = (said(synthesizer, "hello", seed=3).samples for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, said(synthesizer, "hello", seed=4).samples)
    assert not torch.equal(one[:100], said(synthesizer, "hello", seed=3, voice=VOICES[1]).samples[:100])


def test_a_slower_rate_is_longer(synthesizer):
    slow, fast = (said(synthesizer, "hello there", rate=rate).spans_s[-1][1] for rate in (0.5, 2.0))
    assert slow > 1.5 * fast


@pytest.mark.parametrize(
    ("language", "voice"),
    [("eng", "af_one"), ("spa", "ef_two"), ("fra", "ff_three"), ("deu", "ff_three"), ("fin", "af_one")],
)
def test_a_language_has_its_voice(synthesizer, language, voice):
    assert synthesizer.voice_for(language) == voice


def test_it_says_what_it_can_say(synthesizer):
    assert synthesizer.alphabet == frozenset(LETTERS)
    assert synthesizer.voices == tuple(sorted(VOICES))
    assert len(said(synthesizer, "a" * synthesizer.max_symbols).spans_s) == 40
