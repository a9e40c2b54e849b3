"""Statistics behind normalisations are those of the utterances that were spoken, in the order of the modules."""

import pytest
import torch

from speech.nn.kokoro.norm_statistics import measuring, norms_of, statistics_size
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


def test_nothing_said_has_none_and_batches_are_refused():
    decoder = tiny_decoder()
    with measuring(decoder) as meter, pytest.raises(ValueError, match="no utterance"):
        meter.statistics()
    with measuring(decoder), pytest.raises(ValueError, match="2 utterances at once"):
        norms_of(decoder)[0](torch.ones(2, 8, 3), torch.ones(2, 4), None)
