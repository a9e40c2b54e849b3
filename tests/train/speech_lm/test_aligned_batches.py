"""Packed batches of frames that are told what they say."""

import logging

import pytest
import torch

from speech.errors import ConfigError, DataError
from speech.models.aligned_ar import START
from speech.nn.speech_lm.text_encoder import NO_LANGUAGE
from speech.train.speech_lm.aligned_batches import AlignedPacker, read_aligned
from speech.train.speech_lm.batches import PADDING, SpeakerTable, SpeechLmBatches, SpeechLmDev
from tests.tiny_aligned_ar import VOCABULARY
from tests.tiny_codec import tiny_codec
from tests.train.speech_lm.corpus import PACKING, some_aligned, utterance


def test_requests_lie_side_by_side():
    spoken = some_aligned(4)
    found = AlignedPacker(spoken, tiny_codec(), None).batch([[[0], [2, 1]], [[3]]])
    first, second, third = spoken[0], spoken[2], spoken[1]
    lengths = [own.codes.shape[1] for own in (first, second, third)]
    assert found.codes.shape == (2, 2, sum(lengths))
    assert torch.equal(found.codes[0], torch.cat([own.codes for own in (first, second, third)], dim=1).long())
    assert found.segments[0].tolist() == [0] * lengths[0] + [1] * (lengths[1] + lengths[2])
    assert found.positions[0].tolist() == [*range(lengths[0]), *range(lengths[1] + lengths[2])]
    symbols = [len(own.symbols) for own in (first, second, third)]
    assert found.given.utterances[0].tolist() == [n for n, count in enumerate(symbols) for _ in range(count)]
    assert (found.segments[1] == PADDING).sum() == sum(lengths) - spoken[3].codes.shape[1]
    assert (found.frames[1] == PADDING).sum() == (found.given.utterances[1] == PADDING).sum() > 0
    begins = [0, lengths[0], lengths[0] + lengths[1]]
    for place in range(sum(lengths)):
        before = found.given.before[0, :, place]
        assert torch.equal(before, torch.full((2,), START) if place in begins else found.codes[0, :, place - 1])
    for row, place in ((0, 0), (0, lengths[0]), (1, 2)):
        said = int(found.given.said[row, place])
        own = spoken[3] if row else (second if place else first)
        offset = symbols[0] if place == lengths[0] else 0
        assert found.given.symbols[row, said] == own.symbols[said - offset]
    assert found.ids == ["t0", "t2", "t1", "t3"]
    assert found.sample_lengths.tolist() == [80 * sum(lengths), 80 * spoken[3].codes.shape[1]]
    assert len(found) == 2
    assert {x.device.type for x in (found.to("meta").codes, found.to("meta").given.said)} == {"meta"}


def test_every_symbol_has_the_frames_of_its_alignment():
    spoken = some_aligned(6)
    found = AlignedPacker(spoken, tiny_codec(), None).batch([[[5]]])
    counts = spoken[5].alignment.frame_counts
    assert 0 in counts.tolist()
    assert torch.equal(found.given.said[0].bincount(minlength=len(counts)), counts)
    assert found.given.inside[0].tolist() == [n for count in counts.tolist() for n in range(count)]
    assert torch.equal(found.frames[0], spoken[5].alignment.frames.float())


def test_each_symbol_gets_the_speaker_of_its_request():
    table = SpeakerTable({"speaker0": torch.tensor([1.0, 2.0]), "speaker1": torch.tensor([3.0, 4.0])}, 2)
    spoken = some_aligned(4)
    found = AlignedPacker(spoken, tiny_codec(), table).batch([[[0], [1]], [[2]]])
    length = len(spoken[0].symbols)
    assert found.given.speakers[0, :length].unique(dim=0).tolist() == [[1, 2]]
    assert found.given.speakers[0, length:].unique(dim=0).tolist() == [[3, 4]]


def test_epochs_and_dev_are_planned_by_frames():
    packer = AlignedPacker(some_aligned(12), tiny_codec(), None)
    batches, dev = SpeechLmBatches(packer, PACKING, 3), SpeechLmDev(packer, PACKING)
    epoch = [batches.batch(0, n) for n in range(batches.size(0))]
    assert {name for batch in epoch for name in batch.ids} == {f"t{n}" for n in range(12)}
    assert max(batch.codes.shape[2] for batch in epoch) <= PACKING.places
    assert sum(len(batch.ids) for batch in dev) == PACKING.dev_utterances


def test_what_is_too_long_or_has_no_codes_or_durations_is_left_out(caplog):
    codes = {f"t{n}": torch.zeros(2, 4 if n < 3 else 400).short() for n in range(4)}
    durations = {"t0": torch.tensor([1, 1, 1, 1]), "t3": torch.tensor([100] * 4)}
    utterances = [utterance(n, "abba", language="eng") for n in range(5)]
    with caplog.at_level(logging.WARNING):
        found = read_aligned("train", utterances, codes, durations, VOCABULARY, PACKING, None, 0.01)
    assert [own.id for own in found] == ["t0"]
    assert "train: 1 utterances are longer than packing.places 96" in caplog.text
    assert "train: 2 utterances have no durations" in caplog.text
    assert found[0].language == VOCABULARY.language_token("eng") != NO_LANGUAGE
    with pytest.raises(ConfigError, match="no utterance of train is left"):
        read_aligned("train", utterances[1:], codes, durations, VOCABULARY, PACKING, None, 0.01)
    with pytest.raises(DataError, match="dev, t0: 4 durations for 1 symbols"):
        read_aligned("dev", [utterance(0, "a")], codes, durations, VOCABULARY, PACKING, None, 0.01)
    with pytest.raises(DataError, match="dev, t0: the voice has no symbol for 'z'"):
        read_aligned("dev", [utterance(0, "zzzz")], codes, durations, VOCABULARY, PACKING, None, 0.01)
    table = SpeakerTable({}, 2)
    with pytest.raises(DataError, match="dev, t0: there is no embedding of speaker 'ann'"):
        read_aligned("dev", [utterance(0, "abba", "ann")], codes, durations, VOCABULARY, PACKING, table, 0.01)
