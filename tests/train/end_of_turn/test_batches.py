"""Batches of examples: each text occurs in an epoch, and the same number gives the same batch."""

import json
import random
from collections import Counter
from dataclasses import replace

import pytest
import torch

from speech.errors import DataError
from speech.text.turn_features import turn_features
from speech.train.end_of_turn.batches import (
    FILLERS,
    PHRASES_SOURCE,
    TurnBatches,
    TurnDev,
    as_example,
    batch_of,
    read_fillers,
)
from speech.train.end_of_turn.config import TurnBatchConfig
from speech.train.end_of_turn.examples import TurnExample, TurnMaker
from speech.train.end_of_turn.turns import WrittenTurn
from tests.turns import made_up, tiny

HEARD = [WrittenTurn("heard", "eng", "I would.", False, "b")]


def batches(tmp_path, **rows):
    config = replace(tiny(tmp_path, tmp_path), rows=TurnBatchConfig(rows=16, **rows))
    phrase = WrittenTurn("phrase", "eng", "WrittenTurn it on.", True, PHRASES_SOURCE)
    texts = [*made_up(40, 1), phrase]
    return TurnBatches(texts, HEARD, TurnMaker(texts, {}), config)


def test_each_text_occurs_as_often_as_it_is_said(tmp_path):
    own = batches(tmp_path, recognised_times=3, phrase_times=5)
    for epoch in (0, 1):
        ids = Counter(name for index in range(own.size(epoch)) for name in own.batch(epoch, index).ids)
        assert (ids.pop("heard"), ids.pop("phrase")) == (3, 5)
        assert set(ids.values()) == {1}
        assert len(ids) == 40


def test_the_same_number_is_the_same_batch(tmp_path):
    one, other = batches(tmp_path), batches(tmp_path)
    other.batch(0, 0)
    first, again, next_epoch = one.batch(1, 1), other.batch(1, 1), other.batch(2, 1)
    assert first.ids == again.ids != next_epoch.ids
    assert torch.equal(first.features, again.features)
    assert torch.equal(first.finished, again.finished)


def test_a_batch_holds_the_features_of_each_row():
    examples = [TurnExample("eng", "I would", False), TurnExample("deu", "Ja.", True)]
    found = batch_of(examples, ["a", "b"], 512, random.Random(1), 0, 0)
    wanted = [turn_features(own.text, own.language, 512) for own in examples]
    assert found.starts.tolist() == [0, len(wanted[0])]
    assert found.features.tolist() == wanted[0] + wanted[1]
    assert found.finished.tolist() == [0, 1]
    assert len(found) == 2
    assert found.sample_lengths.sum() == 2
    moved = found.to("cpu")
    assert torch.equal(moved.features, found.features)
    unnamed = batch_of(examples, ["a", "b"], 512, random.Random(1), 0, 1)
    assert unnamed.features.tolist()[: int(unnamed.starts[1])] == turn_features("I would", None, 512)
    fewer = batch_of(examples * 20, ["a"] * 40, 512, random.Random(1), 0.5, 0)
    assert len(fewer.features) == pytest.approx(10 * len(found.features), rel=0.2)


def test_dev_is_all_examples_in_order():
    examples = [as_example(own) for own in made_up(5, 1)]
    found = list(TurnDev(examples, 512, 2))
    assert len(TurnDev(examples, 512, 2)) == len(found) == 3
    assert [name for own in found for name in own.ids] == list("01234")


def test_fillers_are_read(tmp_path):
    assert read_fillers(tmp_path) == {}
    (tmp_path / FILLERS).write_text(json.dumps({"eng": ["um"], "deu": []}))
    assert read_fillers(tmp_path) == {"eng": ["um"]}
    for wrong in ("[]", "{", '{"eng": 3}'):
        (tmp_path / FILLERS).write_text(wrong)
        with pytest.raises(DataError, match=r"fillers\.json: it is no list"):
            read_fillers(tmp_path)
