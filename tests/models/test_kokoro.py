"""Texts are spoken alone as in a batch; requests that cannot be spoken are refused by name."""

from dataclasses import replace

import pytest
import torch

from speech.errors import ConfigError
from speech.models.kokoro import KokoroConfig, KokoroRequest
from speech.models.storage import without_memory
from tests.nn.kokoro.rows import well_conditioned
from tests.tiny_kokoro import tiny_kokoro, tiny_style

REQUESTS = [
    KokoroRequest(ids=[1, 2, 3], style=tiny_style(1)),
    KokoroRequest(ids=[5, 4, 3, 2, 1, 7, 9, 11, 12], style=tiny_style(2), speed=0.7, seed=4),
    KokoroRequest(ids=[8], style=tiny_style(3), seed=None),
]


@pytest.fixture
def model():
    return tiny_kokoro()


def test_batch_mates_change_nothing(model):
    well_conditioned(model.decoder.generator.stft)
    for order in ([0, 1, 2], [2, 1, 0], [1, 1], [0, 2]):
        for number, spoken in zip(order, model.speak([REQUESTS[n] for n in order]), strict=True):
            alone = model.speak([REQUESTS[number]])[0]
            assert torch.equal(spoken.durations, alone.durations)
            torch.testing.assert_close(spoken.samples, alone.samples, atol=1e-4, rtol=0)


def test_samples_are_as_long_as_durations_say(model):
    assert model.frame_samples == 2 * 2 * 3 * 2
    assert model.frame_s == model.frame_samples / 24000
    for request, spoken in zip(REQUESTS, model.speak(REQUESTS), strict=True):
        assert len(spoken.durations) == len(request.ids) + 2
        assert int(spoken.durations.min()) >= 1
        assert spoken.samples.shape == (int(spoken.durations.sum()) * model.frame_samples,)
        assert spoken.samples.abs().max() > 1e-3
    assert model.speak([]) == []


def test_half_the_speed_is_twice_as_long(model):
    slow, fast = model.speak([replace(REQUESTS[1], speed=0.5), replace(REQUESTS[1], speed=2.0)])
    assert len(slow.samples) > 2 * len(fast.samples)


def test_the_seed_is_the_noise_of_a_request(model):
    """A seed gives the same noise beside any other request; another seed, or none, other noise."""
    first, again, other, none = (
        model.noise(seeds, counts)
        for seeds, counts in (([4], [50]), ([1, 4], [70, 50]), ([5], [50]), ([None, 4], [50, 50]))
    )
    assert torch.equal(first[0], again[1, :50])
    assert not again[1, 50:].any()
    assert not torch.equal(first, other)
    assert not none[0].any()
    one, two = (model.speak([replace(REQUESTS[0], seed=seed)])[0].samples for seed in (1, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, model.speak([replace(REQUESTS[0], seed=2)])[0].samples)


def test_the_style_has_a_half_for_prosody_and_one_for_the_voice(model):
    base = model.speak([REQUESTS[1]])[0]
    style = REQUESTS[1].style.clone()
    style[:4] += 1
    voiced = model.speak([replace(REQUESTS[1], style=style)])[0]
    assert torch.equal(voiced.durations, base.durations)
    assert not torch.equal(voiced.samples, base.samples)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": []}, "request 1: 0 symbols, expected 1 to 18"),
        ({"ids": [1] * 19}, "request 1: 19 symbols, expected 1 to 18. Cut the text"),
        ({"ids": [1, 24]}, "request 1: symbol 24, expected 0 to 23"),
        ({"ids": [-1]}, "symbol -1"),
        ({"style": torch.ones(4)}, r"a style of shape \(4,\), expected \(8,\)"),
        ({"speed": 0.0}, "speed 0, expected 0.25 to 4"),
        ({"speed": float("nan")}, "speed nan"),
    ],
)
def test_requests_that_cannot_be_spoken_are_named(model, change, message):
    with pytest.raises(ConfigError, match=message):
        model.speak([REQUESTS[0], replace(REQUESTS[0], **change)])


def test_the_longest_text_is_spoken(model):
    assert len(model.speak([replace(REQUESTS[0], ids=[1] * model.most_symbols)])[0].durations) == 20


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ConfigError, match="an even dim and an odd kernel"):
        KokoroConfig(kernel=4)
    with pytest.raises(ConfigError, match=r"model\.style_dim 0"):
        KokoroConfig(style_dim=0)


def test_the_default_is_the_published_shape():
    with without_memory():
        assert KokoroConfig().build().parameter_count == 81_140_408
