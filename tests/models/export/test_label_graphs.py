"""The two graphs of a label model say what it says, before they are written."""

import pytest
import torch

from speech.models.export.label_graphs import LabelDecoderGraph, LabelEncoderGraph, cache_names
from speech.models.whisper import Whisper
from tests.tiny_whisper import tiny_whisper


@pytest.fixture(scope="module")
def model() -> Whisper:
    return tiny_whisper()


@torch.no_grad()
@pytest.mark.parametrize("length", [1600, 5000, 16_001])
def test_a_recording_becomes_frames_and_what_each_layer_attends_to(model, length):
    samples = 0.1 * torch.randn(1, length, generator=torch.Generator().manual_seed(length))
    frames, *cross = LabelEncoderGraph(model)(samples)
    expected, _ = model.encode(samples, torch.tensor([length]))
    torch.testing.assert_close(frames, expected, atol=1e-4, rtol=1e-4)
    state = model.begin(expected)
    assert len(cross) == len(cache_names("cross", len(state.cross))) == 2 * len(state.cross)
    for found, wanted in zip(cross, [part for layer in state.cross for part in layer], strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_steps_of_the_graph_are_steps_of_the_decoder(model):
    graph = LabelDecoderGraph(model)
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(1, 9, 32, generator=generator)
    state = model.begin(frames).select(torch.tensor([0, 0]))
    cross = [part for layer in state.cross for part in layer]
    past = [part for layer in state.past for part in layer]
    for count in (3, 1, 1):
        tokens = torch.randint(256, (2, count), generator=generator)
        x, state, attention = model.step(tokens, state, model.alignment_heads)
        logits, *rest = graph(tokens, *past, *cross)
        *past, seen = rest
        torch.testing.assert_close(logits, model.logits(x[:, -1]), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(seen, attention, atol=1e-4, rtol=1e-4)
        for found, wanted in zip(past, [part for layer in state.past for part in layer], strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_caches_are_named_by_layer():
    assert cache_names("past", 2) == ["past_keys_1", "past_values_1", "past_keys_2", "past_values_2"]
