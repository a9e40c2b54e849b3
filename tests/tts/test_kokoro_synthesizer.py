"""Kokoro as a synthesizer: spans of symbols, seeds, rates, and which voice speaks a language."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from speech.errors import ModelError
from speech.models.kokoro import KokoroRequest
from speech.models.kokoro_voice import KokoroVoice
from speech.nn.kokoro.norm_statistics import measuring
from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from speech.tts.voice_file import VoiceFile
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


def test_a_voice_with_statistics_comes_in_windows():
    checkpoint = kokoro_checkpoint()
    with measuring(checkpoint.model.decoder) as meter:
        said(KokoroSynthesizer(checkpoint), "hello there")
    known = meter.statistics()
    norms = torch.stack([known.means, known.variances])
    one = KokoroSynthesizer(replace(checkpoint, voices={VOICES[0]: replace(checkpoint.voices[VOICES[0]], norms=norms)}))
    pieces = list(one.say("hello there", VOICES[0], language="eng", rate=0.5, seed=0))
    assert [(len(piece.samples), piece.spans_s) for piece in pieces[:2]] == [(0, [])] * 2
    pieces = pieces[2:]
    later = [*one.say("hello there", VOICES[0], language="eng", rate=0.5, seed=0, soon=False)][2:]
    assert len(later[0].samples) > len(pieces[0].samples)
    assert later[0].spans_s == pieces[0].spans_s
    whole = said(KokoroSynthesizer(checkpoint), "hello there", rate=0.5)
    assert len(pieces) > 1
    assert [len(piece.spans_s) for piece in pieces] == [11] + [0] * (len(pieces) - 1)
    assert pieces[0].spans_s == whole.spans_s
    assert sum(len(piece.samples) for piece in pieces) == len(whole.samples)


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


def test_a_blend_is_said_with_the_mean_of_its_packs():
    checkpoint = kokoro_checkpoint()
    first, second = (checkpoint.voices[name].styles for name in VOICES[:2])
    mean = KokoroVoice(0.75 * first + 0.25 * second)
    both = KokoroSynthesizer(replace(checkpoint, voices={**checkpoint.voices, "mean": mean}))
    blended = said(both, "hello", voice=f"{VOICES[0]}:3,{VOICES[1]}:1").samples
    torch.testing.assert_close(blended, said(both, "hello", voice="mean").samples)
    assert torch.equal(said(both, "hello", voice=f"{VOICES[0]}:2").samples, said(both, "hello").samples)


def made(**changes) -> VoiceFile:
    fields = {
        "name": "anna",
        "language": "deu",
        "kind": "kokoro",
        "model": "0" * 64,
        "cloned": True,
        "card": "She agrees.",
    }
    tensors = {"styles": torch.randn(10, 8)}
    return VoiceFile(**{**fields, "tensors": tensors, "created": "2026-11-30", **changes})


def test_voices_of_files_have_their_languages_and_take_the_places_of_others():
    voices = [made(), made(name=VOICES[1], language="fra", cloned=False)]
    one = KokoroSynthesizer(kokoro_checkpoint(), voices)
    assert one.voices == (*sorted(VOICES), "anna")
    assert [one.language_of(voice) for voice in one.voices] == ["eng", "fra", "fra", "deu"]
    assert one.cloned == {"anna"}
    assert one.voice_for("deu") == VOICES[1]  # a French one says it
    assert KokoroSynthesizer(kokoro_checkpoint(), [made(name=VOICES[0], language="eng")]).voice_for("eng") == VOICES[1]
    style = KokoroVoice(voices[1].tensors["styles"]).style_of(5)
    ids = kokoro_checkpoint().symbols.encode("hello").ids
    [expected] = kokoro_checkpoint().model.speak([KokoroRequest(ids=ids, style=style)])
    assert torch.equal(said(one, "hello", voice=VOICES[1]).samples, expected.samples)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"styles": torch.ones(10, 6)}, r"voice anna: has shape \(10, 6\), expected \(rows, 8\)"),
        ({"codes": torch.ones(10, 8)}, "voice anna: holds codes, expected styles"),
    ],
)
def test_voices_of_other_models_are_refused(tensors, message):
    with pytest.raises(ModelError, match=message):
        KokoroSynthesizer(kokoro_checkpoint(), [made(tensors=tensors)])
