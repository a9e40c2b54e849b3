"""Windows give what the decoder gives at once with the same statistics, however an utterance is cut."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.nn.kokoro.norm_statistics import measuring
from speech.nn.kokoro.windowed_decoder import WindowedDecoder
from tests.nn.kokoro.speaking import GENERATOR, tiny_decoder, tiny_style, tiny_utterance, whole

FRAMES = 40


@pytest.fixture(scope="module")
def said():
    """A decoder, statistics, an utterance, and the samples of its windows."""
    decoder = tiny_decoder()
    with measuring(decoder) as meter:
        whole(decoder, tiny_utterance(FRAMES, 1))
    utterance, statistics = tiny_utterance(FRAMES, 2), meter.statistics()
    windowed = WindowedDecoder(decoder, GENERATOR, torch.float32)
    return decoder, statistics, utterance, windowed.begin(utterance, tiny_style(), statistics), windowed


def test_all_frames_at_once_are_those_of_the_decoder(said):
    decoder, statistics, utterance, decoded, _ = said
    samples = decoded.samples(0, FRAMES)
    assert samples.abs().max() > 1e-3
    # The excitation is more exact than the published one, and phases near pi turn over: nearly all samples are equal.
    error = (samples - whole(decoder, utterance, statistics)).abs()
    assert error.quantile(0.9) < 1e-4
    own = (samples - whole(decoder, utterance)).abs()
    assert own.quantile(0.5) > 1e-4


@settings(max_examples=30)
@given(cuts=st.sets(st.integers(1, FRAMES - 1), max_size=6))
def test_cuts_change_nothing(said, cuts):
    *_, decoded, _ = said
    places = [0, *sorted(cuts), FRAMES]
    pieces = torch.cat([decoded.samples(start, stop) for start, stop in pairwise(places)])
    torch.testing.assert_close(pieces, decoded.samples(0, FRAMES), atol=2e-5, rtol=0)


def test_less_context_would_be_heard(said):
    *_, decoded, windowed = said
    middle = decoded.samples(0, FRAMES)[20 * 24 : 21 * 24]
    own, windowed.context = windowed.context, windowed.context // 2 - 1
    assert (decoded.samples(20, 21) - middle).abs().max() > 2e-5
    windowed.context = own


def test_bfloat16_is_nearly_the_same(said):
    decoder, statistics, utterance, decoded, _ = said
    narrow = WindowedDecoder(decoder, GENERATOR, torch.bfloat16).begin(utterance, tiny_style(), statistics)
    both = torch.stack([narrow.samples(0, FRAMES), decoded.samples(0, FRAMES)])
    assert torch.corrcoef(both)[0, 1] > 0.99
