"""AlignAtt's decisions as labels: where tokens attend to, and the losses by their definitions."""

from __future__ import annotations

import pytest
import torch

from speech.models.monotonic_decoder import MonotonicDecoder
from speech.nn.policy_network import PolicyConfig, PolicyNetwork, last_group
from speech.recognize.draft_decoder import standardised
from speech.train.label.batches import NO_TARGET, LabelBatches
from speech.train.label.module import encode
from speech.train.translation.distillation import Heard, attended_places, cut_loss, whole_loss
from tests.tiny_whisper import tiny_whisper
from tests.train.label.rows import MOST_TOKENS, TOKENIZER, settings
from tests.train.translation.corpus import ROWS, clips

MARGIN = 8


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    spoken = clips(tmp_path_factory.mktemp("spoken"), 8)[:8]
    return LabelBatches(spoken, TOKENIZER, settings(**ROWS | {"joined": 1.0}), MOST_TOKENS, 1, None).batch(0, 0)


@pytest.fixture(scope="module")
def model():
    whisper = tiny_whisper()
    torch.manual_seed(2)
    shape = whisper.config.decoder
    network = PolicyNetwork(PolicyConfig(), shape.dim, shape.layers, shape.heads)
    return whisper, MonotonicDecoder(whisper.decoder, network)


def heard_of(whisper, batch) -> Heard:
    frames, lengths = encode(whisper, batch.samples, batch.sample_lengths)
    return Heard(frames, lengths, attended_places(whisper, batch, frames, lengths))


def alone(batch, row: int):
    """One row without the padding of its neighbours."""
    length, asked = int(batch.sample_lengths[row]), (batch.targets[row] != NO_TARGET).nonzero().flatten()
    last = int(asked[-1]) + 1
    one = batch.to("cpu")
    one.samples, one.sample_lengths = batch.samples[row : row + 1, :length], batch.sample_lengths[row : row + 1]
    one.tokens, one.targets = batch.tokens[row : row + 1, :last], batch.targets[row : row + 1, :last]
    one.ids = batch.ids[row : row + 1]
    return one


@torch.inference_mode()
def test_places_are_running_maxima_of_the_standardised_attention(model, batch):
    whisper = model[0]
    for row in range(len(batch)):
        one = alone(batch, row)
        found = heard_of(whisper, one)
        attention = whisper.step(one.tokens, whisper.begin(found.frames), whisper.alignment_heads)[2]
        asked = one.targets[0] != NO_TARGET
        highest = standardised(attention[0]).argmax(-1)[asked].tolist()
        assert found.places[0][asked].tolist() == [max(highest[: n + 1]) for n in range(len(highest))]
        assert not found.places[0][~asked].any()


@torch.inference_mode()
def test_the_loss_of_complete_audio_is_the_cross_entropy_of_each_token_and_group(model, batch):
    whisper, monotonic = model
    own = []
    for row in range(len(batch)):
        one = alone(batch, row)
        heard = heard_of(whisper, one)
        count = int(heard.lengths[0])
        keys = monotonic.network.begin(heard.frames)
        chances = monotonic.stepwise(one.tokens, heard.frames, None, keys)[0]  # (layers, heads, n, groups)
        for place in (one.targets[0] != NO_TARGET).nonzero().flatten().tolist():
            for group in range(chances.shape[-1]):
                end = min((group + 1) * 4, count) - 1
                written = end >= int(heard.places[0, place]) + MARGIN
                each = chances[..., place, group]
                own.append(float(-(each if written else 1 - each).log().mean()))
    found = whole_loss(monotonic, batch, heard_of(whisper, batch), MARGIN)
    assert float(found) == pytest.approx(sum(own) / len(own), rel=1e-3)


@torch.inference_mode()
def test_cut_audio_is_encoded_anew_and_asked_at_its_last_group(model, batch, monkeypatch):
    monkeypatch.setattr("speech.train.translation.distillation._FIRST_S", 0.4)
    whisper, monotonic = model
    own = []
    shares = torch.tensor([0.3, 0.9])
    for row in range(len(batch)):
        one = alone(batch, row)
        heard, length = heard_of(whisper, one), int(one.sample_lengths[0])
        count = int(6400 + shares[row] * (length - 6400))
        silent = torch.zeros(1, count + 3200)
        silent[:, :count] = one.samples[:, :count]
        frames = encode(whisper, silent, torch.tensor([count + 3200]))[0]
        last = round(count / 320)
        keys = monotonic.network.begin(*last_group(frames, torch.tensor([last]), 4))
        chances = monotonic.stepwise(one.tokens, frames, None, keys)[0, ..., 0]  # (layers, heads, n)
        for place in (one.targets[0] != NO_TARGET).nonzero().flatten().tolist():
            if int(heard.places[0, place]) <= last + 150:
                written = last - 1 >= int(heard.places[0, place]) + MARGIN
                each = chances[..., place]
                own.append(float(-(each if written else 1 - each).log().mean()))
    found = cut_loss(monotonic, whisper, batch, heard_of(whisper, batch), MARGIN, shares)
    assert float(found) == pytest.approx(sum(own) / len(own), rel=1e-3)
