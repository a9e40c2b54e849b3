"""The dev set of a label decoder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speech.data.reading import Tally
from speech.errors import DataError
from speech.train.label.dev import LabelDev
from tests.train.label.rows import MOST_TOKENS, TOKENIZER, heard, settings
from tests.train.label.test_batches import same

__all__ = ["heard"]  # a fixture


def test_dev_is_every_utterance_once_as_it_is_and_translated_where_that_is_known(heard, tmp_path):
    gaelic = replace(heard[0], id="g", language="gla")
    dev = LabelDev([*heard, gaelic], TOKENIZER, settings(), MOST_TOKENS, Tally("dev", 7, 0.0))
    found = list(dev)
    assert len(found) == len(dev) == 3
    names = [(name, int(batch.tokens[n, 2])) for batch in found for n, name in enumerate(batch.ids)]
    transcripts = {name for name, task in names if task == TOKENIZER.transcribe}
    assert transcripts == {u.id for u in heard}
    assert sorted(name for name, task in names if task == TOKENIZER.translate) == ["d1", "d2"]
    assert all(int(length) == 8000 + 3200 for batch in found for length in batch.sample_lengths)
    assert all(same(one, two) for one, two in zip(found, dev, strict=True))
    gone = replace(heard[0], id="gone", audio=tmp_path / "gone.wav")
    with pytest.raises(DataError, match="gone"):
        list(LabelDev([gone, *heard], TOKENIZER, settings(), MOST_TOKENS, Tally("dev", 7, 0.0)))


def test_dev_is_translated_into_the_possible_languages_in_turn(heard):
    spoken = [replace(u, translations={"eng": "One", "spa": "Uno"}) for u in heard[:2]]
    found = list(LabelDev(spoken, TOKENIZER, settings(targets=["eng", "spa"]), MOST_TOKENS, Tally("dev", 2, 0.0)))
    into = [
        int(batch.tokens[n, 3])
        for batch in found
        for n in range(len(batch))
        if batch.tokens[n, 2] == TOKENIZER.translate
    ]
    assert into == [TOKENIZER.no_timestamps, TOKENIZER.languages["spa"]]
