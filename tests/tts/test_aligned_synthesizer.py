"""An aligned model as a synthesizer: packets are the whole in pieces, times are exact, seeds and voices decide."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.errors import ConfigError, LanguageError, ModelError
from speech.models.aligned_generation import generate_aligned
from speech.models.aligned_lm import AlignedPrompt, AlignedVoice
from speech.tts.aligned_synthesizer import ONLY_VOICE, AlignedSynthesizer
from speech.tts.voice_file import VoiceFile
from tests.tiny_aligned_ar import VOCABULARY as PLAIN
from tests.tiny_aligned_ar import tiny_aligned_ar, tiny_aligned_config
from tests.tiny_codec import tiny_codec
from tests.tiny_voice import SPEAKERS, VOCABULARY, tiny_voice

CODEC = tiny_codec()
MODEL = tiny_voice().model
SAMPLING = SamplingConfig(temperature=1.0, top_p=1.0, penalty=1.0)
TEXT = "abde, ks."


@pytest.fixture(scope="module")
def synthesizer() -> AlignedSynthesizer:
    return AlignedSynthesizer(MODEL, VOCABULARY, CODEC, SPEAKERS, sampling=SAMPLING)


def said(synthesizer, symbols=TEXT, voice="ann", **options):
    given = {"language": "eng", "rate": 1.0, "seed": 3} | options
    pieces = list(synthesizer.say(symbols, voice, **given))
    return pieces, torch.cat([piece.samples for piece in pieces])


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_packets_are_what_the_model_and_the_codec_give_of_the_whole(synthesizer, rate):
    pieces, samples = said(synthesizer, rate=rate)
    prompt = AlignedPrompt(
        VOCABULARY.symbol_tokens(f"^{TEXT}$"), VOCABULARY.language_token("eng"), rate=rate,
        speaker=SPEAKERS["ann"].embedding,
    )  # fmt: skip
    (whole,) = generate_aligned(MODEL, [prompt], [Sampler(replace(SAMPLING, seed=3))])
    with torch.inference_mode():
        decoded, (count,) = CODEC.decode(whole.codes[None], torch.tensor([whole.codes.shape[1]]))
    torch.testing.assert_close(samples, decoded[0, : int(count)].clamp(-1, 1), atol=1e-5, rtol=0)
    spans = [span for piece in pieces for span in piece.spans_s]
    frames = list(zip(whole.said.first_frames, whole.said.frame_counts, strict=True))[1:-1]
    assert spans == [(first * 0.01, (first + count) * 0.01) for first, count in frames]
    assert len(spans) == len(TEXT)


def test_the_first_packet_is_small_and_later_ones_grow(synthesizer):
    pieces, _ = said(synthesizer, TEXT[:7], rate=0.5)
    frames = [len(piece.samples) / CODEC.frame_samples for piece in pieces]
    delay = CODEC.delay_samples / CODEC.frame_samples
    assert frames[:4] == [2 - delay, 4, 8, 16]
    assert max(frames) == 16


def test_seed_voice_and_language_decide_the_samples(synthesizer):
    _, one = said(synthesizer)
    assert torch.equal(one, said(synthesizer)[1])
    for other in ({"seed": 4}, {"voice": "ben"}, {"language": "deu"}):
        assert not torch.equal(one[:400], said(synthesizer, **other)[1][:400])


def test_a_packet_in_time_does_not_wait_for_the_rest(synthesizer):
    first = next(synthesizer.say(TEXT, "ann", language="eng", rate=1.0, seed=3))
    assert torch.equal(first.samples, said(synthesizer)[0][0].samples)


def test_voices_and_their_languages(synthesizer):
    assert synthesizer.voices == ("ann", "ben")
    assert [synthesizer.voice_for(code) for code in ("deu", "eng", "fra")] == ["ben", "ann", "ann"]
    assert [synthesizer.language_of(voice) for voice in ("ann", "ben")] == ["eng", "deu"]
    assert synthesizer.alphabet == frozenset("abdeksˈː ,.!?")
    assert synthesizer.sample_rate == 8000


def voice_file(name: str, speaker: list[float], cloned: bool = False) -> VoiceFile:
    return VoiceFile(
        name=name, language="deu", kind="aligned_ar", model="0" * 64, tensors={"speaker": torch.tensor(speaker)},
        cloned=cloned, card="A card.", created="2026-01-01",
    )  # fmt: skip


def test_voices_blend_and_more_come_from_files(synthesizer):
    assert torch.equal(said(synthesizer, voice="ann:1,ben:1")[1], said(synthesizer, voice="ben:2,ann:2")[1])
    assert not torch.equal(said(synthesizer, voice="ann:1,ben:1")[1][:400], said(synthesizer)[1][:400])
    files = [voice_file("ann", [3.0, 0.0, 0.0]), voice_file("eve", [1.0, 0.0, -1.0], cloned=True)]
    more = AlignedSynthesizer(MODEL, VOCABULARY, CODEC, SPEAKERS, files, SAMPLING)
    assert more.voices == ("ann", "ben", "eve")
    assert more.cloned == {"eve"}
    assert more.language_of("ann") == "deu"
    assert torch.equal(said(more, voice="eve")[1], said(synthesizer, voice="ann")[1])  # the same embedding
    assert not torch.equal(said(more, voice="ann")[1][:400], said(synthesizer, voice="ann")[1][:400])
    with pytest.raises(ModelError, match=r"voice odd: has a speaker of shape \(2,\), the model takes 3"):
        AlignedSynthesizer(MODEL, VOCABULARY, CODEC, SPEAKERS, [voice_file("odd", [1.0, 2.0])])


def imitating(name: str = "zoe") -> VoiceFile:
    """Somebody who says "ab" in nine frames."""
    codes = torch.randint(0, 12, (2, 9), generator=torch.Generator().manual_seed(5))
    prompt = {"codes": codes, "frames": torch.tensor([2, 3, 4, 0])}
    file = voice_file(name, [1.0, 0.0, -1.0], cloned=True)
    return replace(file, tensors={**file.tensors, **prompt}, phonemes="^ab$")


def test_a_voice_of_a_recording_is_imitated(synthesizer):
    file = imitating()
    more = AlignedSynthesizer(MODEL, VOCABULARY, CODEC, SPEAKERS, [file], SAMPLING)
    heard = AlignedVoice(
        VOCABULARY.symbol_tokens("^ab$"), [2, 3, 4, 0], file.tensors["codes"], VOCABULARY.language_token("deu")
    )
    prompt = AlignedPrompt(
        VOCABULARY.symbol_tokens("^ab.$"), VOCABULARY.language_token("eng"),
        speaker=SPEAKERS["ann"].embedding, voice=heard,
    )  # fmt: skip
    (whole,) = generate_aligned(MODEL, [prompt], [Sampler(replace(SAMPLING, seed=3))])
    with torch.inference_mode():
        decoded, (count,) = CODEC.decode(whole.codes[None], torch.tensor([whole.codes.shape[1]]))
    _, samples = said(more, "ab.", "zoe")
    torch.testing.assert_close(samples, decoded[0, : int(count)].clamp(-1, 1), atol=1e-5, rtol=0)
    assert not torch.equal(samples[:160], said(synthesizer, "ab.", "ann")[1][:160])  # the same embedding alone
    assert torch.equal(said(more, "ab.", "zoe:1,ann:1")[1], said(synthesizer, "ab.", "ann")[1])  # blends have no speech


def test_voices_come_and_go_while_it_speaks():
    one = AlignedSynthesizer(MODEL, VOCABULARY, CODEC, SPEAKERS, sampling=SAMPLING)
    one.add_voice(imitating())
    one.add_voice(imitating("ben"))
    assert (one.voices, one.cloned) == (("ann", "ben", "zoe"), {"zoe", "ben"})
    assert one.voice_for("deu") == "ann"  # both that speak it are cloned
    one.remove_voice("ben")
    one.remove_voice("zoe")
    assert (set(one.voices), one.cloned) == ({"ann", "ben"}, set())
    assert one.voice_for("deu") == "ben"
    for name in ("ben", "none"):
        with pytest.raises(ConfigError, match=f"no voice '{name}' was added"):
            one.remove_voice(name)
    with pytest.raises(ConfigError, match="there is no voice 'zoe'"):
        said(one, "ab.", "zoe")


def test_a_model_without_speakers_and_marks_has_one_voice():
    model = tiny_aligned_ar(tiny_aligned_config(codebooks=2))
    plain = AlignedSynthesizer(model, PLAIN, CODEC, {}, sampling=SAMPLING)
    assert plain.voices == (ONLY_VOICE,)
    assert plain.language_of(ONLY_VOICE) == "deu"
    pieces, _ = said(plain, "abc d.", ONLY_VOICE)
    spans = [span for piece in pieces for span in piece.spans_s]
    assert len(spans) == 6
    assert spans[0][0] == 0.0


def test_the_longest_utterance_is_said_at_the_slowest_rate(synthesizer):
    assert synthesizer.max_symbols == 24
    assert len(said(synthesizer, "a" * 24, rate=2.0)[0][-1].samples) > 0


def test_wrong_durations_and_unknown_languages_are_errors(synthesizer):
    with pytest.raises(ModelError, match=r"24 phonemes take more than the model's 1 s"):
        said(synthesizer, "a" * 24, rate=0.5)
    with pytest.raises(LanguageError, match=r"does not speak 'fra'.*deu, eng"):
        said(synthesizer, language="fra")
