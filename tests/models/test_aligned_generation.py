"""Aligned speech: any cutting of the symbols gives the same codes; requests end one by one; times are told."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.errors import ConfigError
from speech.models.aligned_generation import AlignedStream, generate_aligned
from speech.models.aligned_lm import Turn
from tests.tiny_aligned_ar import VOCABULARY, aligned_prompt, tiny_aligned_ar, tiny_aligned_config

MODEL = tiny_aligned_ar()


def sampler(seed: int) -> Sampler:
    return Sampler(SamplingConfig(seed=seed, temperature=1.0, top_p=1.0))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_cutting_gives_the_codes_of_the_whole(data):
    text = data.draw(st.text("abcdefgh .", min_size=1, max_size=16))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    asked = data.draw(st.lists(st.sampled_from([0, 1, 2, 5, None]), min_size=len(cuts), max_size=len(cuts)))
    seed, rate = data.draw(st.integers(0, 5)), data.draw(st.sampled_from([0.5, 1.0, 1.3, 2.0]))
    told = [0.3 + (n * 7 % 5) for n in range(len(text))] if data.draw(st.booleans()) else None
    own = {"rate": rate, "voice": data.draw(st.sampled_from(["", "ab"]))}
    (whole,) = generate_aligned(MODEL, [aligned_prompt(MODEL, text, frames=told, **own)], [sampler(seed)])
    stream = AlignedStream(MODEL, aligned_prompt(MODEL, "", ended=False, **own), sampler(seed))
    codes, begin = [], 0
    for end, most in [*zip(cuts, asked, strict=True), (len(text), None)]:
        piece = VOCABULARY.symbol_tokens(text[begin:end])
        stream.accept(piece, None if told is None else told[begin:end], ended=False)
        codes.append(stream.next(most))
        begin = end
    assert len(stream.said.frame_counts) <= max(len(text) - MODEL.look_ahead, 0)
    stream.accept([], ended=True)
    codes.append(stream.next())
    assert torch.equal(torch.cat(codes, dim=1), whole.codes)
    assert stream.said == whole.said
    assert stream.frames == whole.codes.shape[1]
    assert stream.limited or stream.turn == Turn.end


def test_frames_come_as_soon_as_the_look_ahead_is_there():
    stream = AlignedStream(MODEL, aligned_prompt(MODEL, "abcdef", ended=False), sampler(1))
    assert stream.turn == Turn.symbols
    assert stream.next().shape == (3, 0)
    stream.accept(VOCABULARY.symbol_tokens("g"))
    assert stream.turn == Turn.frame
    assert stream.next(1).shape == (3, 1)
    assert stream.next().shape[1] == stream.said.frame_counts[0] - 1


def test_requests_end_one_by_one_as_they_would_alone():
    texts = ["a", "abc def gh.", "", "gg", "abcabcabc"]
    prompts = [aligned_prompt(MODEL, text, voice="b" * n) for n, text in enumerate(texts)]
    together = generate_aligned(MODEL, prompts, [sampler(n) for n in range(5)])
    assert len({own.codes.shape[1] for own in together}) >= 4
    for number, (text, own) in enumerate(zip(texts, together, strict=True)):
        (alone,) = generate_aligned(MODEL, [prompts[number]], [sampler(number)])
        assert torch.equal(alone.codes, own.codes)
        assert alone.said == own.said
        assert own.complete
        assert len(own.said.frame_counts) == len(text)
        assert sum(own.said.frame_counts) == own.codes.shape[1]
        ends = [a + n for a, n in zip(*own.said, strict=True)]
        assert list(own.said.first_frames) == [0, *ends][: len(text)]
    assert generate_aligned(MODEL, [], []) == []


def test_a_text_that_is_too_long_is_told_to_be_incomplete():
    model = tiny_aligned_ar(tiny_aligned_config(max_frames=7))
    long, fits = (aligned_prompt(model, text, frames=[2.0] * len(text)) for text in ("abcdef", "abc"))
    found = generate_aligned(model, [long, fits], [sampler(1), sampler(2)])
    assert [own.codes.shape[1] for own in found] == [7, 6]
    assert [own.complete for own in found] == [False, True]
    stream = AlignedStream(model, long, sampler(1))
    assert torch.equal(stream.next(), found[0].codes)
    assert stream.limited


def test_a_text_that_goes_on_is_no_whole_text():
    with pytest.raises(ConfigError, match="Take AlignedStream"):
        generate_aligned(MODEL, [aligned_prompt(MODEL, "a", ended=False)], [sampler(0)])
