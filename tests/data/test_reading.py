"""`speech.data.reading`: audio that cannot be read is named and counted, and left out until there is too much of it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speech.data import reading
from speech.data.batches import Collator, EvalBatches, SpeechBatch, TrainBatches
from speech.data.manifest import Utterance
from speech.data.plan import BatchConfig, Example
from speech.data.reading import AudioReader, Tally, Unreadable
from speech.errors import DataError
from speech.text.vocabulary import Vocabulary

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz ")
CONFIG = BatchConfig(
    batch_s=4.0, max_s=2.0, concatenate_max_s=2.0, st_probability=0.0, concatenate_probability=0.0, buckets=2
)


class Letters:
    vocabulary = Vocabulary.build(languages=["eng"], st_targets=[], pieces=LETTERS, sos_eos=False)

    def encode(self, text: str) -> list[int]:
        return [self.vocabulary.index[letter] for letter in text]


@pytest.fixture
def corpus(tmp_path: Path) -> list[Utterance]:
    """Twelve tones; the files of 3 and 7 are none."""
    found = []
    for number in range(12):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.3 * np.sin(np.arange(9600 + 160 * number) / 9), 16000)
        if number in (3, 7):
            path.write_bytes(b"RIFF" if number == 3 else b"")
        found.append(
            Utterance(id=f"u{number}", audio=path, duration_s=0.6 + number / 100, language="eng", text="good day")
        )
    return found


def batches(corpus: list[Utterance]) -> TrainBatches:
    return TrainBatches(corpus, Letters(), CONFIG, None, str.lower)  # type: ignore[arg-type]


def test_the_others_of_a_batch_are_there_and_it_names_who_is_not(corpus: list[Utterance]) -> None:
    train = batches(corpus)
    found = [train.batch(0, index) for index in range(train.size(0))]
    assert sorted(name for batch in found for name in batch.ids) == sorted({u.id for u in corpus} - {"u3", "u7"})
    missing = [one for batch in found for one in batch.unreadable]
    assert sorted(one.id for one in missing) == ["u3", "u7"]
    assert all(str(corpus[int(one.id[1:])].audio) in one.reason for one in missing)
    assert all("\n" not in one.reason for one in missing)
    for batch in found:
        assert len(batch) == batch.samples.shape[0] == batch.tokens.shape[0] == len(batch.codes) == len(batch.stretches)


def test_of_utterances_in_a_row_the_others_stay(corpus: list[Utterance]) -> None:
    example = Example(utterances=(corpus[2], corpus[3], corpus[4]), silences_s=(0.1, 0.2, 0.3, 0.4))
    found = Collator(Letters(), str.lower)([example], np.random.default_rng(0))  # type: ignore[arg-type]
    assert isinstance(found, SpeechBatch)
    assert found.ids == ["u2+u4"]
    assert found.sample_lengths.tolist() == [1600 + 9920 + 3200 + 10240 + 6400]
    assert found.asr_lengths.tolist() == [len("good day good day")]


def test_a_batch_of_which_nothing_is_left_is_stood_in_for_by_the_next(corpus: list[Utterance]) -> None:
    some = [corpus[3], replace(corpus[0], duration_s=1.9), replace(corpus[1], duration_s=1.95)]
    train = TrainBatches(
        some,
        Letters(),
        replace(CONFIG, batch_s=2.4, max_s=2.39),
        None,
        str.lower,  # type: ignore[arg-type]
    )
    place = next(n for n, examples in enumerate(train.plan(0)) if examples[0].utterances[0].id == "u3")
    first, again = train.batch(0, place), train.batch(0, place)
    assert first.ids != ["u3"]
    assert first.ids == again.ids
    assert torch.equal(first.samples, again.samples)
    assert [one.id for one in first.unreadable] == ["u3"]
    with pytest.raises(DataError, match="no utterance can be read, the last is u7"):
        batches([corpus[3], corpus[7]]).batch(0, 0)


def test_scoring_leaves_them_out_within_limits(corpus: list[Utterance], caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally("test", len(corpus), 0.2)
    with caplog.at_level(logging.WARNING):
        found = [
            name
            for _ in range(2)
            for batch in EvalBatches(corpus, Letters(), 1.0, str.lower, unreadable=tally)  # type: ignore[arg-type]
            for name in batch.ids
        ]
    assert sorted(found) == sorted([u.id for u in corpus if u.id not in ("u3", "u7")] * 2)
    assert sorted(tally.found) == ["u3", "u7"]
    assert sorted(record.getMessage().split(" is left out")[0] for record in caplog.records) == ["test: u3", "test: u7"]
    with pytest.raises(DataError, match=r"^evaluation: 1 of 12 cannot be read, the last is u3"):
        list(EvalBatches(corpus, Letters(), 1.0, str.lower))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("utterances", "share", "most"),
    [(1000, 0.01, 10), (48, 0.01, 1), (48, 0.0, 0), (1, 0.5, 0), (0, 0.01, 0), (4, 1.0, 3)],
)
def test_how_many_may_be_unreadable(utterances: int, share: float, most: int) -> None:
    tally = Tally("train", utterances, share)
    tally.add(Unreadable(f"u{n}", "gone") for n in range(most))
    tally.check()
    tally.add([Unreadable("u0", "gone")] if most else [])  # a second time is no second one
    tally.check()
    tally.add([Unreadable("last", "gone")])
    with pytest.raises(DataError, match=r"the last is last: gone.*data\.max_unreadable"):
        tally.check()


def test_whatever_a_decoder_does_it_is_this_file_alone(corpus: list[Utterance], monkeypatch) -> None:
    def fall_over(path: Path, **_: object) -> np.ndarray:
        raise ValueError("no\nlayout")

    monkeypatch.setattr(reading, "load_audio", fall_over)
    found = AudioReader()(corpus[0])
    assert found == Unreadable("u0", f"{corpus[0].audio}: ValueError no\\nlayout")


def test_kept_audio_is_read_once_but_what_failed_is_tried_again(corpus: list[Utterance]) -> None:
    read = AudioReader(cache=True)
    assert isinstance(read(corpus[3]), Unreadable)
    corpus[3].audio.write_bytes(corpus[0].audio.read_bytes())
    first = read(corpus[3])
    assert not isinstance(first, Unreadable)
    corpus[3].audio.unlink()
    again = read(corpus[3])
    assert not isinstance(again, Unreadable)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("cached", [False, True])
def test_a_reader_reads_at_its_rate(corpus: list[Utterance], cached: bool) -> None:
    read = AudioReader(cached, rate=24000)
    for _ in range(2):
        samples = read(corpus[0])
        assert isinstance(samples, np.ndarray)
        assert len(samples) == 14400
