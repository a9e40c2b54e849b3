"""Packed batches: requests side by side in a row, none of which sees another."""

import logging

import pytest
import torch

from speech.errors import ConfigError, DataError
from speech.models.speech_prompt import spoken_text
from speech.train.speech_lm.batches import PADDING, Packer, SpeakerTable, SpeechLmBatches, SpeechLmDev, read_spoken
from speech.train.speech_lm.config import PackingConfig
from tests.tiny_codec import tiny_codec
from tests.tiny_dual_ar import tiny_dual_ar_config, tiny_vocabulary
from tests.train.speech_lm.corpus import PACKING, some_packer, some_spoken, utterance

VOCABULARY = tiny_vocabulary(tiny_dual_ar_config())


def test_requests_lie_side_by_side():
    packer = some_packer(4)
    found = packer.batch([[[0], [2, 1]], [[3]]])
    lengths = [len(one.said.tokens) for one in packer.spoken]
    assert lengths == [2 * n + 4 for n in (3, 4, 5, 6)]
    assert (
        found.tokens.shape == found.positions.shape == found.segments.shape == (2, lengths[0] + lengths[2] + lengths[1])
    )
    assert found.codes.shape == (2, 2, found.tokens.shape[1])
    assert len(found) == 2
    first, second = found.segments[0] == 0, found.segments[0] == 1
    assert int(first.sum()) == lengths[0]
    assert torch.equal(found.tokens[0, second], torch.cat([packer.spoken[n].said.tokens for n in (2, 1)]).long())
    assert torch.equal(found.codes[0][:, first], packer.spoken[0].said.codes.long())
    assert found.positions[0].tolist() == [*range(lengths[0]), *range(lengths[2] + lengths[1])]
    assert (found.segments[1] == PADDING).sum() == found.tokens.shape[1] - lengths[3]
    assert found.sample_lengths.tolist() == [80 * (3 + 5 + 4), 80 * 6]
    assert found.ids == ["t0", "t2", "t1", "t3"]
    assert found.speakers is None


def test_each_place_gets_the_speaker_of_its_request():
    table = SpeakerTable({"speaker0": torch.tensor([1.0, 2.0]), "speaker1": torch.tensor([3.0, 4.0])}, 2)
    packer = Packer(some_spoken(4), tiny_codec(), table)
    found = packer.batch([[[0], [1]], [[2]]])
    length = len(packer.spoken[0].said.tokens)
    assert found.speakers.shape == (2, found.tokens.shape[1], 2)
    assert found.speakers[0, :length].unique(dim=0).tolist() == [[1, 2]]
    assert found.speakers[0, length:].unique(dim=0).tolist() == [[3, 4]]
    assert not found.speakers[1, len(packer.spoken[2].said.tokens) :].any()
    moved = found.to("meta")
    assert {x.device.type for x in (moved.tokens, moved.codes, moved.speakers, moved.segments)} == {"meta"}


def test_an_epoch_has_each_utterance_and_batches_are_always_the_same():
    batches = SpeechLmBatches(some_packer(12), PACKING, seed=3)
    size = batches.size(0)
    epoch = [batches.batch(0, n) for n in range(size)]
    assert {name for batch in epoch for name in batch.ids} == {f"t{n}" for n in range(12)}
    assert all(1 <= len(batch) <= PACKING.rows and batch.tokens.shape[1] <= PACKING.places for batch in epoch)
    other = batches.batch(1, 0)
    again = SpeechLmBatches(some_packer(12), PACKING, seed=3)
    assert torch.equal(again.batch(0, size - 1).tokens, epoch[-1].tokens)
    assert [batches.batch(0, n).ids for n in range(size)] == [batch.ids for batch in epoch]
    assert again.batch(1, 0).ids == other.ids != epoch[0].ids


def test_dev_is_chosen_evenly_by_length():
    dev = SpeechLmDev(some_packer(10), PackingConfig(places=40, rows=1, dev_utterances=4))
    found = list(dev)
    assert len(found) == len(dev) > 1
    assert sorted(name for batch in found for name in batch.ids) == ["t0", "t3", "t6", "t9"]
    assert [batch.ids for batch in dev] == [batch.ids for batch in found]


def test_what_is_too_long_or_has_no_codes_is_left_out(caplog):
    codes = {"t0": torch.zeros(2, 4).short(), "t1": torch.zeros(2, 400).short()}
    utterances = [utterance(n) for n in range(3)]
    with caplog.at_level(logging.WARNING):
        found = read_spoken("train", utterances, codes, VOCABULARY, PACKING, None)
    assert [one.id for one in found] == ["t0"]
    assert "train: 1 utterances are longer than packing.places 96" in caplog.text
    assert torch.equal(found[0].said.tokens.long(), spoken_text(VOCABULARY, "tone", "eng", codes["t0"].long()).tokens)
    assert (found[0].said.codes.dtype, found[0].frames) == (torch.int16, 4)
    with pytest.raises(ConfigError, match="no utterance of train is left"):
        read_spoken("train", utterances[1:], codes, VOCABULARY, PACKING, None)


def test_what_cannot_be_said_is_named():
    codes = {"t0": torch.zeros(2, 4).short()}
    symbols = VOCABULARY.of("symbols", ["eng"], ["ton"], 12)
    with pytest.raises(DataError, match=r"dev, t0: the voice has no symbol for 'e'"):
        read_spoken("dev", [utterance(0)], codes, symbols, PACKING, None)
    with pytest.raises(DataError, match=r"dev, t0: there is no embedding of speaker 'ann'"):
        read_spoken("dev", [utterance(0, speaker="ann")], codes, VOCABULARY, PACKING, SpeakerTable({}, 2))
