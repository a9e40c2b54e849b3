"""Statistics behind normalisations are those of the utterances that were spoken, in the order of the modules."""

import pytest
import torch

from speech.nn.kokoro.norm_statistics import NormStatistics, StatisticsMeter, measuring, norms_of, statistics_size
from tests.nn.kokoro.speaking import tiny_decoder, tiny_utterance, whole


@torch.no_grad()
def test_they_are_means_over_frames():
    decoder = tiny_decoder()
    inputs: dict[int, list[torch.Tensor]] = {}
    norms = norms_of(decoder)
    for number, norm in enumerate(norms):
        norm.register_forward_pre_hook(lambda _, x, n=number: inputs.setdefault(n, []).append(x[0][0]))
    with measuring(decoder) as meter:
        for seed, frames in ((1, 9), (2, 14)):
            whole(decoder, tiny_utterance(frames, seed))
    found = meter.statistics()
    assert found.means.shape == found.variances.shape == (statistics_size(decoder),)
    place = 0
    for number in range(len(norms)):
        first, second = inputs[number]
        channels, share = len(first), 9 / 23
        means = share * first.mean(1) + (1 - share) * second.mean(1)
        spread = share * first.var(1, unbiased=False) + (1 - share) * second.var(1, unbiased=False)
        torch.testing.assert_close(found.means[place : place + channels], means)
        torch.testing.assert_close(found.variances[place : place + channels], spread)
        place += channels
    assert place == statistics_size(decoder)
    count = len(inputs[0])
    whole(decoder, tiny_utterance(5, 3))
    assert len(meter.utterances) == 2 < count + 1


def test_those_of_any_length_follow_from_a_silence_that_all_have():
    """A channel is 2 in the silence of 20 frames, and else 5 or 9 in turns."""
    meter = StatisticsMeter()
    for frames in (40, 60, 100, 400):
        values = torch.cat([torch.full((20,), 2.0), torch.tensor([5.0, 9.0]).repeat((frames - 20) // 2)])
        meter.add(NormStatistics(values.mean()[None], values.var(correction=0)[None]), frames)
    found = meter.by_length()
    assert found.norms.shape == (4, 1)
    for frames in (30, 52, 1000):
        values = torch.cat([torch.full((20,), 2.0), torch.tensor([5.0, 9.0]).repeat((frames - 20) // 2)])
        own = found.of(frames)
        torch.testing.assert_close(own.means, values.mean()[None], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(own.variances, values.var(correction=0)[None], rtol=1e-3, atol=1e-3)
    assert found.of(1).variances > 0


def test_utterances_that_are_about_as_long_tell_nothing_of_other_lengths():
    meter = StatisticsMeter()
    for frames in (60, 100):
        meter.add(NormStatistics(torch.tensor([frames / 10]), torch.tensor([1.0])), frames)
    found = meter.by_length()
    assert found.norms.shape == (2, 1)
    assert found.of(5).means == found.of(500).means == meter.statistics().means


def test_nothing_said_has_none_and_batches_are_refused():
    decoder = tiny_decoder()
    with measuring(decoder) as meter, pytest.raises(ValueError, match="no utterance"):
        meter.statistics()
    with measuring(decoder), pytest.raises(ValueError, match="2 utterances at once"):
        norms_of(decoder)[0](torch.ones(2, 8, 3), torch.ones(2, 4), None)
