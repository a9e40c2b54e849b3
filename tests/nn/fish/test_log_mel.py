"""Firefly's log-mel features: their formula, and utterances that share a batch."""

import numpy as np
import torch

from speech.audio.log_mel import mel_filters
from speech.nn.fish.log_mel import FireflyLogMel
from tests.published_fish import CODEC, PublishedCodec


def layer() -> FireflyLogMel:
    return FireflyLogMel(CODEC.sample_rate, CODEC.n_fft, CODEC.hop, CODEC.n_mels)


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(count, generator=torch.Generator().manual_seed(seed))


def test_features_are_the_published_formula():
    samples = noise(333)
    wanted = PublishedCodec({}).log_mel(samples.double().numpy(), mel_filters(64, 12, 8000))
    found, frames = layer()(samples[None], torch.tensor([333]))
    assert found.shape == (1, 20, 12)
    assert frames.tolist() == [20]
    np.testing.assert_allclose(found[0].T.numpy(), wanted, atol=1e-4)


def test_digital_silence_has_the_floor_of_its_power():
    found, _ = layer()(torch.zeros(1, 64), torch.tensor([64]))
    filters = torch.from_numpy(mel_filters(64, 12, 8000)).float()
    torch.testing.assert_close(found[0, 1], (filters.sum(dim=0) * 1e-3).clamp(min=1e-5).log())


def test_an_utterance_is_in_a_batch_what_it_is_alone():
    rows = [noise(200, 1), noise(333, 2), noise(25, 3)]
    padded = torch.stack([torch.cat([row, torch.full((333 - len(row),), 9.0)]) for row in rows])
    found, frames = layer()(padded, torch.tensor([len(row) for row in rows]))
    assert frames.tolist() == [12, 20, 1]
    for row, own, count in zip(rows, found, frames.tolist(), strict=True):
        alone, _ = layer()(row[None], torch.tensor([len(row)]))
        torch.testing.assert_close(own[:count], alone[0], atol=1e-5, rtol=1e-5)
        assert not own[count:].any()
